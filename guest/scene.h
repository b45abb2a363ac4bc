/* SPDX-License-Identifier: GPL-2.0-only */
/* Filters with one answer, threads that make a call when told to, tiny programs to execute. */
#ifndef LAB_SCENE_H
#define LAB_SCENE_H

#include <linux/audit.h>
#include <linux/elf.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "task.h"

#ifdef __x86_64__
#define ARCH_OWN	AUDIT_ARCH_X86_64
#define NAME_OWN	"x86_64"
#else
#define ARCH_OWN	AUDIT_ARCH_I386
#define NAME_OWN	"ia32"
#endif

/* The 16-bit getuid is not in every kernel. */
#ifdef SYS_getuid32
#define GETUID		SYS_getuid32
#else
#define GETUID		SYS_getuid
#endif

#define IA32_GETPID	20

/* What filters answer here: an error that no harmless call gives. */
#define DENIED		77
#define DENIED_TOO	78

/* ENOSYS. */
#define NO_SUCH_CALL	38

#define THREADS		3

/* Attaches: `answer` to one number of one architecture, ALLOW to all else. What seccomp() gave. */
static inline long attach_answer(u32 arch, u32 number, u32 answer, unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = ARRAY_SIZE(code), .filter = code };

	if (!set_up("no_new_privs", !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))
		return -1;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

static inline bool attach_denial(u32 number, int error)
{
	return set_up("seccomp", !attach_answer(ARCH_OWN, number, SECCOMP_RET_ERRNO | error, 0));
}

/* The result of a call without arguments, errors negative. */
static inline long result_of(long number)
{
	long result = syscall(number, 0, 0, 0, 0, 0, 0);

	return result < 0 ? -errno : result;
}

static inline bool expect_denied(const char *what, long number, int error)
{
	return expect_number(what, -error, result_of(number));
}

/* Threads that wait for a command each, and answer each with a number. */
struct thread {
	pthread_t id;
	pid_t tid;
	int command[2];
	int reply[2];
};

static inline bool get_reply(struct thread *thread, long *reply)
{
	return set_up("reading a reply", read(thread->reply[0], reply, sizeof(*reply)) ==
		      sizeof(*reply));
}

#define COMMAND_GETPPID	'p'
#define COMMAND_ATTACH	'a'

static inline void *thread_loop(void *data)
{
	struct thread *thread = data;
	long reply = gettid();
	char command;

	do {
		if (write(thread->reply[1], &reply, sizeof(reply)) != sizeof(reply) ||
		    read(thread->command[0], &command, 1) != 1)
			break;
		if (command == COMMAND_ATTACH)
			reply = attach_answer(ARCH_OWN, GETUID,
					      SECCOMP_RET_ERRNO | DENIED_TOO, 0);
		else
			reply = result_of(SYS_getppid);
	} while (true);
	return NULL;
}

static inline bool start_thread(struct thread *thread)
{
	long tid;

	if (!set_up("pipe", !pipe(thread->command) && !pipe(thread->reply)))
		return false;
	errno = pthread_create(&thread->id, NULL, thread_loop, thread);
	if (!set_up("pthread_create", !errno) || !get_reply(thread, &tid))
		return false;
	thread->tid = tid;
	return true;
}

/* Ended with the process of the sub-test. */
static inline bool start_threads(struct thread *threads)
{
	size_t i;

	for (i = 0; i < THREADS; i++)
		if (!start_thread(&threads[i]))
			return false;
	return true;
}

static inline bool command_thread(struct thread *thread, char command, long *reply)
{
	return set_up("writing a command", write(thread->command[1], &command, 1) == 1) &&
	       get_reply(thread, reply);
}

static inline bool expect_in_threads(struct thread *threads, const char *what, long expected)
{
	long reply = 0;
	size_t i;

	for (i = 0; i < THREADS; i++)
		if (!command_thread(&threads[i], COMMAND_GETPPID, &reply) ||
		    !expect_number(what, expected, reply))
			return false;
	return true;
}

