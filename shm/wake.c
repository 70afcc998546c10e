/* SPDX-License-Identifier: MIT */
/*
 * wake.c - the wait word: must somebody be woken?
 *
 * Ordering edges
 * ==============
 *
 *   edge     one end                    other end                  so that
 *   SLEEP    check: fence, load wait    arm: store wait, fence,    one of the two sees
 *            (after publishing)         then look at the lines     the other
 *   SUMMARY  check: fetch_or summary    collect: exchange 0,       a bit that is taken
 *            (after publishing)         then look at the lines     shows its line
 *
 * The wait word has one writer, its rank.  A rank that narrows or widens what
 * it wants, or changes mode, arms again and looks at everything once more.
 */

#include "shm/wake.h"

#include "shm/testpoint.h"

enum shm_wake shm_wake_slow(struct snoo_abi_rank *rank, uint32_t source,
			    uint64_t word)
{
	uint32_t wanted = wake_wanted(word);

	if (wanted != SNOO_ABI_ANY && source != SNOO_ABI_ANY &&
	    wanted != source)
		return SHM_WAKE_NONE;

	if (source < SNOO_ABI_JOB_RANKS)
		shm_wake_flag(rank->summary, source);
	SNOO_TESTPOINT("wake_flagged");

	switch (wake_mode(word)) {
	case SNOO_ABI_ASLEEP_FUTEX:
		return SHM_WAKE_FUTEX;
	case SNOO_ABI_ASLEEP_EVENTFD:
		return SHM_WAKE_EVENTFD;
	case SNOO_ABI_POLLING:
	case SNOO_ABI_SUMMARY:
		break;
	}
	return SHM_WAKE_NONE;
}

void shm_wake_arm(struct snoo_abi_rank *rank, enum snoo_abi_wait mode,
		  uint32_t wanted)
{
	/*
	 * SLEEP, sleeper's side; shm_wake_check() is the other.  Relaxed
	 * store: the fence orders it before the caller's next look.
	 */
	atomic_store_explicit(&rank->wait, wake_word(mode, wanted),
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	SNOO_TESTPOINT("wake_armed");
}

void shm_wake_flag(_Atomic uint32_t *map, uint32_t source)
{
	uint32_t bit = UINT32_C(1) << (source % 32);

	/* SUMMARY, release side: the line is published before its bit. */
	atomic_fetch_or_explicit(&map[source / 32], bit, memory_order_release);
}

uint32_t shm_wake_collect(_Atomic uint32_t *map, uint32_t i)
{
	/* Relaxed first: most words are 0 and need no exclusive line. */
	if (atomic_load_explicit(&map[i], memory_order_relaxed) == 0)
		return 0;
	/* SUMMARY, acquire side: a bit that we take shows its line. */
	return atomic_exchange_explicit(&map[i], 0, memory_order_acquire);
}
