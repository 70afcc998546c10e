/* SPDX-License-Identifier: MIT */
/*
 * guest_dax.c - the pool as /dev/daxX.Y: write-back, huge pages
 *
 * The host gives QEMU the pool's memory a second time, as an nvdimm.  Its first
 * 2 MiB hold the info block that makes it a devdax (the host writes it); the
 * device is the rest.  A BAR's memory type is the host processor's to decide,
 * an nvdimm's is not: it is memory.
 */

#include "daemon/guest_dax.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <snoo/abi.h>

#define KEPT	  "guest/dax/"
#define NAME_MAX_ 48u
/* Frozen head and geometry: what does not change while the domain lives. */
#define HEAD_BYTES offsetof(struct snoo_abi_pool, epoch)
#define APPEAR_MS  2000 /* after its modules are loaded */

_Static_assert(GUEST_DAX_SKIP == SNOO_ABI_HEAD_OFFSET,
	       "a device begins with the pool's head");

void guest_dax_init(struct guest_dax *x)
{
	*x = (struct guest_dax){ .fd = -1 };
}

void guest_dax_fini(struct guest_dax *x)
{
	if (x->map)
		munmap(x->map, x->map_bytes);
	if (x->fd >= 0)
		close(x->fd);
	guest_dax_init(x);
}

/*
 * Space for the whole pool, the device behind its first 2 MiB.  A page fault
 * of a devdax is as large as its alignment, and so is the address's.
 */