/* One thread gets a filter of its own, so that no other can take it along. */
static inline bool diverge(struct thread *thread)
{
	long reply = -1;

	return command_thread(thread, COMMAND_ATTACH, &reply) &&
	       expect_number("a filter in one thread", 0, reply);
}

/* An attach with TSYNC names the thread that stands in its way. */
static inline bool expect_tsync_fails(struct thread *thread)
{
	long got = attach_answer(ARCH_OWN, SYS_getppid, SECCOMP_RET_ERRNO | DENIED,
				 SECCOMP_FILTER_FLAG_TSYNC);

	return expect_number("seccomp with TSYNC", thread->tid, got);
}

/*
 * A 32-bit program that makes its getpid through int $0x80 and exits with EXIT_PID if it gives
 * `pid`, with the error otherwise. Returns a descriptor of it.
 */
#define EXIT_PID	200

static inline int make_ia32_program(pid_t pid)
{
	u8 code[] = {
		0xb8, IA32_GETPID, 0, 0, 0,		/* mov $20, %eax */
		0xcd, 0x80,				/* int $0x80 */
		0x3d, pid, pid >> 8, pid >> 16, pid >> 24, /* cmp $pid, %eax */
		0x74, 6,				/* je 1f */
		0xf7, 0xd8,				/* neg %eax */
		0x89, 0xc3,				/* mov %eax, %ebx */
		0xeb, 5,				/* jmp 2f */
		0xbb, EXIT_PID, 0, 0, 0,		/* 1: mov $200, %ebx */
		0xb8, 1, 0, 0, 0,			/* 2: mov $1, %eax */
		0xcd, 0x80,				/* int $0x80 */
	};
	const u32 base = 0x08048000;
	const u32 start = sizeof(struct elf32_hdr) + sizeof(struct elf32_phdr);
	const struct elf32_hdr head = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = EV_CURRENT,
		.e_entry = base + start,
		.e_phoff = sizeof(struct elf32_hdr),
		.e_ehsize = sizeof(struct elf32_hdr),
		.e_phentsize = sizeof(struct elf32_phdr),
		.e_phnum = 1,
	};
	const struct elf32_phdr segment = {
		.p_type = PT_LOAD,
		.p_vaddr = base,
		.p_filesz = start + sizeof(code),
		.p_memsz = start + sizeof(code),
		.p_flags = PF_R | PF_X,
		.p_align = 4096,
	};
	int fd = syscall(SYS_memfd_create, "ia32", 1U /* MFD_CLOEXEC */);

	if (!set_up("memfd_create", fd >= 0) ||
	    !set_up("writing a program", write(fd, &head, sizeof(head)) == sizeof(head) &&
		    write(fd, &segment, sizeof(segment)) == sizeof(segment) &&
		    write(fd, code, sizeof(code)) == sizeof(code)))
		return -1;
	return fd;
}

/* Returns only where it fails. */
static inline void execute(int fd)
{
	char *const none[] = { NULL };

	syscall(SYS_execveat, fd, "", none, none, AT_EMPTY_PATH);
	set_up("execveat", false);
}

/*
 * Runs sub-tests; the last ones only where the kernel runs 32-bit programs, without a skip. Whether
 * it does is said by --ia32=yes or --ia32=no, and not tried: a kernel that should and fails is a
 * failure.
 */
static inline int run_scenes(int argc, char **argv, const struct subtest *subtests, size_t count,
			     size_t ia32_count)
{
	const char *argument = argc == 2 ? argv[1] : "";
	bool has_ia32 = !strcmp(argument, "--ia32=yes");

	if (!tap_begin() ||
	    !require("--ia32=yes or --ia32=no", has_ia32 || !strcmp(argument, "--ia32=no")))
		return tap_bail_out();
	return tap_run(subtests, has_ia32 ? count : count - ia32_count);
}

#endif /* LAB_SCENE_H */
