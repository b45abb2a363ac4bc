// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /proc/<pid>/seccomp_cache shows across threads, forks, executions and in strict mode, beside
 * what the filters do (scenes.c).
 */
#define _GNU_SOURCE
#include "cache_file.h"
#include "scene.h"

struct dumps {
	struct reading *of[THREADS];
};

static void take_of(struct reading *reading, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/seccomp_cache", tid, tid);
	take_into(reading, path);
}

static void take_thread(struct reading *reading, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/seccomp_cache", tid);
	take_into(reading, path);
}

static bool expect_empty(const char *what, const struct reading *reading)
{
	return expect_readable(reading, what) && expect_number(what, 0, reading->length);
}

/* The line of a number of this program's architecture. */
static bool expect_line(struct reading *reading, u32 number, const char *word)
{
	char line[64];

	snprintf(line, sizeof(line), "%s %u %s\n", NAME_OWN, number, word);
	reading->text[reading->length < READING_MAX ? reading->length : READING_MAX - 1] = '\0';
	if (strstr(reading->text, line))
		return true;
	note("expected a line `%.*s`", (int)strlen(line) - 1, line);
	return false;
}

static bool take_threads(struct thread *threads, struct dumps *dumps)
{
	size_t i;

	for (i = 0; i < THREADS; i++) {
		dumps->of[i] = new_reading();
		if (!dumps->of[i])
			return false;
		take_thread(dumps->of[i], threads[i].tid);
	}
	return true;
}

static bool tsync_makes_all_dumps_equal(void)
{
	struct reading *own = new_reading();
	struct thread threads[THREADS];
	struct dumps before, after;
	size_t i;

	if (!own || !start_threads(threads) || !take_threads(threads, &before) ||
	    !expect_number("seccomp with TSYNC", 0,
			   attach_answer(ARCH_OWN, SYS_getppid, SECCOMP_RET_ERRNO | DENIED,
					 SECCOMP_FILTER_FLAG_TSYNC)) ||
	    !take_threads(threads, &after))
		return false;
	take_into(own, OWN_FILE);
	if (!expect_lines(own) || !expect_line(own, SYS_getppid, "FILTER") ||
	    !expect_line(own, GETUID, "ALLOW"))
		return false;
	for (i = 0; i < THREADS; i++)
		if (!expect_empty("a thread before", before.of[i]) ||
		    !expect_same("a thread afterwards", own, after.of[i]))
			return false;
	return true;
}

static bool tsync_keeps_older_denials(void)
{
	struct reading *own = new_reading();
	struct thread threads[THREADS];

	if (!own ||
	    !expect_number("an older filter", 0,
			   attach_answer(ARCH_OWN, SYS_getpgrp, SECCOMP_RET_ERRNO | DENIED, 0)) ||
	    !start_threads(threads) ||
	    !expect_number("seccomp with TSYNC", 0,
			   attach_answer(ARCH_OWN, SYS_getppid, SECCOMP_RET_ERRNO | DENIED,
					 SECCOMP_FILTER_FLAG_TSYNC)))
		return false;
	take_into(own, OWN_FILE);
	return expect_lines(own) && expect_line(own, SYS_getpgrp, "FILTER") &&
	       expect_line(own, SYS_getppid, "FILTER") && expect_line(own, GETUID, "ALLOW");
}

static bool failed_tsync_changes_no_dump(void)
{
	struct reading *own = new_reading(), *later = new_reading();
	struct thread threads[THREADS];
	struct dumps before, after;

	if (!own || !later || !start_threads(threads) || !attach_filter() ||
	    !diverge(&threads[1]) || !take_threads(threads, &before))
		return false;
	take_into(own, OWN_FILE);
	if (!expect_tsync_fails(&threads[1]) || !take_threads(threads, &after))
		return false;
	take_into(later, OWN_FILE);
	return expect_lines(own) && expect_same("the caller", own, later) &&
	       expect_line(before.of[1], GETUID, "FILTER") &&
	       expect_same("the thread in the way", before.of[1], after.of[1]) &&
	       expect_empty("a thread before", before.of[0]) &&
	       expect_empty("a thread afterwards", after.of[0]);
}

static bool thread_filter_changes_no_other_dump(void)
{
	struct reading *own = new_reading();
	struct thread threads[THREADS];
	struct dumps dumps;

	if (!own || !start_threads(threads) || !diverge(&threads[1]) ||
	    !take_threads(threads, &dumps))
		return false;
	take_into(own, OWN_FILE);
	return expect_empty("the first thread", own) &&
	       expect_empty("another thread", dumps.of[0]) && expect_lines(dumps.of[1]) &&
	       expect_line(dumps.of[1], GETUID, "FILTER");
}

static bool act_take_own(void *data)
{
	take_into(data, OWN_FILE);
	return true;
}

static bool act_deny_getuid_and_take(void *data)
{
	if (!attach_denial(GETUID, DENIED_TOO))
		return false;
	take_into(data, OWN_FILE);
	return true;
}

