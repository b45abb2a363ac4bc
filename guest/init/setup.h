/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's surroundings: file systems, devices, time, and the end of it all. */
#ifndef LAB_SETUP_H
#define LAB_SETUP_H

#include "lab.h"

/* Mounts and prepares what every check may expect; false with `problem` filled in. */
bool setup_system(char *problem, size_t size);

/* The value of `name=` on the kernel command line; false if it is not there. */
bool cmdline_value(const char *name, char *value, size_t size);

/* Writes a whole file in one go: 0 or an errno. */
int write_file(const char *path, const char *text);

u64 now_ms(void);
void sleep_ms(unsigned int ms);

__noreturn void reset_machine(void);

#endif /* LAB_SETUP_H */
