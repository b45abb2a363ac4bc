// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's log. Where the ring buffer overran its reader (EPIPE) nothing needs to be said: the
 * records carry sequence numbers, and the host sees the gap.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"
#include "port.h"
#include "setup.h"

#define RECORD_BYTES_MAX	(16 * 1024)	/* twice of what the kernel formats at most */
#define FORWARD_RECORDS_MAX	512
#define DRAIN_RECORDS_MAX	1000000		/* a kernel that never falls silent */

static int kmsg_fd = -1;
static bool saw_warning;
static char pack[FRAME_PAYLOAD_MAX];

int kmsg_open(void)
{
	kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return kmsg_fd < 0 ? -errno : kmsg_fd;
}

/* Reads one record to `record`: its length, or 0 if there is none now. */
static size_t read_record(char *record)
{
	ssize_t n;

	do {
		n = read(kmsg_fd, record, RECORD_BYTES_MAX);
	} while (n < 0 && (errno == EPIPE || errno == EINTR));
	return n < 0 ? 0 : n;
}

static void forward(u16 check, unsigned int records_max)
{
	size_t used = 0, length;

	if (kmsg_fd < 0)
		return;
	while (records_max--) {
		length = read_record(pack + used);
		if (!length)
			break;
		if (memmem(pack + used, length, "WARNING:", 8))
			saw_warning = true;
		used += length;
		if (used <= sizeof(pack) - RECORD_BYTES_MAX)
			continue;
		port_send(FRAME_KMSG, check, pack, used);
		used = 0;
	}
	if (used)
		port_send(FRAME_KMSG, check, pack, used);
}

void kmsg_forward(u16 check)
{
	forward(check, FORWARD_RECORDS_MAX);
}

void kmsg_drain(u16 check)
{
	forward(check, DRAIN_RECORDS_MAX);
}

void kmsg_ask(const char *orders, u16 check)
{
	char order[2] = { 0 };

	for (; *orders; orders++) {
		order[0] = *orders;
		write_file("/proc/sysrq-trigger", order);
		kmsg_drain(check);
	}
}

bool kmsg_saw_warning(void)
{
	bool saw = saw_warning;

	saw_warning = false;
	return saw;
}
