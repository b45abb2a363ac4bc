/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A task that makes the system calls that it is told to make, and what came of them. It stands at
 * a breakpoint. For a call its registers are set, and the breakpoint behind the call stops it
 * again; it needs no call of its own for that, and system calls are not traced.
 */
#ifndef LAB_CALL_TASK_H
#define LAB_CALL_TASK_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire.h"

#define CALL_DEADLINE_S		5

/* Where the two instructions are; calls.rs has the same numbers. */
#define CODE			0x10000000UL
#define CODE_SIZE		4096
#define CODE_SYSCALL		CODE
#define CODE_INT80		(CODE + 16)

#define BREAKPOINT		0xcc

enum entry {
	ENTRY_SYSCALL	= 0,
	ENTRY_INT80	= 1,
};

#ifdef __x86_64__
#define ENTRY_OWN		ENTRY_SYSCALL
#define BITS			64
#else
#define ENTRY_OWN		ENTRY_INT80
#define BITS			32
#endif

enum kind {
	KIND_RETURNED	= 0,	/* value */
	KIND_KILLED	= 1,	/* signal */
	KIND_TRAPPED	= 2,	/* signal; of SIGSYS all the rest, value is the address */
	KIND_EXITED	= 3,	/* value is the exit code */
	KIND_HUNG	= 4,	/* longer than CALL_DEADLINE_S */
};

struct call {
	u32 entry;
	u32 number;
	u64 arguments[6];
};

struct outcome {
	u32 kind;
	u32 signal;
	s64 value;
	u32 pid;		/* of the task that made the call */
	u32 parent;		/* and of its parent */
	u32 trap_number;
	u32 trap_arch;
	u32 trap_errno;
	u32 trap_code;
};

static inline void map_code(void)
{
	static const u8 by_syscall[] = { 0x0f, 0x05 }, by_int80[] = { 0xcd, 0x80 };
	void *code = mmap((void *)CODE, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (code != (void *)CODE)
		fail("the page for the instructions cannot be mapped");
	memset(code, BREAKPOINT, CODE_SIZE);
	memcpy((void *)CODE_SYSCALL, by_syscall, sizeof(by_syscall));
	memcpy((void *)CODE_INT80, by_int80, sizeof(by_int80));
}

static inline __noreturn void be_task(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(errno);
	for (;;)
		asm volatile("int3");
}

static inline void on_alarm(int number)
{
	(void)number;
}

/* Waits for the task to stop or to end; false if it does neither in time. */
static inline bool wait_for(pid_t task, int *wait_status)
{
	pid_t pid;

	alarm(CALL_DEADLINE_S);
	pid = waitpid(task, wait_status, 0);
	alarm(0);
	if (pid < 0 && errno != EINTR)
		fail("the task cannot be waited for");
	return pid == task;
}

static inline void end_task(pid_t task)
{
	int wait_status;

	if (!task)
		return;
	kill(task, SIGKILL);
	while (waitpid(task, &wait_status, 0) < 0 && errno == EINTR)
		;
}

static inline void get_registers(pid_t task, struct user_regs_struct *registers)
{
	if (ptrace(PTRACE_GETREGS, task, NULL, registers))
		fail("the registers of the task cannot be read");
}

/* Arguments of `int $0x80` are 32 bits wide. No call is under way, hence no number in orig_*. */
static inline void set_registers(struct user_regs_struct *registers, const struct call *call)
{
	const u64 *arguments = call->arguments;

#ifdef __x86_64__
	registers->orig_rax = -1;
	registers->rax = (s64)(s32)call->number;
	if (call->entry == ENTRY_SYSCALL) {
		registers->rip = CODE_SYSCALL;
		registers->rdi = arguments[0];
		registers->rsi = arguments[1];
		registers->rdx = arguments[2];
		registers->r10 = arguments[3];
		registers->r8 = arguments[4];
		registers->r9 = arguments[5];
		return;
	}
	registers->rip = CODE_INT80;
	registers->rbx = (u32)arguments[0];
	registers->rcx = (u32)arguments[1];
	registers->rdx = (u32)arguments[2];
	registers->rsi = (u32)arguments[3];
	registers->rdi = (u32)arguments[4];
	registers->rbp = (u32)arguments[5];
#else
	registers->orig_eax = -1;
	registers->eax = call->number;
	registers->eip = CODE_INT80;
	registers->ebx = arguments[0];
	registers->ecx = arguments[1];
	registers->edx = arguments[2];
	registers->esi = arguments[3];
	registers->edi = arguments[4];
	registers->ebp = arguments[5];
#endif
}

/* What stands where the result of a call is; of `int $0x80` only the low half counts. */
static inline s64 result_of(const struct user_regs_struct *registers, const struct call *call)
{
#ifdef __x86_64__
	return call->entry == ENTRY_SYSCALL ? (s64)registers->rax : (s32)registers->rax;
#else
	(void)call;
	return registers->eax;
#endif
}

static inline void see_signal(pid_t task, struct outcome *outcome)
{
	siginfo_t info;

	outcome->kind = KIND_TRAPPED;
	if (ptrace(PTRACE_GETSIGINFO, task, NULL, &info))
		fail("the signal of the task cannot be read");
	if (info.si_signo != SIGSYS)
		return;
	outcome->value = (unsigned long)info.si_call_addr;
	outcome->trap_number = info.si_syscall;
	outcome->trap_arch = info.si_arch;
	outcome->trap_errno = info.si_errno;
	outcome->trap_code = info.si_code;
}

/* Makes one call in the task; false if the task cannot be used any more. */
static inline bool issue(pid_t task, const struct call *call, struct outcome *outcome)
{
	struct user_regs_struct registers;
	int wait_status;

	memset(outcome, 0, sizeof(*outcome));
	outcome->pid = task;
	outcome->parent = getpid();
	get_registers(task, &registers);
	set_registers(&registers, call);
	if (ptrace(PTRACE_SETREGS, task, NULL, &registers) || ptrace(PTRACE_CONT, task, NULL, NULL))
		fail("the task cannot be set going");
	if (!wait_for(task, &wait_status)) {
		outcome->kind = KIND_HUNG;
		return false;
	}
	if (WIFSIGNALED(wait_status)) {
		outcome->kind = KIND_KILLED;
		outcome->signal = WTERMSIG(wait_status);
		return false;
	}
	if (WIFEXITED(wait_status)) {
		outcome->kind = KIND_EXITED;
		outcome->value = WEXITSTATUS(wait_status);
		return false;
	}
	outcome->signal = WSTOPSIG(wait_status);
	if (outcome->signal != SIGTRAP) {
		see_signal(task, outcome);
		return outcome->signal == SIGSYS;
	}
	get_registers(task, &registers);
	outcome->signal = 0;
	outcome->value = result_of(&registers, call);
	return true;
}

#endif /* LAB_CALL_TASK_H */
