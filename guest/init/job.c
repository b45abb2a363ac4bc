// SPDX-License-Identifier: GPL-2.0-only
/* Reading the job. Whatever is not exactly as protocol.h says makes the whole job void. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "protocol.h"

struct parser {
	struct job *job;
	struct check *check;	/* the one that `end` has not closed yet */
	bool done;
};

/* Takes a decimal number off the front of `text`: what follows it, or NULL. */
static char *take_number(char *text, u64 max, u64 *value)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return NULL;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno || *value > max)
		return NULL;
	return end;
}

static char *take_space(char *text)
{
	return text && *text == ' ' ? text + 1 : NULL;
}

static const char *parse_nonce(struct parser *parser, char *rest)
{
	if (parser->job->nonce[0])
		return "a second nonce";
	if (strlen(rest) != NONCE_LENGTH || strspn(rest, "0123456789abcdef") != NONCE_LENGTH)
		return "a nonce that is not 32 hex digits";
	memcpy(parser->job->nonce, rest, NONCE_LENGTH + 1);
	return NULL;
}

static const char *parse_check(struct parser *parser, char *rest)
{
	u64 index, deadline_ms, bytes;
	struct check *check;

	if (parser->check)
		return "a check inside of a check";
	rest = take_number(rest, CHECK_INDEX_MAX, &index);
	rest = take_number(take_space(rest), UINT_MAX, &deadline_ms);
	rest = take_number(take_space(rest), LLONG_MAX, &bytes);
	if (!rest || *rest)
		return "a check without `<index> <deadline_ms> <stdin_bytes>`";
	if (!deadline_ms)
		return "a check without time";
	if (job_find(parser->job, index))
		return "two checks of one index";
	if (parser->job->count == JOB_CHECKS_MAX)
		return "too many checks";
	check = &parser->job->checks[parser->job->count++];
	*check = (struct check) {
		.index = index,
		.deadline_ms = deadline_ms,
		.stdin_left = bytes,
		.stdin_write = -1,
		.stdin_read = -1,
	};
	parser->check = check;
	return NULL;
}

static const char *parse_arg(struct parser *parser, char *rest)
{
	struct check *check = parser->check;

	if (!check)
		return "an argument outside of a check";
	if (check->args == JOB_WORDS_MAX)
		return "too many arguments";
	check->argv[check->args++] = rest;
	return NULL;
}

static const char *parse_env(struct parser *parser, char *rest)
{
	struct check *check = parser->check;

	if (!check)
		return "a variable outside of a check";
	if (!strchr(rest, '=') || *rest == '=')
		return "a variable that is not NAME=VALUE";
	if (check->variables == JOB_WORDS_MAX)
		return "too many variables";
	check->envp[check->variables++] = rest;
	return NULL;
}

static const char *parse_end(struct parser *parser, char *rest)
{
	if (*rest)
		return "something behind `end`";
	if (!parser->check)
		return "an end without a check";
	if (!parser->check->args || !*parser->check->argv[0])
		return "a check without a program";
	parser->check = NULL;
	return NULL;
}

static const char *parse_go(struct parser *parser, char *rest)
{
	if (*rest)
		return "something behind `go`";
	if (parser->check)
		return "a check without an end";
	if (!parser->job->nonce[0])
		return "no nonce";
	parser->done = true;
	return NULL;
}

static const struct keyword {
	const char *word;
	const char *(*parse)(struct parser *parser, char *rest);
} keywords[] = {
	{ "nonce", parse_nonce },
	{ "check", parse_check },
	{ "arg", parse_arg },
	{ "env", parse_env },
	{ "end", parse_end },
	{ "go", parse_go },
};

static const char *parse_line(struct parser *parser, char *line)
{
	size_t i, length = strcspn(line, " ");
	char *rest = line + length;

	if (parser->done)
		return "a line behind `go`";
	if (*rest)
		rest++;
	for (i = 0; i < ARRAY_SIZE(keywords); i++)
		if (strlen(keywords[i].word) == length && !strncmp(keywords[i].word, line, length))
			return keywords[i].parse(parser, rest);
	return "an unknown keyword";
}

bool job_parse(struct job *job, char *text, size_t length, char *problem, size_t size)
{
	struct parser parser = { .job = job };
	const char *what = NULL;
	unsigned int line = 0;
	char *end;

	memset(job, 0, sizeof(*job));
	if (memchr(text, '\0', length)) {
		snprintf(problem, size, "the job: a zero byte");
		return false;
	}
	for (; *text && !what; text = end + 1) {
		line++;
		end = strchr(text, '\n');
		if (!end) {
			what = "a line without an end";
			break;
		}
		*end = '\0';
		what = parse_line(&parser, text);
	}
	if (!what && !parser.done)
		what = "no `go`";
	if (what)
		snprintf(problem, size, "the job, line %u: %s", line, what);
	return !what;
}

struct check *job_find(struct job *job, u16 index)
{
	size_t i;

	for (i = 0; i < job->count; i++)
		if (job->checks[i].index == index)
			return &job->checks[i];
	return NULL;
}
