// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starting the program of a check, in the state that a test may expect: its own session, default
 * signals, no descriptor but the standard streams (seccomp_bpf hard-codes numbers above them).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "setup.h"
#include "spawn.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define ERROR_FD		(STDERR_FILENO + 1)
#define DESCRIPTORS_MAX		4096	/* init itself has far fewer */

static const char * const default_env[] = {
	"PATH=/checks:/bin", "HOME=/tmp", "TMPDIR=/tmp",
};

#define DEFAULT_ENV	ARRAY_SIZE(default_env)

static void close_from(int first)
{
	int fd;

	if (!syscall(SYS_close_range, first, ~0u, 0))
		return;
	for (fd = first; fd < DESCRIPTORS_MAX; fd++)
		close(fd);
}

void reset_signals(void)
{
	sigset_t none;
	int number;

	for (number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The defaults that the job does not replace, then the job's own variables. */
static void fill_env(const struct check *check, const char **envp)
{
	size_t i, j, n = 0, name;

	for (i = 0; i < DEFAULT_ENV; i++) {
		name = strcspn(default_env[i], "=") + 1;
		for (j = 0; j < check->variables; j++)
			if (!strncmp(default_env[i], check->envp[j], name))
				break;
		if (j == check->variables)
			envp[n++] = default_env[i];
	}
	for (j = 0; j < check->variables; j++)
		envp[n++] = check->envp[j];
	envp[n] = NULL;
}

static int become(const struct check *check, int in, int out, int err)
{
	const char *envp[DEFAULT_ENV + JOB_WORDS_MAX + 1];

	setsid();
	reset_signals();
	write_file("/proc/self/oom_score_adj", "0\n");
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(err, STDERR_FILENO) < 0)
		return errno;
	close_from(ERROR_FD + 1);
	if (chdir("/checks"))
		return errno;
	fill_env(check, envp);
	execve(check->argv[0], (char * const *)check->argv, (char * const *)envp);
	return errno;
}

static __noreturn void run_child(const struct check *check, int out, int err, int report)
{
	int in = check->stdin_read;
	int error = 0;

	/* Out of the way of the one descriptor that stays open until the exec. */
	in = in < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : in;
	in = fcntl(in, F_DUPFD_CLOEXEC, ERROR_FD + 1);
	out = fcntl(out, F_DUPFD_CLOEXEC, ERROR_FD + 1);
	err = fcntl(err, F_DUPFD_CLOEXEC, ERROR_FD + 1);
	if (in < 0 || out < 0 || err < 0)
		error = errno;
	if (report != ERROR_FD)
		report = dup3(report, ERROR_FD, O_CLOEXEC);
	if (!error)
		error = become(check, in, out, err);
	while (write(report, &error, sizeof(error)) < 0 && errno == EINTR)
		;
	_exit(127);
}

static void close_pair(int *pair)
{
	if (pair[0] >= 0)
		close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
}

int spawn(const struct check *check, struct child *child)
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 }, report[2] = { -1, -1 };
	int error = 0;

	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || pipe2(report, O_CLOEXEC) ||
	    fcntl(out[0], F_SETFL, O_NONBLOCK) || fcntl(err[0], F_SETFL, O_NONBLOCK) ||
	    fcntl(report[0], F_SETFL, O_NONBLOCK))
		error = errno;
	child->pid = error ? -1 : fork();
	if (!child->pid)
		run_child(check, out[1], err[1], report[1]);
	if (child->pid < 0) {
		error = error ? error : errno;
		close_pair(out);
		close_pair(err);
		close_pair(report);
		return error;
	}
	close(out[1]);
	close(err[1]);
	close(report[1]);
	child->stdout_fd = out[0];
	child->stderr_fd = err[0];
	child->error_fd = report[0];
	return 0;
}

int spawn_error(struct child *child)
{
	int error = 0;
	ssize_t n;

	n = read(child->error_fd, &error, sizeof(error));
	close(child->error_fd);
	child->error_fd = -1;
	return n == sizeof(error) ? error : 0;
}
