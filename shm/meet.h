/* SPDX-License-Identifier: MIT */
/*
 * meet.h - all ranks of a job meet: arrive, see that all have, read their data
 *
 * Meetings are numbered from 1; each rank arrives at all of them, in order, and
 * at the next one only when all have arrived at the one before.  Everything
 * here lies in the pool: a member of the domain that writes over it can end a
 * meeting early, hold it up or spoil its data, and nothing else.
 */
#ifndef SHM_MEET_H
#define SHM_MEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snoo/abi.h>

#define SHM_MEET_LEVELS	4	/* of 1024 ranks */

/** struct shm_meet - Our own view of a job's area of meetings */
struct shm_meet {
	struct snoo_abi_meet *all;
	uint32_t ranks;
	uint32_t levels;			/* 1: ranks alone */
	uint32_t first[SHM_MEET_LEVELS];	/* of a level, in `all` */
	uint32_t count[SHM_MEET_LEVELS];
};

/** struct shm_meet_part - What one rank brings to a meeting */
struct shm_meet_part {
	uint64_t number;
	uint64_t what;			/* the same at all ranks */
	uint64_t bytes;			/* likewise */
	const void *data;		/* of this rank */
	size_t len;			/* bytes, up to SNOO_ABI_MEET_DATA */
	/*
	 * How a node puts its children's data together, each of them `len`
	 * bytes; NULL: not at all.  The same at all ranks.
	 */
	void (*fold)(void *acc, const void *in, const void *arg);
	const void *arg;
};

/** shm_meet_bytes() - Size of the area of a job of @ranks */
uint64_t shm_meet_bytes(uint32_t ranks);

/** shm_meet_open() - Look at an area of shm_meet_bytes(@ranks), zeroed once */
void shm_meet_open(struct shm_meet *m, void *area, uint32_t ranks);

/**
 * shm_meet_arrive() - We are there: MEET
 *
 * Wait-free.  The last one to arrive, or the last few if they come at once,
 * learn here that they are; they must wake those who sleep.
 *
 * Return: true: all have arrived
 */
bool shm_meet_arrive(const struct shm_meet *m, uint32_t rank,
		     const struct shm_meet_part *part);

/**
 * shm_meet_come() - The same of one who looks until all have, with one level
 *
 * Without the fence, which waits until all others have let go of our line.  So
 * nobody may be the last to learn it: everybody who sees that all have arrived
 * must see to it, after a fence, that nobody sleeps.
 */
void shm_meet_come(const struct shm_meet *m, uint32_t rank,
		   const struct shm_meet_part *part);

/** shm_meet_there() - Has @rank arrived at @number?  Acquires */
bool shm_meet_there(const struct shm_meet *m, uint32_t rank, uint64_t number);

/**
 * shm_meet_look() - Have all arrived at @number?  Acquires
 * @at:		Where to begin: 0, then as the last look left it
 */
bool shm_meet_look(const struct shm_meet *m, uint64_t number, uint32_t *at);

/**
 * shm_meet_each() - The same by a look at each rank
 *
 * One who died after it had arrived may not have told its node.
 */
bool shm_meet_each(const struct shm_meet *m, uint64_t number);

/**
 * shm_meet_like() - Does @rank, who has arrived, do what we do?
 *
 * Return: 0, -EMSGSIZE: the bytes differ, -EINVAL: it is another operation
 */
int shm_meet_like(const struct shm_meet *m, uint32_t rank,
		  const struct shm_meet_part *part);

/** shm_meet_alike() - Likewise for all, who have arrived */
int shm_meet_alike(const struct shm_meet *m, const struct shm_meet_part *part);

/** shm_meet_read() - Copy the first @len bytes of @rank, who has arrived */
void shm_meet_read(const struct shm_meet *m, uint32_t rank, uint64_t number,
		   void *to, size_t len);

/**
 * shm_meet_fold() - Put together what all brought, who have arrived alike
 * @acc:	@part->len bytes: the result
 *
 * In the order of the ranks within each node, then of the nodes.
 */
void shm_meet_fold(const struct shm_meet *m, const struct shm_meet_part *part,
		   void *acc);

#endif /* SHM_MEET_H */
