/* SPDX-License-Identifier: MIT */
/*
 * pool.c - a memfd becomes a pool: ask, bind, populate, seal, format
 *
 * Theory of operation
 * ===================
 *
 * All memory is taken at once, so that no peer's first touch can fail later.
 * In order: is there enough (pool_room.h); memfd; size; mapping; each NUMA
 * node's part is bound while it is untouched; populated; sealed; formatted.
 * Without enough huge pages, `auto` starts again with ordinary ones.
 *
 * The first 2 MiB hold nothing but the info block for guests (nvdimm.h): where
 * no VM may attach they stay, of an ordinary pool, unpopulated and cost nothing.
 *
 * A file with a path goes the same way, but its file system decides about huge
 * pages, and nothing can seal it.
 */

#include "daemon/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/nvdimm.h"
#include "daemon/pool_room.h"

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB		(21u << 26)
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

#define SEALS		(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define MIB		(UINT64_C(1) << 20)
/* Zones begin at multiples of this and are no smaller than eight of it. */
#define ZONE_ALIGN	512u		/* units: one huge page */
#define ZONE_MIN	(8 * ZONE_ALIGN)

static int fail(int error, char *why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(int error, char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, POOL_TEXT, fmt, ap);
	va_end(ap);
	return error;
}

uint64_t pool_page_bytes(const struct pool *p)
{
	return p->huge ? POOL_HUGE_BYTES : (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t pool_offset(const struct pool *p, uint32_t unit)
{
	return p->region.arena_off + (uint64_t)unit * SNOO_ABI_UNIT;
}

int64_t pool_unit(const struct pool *p, uint64_t offset)
{
	uint64_t at;

	if (offset < p->region.arena_off)
		return -EINVAL;
	at = offset - p->region.arena_off;
	if (at % SNOO_ABI_UNIT != 0 ||
	    at / SNOO_ABI_UNIT >= p->region.arena_units)
		return -EINVAL;
	return (int64_t)(at / SNOO_ABI_UNIT);
}

/* ---- plan ---- */

static int plan(struct pool *p, const struct pool_params *params, char *why)
{
	int ret = shm_region_plan(&p->region, params->size, params->nranks);

	if (ret == -ENOSPC && params->size >= POOL_SIZE_MIN)
		return fail(ret, why, "a pool of %llu MiB is too small for %u "
			    "ranks: raise pool.size_bytes or lower ranks_max",
			    (unsigned long long)(params->size / MIB),
			    params->nranks);
	if (ret || params->size < POOL_SIZE_MIN)
		return fail(-EINVAL, why, "a pool of %llu bytes for %u ranks: "
			    "the size must be a power of two, %llu MiB to "
			    "%llu GiB, the ranks 1 to 65536",
			    (unsigned long long)params->size, params->nranks,
			    (unsigned long long)(POOL_SIZE_MIN / MIB),
			    (unsigned long long)(SNOO_ABI_SIZE_MAX >> 30));
	return 0;
}

/* Equal parts of the arena, one for each node; one zone if it is small. */
static void plan_zones(struct pool *p, const struct topo *t)
{
	uint32_t units = p->region.arena_units;
	uint32_t n = t ? topo_nodes(t) : 1;
	uint32_t first = 0;

	if (n > POOL_ZONES_MAX)
		n = POOL_ZONES_MAX;
	if (n == 0 || units / n < ZONE_MIN)
		n = 1;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t end = (uint32_t)((uint64_t)units * (i + 1) / n) /
			       ZONE_ALIGN * ZONE_ALIGN;

		if (i == n - 1)
			end = units;
		p->zone[i].first = first;
		p->zone[i].units = end - first;
		p->zone[i].node = i;
		first = end;
	}
	p->nzones = n;
}

/* Of an ordinary pool, the bytes at its start that nobody touches. */
static uint64_t untouched(const struct pool_params *params)
{
	return params->vms ? 0 : SNOO_ABI_HEAD_OFFSET;
}

/* Is there enough? */
static int ask(const struct pool_params *params, bool huge, char *why)
{
	uint64_t need;
	uint64_t room;

	if (huge) {
		need = params->size / POOL_HUGE_BYTES;
		room = pool_room_huge_pages();
		if (room >= need)
			return 0;
		return fail(-ENOMEM, why, "%llu huge pages of 2 MiB are "
			    "needed, %llu are free: sysctl vm.nr_hugepages, "
			    "or lower pool.size_bytes",
			    (unsigned long long)need,
			    (unsigned long long)room);
	}
	need = params->size - untouched(params);
	room = pool_room_bytes();
	if (room >= need)
		return 0;
	return fail(-ENOMEM, why, "%llu MiB of memory are needed, %llu are "
		    "available: lower pool.size_bytes, or raise the cgroup's limit",
		    (unsigned long long)(need / MIB),
		    (unsigned long long)(room / MIB));
}

/* ---- memory ---- */

static int make_memfd(struct pool *p, char *why)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	char name[sizeof(p->name) + 16];
	int fd, ret;

	if (p->huge)
		flags |= MFD_HUGETLB | MFD_HUGE_2MB;
	snprintf(name, sizeof(name), "snoo-pool-%s", p->name);
	fd = memfd_create(name, flags);
	if (fd >= 0)
		return fd;
	ret = -errno;
	return fail(ret, why, "memfd_create%s: %s",
		    p->huge ? " with huge pages" : "", strerror(-ret));
}

