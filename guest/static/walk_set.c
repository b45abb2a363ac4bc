// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk of all calls at once, compiled for the host out of the tree under test.
 *
 * extracted.h holds the text of the function, with the structs and functions that it is made of;
 * LAB_FUNCTION is its name. It takes a struct seccomp_walk that is zero and has room for as many
 * sets as the program has instructions, and one more; a classic BPF program; a bitmap, the number
 * of its bits, and an architecture. It sets the bits of the calls that the program allows whatever
 * their arguments, and clears all others.
 *
 * A walk of one call alone, which is here, says what is right. Programs are random, from a seed
 * that does not change. Program, bitmap and sets lie in memory that ends with them, where the
 * address sanitizer sees every step too far. One struct serves two architectures, as in the
 * kernel: what is left in it of the first walk is seen in the second.
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

/* What the functions may use of the kernel. */
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

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

#define WARN_ON_ONCE(condition) note_warning(!!(condition))
#define BITS_PER_TYPE(type) (8 * sizeof(type))
#define BITS_PER_LONG ((int)BITS_PER_TYPE(long))
#define BIT(bit) (1UL << (bit))
#define BIT_WORD(bit) ((bit) / BITS_PER_LONG)
#define BITS_TO_LONGS(bits) (((bits) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define min(one, other) ((one) < (other) ? (one) : (other))
#define min_t(type, one, other) min((type)(one), (type)(other))
#define fallthrough __attribute__((__fallthrough__))
#undef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#define for_each_set_bit(bit, bits, size) \
	for ((bit) = 0; (bit) < (size); (bit)++) \
		if (*(bits) & BIT(bit))

static void __set_bit(unsigned int bit, unsigned long *bits)
{
	bits[BIT_WORD(bit)] |= BIT(bit % BITS_PER_LONG);
}

static void bitmap_copy(unsigned long *to, const unsigned long *from, unsigned int bits)
{
	memcpy(to, from, BITS_TO_LONGS(bits) * sizeof(*to));
}

#include "extracted.h"

/* A walk that does not end is ended; the time of a busy host does not count. */
#define CPU_SECONDS_MAX 60

/* The end of a program, or of a child, that the host has let down. */
#define TROUBLE 3

#define LINES_SHOWN 4
#define PROGRAMS 4000
#define LENGTH_MAX 4096

#define NR offsetof(struct seccomp_data, nr)
#define ARCH offsetof(struct seccomp_data, arch)
#define LOAD (BPF_LD | BPF_W | BPF_ABS)
#define AND (BPF_ALU | BPF_AND | BPF_K)
#define GO (BPF_JMP | BPF_JA)
#define RETURN (BPF_RET | BPF_K)

static const u32 archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386 };
static struct sock_filter insns[LENGTH_MAX];
static unsigned int count, failed;

static u64 state = 88172645463325252;

/* xorshift */
static u32 chance(u32 below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 20) % below;
}

/* The walk of one call. It is off where it runs over the end. */
static bool is_allowed(const struct sock_fprog_kern *prog, u32 nr, u32 arch, bool *is_off)
{
	u32 acc = 0, pc = 0;

	while (pc < prog->len) {
		struct sock_filter insn = prog->filter[pc++];
		bool is_true = false;

		switch (insn.code) {
		case LOAD:
			if (insn.k != NR && insn.k != ARCH)
				return false;
			acc = insn.k == NR ? nr : arch;
			continue;
		case AND:
			acc &= insn.k;
			continue;
		case RETURN:
			return insn.k == SECCOMP_RET_ALLOW;
		case GO:
			pc = insn.k < prog->len - pc ? pc + insn.k : prog->len;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			is_true = acc == insn.k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			is_true = acc >= insn.k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			is_true = acc > insn.k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			is_true = acc & insn.k;
			break;
		default:
			return false;
		}
		pc += is_true ? insn.jt : insn.jf;
	}
	*is_off = true;
	return false;
}

