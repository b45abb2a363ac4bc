// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plugin of QEMU's that counts the guest's instructions between marks: all of them, those with
 * interrupts off, and on demand those at each address. For one processor.
 *
 * Arguments: out=FILE; profile=on for the addresses; interrupts=ADDRESS+ADDRESS+…, in hex, for the
 * entries of interrupts, whose handlers are not counted. The file has for each pair of marks, in
 * order and numbered from 0:
 *
 *	section NUMBER TOTAL OFF LONGEST
 *
 * where OFF is what ran with interrupts off, and LONGEST the longest run of it; then with
 * profile=on a line for each address that was executed:
 *
 *	at ADDRESS(hex) TIMES
 *
 * and at the very end "end SECTIONS". The marks are those of guest/counted.h.
 *
 * Registers cannot be read, so the interrupt flag is followed: cli and an entry to the kernel clear
 * it, sti and the way back set it, popf takes what the last pushf without one has seen. An interrupt
 * begins at one of the entries and ends with iret; it finds the flag set, and leaves it so.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_plugin.h"

#define EXPORTED		__attribute__((visibility("default")))

EXPORTED int qemu_plugin_version = 1;

#define FLAGS_MAX		64
#define ENTRIES_MAX		256
#define CELLS_LOG2		20
#define CELLS			(1u << CELLS_LOG2)

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* What an address was executed. */
struct cell {
	uint64_t address;
	uint64_t times;
};

static FILE *out;
static bool is_profiled;
static struct cell *cells;
static bool are_cells_full;
static bool is_damaged;		/* a mark stood in a handler, or flags were not followed */

static uint64_t executed;	/* instructions since the start */
static uint64_t sections;

static bool is_open;		/* between a pair of marks */
static uint64_t opened_at;
static bool is_off;		/* interrupts are */
static uint64_t off_since, off_total, off_longest;

static unsigned int depth;	/* of interrupts */
static uint64_t interrupted_at, not_counted;
static uint64_t entries[ENTRIES_MAX];
static unsigned int entry_count;

static bool flags[FLAGS_MAX];	/* what pushf has seen and popf has not taken yet */
static unsigned int flag_count;

static void turn(bool off)
{
	uint64_t length;

	if (depth || off == is_off)
		return;
	is_off = off;
	if (off) {
		off_since = executed;
		return;
	}
	length = executed - off_since;
	off_total += length;
	if (length > off_longest)
		off_longest = length;
}

static void on_begin(unsigned int vcpu, void *data)
{
	unsigned int i;

	(void)vcpu;
	(void)data;
	is_open = true;
	is_off = false;
	flag_count = 0;
	off_total = 0;
	off_longest = 0;
	depth = 0;
	not_counted = 0;
	opened_at = executed;
	for (i = 0; is_profiled && i < CELLS; i++)
		cells[i].times = 0;
}

static void on_end(unsigned int vcpu, void *data)
{
	unsigned int i;

	(void)vcpu;
	(void)data;
	if (!is_open)
		return;
	is_open = false;
	is_damaged |= depth > 0;
	depth = 0;
	turn(false);
	fprintf(out, "section %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", sections++,
		executed - opened_at - not_counted, off_total, off_longest);
	for (i = 0; is_profiled && i < CELLS; i++)
		if (cells[i].times)
			fprintf(out, "at %" PRIx64 " %" PRIu64 "\n", cells[i].address,
				cells[i].times);
}

static void on_off(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	turn(true);
}

static void on_on(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	if (depth)
		return;
	turn(false);
	/* A flag that was only looked at has no popf: it must not be taken for another's. */
	flag_count = 0;
}

static void on_interrupt(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	if (!depth++)
		interrupted_at = executed;
}

static void on_iret(unsigned int vcpu, void *data)
{
	if (!depth)
		on_on(vcpu, data);
	else if (!--depth)
		not_counted += executed + 1 - interrupted_at;
}

static void on_pushf(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	if (depth)
		return;
	if (flag_count < FLAGS_MAX)
		flags[flag_count++] = is_off;
	else
		is_damaged = true;
}

static void on_popf(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	if (!depth)
		turn(flag_count && flags[--flag_count]);
}

