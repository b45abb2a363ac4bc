// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes the filter that a program attaches through libseccomp: a library for LD_PRELOAD, made and
 * used by `cargo xtask profiles`. At seccomp_load() the classic BPF program is written to the file
 * that LAB_CAPTURE names, and the process ends: nothing is attached, and no privilege is needed.
 *
 * With LAB_CAPTURE_ARCH=x86 the rules go into a filter for 32-bit x86 alone: what they come to
 * where the program itself is a 32-bit one. Rules are given with numbers of the 64-bit table, and
 * libseccomp turns them into those of the other one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static __attribute__((noreturn)) void fail(const char *what)
{
	fprintf(stderr, "capture: %s\n", what);
	_exit(1);
}

scmp_filter_ctx seccomp_init(unsigned int action)
{
	const char *name = getenv("LAB_CAPTURE_ARCH");
	scmp_filter_ctx (*original)(unsigned int action) = dlsym(RTLD_NEXT, "seccomp_init");
	scmp_filter_ctx filter;
	unsigned int arch;

	if (!original)
		fail("libseccomp has no function to begin a filter");
	filter = original(action);
	if (!filter || !name)
		return filter;
	arch = seccomp_arch_resolve_name(name);
	if (!arch || seccomp_arch_add(filter, arch) ||
	    seccomp_arch_remove(filter, SCMP_ARCH_NATIVE))
		fail("the architecture cannot be set");
	return filter;
}

int seccomp_load(const scmp_filter_ctx filter)
{
	const char *path = getenv("LAB_CAPTURE");
	int fd;

	if (!path)
		fail("LAB_CAPTURE names no file");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || seccomp_export_bpf(filter, fd) || close(fd))
		fail("the program cannot be written");
	_exit(0);
}
