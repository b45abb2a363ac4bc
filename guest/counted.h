/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is counted: guest instructions. Under QEMU's instruction counting the time stamp counter
 * counts them, one by one. Marks tell a plugin of QEMU which of them are meant.
 */
#ifndef LAB_COUNTED_H
#define LAB_COUNTED_H

#include <sys/syscall.h>
#include <unistd.h>

#include "lab.h"

/*
 * Instructions that do nothing, whatever the processor, and that no compiler emits: nopl with a
 * displacement that the plugin knows as well (guest/plugin/count.c).
 */
#define MARK_BEGIN	".byte 0x0f, 0x1f, 0x80, 0x01, 0x5e, 0xcc, 0x0b"
#define MARK_END	".byte 0x0f, 0x1f, 0x80, 0x02, 0x5e, 0xcc, 0x0b"

static inline u64 now_instructions(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (u64)high << 32 | low;
}

/* The same call over and over: in what it takes only the number of calls may make a difference. */
#ifdef __x86_64__
static inline u64 count_calls(u32 number, const u64 *args, u32 count)
{
	register long fourth asm("r10") = args[3];
	register long fifth asm("r8") = args[4];
	register long sixth asm("r9") = args[5];
	u64 before, left = count;

	asm volatile(MARK_BEGIN);
	before = now_instructions();
	asm volatile("1:\n\t"
		     "mov %[number], %%eax\n\t"
		     "syscall\n\t"
		     "dec %[left]\n\t"
		     "jnz 1b"
		     : [left] "+b"(left)
		     : [number] "m"(number), "D"(args[0]), "S"(args[1]), "d"(args[2]), "r"(fourth),
		       "r"(fifth), "r"(sixth)
		     : "rax", "rcx", "r11", "memory", "cc");
	before = now_instructions() - before;
	asm volatile(MARK_END);
	return before;
}
#else
struct call_loop {
	u32 number, left, args[5];
};

/*
 * All registers but %ebp are the call's: that one points to what the loop needs, and is passed as
 * the sixth argument. The kernel leaves it as it is.
 */
static inline u64 count_calls(u32 number, const u64 *args, u32 count)
{
	struct call_loop loop = {
		number, count, { args[0], args[1], args[2], args[3], args[4] },
	};
	struct call_loop *pointer = &loop;
	u64 before;

	asm volatile(MARK_BEGIN);
	before = now_instructions();
	asm volatile("pushl %%ebx\n\t"
		     "pushl %%esi\n\t"
		     "pushl %%edi\n\t"
		     "pushl %%ebp\n\t"
		     "movl %%eax, %%ebp\n\t"
		     "movl 8(%%ebp), %%ebx\n\t"
		     "movl 12(%%ebp), %%ecx\n\t"
		     "movl 16(%%ebp), %%edx\n\t"
		     "movl 20(%%ebp), %%esi\n\t"
		     "movl 24(%%ebp), %%edi\n"
		     "1:\n\t"
		     "movl (%%ebp), %%eax\n\t"
		     "int $0x80\n\t"
		     "decl 4(%%ebp)\n\t"
		     "jnz 1b\n\t"
		     "popl %%ebp\n\t"
		     "popl %%edi\n\t"
		     "popl %%esi\n\t"
		     "popl %%ebx"
		     : "+a"(pointer) : : "ecx", "edx", "memory", "cc");
	before = now_instructions() - before;
	asm volatile(MARK_END);
	return before;
}
#endif

#endif /* LAB_COUNTED_H */
