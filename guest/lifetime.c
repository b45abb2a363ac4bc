// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filters come and go while others look at them: readers of /proc/<pid>/seccomp_cache race with
 * attach, exit, reaping, exec and TSYNC. What they see must be whole, or the task must be gone.
 * At the end nothing may be left behind; what happened on the way is for the kernel's log to say.
 *
 *	lifetime --freed=task|exit
 *
 * Where filters are freed with the task, one that had a filter is never seen without; where they
 * are freed at its exit, a zombie has none. For a kernel with kmemleak and at least two CPUs.
 */
#define _GNU_SOURCE

/* An emulated guest with KASAN, on a busy host. */
#define TAP_DEADLINE_S	120

#include "lifetime.h"
#include "lifetime_sync.h"
#include "lifetime_threads.h"

#define ATTACHES	128	/* of one thread, 4 to a read */
#define REAPS		160
#define ZOMBIES		16
#define CHILDREN	24
#define CYCLES		1000	/* of attach and exit */
#define READS		1000	/* at least, by all sub-tests */

/* Attach: a thread attaches filter after filter, and goes on only where the reader does, too. */

static void *attach_many(void *data)
{
	u32 i;

	*(pid_t *)data = gettid();
	stay_on_cpu(ACTOR_CPU);
	for (i = 0; i < ATTACHES && !atomic_load(&failed); i++) {
		if (i ? !set_up("seccomp", !attach_at(i, 0)) : !attach_first()) {
			atomic_store(&failed, true);
			break;
		}
		counter_add(&depth);
		counter_wait(&reads, i / 4);
	}
	atomic_store(&finished, true);
	/* Who waits for the first filter need not wait for ever. */
	if (!i)
		counter_add(&depth);
	counter_wait(&started, 1);
	return NULL;
}

static bool attach_only_loses_bits(void)
{
	enum dump_kind kind;
	pid_t tid = 0;
	pthread_t thread;
	bool ok, last;
	u32 low;
	int fd;

	stay_on_cpu(READER_CPU);
	if (!start_thread(&thread, attach_many, &tid))
		return false;
	counter_wait(&depth, 1);
	fd = open_dump(getpid(), tid);
	ok = set_up("open", fd >= 0);
	do {
		last = atomic_load(&finished);
		low = atomic_load(&depth);
		kind = ok ? take(fd) : DUMP_BAD;
		ok = ok && expect_full("a thread that attaches", kind, low,
				       atomic_load(&depth) + 1);
		counter_add(&reads);
	} while (ok && !last);
	counter_add(&started);
	return end_race(thread, ok);
}

/* Exit and reaping: a thread reaps children while the reader reads their files. */

static struct meeting meeting = { .step = 4096 };
static pid_t victim;

static void *reap_many(void *data)
{
	u32 round;

	(void)data;
	stay_on_cpu(ACTOR_CPU);
	for (round = 0; round < REAPS; round++) {
		counter_wait(&started, round + 1);
		if (atomic_load(&failed))
			break;
		meet(&meeting, round, false);
		wait_for_task(victim);
		counter_add(&depth);
	}
	return NULL;
}

/* A child with one filter that is a zombie, its file opened while it lived; -1 if that failed. */
static int open_zombie(pid_t *pid)
{
	siginfo_t info;
	int fd;

	*pid = hold_task(act_filtered_once, NULL, 0);
	if (!*pid)
		return -1;
	fd = open_dump(*pid, 0);
	if (set_up("open", fd >= 0) && set_up("kill", !kill(*pid, SIGKILL)) &&
	    set_up("waitid", !waitid(P_PID, *pid, &info, WEXITED | WNOWAIT)))
		return fd;
	close(fd);
	return -1;
}

static bool expect_reaped(pid_t pid, int fd)
{
	return expect_number("a file of a task that was reaped", DUMP_GONE, take(fd)) &&
	       expect_error("opening it", ENOENT, open_dump(pid, 0) < 0 ? errno : 0);
}

