/* SPDX-License-Identifier: GPL-2.0-only */
/* Faults that forge records of the results port; and what the others share with them. */
#ifndef LAB_FAULTS_H
#define LAB_FAULTS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/protocol.h"
#include "lab.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open	434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd	438
#endif

#define FORGED_NONCE	"00000000000000000000000000000000"

/* Writes all of it: 0, or a negative errno. */
int fault_write(const char *path, const void *bytes, size_t size);

static inline u32 forged_crc(u32 crc, const void *data, size_t size)
{
	const u8 *bytes = data;
	int bit;

	crc = ~crc;
	for (; size; size--, bytes++) {
		crc ^= *bytes;
		for (bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* An end record with everything right but what only init can know: its length in bytes. */
static inline size_t forge_end(char *record, u32 seq)
{
	static const char text[] = "nonce " FORGED_NONCE "\nchecks 3\nframes 20\n";
	struct frame_header header = {
		.magic = FRAME_MAGIC,
		.type = FRAME_END,
		.check = CHECK_NONE,
		.seq = seq,
		.length = sizeof(text) - 1,
	};
	u32 crc = forged_crc(0, &header, offsetof(struct frame_header, crc));

	header.crc = forged_crc(crc, text, header.length);
	memcpy(record, &header, sizeof(header));
	memcpy(record + sizeof(header), text, header.length);
	return sizeof(header) + header.length;
}

/* Says on the console that all is well, and takes the guest down. */
static inline int forge_console(void)
{
	static const char report[] = "TAP version 13\n1..1\nok 1 - after\n";
	char record[256];
	size_t size = forge_end(record, 20);

	fault_write("/dev/console", report, sizeof(report) - 1);
	fault_write("/dev/console", record, size);
	fault_write("/dev/ttyS0", record, size);
	fault_write("/proc/sysrq-trigger", "b", 1);
	return 1;
}

/* Says on the console what the kernel would say in its log, and takes the guest down. */
static inline int forge_report(void)
{
	static const char report[] = "[    5.000000] BUG: KASAN: use-after-free in forged+0x1/0x2\n"
				     "[    5.000000] Write of size 8 at addr ffff888000000000\n";

	fault_write("/dev/console", report, sizeof(report) - 1);
	fault_write("/proc/sysrq-trigger", "b", 1);
	return 1;
}

/* Dies under a name that looks like a report: the kernel's log says who died. */
static inline bool die_named(const char *name)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_NAME, name);
		memset(mmap(NULL, 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 16);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
}

static inline int forge_name(void)
{
	bool died = die_named("BUG: evil") && die_named("\nBUG: evil");

	printf("TAP version 13\n1..1\n%s 1 - name\n", died ? "ok" : "not ok");
	return died ? 0 : 1;
}

/* Opens the port beside init: the kernel must not allow it. */
static inline int forge_second_open(void)
{
	struct dirent *entry;
	char path[320], record[256];
	DIR *folder = opendir("/dev");
	bool found = false, refused = true;
	size_t size = forge_end(record, 20);

	while (folder && (entry = readdir(folder))) {
		if (strncmp(entry->d_name, "vport", 5))
			continue;
		found = true;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		refused &= fault_write(path, record, size) == -EBUSY;
	}
	printf("TAP version 13\n1..1\n%s 1 - second-open\n", found && refused ? "ok" : "not ok");
	return found && refused ? 0 : 1;
}

/* Takes the descriptors of process 1, and says the end on each that is a port. */
static inline int forge_init(void)
{
	char path[64], target[64], record[256];
	size_t size = forge_end(record, 20);
	int pidfd, fd, copy;
	ssize_t n;

	pidfd = syscall(SYS_pidfd_open, 1, 0);
	for (fd = 0; pidfd >= 0 && fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/1/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (strncmp(target, "/dev/vport", 10))
			continue;
		copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
		if (copy >= 0 && write(copy, record, size) == (ssize_t)size) {
			printf("TAP version 13\n1..1\nok 1 - forged\n");
			return 0;
		}
	}
	printf("TAP version 13\n1..1\nnot ok 1 - forged\n");
	return 1;
}

#endif /* LAB_FAULTS_H */
