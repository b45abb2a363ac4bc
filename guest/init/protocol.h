/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The results port: what init and the lab say to each other.
 *
 * Frames in both directions, little endian: a header, then the payload. Text payloads consist of
 * lines that end in '\n'.
 *
 * The end of a conversation: after END or FATAL init waits up to FAREWELL_WAIT_MS for the host to
 * hang up (close QEMU's standard input) or to send any byte, and only then resets the machine. A
 * write to the port returns when the data is in the queue, not when the host has it, and a reset
 * throws the queue away: a host that reads slowly would lose the last frames. A host that hangs up
 * once it has END makes this exact and costs no time. It must not hang up earlier: the guest's
 * unread output would be discarded, and init takes it for the end of the lab.
 */
#ifndef LAB_PROTOCOL_H
#define LAB_PROTOCOL_H

#include "lab.h"

#define PORT_NAME		"lab.results"

#define FRAME_MAGIC		0x31424c53u	/* "SLB1" */
#define FRAME_PAYLOAD_MAX	65536u

/* Values of `check` that are not the index of a check in the job. */
#define CHECK_NONE		0xffffu
#define CHECK_PLANT		0xfffeu		/* the planted warning */
#define CHECK_INDEX_MAX		0xfffdu

#define FAREWELL_WAIT_MS	5000

struct frame_header {
	u32 magic;
	u8 type;
	u8 flags;		/* 0 */
	u16 check;
	u32 seq;		/* per direction, from 0, one more per frame */
	u32 length;	/* of the payload */
	u32 crc;		/* CRC-32 (IEEE) of the 16 bytes above and the payload */
};

static_assert(sizeof(struct frame_header) == 20, "the frame header has holes");

enum frame_type {
	/* host to guest */

	/*
	 * The job, in one frame:
	 *	nonce <32 hex digits>
	 *	check <index> <deadline_ms> <stdin_bytes>	for each check
	 *	arg <text>					one or more: argv
	 *	env <K=V>					any number
	 *	end						of this check
	 *	go						of the job
	 */
	FRAME_JOB	= 0x01,
	FRAME_INPUT	= 0x02,	/* the next bytes of a check's standard input */
	/* The guest's time is over: init lets the kernel say what all tasks are doing. */
	FRAME_EVIDENCE	= 0x03,

	/* guest to host */

	/* nonce, release, version, machine, cpus, ms (since boot), each `<word> <value>` */
	FRAME_HELLO	= 0x10,
	FRAME_START	= 0x11,	/* argv[0] */
	FRAME_OUTPUT	= 0x12,	/* bytes of stdout */
	FRAME_ERROR	= 0x13,	/* bytes of stderr */
	/*
	 * `exit <n>`, `signal <n>`, `deadline` or `spawn-failed <errno>`, then
	 * ms, stdout (bytes), stderr (bytes), leftover (processes that had to be killed)
	 */
	FRAME_DONE	= 0x14,
	FRAME_KMSG	= 0x15,	/* whole records of /dev/kmsg */
	FRAME_PLANT	= 0x17,	/* `written` or `failed <errno> <what>` */
	FRAME_FATAL	= 0x18,	/* what init could not do */
	FRAME_END	= 0x1f,	/* nonce, checks (that got a DONE), frames (before this one) */
};

#endif /* LAB_PROTOCOL_H */
