// SPDX-License-Identifier: GPL-2.0-only
/*
 * What filters do across threads, forks and executions, under a tracer, in strict mode and in the
 * log: with a cache of allowed calls or without one.
 */
#define _GNU_SOURCE
#include "scene.h"
#include "scene_log.h"
#include "scene_trace.h"

static bool tsync_reaches_all_threads(void)
{
	struct thread threads[THREADS];

	if (!start_threads(threads) ||
	    !expect_in_threads(threads, "getppid before", getppid()))
		return false;
	if (!expect_number("seccomp with TSYNC", 0,
			   attach_answer(ARCH_OWN, SYS_getppid, SECCOMP_RET_ERRNO | DENIED,
					 SECCOMP_FILTER_FLAG_TSYNC)))
		return false;
	return expect_denied("getppid", SYS_getppid, DENIED) &&
	       expect_in_threads(threads, "getppid in a thread", -DENIED);
}

static bool failed_tsync_changes_nothing(void)
{
	struct thread threads[THREADS];

	return start_threads(threads) && diverge(&threads[1]) && expect_tsync_fails(&threads[1]) &&
	       expect_number("getppid", getppid(), result_of(SYS_getppid)) &&
	       expect_in_threads(threads, "getppid in a thread", getppid());
}

static bool thread_filter_stays_in_thread(void)
{
	struct thread threads[THREADS];

	return start_threads(threads) && diverge(&threads[0]) &&
	       expect_number("getuid of another thread", 0, result_of(GETUID)) &&
	       expect_number("mode of another thread", SECCOMP_MODE_DISABLED,
			     prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
}

static bool act_denied_twice(void *data)
{
	(void)data;
	return expect_denied("getppid of the child", SYS_getppid, DENIED) &&
	       expect_number("getuid of the child", 0, result_of(GETUID)) &&
	       attach_denial(GETUID, DENIED_TOO) &&
	       expect_denied("getppid under two filters", SYS_getppid, DENIED) &&
	       expect_denied("getuid under two filters", GETUID, DENIED_TOO);
}

static bool child_inherits_and_keeps_its_own(void)
{
	return attach_denial(SYS_getppid, DENIED) && in_task(act_denied_twice, NULL) &&
	       expect_denied("getppid of the parent", SYS_getppid, DENIED) &&
	       expect_number("getuid of the parent", 0, result_of(GETUID));
}

static bool many_filters_keep_the_and(void)
{
	const long first = 1000, count = 64;
	long i;

	for (i = 0; i < count; i++)
		if (!attach_denial(i % 2 ? first + i : SYS_getppid, DENIED + i))
			return false;
	/* Of the filters that deny getppid, the newest one's error counts. */
	for (i = 1; i < count; i += 2)
		if (!expect_denied("a number denied by one filter", first + i, DENIED + i))
			return false;
	return expect_denied("getppid", SYS_getppid, DENIED + count - 2) &&
	       expect_number("getuid", 0, result_of(GETUID)) &&
	       expect_denied("a number that nobody denies", first, NO_SUCH_CALL);
}

/* The exit code of the 32-bit program under a filter that denies a number of an architecture. */
static int exit_of_ia32_program(u32 arch, u32 number)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		int fd = make_ia32_program(getpid());

		if (fd >= 0 && !attach_answer(arch, number, SECCOMP_RET_ERRNO | DENIED, 0))
			execute(fd);
		_exit(1);
	}
	if (!set_up("fork", pid > 0))
		return -1;
	status = wait_for_task(pid);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	note("the 32-bit program ended with status %#x", status);
	return -1;
}

static bool exec_ia32_denied_on_ia32(void)
{
	return expect_number("exit code", DENIED,
			     exit_of_ia32_program(AUDIT_ARCH_I386, IA32_GETPID));
}

static bool exec_ia32_denied_on_x86_64(void)
{
	return expect_number("exit code", EXIT_PID,
			     exit_of_ia32_program(AUDIT_ARCH_X86_64, IA32_GETPID)) &&
	       expect_number("exit code, 64-bit getpid", EXIT_PID,
			     exit_of_ia32_program(AUDIT_ARCH_X86_64, 39));
}

static bool act_strict_write(void *data)
{
	int *ends = data;

	if (!set_up("prctl", !prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0)))
		return false;
	if (write(ends[1], "w", 1) != 1)
		syscall(SYS_exit, 2);
	syscall(SYS_exit, EXIT_PID);
	return false;
}

static bool act_strict_getpid(void *data)
{
	(void)data;
	if (!set_up("prctl", !prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0)))
		return false;
	syscall(SYS_getpid);
	syscall(SYS_exit, 3);
	return false;
}

static int status_of(act_t *act, void *data)
{
	pid_t pid = fork();

	if (!pid)
		_exit(act(data) ? 0 : 1);
	return set_up("fork", pid > 0) ? wait_for_task(pid) : -1;
}

static bool strict_allows_write_and_exit(void)
{
	int ends[2];
	char byte = 0;

	return set_up("pipe", !pipe(ends)) &&
	       expect_number("status", EXIT_PID << 8, status_of(act_strict_write, ends)) &&
	       set_up("read", read(ends[0], &byte, 1) == 1) && expect_number("byte", 'w', byte);
}

static bool strict_kills_getpid(void)
{
	return expect_number("status", SIGKILL, status_of(act_strict_getpid, NULL));
}

#define SUBTEST(name)	{ #name, name }

static const struct subtest subtests[] = {
	SUBTEST(tsync_reaches_all_threads),
	SUBTEST(failed_tsync_changes_nothing),
	SUBTEST(thread_filter_stays_in_thread),
	SUBTEST(child_inherits_and_keeps_its_own),
	SUBTEST(many_filters_keep_the_and),
	SUBTEST(tracer_changes_allowed_to_denied),
	SUBTEST(tracer_changes_denied_to_allowed),
	SUBTEST(trace_changed_to_denied),
	SUBTEST(trace_changed_to_allowed),
	SUBTEST(trace_unchanged),
	SUBTEST(trace_skipped),
	SUBTEST(strict_allows_write_and_exit),
	SUBTEST(strict_kills_getpid),
	SUBTEST(ret_log_is_logged_and_allow_is_not),
	SUBTEST(flag_log_logs_errors),
	/* From here on only where the kernel runs 32-bit programs. */
	SUBTEST(exec_ia32_denied_on_ia32),
	SUBTEST(exec_ia32_denied_on_x86_64),
};

#define SUBTESTS_IA32	2

int main(int argc, char **argv)
{
	return run_scenes(argc, argv, subtests, ARRAY_SIZE(subtests), SUBTESTS_IA32);
}
