// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may read /proc/<pid>/seccomp_cache, and what it looks like: mode 0400; the read, not the
 * open, asks whether the *opener* has CAP_SYS_ADMIN in the initial user namespace; nothing for a
 * task without filters, ESRCH for one that is gone.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/stat.h>

#include "cache_file.h"
#include "task.h"

#define PATH_SIZE	64

static void cache_path(char *path, pid_t pid)
{
	snprintf(path, PATH_SIZE, "/proc/%d/seccomp_cache", pid);
}

static void thread_path(char *path, pid_t tid)
{
	snprintf(path, PATH_SIZE, "/proc/self/task/%d/seccomp_cache", tid);
}

/* The acts of other tasks; `data` is a reading. */

static bool act_filtered(void *data)
{
	(void)data;
	return attach_filter();
}

static bool act_filtered_read_own(void *data)
{
	if (!attach_filter())
		return false;
	take_into(data, OWN_FILE);
	return true;
}

static bool act_user_open(void *data)
{
	if (!attach_filter() || !become_user())
		return false;
	open_into(data, OWN_FILE);
	return true;
}

static bool act_user_read(void *data)
{
	if (!become_user())
		return false;
	read_into(data, READING_MAX);
	return true;
}

static bool act_user_take(void *data)
{
	if (!attach_filter() || !become_user())
		return false;
	take_into(data, OWN_FILE);
	return true;
}

static bool act_namespace_root_take(void *data)
{
	if (!attach_filter() || !become_namespace_root())
		return false;
	take_into(data, OWN_FILE);
	return true;
}

static bool act_dropped_take(void *data)
{
	if (!attach_filter() || !drop_sys_admin())
		return false;
	take_into(data, OWN_FILE);
	return true;
}

/* Opening for writing must fail for an ordinary user; the errors go to data[0] and data[1]. */
static bool act_user_write(void *data)
{
	int *errors = data;

	if (!attach_filter() || !become_user())
		return false;
	errors[0] = open(OWN_FILE, O_WRONLY | O_CLOEXEC) < 0 ? errno : 0;
	errors[1] = open(OWN_FILE, O_RDWR | O_CLOEXEC) < 0 ? errno : 0;
	return true;
}

/* The sub-tests. */

static bool no_filter_is_empty(void)
{
	struct reading *own = new_reading();

	if (!own || !require("no filter yet", !prctl(PR_GET_SECCOMP, 0, 0, 0, 0)))
		return false;
	take_into(own, OWN_FILE);
	return expect_readable(own, OWN_FILE) && expect_number("bytes", 0, own->length);
}

/* The attributes of the file of a process and of the one of a thread. */
static bool get_attributes(struct stat *process, struct stat *thread)
{
	char path[PATH_SIZE];

	thread_path(path, gettid());
	return expect_error("stat " OWN_FILE, 0, stat(OWN_FILE, process) ? errno : 0) &&
	       expect_error("stat of the thread's", 0, stat(path, thread) ? errno : 0);
}

static bool expect_mode(const char *what, mode_t got)
{
	if (got != (S_IFREG | 0400))
		note("mode of %s: expected %o, got %o", what, S_IFREG | 0400, got);
	return got == (S_IFREG | 0400);
}

static bool mode_is_0400(void)
{
	struct stat process, thread;

	return get_attributes(&process, &thread) &&
	       expect_mode("the file", process.st_mode) &&
	       expect_mode("the thread's file", thread.st_mode);
}

static bool owner_is_root(void)
{
	struct stat process, thread;

	return get_attributes(&process, &thread) &&
	       expect_number("uid", 0, process.st_uid) && expect_number("gid", 0, process.st_gid) &&
	       expect_number("uid of the thread's file", 0, thread.st_uid) &&
	       expect_number("gid of the thread's file", 0, thread.st_gid);
}

