/* SPDX-License-Identifier: MIT */
/*
 * map.c - the pool in our address space
 *
 * A memfd is the pool.  What a guest has may begin later: its /dev/dax lacks
 * the pool's first 2 MiB, and a PCI BAR lies somewhere in the device's fd.
 * region.base is where offset 0 of the pool would be; addresses below what can
 * be mapped are reserved and not accessible, so that nothing else of the
 * process lies there.
 */

#include "client/map.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_ALIGN	UINT64_C(0x200000)	/* of /dev/dax, and huge pages */

/* What WELCOME says of the mapping is the daemon's to say, within reason. */
static bool makes_sense(const struct snoo_wire_welcome *w, int pool)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct stat st;
	uint64_t bytes;

	if (w->pool_bytes == 0 || w->pool_bytes > SNOO_ABI_SIZE_MAX)
		return false;
	if (w->map_skip % MAP_ALIGN != 0 ||
	    w->map_skip > SNOO_ABI_HEAD_OFFSET || w->map_skip >= w->pool_bytes)
		return false;
	bytes = w->pool_bytes - w->map_skip;
	if (w->map_offset % page != 0 ||
	    w->map_offset > (uint64_t)INT64_MAX - bytes)
		return false;
	/* A file that ends too early would be a SIGBUS later. */
	if (fstat(pool, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size < w->map_offset + bytes)
		return false;
	return true;
}

/* @bytes of addresses from a multiple of 2 MiB on, without access. */
static unsigned char *reserve(uint64_t bytes)
{
	unsigned char *from, *base;
	uint64_t before;

	from = mmap(NULL, (size_t)(bytes + MAP_ALIGN), PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (from == MAP_FAILED)
		return NULL;
	before = -(uint64_t)(uintptr_t)from & (MAP_ALIGN - 1);
	base = from + before;
	if (before)
		munmap(from, (size_t)before);
	munmap(base + bytes, (size_t)(MAP_ALIGN - before));
	return base;
}

static unsigned char *map_at(const struct snoo_wire_welcome *w, int pool)
{
	const int prot = PROT_READ | PROT_WRITE;
	unsigned char *base;
	int error;

	if (w->map_skip == 0 && w->map_offset == 0) {
		/* The kernel knows best where huge pages may lie. */
		base = mmap(NULL, (size_t)w->pool_bytes, prot, MAP_SHARED,
			    pool, 0);
		return base == MAP_FAILED ? NULL : base;
	}
	base = reserve(w->pool_bytes);
	if (!base)
		return NULL;
	if (mmap(base + w->map_skip, (size_t)(w->pool_bytes - w->map_skip),
		 prot, MAP_SHARED | MAP_FIXED, pool,
		 (off_t)w->map_offset) == MAP_FAILED) {
		error = errno;
		munmap(base, (size_t)w->pool_bytes);
		errno = error;
		return NULL;
	}
	return base;
}

int map_open(struct snoo *ctx, const struct snoo_wire_welcome *w, int pool,
	     const char **what)
{
	unsigned char *base;
	int ret;

	*what = "size and place of the pool";
	if (!makes_sense(w, pool))
		return -EPROTO;
	*what = "mapping the pool";
	base = map_at(w, pool);
	if (!base)
		return -errno;
	/* A child of ours must not write what is no longer ours to write. */
	*what = "MADV_DONTFORK on the pool";
	ret = madvise(base, (size_t)w->pool_bytes, MADV_DONTFORK) ? -errno : 0;
	if (ret == 0) {
		*what = "the pool's head is damaged, or of another version";
		ret = shm_region_open(&ctx->region, base, w->pool_bytes);
	}
	if (ret)
		munmap(base, (size_t)w->pool_bytes);
	return ret;
}

void map_close(struct snoo *ctx)
{
	if (ctx->region.base)
		munmap(ctx->region.base, (size_t)ctx->region.size);
	ctx->region.base = NULL;
}
