/* SPDX-License-Identifier: MIT */
/* pool.h - a small formatted pool in private memory, for the tests of shm/ */
#ifndef TESTS_UNIT_SHM_POOL_H
#define TESTS_UNIT_SHM_POOL_H

#include <stdint.h>
#include <sys/mman.h>

#include "shm/region.h"

#define POOL_BYTES	(UINT64_C(4) << 20)
#define POOL_RANKS	4u

/** pool_open() - 4 MiB for four ranks; -1: no memory */
static inline int pool_open(struct shm_region *r)
{
	void *base = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return -1;
	if (shm_region_plan(r, POOL_BYTES, POOL_RANKS)) {
		munmap(base, POOL_BYTES);
		return -1;
	}
	shm_region_format(r, base);
	return 0;
}

static inline void pool_close(struct shm_region *r)
{
	munmap(r->base, POOL_BYTES);
}

#endif /* TESTS_UNIT_SHM_POOL_H */
