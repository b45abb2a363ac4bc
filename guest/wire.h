/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How programs of the kind `oracle` read what the host asks and write what they found: binary, in
 * the byte order of the machine, on their standard streams. Whatever is wrong with that ends them.
 */
#ifndef LAB_WIRE_H
#define LAB_WIRE_H

#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>

#include "lab.h"

#define INSTRUCTIONS_MAX	65535	/* what struct sock_fprog can say */

static inline __noreturn void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
	exit(2);
}

static inline void take(void *data, size_t size)
{
	if (size && fread(data, size, 1, stdin) != 1)
		fail("the input ends too early");
}

static inline u32 take_u32(u32 max, const char *what)
{
	u32 value;

	take(&value, sizeof(value));
	if (value > max)
		fail(what);
	return value;
}

static inline void take_nothing_more(void)
{
	if (fgetc(stdin) != EOF)
		fail("something follows the end of the input");
}

/* Room for so many, and for one more: none at all is no error. */
static inline void *zeroed(size_t count, size_t size)
{
	void *memory = calloc(count + 1, size);

	if (!memory)
		fail("out of memory");
	return memory;
}

static inline void take_filter(struct sock_fprog *filter)
{
	filter->len = take_u32(INSTRUCTIONS_MAX, "a filter of too many instructions");
	filter->filter = zeroed(filter->len, sizeof(*filter->filter));
	take(filter->filter, filter->len * sizeof(*filter->filter));
}

static inline void put(const void *data, size_t size)
{
	if (size && fwrite(data, size, 1, stdout) != 1)
		fail("the output cannot be written");
}

/* Four letters, and numbers. */
static inline void put_header(const char *magic, const u32 *numbers, size_t count)
{
	put(magic, 4);
	put(numbers, count * sizeof(*numbers));
}

static inline void flush(void)
{
	if (fflush(stdout))
		fail("the output cannot be written");
}

#endif /* LAB_WIRE_H */