static int make_file(struct pool *p, const struct pool_params *params,
		     char *why)
{
	int ret;

	if (*p->path)
		p->fd = pool_file_create(p->path, params->mode, params->gid,
					 &p->lock_fd, why);
	else
		p->fd = make_memfd(p, why);
	if (p->fd < 0)
		return p->fd;
	if (ftruncate(p->fd, (off_t)p->region.size)) {
		ret = -errno;
		return fail(ret, why, "cannot make the pool %llu bytes: %s",
			    (unsigned long long)p->region.size,
			    strerror(-ret));
	}
	return 0;
}

static int map(struct pool *p, char *why)
{
	void *base = mmap(NULL, p->region.size, PROT_READ | PROT_WRITE,
			  MAP_SHARED, p->fd, 0);
	int ret;

	if (base == MAP_FAILED) {
		ret = -errno;
		return fail(ret, why, "cannot map the pool: %s%s",
			    strerror(-ret), ret == -ENOMEM && p->huge ?
			    " (huge pages went meanwhile)" : "");
	}
	p->region.base = base;
	guard_init(&p->guard, base, p->region.size);
	/* A forked child must not write what its parent no longer guards. */
	if (madvise(base, p->region.size, MADV_DONTFORK)) {
		ret = -errno;
		return fail(ret, why, "madvise: %s", strerror(-ret));
	}
	return 0;
}

/* Bind each zone's pages; a border inside a page goes to the zone below. */
static void bind_zones(struct pool *p, const struct topo *t)
{
	uint64_t page = pool_page_bytes(p);
	uint64_t start = p->region.arena_off / page * page;

	for (uint32_t i = 0; t && p->nzones > 1 && i < p->nzones; i++) {
		const struct pool_zone *z = &p->zone[i];
		uint64_t end = pool_offset(p, z->first + z->units);
		int ret;

		end = (end + page - 1) / page * page;
		if (end > p->region.size)
			end = p->region.size;
		ret = topo_bind_node(t, p->region.base + start, end - start,
				     z->node);
		if (ret && !p->warning[0])
			snprintf(p->warning, sizeof(p->warning),
				 "memory is not bound to NUMA nodes: %s",
				 strerror(-ret));
		start = end;
	}
}

static int populate(struct pool *p, uint64_t skip, char *why)
{
	unsigned char *at = p->region.base + skip;
	size_t bytes = p->region.size - skip;
	int ret;

	/* Only a hint; whether it counts is the machine's setting. */
	if (!p->huge)
		madvise(at, bytes, MADV_HUGEPAGE);
	if (madvise(at, bytes, MADV_POPULATE_WRITE) == 0)
		return 0;
	ret = -errno;
	/* Kernels before 5.14 do not know it; this takes the pages as well. */
	if (ret == -EINVAL) {
		if (fallocate(p->fd, 0, (off_t)skip, (off_t)bytes) == 0)
			return 0;
		ret = -errno;
	}
	if (ret == -ENOSPC || ret == -EFAULT)
		ret = -ENOMEM;
	return fail(ret, why, "only a part of the pool's %llu MiB of %s could "
		    "be had: %s",
		    (unsigned long long)(p->region.size / MIB),
		    p->huge ? "huge pages" : "memory", strerror(-ret));
}

static void format(void *arg)
{
	struct shm_region *r = arg;

	shm_region_format(r, r->base);
}

static int format_guarded(struct pool *p, bool vms, char *why)
{
	int ret = guard_run(&p->guard, format, &p->region);

	if (ret == 0 && vms)
		ret = pool_write_info(p);
	if (ret)
		return fail(ret, why, "pages of the pool are gone");
	return 0;
}

/* Everything back to "never made", whatever was done. */
static void undo(struct pool *p)
{
	if (p->region.base)
		munmap(p->region.base, p->region.size);
	if (p->fd >= 0)
		close(p->fd);
	if (p->lock_fd >= 0)
		close(p->lock_fd);
	p->region.base = NULL;
	p->region.head = NULL;
	p->fd = p->lock_fd = -1;
	guard_init(&p->guard, NULL, 0);
}

/* A file can't be sealed (EPERM), which status says. */
static int seal(struct pool *p, char *why)
{
	if (*p->path)
		return 0;
	if (fcntl(p->fd, F_ADD_SEALS, SEALS))
		return fail(-errno, why, "cannot seal the pool: %s",
			    strerror(errno));
	p->sealed = true;
	return 0;
}

