// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shows what the kernel cached for chains of filters: attaches each chain in a task of its own and
 * copies the task's /proc/<pid>/seccomp_cache. A check of the kind `oracle`: the expected bits are
 * computed by the host.
 *
 * Standard input:	"SLCH", u32 version (1), u32 chains; for each chain u32 id, u32 filters; for
 *			each filter u32 len, len times struct sock_filter
 * Standard output:	for each chain "SLCR", u32 id, u32 status, u32 detail, u32 length, the text;
 *			at the end "SLCE", u32 chains
 *
 * status 0: dumped. 1: the kernel refused filter k, detail k << 16 | errno, where the errno is
 * ECHILD if an earlier filter killed the task, EINTR if it trapped, and 0 if it only pretended
 * success. 2: the file could not be opened or read, detail errno. 3: this program failed, errno.
 *
 * A filter may forbid everything, so the task makes no system call under its own last filter: it
 * is traced, and stands at the exit of seccomp() while the file is read, until it is killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"

#define VERSION			1
#define FILTERS_MAX		8192	/* the kernel takes 32768 instructions, and 4 per filter */
#define INSTRUCTIONS_MAX	65535	/* what struct sock_fprog can say */
#define TEXT_BYTES_MAX		(1024 * 1024)

enum status {
	STATUS_DUMPED	= 0,
	STATUS_REFUSED	= 1,
	STATUS_FILE	= 2,
	STATUS_PROGRAM	= 3,
};

struct chain {
	u32 id;
	u32 count;
	struct sock_fprog filters[FILTERS_MAX];
};

struct result {
	enum status status;
	u32 detail;
	u32 length;
	char text[TEXT_BYTES_MAX];
};

static struct chain chain;
static struct result result;

static __noreturn void fail(const char *what)
{
	fprintf(stderr, "cache_dump: %s\n", what);
	exit(2);
}

static void take(void *data, size_t size)
{
	if (size && fread(data, size, 1, stdin) != 1)
		fail("the input ends too early");
}

static u32 take_u32(u32 max, const char *what)
{
	u32 value;

	take(&value, sizeof(value));
	if (value > max)
		fail(what);
	return value;
}

static void take_chain(void)
{
	struct sock_fprog *filter;
	u32 i;

	chain.id = take_u32(UINT_MAX, "");
	chain.count = take_u32(FILTERS_MAX, "a chain of too many filters");
	for (i = 0; i < chain.count; i++) {
		filter = &chain.filters[i];
		filter->len = take_u32(INSTRUCTIONS_MAX, "a filter of too many instructions");
		filter->filter = calloc(filter->len + 1, sizeof(*filter->filter));
		if (!filter->filter)
			fail("out of memory");
		take(filter->filter, filter->len * sizeof(*filter->filter));
	}
}

static void drop_chain(void)
{
	u32 i;

	for (i = 0; i < chain.count; i++)
		free(chain.filters[i].filter);
}

static void set_result(enum status status, u32 detail)
{
	result.status = status;
	result.detail = detail;
}

/* The task: every seccomp() of it is watched, and nothing follows the last one. */
static __noreturn void be_task(void)
{
	u32 i;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(errno);
	kill(getpid(), SIGSTOP);
	for (i = 0; i < chain.count; i++)
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &chain.filters[i]);
	for (;;)
		pause();
}

static int wait_for(pid_t task)
{
	int status;

	while (waitpid(task, &status, 0) != task)
		if (errno != EINTR)
			fail("the task cannot be waited for");
	return status;
}

