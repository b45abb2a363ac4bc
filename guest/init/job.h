/* SPDX-License-Identifier: GPL-2.0-only */
/* The job: which checks this boot runs, as the host's text says it. */
#ifndef LAB_JOB_H
#define LAB_JOB_H

#include "lab.h"

#define JOB_CHECKS_MAX	256
#define JOB_WORDS_MAX	64	/* arguments of a check, and as many variables */
#define NONCE_LENGTH	32

struct check {
	u16 index;
	u32 deadline_ms;
	u64 stdin_left;	/* bytes that have not come yet */
	int stdin_write;	/* -1 if the check has no input */
	int stdin_read;
	size_t args, variables;
	char *argv[JOB_WORDS_MAX + 1];
	char *envp[JOB_WORDS_MAX + 1];
};

struct job {
	char nonce[NONCE_LENGTH + 1];
	size_t count;
	struct check checks[JOB_CHECKS_MAX];
};

/*
 * Fills `job`, which points into `text` from then on: a writable, terminated copy of the payload of
 * `length` bytes. False with `problem` filled in if it is malformed.
 */
bool job_parse(struct job *job, char *text, size_t length, char *problem, size_t size);

struct check *job_find(struct job *job, u16 index);

#endif /* LAB_JOB_H */
