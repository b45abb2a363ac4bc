/* SPDX-License-Identifier: GPL-2.0-only */
/* Filters that nobody frees: seen by their programs, which are vmalloc'ed, and by kmemleak. */
#ifndef LAB_LEAK_H
#define LAB_LEAK_H

#include <time.h>

#include "task.h"

#define VMALLOC_FILE	"/proc/vmallocinfo"
#define KMEMLEAK_FILE	"/sys/kernel/debug/kmemleak"

/* Programs are freed behind a grace period and a work item. */
#define FREEING_DEADLINE_S	20

/* On a slow guest that takes some tenths of a second; with KASAN and lockdep perhaps more. */
#define STABLE_MS		1500
#define POLL_MS			10

/* kmemleak does not blame what was allocated in the last 5 seconds. */
#define KMEMLEAK_AGE_S	6

#define LEAK_LINES_MAX	60

static inline time_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Programs that the kernel holds, or -1. */
static inline long count_programs(void)
{
	FILE *file = fopen(VMALLOC_FILE, "re");
	char line[512];
	long count = 0;

	if (!set_up(VMALLOC_FILE, file))
		return -1;
	while (fgets(line, sizeof(line), file))
		if (strstr(line, "bpf_prog_alloc"))
			count++;
	fclose(file);
	return count;
}

static inline bool scan_for_leaks(void)
{
	return write_text(KMEMLEAK_FILE, "scan\n");
}

/*
 * Waits until their number has not changed for a while: what others gave back before may still be
 * on its way. False if they come and go all the time.
 */
static inline bool take_stable_programs(long *programs)
{
	time_t end = seconds_now() + FREEING_DEADLINE_S;
	long count;
	int still = 0;

	*programs = count_programs();
	while (*programs >= 0 && still < STABLE_MS && seconds_now() < end) {
		usleep(POLL_MS * 1000);
		count = count_programs();
		still = count == *programs ? still + POLL_MS : 0;
		*programs = count;
	}
	return *programs >= 0 && require("a stable number of programs", still >= STABLE_MS);
}

/* Waits until the kernel holds `expected` programs and no more. */
static inline bool expect_programs(long expected)
{
	time_t end = seconds_now() + FREEING_DEADLINE_S;
	long count = count_programs();

	while (count > expected && seconds_now() < end && !usleep(POLL_MS * 1000))
		count = count_programs();
	return expect_number("programs that are allocated", expected, count);
}

/* Whether kmemleak knows of nothing; what it knows is noted, as much as there is room for. */
static inline bool expect_no_reports(void)
{
	FILE *file = fopen(KMEMLEAK_FILE, "re");
	char line[256];
	int lines = 0;

	if (!set_up(KMEMLEAK_FILE, file))
		return false;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (lines++ < LEAK_LINES_MAX)
			note("kmemleak: %s", line);
	}
	fclose(file);
	return !lines;
}

/* The first scan only takes checksums: the next one blames what has not changed since. */
static inline bool expect_no_leaks(void)
{
	time_t ripe = seconds_now() + KMEMLEAK_AGE_S;
	time_t now;

	if (!scan_for_leaks())
		return false;
	while ((now = seconds_now()) < ripe)
		sleep(ripe - now);
	return scan_for_leaks() && expect_no_reports();
}

#endif /* LAB_LEAK_H */
