/* SPDX-License-Identifier: MIT */
/*
 * region.c - check a mapped pool, turn offsets into pointers
 *
 * Every bound is checked by subtracting from what is known to be true: a
 * huge offset cannot wrap.
 */

#include "shm/region.h"

#include <errno.h>
#include <string.h>

#define REGION_RANKS_MAX	65536u
#define REGION_PAGE		UINT64_C(4096)

static uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) & ~(to - 1);
}

int shm_region_plan(struct shm_region *r, uint64_t size, uint32_t nranks)
{
	uint64_t off = SNOO_ABI_HEAD_OFFSET + REGION_PAGE;
	uint64_t units;

	memset(r, 0, sizeof(*r));
	if (size == 0 || (size & (size - 1)) != 0 || size > SNOO_ABI_SIZE_MAX)
		return -EINVAL;
	if (nranks == 0 || nranks > REGION_RANKS_MAX)
		return -EINVAL;

	r->size = size;
	r->nranks = nranks;
	r->hints_off = off;
	off += REGION_PAGE;
	r->regs_off = off;
	off = round_up(off + (uint64_t)nranks * SNOO_ABI_REGS_STRIDE,
		       REGION_PAGE);
	r->ranks_off = off;
	off = round_up(off + (uint64_t)nranks * sizeof(struct snoo_abi_rank),
		       REGION_PAGE);
	r->descs_off = off;
	if (off >= size)
		return -ENOSPC;

	/* Each unit needs its page and its descriptor; one page for rounding. */
	units = (size - off) / (SNOO_ABI_UNIT + sizeof(struct snoo_abi_desc));
	if (units < 2)
		return -ENOSPC;
	units--;
	r->arena_off = round_up(off + units * sizeof(struct snoo_abi_desc),
				REGION_PAGE);
	if (r->arena_off >= size ||
	    (size - r->arena_off) / SNOO_ABI_UNIT < units)
		return -ENOSPC;
	r->arena_units = (uint32_t)units;
	return 0;
}

void shm_region_format(struct shm_region *r, void *base)
{
	struct snoo_abi_pool *p;

	r->base = base;
	p = (void *)(r->base + SNOO_ABI_HEAD_OFFSET);
	r->head = p;

	p->major = SNOO_ABI_MAJOR;
	p->minor = SNOO_ABI_MINOR;
	p->size = r->size;
	p->hints_off = r->hints_off;
	p->regs_off = r->regs_off;
	p->ranks_off = r->ranks_off;
	p->descs_off = r->descs_off;
	p->arena_off = r->arena_off;
	p->arena_units = r->arena_units;
	p->nranks = r->nranks;
	atomic_thread_fence(memory_order_release);
	p->magic = SNOO_ABI_MAGIC;
}

int shm_region_open(struct shm_region *r, void *base, uint64_t size)
{
	struct snoo_abi_pool copy;
	int ret;

	memset(r, 0, sizeof(*r));
	if (size < SNOO_ABI_HEAD_OFFSET + sizeof(copy))
		return -EINVAL;

	memcpy(&copy, (unsigned char *)base + SNOO_ABI_HEAD_OFFSET,
	       sizeof(copy));
	atomic_signal_fence(memory_order_seq_cst);
	if (copy.magic != SNOO_ABI_MAGIC)
		return -EINVAL;
	if (copy.major != SNOO_ABI_MAJOR)
		return -EPROTONOSUPPORT;
	if (copy.size != size)
		return -EINVAL;

	/*
	 * The layout follows from size and ranks alone, so that there is
	 * nothing else in the head that could steer us.
	 */
	ret = shm_region_plan(r, size, copy.nranks);
	if (ret || copy.hints_off != r->hints_off ||
	    copy.regs_off != r->regs_off || copy.ranks_off != r->ranks_off ||
	    copy.descs_off != r->descs_off || copy.arena_off != r->arena_off ||
	    copy.arena_units != r->arena_units) {
		memset(r, 0, sizeof(*r));
		return -EINVAL;
	}
	r->base = base;
	r->head = (void *)(r->base + SNOO_ABI_HEAD_OFFSET);
	return 0;
}

void *shm_region_at(const struct shm_region *r, uint64_t offset,
		    uint64_t length, uint64_t align)
{
	if (offset >= r->size || length > r->size - offset)
		return NULL;
	if ((offset & (align - 1)) != 0)
		return NULL;
	return r->base + offset;
}

struct snoo_abi_rank *shm_region_rank(const struct shm_region *r,
				      uint32_t slot)
{
	if (slot >= r->nranks)
		return NULL;
	return (struct snoo_abi_rank *)(void *)(r->base + r->ranks_off) + slot;
}

struct snoo_abi_desc *shm_region_desc(const struct shm_region *r,
				      uint32_t unit)
{
	if (unit >= r->arena_units)
		return NULL;
	return (struct snoo_abi_desc *)(void *)(r->base + r->descs_off) + unit;
}

void *shm_region_block(const struct shm_region *r, uint32_t unit,
		       uint64_t bytes)
{
	if (unit >= r->arena_units ||
	    bytes > (uint64_t)(r->arena_units - unit) * SNOO_ABI_UNIT)
		return NULL;
	return r->base + r->arena_off + (uint64_t)unit * SNOO_ABI_UNIT;
}
