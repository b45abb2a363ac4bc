/* SPDX-License-Identifier: GPL-2.0-only */
/* Running one check. */
#ifndef LAB_RUN_CHECK_H
#define LAB_RUN_CHECK_H

#include "lab.h"
#include "job.h"

/* To be called once, before the first check. */
void run_prepare(int kmsg_fd);

/*
 * Runs a check from START to DONE; nothing of it is left afterwards. False with `problem` filled
 * in if something of it is, or if init itself failed: the guest is of no more use then.
 */
bool run_check(const struct check *check, char *problem, size_t size);

#endif /* LAB_RUN_CHECK_H */
