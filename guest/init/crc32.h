/* SPDX-License-Identifier: GPL-2.0-only */
/* CRC-32 as in IEEE 802.3 and zlib. */
#ifndef LAB_CRC32_H
#define LAB_CRC32_H

#include "lab.h"

/* Continues `crc` (0 at the start) over `size` bytes. */
u32 crc32_update(u32 crc, const void *data, size_t size);

#endif /* LAB_CRC32_H */
