/* SPDX-License-Identifier: GPL-2.0-only */
/* Starting the program of a check. */
#ifndef LAB_SPAWN_H
#define LAB_SPAWN_H

#include <sys/types.h>

#include "job.h"

struct child {
	pid_t pid;		/* -1 once it has been reaped */
	int stdout_fd;		/* our ends, not blocking; -1 once at their end */
	int stderr_fd;
	int error_fd;		/* carries the errno of a failed exec */
};

/* 0, or the errno of what kept the child from being forked. */
int spawn(const struct check *check, struct child *child);

/* The errno of the exec of a child that is no more, 0 if it went well. */
int spawn_error(struct child *child);

/* Gives a child back what init ignores or blocks. */
void reset_signals(void);

#endif /* LAB_SPAWN_H */
