// SPDX-License-Identifier: GPL-2.0-only
/* Frames over the results port, a virtio-serial port that is found by its name. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crc32.h"
#include "port.h"
#include "setup.h"

#define PORT_CLASS		"/sys/class/virtio-ports"
#define PORT_WAIT_MS		25000	/* the host may be slow: less than its boot deadline */
#define PORT_STEP_MS		5

#define SEND_STALL_MS_MAX	(600 * 1000)	/* a host that takes nothing for so long is gone */
#define SEND_CHUNK		(32 * 1024)	/* what the driver takes at a time */
#define SEND_CHUNK_SMALL	4096		/* the driver wants it contiguous */
#define SEND_RETRIES_MAX	1000
#define SEND_RETRY_MS		5

#define ASK_WAIT_MS		100	/* the frame is small, and begun */

struct buffer {
	struct frame_header header;
	u8 payload[FRAME_PAYLOAD_MAX];
};

static int port_fd = -1;
static u32 sent, received;
static struct buffer out, in;

static bool read_name(const char *port, char *name, size_t size)
{
	char path[320];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), PORT_CLASS "/%s/name", port);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, name, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	name[n] = '\0';
	name[strcspn(name, "\n")] = '\0';
	return true;
}

/* The device of the port with our name: true if it is there by now. */
static bool find_port(char *device, size_t size)
{
	struct dirent *entry;
	char name[64];
	DIR *ports;
	bool found = false;

	ports = opendir(PORT_CLASS);
	if (!ports)
		return false;
	while (!found && (entry = readdir(ports))) {
		if (entry->d_name[0] == '.' || !read_name(entry->d_name, name, sizeof(name)))
			continue;
		found = !strcmp(name, PORT_NAME) &&
			snprintf(device, size, "/dev/%s", entry->d_name) < (int)size;
	}
	closedir(ports);
	return found;
}

/* The driver learns that the host is connected a little later than the port's name. */
static bool host_is_connected(void)
{
	struct pollfd poll_fd = { .fd = port_fd, .events = POLLOUT };

	return poll(&poll_fd, 1, 0) >= 0 && !(poll_fd.revents & POLLHUP);
}

const char *port_open(void)
{
	const char *problem = "no port named " PORT_NAME " appeared";
	u64 give_up = now_ms() + PORT_WAIT_MS;
	char device[64];

	for (; now_ms() < give_up; sleep_ms(PORT_STEP_MS)) {
		if (port_fd < 0) {
			if (!find_port(device, sizeof(device)))
				continue;
			problem = "the port " PORT_NAME " could not be opened";
			port_fd = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
			if (port_fd < 0)
				continue;
			problem = "nobody is connected to the port " PORT_NAME;
		}
		if (host_is_connected())
			return NULL;
	}
	if (port_fd >= 0)
		close(port_fd);
	port_fd = -1;
	return problem;
}

bool port_is_open(void)
{
	return port_fd >= 0;
}

/* Waits until one of `events` is possible; false after `wait_ms` or if the host hung up. */
static bool port_wait(short events, int wait_ms)
{
	struct pollfd poll_fd = { .fd = port_fd, .events = events };
	int n;

	do {
		n = poll(&poll_fd, 1, wait_ms);
	} while (n < 0 && errno == EINTR);
	return n > 0 && poll_fd.revents & events;
}

static void port_write(const u8 *data, size_t size)
{
	size_t chunk = SEND_CHUNK;
	int retries = 0;
	ssize_t n;

	while (size) {
		n = write(port_fd, data, size < chunk ? size : chunk);
		if (n > 0) {
			data += n;
			size -= n;
			retries = 0;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (!port_wait(POLLOUT, SEND_STALL_MS_MAX))
				reset_machine();
			continue;
		}
		/* Nothing taken: the queue was full after all. No memory: there may be later. */
		if (n < 0 && errno != ENOMEM)
			reset_machine();
		if (++retries > SEND_RETRIES_MAX)
			reset_machine();
		chunk = SEND_CHUNK_SMALL;
		sleep_ms(SEND_RETRY_MS);
	}
}

