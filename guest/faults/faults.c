// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks that are broken on purpose, for `selfcheck guests`: the first argument names the fault.
 * `provoke TYPE` lets LKDTM do something to the kernel, in a process of its own: where that process
 * alone dies of it the check itself passes, and only the kernel's log can tell.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "faults.h"

#define PROVOKE_FILE	"/sys/kernel/debug/provoke-crash/DIRECT"
#define KERNEL_FILE	"/sys/module/lab_fault/parameters/now"

#define CONSOLE_BYTES	(4 << 20)
#define FLOOD_BYTES	(200l << 20)
#define LOG_LINES	4000	/* of 200 bytes: three times the kernel's buffer */
#define LINE_BYTES	200

int fault_write(const char *path, const void *bytes, size_t size)
{
	const char *left = bytes;
	ssize_t n;
	int fd;

	fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (; size; size -= n, left += n) {
		n = write(fd, left, size);
		if (n < 0) {
			close(fd);
			return -errno;
		}
	}
	close(fd);
	return 0;
}

static int report(bool ok, const char *name)
{
	printf("TAP version 13\n1..1\n%s 1 - %s\n", ok ? "ok" : "not ok", name);
	return ok ? 0 : 1;
}

static int pass(void)
{
	return report(true, "pass");
}

/* A fault of the kernel's own: guest/faults/kernel.patch. */
static int in_kernel(const char *name)
{
	int error;

	fflush(stdout);
	error = fault_write(KERNEL_FILE, name, strlen(name));
	if (error)
		fprintf(stderr, "writing %s to " KERNEL_FILE ": %s\n", name, strerror(-error));
	return report(!error, name);
}

static int provoke(const char *type)
{
	int status, error;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		error = fault_write(PROVOKE_FILE, type, strlen(type));
		if (error)
			fprintf(stderr, "writing %s to " PROVOKE_FILE ": %s\n", type,
				strerror(-error));
		_exit(error ? 1 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return report(false, "provoke");
	/* It may die of the oops, and that is fine. It must not fail to provoke. */
	return report(WIFSIGNALED(status) || !WEXITSTATUS(status), type);
}

/* An emergency restart: the lab's command line makes that a triple fault. */
static int reset(void)
{
	fault_write("/proc/sysrq-trigger", "b", 1);
	return report(false, "reset");
}

static int reboot_now(void)
{
	reboot(RB_AUTOBOOT);
	return report(false, "reboot");
}

static int fewer(void)
{
	printf("TAP version 13\n1..3\nok 1 - one\nok 2 - two\n");
	return 0;
}

static int more(void)
{
	printf("TAP version 13\n1..2\nok 1 - one\nok 2 - two\nok 3 - three\n");
	return 0;
}

static int twice(void)
{
	printf("TAP version 13\n1..2\nok 1 - one\nok 1 - one\n");
	return 0;
}

static int no_plan(void)
{
	printf("all is well\n");
	return 0;
}

static int wrong_exit(void)
{
	pass();
	return 3;
}

static int dies(void)
{
	pass();
	fflush(stdout);
	raise(SIGSEGV);
	return 0;
}

/* Processes that outlive the check and hold its output open. */
static int stay(void)
{
	int i;

	for (i = 0; i < 3; i++) {
		if (!fork()) {
			setsid();
			signal(SIGTERM, SIG_IGN);
			signal(SIGHUP, SIG_IGN);
			for (;;)
				pause();
		}
	}
	return pass();
}

static int hang(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	while (pause())
		;
	return 0;
}

/* Nobody else gets the CPU, as long as the kernel allows it. */
static int hog(void)
{
	struct sched_param first = { .sched_priority = 99 };

	if (sched_setscheduler(0, SCHED_FIFO, &first))
		return report(false, "hog");
	for (;;)
		;
}

static int fill_memory(void)
{
	const size_t piece = 4 << 20;
	char *bytes;

	for (;;) {
		bytes = malloc(piece);
		if (!bytes)
			return report(false, "memory");
		memset(bytes, 0x5a, piece);
	}
}

static int fill_tmpfs(void)
{
	static char piece[1 << 20];
	ssize_t n;
	int fd;

	memset(piece, 0x5a, sizeof(piece));
	fd = open("/tmp/full", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return report(false, "tmpfs");
	do {
		n = write(fd, piece, sizeof(piece));
	} while (n > 0);
	return report(n < 0 && errno == ENOSPC, "tmpfs");
}

static int flood_console(void)
{
	char *bytes = malloc(CONSOLE_BYTES);
	size_t i;

	if (!bytes)
		return report(false, "console");
	for (i = 0; i < CONSOLE_BYTES; i++)
		bytes[i] = i % 80 == 79 ? '\n' : 'a' + i % 26;
	return report(!fault_write("/dev/console", bytes, CONSOLE_BYTES), "console");
}

static int flood_port(void)
{
	static char piece[64 << 10];
	long left;

	memset(piece, '#', sizeof(piece));
	printf("TAP version 13\n1..1\n");
	for (left = FLOOD_BYTES; left > 0; left -= sizeof(piece))
		if (fwrite(piece, 1, sizeof(piece), stdout) != sizeof(piece))
			return 1;
	printf("\nok 1 - flood\n");
	return 0;
}

static int binary(void)
{
	int i;

	printf("TAP version 13\n1..2\n");
	for (i = 0; i < 1024; i++)
		putchar(i & 0xff);
	printf("\n\033[2J\033]0;title\007\033[31m\n");
	printf("ok 1 - plain\nok 2 - with \033[31mcolour\033[0m and \007 a bell\n");
	return 0;
}

static int change_clock(void)
{
	static const time_t times[] = { 1000, 2147483000, 86400 };
	struct timespec now = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(times); i++) {
		now.tv_sec = times[i];
		if (clock_settime(CLOCK_REALTIME, &now))
			return report(false, "clock");
	}
	return report(true, "clock");
}

/* The console shows nothing below an emergency any more. */
static int silence(void)
{
	return report(!klogctl(8, NULL, 1), "silence");
}

/* The kernel warns where only its log shows it, and hangs when init has had time to send that. */
static int warn_unseen(void)
{
	if (klogctl(8, NULL, 1) || fault_write(PROVOKE_FILE, "WARNING", strlen("WARNING")))
		return report(false, "warn-unseen");
	sleep(2);
	return provoke("HARDLOCKUP");
}

/* Faster than anybody can read: nobody else runs, and the console takes only emergencies. */
static int overrun_log(void)
{
	struct sched_param first = { .sched_priority = 99 };
	char line[LINE_BYTES];
	int fd, i, length;

	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || sched_setscheduler(0, SCHED_FIFO, &first) || klogctl(8, NULL, 1))
		return report(false, "overrun");
	for (i = 0; i < LOG_LINES; i++) {
		length = snprintf(line, sizeof(line), "%0*d", LINE_BYTES - 2, i);
		if (write(fd, line, length) != length)
			return report(false, "overrun");
	}
	klogctl(8, NULL, 7);
	return report(true, "overrun");
}