static int map_behind(struct guest_dax *x, uint64_t bytes)
{
	uint64_t room = bytes + GUEST_DAX_SKIP;
	void *map = mmap(NULL, room, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uintptr_t base;

	if (map == MAP_FAILED)
		return -errno;
	x->map = map;
	x->map_bytes = room;
	base = ((uintptr_t)map + GUEST_DAX_SKIP - 1) & ~(GUEST_DAX_SKIP - 1);
	if (mmap((void *)(base + GUEST_DAX_SKIP), bytes - GUEST_DAX_SKIP,
		 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, x->fd,
		 0) == MAP_FAILED)
		return -errno;
	madvise((void *)(base + GUEST_DAX_SKIP), bytes - GUEST_DAX_SKIP,
		MADV_DONTFORK);
	x->base = (void *)base;
	return 0;
}

/* ---- one device ---- */

static uint64_t number(const struct guest_sys *sys, const char *name,
		       const char *file)
{
	char path[GUEST_SYS_PATH];
	uint64_t value;

	if (!guest_sys_path(path, "%s/bus/dax/devices/%s/%s", sys->sysfs, name,
			    file) ||
	    guest_sys_number(path, &value) < 0)
		return 0;
	return value;
}

/* 0: it is the pool, and mapped; -ENOENT: it is not; or -errno. */
static int try_device(struct guest_dax *x, const struct guest_sys *sys,
		      const char *name, const void *head, uint64_t bytes,
		      char *why)
{
	uint64_t size = number(sys, name, "size");
	uint64_t align = number(sys, name, "align");
	int ret;

	if (size == 0)
		return guest_fail(-ENOENT, why, "there is no %s", name);
	if (size != bytes - GUEST_DAX_SKIP)
		return guest_fail(-ENOENT, why,
				  "%s has %" PRIu64 " bytes, the "
				  "pool behind its first 2 MiB has %" PRIu64,
				  name, size, bytes - GUEST_DAX_SKIP);
	if (align > GUEST_DAX_SKIP)
		return guest_fail(-ENOENT, why,
				  "%s is aligned to %" PRIu64
				  " bytes, not to 2 MiB",
				  name, align);
	snprintf(x->path, sizeof(x->path), "%s/%.40s", sys->dev, name);
	x->fd = open(x->path, O_RDWR | O_CLOEXEC);
	if (x->fd < 0)
		return guest_fail(-errno, why, "%s: %s", x->path,
				  strerror(errno));
	ret = map_behind(x, bytes);
	if (ret)
		return guest_fail(ret, why, "%s: cannot map it: %s", x->path,
				  strerror(-ret));
	if (memcmp((char *)x->base + GUEST_DAX_SKIP, head, HEAD_BYTES) != 0)
		return guest_fail(-ENOENT, why, "%s is not this pool", x->path);
	return 0;
}

/* ---- all of them ---- */

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The next device's name after @after in the order of names; false: none. */
static bool next_device(const struct guest_sys *sys, char after[NAME_MAX_])
{
	char path[GUEST_SYS_PATH], best[NAME_MAX_] = "";
	struct dirent *e;
	DIR *dir;

	if (!guest_sys_path(path, "%s/bus/dax/devices", sys->sysfs))
		return false;
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		if (strncmp(e->d_name, "dax", 3) == 0 &&
		    strlen(e->d_name) < NAME_MAX_ &&
		    compare(e->d_name, after) > 0 &&
		    (!best[0] || compare(e->d_name, best) < 0))
			memcpy(best, e->d_name, strlen(e->d_name) + 1);
	if (dir)
		closedir(dir);
	memcpy(after, best, sizeof(best));
	return best[0] != '\0';
}

/* The one that is wanted, or whichever it is. */
static int choose(struct guest_dax *x, const struct guest_sys *sys,
		  const char *wanted, const void *head, uint64_t bytes,
		  char *why)
{
	const char *last = strrchr(wanted, '/');
	char name[NAME_MAX_] = "";
	int ret = -ENOENT;

	guest_dax_fini(x);
	if (wanted[0])
		return try_device(x, sys, last ? last + 1 : wanted, head, bytes,
				  why);

	guest_fail(0, why, "the VM has no /dev/dax device");
	while (ret && next_device(sys, name)) {
		guest_dax_fini(x);
		ret = try_device(x, sys, name, head, bytes, why);
	}
	return ret;
}

/* The VM has an nvdimm, and nothing has made a device of it. */
static bool load_modules(const struct guest_sys *sys)
{
	static const char *const modules[] = { "nfit", "nd_pmem", "dax_pmem",
					       "device_dax", NULL };
	const struct timespec pause = { .tv_nsec = 20000000 };
	char path[GUEST_SYS_PATH], name[NAME_MAX_] = "";

	if (next_device(sys, name) ||
	    !guest_sys_path(path, "%s/firmware/acpi/tables/NFIT", sys->sysfs) ||
	    access(path, F_OK) < 0)
		return false;
	if (sys->load(sys, modules) < 0)
		return false;
	for (int ms = 0; ms < APPEAR_MS; ms += 20) {
		if (next_device(sys, name) &&
		    guest_sys_path(path, "%s/%s", sys->dev, name) &&
		    access(path, F_OK) == 0)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static int adopt(struct guest_dax *x, const struct guest_sys *sys,
		 uint64_t bytes, struct keeper *k)
{
	const struct keeper_fd *list;
	size_t n = keeper_inherited(k, &list);
	const char *name = NULL;

	for (size_t i = 0; i < n && !name; i++)
		if (strncmp(list[i].name, KEPT, strlen(KEPT)) == 0)
			name = list[i].name;
	if (!name)
		return -ENOENT;
	snprintf(x->path, sizeof(x->path), "%s/%.40s", sys->dev,
		 name + strlen(KEPT));
	x->fd = keeper_take(k, name);
	if (map_behind(x, bytes) == 0)
		return 0;
	keeper_forget(k, name);
	guest_dax_fini(x);
	return -ENOENT;
}

int guest_dax_open(struct guest_dax *x, const struct guest_sys *sys,
		   const char *wanted, const void *head, uint64_t bytes,
		   struct keeper *k, char why[GUEST_PORT_TEXT])
{
	char kept[NAME_MAX_ + sizeof(KEPT)];
	int ret = adopt(x, sys, bytes, k);

	if (ret == 0)
		return 0;
	ret = choose(x, sys, wanted, head, bytes, why);
	if (ret && load_modules(sys))
		ret = choose(x, sys, wanted, head, bytes, why);
	if (!ret) {
		snprintf(kept, sizeof(kept), KEPT "%s",
			 strrchr(x->path, '/') + 1);
		ret = keeper_store(k, kept, x->fd, false);
	}
	if (ret)
		guest_dax_fini(x);
	return ret;
}

/* ---- without it ---- */

void guest_dax_note(const struct guest_sys *sys, char note[GUEST_PORT_TEXT])
{
	char path[GUEST_SYS_PATH], text[4096];

	note[0] = '\0';
	if (!guest_sys_path(path, "%s/cpuinfo", sys->proc) ||
	    guest_sys_read(path, text, sizeof(text)) < 0)
		return;
	if (strstr(text, "AuthenticAMD") || strstr(text, "HygonGenuine"))
		guest_fail(0, note,
			   "the pool is a PCI BAR, which KVM on this "
			   "processor leaves uncached: slow. Give QEMU the "
			   "pool as an nvdimm too, for /dev/dax");
	else if (strstr(text, "GenuineIntel"))
		guest_fail(0, note,
			   "the pool is a PCI BAR: cached by KVM on "
			   "this processor, but uncached and slow as soon as "
			   "the VM has a device passed through; an nvdimm of "
			   "the pool, /dev/dax, always is cached");
}