/* A constant that decides something between numbers below `nbits` and architectures. */
static u32 constant(u32 nbits)
{
	switch (chance(8)) {
	case 0:
		return chance(2) ? 0 : ~0U;
	case 1:
		return archs[chance(2)];
	case 2:
		return 1U << chance(32);
	case 3:
		return ~(1U << chance(32));
	case 4:
		return archs[chance(2)] & chance(~0U);
	case 5:
		return chance(~0U);
	default:
		return chance(nbits + 2);
	}
}

static void make_program(u16 len, u32 nbits)
{
	static const u16 jumps[] = { BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET };
	u32 reach = chance(4) ? 3 : 2 + chance(254);

	for (u16 at = 0; at < len; at++) {
		struct sock_filter *insn = &insns[at];

		*insn = (struct sock_filter){ .k = constant(nbits) };
		switch (chance(16)) {
		case 0 ... 3:
			insn->code = LOAD;
			insn->k = chance(40) ? (chance(3) ? NR : ARCH) : 16;
			break;
		case 4 ... 5:
			insn->code = AND;
			break;
		case 6:
			insn->code = GO;
			insn->k = chance(60) ? chance(3) : constant(nbits);
			break;
		case 7:
			insn->code = RETURN;
			insn->k = SECCOMP_RET_ALLOW - !chance(2) + 2 * !chance(9);
			break;
		default:
			/* Rarely something else altogether. */
			insn->code = BPF_JMP | jumps[chance(4)] | BPF_K;
			if (!chance(200))
				insn->code = chance(0x10000);
			insn->jt = chance(reach);
			insn->jf = chance(reach);
		}
	}
	/* As the kernel demands, mostly. */
	if (chance(8))
		insns[len - 1] = (struct sock_filter){ .code = RETURN, .k = SECCOMP_RET_ALLOW };
}

/* 0 if the walk says of each call what it must, and warns where one runs over the end. */
static int compare(u16 len, u32 nbits)
{
	/* The spare bits of the last set walk as well, and may run over the end alone. */
	const u32 spare = BITS_PER_TYPE(struct seccomp_set);
	size_t size = offsetof(struct seccomp_walk, at) + (len + 1) * sizeof(struct seccomp_set);
	struct seccomp_walk *walk = calloc(1, size);
	unsigned long *bitmap = malloc(BITS_TO_LONGS(nbits) * sizeof(*bitmap));
	struct sock_fprog_kern prog = { .len = len };
	int wrong = 0;

	prog.filter = malloc(len * sizeof(*insns));
	if (!walk || !bitmap || !prog.filter)
		return TROUBLE;
	memcpy(prog.filter, insns, len * sizeof(*insns));
	for (unsigned int at = 0; at < 2 && !wrong; at++) {
		bool must_warn = false, may_warn = false;

		memset(bitmap, 0x5a, BITS_TO_LONGS(nbits) * sizeof(*bitmap));
		warnings = 0;
		LAB_FUNCTION(walk, &prog, bitmap, nbits, archs[at]);
		for (u32 nr = 0; nr < nbits + spare; nr++) {
			bool *is_off = nr < nbits ? &must_warn : &may_warn;
			bool is = nr < nbits && bitmap[BIT_WORD(nr)] >> nr % BITS_PER_LONG & 1;
			bool must = is_allowed(&prog, nr, archs[at], is_off) && nr < nbits;

			if (is == must)
				continue;
			fprintf(stderr, "%u of %u, %#x, %u instructions: %s\n", nr, nbits, archs[at],
				len, is ? "allowed" : "not allowed");
			wrong = 2;
			break;
		}
		if (wrong || (warnings ? must_warn || may_warn : !must_warn))
			continue;
		fprintf(stderr, "%u warnings, %u instructions\n", warnings, len);
		wrong = 2;
	}
	free(walk);
	free(bitmap);
	free(prog.filter);
	return wrong;
}

static int compare_random(u16 nbits)
{
	int wrong = 0;

	state += nbits;
	for (unsigned int at = 0; at < PROGRAMS && !wrong; at++) {
		u16 len = 1 + chance(at % 8 ? 14 : 120);

		make_program(len, nbits);
		wrong = compare(len, nbits);
	}
	return wrong;
}

