// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running one check: everything it says goes to the port as it comes, and when its program has
 * ended, or its time is over, every other process in the guest is killed.
 *
 * SIGCHLD is blocked except inside of ppoll(), so that no exit can slip in between looking and
 * waiting. A pidfd would do as well, but not every kernel under test has one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmsg.h"
#include "port.h"
#include "run_check.h"
#include "setup.h"
#include "spawn.h"

#define WAIT_MS_MAX	1000	/* nothing depends on it: a second look costs nothing */
#define GRACE_MS	100	/* for processes that are on their way out by themselves */
#define KILL_MS_MAX	10000	/* until a killed process counts as stuck in the kernel */
#define FDS_MAX		4

/* Blocked tasks, what the CPUs do, all tasks: in this order, since the last is long. */
#define EVIDENCE	"wlt"
#define EVIDENCE_STUCK	"w"

struct run {
	const struct check *check;
	struct child child;
	u64 started_ms, stdout_bytes, stderr_bytes;
	unsigned int leftover;
	int status;		/* of the program, once child.pid is -1 */
	bool overdue;
};

static int kmsg_poll_fd;
static u16 current;		/* the check that is running */
static char bytes[FRAME_PAYLOAD_MAX];

static void on_child(int number)
{
	(void)number;
}

void run_prepare(int kmsg_fd)
{
	struct sigaction action = { .sa_handler = on_child, .sa_flags = SA_NOCLDSTOP };
	sigset_t child;

	kmsg_poll_fd = kmsg_fd;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	sigaction(SIGCHLD, &action, NULL);
}

/* Sleeps until a child ends, a descriptor is ready or the time is over. */
static void wait_for_event(const struct pollfd *wanted, size_t count, u64 until_ms)
{
	u64 now = now_ms(), left_ms = until_ms > now ? until_ms - now : 0;
	struct pollfd fds[FDS_MAX];
	struct timespec timeout;
	sigset_t none;

	if (left_ms > WAIT_MS_MAX)
		left_ms = WAIT_MS_MAX;
	timeout.tv_sec = left_ms / 1000;
	timeout.tv_nsec = left_ms % 1000 * 1000000;
	sigemptyset(&none);
	memcpy(fds, wanted, count * sizeof(*fds));
	fds[count] = (struct pollfd) { .fd = port_poll_fd(), .events = POLLIN };
	if (ppoll(fds, count + 1, &timeout, &none) > 0 && fds[count].revents && port_asks())
		kmsg_ask(EVIDENCE, current);
}

/* Forwards one piece of a stream; false when there is nothing now. */
static bool forward_piece(struct run *run, int *fd, enum frame_type type, u64 *count)
{
	ssize_t n;

	if (*fd < 0)
		return false;
	do {
		n = read(*fd, bytes, sizeof(bytes));
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		close(*fd);
		*fd = -1;
		return false;
	}
	port_send(type, run->check->index, bytes, n);
	*count += n;
	return true;
}

static bool forward_streams(struct run *run)
{
	bool more;

	more = forward_piece(run, &run->child.stdout_fd, FRAME_OUTPUT, &run->stdout_bytes);
	more |= forward_piece(run, &run->child.stderr_fd, FRAME_ERROR, &run->stderr_bytes);
	return more;
}

/* Collects what has ended: false if there is no child at all any more. */
static bool reap(struct run *run, unsigned int *killed)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == run->child.pid) {
			run->child.pid = -1;
			run->status = status;
		} else if (killed) {
			++*killed;
		}
	}
	return !pid;
}

static void run_program(struct run *run)
{
	u64 deadline = run->started_ms + run->check->deadline_ms;

	while (run->child.pid > 0) {
		struct pollfd fds[] = {
			{ .fd = run->child.stdout_fd, .events = POLLIN },
			{ .fd = run->child.stderr_fd, .events = POLLIN },
			{ .fd = kmsg_poll_fd, .events = POLLIN },
		};

		if (now_ms() >= deadline) {
			run->overdue = true;
			return;
		}
		wait_for_event(fds, ARRAY_SIZE(fds), deadline);
		forward_streams(run);
		kmsg_forward(run->check->index);
		reap(run, NULL);
	}
}

/* Waits for all children to end, up to a limit. */
static bool wait_for_all(struct run *run, unsigned int *killed, unsigned int ms_max)
{
	struct pollfd nothing = { .fd = -1 };
	u64 until = now_ms() + ms_max;

	while (reap(run, killed)) {
		if (now_ms() >= until)
			return false;
		wait_for_event(&nothing, 0, until);
	}
	return true;
}

/* Ends every process but init, kernel threads aside; orphans have become init's children. */
static bool clear_up(struct run *run)
{
	if (!run->overdue && wait_for_all(run, NULL, GRACE_MS))
		return true;
	kill(-1, SIGKILL);
	return wait_for_all(run, &run->leftover, KILL_MS_MAX);
}

/* All writers are gone: what is not in the pipes now will never be. */
static void close_streams(struct run *run)
{
	while (forward_streams(run))
		;
	if (run->child.stdout_fd >= 0)
		close(run->child.stdout_fd);
	if (run->child.stderr_fd >= 0)
		close(run->child.stderr_fd);
}

static void send_done(const struct run *run, int error)
{
	char how[64], text[256];
	int length;

	if (error)
		snprintf(how, sizeof(how), "spawn-failed %d", error);
	else if (run->overdue)
		snprintf(how, sizeof(how), "deadline");
	else if (WIFSIGNALED(run->status))
		snprintf(how, sizeof(how), "signal %d", WTERMSIG(run->status));
	else
		snprintf(how, sizeof(how), "exit %d", WEXITSTATUS(run->status));
	length = snprintf(text, sizeof(text),
			  "%s\nms %llu\nstdout %llu\nstderr %llu\nleftover %u\n", how,
			  now_ms() - run->started_ms, run->stdout_bytes, run->stderr_bytes,
			  run->leftover);
	port_send(FRAME_DONE, run->check->index, text, length);
}

static void send_start(const struct check *check)
{
	char text[1024];
	int length = snprintf(text, sizeof(text), "%.1000s\n", check->argv[0]);

	port_send(FRAME_START, check->index, text, length);
}

bool run_check(const struct check *check, char *problem, size_t size)
{
	struct run run = { .check = check };
	int error;

	current = check->index;
	send_start(check);
	run.started_ms = now_ms();
	error = spawn(check, &run.child);
	if (error) {
		kmsg_drain(check->index);
		send_done(&run, error);
		return true;
	}
	if (check->stdin_read >= 0)
		close(check->stdin_read);
	run_program(&run);
	if (!clear_up(&run)) {
		forward_streams(&run);
		kmsg_ask(EVIDENCE_STUCK, check->index);
		snprintf(problem, size, "check %u: %s does not die of SIGKILL", check->index,
			 run.child.pid > 0 ? check->argv[0] : "a process that it left");
		return false;
	}
	close_streams(&run);
	error = spawn_error(&run.child);
	kmsg_drain(check->index);
	send_done(&run, error);
	return true;
}
