/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Chains that can be told apart by looking at them, and dumps of them that were read while
 * something else happened. The filter at depth n allows everything, but number n with data bits,
 * which is no constant ALLOW: so a chain of d filters shows FILTER for the numbers below d, in
 * every table, and ALLOW for the others, and forbids nothing.
 */
#ifndef LAB_DUMP_H
#define LAB_DUMP_H

#include "cache_file.h"

#define DEPTH_MAX	256	/* less than any table has numbers */

enum dump_kind {
	DUMP_FULL,	/* every line, of a chain as described */
	DUMP_EMPTY,
	DUMP_GONE,	/* ESRCH */
	DUMP_BAD,	/* anything else: noted */
};

struct dump {
	size_t lines;
	long depth;
	char text[READING_MAX];
};

/* Attaches the filter at `depth` to the calling thread. Returns what seccomp() does. */
static inline long attach_at(unsigned int depth, unsigned int flags)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, depth, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW | 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static inline bool attach_first(void)
{
	return set_up("no_new_privs", !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) &&
	       set_up("seccomp", !attach_at(0, 0));
}

static inline enum dump_kind bad_line(size_t line, const char *text)
{
	note("line %zu of a dump is wrong: `%.*s`", line, (int)strcspn(text, "\n"), text);
	return DUMP_BAD;
}

/* Reads the lines of a dump; the first ALLOW tells the depth, all other lines have to agree. */
static inline enum dump_kind parse_dump(struct dump *dump)
{
	const char *text = dump->text, *next, *arch, *last = NULL;
	long number, expected = 0;
	bool filtered, is_below;

	dump->lines = 0;
	dump->depth = -1;
	for (; *text; text = next, last = arch, expected++) {
		dump->lines++;
		next = parse_line(text, &arch, &number);
		if (!next)
			return bad_line(dump->lines, text);
		if (arch != last)
			expected = 0;
		filtered = next[-2] == 'R';
		if (!filtered && dump->depth < 0)
			dump->depth = number;
		/* Before the first ALLOW every number is below the depth. */
		is_below = dump->depth < 0 || number < dump->depth;
		if (number != expected || filtered != is_below)
			return bad_line(dump->lines, text);
	}
	return DUMP_FULL;
}

/* One read from the start, as big as the file: what the kernel printed in one go. */
static inline enum dump_kind read_dump(int fd, struct dump *dump)
{
	ssize_t n = pread(fd, dump->text, sizeof(dump->text) - 1, 0);

	if (n < 0) {
		if (errno == ESRCH)
			return DUMP_GONE;
		note("reading a dump: %s", strerror(errno));
		return DUMP_BAD;
	}
	dump->text[n] = '\0';
	return n ? parse_dump(dump) : DUMP_EMPTY;
}

/* Opens the file of a process, or with `tid` of a thread of it; -1 if it is gone. */
static inline int open_dump(pid_t pid, pid_t tid)
{
	char path[64];

	if (tid)
		snprintf(path, sizeof(path), "/proc/%d/task/%d/seccomp_cache", pid, tid);
	else
		snprintf(path, sizeof(path), "/proc/%d/seccomp_cache", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

#endif /* LAB_DUMP_H */