/* Programs as long as they get, of everything, and of one instruction after the other. */
static int compare_long(u16 kind)
{
	static const u32 comparisons[] = { 0, 39, 0x155, AUDIT_ARCH_X86_64 };

	for (unsigned int at = 0; at < LENGTH_MAX; at++)
		insns[at] = (struct sock_filter){ kind, 0, 0, 0 };
	if (kind == LOAD || kind == GO || kind == AND)
		insns[LENGTH_MAX - 1].code = RETURN;
	else if (kind == RETURN)
		make_program(LENGTH_MAX, 441);
	else
		for (unsigned int at = 0; at < LENGTH_MAX; at++)
			insns[at].k = comparisons[at % 4];
	insns[LENGTH_MAX - 1] = (struct sock_filter){ .code = RETURN, .k = SECCOMP_RET_ALLOW };
	return compare(LENGTH_MAX, 441);
}

/* What has no return runs over the end, and so does what jumps too far: a warning, and no call. */
static int compare_endless(u16 len)
{
	static const u32 far[] = { 0, 1, 255, 4096, 65535, 0x7fffffff, ~0U };
	int wrong = 0;

	for (unsigned int at = 0; at < sizeof(far) / sizeof(*far) && !wrong; at++) {
		for (unsigned int insn = 0; insn < len; insn++)
			insns[insn] = (struct sock_filter){ .code = LOAD, .k = insn % 2 ? ARCH : NR };
		insns[len - 1] = (struct sock_filter){ .code = GO, .k = far[at] };
		wrong = compare(len, 441);
		insns[len - 1] = (struct sock_filter){ BPF_JMP | BPF_JGE | BPF_K, far[at], 255, 100 };
		wrong = wrong ? wrong : compare(len, 441);
	}
	return wrong;
}

/* The first lines that a child has written, as diagnostics. */
static void show(FILE *from)
{
	char line[512];
	unsigned int lines = 0;

	while (lines < LINES_SHOWN && fgets(line, sizeof(line), from)) {
		if (line[0] == '\n' || (line[0] == '=' && !strstr(line, "ERROR")))
			continue;
		printf("# %s", line);
		lines++;
	}
}

static void check(const char *what, u16 of, int (*run)(u16 of))
{
	struct itimerval limit = { .it_value.tv_sec = CPU_SECONDS_MAX };
	int status = -1;
	int ends[2];
	FILE *from;
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
		_exit(setitimer(ITIMER_PROF, &limit, NULL) ? TROUBLE : run(of));
	}
	close(ends[1]);
	from = fdopen(ends[0], "r");
	if (!from)
		exit(TROUBLE);
	/* A child that writes more than is read gets a signal, and has failed. */
	show(from);
	fclose(from);
	if (waitpid(child, &status, 0) != child)
		exit(TROUBLE);
	if (WIFEXITED(status) && WEXITSTATUS(status) == TROUBLE)
		exit(TROUBLE);
	failed += !!status;
	printf("%sok %u %s %u\n", status ? "not " : "", ++count, what, of);
}

int main(void)
{
	static const u16 sizes[] = { 1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 441, 472, 1000 };
	static const u16 kinds[] = {
		LOAD, AND, GO, RETURN, BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JGE | BPF_K,
		BPF_JMP | BPF_JGT | BPF_K, BPF_JMP | BPF_JSET | BPF_K,
	};
	static const u16 lengths[] = { 1, 2, 3, 63, 64, 511, 4095, 4096 };

	puts("TAP version 13");
	for (unsigned int at = 0; at < sizeof(sizes) / sizeof(*sizes); at++)
		check("random programs, calls:", sizes[at], compare_random);
	for (unsigned int at = 0; at < sizeof(kinds) / sizeof(*kinds); at++)
		check("the longest program, of:", kinds[at], compare_long);
	for (unsigned int at = 0; at < sizeof(lengths) / sizeof(*lengths); at++)
		check("without an end, instructions:", lengths[at], compare_endless);
	printf("1..%u\n", count);
	return failed ? 1 : 0;
}
