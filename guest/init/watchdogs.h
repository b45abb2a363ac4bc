/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's watchdogs, in the order in which they shall speak. */
#ifndef LAB_WATCHDOGS_H
#define LAB_WATCHDOGS_H

#include "job.h"

/*
 * RCU first, then soft lockups, then tasks that hang, and the deadlines of the checks last: the
 * first that speaks knows most. `boot_ms` is how long the kernel took to start init: one that is
 * slow gets more time.
 */
void watchdogs_set(const struct job *job, u64 boot_ms);

#endif /* LAB_WATCHDOGS_H */
