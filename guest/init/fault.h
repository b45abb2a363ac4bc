/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults of init itself, for `selfcheck guests`: one is compiled in with -DLAB_FAULT=NAME. Without
 * it all of this is nothing.
 */
#ifndef LAB_FAULT_H
#define LAB_FAULT_H

#include "lab.h"

enum init_fault {
	FAULT_NONE,
	FAULT_EXIT_AT_BOOT,	/* ends before it has said a word */
	FAULT_SLEEP_AT_BOOT,	/* never says one */
	FAULT_EXIT_EARLY,	/* ends after its hello */
	FAULT_HELLO_TWICE,
	FAULT_CLOSE_PORT,	/* before the second check, as those below */
	FAULT_CUT_RECORD,
	FAULT_GARBAGE,
	FAULT_SKIP_RECORD,
	FAULT_STOP,		/* sleeps, and a check never begins */
	FAULT_OTHER_NONCE,	/* at the end */
	FAULT_COUNT_WRONG,
};

enum fault_point { FAULT_POINT_BOOT, FAULT_POINT_HELLO, FAULT_POINT_CHECK };

#ifdef LAB_FAULT
void fault_at(enum fault_point point);

static inline bool fault_is(enum init_fault fault)
{
	return fault == LAB_FAULT;
}
#else
static inline void fault_at(enum fault_point point)
{
	(void)point;
}

static inline bool fault_is(enum init_fault fault)
{
	(void)fault;
	return false;
}
#endif

#endif /* LAB_FAULT_H */
