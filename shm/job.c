/* SPDX-License-Identifier: MIT */
/*
 * job.c - a job's members and the directory of its channels
 *
 * Ordering edges
 * ==============
 *
 *   edge       one end                 other end               so that
 *   DIRECTORY  announce: release entry channel: acquire entry  a ring that is found
 *                                                              is zeroed and formed
 */

#include "shm/job.h"

#include <errno.h>
#include <string.h>

#include "shm/meet.h"

static uint32_t stride_of(uint32_t capacity)
{
	return (capacity + 31) & ~UINT32_C(31);
}

/* Members and directory; the meetings follow. */
static uint64_t table_bytes(uint32_t capacity)
{
	uint64_t stride = stride_of(capacity);

	return sizeof(struct snoo_abi_job) +
	       stride * sizeof(struct snoo_abi_member) +
	       stride * stride * sizeof(uint32_t);
}

uint64_t shm_job_bytes(uint32_t capacity)
{
	return table_bytes(capacity) + shm_meet_bytes(capacity);
}

int shm_job_open(struct shm_job *j, const struct shm_region *r,
		 uint64_t offset, uint32_t capacity)
{
	unsigned char *base;

	memset(j, 0, sizeof(*j));
	if (capacity == 0 || capacity > SNOO_ABI_JOB_RANKS ||
	    offset < r->arena_off)
		return -EINVAL;
	base = shm_region_at(r, offset, table_bytes(capacity), SNOO_ABI_UNIT);
	if (!base)
		return -EINVAL;
	j->capacity = capacity;
	j->stride = stride_of(capacity);
	j->abi = (void *)base;
	j->member = (void *)(base + sizeof(*j->abi));
	j->directory = (void *)(j->member + j->stride);
	/* A job that an older daemon began ends here. */
	if (shm_region_at(r, offset, shm_job_bytes(capacity), SNOO_ABI_UNIT))
		j->meetings = base + table_bytes(capacity);
	return 0;
}

int shm_job_format(struct shm_job *j, const struct shm_region *r,
		   uint64_t offset, uint32_t job, uint32_t capacity)
{
	int ret = shm_job_open(j, r, offset, capacity);

	if (ret == 0 && !j->meetings)
		ret = -EINVAL;
	if (ret)
		return ret;
	memset(j->abi, 0, (size_t)shm_job_bytes(capacity));
	j->abi->job = job;
	j->abi->capacity = capacity;
	j->abi->stride = j->stride;
	/* Relaxed: START, which comes by the socket, settles it. */
	atomic_store_explicit(&j->abi->meets, 1, memory_order_relaxed);
	return 0;
}

void shm_job_no_meetings(const struct shm_job *j)
{
	atomic_store_explicit(&j->abi->meets, 0, memory_order_relaxed);
}

void *shm_job_meets(const struct shm_job *j)
{
	if (atomic_load_explicit(&j->abi->meets, memory_order_relaxed) != 1)
		return NULL;
	return j->meetings;
}

int64_t shm_job_slot(const struct shm_job *j, uint32_t rank)
{
	uint32_t slot;

	if (rank >= j->capacity)
		return -EAGAIN;
	/* Acquire: the slot was cleared for its rank before it was named. */
	slot = atomic_load_explicit(&j->member[rank].slot,
				    memory_order_acquire);
	return slot == 0 ? -EAGAIN : (int64_t)slot - 1;
}

static _Atomic uint32_t *entry(const struct shm_job *j, uint32_t receiver,
			       uint32_t sender)
{
	return &j->directory[(size_t)receiver * j->stride + sender];
}

void shm_job_announce(const struct shm_job *j, uint32_t receiver,
		      uint32_t sender, uint64_t ring_offset)
{
	/* DIRECTORY, release side; shm_job_channel() acquires. */
	atomic_store_explicit(entry(j, receiver, sender),
			      (uint32_t)(ring_offset / SNOO_ABI_LINE),
			      memory_order_release);
}

uint64_t shm_job_channel(const struct shm_job *j, uint32_t receiver,
			 uint32_t sender)
{
	/* DIRECTORY, acquire side; shm_job_announce() releases. */
	uint32_t at = atomic_load_explicit(entry(j, receiver, sender),
					   memory_order_acquire);

	return (uint64_t)at * SNOO_ABI_LINE;
}