struct watched {
	uint8_t size;
	uint8_t bytes[7];
	exec_cb *cb;
};

static const struct watched watched[] = {
	{ 7, { 0x0f, 0x1f, 0x80, 0x01, 0x5e, 0xcc, 0x0b }, on_begin },
	{ 7, { 0x0f, 0x1f, 0x80, 0x02, 0x5e, 0xcc, 0x0b }, on_end },
	{ 1, { 0xfa }, on_off },		/* cli */
	{ 2, { 0x0f, 0x05 }, on_off },		/* syscall */
	{ 2, { 0xcd, 0x80 }, on_off },		/* int $0x80 */
	{ 1, { 0xfb }, on_on },			/* sti */
	{ 2, { 0x0f, 0x34 }, on_off },		/* sysenter */
	{ 3, { 0x48, 0x0f, 0x07 }, on_on },	/* sysret, to 64 bits */
	{ 2, { 0x0f, 0x07 }, on_on },		/* sysret, to 32 bits */
	{ 2, { 0x0f, 0x35 }, on_on },		/* sysexit */
	{ 2, { 0x48, 0xcf }, on_iret },		/* iretq */
	{ 1, { 0xcf }, on_iret },		/* iret */
	{ 1, { 0x9c }, on_pushf },
	{ 1, { 0x9d }, on_popf },
};

/* Before the instruction itself is counted: it is the interrupt's. */
static void watch_entries(struct qemu_plugin_insn *insn)
{
	uint64_t address = qemu_plugin_insn_vaddr(insn);
	unsigned int i;

	for (i = 0; i < entry_count; i++)
		if (address == entries[i])
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_interrupt,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static void watch(struct qemu_plugin_insn *insn)
{
	const void *bytes = qemu_plugin_insn_data(insn);
	size_t i, size = qemu_plugin_insn_size(insn);

	for (i = 0; i < ARRAY_SIZE(watched); i++)
		if (size == watched[i].size && !memcmp(bytes, watched[i].bytes, size))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, watched[i].cb,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
}

/* The cell of an address: its own, or a new one. */
static struct cell *cell_of(uint64_t address)
{
	uint64_t at = address * 0x9e3779b97f4a7c15u >> (64 - CELLS_LOG2);
	unsigned int tried;

	for (tried = 0; tried < CELLS; tried++, at = (at + 1) % CELLS) {
		if (cells[at].address == address)
			return &cells[at];
		if (!cells[at].address) {
			cells[at].address = address;
			return &cells[at];
		}
	}
	are_cells_full = true;
	return NULL;
}

static void on_address(unsigned int vcpu, void *data)
{
	struct cell *cell = data;

	(void)vcpu;
	if (is_open && !depth)
		cell->times++;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, count = qemu_plugin_tb_n_insns(tb);
	struct qemu_plugin_insn *insn;
	struct cell *cell;

	(void)id;
	for (i = 0; i < count; i++) {
		insn = qemu_plugin_tb_get_insn(tb, i);
		qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
							   &executed, 1);
		watch_entries(insn);
		cell = is_profiled ? cell_of(qemu_plugin_insn_vaddr(insn)) : NULL;
		if (cell)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_address,
							       QEMU_PLUGIN_CB_NO_REGS, cell);
		watch(insn);
	}
}

static void on_exit_of_qemu(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	if (are_cells_full || is_damaged)
		fprintf(out, "%s\n", are_cells_full ? "full" : "damaged");
	fprintf(out, "end %" PRIu64 "\n", sections);
	fclose(out);
}

static bool take_entries(const char *text)
{
	char *end;

	for (; *text; text = *end ? end + 1 : end) {
		if (entry_count == ENTRIES_MAX)
			return false;
		entries[entry_count++] = strtoull(text, &end, 16);
		if (end == text || (*end && *end != '+'))
			return false;
	}
	return true;
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
		else if (!strcmp(argv[i], "profile=on"))
			is_profiled = true;
		else if (!strncmp(argv[i], "interrupts=", 11) && take_entries(argv[i] + 11))
			;
		else if (strcmp(argv[i], "profile=off"))
			return -1;
	}
	if (is_profiled)
		cells = calloc(CELLS, sizeof(*cells));
	if (!out || (is_profiled && !cells))
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
	return 0;
}
