/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks to look at, and tasks of another identity to look through; needs tap.h for its notes. */
#ifndef LAB_TASK_H
#define LAB_TASK_H

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tap.h"

#define USER		1000
#define READING_MAX	(256 * 1024)

/* What came of opening and reading a file; in memory that all processes of a sub-test share. */
struct reading {
	int open_error;
	int read_error;
	int fd;
	size_t length;
	char text[READING_MAX];
};

static inline struct reading *new_reading(void)
{
	struct reading *reading = mmap(NULL, sizeof(*reading), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return set_up("mmap", reading != MAP_FAILED) ? reading : NULL;
}

static inline void open_into(struct reading *reading, const char *path)
{
	reading->fd = open(path, O_RDONLY | O_CLOEXEC);
	reading->open_error = reading->fd < 0 ? errno : 0;
}

/* Reads to the end of the file, at most `step` bytes at a time. */
static inline void read_into(struct reading *reading, size_t step)
{
	size_t left;
	ssize_t n;

	reading->length = 0;
	reading->read_error = 0;
	do {
		left = READING_MAX - reading->length;
		n = read(reading->fd, reading->text + reading->length, left < step ? left : step);
		if (n > 0)
			reading->length += n;
	} while (n > 0);
	if (n < 0)
		reading->read_error = errno;
}

static inline void take_into(struct reading *reading, const char *path)
{
	open_into(reading, path);
	if (reading->open_error)
		return;
	read_into(reading, READING_MAX);
	close(reading->fd);
}

static inline bool expect_readable(const struct reading *reading, const char *what)
{
	if (!reading->open_error && !reading->read_error)
		return true;
	note("%s: expected to be readable, got at open: %s, at read: %s", what,
	     error_text(reading->open_error), error_text(reading->read_error));
	return false;
}

/* The open must work, the read must not. */
static inline bool expect_refused(const struct reading *reading, int read_error)
{
	return expect_error("open", 0, reading->open_error) &&
	       expect_error("read", read_error, reading->read_error) &&
	       expect_number("bytes read", 0, reading->length);
}

static inline bool expect_same(const char *what, const struct reading *expected,
			       const struct reading *got)
{
	if (!expect_readable(got, what))
		return false;
	if (!expected->length) {
		note("setup: %s: there is nothing to compare with", what);
		return false;
	}
	if (expected->length == got->length &&
	    !memcmp(expected->text, got->text, expected->length))
		return true;
	note("%s: expected the same %zu bytes, got %zu bytes that differ", what,
	     expected->length, got->length);
	return false;
}

/* A filter that allows everything, for the calling thread. */
static inline bool attach_filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog filter = { .len = 1, .filter = &allow };

	return set_up("no_new_privs", !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) &&
	       set_up("seccomp", !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
}

static inline bool get_capabilities(struct __user_cap_data_struct *data)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return set_up("capget", !syscall(SYS_capget, &header, data));
}

static inline bool has_sys_admin(void)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	return get_capabilities(data) &&
	       data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN);
}

static inline bool drop_sys_admin(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3], *word;

	if (!get_capabilities(data))
		return false;
	word = &data[CAP_TO_INDEX(CAP_SYS_ADMIN)];
	word->effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	word->permitted &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	word->inheritable &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	return set_up("capset", !syscall(SYS_capset, &header, data)) &&
	       require("no CAP_SYS_ADMIN any more", !has_sys_admin());
}

/* Still dumpable afterwards: the files in /proc of a task that is not belong to root. */
static inline bool become_user(void)
{
	return set_up("setgroups", !setgroups(0, NULL)) &&
	       set_up("setresgid", !setresgid(USER, USER, USER)) &&
	       set_up("setresuid", !setresuid(USER, USER, USER)) &&
	       require("no CAP_SYS_ADMIN any more", !has_sys_admin()) &&
	       set_up("PR_SET_DUMPABLE", !prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static inline bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	set_up(path, written);
	if (fd >= 0)
		close(fd);
	return written;
}

/* From an ordinary user to root of a user namespace of its own. */
static inline bool become_namespace_root(void)
{
	char map[32];

	snprintf(map, sizeof(map), "0 %d 1\n", USER);
	return become_user() && set_up("unshare", !unshare(CLONE_NEWUSER)) &&
	       set_up("PR_SET_DUMPABLE", !prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)) &&
	       write_text("/proc/self/setgroups", "deny\n") &&
	       write_text("/proc/self/uid_map", map) && write_text("/proc/self/gid_map", map) &&
	       require("root in the namespace", !getuid() && !getgid()) &&
	       require("CAP_SYS_ADMIN in the namespace", has_sys_admin());
}

typedef bool act_t(void *data);

static inline int wait_for_task(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, WUNTRACED) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

/*
 * A task that does `act` and is then held, alive but not running: its pid, or 0 if it failed.
 * With CLONE_FILES in `flags` what it opens is open here as well.
 */
static inline pid_t hold_task(act_t *act, void *data, int flags)
{
	pid_t pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

	if (!pid) {
		if (!act(data))
			_exit(1);
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	if (!set_up("fork", pid > 0))
		return 0;
	if (WIFSTOPPED(wait_for_task(pid)))
		return pid;
	note("setup: the task that was to be held has ended");
	return 0;
}

static inline void end_task(pid_t pid)
{
	kill(pid, SIGKILL);
	wait_for_task(pid);
}

/* Does `act` in a task of its own, to the end. */
static inline bool in_task(act_t *act, void *data)
{
	pid_t pid = hold_task(act, data, 0);

	if (!pid)
		return false;
	end_task(pid);
	return true;
}

#endif /* LAB_TASK_H */
