// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk over a filter, compiled for the host out of the tree under test.
 *
 * extracted.h holds the text of the function, LAB_FUNCTION its name. It takes a
 * classic BPF program and a call, and answers whether the program allows the
 * call whatever its arguments. A program that ends without a RET cannot come
 * from user space: the walk must warn and answer no, and must not look beyond
 * the last instruction. Each program lies in memory that ends with it, where
 * the address sanitizer sees every step too far.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/types.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the function may use of the kernel. */
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;

struct sock_fprog_kern {
	u16 len;
	struct sock_filter *filter;
};

static unsigned int warnings;

static bool note_warning(bool is_wrong)
{
	warnings += is_wrong;
	return is_wrong;
}

#define WARN_ON(condition) note_warning(!!(condition))
#define WARN_ON_ONCE(condition) WARN_ON(condition)
#define WARN_ONCE(condition, ...) WARN_ON(condition)
#define likely(condition) (condition)
#define unlikely(condition) (condition)
#define READ_ONCE(value) (value)
#define fallthrough __attribute__((__fallthrough__))
#define noinline __attribute__((__noinline__))

#include "extracted.h"

/* A walk that does not end is ended; the time of a busy host does not count. */
#define CPU_SECONDS_MAX 5

/* The end of a program, or of a child, that the host has let down. */
#define TROUBLE 3

/* What is shown of a child that failed: where a sanitizer puts its finding. */
#define LINES_SHOWN 4

#define NR offsetof(struct seccomp_data, nr)
#define STATEMENT(code, k) ((struct sock_filter)BPF_STMT(code, k))
#define JUMP(code, k, jt, jf) ((struct sock_filter)BPF_JUMP(code, k, jt, jf))
#define LOAD STATEMENT(BPF_LD | BPF_W | BPF_ABS, NR)
#define ALLOW STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define DENY STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1)
#define GO(k) STATEMENT(BPF_JMP | BPF_JA, k)

enum answer { NO, YES, NO_AND_WARN };

static unsigned int count;
static unsigned int failed;

/* The end of a child: 0 if the walk answered as it must. */
static int walk(const struct sock_filter *insns, u16 len, enum answer want)
{
	struct seccomp_data call = { .nr = 39, .arch = AUDIT_ARCH_X86_64 };
	struct itimerval limit = { .it_value.tv_sec = CPU_SECONDS_MAX };
	struct sock_fprog_kern prog = { .len = len };
	bool warns = want == NO_AND_WARN;
	bool yes = want == YES;
	bool allows;

	if (setitimer(ITIMER_PROF, &limit, NULL))
		return TROUBLE;
	/* One byte where there is no instruction: not even one may be read. */
	prog.filter = malloc(len ? len * sizeof(*insns) : 1);
	if (!prog.filter)
		return TROUBLE;
	memcpy(prog.filter, insns, len * sizeof(*insns));
	allows = LAB_FUNCTION(&prog, &call);
	free(prog.filter);
	if (allows != yes) {
		fprintf(stderr, "it answers %s\n", allows ? "yes" : "no");
		return 2;
	}
	if (!!warnings != warns) {
		fprintf(stderr, "%u warnings\n", warnings);
		return 2;
	}
	return 0;
}

/* The first lines that a child has written, as diagnostics. */
static void show(int from)
{
	char text[4096];
	unsigned int lines = 0;
	char *line, *rest;
	size_t have = 0;
	ssize_t got;

	while (have < sizeof(text) - 1) {
		got = read(from, text + have, sizeof(text) - 1 - have);
		if (got <= 0)
			break;
		have += got;
	}
	text[have] = '\0';
	for (line = strtok_r(text, "\n", &rest); line && lines < LINES_SHOWN;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (line[0] == '=' && line[1] == '=' && !strstr(line, "ERROR"))
			continue;
		printf("# %s\n", line);
		lines++;
	}
}

static void check(const char *name, const struct sock_filter *insns, u16 len,
		  enum answer want)
{
	int status = -1;
	int ends[2];
	pid_t child;

