/* SPDX-License-Identifier: GPL-2.0-only */
/* Two threads on two CPUs that are to meet: counters to wait for, and starts that are moved. */
#ifndef LAB_RACE_H
#define LAB_RACE_H

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>

#include "task.h"

/* Counters only grow. */

static inline void counter_add(atomic_uint *counter)
{
	atomic_fetch_add(counter, 1);
	syscall(SYS_futex, counter, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static inline void counter_wait(atomic_uint *counter, u32 value)
{
	u32 now;

	while ((now = atomic_load(counter)) < value)
		syscall(SYS_futex, counter, FUTEX_WAIT, now, NULL, NULL, 0);
}

static inline void stay_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	set_up("sched_setaffinity", !sched_setaffinity(0, sizeof(set), &set));
}

/*
 * Two actions of which now one, now the other comes first. `lead` is how long the first one is held
 * back, in turns of a loop; it is moved towards the point at which the order changes, and then to
 * and fro around it, where the two meet.
 */
struct meeting {
	atomic_uint here;
	int lead;
	int step;
	int streak;
	bool was_in_time;
};

#define MEETING_STEP_MAX	(1024 * 1024)
#define MEETING_STEP_MIN	16
#define MEETING_LEAD_MAX	(8 * MEETING_STEP_MAX)	/* some milliseconds, emulated */
#define MEETING_STREAK		4

/* Waits for the other side without sleeping: waking up would take longer than what is raced for. */
static inline void meet(struct meeting *meeting, u32 round, bool is_first)
{
	int turns = is_first ? meeting->lead : -meeting->lead;
	u32 both = 2 * round + 2;

	atomic_fetch_add(&meeting->here, 1);
	while (atomic_load(&meeting->here) < both)
		;
	while (turns-- > 0)
		atomic_load(&meeting->here);
}

/*
 * After a round: the first action was in time, or too late. Where the order changes, steps become
 * smaller; where it stays for long, larger, since a busy host can slow down one of two CPUs.
 */
static inline void move_meeting(struct meeting *meeting, bool in_time)
{
	bool turned = in_time != meeting->was_in_time;

	meeting->was_in_time = in_time;
	meeting->streak = turned ? 0 : meeting->streak + 1;
	if (turned && meeting->step > MEETING_STEP_MIN)
		meeting->step /= 2;
	if (meeting->streak >= MEETING_STREAK && meeting->step < MEETING_STEP_MAX)
		meeting->step *= 2;
	meeting->lead += in_time ? meeting->step : -meeting->step;
	if (meeting->lead > MEETING_LEAD_MAX)
		meeting->lead = MEETING_LEAD_MAX;
	if (meeting->lead < -MEETING_LEAD_MAX)
		meeting->lead = -MEETING_LEAD_MAX;
}

#endif /* LAB_RACE_H */