static bool reaping_gives_all_or_esrch(void)
{
	enum dump_kind kind;
	pthread_t thread;
	bool ok = true;
	u32 round, seen[DUMP_BAD + 1] = { 0 };
	int fd;

	stay_on_cpu(READER_CPU);
	if (!start_thread(&thread, reap_many, NULL))
		return false;
	for (round = 0; round < REAPS && ok; round++) {
		fd = open_zombie(&victim);
		if (fd < 0)
			break;
		counter_add(&started);
		meet(&meeting, round, true);
		kind = take(fd);
		counter_wait(&depth, round + 1);
		seen[kind]++;
		move_meeting(&meeting, kind != DUMP_GONE);
		ok = expect_dying("a task that is being reaped", kind, 1, 1) &&
		     expect_reaped(victim, fd);
		close(fd);
	}
	atomic_store(&failed, round < REAPS);
	counter_add(&started);
	ok = end_race(thread, ok && round == REAPS);
	/* Without both orders there was no race. */
	return ok && require("a reader before the reaper", seen[DUMP_FULL] + seen[DUMP_EMPTY]) &&
	       require("a reader behind the reaper", seen[DUMP_GONE]);
}

static bool zombies_until_reaped(void)
{
	bool ok = true;
	int i, before, after;
	pid_t pid;

	for (i = 0; i < ZOMBIES && ok; i++) {
		before = open_zombie(&pid);
		if (before < 0)
			return false;
		after = open_dump(pid, 0);
		ok = set_up("open", after >= 0) &&
		     expect_zombie("a zombie, opened before it died", take(before), 1) &&
		     expect_zombie("a zombie, opened as such", take(after), 1);
		wait_for_task(pid);
		ok = ok && expect_reaped(pid, before) && expect_reaped(pid, after);
		close(before);
		close(after);
	}
	return ok;
}

/* Fork and exec: the parent reads while a child has children, becomes another program, and ends. */

enum child_kind {
	EXIT,
	EXEC,
	EXEC_FROM_THREAD,
	CHILD_KINDS,
};

static __noreturn void become_nothing(void)
{
	execl("/proc/self/exe", "lifetime", "--exit", NULL);
	_exit(errno);
}

/* A thread that execs takes the pid of the first thread, which is released while it is read. */
static void *exec_from_thread(void *data)
{
	(void)data;
	if (attach_at(1, 0))
		_exit(errno);
	become_nothing();
}

static __noreturn void be_child(enum child_kind kind)
{
	pthread_t thread;
	int i;

	if (!attach_first())
		_exit(1);
	kill(getpid(), SIGSTOP);
	for (i = 0; i < 3; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		if (!set_up("fork", pid > 0) || wait_for_task(pid))
			_exit(1);
	}
	if (kind == EXEC)
		become_nothing();
	if (kind == EXEC_FROM_THREAD && start_thread(&thread, exec_from_thread, NULL))
		pthread_join(thread, NULL);
	_exit(kind != EXIT);
}

static bool read_child(enum child_kind kind)
{
	long filters = kind == EXEC_FROM_THREAD ? 2 : 1;
	siginfo_t info = { 0 };
	bool ok, is_zombie;
	pid_t pid = fork();
	int fd, status;

	if (!pid)
		be_child(kind);
	if (!set_up("fork", pid > 0) ||
	    !require("a child with a filter", WIFSTOPPED(wait_for_task(pid))))
		return false;
	fd = open_dump(pid, 0);
	ok = set_up("open", fd >= 0) && expect_full("a child", take(fd), 1, 1);
	kill(pid, SIGCONT);
	do {
		info.si_pid = 0;
		ok = ok && set_up("waitid", !waitid(P_PID, pid, &info,
						    WEXITED | WNOHANG | WNOWAIT));
		is_zombie = info.si_pid;
		if (ok && is_zombie)
			ok = expect_zombie("a child that has ended", take(fd), filters);
		else if (ok && kind == EXEC_FROM_THREAD)
			ok = expect_dying("a child whose thread execs", take(fd), 1, filters);
		else if (ok)
			ok = expect_unreaped("a child that forks and ends", take(fd), 1, 1);
	} while (ok && !is_zombie);
	status = wait_for_task(pid);
	close(fd);
	return ok && expect_number("how the child ended", 0, status);
}

