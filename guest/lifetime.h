/* SPDX-License-Identifier: GPL-2.0-only */
/* What the sub-tests of lifetime.c share: one reader, one actor, and what is right to see. */
#ifndef LAB_LIFETIME_H
#define LAB_LIFETIME_H

#include "dump.h"
#include "leak.h"
#include "race.h"

#define READER_CPU	1
#define ACTOR_CPU	0

#define READS_ENOUGH	1000000	/* more than any sub-test waits for */

enum freed {
	FREED_WITH_TASK,
	FREED_AT_EXIT,
};

/* What the sub-tests, each a process of its own, have in common. */
struct shared {
	atomic_uint reads;
	size_t lines;
	long programs;	/* allocated before the first sub-test */
};

static enum freed freed;
static struct shared *shared;
static struct dump dump;	/* the reader's; there is one at a time */

/* The state of one race; the reader is the sub-test's first thread. */
static atomic_uint reads, depth, started;
static atomic_bool failed, finished;

static inline enum dump_kind take(int fd)
{
	enum dump_kind kind = read_dump(fd, &dump);

	atomic_fetch_add(&shared->reads, 1);
	return kind;
}

static inline const char *kind_text(enum dump_kind kind)
{
	static const char * const texts[] = { "a dump", "an empty file", "ESRCH", "a broken dump" };

	return texts[kind];
}

/* A task that lives and has from `low` to `high` filters. */
static inline bool expect_full(const char *what, enum dump_kind kind, long low, long high)
{
	if (kind != DUMP_FULL) {
		note("%s: expected a dump, got %s", what, kind_text(kind));
		return false;
	}
	if (!expect_number("lines", shared->lines, dump.lines))
		return false;
	if (dump.depth < low || dump.depth > high)
		note("%s: expected %ld to %ld filters, got %ld", what, low, high, dump.depth);
	return dump.depth >= low && dump.depth <= high;
}

/* The same for a task that may be going away. */
static inline bool expect_dying(const char *what, enum dump_kind kind, long low, long high)
{
	if (kind == DUMP_GONE || (kind == DUMP_EMPTY && freed == FREED_AT_EXIT))
		return true;
	return expect_full(what, kind, low, high);
}

/* The same for one that may end, but that nobody reaps. */
static inline bool expect_unreaped(const char *what, enum dump_kind kind, long low, long high)
{
	if (kind == DUMP_EMPTY && freed == FREED_AT_EXIT)
		return true;
	return expect_full(what, kind, low, high);
}

static inline bool expect_zombie(const char *what, enum dump_kind kind, long filters)
{
	if (freed == FREED_AT_EXIT && kind != DUMP_EMPTY)
		note("%s: expected an empty file, got %s", what, kind_text(kind));
	if (freed == FREED_AT_EXIT)
		return kind == DUMP_EMPTY;
	return expect_full(what, kind, filters, filters);
}

static inline bool start_thread(pthread_t *thread, void *(*run)(void *), void *data)
{
	errno = pthread_create(thread, NULL, run, data);
	return set_up("pthread_create", !errno);
}

/* Ends a race: what its other thread says, and what the reader saw. */
static inline bool end_race(pthread_t thread, bool ok)
{
	if (!ok)
		atomic_store(&failed, true);
	/* Nobody waits for a reader that has given up. */
	atomic_fetch_add(&reads, READS_ENOUGH);
	counter_add(&reads);
	pthread_join(thread, NULL);
	return ok && !atomic_load(&failed);
}

static inline bool act_filtered_once(void *data)
{
	(void)data;
	return attach_first();
}

#endif /* LAB_LIFETIME_H */
