/* SPDX-License-Identifier: GPL-2.0-only */
/* A tracer that changes the number of a call: filters must see the changed one. */
#ifndef LAB_SCENE_TRACE_H
#define LAB_SCENE_TRACE_H

#include "scene.h"

#define EXIT_ZERO	201

#ifdef __x86_64__
#define NUMBER_OFFSET	offsetof(struct user, regs.orig_rax)
#else
#define NUMBER_OFFSET	offsetof(struct user, regs.orig_eax)
#endif

struct change {
	long from;		/* the call that the task makes */
	long to;		/* what the tracer makes of it */
	u32 answer;		/* of the filter to getpid; getppid is denied */
	int options;
	int stop;		/* the stop at which the number is changed, as in a wait status */
};

static inline __noreturn void be_traced(const struct change *change)
{
	/* Asked now: later the tracer or a filter would have a say in it. */
	pid_t pid = getpid();
	long result;

	if (change->answer != SECCOMP_RET_ALLOW &&
	    !set_up("seccomp", !attach_answer(ARCH_OWN, SYS_getpid, change->answer, 0)))
		_exit(1);
	if (!attach_denial(SYS_getppid, DENIED) ||
	    !set_up("PTRACE_TRACEME", !ptrace(PTRACE_TRACEME, 0, NULL, NULL)))
		_exit(1);
	kill(pid, SIGSTOP);
	result = result_of(change->from);
	if (!result)
		_exit(EXIT_ZERO);
	if (result < 0)
		_exit(-result);
	_exit(result == pid ? EXIT_PID : 1);
}

/* Runs the task to the stop at which it makes its call, and changes the number. */
static inline bool change_number(pid_t pid, const struct change *change)
{
	int request = change->options & PTRACE_O_TRACESYSGOOD ? PTRACE_SYSCALL : PTRACE_CONT;
	int status = wait_for_task(pid);
	long number = -1;

	if (!require("the task stops by itself", WIFSTOPPED(status)) ||
	    !set_up("PTRACE_SETOPTIONS", !ptrace(PTRACE_SETOPTIONS, pid, NULL,
						 change->options | PTRACE_O_EXITKILL)))
		return false;
	while (number != change->from) {
		if (!set_up("PTRACE_SYSCALL", !ptrace(request, pid, NULL, NULL)))
			return false;
		status = wait_for_task(pid);
		if (!WIFSTOPPED(status) || status >> 8 != change->stop) {
			note("expected a stop %#x before the call, got status %#x", change->stop,
			     status);
			return false;
		}
		errno = 0;
		number = ptrace(PTRACE_PEEKUSER, pid, NUMBER_OFFSET, NULL);
	}
	return set_up("PTRACE_POKEUSER",
		      !ptrace(PTRACE_POKEUSER, pid, NUMBER_OFFSET, change->to)) &&
	       set_up("PTRACE_CONT", !ptrace(PTRACE_CONT, pid, NULL, NULL));
}

static inline bool expect_changed(const struct change *change, int code)
{
	pid_t pid = fork();
	bool ok;

	if (!pid)
		be_traced(change);
	if (!set_up("fork", pid > 0))
		return false;
	ok = change_number(pid, change) && expect_number("status", code << 8, wait_for_task(pid));
	if (!ok)
		kill(pid, SIGKILL);
	return ok;
}

#define STOP_ENTRY	.options = PTRACE_O_TRACESYSGOOD, .stop = SIGTRAP | 0x80
#define STOP_SECCOMP	.options = PTRACE_O_TRACESECCOMP, \
			.stop = SIGTRAP | PTRACE_EVENT_SECCOMP << 8

static bool tracer_changes_allowed_to_denied(void)
{
	const struct change change = { SYS_getpid, SYS_getppid, SECCOMP_RET_ALLOW, STOP_ENTRY };

	return expect_changed(&change, DENIED);
}

static bool tracer_changes_denied_to_allowed(void)
{
	const struct change change = { SYS_getppid, SYS_getpid, SECCOMP_RET_ALLOW, STOP_ENTRY };

	return expect_changed(&change, EXIT_PID);
}

static bool trace_changed_to_denied(void)
{
	const struct change change = { SYS_getpid, SYS_getppid, SECCOMP_RET_TRACE, STOP_SECCOMP };

	return expect_changed(&change, DENIED);
}

static bool trace_changed_to_allowed(void)
{
	const struct change change = { SYS_getpid, GETUID, SECCOMP_RET_TRACE, STOP_SECCOMP };

	return expect_changed(&change, EXIT_ZERO);
}

/* The second look answers TRACE again, which then lets the call through. */
static bool trace_unchanged(void)
{
	const struct change change = { SYS_getpid, SYS_getpid, SECCOMP_RET_TRACE, STOP_SECCOMP };

	return expect_changed(&change, EXIT_PID);
}

/* The number -1 skips the call, whose result is then what the tracer left: ENOSYS. */
static bool trace_skipped(void)
{
	const struct change change = { SYS_getpid, -1, SECCOMP_RET_TRACE, STOP_SECCOMP };

	return expect_changed(&change, NO_SUCH_CALL);
}

#endif /* LAB_SCENE_TRACE_H */
