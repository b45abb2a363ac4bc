/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames over the results port. Nobody but init ever holds the port. */
#ifndef LAB_PORT_H
#define LAB_PORT_H

#include "lab.h"
#include "protocol.h"

struct frame {
	enum frame_type type;
	u16 check;
	u32 length;
	const u8 *payload;		/* valid until the next frame is received */
};

/* Waits for the port to appear and for the host behind it; NULL or what went wrong. */
const char *port_open(void);
bool port_is_open(void);

/* Sends one frame. Returns only when it has been queued: without its port init has no purpose. */
void port_send(enum frame_type type, u16 check, const void *payload, size_t length);

/* Receives one frame; NULL or what is wrong with it. */
const char *port_receive(struct frame *frame, int wait_ms);

/* The port, to be polled; -1 once the host has hung up. */
int port_poll_fd(void);

/* True if the host asks for evidence. Does not wait. */
bool port_asks(void);

/* The number of frames sent so far. */
u32 port_frames_sent(void);

/* Lets the host take what has been queued; then the conversation is over. */
void port_farewell(void);

#ifdef LAB_FAULT
enum port_damage { PORT_CLOSED, PORT_CUT, PORT_GARBAGE, PORT_SKIPPED };

/* For `selfcheck guests`: what no init does that is well. */
void port_break(enum port_damage damage);
#endif

#endif /* LAB_PORT_H */
