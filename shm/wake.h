/* SPDX-License-Identifier: MIT */
/*
 * wake.h - the wait word: must somebody be woken?
 *
 * Whoever writes anything that a rank may wait for calls shm_wake_check() on
 * that rank afterwards: lines, credits, returned blocks, grants, marks.
 */
#ifndef SHM_WAKE_H
#define SHM_WAKE_H

#include <stdbool.h>
#include <stdint.h>

#include <snoo/abi.h>

/* What the caller of shm_wake_check() must do. */
enum shm_wake {
	SHM_WAKE_NONE	= 0,
	SHM_WAKE_FUTEX	= 1,	/* hal_ring() on its register block */
	SHM_WAKE_EVENTFD = 2,	/* write its eventfd */
};

static inline uint64_t wake_word(enum snoo_abi_wait mode, uint32_t wanted)
{
	return (uint64_t)mode | (uint64_t)wanted << SNOO_ABI_WAIT_SHIFT;
}

static inline enum snoo_abi_wait wake_mode(uint64_t word)
{
	return (enum snoo_abi_wait)(word & 0xff);
}

static inline uint32_t wake_wanted(uint64_t word)
{
	return (uint32_t)(word >> SNOO_ABI_WAIT_SHIFT);
}

/** shm_wake_slow() - Second half of shm_wake_check(); not for others */
enum shm_wake shm_wake_slow(struct snoo_abi_rank *rank, uint32_t source,
			    uint64_t word);

/**
 * shm_wake_check() - We have written something for @rank
 * @rank:	Slot of the one who may wait
 * @source:	Our rank in the job; SNOO_ABI_ANY from the daemon: whatever
 *		is wanted, this is
 *
 * Wait-free.  In the common case, @rank polls, this is a fence and one load
 * of a line that stays in our cache.
 */
static inline enum shm_wake shm_wake_check(struct snoo_abi_rank *rank,
					   uint32_t source)
{
	uint64_t word;

	/*
	 * SLEEP, writer's side; shm_wake_arm() is the other.  Our store of the
	 * line comes before this load of the wait word, and the sleeper's
	 * store of the wait word before its last look at the lines: one of
	 * the two sees the other.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	word = atomic_load_explicit(&rank->wait, memory_order_relaxed);
	if (wake_mode(word) == SNOO_ABI_POLLING)
		return SHM_WAKE_NONE;
	return shm_wake_slow(rank, source, word);
}

/**
 * shm_wake_returned() - The same, when lines or a block were given back
 *
 * Nobody is woken for that who names the source that it wants: it has nothing
 * under way but that receive, so it waits for no room.  When it has, it arms
 * anew, for any source, and looks.
 */
static inline enum shm_wake shm_wake_returned(struct snoo_abi_rank *rank,
					      uint32_t source)
{
	uint64_t word;

	/* SLEEP, as above: what was given back, then the wait word. */
	atomic_thread_fence(memory_order_seq_cst);
	word = atomic_load_explicit(&rank->wait, memory_order_relaxed);
	if (wake_mode(word) == SNOO_ABI_POLLING ||
	    wake_wanted(word) != SNOO_ABI_ANY)
		return SHM_WAKE_NONE;
	return shm_wake_slow(rank, source, word);
}

/**
 * shm_wake_arm() - Say how we wait from now on; look again afterwards
 * @rank:	Our own slot
 *
 * After this call everything must be looked at once more before sleeping or
 * before relying on the summary: what was written before it may have been
 * written by someone who still saw the former mode.
 */
void shm_wake_arm(struct snoo_abi_rank *rank, enum snoo_abi_wait mode,
		  uint32_t wanted);

/**
 * shm_wake_look() - We have written something for the daemon's register service
 *
 * LOOK, rank's side.  Our stores come before this load, and the service's
 * store of `asleep` before its last look at the rings (a seq_cst fence between
 * the two there as here): one of the two sees the other.
 *
 * Return: true: it sleeps; say SNOO_WIRE_LOOK
 */
static inline bool shm_wake_look(const struct snoo_abi_pool *head)
{
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(&head->asleep, memory_order_relaxed) != 0;
}

/** shm_wake_flag() - Set bit @source in a bitmap of slots */
void shm_wake_flag(_Atomic uint32_t *map, uint32_t source);

/** shm_wake_collect() - Take word @i of a bitmap and clear it */
uint32_t shm_wake_collect(_Atomic uint32_t *map, uint32_t i);

#endif /* SHM_WAKE_H */
