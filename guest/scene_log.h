/* SPDX-License-Identifier: GPL-2.0-only */
/* What seccomp writes to the kernel log: audit records of the type 1326. */
#ifndef LAB_SCENE_LOG_H
#define LAB_SCENE_LOG_H

#include <poll.h>
#include <stdlib.h>

#include "scene.h"

#define LOG_DEADLINE_MS		10000
#define ACTIONS_LOGGED		"/proc/sys/kernel/seccomp/actions_logged"

static inline bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return set_up(path, n > 0);
}

static inline bool logs_action(const char *action)
{
	char text[256], *next = text, *word;

	if (!read_text(ACTIONS_LOGGED, text, sizeof(text)))
		return false;
	while ((word = strsep(&next, "\n ")))
		if (!strcmp(word, action))
			return true;
	note("setup: %s: does not name %s", ACTIONS_LOGGED, action);
	return false;
}

/*
 * The log from here on; without its limit, which other checks may have used up. The limit stays
 * off: what comes after in this guest is better seen as well.
 */
static inline int open_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (set_up("/dev/kmsg", fd >= 0 && !lseek(fd, 0, SEEK_END)) &&
	    write_text("/proc/sys/kernel/printk_ratelimit", "0\n"))
		return fd;
	return -1;
}

/* Of the record in `line`, the number after `name`; -1 if it is not there. */
static inline long number_in(const char *line, const char *name, int base)
{
	const char *at = strstr(line, name);

	return at ? strtol(at + strlen(name), NULL, base) : -1;
}

/*
 * Looks for the first seccomp record of this task, which must be of call `number` and have this
 * code: records come in the order of the calls, so those before it left none.
 */
static inline bool expect_record(int fd, long number, long code)
{
	struct pollfd log = { .fd = fd, .events = POLLIN };
	char line[8192];
	ssize_t n;

	for (;;) {
		n = read(fd, line, sizeof(line) - 1);
		if (n < 0 && errno == EAGAIN) {
			if (poll(&log, 1, LOG_DEADLINE_MS) > 0)
				continue;
			note("no record of call %ld in the kernel log", number);
			return false;
		}
		if (!set_up("reading the kernel log", n > 0))
			return false;
		line[n] = '\0';
		if (strstr(line, "audit: type=1326 ") && number_in(line, " pid=", 10) == getpid())
			return expect_number("call in the record", number,
					     number_in(line, " syscall=", 10)) &&
			       expect_number("code in the record", code,
					     number_in(line, " code=", 16)) &&
			       expect_number("signal in the record", 0,
					     number_in(line, " sig=", 10)) &&
			       expect_number("arch in the record", ARCH_OWN,
					     number_in(line, " arch=", 16) & 0xffffffff);
	}
}

static bool ret_log_is_logged_and_allow_is_not(void)
{
	int fd = open_log();

	return fd >= 0 && logs_action("log") &&
	       set_up("seccomp", !attach_answer(ARCH_OWN, GETUID, SECCOMP_RET_LOG, 0)) &&
	       expect_number("getpid", getpid(), result_of(SYS_getpid)) &&
	       expect_number("getuid", 0, result_of(GETUID)) &&
	       expect_record(fd, GETUID, SECCOMP_RET_LOG);
}

static bool flag_log_logs_errors(void)
{
	int fd = open_log();

	return fd >= 0 && logs_action("errno") && attach_denial(SYS_getppid, DENIED) &&
	       set_up("seccomp with LOG",
		      !attach_answer(ARCH_OWN, GETUID, SECCOMP_RET_ERRNO | DENIED_TOO,
				     SECCOMP_FILTER_FLAG_LOG)) &&
	       expect_denied("getppid", SYS_getppid, DENIED) &&
	       expect_number("getpid", getpid(), result_of(SYS_getpid)) &&
	       expect_denied("getuid", GETUID, DENIED_TOO) &&
	       expect_record(fd, GETUID, SECCOMP_RET_ERRNO);
}

#endif /* LAB_SCENE_LOG_H */
