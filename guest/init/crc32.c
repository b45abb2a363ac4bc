// SPDX-License-Identifier: GPL-2.0-only
/*
 * CRC-32, eight bytes at a time: every byte that a check prints passes through here, and under
 * emulation the plain loop over single bytes is what limits the port.
 */
#include <string.h>

#include "crc32.h"

#define CRC32_POLYNOMIAL	0xedb88320u
#define SLICES			8

static u32 table[SLICES][256];

static void fill_table(void)
{
	u32 byte, crc;
	int bit, slice;

	for (byte = 0; byte < 256; byte++) {
		crc = byte;
		for (bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? CRC32_POLYNOMIAL : 0);
		table[0][byte] = crc;
	}
	for (byte = 0; byte < 256; byte++) {
		for (slice = 1; slice < SLICES; slice++) {
			crc = table[slice - 1][byte];
			table[slice][byte] = (crc >> 8) ^ table[0][crc & 0xff];
		}
	}
}

u32 crc32_update(u32 crc, const void *data, size_t size)
{
	const u8 *bytes = data;
	u32 low, high;

	if (!table[0][1])
		fill_table();
	crc = ~crc;
	for (; size >= SLICES; size -= SLICES, bytes += SLICES) {
		memcpy(&low, bytes, sizeof(low));
		memcpy(&high, bytes + 4, sizeof(high));
		low ^= crc;
		crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^
		      table[5][low >> 16 & 0xff] ^ table[4][low >> 24] ^
		      table[3][high & 0xff] ^ table[2][high >> 8 & 0xff] ^
		      table[1][high >> 16 & 0xff] ^ table[0][high >> 24];
	}
	for (; size; size--, bytes++)
		crc = (crc >> 8) ^ table[0][(crc ^ *bytes) & 0xff];
	return ~crc;
}
