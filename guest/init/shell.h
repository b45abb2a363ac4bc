/* SPDX-License-Identifier: GPL-2.0-only */
/* An interactive shell on the serial line, instead of a job. */
#ifndef LAB_SHELL_H
#define LAB_SHELL_H

/* Runs the shell to its end: NULL or what went wrong. */
const char *run_shell(void);

#endif /* LAB_SHELL_H */
