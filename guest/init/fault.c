// SPDX-License-Identifier: GPL-2.0-only
/* Faults of init itself. An ordinary init has none of this. */
#include "fault.h"

#ifdef LAB_FAULT
#include <stdlib.h>
#include <unistd.h>

#include "port.h"

static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static void before_second_check(void)
{
	switch (LAB_FAULT) {
	case FAULT_CLOSE_PORT:
		port_break(PORT_CLOSED);
		break;
	case FAULT_CUT_RECORD:
		port_break(PORT_CUT);
		break;
	case FAULT_GARBAGE:
		port_break(PORT_GARBAGE);
		break;
	case FAULT_SKIP_RECORD:
		port_break(PORT_SKIPPED);
		break;
	case FAULT_STOP:
		sleep_for_ever();
		break;
	default:
		break;
	}
}

void fault_at(enum fault_point point)
{
	switch (point) {
	case FAULT_POINT_BOOT:
		if (fault_is(FAULT_EXIT_AT_BOOT))
			_exit(3);
		if (fault_is(FAULT_SLEEP_AT_BOOT))
			sleep_for_ever();
		break;
	case FAULT_POINT_HELLO:
		if (fault_is(FAULT_EXIT_EARLY))
			_exit(3);
		if (fault_is(FAULT_HELLO_TWICE))
			port_send(FRAME_HELLO, CHECK_NONE, "", 0);
		break;
	case FAULT_POINT_CHECK:
		before_second_check();
		break;
	}
}
#endif