/* A program's words are not the kernel's. */
static int forge_log(void)
{
	static const char * const lines[] = {
		"<0>Kernel panic - not syncing: forged",
		"<4>BUG: KASAN: use-after-free in forged+0x1/0x2",
		"<4>WARNING: CPU: 0 PID: 1 at forged.c:1 forged+0x1/0x2",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++)
		if (fault_write("/dev/kmsg", lines[i], strlen(lines[i])))
			return report(false, "forge-log");
	return report(true, "forge-log");
}

static const struct fault {
	const char *name;
	int (*run)(void);
} faults[] = {
	{ "pass", pass }, { "reset", reset }, { "reboot", reboot_now }, { "fewer", fewer },
	{ "more", more }, { "twice", twice }, { "no-plan", no_plan }, { "wrong-exit", wrong_exit },
	{ "dies", dies }, { "stay", stay }, { "hang", hang }, { "hog", hog },
	{ "memory", fill_memory }, { "tmpfs", fill_tmpfs }, { "console", flood_console },
	{ "port", flood_port }, { "binary", binary }, { "clock", change_clock },
	{ "silence", silence }, { "overrun", overrun_log }, { "forge-log", forge_log },
	{ "forge-console", forge_console }, { "forge-second-open", forge_second_open },
	{ "forge-init", forge_init }, { "forge-report", forge_report },
	{ "forge-name", forge_name }, { "warn-unseen", warn_unseen },
};

int main(int argc, char **argv)
{
	size_t i;

	if (argc == 3 && !strcmp(argv[1], "provoke"))
		return provoke(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "kernel"))
		return in_kernel(argv[2]);
	for (i = 0; argc == 2 && i < ARRAY_SIZE(faults); i++)
		if (!strcmp(argv[1], faults[i].name))
			return faults[i].run();
	fprintf(stderr, "usage: faults NAME, faults provoke TYPE, or faults kernel NAME\n");
	return 2;
}