/* A thread with a filter in a process that has none. */
static void *filtered_thread(void *data)
{
	struct reading *reading = data;
	char path[PATH_SIZE];

	if (!attach_filter())
		return NULL;
	thread_path(path, gettid());
	take_into(&reading[0], path);
	take_into(&reading[1], OWN_FILE);
	return data;
}

static bool task_tid_file(void)
{
	struct reading *thread = new_reading(), *process = new_reading(), *both;
	char path[PATH_SIZE];
	pthread_t id;
	void *done;

	both = mmap(NULL, 2 * sizeof(*both), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	if (!thread || !process || !set_up("mmap", both != MAP_FAILED))
		return false;
	errno = pthread_create(&id, NULL, filtered_thread, both);
	if (!set_up("pthread_create", !errno) ||
	    !set_up("pthread_join", !pthread_join(id, &done) && done))
		return false;
	if (!expect_lines(&both[0]) || !expect_readable(&both[1], OWN_FILE) ||
	    !expect_number("bytes of the process, only a thread has a filter", 0, both[1].length))
		return false;
	if (!attach_filter())
		return false;
	take_into(process, OWN_FILE);
	thread_path(path, getpid());
	take_into(thread, path);
	return expect_same("the file of the first thread", process, thread) &&
	       expect_same("the file of the other thread", process, &both[0]);
}

static bool uid1000_open_read_eacces(void)
{
	struct reading *own = new_reading();

	return own && in_task(act_user_take, own) && expect_refused(own, EACCES);
}

static bool userns_root_eacces(void)
{
	struct reading *own = new_reading();

	return own && in_task(act_namespace_root_take, own) && expect_refused(own, EACCES);
}

static bool opened_by_uid1000_read_by_root_eacces(void)
{
	struct reading *file = new_reading();
	pid_t task = file ? hold_task(act_user_open, file, CLONE_FILES) : 0;
	bool ok;

	if (!task || !require("CAP_SYS_ADMIN", has_sys_admin()))
		return false;
	if (!file->open_error)
		read_into(file, READING_MAX);
	ok = expect_refused(file, EACCES);
	end_task(task);
	return ok;
}

static bool opened_by_root_read_by_uid1000_works(void)
{
	struct reading *expected = new_reading(), *got = new_reading();
	char path[PATH_SIZE];
	pid_t task;
	bool ok;

	task = expected && got ? hold_task(act_filtered_read_own, expected, 0) : 0;
	if (!task)
		return false;
	cache_path(path, task);
	open_into(got, path);
	ok = expect_error("open", 0, got->open_error) && in_task(act_user_read, got) &&
	     expect_same("what uid 1000 reads", expected, got);
	end_task(task);
	return ok;
}

static bool cap_dropped_eacces(void)
{
	struct reading *own = new_reading();

	return own && in_task(act_dropped_take, own) && expect_refused(own, EACCES);
}

static bool cap_dropped_after_open_works(void)
{
	struct reading *expected = new_reading(), *got = new_reading();

	if (!expected || !got || !act_filtered_read_own(expected))
		return false;
	open_into(got, OWN_FILE);
	if (!expect_error("open", 0, got->open_error) || !drop_sys_admin())
		return false;
	read_into(got, READING_MAX);
	return expect_same("what is read without the capability", expected, got);
}

static bool filtered_task_has_lines(void)
{
	struct reading *own = new_reading();

	return own && in_task(act_filtered_read_own, own) && expect_lines(own);
}

static bool other_task_by_root(void)
{
	struct reading *expected = new_reading(), *got = new_reading();
	pid_t task = expected && got ? hold_task(act_filtered_read_own, expected, 0) : 0;
	char path[PATH_SIZE];
	bool ok;

	if (!task)
		return false;
	cache_path(path, task);
	take_into(got, path);
	ok = expect_same("the file of another task", expected, got) && expect_lines(got);
	end_task(task);
	return ok;
}

static bool seek_and_partial_reads(void)
{
	struct reading *whole = new_reading(), *part = new_reading();
	off_t middle;

	if (!whole || !part || !act_filtered_read_own(whole) || !expect_readable(whole, OWN_FILE))
		return false;
	open_into(part, OWN_FILE);
	if (!expect_error("open", 0, part->open_error))
		return false;
	read_into(part, 1);
	if (!expect_same("byte by byte", whole, part) ||
	    !expect_number("seek to the start", 0, lseek(part->fd, 0, SEEK_SET)))
		return false;
	read_into(part, 1000);
	middle = whole->length / 2;
	if (!expect_same("again, 1000 bytes at a time", whole, part) ||
	    !expect_number("seek to the middle", middle, lseek(part->fd, middle, SEEK_SET)))
		return false;
	read_into(part, READING_MAX);
	whole->length -= middle;
	memmove(whole->text, whole->text + middle, whole->length);
	return expect_same("from the middle", whole, part);
}

/* Root may open whatever it likes: then the write has to fail. */
static bool expect_write_fails(int flags, const char *what)
{
	int fd = open(OWN_FILE, flags | O_CLOEXEC);
	bool failed = fd < 0 ? errno == EACCES : write(fd, "x", 1) < 0;

	if (!failed)
		note("%s: expected EACCES or a write that fails, got %s", what,
		     fd < 0 ? strerror(errno) : "a write that works");
	return failed;
}

static bool write_refused(void)
{
	struct reading *before = new_reading(), *after = new_reading();
	int *errors = mmap(NULL, 2 * sizeof(*errors), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (!before || !after || !set_up("mmap", errors != MAP_FAILED) ||
	    !in_task(act_user_write, errors) || !act_filtered_read_own(before))
		return false;
	if (!expect_error("open by uid 1000 for writing", EACCES, errors[0]) ||
	    !expect_error("open by uid 1000 for both", EACCES, errors[1]) ||
	    !expect_write_fails(O_WRONLY, "root, for writing") ||
	    !expect_write_fails(O_RDWR, "root, for both"))
		return false;
	take_into(after, OWN_FILE);
	return expect_same("the file afterwards", before, after);
}

static bool dead_task_esrch_or_noent(void)
{
	struct reading *fresh = new_reading(), *used = new_reading();
	pid_t task = fresh && used ? hold_task(act_filtered, NULL, 0) : 0;
	char path[PATH_SIZE];
	bool ok;

	if (!task)
		return false;
	cache_path(path, task);
	open_into(fresh, path);
	open_into(used, path);
	if (!used->open_error)
		read_into(used, READING_MAX);
	ok = expect_error("open", 0, fresh->open_error) && expect_lines(used);
	end_task(task);
	if (!ok || !expect_number("seek", 0, lseek(used->fd, 0, SEEK_SET)))
		return false;
	read_into(fresh, READING_MAX);
	read_into(used, READING_MAX);
	return expect_refused(fresh, ESRCH) && expect_refused(used, ESRCH) &&
	       expect_error("open afterwards", ENOENT, open(path, O_RDONLY) < 0 ? errno : 0);
}

#define SUBTEST(name)	{ #name, name }

static const struct subtest subtests[] = {
	SUBTEST(no_filter_is_empty),
	SUBTEST(mode_is_0400),
	SUBTEST(owner_is_root),
	SUBTEST(task_tid_file),
	SUBTEST(uid1000_open_read_eacces),
	SUBTEST(userns_root_eacces),
	SUBTEST(opened_by_uid1000_read_by_root_eacces),
	SUBTEST(opened_by_root_read_by_uid1000_works),
	SUBTEST(cap_dropped_eacces),
	SUBTEST(cap_dropped_after_open_works),
	SUBTEST(filtered_task_has_lines),
	SUBTEST(other_task_by_root),
	SUBTEST(seek_and_partial_reads),
	SUBTEST(write_refused),
	SUBTEST(dead_task_esrch_or_noent),
};

int main(void)
{
	return tap_run(subtests, ARRAY_SIZE(subtests));
}
