/* SPDX-License-Identifier: MIT */
/*
 * job.h - a job's members and the directory of its channels
 *
 * Everything here lies in the pool and is checked by who uses it: a slot
 * against the pool's slots, a ring offset by shm_rx_open().
 */
#ifndef SHM_JOB_H
#define SHM_JOB_H

#include <stdint.h>

#include <snoo/abi.h>

#include "shm/region.h"

/** struct shm_job - Our own view of a job's area */
struct shm_job {
	struct snoo_abi_job *abi;
	struct snoo_abi_member *member;
	_Atomic uint32_t *directory;
	void *meetings;			/* shm/meet.h; NULL: none */
	uint32_t capacity;		/* ranks */
	uint32_t stride;		/* entries in a row */
};

/** shm_job_bytes() - Size of the area of a job of @capacity ranks */
uint64_t shm_job_bytes(uint32_t capacity);

/**
 * shm_job_format() - Zero and fill a fresh area
 *
 * Return: 0, or -EINVAL: outside the pool, or an impossible capacity
 */
int shm_job_format(struct shm_job *j, const struct shm_region *r,
		   uint64_t offset, uint32_t job, uint32_t capacity);

/**
 * shm_job_open() - Look at an area
 * @capacity:	As said on the socket; what stands in the pool is not read
 *
 * Return: 0, or -EINVAL: outside the pool, or an impossible capacity
 */
int shm_job_open(struct shm_job *j, const struct shm_region *r,
		 uint64_t offset, uint32_t capacity);

/**
 * shm_job_slot() - Rank slot of @rank
 *
 * Return: the slot (not yet checked against the pool), or -EAGAIN: no member
 */
int64_t shm_job_slot(const struct shm_job *j, uint32_t rank);

/** shm_job_no_meetings() - Before START: not all members know how to meet */
void shm_job_no_meetings(const struct shm_job *j);

/** shm_job_meets() - After START: the area of meetings, or NULL */
void *shm_job_meets(const struct shm_job *j);

/** shm_job_announce() - The sender's new channel: DIRECTORY, release side */
void shm_job_announce(const struct shm_job *j, uint32_t receiver,
		      uint32_t sender, uint64_t ring_offset);

/** shm_job_channel() - Offset of the ring, 0 if none: acquire side */
uint64_t shm_job_channel(const struct shm_job *j, uint32_t receiver,
			 uint32_t sender);

#endif /* SHM_JOB_H */
