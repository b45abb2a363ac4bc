/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's words for common things, for programs that run on top of it. */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include <assert.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#define __noreturn		__attribute__((__noreturn__))
#define __printf(string, first)	__attribute__((__format__(__printf__, string, first)))

#endif /* LAB_LAB_H */
