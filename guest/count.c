// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts guest instructions: of system calls under chains of filters, of attaching a filter, of
 * reading the cache's file; and the memory that filters take. A check of the kind `oracle`: the
 * host makes the chains, and the host judges. It makes sense only where the time stamp counter
 * counts instructions.
 *
 * Standard input:	"SLMQ", u32 version (1), u32 measurements; for each u32 kind, u32 filters;
 *			for each filter u32 len, len times struct sock_filter; u32 number, six
 *			times u64 argument, u32 count, u32 samples
 * Standard output:	"SLMA", u32 version, u32 bits of this program, u32 state of the JIT; for
 *			each measurement "SLMR", u32 id, u32 status, u32 detail, u32 first section,
 *			u32 sections, four times u64 value; at the end "SLME", u32 records
 *
 * kind 0: calls under the filters. Values: the least that `count` calls took in any of the samples,
 * the same of twice as many. 1: attaching the newest filter, on top of the others, in a task of its
 * own for each sample. Value: the least, interrupts included. 2: reading /proc/self/seccomp_cache.
 * Values: the least, and the bytes read. 3: memory. Values: bytes that `count` and twice as many of
 * the newest filter take.
 *
 * A section is what is between a pair of marks (counted.h). They are numbered from 0; those of a
 * measurement of calls are in turn of `count` calls and of twice as many.
 *
 * status 0: measured. 1: the kernel refused filter k, detail k << 16 | errno. 2: this program
 * failed, errno. 3: the task did not come to its end, detail is its wait status.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "counted.h"
#include "wire.h"

#define VERSION			1
#define MEASUREMENTS_MAX	4096
#define FILTERS_MAX		8192
#define COUNT_MAX		100000
#define SAMPLES_MAX		1000
#define VALUES			4
#define DEADLINE_S		30	/* a second has a thousand million instructions */

#define JIT_KNOB		"/proc/sys/net/core/bpf_jit_enable"
#define CACHE_FILE		"seccomp_cache"

#define BITS			(8 * (u32)sizeof(long))

enum kind {
	KIND_CALLS	= 0,
	KIND_ATTACH	= 1,
	KIND_READ	= 2,
	KIND_MEMORY	= 3,
};

enum status {
	STATUS_MEASURED	= 0,
	STATUS_REFUSED	= 1,
	STATUS_PROGRAM	= 2,
	STATUS_CUT	= 3,
};

struct measurement {
	u32 kind;
	u32 filter_count;
	struct sock_fprog *filters;
	u32 number;
	u64 args[6];
	u32 count;
	u32 samples;
};

/* In memory that the measured task shares: under its filters it may be unable to say anything. */
struct result {
	bool is_complete;
	u32 status;
	u32 detail;
	u32 sections;
	u64 values[VALUES];
};

static struct result *result;
static char text[256 * 1024];

static void take_measurement(struct measurement *one)
{
	u32 i;

	one->kind = take_u32(KIND_MEMORY, "an unknown kind of measurement");
	one->filter_count = take_u32(FILTERS_MAX, "too many filters");
	one->filters = zeroed(one->filter_count, sizeof(*one->filters));
	for (i = 0; i < one->filter_count; i++)
		take_filter(&one->filters[i]);
	one->number = take_u32(~0u, "");
	take(one->args, sizeof(one->args));
	one->count = take_u32(COUNT_MAX, "too many calls");
	one->samples = take_u32(SAMPLES_MAX, "too many samples");
}

static __noreturn void end(u32 status, u32 detail)
{
	result->status = status;
	result->detail = detail;
	result->is_complete = true;
	_exit(0);
}

static void keep_least(u64 *value, u64 found)
{
	if (!*value || found < *value)
		*value = found;
}

static void attach(const struct measurement *one, u32 index)
{
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &one->filters[index]))
		end(STATUS_REFUSED, index << 16 | errno);
}

/* All but the last few. */
static void attach_first(const struct measurement *one, u32 but)
{
	u32 i;

	for (i = 0; i + but < one->filter_count; i++)
		attach(one, i);
}

static void measure_calls(const struct measurement *one)
{
	u32 i;

	attach_first(one, 0);
	for (i = 0; i < one->samples; i++) {
		keep_least(&result->values[0], count_calls(one->number, one->args, one->count));
		keep_least(&result->values[1], count_calls(one->number, one->args, 2 * one->count));
		result->sections += 2;
	}
}

static void measure_attach(const struct measurement *one)
{
	u32 last = one->filter_count - 1;
	u64 took;
	long error;

	attach_first(one, 1);
	asm volatile(MARK_BEGIN);
	took = now_instructions();
	error = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &one->filters[last]);
	took = now_instructions() - took;
	asm volatile(MARK_END);
	result->sections++;
	if (error)
		end(STATUS_REFUSED, last << 16 | errno);
	keep_least(&result->values[0], took);
}

