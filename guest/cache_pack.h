/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packs the text of /proc/<pid>/seccomp_cache, one bit a line, so that unpacking gives every byte
 * back. What is not exactly of the documented form is not packed at all:
 *
 *	<name> <number> <ALLOW|FILTER>\n	name of letters, digits and '_'; numbers from 0 up
 *
 * Packed are runs of lines of one name: u32 length of the name, the name, u32 lines, then a bit
 * for each line, the lowest first, 1 for ALLOW; the spare bits of the last byte are 0.
 */
#ifndef LAB_CACHE_PACK_H
#define LAB_CACHE_PACK_H

#include <string.h>

#include "lab.h"

#define NAME_BYTES_MAX		31
#define RUN_LINES_MAX		65536
#define PACKED_BYTES_MAX	65536
#define DIGITS_MAX		8

/* Text that is still to be packed, and the room that is left for it. */
struct packing {
	const char *text, *text_end;
	u8 *packed, *packed_end;
};

/* A number as text, right-aligned, so that counting costs next to nothing. */
struct counter {
	char text[DIGITS_MAX];
	size_t first;
};

static inline void count_up(struct counter *counter)
{
	size_t i = DIGITS_MAX - 1;

	while (i > counter->first && counter->text[i] == '9')
		counter->text[i--] = '0';
	if (counter->text[i] != '9') {
		counter->text[i]++;
		return;
	}
	counter->text[i] = '0';
	counter->text[--counter->first] = '1';
}

static inline bool is_name_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '_';
}

static inline size_t name_length(const struct packing *packing)
{
	const char *end = packing->text;

	while (end < packing->text_end && is_name_byte(*end))
		end++;
	return end - packing->text;
}

/* The text with `word` taken off its front, or NULL where it does not begin with it. */
static inline const char *skip(const char *text, const char *end, const char *word, size_t length)
{
	if (!text || (size_t)(end - text) < length || memcmp(text, word, length))
		return NULL;
	return text + length;
}

static inline bool put_packed(struct packing *packing, const void *data, size_t size)
{
	if ((size_t)(packing->packed_end - packing->packed) < size)
		return false;
	memcpy(packing->packed, data, size);
	packing->packed += size;
	return true;
}

/* Takes the line of this name and number off the text: its bit, or -1 where another one stands. */
static inline int take_line(struct packing *packing, const char *name, size_t length,
			    const struct counter *counter)
{
	const char *end = packing->text_end, *text, *after;

	text = skip(packing->text, end, name, length);
	text = skip(text, end, " ", 1);
	text = skip(text, end, counter->text + counter->first, DIGITS_MAX - counter->first);
	after = skip(text, end, " ALLOW\n", 7);
	if (after) {
		packing->text = after;
		return 1;
	}
	after = skip(text, end, " FILTER\n", 8);
	if (!after)
		return -1;
	packing->text = after;
	return 0;
}

static inline bool pack_run(struct packing *packing)
{
	struct counter counter = { .text = "00000000", .first = DIGITS_MAX - 1 };
	const char *name = packing->text;
	u32 length = name_length(packing), lines = 0;
	u8 *count_at;
	int bit;

	if (!length || length > NAME_BYTES_MAX ||
	    !put_packed(packing, &length, sizeof(length)) || !put_packed(packing, name, length))
		return false;
	count_at = packing->packed;
	if (!put_packed(packing, &lines, sizeof(lines)))
		return false;
	while ((bit = take_line(packing, name, length, &counter)) >= 0) {
		if (lines == RUN_LINES_MAX || (!(lines % 8) && !put_packed(packing, "", 1)))
			return false;
		packing->packed[-1] |= bit << lines % 8;
		lines++;
		count_up(&counter);
	}
	memcpy(count_at, &lines, sizeof(lines));
	return lines;
}

/* The bytes that the text was packed into, or 0 if it has to be sent as it is. */
static inline size_t pack(const char *text, size_t length, u8 packed[PACKED_BYTES_MAX])
{
	struct packing packing = {
		.text = text, .text_end = text + length,
		.packed = packed, .packed_end = packed + PACKED_BYTES_MAX,
	};

	while (packing.text < packing.text_end)
		if (!pack_run(&packing))
			return 0;
	return packing.packed - packed;
}

#endif /* LAB_CACHE_PACK_H */
