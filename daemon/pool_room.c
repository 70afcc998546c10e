/* SPDX-License-Identifier: MIT */
/* pool_room.c - reads /proc/meminfo, sysfs and cgroup limits */

#include "daemon/pool_room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUGE_DIR	"/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define CGROUP_DIR	"/sys/fs/cgroup"
#define CGROUP_PATH	1024

/* The number in a file of one line; -1: no such file, or a word ("max"). */
static int64_t number_in(const char *path)
{
	FILE *f = fopen(path, "re");
	long long v = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%lld", &v) != 1)
		v = -1;
	fclose(f);
	return v;
}

uint64_t pool_room_huge_pages(void)
{
	int64_t free_pages = number_in(HUGE_DIR "free_hugepages");
	int64_t promised = number_in(HUGE_DIR "resv_hugepages");
	int64_t more = number_in(HUGE_DIR "nr_overcommit_hugepages");
	int64_t made = number_in(HUGE_DIR "surplus_hugepages");
	int64_t room = 0;

	if (free_pages > promised)
		room = free_pages - (promised > 0 ? promised : 0);
	if (more > made)
		room += more - (made > 0 ? made : 0);
	return (uint64_t)room;
}

static uint64_t mem_available(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	uint64_t room = UINT64_MAX;
	char line[128];

	if (!f)
		return room;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1) {
			room = kib * 1024;
			break;
		}
	}
	fclose(f);
	return room;
}

/* Our cgroup's path below CGROUP_DIR: 0, or -ENOENT where there is none. */
static int cgroup_path(char path[CGROUP_PATH])
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	int ret = -ENOENT;

	if (!f)
		return ret;
	while (ret && fgets(path, CGROUP_PATH, f)) {
		if (strncmp(path, "0::/", 4) != 0)
			continue;
		path[strcspn(path, "\n")] = '\0';
		memmove(path, path + 3, strlen(path + 3) + 1);
		ret = 0;
	}
	fclose(f);
	return ret;
}

/* What one cgroup leaves us: max - current; UINT64_MAX: no limit. */
static uint64_t cgroup_room(const char *path)
{
	char file[CGROUP_PATH + 64];
	int64_t current;
	int64_t max;

	snprintf(file, sizeof(file), CGROUP_DIR "%s/memory.max", path);
	max = number_in(file);
	if (max < 0)
		return UINT64_MAX;
	snprintf(file, sizeof(file), CGROUP_DIR "%s/memory.current", path);
	current = number_in(file);
	if (current < 0)
		current = 0;
	return max > current ? (uint64_t)(max - current) : 0;
}

uint64_t pool_room_bytes(void)
{
	uint64_t room = mem_available();
	char path[CGROUP_PATH];
	char *end;

	if (cgroup_path(path))
		return room;
	/* This cgroup, and every one above it. */
	do {
		uint64_t here = cgroup_room(path);

		if (here < room)
			room = here;
		end = strrchr(path, '/');
		if (end)
			*end = '\0';
	} while (end);
	return room;
}
