// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel whose config leaves the file out has none: neither for a task without filters nor for
 * one with them. That /proc itself works is shown first, or nothing would be proved.
 */
#define _GNU_SOURCE
#include "task.h"

static bool expect_absent(const char *path)
{
	return set_up("/proc/self/status", !access("/proc/self/status", R_OK)) &&
	       expect_error(path, ENOENT, access(path, F_OK) ? errno : 0);
}

static bool no_file_without_filters(void)
{
	return expect_absent("/proc/self/seccomp_cache");
}

static bool no_file_with_a_filter(void)
{
	return attach_filter() && expect_absent("/proc/self/seccomp_cache");
}

static bool no_file_of_a_thread(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/seccomp_cache", getpid());
	return attach_filter() && expect_absent(path);
}

static const struct subtest subtests[] = {
	{ "no_file_without_filters", no_file_without_filters },
	{ "no_file_with_a_filter", no_file_with_a_filter },
	{ "no_file_of_a_thread", no_file_of_a_thread },
};

int main(void)
{
	return tap_run(subtests, ARRAY_SIZE(subtests));
}
