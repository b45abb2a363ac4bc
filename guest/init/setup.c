// SPDX-License-Identifier: GPL-2.0-only
/* The guest's surroundings. What a test may lack is optional; what init lacks is an error. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "setup.h"

#define NO_EXEC		(MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define NO_DEVICES	(MS_NOSUID | MS_NODEV)

struct mount_point {
	const char *type;
	const char *target;
	unsigned long flags;
	const char *options;
	bool required;
};

static const struct mount_point mount_points[] = {
	{ "devtmpfs", "/dev", MS_NOSUID, "mode=0755", true },
	{ "proc", "/proc", NO_EXEC, NULL, true },
	{ "sysfs", "/sys", NO_EXEC, NULL, true },
	{ "debugfs", "/sys/kernel/debug", NO_EXEC, NULL, false },
	{ "tmpfs", "/tmp", NO_DEVICES, "mode=1777", false },
	{ "tmpfs", "/run", NO_DEVICES, "mode=0755", false },
	{ "tmpfs", "/dev/shm", NO_DEVICES, "mode=1777", false },
	{ "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666", false },
	{ "mqueue", "/dev/mqueue", NO_EXEC, NULL, false },
	{ "cgroup2", "/sys/fs/cgroup", NO_EXEC, NULL, false },
};

static const char * const links[][2] = {
	{ "/proc/self/fd", "/dev/fd" },
	{ "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" },
	{ "/proc/self/fd/2", "/dev/stderr" },
};

static bool mount_all(char *problem, size_t size)
{
	const struct mount_point *point;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mount_points); i++) {
		point = &mount_points[i];
		mkdir(point->target, 0755);
		if (!mount(point->type, point->target, point->type, point->flags, point->options) ||
		    errno == EBUSY || !point->required)
			continue;
		snprintf(problem, size, "mounting %s on %s: %s", point->type, point->target,
			 strerror(errno));
		return false;
	}
	/* Without tmpfs these are folders of the initramfs, which serve as well. */
	chmod("/tmp", 01777);
	return true;
}

static void raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (!ioctl(fd, SIOCGIFFLAGS, &request)) {
		request.ifr_flags |= IFF_UP | IFF_RUNNING;
		ioctl(fd, SIOCSIFFLAGS, &request);
	}
	close(fd);
}

/* With 0, 1 and 2 taken no descriptor of init can become a standard stream by accident. */
static bool occupy_standard_streams(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

bool setup_system(char *problem, size_t size)
{
	size_t i;

	umask(0);
	if (!mount_all(problem, size))
		return false;
	if (!occupy_standard_streams()) {
		snprintf(problem, size, "opening /dev/null: %s", strerror(errno));
		return false;
	}
	for (i = 0; i < ARRAY_SIZE(links); i++)
		if (symlink(links[i][0], links[i][1]) && errno != EEXIST)
			fprintf(stderr, "init: %s: %s\n", links[i][1], strerror(errno));
	umask(022);
	mkdir("/checks", 0755);
	raise_loopback();
	write_file("/proc/sys/kernel/printk_devkmsg", "on\n");
	write_file("/proc/self/oom_score_adj", "-1000\n");
	reboot(RB_DISABLE_CAD);
	return true;
}

bool cmdline_value(const char *name, char *value, size_t size)
{
	char line[4096], *word, *rest;
	size_t name_length = strlen(name);
	ssize_t n;
	int fd;

	fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n <= 0)
		return false;
	line[n] = '\0';
	for (word = strtok_r(line, "\n ", &rest); word; word = strtok_r(NULL, "\n ", &rest)) {
		if (strncmp(word, name, name_length) || word[name_length] != '=')
			continue;
		snprintf(value, size, "%s", word + name_length + 1);
		return true;
	}
	return false;
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		error = errno;
	close(fd);
	return error;
}

u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(unsigned int ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

/* The lab runs QEMU with -no-reboot, so that a reset is the end of it. */
__noreturn void reset_machine(void)
{
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}