static int create_with(struct pool *p, const struct pool_params *params,
		       bool huge, char *why)
{
	int ret;

	p->huge = huge;
	ret = ask(params, huge, why);
	if (ret)
		return ret;
	ret = make_file(p, params, why);
	if (ret)
		goto out_undo;
	ret = map(p, why);
	if (ret)
		goto out_undo;
	bind_zones(p, params->topo);
	ret = populate(p, huge ? 0 : untouched(params), why);
	if (ret)
		goto out_undo;
	ret = seal(p, why);
	if (ret)
		goto out_undo;
	ret = format_guarded(p, params->vms, why);
	if (ret)
		goto out_undo;
	return 0;

out_undo:
	pool_remove(p);
	undo(p);
	return ret;
}

/* ---- the public functions ---- */

static void begin(struct pool *p, const struct pool_params *params)
{
	memset(p, 0, sizeof(*p));
	p->fd = p->lock_fd = -1;
	snprintf(p->name, sizeof(p->name), "%s", params->name);
}

/* Status repeats it. */
static void warn_file(struct pool *p)
{
	snprintf(p->warning, sizeof(p->warning), "unsealed: pool.path is a "
		 "file, and a peer that cuts it short ends this domain%s",
		 p->huge ? "" : "; ordinary pages, slower");
}

static int create_file(struct pool *p, const struct pool_params *params,
		       char *why)
{
	bool huge;
	int ret;

	if (strlen(params->path) >= sizeof(p->path))
		return fail(-EINVAL, why, "pool.path is too long: at most %zu "
			    "bytes", sizeof(p->path) - 1);
	ret = pool_file_system(params->path, params->huge, &huge, why);
	if (ret)
		return ret;
	memcpy(p->path, params->path, strlen(params->path) + 1);
	ret = create_with(p, params, huge, why);
	if (!ret)
		warn_file(p);
	return ret;
}

int pool_create(struct pool *p, const struct pool_params *params,
		char why[POOL_TEXT])
{
	char why_not[POOL_TEXT - 64];
	int ret;

	why[0] = '\0';
	begin(p, params);
	ret = plan(p, params, why);
	if (ret)
		return ret;
	plan_zones(p, params->topo);
	if (params->path && *params->path)
		return create_file(p, params, why);
	if (params->huge == CONF_HUGE_NEVER)
		return create_with(p, params, false, why);

	ret = create_with(p, params, true, why);
	if (!ret || params->huge == CONF_HUGE_REQUIRE)
		return ret;
	snprintf(why_not, sizeof(why_not), "%s", why);
	p->warning[0] = '\0';
	ret = create_with(p, params, false, why);
	if (!ret)
		snprintf(p->warning, sizeof(p->warning),
			 "ordinary pages, slower: %s", why_not);
	return ret;
}

static int check_file(struct pool *p, bool sealed, char *why)
{
	struct statfs fs;
	struct stat st;
	int seals;

	if (fstat(p->fd, &st) || fstatfs(p->fd, &fs)) {
		int ret = -errno;

		return fail(ret, why, "cannot look at the pool: %s",
			    strerror(-ret));
	}
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != p->region.size)
		return fail(-EBADMSG, why, "the kept pool has %lld bytes, the "
			    "ledger says %llu", (long long)st.st_size,
			    (unsigned long long)p->region.size);
	p->huge = fs.f_type == HUGETLBFS_MAGIC;
	if (!sealed)
		return pool_file_adopt(p->fd, p->path, &p->lock_fd, why);
	seals = fcntl(p->fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS)
		return fail(-EBADMSG, why, "the kept pool is not sealed "
			    "against resizing");
	p->sealed = true;
	return 0;
}

int pool_adopt(struct pool *p, const struct pool_params *params, int fd,
	       bool sealed, char why[POOL_TEXT])
{
	int ret;

	why[0] = '\0';
	begin(p, params);
	p->fd = fd;
	ret = plan(p, params, why);
	if (ret) {
		ret = -EBADMSG;
		goto out_undo;
	}
	plan_zones(p, params->topo);
	ret = check_file(p, sealed, why);
	if (ret)
		goto out_undo;
	ret = map(p, why);
	if (ret)
		goto out_undo;
	ret = format_guarded(p, params->vms, why);
	if (ret)
		goto out_undo;
	if (!sealed)
		warn_file(p);
	else if (!p->huge)
		snprintf(p->warning, sizeof(p->warning),
			 "ordinary pages, slower: the pool was made so");
	return 0;

out_undo:
	undo(p);
	return ret;
}

void pool_close(struct pool *p)
{
	undo(p);
}

void pool_remove(struct pool *p)
{
	if (p->fd >= 0 && *p->path)
		pool_file_remove(p->fd, p->path);
}

int pool_write_info(struct pool *p)
{
	struct nvdimm_info info;

	nvdimm_fill(&info, p->name, p->region.size);
	return guard_copy_in(&p->guard, p->region.base + NVDIMM_OFFSET, &info,
			     sizeof(info));
}
