// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shows what the kernel cached for chains of filters: attaches each chain in a task of its own and
 * copies the task's /proc/<pid>/seccomp_cache. A check of the kind `oracle`: the expected bits are
 * computed by the host.
 *
 * Standard input:	"SLCH", u32 version (1), u32 chains; for each chain u32 id, u32 filters; for
 *			each filter u32 len, len times struct sock_filter
 * Standard output:	for each chain "SLCR", u32 id, u32 status, u32 detail, u32 length, the dump;
 *			at the end "SLCE", u32 chains
 *
 * status 0: dumped, as text. 1: the kernel refused filter k, detail k << 16 | errno, where the
 * errno is ECHILD if an earlier filter killed the task, EINTR if it trapped, and 0 if it only
 * pretended success. 2: the file could not be opened or read, detail errno. 3: this program
 * failed, errno. 4: dumped, as bits (cache_pack.h).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache_chain.h"
#include "cache_pack.h"
#include "wire.h"

#define VERSION			1
#define TEXT_BYTES_MAX		(1024 * 1024)

enum status {
	STATUS_DUMPED	= 0,
	STATUS_REFUSED	= 1,
	STATUS_FILE	= 2,
	STATUS_PROGRAM	= 3,
	STATUS_PACKED	= 4,
};

struct result {
	enum status status;
	u32 detail;
	u32 length;
	char text[TEXT_BYTES_MAX];
};

static struct chain chain;
static struct result result;
static u8 packed[PACKED_BYTES_MAX];

static void take_chain(void)
{
	u32 i;

	chain.id = take_u32(UINT_MAX, "");
	chain.count = take_u32(FILTERS_MAX, "a chain of too many filters");
	for (i = 0; i < chain.count; i++)
		take_filter(&chain.filters[i]);
}

static void drop_chain(void)
{
	u32 i;

	for (i = 0; i < chain.count; i++)
		free(chain.filters[i].filter);
}

static void set_result(enum status status, u32 detail)
{
	result.status = status;
	result.detail = detail;
}

static void read_cache(pid_t task)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/seccomp_cache", task);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		set_result(STATUS_FILE, errno);
		return;
	}
	do {
		n = read(fd, result.text + result.length, TEXT_BYTES_MAX - result.length);
		if (n > 0)
			result.length += n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 || result.length == TEXT_BYTES_MAX) {
		set_result(STATUS_FILE, n < 0 ? errno : EFBIG);
		result.length = 0;
	}
	close(fd);
}

static void dump_chain(void)
{
	struct attached attached;

	set_result(STATUS_DUMPED, 0);
	result.length = 0;
	attached = attach(&chain);
	if (attached.refused)
		set_result(STATUS_REFUSED, attached.filter << 16 | attached.error);
	else if (!attached.task)
		set_result(STATUS_PROGRAM, attached.error);
	else
		read_cache(attached.task);
	end_task(attached.task);
}

/* Flushed per chain: when the kernel dies, the first chain without a result is the one. */
static void put_result(void)
{
	size_t size = result.status == STATUS_DUMPED ? pack(result.text, result.length, packed) : 0;
	const u32 header[] = {
		chain.id, size ? STATUS_PACKED : result.status, result.detail,
		size ? size : result.length,
	};

	put_header("SLCR", header, ARRAY_SIZE(header));
	put(size ? (void *)packed : result.text, size ? size : result.length);
	flush();
}

int main(void)
{
	u32 chains, i;
	char magic[4];

	take(magic, sizeof(magic));
	if (memcmp(magic, "SLCH", sizeof(magic)) || take_u32(UINT_MAX, "") != VERSION)
		fail("the input is no chain file of version 1");
	chains = take_u32(UINT_MAX, "");
	prepare_chains();
	for (i = 0; i < chains; i++) {
		take_chain();
		dump_chain();
		put_result();
		drop_chain();
	}
	take_nothing_more();
	put_header("SLCE", &chains, 1);
	flush();
	return 0;
}
