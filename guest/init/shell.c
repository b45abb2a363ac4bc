// SPDX-License-Identifier: GPL-2.0-only
/* An interactive shell on the serial line, with job control and the size of the user's terminal. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "setup.h"
#include "shell.h"
#include "spawn.h"

#define TERMINAL	"/dev/ttyS0"
#define BUSYBOX		"/bin/busybox"

static const char * const shell_argv[] = { "-sh", "-l", NULL };

static const char * const shell_env[] = {
	"PATH=/checks:/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/tmp", "TMPDIR=/tmp",
	"PS1=(lab) \\w \\$ ", NULL,
};

static pid_t start(const char * const *argv, const char * const *env, int terminal)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	reset_signals();
	setsid();
	if (terminal >= 0) {
		ioctl(terminal, TIOCSCTTY, 1);
		dup2(terminal, STDIN_FILENO);
		dup2(terminal, STDOUT_FILENO);
		dup2(terminal, STDERR_FILENO);
	}
	write_file("/proc/self/oom_score_adj", "0\n");
	if (chdir("/checks"))
		_exit(127);
	execve(BUSYBOX, (char * const *)argv, (char * const *)env);
	_exit(127);
}

/* Waits for one child, and collects every orphan that ends meanwhile. */
static int wait_for(pid_t child)
{
	int status;
	pid_t pid;

	do {
		pid = waitpid(-1, &status, 0);
	} while (pid != child && (pid > 0 || errno == EINTR));
	return pid == child ? status : -1;
}

static unsigned short cmdline_number(const char *name)
{
	char value[16];

	return cmdline_value(name, value, sizeof(value)) ? atoi(value) : 0;
}

static void set_window_size(int terminal)
{
	struct winsize window = {
		.ws_row = cmdline_number("lab.rows"),
		.ws_col = cmdline_number("lab.cols"),
	};

	if (window.ws_row && window.ws_col)
		ioctl(terminal, TIOCSWINSZ, &window);
}

const char *run_shell(void)
{
	static const char * const install_argv[] = { "busybox", "--install", "-s", "/bin", NULL };
	int terminal, status;

	if (access(BUSYBOX, X_OK))
		return BUSYBOX " is not there";
	wait_for(start(install_argv, shell_env, -1));
	terminal = open(TERMINAL, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0)
		return TERMINAL " could not be opened";
	set_window_size(terminal);
	status = wait_for(start(shell_argv, shell_env, terminal));
	tcdrain(terminal);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return "the shell could not be run";
	return NULL;
}
