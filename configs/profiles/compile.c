// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compiles one filter with libseccomp: rules on standard input, the classic BPF program (struct
 * sock_filter, as seccomp() takes it) on standard output. Made and run by `cargo xtask profiles`,
 * and for a profile that a user gives; needs no privilege and attaches nothing.
 *
 * A line is words with one blank between them:
 *
 *	default ACTION			the action where no rule fits; the first line
 *	badarch ACTION			the action for an architecture that is not named
 *	tree				a binary tree; without this line a linear list
 *	arch NAME			one line an architecture, as libseccomp names them
 *	rule ACTION CALL [TEST]...	a rule, which libseccomp may adapt to an architecture
 *	exact ACTION CALL [TEST]...	a rule; not made where the architecture has no such call
 *
 * ACTION is the SECCOMP_RET_* value in decimal. TEST is `ARGUMENT OPERATOR VALUE VALUE2`, with
 * decimal numbers and one of ne lt le eq ge gt masked_eq (VALUE is the mask, VALUE2 what is left).
 *
 * A call that libseccomp does not know is left out, and told as `unknown NAME` on the error stream.
 * With the argument `names` the program lists the calls that libseccomp knows on x86 instead, with
 * `version` it tells which libseccomp that is.
 */
#include <errno.h>
#include <limits.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define API_LEVEL		6	/* of libseccomp 2.5: do not ask the kernel of this host */
#define NUMBERS_MAX		1024	/* more than any x86 table has */
#define TESTS_MAX		6	/* arguments of a call */
#define OPTIMIZE_TREE		2	/* of SCMP_FLTATR_CTL_OPTIMIZE */

static unsigned int line_number;

static __attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "line %u: ", line_number);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static void check(int result, const char *what, const char *word)
{
	if (result)
		fail("%s %s: %s", what, word, strerror(-result));
}

static void set(scmp_filter_ctx filter, enum scmp_filter_attr attribute, unsigned int value)
{
	check(seccomp_attr_set(filter, attribute, value), "setting", "an attribute");
}

static const char *take_word(const char *what)
{
	const char *word = strtok(NULL, " ");

	if (!word)
		fail("%s is missing", what);
	return word;
}

static unsigned long long to_number(const char *word, unsigned long long max, const char *what)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(word, &end, 10);
	if (errno || *end || end == word || *word == '-' || value > max)
		fail("%s is no %s", word, what);
	return value;
}

static enum scmp_compare to_operator(const char *word)
{
	static const struct {
		const char *name;
		enum scmp_compare operator;
	} operators[] = {
		{ "ne", SCMP_CMP_NE },
		{ "lt", SCMP_CMP_LT },
		{ "le", SCMP_CMP_LE },
		{ "eq", SCMP_CMP_EQ },
		{ "ge", SCMP_CMP_GE },
		{ "gt", SCMP_CMP_GT },
		{ "masked_eq", SCMP_CMP_MASKED_EQ },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(operators); i++)
		if (!strcmp(word, operators[i].name))
			return operators[i].operator;
	fail("%s is no operator", word);
}

static unsigned int take_action(void)
{
	return to_number(take_word("an action"), UINT_MAX, "action");
}

/* Only what is named counts: libseccomp begins with the architecture of this host. */
static void add_arch(scmp_filter_ctx filter, bool is_first)
{
	const char *word = take_word("an architecture");
	unsigned int arch = seccomp_arch_resolve_name(word);

	if (!arch)
		fail("%s is no architecture", word);
	if (arch != seccomp_arch_native())
		check(seccomp_arch_add(filter, arch), "adding", word);
	if (is_first && arch != seccomp_arch_native())
		check(seccomp_arch_remove(filter, SCMP_ARCH_NATIVE), "leaving out all but", word);
	else if (!is_first && arch == seccomp_arch_native())
		fail("%s, the host's own architecture, has to be the first one", word);
}

static void add_rule(scmp_filter_ctx filter, bool is_exact)
{
	struct scmp_arg_cmp tests[TESTS_MAX];
	unsigned int action = take_action();
	const char *call = take_word("a call"), *word;
	int number = seccomp_syscall_resolve_name(call);
	unsigned int count = 0;
	int result;

	while ((word = strtok(NULL, " "))) {
		if (count == TESTS_MAX)
			fail("more than %d tests", TESTS_MAX);
		tests[count].arg = to_number(word, TESTS_MAX - 1, "argument");
		tests[count].op = to_operator(take_word("an operator"));
		tests[count].datum_a = to_number(take_word("a value"), ULLONG_MAX, "value");
		tests[count].datum_b = to_number(take_word("a value"), ULLONG_MAX, "value");
		count++;
	}
	if (number == __NR_SCMP_ERROR) {
		fprintf(stderr, "unknown %s\n", call);
		return;
	}
	if (is_exact)
		result = seccomp_rule_add_exact_array(filter, action, number, count, tests);
	else
		result = seccomp_rule_add_array(filter, action, number, count, tests);
	if (!is_exact || result != -EDOM)
		check(result, "a rule for", call);
}

static scmp_filter_ctx take_rules(void)
{
	scmp_filter_ctx filter = NULL;
	bool has_arch = false;
	char line[1024];
	char *word;

	while (fgets(line, sizeof(line), stdin)) {
		line_number++;
		if (!strchr(line, '\n'))
			fail("too long, or without an end");
		line[strcspn(line, "\n")] = '\0';
		word = strtok(line, " ");
		if (!word || !filter != !strcmp(word, "default"))
			fail("the first line, and no other one, tells the default action");
		if (!strcmp(word, "default")) {
			filter = seccomp_init(take_action());
			if (!filter)
				fail("the default action is none");
		} else if (!strcmp(word, "badarch")) {
			set(filter, SCMP_FLTATR_ACT_BADARCH, take_action());
		} else if (!strcmp(word, "tree")) {
			set(filter, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_TREE);
		} else if (!strcmp(word, "arch")) {
			add_arch(filter, !has_arch);
			has_arch = true;
		} else if (!strcmp(word, "rule") || !strcmp(word, "exact")) {
			add_rule(filter, !strcmp(word, "exact"));
		} else {
			fail("%s is not understood", word);
		}
		if (strtok(NULL, " "))
			fail("more words than %s has", word);
	}
	if (ferror(stdin) || !filter || !has_arch)
		fail("the rules name no default action or no architecture");
	return filter;
}

static void list_names(unsigned int arch)
{
	char *name;
	int number;

	for (number = 0; number < NUMBERS_MAX; number++) {
		name = seccomp_syscall_resolve_num_arch(arch, number);
		if (name)
			puts(name);
		free(name);
	}
}

int main(int argc, char **argv)
{
	scmp_filter_ctx filter;

	if (argc == 2 && !strcmp(argv[1], "names")) {
		list_names(SCMP_ARCH_X86_64);
		list_names(SCMP_ARCH_X86);
		return fflush(stdout) ? 1 : 0;
	}
	if (argc == 2 && !strcmp(argv[1], "version")) {
		printf("%d.%d.%d\n", SCMP_VER_MAJOR, SCMP_VER_MINOR, SCMP_VER_MICRO);
		return fflush(stdout) ? 1 : 0;
	}
	check(seccomp_api_set(API_LEVEL), "choosing", "the API level");
	filter = take_rules();
	check(seccomp_export_bpf(filter, STDOUT_FILENO), "writing", "the program");
	seccomp_release(filter);
	return 0;
}
