/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's log, forwarded record by record from its very first one. */
#ifndef LAB_KMSG_H
#define LAB_KMSG_H

#include "lab.h"

/* The descriptor, to be polled, or a negative errno. */
int kmsg_open(void);

/* Forwards what is there now, as much as is reasonable at a time. */
void kmsg_forward(u16 check);

/* Forwards everything that is there, up to the last record. */
void kmsg_drain(u16 check);

/* Lets the kernel say what its tasks do: `orders` are letters of sysrq. Forwards it. */
void kmsg_ask(const char *orders, u16 check);

/* True if a record with the text of a warning went out since the last call. */
bool kmsg_saw_warning(void);

#endif /* LAB_KMSG_H */
