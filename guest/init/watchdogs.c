// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's watchdogs. A kernel without one of them lacks its file: then it is not set. */
#include <stdio.h>

#include "setup.h"
#include "watchdogs.h"

#define BOOT_MS		2500	/* a boot that takes no longer is a usual one */
#define HUNG_CHECK_S	2

/* In seconds, for a usual boot. The host sets the first two at boot: xtask/src/vm/watchdogs.rs. */
#define RCU_S		8
#define LOCKUP_S	5	/* it speaks after twice that time, and a fifth more */
#define HUNG_S		16
#define ALL_S		20	/* by then all three have spoken */

static void set(const char *path, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u\n", value);
	write_file(path, text);
}

void watchdogs_set(const struct job *job, u64 boot_ms)
{
	u64 factor = (boot_ms + BOOT_MS - 1) / BOOT_MS, check_max = 0;
	size_t i;

	for (i = 0; i < job->count; i++)
		if (!check_max || job->checks[i].deadline_ms < check_max)
			check_max = job->checks[i].deadline_ms;
	if (factor > check_max / (ALL_S * 1000))
		factor = check_max / (ALL_S * 1000);
	if (!factor)
		factor = 1;
	set("/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout", RCU_S * factor);
	set("/proc/sys/kernel/watchdog_thresh", LOCKUP_S * factor);
	set("/proc/sys/kernel/hung_task_check_interval_secs", HUNG_CHECK_S * factor);
	set("/proc/sys/kernel/hung_task_timeout_secs", HUNG_S * factor);
}