/* The pid of a new task that stands before its first seccomp(), or 0 with the result set. */
static pid_t start_task(void)
{
	pid_t task = fork();
	int status;

	if (!task)
		be_task();
	if (task < 0) {
		set_result(STATUS_PROGRAM, errno);
		return 0;
	}
	status = wait_for(task);
	if (!WIFSTOPPED(status)) {
		set_result(STATUS_PROGRAM, WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD);
		return 0;
	}
	if (ptrace(PTRACE_SETOPTIONS, task, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) {
		set_result(STATUS_PROGRAM, errno);
		kill(task, SIGKILL);
		wait_for(task);
		return 0;
	}
	return task;
}

/* What the system call returned, seen at its exit; each ABI sees its own kind of registers. */
static long return_value(pid_t task)
{
	struct user_regs_struct registers;

	if (ptrace(PTRACE_GETREGS, task, NULL, &registers))
		fail("the registers of the task cannot be read");
#ifdef __x86_64__
	return registers.rax;
#else
	return registers.eax;
#endif
}

/* How many filters the kernel says the task has; `expected` if it does not say. */
static u32 count_filters(pid_t task, u32 expected)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", task);
	file = fopen(path, "re");
	if (!file)
		return expected;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Seccomp_filters: %u", &expected) == 1)
			break;
	fclose(file);
	return expected;
}

/* Lets the task attach filter k; afterwards it stands at the exit of that call, or is no more. */
static bool attach(pid_t task, u32 k, bool *alive)
{
	int stop, status;
	long value;

	/* The entry of seccomp(), then its exit. */
	for (stop = 0; stop < 2; stop++) {
		if (ptrace(PTRACE_SYSCALL, task, NULL, NULL))
			fail("the task cannot be continued");
		status = wait_for(task);
		if (WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80))
			continue;
		*alive = WIFSTOPPED(status);
		set_result(STATUS_REFUSED, k << 16 | (*alive ? EINTR : ECHILD));
		return false;
	}
	value = return_value(task);
	if (!value && (!k || count_filters(task, k + 1) == k + 1))
		return true;
	/* A trap leaves the number of the system call where its result would be. */
	set_result(STATUS_REFUSED, k << 16 | (value > 0 ? EINTR : -value));
	return false;
}

static void read_cache(pid_t task)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/seccomp_cache", task);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		set_result(STATUS_FILE, errno);
		return;
	}
	do {
		n = read(fd, result.text + result.length, TEXT_BYTES_MAX - result.length);
		if (n > 0)
			result.length += n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 || result.length == TEXT_BYTES_MAX) {
		set_result(STATUS_FILE, n < 0 ? errno : EFBIG);
		result.length = 0;
	}
	close(fd);
}

static void dump_chain(void)
{
	bool attached = true, alive = true;
	pid_t task;
	u32 k;

	set_result(STATUS_DUMPED, 0);
	result.length = 0;
	task = start_task();
	if (!task)
		return;
	for (k = 0; attached && k < chain.count; k++)
		attached = attach(task, k, &alive);
	if (attached)
		read_cache(task);
	if (!alive)
		return;
	kill(task, SIGKILL);
	wait_for(task);
}

static void put(const void *data, size_t size)
{
	if (size && fwrite(data, size, 1, stdout) != 1)
		fail("the output cannot be written");
}

/* Flushed per chain: when the kernel dies, the first chain without a result is the one. */
static void put_result(void)
{
	const u32 header[] = { chain.id, result.status, result.detail, result.length };

	put("SLCR", 4);
	put(header, sizeof(header));
	put(result.text, result.length);
	if (fflush(stdout))
		fail("the output cannot be written");
}

int main(void)
{
	u32 chains, i;
	char magic[4];

	take(magic, sizeof(magic));
	if (memcmp(magic, "SLCH", sizeof(magic)) || take_u32(UINT_MAX, "") != VERSION)
		fail("the input is no chain file of version 1");
	chains = take_u32(UINT_MAX, "");
	for (i = 0; i < chains; i++) {
		take_chain();
		dump_chain();
		put_result();
		drop_chain();
	}
	if (fgetc(stdin) != EOF)
		fail("something follows the last chain");
	put("SLCE", 4);
	put(&chains, sizeof(chains));
	if (fflush(stdout))
		fail("the output cannot be written");
	return 0;
}