static bool children_fork_and_exec(void)
{
	int i;

	for (i = 0; i < CHILDREN; i++)
		if (!read_child(i % CHILD_KINDS))
			return false;
	return true;
}

/* What is left of all that. */

static void *attach_and_end(void *data)
{
	if (!attach_first())
		atomic_store(&failed, true);
	return data;
}

static void *cycle(void *data)
{
	pthread_t thread;
	u32 i;

	(void)data;
	stay_on_cpu(ACTOR_CPU);
	for (i = 0; i < CYCLES && !atomic_load(&failed); i++) {
		if (!start_thread(&thread, attach_and_end, NULL)) {
			atomic_store(&failed, true);
			break;
		}
		pthread_join(thread, NULL);
	}
	return NULL;
}

/* Attaches and exits, beside the reads that are still missing; then what is left is counted. */
static bool programs_are_freed(void)
{
	pthread_t thread;
	bool ok = true;
	int fd;

	stay_on_cpu(READER_CPU);
	if (!start_thread(&thread, cycle, NULL))
		return false;
	ok = attach_first();
	fd = open_dump(getpid(), 0);
	while (ok && atomic_load(&shared->reads) < READS)
		ok = expect_full("a task at rest", take(fd), 1, 1);
	/* This process has a filter of its own. */
	return end_race(thread, ok) && expect_programs(shared->programs + 1);
}

static bool kmemleak_finds_nothing(void)
{
	return expect_no_leaks();
}

#define SUBTEST(name)	{ #name, name }

static const struct subtest subtests[] = {
	SUBTEST(attach_only_loses_bits),
	SUBTEST(reaping_gives_all_or_esrch),
	SUBTEST(zombies_until_reaped),
	SUBTEST(threads_come_and_go),
	SUBTEST(tsync_reaches_all),
	SUBTEST(tsync_is_whole_at_once),
	SUBTEST(children_fork_and_exec),
	SUBTEST(programs_are_freed),
	SUBTEST(kmemleak_finds_nothing),
};

/*
 * What is allocated before anything was read, and how many lines a task at rest shows: other checks
 * look at them closely.
 */
static bool measure(void)
{
	pid_t pid;
	bool ok;
	int fd;

	/* Those of the check before are freed behind its back. */
	if (!take_stable_programs(&shared->programs))
		return false;
	pid = hold_task(act_filtered_once, NULL, 0);
	if (!pid)
		return false;
	if (!require("a filter counts as a program", count_programs() == shared->programs + 1))
		return false;
	fd = open_dump(pid, 0);
	ok = set_up("open", fd >= 0) && require("a dump", take(fd) == DUMP_FULL) &&
	     require("one filter", dump.depth == 1);
	shared->lines = dump.lines;
	close(fd);
	end_task(pid);
	return ok;
}

static bool prepare(const char *argument)
{
	if (!strcmp(argument, "--freed=exit"))
		freed = FREED_AT_EXIT;
	else if (!require("--freed=task or --freed=exit", !strcmp(argument, "--freed=task")))
		return false;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	return set_up("mmap", shared != MAP_FAILED) &&
	       require("two CPUs", sysconf(_SC_NPROCESSORS_ONLN) > 1) &&
	       measure();
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--exit"))
		return 0;
	if (!tap_begin() || !prepare(argc == 2 ? argv[1] : ""))
		return tap_bail_out();
	return tap_run(subtests, ARRAY_SIZE(subtests));
}
