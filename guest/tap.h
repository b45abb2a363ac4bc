/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sub-tests that print KTAP. Each runs in a process of its own, as root, so that it may give up
 * what it likes; notes, from it or its children, become diagnostics of its line.
 */
#ifndef LAB_TAP_H
#define LAB_TAP_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"

#define TAP_NOTES_SIZE	8192
#ifndef TAP_DEADLINE_S
#define TAP_DEADLINE_S	20
#endif

struct subtest {
	const char *name;
	bool (*run)(void);
};

static char *tap_notes;	/* shared by all processes of the sub-test */

static inline __printf(1, 2) void note(const char *format, ...)
{
	size_t used = strlen(tap_notes);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(tap_notes + used, TAP_NOTES_SIZE - used, format, arguments);
	va_end(arguments);
	used = strlen(tap_notes);
	if (used + 1 < TAP_NOTES_SIZE)
		strcpy(tap_notes + used, "\n");
}

static inline bool expect_number(const char *what, long long expected, long long got)
{
	if (expected != got)
		note("%s: expected %lld, got %lld", what, expected, got);
	return expected == got;
}

static inline const char *error_text(int error)
{
	return error ? strerror(error) : "success";
}

static inline bool expect_error(const char *what, int expected, int got)
{
	if (expected != got)
		note("%s: expected %d (%s), got %d (%s)", what, expected, error_text(expected),
		     got, error_text(got));
	return expected == got;
}

/* For a step that has to work before there is anything to test: notes why it did not. */
static inline bool set_up(const char *what, bool works)
{
	if (!works)
		note("setup: %s: %s", what, error_text(errno));
	return works;
}

/* For a state that has to hold before there is anything to test. */
static inline bool require(const char *what, bool holds)
{
	if (!holds)
		note("setup: %s: required, not so", what);
	return holds;
}

static inline bool tap_run_one(const struct subtest *test)
{
	int status = 0;
	pid_t pid;

	tap_notes[0] = '\0';
	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(TAP_DEADLINE_S);
		_exit(test->run() ? 0 : 1);
	}
	if (pid < 0) {
		note("setup: fork: %s", strerror(errno));
		return false;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		note("the sub-test died of signal %d (%s)", WTERMSIG(status),
		     strsignal(WTERMSIG(status)));
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* For programs that prepare something before their sub-tests: makes notes possible. */
static inline bool tap_begin(void)
{
	if (tap_notes)
		return true;
	tap_notes = mmap(NULL, TAP_NOTES_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	if (tap_notes != MAP_FAILED)
		return true;
	tap_notes = NULL;
	return false;
}

/* Gives up before the first sub-test, with what was noted. */
static inline int tap_bail_out(void)
{
	if (tap_notes)
		tap_notes[strcspn(tap_notes, "\n")] = '\0';
	printf("Bail out! %s\n", tap_notes ? tap_notes : strerror(errno));
	return 1;
}

static inline int tap_run(const struct subtest *tests, size_t count)
{
	char *line, *next;
	bool ok, all = true;
	size_t i;

	if (!tap_begin())
		return tap_bail_out();
	printf("TAP version 13\n1..%zu\n", count);
	for (i = 0; i < count; i++) {
		ok = tap_run_one(&tests[i]);
		all = all && ok;
		next = tap_notes;
		while ((line = strsep(&next, "\n")))
			if (*line)
				printf("# %s\n", line);
		printf("%s %zu %s\n", ok ? "ok" : "not ok", i + 1, tests[i].name);
	}
	fflush(stdout);
	return all ? 0 : 1;
}

#endif /* LAB_TAP_H */