static u32 frame_crc(const struct buffer *buffer)
{
	u32 crc = crc32_update(0, &buffer->header, offsetof(struct frame_header, crc));

	return crc32_update(crc, buffer->payload, buffer->header.length);
}

void port_send(enum frame_type type, u16 check, const void *payload, size_t length)
{
	if (length > FRAME_PAYLOAD_MAX)
		length = FRAME_PAYLOAD_MAX;
	out.header = (struct frame_header) {
		.magic = FRAME_MAGIC,
		.type = type,
		.check = check,
		.seq = sent++,
		.length = length,
	};
	memcpy(out.payload, payload, length);
	out.header.crc = frame_crc(&out);
	port_write((const u8 *)&out, sizeof(out.header) + length);
}

/* Reads exactly `size` bytes: NULL or what went wrong. */
static const char *port_read(void *data, size_t size, u64 give_up)
{
	u8 *bytes = data;
	s64 left_ms;
	ssize_t n;

	while (size) {
		n = read(port_fd, bytes, size);
		if (n > 0) {
			bytes += n;
			size -= n;
			continue;
		}
		if (!n)
			return "the host hung up";
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return "reading from the host failed";
		left_ms = give_up - now_ms();
		if (left_ms <= 0)
			return "the host sent nothing more";
		port_wait(POLLIN, left_ms);
	}
	return NULL;
}

const char *port_receive(struct frame *frame, int wait_ms)
{
	u64 give_up = now_ms() + wait_ms;
	const char *problem;

	problem = port_read(&in.header, sizeof(in.header), give_up);
	if (problem)
		return problem;
	if (in.header.magic != FRAME_MAGIC || in.header.flags)
		return "the host sent something that is no frame";
	if (in.header.length > FRAME_PAYLOAD_MAX)
		return "the host sent a frame that is too long";
	problem = port_read(in.payload, in.header.length, give_up);
	if (problem)
		return problem;
	if (in.header.crc != frame_crc(&in))
		return "the host sent a frame with a wrong checksum";
	if (in.header.seq != received)
		return "the host sent a frame out of sequence";
	received++;
	frame->type = in.header.type;
	frame->check = in.header.check;
	frame->length = in.header.length;
	frame->payload = in.payload;
	return NULL;
}

static bool host_has_gone;

int port_poll_fd(void)
{
	return host_has_gone ? -1 : port_fd;
}

bool port_asks(void)
{
	struct pollfd poll_fd = { .fd = port_poll_fd(), .events = POLLIN };
	struct frame frame;

	if (poll_fd.fd < 0 || poll(&poll_fd, 1, 0) <= 0)
		return false;
	if (poll_fd.revents & POLLIN && !port_receive(&frame, ASK_WAIT_MS))
		return frame.type == FRAME_EVIDENCE;
	/* Nobody there, or nobody that makes sense: it would only keep us awake. */
	host_has_gone = true;
	return false;
}

u32 port_frames_sent(void)
{
	return sent;
}

void port_farewell(void)
{
	u64 give_up = now_ms() + FAREWELL_WAIT_MS;
	u8 byte;
	ssize_t n;

	while (now_ms() < give_up) {
		n = read(port_fd, &byte, sizeof(byte));
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			return;
		port_wait(POLLIN, give_up - now_ms());
	}
}

#ifdef LAB_FAULT
void port_break(enum port_damage damage)
{
	struct frame_header header = { .magic = FRAME_MAGIC, .type = FRAME_OUTPUT, .seq = sent };

	switch (damage) {
	case PORT_CLOSED:
		close(port_fd);
		break;
	case PORT_CUT:
		header.length = FRAME_PAYLOAD_MAX;
		port_write((const u8 *)&header, sizeof(header));
		port_write(out.payload, FRAME_PAYLOAD_MAX / 2);
		port_farewell();
		reset_machine();
	case PORT_GARBAGE:
		port_write((const u8 *)"this is no frame at all\n", 24);
		break;
	case PORT_SKIPPED:
		sent++;
		break;
	}
}
#endif
