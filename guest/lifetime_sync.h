/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A filter that TSYNC gives to another thread is whole at once. That thread makes a call that the
 * filter denies early in its table, and, as soon as it is denied, one that it denies late: working
 * out a long filter takes long, and a bitmap that is still being worked out would let it through.
 */
#ifndef LAB_LIFETIME_SYNC_H
#define LAB_LIFETIME_SYNC_H

#include "lifetime.h"

#define STEPS	1000	/* of a filter that does nothing but take its time */
#define DENIED	1234	/* no call gives this by itself */

/* Both do nothing to this process, and both are there on every architecture. */
struct pair {
	u32 early;
	u32 late;
};

static const struct pair pairs[] = {
	{ SYS_getppid, __NR_pidfd_open },
	{ SYS_getuid, __NR_pidfd_getfd },
	{ SYS_getgid, __NR_clone3 },
	{ SYS_geteuid, __NR_openat2 },
	{ SYS_getegid, __NR_faccessat2 },
};

static atomic_uint asked;	/* pairs that the other thread has made a call of */

static inline bool attach_slow(const struct pair *pair)
{
	static struct sock_filter filter[STEPS + 5];
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };
	u32 i;

	for (i = 0; i < STEPS; i++)
		filter[i] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0);
	filter[i++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   offsetof(struct seccomp_data, nr));
	filter[i++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, pair->early, 2, 0);
	filter[i++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, pair->late, 1, 0);
	filter[i++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	filter[i++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | DENIED);
	return expect_number("TSYNC", 0, syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
						 SECCOMP_FILTER_FLAG_TSYNC, &program));
}

static inline bool is_denied(u32 number)
{
	return syscall(number, -1, -1, -1, -1) == -1 && errno == DENIED;
}

static inline void *call_pairs(void *data)
{
	u32 i;

	(void)data;
	stay_on_cpu(READER_CPU);
	for (i = 0; i < ARRAY_SIZE(pairs) && !atomic_load(&failed); i++) {
		if (is_denied(pairs[i].early)) {
			note("call %u was denied before its filter was there", pairs[i].early);
			break;
		}
		counter_add(&asked);
		while (!is_denied(pairs[i].early) && !atomic_load(&failed))
			;
		if (!is_denied(pairs[i].late) && !atomic_load(&failed)) {
			note("call %u is denied, and %u of the same filter got by", pairs[i].early,
			     pairs[i].late);
			break;
		}
	}
	if (i < ARRAY_SIZE(pairs))
		atomic_store(&failed, true);
	/* Nobody waits for a thread that has given up. */
	atomic_fetch_add(&asked, ARRAY_SIZE(pairs));
	counter_add(&asked);
	return NULL;
}

static inline bool tsync_is_whole_at_once(void)
{
	pthread_t thread;
	bool ok = true;
	u32 i;

	stay_on_cpu(ACTOR_CPU);
	/* Something to inherit: what is not worked out yet is taken from it. */
	if (!attach_first() || !start_thread(&thread, call_pairs, NULL))
		return false;
	for (i = 0; ok && i < ARRAY_SIZE(pairs) && !atomic_load(&failed); i++) {
		counter_wait(&asked, i + 1);
		ok = attach_slow(&pairs[i]);
	}
	return end_race(thread, ok);
}

#endif /* LAB_LIFETIME_SYNC_H */
