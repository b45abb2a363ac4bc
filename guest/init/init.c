// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the lab's guests: takes a job from the results port, runs its checks one after the
 * other, lets the kernel warn once to prove that its log can, and resets the machine.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"
#include "job.h"
#include "kmsg.h"
#include "port.h"
#include "run_check.h"
#include "setup.h"
#include "shell.h"
#include "watchdogs.h"

#define JOB_WAIT_MS	30000	/* silence of the host while it still has to say something */
#define PLANT_WAIT_MS	5000	/* it comes at once, unless the host is slow */
#define PLANT_STEP_MS	10
#define PLANT_FILE	"/sys/kernel/debug/provoke-crash/DIRECT"

static struct job job;
static char job_text[FRAME_PAYLOAD_MAX + 1];

/* The end of a guest that cannot go on: says why, on the console and on the port. */
static __noreturn __printf(1, 2) void fatal(const char *format, ...)
{
	char text[512];
	va_list arguments;
	int length, console;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text) - 1, format, arguments);
	va_end(arguments);
	length = strlen(text);
	text[length++] = '\n';
	console = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (console >= 0)
		dprintf(console, "init: %.*s", length, text);
	if (port_is_open()) {
		kmsg_drain(CHECK_NONE);
		port_send(FRAME_FATAL, CHECK_NONE, text, length);
		port_farewell();
	}
	reset_machine();
}

/* A file in /run for a check's input; its name goes at once, so that no check finds it. */
static void open_input(struct check *check)
{
	char path[64];

	if (!check->stdin_left)
		return;
	snprintf(path, sizeof(path), "/run/lab-input-%u", check->index);
	check->stdin_write = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	check->stdin_read = open(path, O_RDONLY | O_CLOEXEC);
	if (check->stdin_write < 0 || check->stdin_read < 0)
		fatal("creating %s: %s", path, strerror(errno));
	unlink(path);
}

static void take_input(const struct frame *frame)
{
	const u8 *bytes = frame->payload;
	struct check *check = job_find(&job, frame->check);
	size_t left = frame->length;
	ssize_t n;

	if (!check || left > check->stdin_left)
		fatal("the job: input for check %u that it does not declare", frame->check);
	for (; left; left -= n, bytes += n) {
		n = write(check->stdin_write, bytes, left);
		if (n < 0)
			fatal("writing the input of check %u: %s", frame->check, strerror(errno));
		check->stdin_left -= n;
	}
	if (!check->stdin_left && check->stdin_write >= 0) {
		close(check->stdin_write);
		check->stdin_write = -1;
	}
}

static void receive(struct frame *frame, enum frame_type type)
{
	const char *problem = port_receive(frame, JOB_WAIT_MS);

	if (problem)
		fatal("the job: %s", problem);
	if (frame->type != type)
		fatal("the job: a frame of type 0x%02x where 0x%02x belongs", frame->type, type);
}

static void receive_job(void)
{
	struct frame frame;
	char problem[128];
	size_t i;

	receive(&frame, FRAME_JOB);
	memcpy(job_text, frame.payload, frame.length);
	job_text[frame.length] = '\0';
	if (!job_parse(&job, job_text, frame.length, problem, sizeof(problem)))
		fatal("%s", problem);
	for (i = 0; i < job.count; i++)
		open_input(&job.checks[i]);
	/* The host may mix the inputs: the first that lacks something is not the next to come. */
	for (i = 0; i < job.count; i++) {
		while (job.checks[i].stdin_left) {
			receive(&frame, FRAME_INPUT);
			take_input(&frame);
		}
	}
}

static u64 boot_ms(void)
{
	struct timespec since_boot;

	clock_gettime(CLOCK_BOOTTIME, &since_boot);
	return since_boot.tv_sec * 1000ull + since_boot.tv_nsec / 1000000;
}

static void send_hello(void)
{
	struct utsname name;
	char text[1024];
	int length;

	uname(&name);
	length = snprintf(text, sizeof(text),
			  "nonce %s\nrelease %s\nversion %s\nmachine %s\ncpus %ld\nms %llu\n",
			  job.nonce, name.release, name.version, name.machine,
			  sysconf(_SC_NPROCESSORS_ONLN), boot_ms());
	port_send(FRAME_HELLO, CHECK_NONE, text, length);
}

/* A warning on purpose: a log in which the host cannot find it cannot have shown any other. */
static void plant_warning(void)
{
	char text[128] = "written\n";
	int i, error;

	kmsg_drain(CHECK_NONE);
	kmsg_saw_warning();
	error = write_file(PLANT_FILE, "WARNING\n");
	if (error)
		snprintf(text, sizeof(text), "failed %d " PLANT_FILE "\n", error);
	port_send(FRAME_PLANT, CHECK_PLANT, text, strlen(text));
	kmsg_drain(CHECK_PLANT);
	for (i = 0; !error && !kmsg_saw_warning() && i < PLANT_WAIT_MS / PLANT_STEP_MS; i++) {
		sleep_ms(PLANT_STEP_MS);
		kmsg_drain(CHECK_PLANT);
	}
}

static void send_end(size_t done)
{
	char text[128];
	int length;

	if (fault_is(FAULT_OTHER_NONCE))
		job.nonce[0] ^= 1;
	length = snprintf(text, sizeof(text), "nonce %s\nchecks %zu\nframes %u\n", job.nonce, done,
			  port_frames_sent());
	port_send(FRAME_END, CHECK_NONE, text, length);
	port_farewell();
}

static void run_job(void)
{
	char problem[512];
	int kmsg_fd;
	size_t i;

	problem[0] = '\0';
	kmsg_fd = kmsg_open();
	if (kmsg_fd < 0)
		fatal("opening /dev/kmsg: %s", strerror(-kmsg_fd));
	receive_job();
	watchdogs_set(&job, boot_ms());
	send_hello();
	fault_at(FAULT_POINT_HELLO);
	kmsg_drain(CHECK_NONE);
	run_prepare(kmsg_fd);
	for (i = 0; i < job.count; i++) {
		if (i == 1)
			fault_at(FAULT_POINT_CHECK);
		if (!run_check(&job.checks[i], problem, sizeof(problem)))
			fatal("%s", problem);
	}
	plant_warning();
	send_end(fault_is(FAULT_COUNT_WRONG) ? 0 : job.count);
}

static void ignore_signals(void)
{
	static const int harmless[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM,
		SIGTSTP, SIGTTIN, SIGTTOU,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(harmless); i++)
		signal(harmless[i], SIG_IGN);
}

int main(void)
{
	const char *problem;
	char text[256];

	if (getpid() != 1) {
		fprintf(stderr, "init: not started as process 1\n");
		return 1;
	}
	ignore_signals();
	fault_at(FAULT_POINT_BOOT);
	if (!setup_system(text, sizeof(text)))
		fatal("%s", text);
	if (cmdline_value("lab.mode", text, sizeof(text)) && !strcmp(text, "shell"))
		problem = run_shell();
	else
		problem = port_open();
	if (problem)
		fatal("%s", problem);
	if (port_is_open())
		run_job();
	reset_machine();
}
