/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attaches a chain of filters to a task of its own.
 *
 * A filter may forbid everything, so the task makes no system call under its last filter: it runs
 * into a breakpoint, which its tracer sees, and stands there until it is killed. That is the only
 * stop of a chain; the task shares its memory with the tracer, and leaves its results there.
 */
#ifndef LAB_CACHE_CHAIN_H
#define LAB_CACHE_CHAIN_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire.h"

#define FILTERS_MAX		8192	/* the kernel takes 32768 instructions, and 4 per filter */
#define STACK_BYTES		16384

struct chain {
	u32 id;
	u32 count;
	struct sock_fprog filters[FILTERS_MAX];
};

/* What came of attaching; `task` is 0 if it is no more. */
struct attached {
	pid_t task;
	bool refused;
	u32 filter;		/* the one that was refused */
	u32 error;		/* of that filter, or of this program if there is no task */
};

/* Shared with the task. */
struct progress {
	const struct chain *chain;
	u32 count;		/* filters to attach */
	u32 done;		/* filters whose call returned 0 */
	long value;		/* of the last call */
	long trace_error;
};

static struct progress progress;

/*
 * To be called once. A task that a filter kills dumps core, and before that the kernel kills all
 * that share its memory: so there must be nothing to dump.
 */
static void prepare_chains(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fail("no_new_privs cannot be set");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		fail("core dumps cannot be switched off");
}

/* Without errno, which belongs to the tracer. */
static inline long raw_call(long number, long first, long second, long third)
{
	long value;

#ifdef __x86_64__
	register long fourth asm("r10") = 0;

	asm volatile ("syscall" : "=a" (value)
		      : "0" (number), "D" (first), "S" (second), "d" (third), "r" (fourth)
		      : "rcx", "r11", "memory");
#else
	asm volatile ("int $0x80" : "=a" (value)
		      : "0" (number), "b" (first), "c" (second), "d" (third), "S" (0)
		      : "memory");
#endif
	return value;
}

static __noreturn int be_task(void *unused)
{
	(void)unused;
	progress.trace_error = raw_call(SYS_ptrace, PTRACE_TRACEME, 0, 0);
	if (progress.trace_error)
		raw_call(SYS_exit_group, 1, 0, 0);
	while (progress.done < progress.count) {
		progress.value = raw_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0,
					  (long)&progress.chain->filters[progress.done]);
		if (progress.value)
			break;
		progress.done++;
	}
	for (;;)
		asm volatile ("int3" : : : "memory");
}

static int wait_for(pid_t task)
{
	int status;

	while (waitpid(task, &status, 0) != task)
		if (errno != EINTR)
			fail("the task cannot be waited for");
	return status;
}

static void end_task(pid_t task)
{
	if (!task)
		return;
	kill(task, SIGKILL);
	if (WIFSTOPPED(wait_for(task)))
		fail("the task does not die");
}

/* Attaches the first `count` filters, and believes what the calls return. */
static struct attached attach_some(const struct chain *chain, u32 count)
{
	static u64 stack[STACK_BYTES / sizeof(u64)];	/* clone() aligns it */
	struct attached attached = { .refused = false };
	int status;

	progress.chain = chain;
	progress.count = count;
	progress.done = 0;
	progress.value = 0;
	attached.task = clone(be_task, stack + ARRAY_SIZE(stack),
			      CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, NULL);
	if (attached.task < 0) {
		attached.error = errno;
		attached.task = 0;
		return attached;
	}
	status = wait_for(attached.task);
	if (progress.trace_error) {
		attached.error = -progress.trace_error;
		attached.task = 0;
		return attached;
	}
	attached.filter = progress.done;
	attached.refused = true;
	if (!WIFSTOPPED(status)) {
		attached.error = ECHILD;
		attached.task = 0;
	} else if (WSTOPSIG(status) != SIGTRAP || progress.value > 0) {
		attached.error = EINTR;
	} else {
		attached.error = -progress.value;
		attached.refused = progress.done < count;
	}
	return attached;
}

/* How many filters the kernel says the task has; `expected` if it does not say. */
static u32 count_in_status(pid_t task, u32 expected)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", task);
	file = fopen(path, "re");
	if (!file)
		return expected;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Seccomp_filters: %u", &expected) == 1)
			break;
	fclose(file);
	return expected;
}

/* Whether the task has as many filters as were attached; not every kernel gives a filter out. */
static bool has_filters(pid_t task, u32 count)
{
	if (ptrace(PTRACE_SECCOMP_GET_FILTER, task, (void *)(long)(count - 1), NULL) > 0)
		return true;
	return errno != ENOENT && count_in_status(task, count) == count;
}

/* Whether none of the first `count` filters was attached in pretence only. */
static bool is_honest(const struct chain *chain, u32 count)
{
	struct attached attached = attach_some(chain, count);
	bool honest;

	honest = attached.task && !attached.refused && has_filters(attached.task, count);
	end_task(attached.task);
	return honest;
}

/*
 * A filter can make the next seccomp() return 0 without doing anything. Then that one is the
 * refused filter, whatever followed: the first one with which the count of filters is short.
 */
static void find_pretence(const struct chain *chain, struct attached *attached)
{
	u32 honest = 1, pretended = attached->filter, middle;

	while (pretended - honest > 1) {
		middle = honest + (pretended - honest) / 2;
		if (is_honest(chain, middle))
			honest = middle;
		else
			pretended = middle;
	}
	attached->refused = true;
	attached->filter = pretended - 1;
	attached->error = 0;
}

/* Attaches a chain. Nothing can pretend that the first filter was attached. */
static struct attached attach(const struct chain *chain)
{
	struct attached attached = attach_some(chain, chain->count);
	u32 done = attached.filter;
	bool honest;

	if (done < 2)
		return attached;
	honest = attached.task ? has_filters(attached.task, done) : is_honest(chain, done);
	if (honest)
		return attached;
	end_task(attached.task);
	attached.task = 0;
	find_pretence(chain, &attached);
	return attached;
}

#endif /* LAB_CACHE_CHAIN_H */