	fflush(stdout);
	if (pipe(ends))
		exit(TROUBLE);
	child = fork();
	if (child < 0)
		exit(TROUBLE);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		_exit(walk(insns, len, want));
	}
	close(ends[1]);
	/* A child that writes more than is read gets a signal, and has failed. */
	show(ends[0]);
	close(ends[0]);
	if (waitpid(child, &status, 0) != child)
		exit(TROUBLE);
	if (WIFEXITED(status) && WEXITSTATUS(status) == TROUBLE)
		exit(TROUBLE);
	count++;
	if (status) {
		failed++;
		printf("# wait status %#x\n", (unsigned int)status);
	}
	printf("%sok %u %s\n", status ? "not " : "", count, name);
	/* One that does not end is enough: others would only take as long. */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF) {
		printf("1..%u\n", count);
		exit(1);
	}
}

/* Every length of a program that goes on to its end and finds no RET. */
static void check_lengths(void)
{
	static const u16 lengths[] = {
		0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 31, 64, 511, 512, 513, 4095,
		4096,
	};
	struct sock_filter *insns = calloc(4096, sizeof(*insns));
	char name[64];
	unsigned int at;

	if (!insns)
		exit(TROUBLE);
	for (at = 0; at < 4096; at++)
		insns[at] = at % 2 ? GO(0) : LOAD;
	for (at = 0; at < sizeof(lengths) / sizeof(*lengths); at++) {
		snprintf(name, sizeof(name), "%u without an end", lengths[at]);
		check(name, insns, lengths[at], NO_AND_WARN);
	}
	/* The longest program that user space may give, with its end. */
	insns[4095] = ALLOW;
	check("4096 with an end", insns, 4096, YES);
	free(insns);
}

static void check_jumps(void)
{
	static const u32 targets[] = { 1, 2, 3, 255, 4096, 65535, 1 << 20 };
	static const u16 tests[] = { BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET };
	static const char * const names[] = { "JEQ", "JGE", "JGT", "JSET" };
	char name[64];
	unsigned int at;

	for (at = 0; at < sizeof(targets) / sizeof(*targets); at++) {
		struct sock_filter far[] = { LOAD, GO(targets[at]), ALLOW };

		snprintf(name, sizeof(name), "JA by %u", targets[at]);
		check(name, far, 3, NO_AND_WARN);
	}
	for (at = 0; at < sizeof(tests) / sizeof(*tests); at++) {
		struct sock_filter far[] = {
			LOAD, JUMP(BPF_JMP | tests[at] | BPF_K, 1, 255, 255),
			ALLOW
		};
		struct sock_filter next[] = {
			LOAD, JUMP(BPF_JMP | tests[at] | BPF_K, 1, 1, 1),
			ALLOW
		};

		snprintf(name, sizeof(name), "%s far out", names[at]);
		check(name, far, 3, NO_AND_WARN);
		snprintf(name, sizeof(name), "%s just out", names[at]);
		check(name, next, 3, NO_AND_WARN);
	}
	/* The first target is in the table, so the length stays 3 or more. */
	struct sock_filter last[] = { LOAD, GO(1), DENY, ALLOW };

	check("JA to the last instruction", last, 4, YES);
}

static void check_answers(void)
{
	struct sock_filter allow[] = { ALLOW };
	struct sock_filter data[] = {
		STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW | 1)
	};
	struct sock_filter ours[] = {
		LOAD, JUMP(BPF_JMP | BPF_JEQ | BPF_K, 39, 0, 1), ALLOW, DENY
	};
	struct sock_filter other[] = {
		LOAD, JUMP(BPF_JMP | BPF_JEQ | BPF_K, 38, 0, 1), ALLOW, DENY
	};
	struct sock_filter argument[] = {
		STATEMENT(BPF_LD | BPF_W | BPF_ABS,
			  offsetof(struct seccomp_data, args)),
		ALLOW
	};

	check("RET ALLOW", allow, 1, YES);
	check("RET ALLOW with data", data, 1, NO);
	check("the number that it allows", ours, 4, YES);
	check("another number", other, 4, NO);
	check("an argument", argument, 2, NO);
	/* The same programs, cut short before their RET. */
	check("cut short after JEQ", ours, 2, NO_AND_WARN);
	check("cut short after LD", ours, 1, NO_AND_WARN);
}

int main(void)
{
	puts("TAP version 13");
	check_answers();
	check_lengths();
	check_jumps();
	printf("1..%u\n", count);
	return failed ? 1 : 0;
}
