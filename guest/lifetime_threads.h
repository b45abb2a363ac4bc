/* SPDX-License-Identifier: GPL-2.0-only */
/* Sub-tests of lifetime.c: the threads of one process, and TSYNC. */
#ifndef LAB_LIFETIME_THREADS_H
#define LAB_LIFETIME_THREADS_H

#include <dirent.h>
#include <stdint.h>

#include "lifetime.h"

#define THREADS		64
#define SYNCS		48
#define THREADS_SEEN	16

/* Threads: all of them have a filter from their birth; the reader goes through the directory. */

/* Opens the files of all threads first, so that some of the threads are gone when it reads. */
static inline bool look_at_threads(const char *what, long low, atomic_uint *high)
{
	DIR *directory = opendir("/proc/self/task");
	int fds[THREADS_SEEN], count = 0, i, fd;
	struct dirent *entry;
	enum dump_kind kind;
	bool ok = true;
	pid_t tid;

	if (!set_up("opendir", directory))
		return false;
	while (count < THREADS_SEEN && (entry = readdir(directory))) {
		tid = atoi(entry->d_name);
		fd = tid ? open_dump(getpid(), tid) : -1;
		if (fd >= 0)
			fds[count++] = fd;
		else if (tid && errno != ENOENT && errno != ESRCH)
			ok = set_up("open", false);
	}
	closedir(directory);
	for (i = 0; i < count; i++) {
		kind = ok ? take(fds[i]) : DUMP_BAD;
		ok = ok && expect_dying(what, kind, low, high ? atomic_load(high) + 1 : 2);
		close(fds[i]);
	}
	counter_add(&reads);
	return ok;
}

static inline void *live_shortly(void *data)
{
	u32 round = (uintptr_t)data;

	if (round % 2 && !set_up("seccomp", !attach_at(1, 0)))
		atomic_store(&failed, true);
	counter_wait(&reads, round / 2);
	return NULL;
}

static inline void *spawn_many(void *data)
{
	pthread_t thread[2];
	uintptr_t round;

	(void)data;
	stay_on_cpu(ACTOR_CPU);
	for (round = 0; round < THREADS && !atomic_load(&failed); round += 2) {
		if (!start_thread(&thread[0], live_shortly, (void *)round) ||
		    !start_thread(&thread[1], live_shortly, (void *)(round + 1))) {
			atomic_store(&failed, true);
			break;
		}
		pthread_join(thread[0], NULL);
		pthread_join(thread[1], NULL);
	}
	atomic_store(&finished, true);
	return NULL;
}

static inline bool threads_come_and_go(void)
{
	pthread_t thread;
	bool ok;

	stay_on_cpu(READER_CPU);
	if (!attach_first() || !start_thread(&thread, spawn_many, NULL))
		return false;
	do {
		ok = look_at_threads("a thread that comes or goes", 1, NULL);
	} while (ok && !atomic_load(&finished));
	return end_race(thread, ok);
}

/* TSYNC: every thread gets the new filter at once, also those that are on their way out. */

static inline void *live_not(void *data)
{
	return data;
}

static inline void *sync_many(void *data)
{
	pthread_t thread;
	long got;
	u32 i;

	(void)data;
	stay_on_cpu(ACTOR_CPU);
	for (i = 1; i <= SYNCS && !atomic_load(&failed); i++) {
		if (!start_thread(&thread, live_not, NULL))
			break;
		got = attach_at(i, SECCOMP_FILTER_FLAG_TSYNC);
		pthread_join(thread, NULL);
		if (!expect_number("TSYNC", 0, got))
			break;
		counter_add(&depth);
		counter_wait(&reads, i / 2);
	}
	if (i <= SYNCS)
		atomic_store(&failed, true);
	atomic_store(&finished, true);
	return NULL;
}

static inline bool tsync_reaches_all(void)
{
	enum dump_kind kind;
	pthread_t thread;
	bool ok;
	long low;
	int fd;

	stay_on_cpu(READER_CPU);
	if (!attach_first())
		return false;
	counter_add(&depth);
	fd = open_dump(getpid(), 0);
	if (!set_up("open", fd >= 0) || !start_thread(&thread, sync_many, NULL))
		return false;
	do {
		low = atomic_load(&depth);
		kind = take(fd);
		ok = expect_full("the first thread", kind, low, atomic_load(&depth) + 1);
		/* Threads that have released their filters get no others. */
		if (freed == FREED_AT_EXIT)
			low = 1;
		ok = ok && look_at_threads("a thread under TSYNC", low, &depth);
	} while (ok && !atomic_load(&finished));
	return end_race(thread, ok);
}

#endif /* LAB_LIFETIME_THREADS_H */
