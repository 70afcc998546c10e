/* SPDX-License-Identifier: MIT */
/*
 * region.h - a mapped pool: offsets to pointers, checked on every use
 *
 * The head of the pool lies in memory that every peer can write.  It is
 * copied and checked once, at open; from then on the private copy counts.
 */
#ifndef SHM_REGION_H
#define SHM_REGION_H

#include <stddef.h>
#include <stdint.h>

#include <snoo/abi.h>

/** struct shm_region - Our own view of a pool; nothing in it is shared */
struct shm_region {
	unsigned char *base;		/* offset 0 of the pool */
	uint64_t size;			/* bytes mapped */
	uint64_t hints_off;
	uint64_t regs_off;
	uint64_t ranks_off;
	uint64_t descs_off;
	uint64_t arena_off;
	uint32_t arena_units;
	uint32_t nranks;
	struct snoo_abi_pool *head;
};

/**
 * shm_region_plan() - Lay out a pool of @size bytes for @nranks rank slots
 * @r:		Filled; base and head stay NULL
 * @size:	Bytes: a power of two, at most SNOO_ABI_SIZE_MAX
 * @nranks:	Rank slots, 1..65536
 *
 * Return: 0 on success, negative error code otherwise
 *	-EINVAL	 @size is no power of two or @nranks is out of range
 *	-ENOSPC	 the pool is too small for that many ranks
 */
int shm_region_plan(struct shm_region *r, uint64_t size, uint32_t nranks);

/**
 * shm_region_format() - Write the head of a fresh, zeroed pool
 * @r:		Planned
 * @base:	@r->size bytes of memory that nobody else has yet
 *
 * The magic number is written last, with release.
 */
void shm_region_format(struct shm_region *r, void *base);

/**
 * shm_region_open() - Check a pool that somebody else has formatted
 * @r:		Filled on success
 * @base:	Offset 0 of the pool
 * @size:	Bytes mapped, as said on the socket
 *
 * Return: 0 on success, negative error code otherwise
 *	-EINVAL		not a pool, or an impossible layout
 *	-EPROTONOSUPPORT another major version
 */
int shm_region_open(struct shm_region *r, void *base, uint64_t size);

/**
 * shm_region_at() - Pointer to @length bytes at @offset
 *
 * Return: the pointer, or NULL if any byte of it lies outside the pool or
 * @offset is not a multiple of @align (a power of two)
 */
void *shm_region_at(const struct shm_region *r, uint64_t offset,
		    uint64_t length, uint64_t align);

/** shm_region_rank() - Rank slot @slot, or NULL if there is none */
struct snoo_abi_rank *shm_region_rank(const struct shm_region *r,
				      uint32_t slot);

/** shm_region_desc() - Descriptor of arena unit @unit, or NULL */
struct snoo_abi_desc *shm_region_desc(const struct shm_region *r,
				      uint32_t unit);

/** shm_region_block() - @bytes of the arena from unit @unit, or NULL */
void *shm_region_block(const struct shm_region *r, uint32_t unit,
		       uint64_t bytes);

/** shm_region_regs() - First of the register blocks */
static inline void *shm_region_regs(const struct shm_region *r)
{
	return r->base + r->regs_off;
}

#endif /* SHM_REGION_H */