static bool child_inherits_the_dump(void)
{
	struct reading *own = new_reading(), *child = new_reading();

	if (!own || !child || !attach_denial(SYS_getppid, DENIED))
		return false;
	take_into(own, OWN_FILE);
	return expect_lines(own) && in_task(act_take_own, child) &&
	       expect_same("the child", own, child);
}

static bool child_filter_keeps_the_dump_of_its_parent(void)
{
	struct reading *own = new_reading(), *later = new_reading(), *child = new_reading();

	if (!own || !later || !child || !attach_denial(SYS_getppid, DENIED))
		return false;
	take_into(own, OWN_FILE);
	if (!expect_lines(own) || !in_task(act_deny_getuid_and_take, child))
		return false;
	take_into(later, OWN_FILE);
	return expect_line(child, GETUID, "FILTER") && expect_line(child, SYS_getppid, "FILTER") &&
	       expect_line(own, GETUID, "ALLOW") && expect_same("the parent", own, later);
}

static bool parent_filter_keeps_the_dump_of_a_child(void)
{
	struct reading *before = new_reading(), *after = new_reading(), *own = new_reading();
	pid_t task;
	bool ok;

	if (!before || !after || !own || !attach_denial(SYS_getppid, DENIED))
		return false;
	task = hold_task(act_take_own, before, 0);
	if (!task)
		return false;
	ok = attach_denial(GETUID, DENIED_TOO);
	take_of(after, task);
	take_into(own, OWN_FILE);
	end_task(task);
	return ok && expect_line(own, GETUID, "FILTER") && expect_line(before, GETUID, "ALLOW") &&
	       expect_same("the child", before, after);
}

static bool many_filters_and_the_dump(void)
{
	struct reading *own = new_reading();
	const u32 first = 200, count = 40;
	u32 i;

	/* Attaching needs prctl() and seccomp(), the end close() and more: none of them is here. */
	for (i = 0; i < count; i++)
		if (!attach_denial(first + i, DENIED))
			return false;
	if (!own)
		return false;
	take_into(own, OWN_FILE);
	if (!expect_lines(own) || !expect_line(own, first - 1, "ALLOW") ||
	    !expect_line(own, first + count, "ALLOW"))
		return false;
	for (i = 0; i < count; i++)
		if (!expect_line(own, first + i, "FILTER"))
			return false;
	return true;
}

static bool act_strict_wait(void *data)
{
	int *ends = data;
	char byte;

	if (!set_up("prctl", !prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0)))
		return false;
	if (write(ends[1], "w", 1) != 1 || read(ends[2], &byte, 1) != 1)
		syscall(SYS_exit, 1);
	syscall(SYS_exit, 0);
	return false;
}

static bool strict_task_is_empty(void)
{
	struct reading *file = new_reading();
	int ends[4];
	char byte;
	pid_t pid;
	bool ok;

	if (!file || !set_up("pipe", !pipe(ends) && !pipe(ends + 2)))
		return false;
	pid = fork();
	if (!pid)
		_exit(act_strict_wait(ends) ? 0 : 1);
	ok = set_up("fork", pid > 0) && set_up("read", read(ends[0], &byte, 1) == 1);
	take_of(file, pid);
	end_task(pid);
	return ok && expect_empty("a task in strict mode", file);
}

/* Before it executes, and at the stop right after. */
static bool exec_ia32_keeps_the_dump(void)
{
	struct reading *before = new_reading(), *after = new_reading();
	int status;
	pid_t pid;
	bool ok;

	if (!before || !after)
		return false;
	pid = fork();
	if (!pid) {
		int fd = make_ia32_program(getpid());

		if (fd < 0 || !attach_denial(SYS_getppid, DENIED))
			_exit(1);
		take_into(before, OWN_FILE);
		if (set_up("PTRACE_TRACEME", !ptrace(PTRACE_TRACEME, 0, NULL, NULL)))
			execute(fd);
		_exit(1);
	}
	if (!set_up("fork", pid > 0))
		return false;
	status = wait_for_task(pid);
	ok = require("the program stops at its start", WIFSTOPPED(status));
	take_of(after, pid);
	kill(pid, SIGKILL);
	return ok && expect_lines(before) && expect_same("the 32-bit program", before, after);
}

#define SUBTEST(name)	{ #name, name }

static const struct subtest subtests[] = {
	SUBTEST(tsync_makes_all_dumps_equal),
	SUBTEST(tsync_keeps_older_denials),
	SUBTEST(failed_tsync_changes_no_dump),
	SUBTEST(thread_filter_changes_no_other_dump),
	SUBTEST(child_inherits_the_dump),
	SUBTEST(child_filter_keeps_the_dump_of_its_parent),
	SUBTEST(parent_filter_keeps_the_dump_of_a_child),
	SUBTEST(many_filters_and_the_dump),
	SUBTEST(strict_task_is_empty),
	/* From here on only where the kernel runs 32-bit programs. */
	SUBTEST(exec_ia32_keeps_the_dump),
};

#define SUBTESTS_IA32	1

int main(int argc, char **argv)
{
	return run_scenes(argc, argv, subtests, ARRAY_SIZE(subtests), SUBTESTS_IA32);
}
