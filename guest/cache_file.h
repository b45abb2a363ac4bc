/* SPDX-License-Identifier: GPL-2.0-only */
/* What /proc/<pid>/seccomp_cache looks like. */
#ifndef LAB_CACHE_FILE_H
#define LAB_CACHE_FILE_H

#include <stdlib.h>

#include "task.h"

#define OWN_FILE	"/proc/self/seccomp_cache"

/* Reads a line at `text`: what follows it, or NULL if it is not `<arch> <number> <word>`. */
static inline const char *parse_line(const char *text, const char **arch, long *number)
{
	static const char * const archs[] = { "x86_64 ", "ia32 " };
	char *end;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(archs); i++)
		if (!strncmp(text, archs[i], strlen(archs[i])))
			break;
	if (i == ARRAY_SIZE(archs))
		return NULL;
	*arch = archs[i];
	text += strlen(archs[i]);
	if (*text < '0' || *text > '9')
		return NULL;
	*number = strtol(text, &end, 10);
	if (!strncmp(end, " ALLOW\n", 7))
		return end + 7;
	if (!strncmp(end, " FILTER\n", 8))
		return end + 8;
	return NULL;
}

/* Every line well formed, the numbers of each architecture 0, 1, 2 … without a break. */
static inline bool expect_lines(struct reading *reading)
{
	const char *text = reading->text, *next, *arch, *last = NULL;
	long number, expected = 0;
	unsigned int line = 1, archs = 0;

	if (!expect_readable(reading, "the file"))
		return false;
	reading->text[reading->length < READING_MAX ? reading->length : READING_MAX - 1] = '\0';
	for (; *text; text = next, line++, expected++, last = arch) {
		next = parse_line(text, &arch, &number);
		if (!next) {
			note("line %u: expected `<arch> <number> ALLOW|FILTER`, got `%.*s`", line,
			     (int)strcspn(text, "\n"), text);
			return false;
		}
		if (arch != last) {
			expected = 0;
			archs++;
		}
		if (number != expected) {
			note("line %u: expected number %ld, got %ld", line, expected, number);
			return false;
		}
	}
	if (line > 1 && archs <= 2)
		return true;
	note("expected lines of one or two architectures, got %u lines in %u blocks", line - 1,
	     archs);
	return false;
}

#endif /* LAB_CACHE_FILE_H */
