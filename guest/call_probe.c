// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes system calls under chains of filters and tells what came of each. A check of the kind
 * `oracle`: what should have come of it is computed by the host.
 *
 * Standard input:	"SLBQ", u32 version (1), u32 cases; for each case u32 id, u32 filters; for
 *			each filter u32 len, len times struct sock_filter; u32 calls; for each call
 *			u32 entry, u32 number, six times u64 argument
 * Standard output:	"SLBA", u32 version, u32 bits of this program (32 or 64); then for the JIT
 *			off and again for it on: "SLBJ", u32 jit, u32 errno of setting it; if that
 *			is 0, for each case "SLBR", u32 id, u32 status, u32 detail, u32 calls, for
 *			each call a struct outcome; at the end "SLBE", u32 records
 *
 * entry 0: the instruction `syscall`. 1: `int $0x80`. Both stand at fixed addresses, so that the
 * host knows the instruction pointer that filters see.
 *
 * status 0: attached, every call was made. 1: the kernel refused filter k, detail k << 16 | errno,
 * where the errno is ECHILD if the task ended, EINTR if it trapped. 2: this program failed, errno.
 *
 * The filters may forbid everything, so the task makes no system call of its own after them. It is
 * traced: its registers are set for each call, and a breakpoint behind the call stops it. No
 * tracing of system calls is asked for, so that seccomp takes its usual way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call_task.h"

#define VERSION			1
#define FILTERS_MAX		8192
#define CALLS_MAX		65536

#define JIT_KNOB		"/proc/sys/net/core/bpf_jit_enable"

enum status {
	STATUS_ISSUED	= 0,
	STATUS_REFUSED	= 1,
	STATUS_PROGRAM	= 2,
};

struct probe {
	u32 id;
	u32 filter_count;
	struct sock_fprog *filters;
	u32 call_count;
	struct call *calls;
};

static u32 status, detail;

static void *take_array(u32 count, size_t size)
{
	void *array = zeroed(count, size);

	take(array, count * size);
	return array;
}

static void take_probe(struct probe *probe)
{
	u32 i;

	probe->id = take_u32(UINT_MAX, "");
	probe->filter_count = take_u32(FILTERS_MAX, "a chain of too many filters");
	probe->filters = zeroed(probe->filter_count, sizeof(*probe->filters));
	for (i = 0; i < probe->filter_count; i++)
		take_filter(&probe->filters[i]);
	probe->call_count = take_u32(CALLS_MAX, "a case of too many calls");
	probe->calls = take_array(probe->call_count, sizeof(*probe->calls));
	for (i = 0; i < probe->call_count; i++)
		if (probe->calls[i].entry > ENTRY_INT80 ||
		    (BITS == 32 && probe->calls[i].entry != ENTRY_INT80))
			fail("a call through an instruction that this program does not have");
}

static bool set_failed(u32 value, u32 what)
{
	status = value;
	detail = what;
	return false;
}

static bool attach(pid_t task, const struct probe *probe)
{
	struct call call = {
		.entry = ENTRY_OWN,
		.number = SYS_seccomp,
		.arguments = { SECCOMP_SET_MODE_FILTER },
	};
	struct outcome outcome;
	u32 k;

	for (k = 0; k < probe->filter_count; k++) {
		call.arguments[2] = (unsigned long)&probe->filters[k];
		if (!issue(task, &call, &outcome))
			return set_failed(STATUS_REFUSED, k << 16 | ECHILD);
		if (outcome.kind != KIND_RETURNED)
			return set_failed(STATUS_REFUSED, k << 16 | EINTR);
		if (outcome.value)
			return set_failed(STATUS_REFUSED, k << 16 | (-outcome.value & 0xffff));
	}
	return true;
}

/* A task under the chain of a case, at its breakpoint; 0 with the status set if there is none. */
static pid_t start_task(const struct probe *probe)
{
	pid_t task = fork();
	int wait_status;

	if (!task)
		be_task();
	if (task < 0) {
		set_failed(STATUS_PROGRAM, errno);
		return 0;
	}
	if (!wait_for(task, &wait_status) || !WIFSTOPPED(wait_status))
		set_failed(STATUS_PROGRAM, ECHILD);
	else if (ptrace(PTRACE_SETOPTIONS, task, NULL, PTRACE_O_EXITKILL))
		set_failed(STATUS_PROGRAM, errno);
	else if (attach(task, probe))
		return task;
	end_task(task);
	return 0;
}

static void run_probe(const struct probe *probe, struct outcome *outcomes)
{
	pid_t task = start_task(probe);
	u32 i;

	for (i = 0; i < probe->call_count && !status; i++) {
		if (!task)
			task = start_task(probe);
		if (!task)
			return;
		if (!issue(task, &probe->calls[i], &outcomes[i])) {
			end_task(task);
			task = 0;
		}
	}
	end_task(task);
}

/* Flushed per case: when the kernel dies, the first case without a record is the one. */
static void put_probe(const struct probe *probe)
{
	struct outcome *outcomes = calloc(probe->call_count + 1, sizeof(*outcomes));
	u32 numbers[4] = { probe->id };

	if (!outcomes)
		fail("out of memory");
	status = STATUS_ISSUED;
	detail = 0;
	run_probe(probe, outcomes);
	numbers[1] = status;
	numbers[2] = detail;
	numbers[3] = status ? 0 : probe->call_count;
	put_header("SLBR", numbers, ARRAY_SIZE(numbers));
	put(outcomes, numbers[3] * sizeof(*outcomes));
	flush();
	free(outcomes);
}

/* Sets the knob, and reads it back: 0 or an error number. */
static u32 set_jit(char value)
{
	char found = 0;
	u32 error = 0;
	int fd;

	fd = open(JIT_KNOB, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (write(fd, &value, 1) != 1 || pread(fd, &found, 1, 0) != 1)
		error = errno ? errno : EIO;
	else if (found != value)
		error = EILSEQ;
	close(fd);
	return error;
}

int main(void)
{
	const struct sigaction on_deadline = { .sa_handler = on_alarm };
	const struct rlimit no_core = { 0, 0 };
	u32 count, i, jit, records = 0;
	struct probe *probes;
	char magic[4];

	take(magic, sizeof(magic));
	if (memcmp(magic, "SLBQ", sizeof(magic)) || take_u32(UINT_MAX, "") != VERSION)
		fail("the input is no file of calls of version 1");
	count = take_u32(UINT_MAX / 2, "too many cases");
	probes = calloc(count + 1, sizeof(*probes));
	if (!probes)
		fail("out of memory");
	for (i = 0; i < count; i++)
		take_probe(&probes[i]);
	take_nothing_more();
	map_code();
	sigaction(SIGALRM, &on_deadline, NULL);
	setrlimit(RLIMIT_CORE, &no_core);
	put_header("SLBA", (const u32[]){ VERSION, BITS }, 2);
	for (jit = 0; jit < 2; jit++) {
		const u32 pass[] = { jit, set_jit('0' + jit) };

		put_header("SLBJ", pass, ARRAY_SIZE(pass));
		for (i = 0; i < count && !pass[1]; i++, records++)
			put_probe(&probes[i]);
	}
	put_header("SLBE", &records, 1);
	flush();
	return 0;
}