static void measure_read(const struct measurement *one)
{
	u64 took, bytes;
	ssize_t n;
	int fd, folder;
	u32 i;

	/* Looking a task up by its number takes longer for some numbers than for others. */
	folder = open("/proc/self", O_DIRECTORY | O_CLOEXEC);
	attach_first(one, 0);
	for (i = 0; i < one->samples; i++) {
		bytes = 0;
		asm volatile(MARK_BEGIN);
		took = now_instructions();
		fd = openat(folder, CACHE_FILE, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			end(STATUS_PROGRAM, errno);
		while ((n = read(fd, text, sizeof(text))) > 0)
			bytes += n;
		close(fd);
		took = now_instructions() - took;
		asm volatile(MARK_END);
		result->sections++;
		if (n < 0)
			end(STATUS_PROGRAM, errno);
		keep_least(&result->values[0], took);
		result->values[1] = bytes;
	}
}

/* A line of /proc/meminfo, in bytes. */
static u64 memory_of(const char *name)
{
	unsigned long long kilobytes;
	char *line = strstr(text, name);

	if (!line || sscanf(line + strlen(name), ": %llu kB", &kilobytes) != 1)
		end(STATUS_PROGRAM, ENODATA);
	return kilobytes * 1024;
}

/* What the kernel has in objects, in mapped pages and for each processor. */
static u64 used_bytes(void)
{
	ssize_t n;
	int fd;

	/* Counters of single processors are added up only now and then. */
	fd = open("/proc/sys/vm/stat_refresh", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text)) < 0)
		end(STATUS_PROGRAM, errno);
	close(fd);
	fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		end(STATUS_PROGRAM, errno);
	close(fd);
	text[n] = '\0';
	return memory_of("Slab") + memory_of("VmallocUsed") + memory_of("Percpu");
}

static void measure_memory(const struct measurement *one)
{
	u32 i, last = one->filter_count - 1;
	u64 before;

	attach_first(one, 1);
	before = used_bytes();
	for (i = 1; i <= 2 * one->count; i++) {
		attach(one, last);
		if (i == one->count)
			result->values[0] = used_bytes() - before;
	}
	result->values[1] = used_bytes() - before;
}

static __noreturn void measured_task(const struct measurement *one)
{
	const struct sched_param first = { .sched_priority = 1 };

	alarm(DEADLINE_S);
	/* No other task has its turn in the middle of a measurement, nor is one looked for. */
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		end(STATUS_PROGRAM, errno);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		end(STATUS_PROGRAM, errno);
	if (one->kind == KIND_CALLS)
		measure_calls(one);
	else if (one->kind == KIND_ATTACH)
		measure_attach(one);
	else if (one->kind == KIND_READ)
		measure_read(one);
	else
		measure_memory(one);
	end(STATUS_MEASURED, 0);
}

static void measure_in_task(const struct measurement *one)
{
	int status = 0;
	pid_t pid;

	result->is_complete = false;
	pid = fork();
	if (!pid)
		measured_task(one);
	if (pid < 0) {
		result->status = STATUS_PROGRAM;
		result->detail = errno;
		return;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* How it ended does not count if it had said all: its filters may forbid the exit. */
	if (!result->is_complete) {
		result->status = STATUS_CUT;
		result->detail = status;
	}
}

/* A task of the highest priority gets all of the time: by default others get a twentieth of it. */
static void no_throttling(void)
{
	static const char unlimited[] = "-1";
	int fd = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, unlimited, strlen(unlimited)) < 0)
		fail("sched_rt_runtime_us");
	close(fd);
}

/* Off where the kernel has an interpreter: 0 or 1, as it stands then; 2 where there is no JIT. */
static u32 jit_off(void)
{
	char state = '2';
	int fd;

	fd = open(JIT_KNOB, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 2;
	/* A kernel without an interpreter refuses: what counts is what is read. */
	if (write(fd, "0", 1) < 0)
		errno = 0;
	if (pread(fd, &state, 1, 0) != 1)
		state = '2';
	close(fd);
	return state - '0';
}

int main(void)
{
	u32 count, i, j, section = 0, words[5];
	struct measurement *all, *one;
	char magic[4];

	take(magic, sizeof(magic));
	if (memcmp(magic, "SLMQ", sizeof(magic)) || take_u32(~0u, "") != VERSION)
		fail("the input is no list of measurements of version 1");
	count = take_u32(MEASUREMENTS_MAX, "too many measurements");
	all = zeroed(count, sizeof(*all));
	for (i = 0; i < count; i++)
		take_measurement(&all[i]);
	take_nothing_more();
	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (result == MAP_FAILED)
		fail("mmap");
	no_throttling();
	put_header("SLMA", (const u32[]){ VERSION, BITS, jit_off() }, 3);
	for (i = 0; i < count; i++) {
		one = &all[i];
		memset(result, 0, sizeof(*result));
		/* Attaching leaves its mark on a task: each sample has one of its own. */
		for (j = 0; j < (one->kind == KIND_ATTACH ? one->samples : 1); j++)
			if (result->status == STATUS_MEASURED)
				measure_in_task(one);
		words[0] = i;
		words[1] = result->status;
		words[2] = result->detail;
		words[3] = section;
		words[4] = result->sections;
		put_header("SLMR", words, ARRAY_SIZE(words));
		put(result->values, sizeof(result->values));
		section += result->sections;
	}
	put_header("SLME", &count, 1);
	flush();
	return 0;
}
