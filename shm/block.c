/* SPDX-License-Identifier: MIT */
/*
 * block.c - who may touch a block: take, give back, grant, recall
 *
 * Ordering edges
 * ==============
 *
 *   edge    one end                other end              so that
 *   COPY    give: release          take: acquire          the reader's copy is complete
 *                                                         before home writes again
 *   RECALL  recall: CAS FREE->NONE take: CAS FREE->BUSY   exactly one of the two wins
 *   REVOKE  revoke: CAS, then a    still: a fence         a copy that is not all old
 *           fence release          acquire, then a look   is not taken for the message
 *
 * The bytes of a block travel under LINE (shm/ring.c): home writes them, then
 * publishes the line that names the block.
 *
 * If a process dies: between take and publish, the block stays BUSY and the
 * daemon finds it in its book under the dead home.  Between copy and give,
 * home learns of the receiver's death and gives the block back itself.
 */

#include "shm/block.h"

#include <errno.h>

#include "shm/testpoint.h"

uint64_t shm_block_look(const struct snoo_abi_desc *d)
{
	/* COPY, acquire side, for who only looks. */
	return atomic_load_explicit(&d->word, memory_order_acquire);
}

static bool change(struct snoo_abi_desc *d, uint64_t from, uint64_t to)
{
	/*
	 * COPY, both sides: as give it releases our reads of the block, as
	 * take it acquires the reads of whoever gave it back.  RECALL: the
	 * hardware lets one of two changes from the same value win.
	 */
	return atomic_compare_exchange_strong_explicit(&d->word, &from, to,
						       memory_order_acq_rel,
						       memory_order_acquire);
}

int shm_block_take(struct snoo_abi_desc *d, uint32_t home, uint32_t expected,
		   uint32_t *generation)
{
	uint64_t word = block_word(expected, home, SNOO_ABI_BLOCK_FREE);

	/*
	 * No look before: the reader has written it last, and a load would
	 * fetch the line once more than the exchange does.
	 */
	if (!atomic_compare_exchange_strong_explicit(
		    &d->word, &word,
		    block_word(expected + 1, home, SNOO_ABI_BLOCK_BUSY),
		    memory_order_acq_rel, memory_order_acquire))
		return block_home(word) == home &&
				       block_generation(word) == expected &&
				       block_state(word) !=
					       SNOO_ABI_BLOCK_NONE ?
			       -EBUSY : -ESTALE;
	SNOO_TESTPOINT("block_taken");
	*generation = expected + 1;
	return 0;
}

bool shm_block_give(struct snoo_abi_desc *d, uint32_t home,
		    uint32_t generation)
{
	return change(d, block_word(generation, home, SNOO_ABI_BLOCK_BUSY),
		      block_word(generation, home, SNOO_ABI_BLOCK_FREE));
}

bool shm_block_revoke(struct snoo_abi_desc *d, uint32_t home,
		      uint32_t *generation)
{
	bool done = change(d, block_word(*generation, home, SNOO_ABI_BLOCK_BUSY),
			   block_word(*generation + 1, home,
				      SNOO_ABI_BLOCK_BUSY));

	/* REVOKE: who reads what home writes now sees the new generation. */
	atomic_thread_fence(memory_order_release);
	if (done)
		++*generation;
	return done;
}

bool shm_block_still(const struct snoo_abi_desc *d, uint64_t word)
{
	/* REVOKE: the copy comes before the look. */
	atomic_thread_fence(memory_order_acquire);
	return shm_block_look(d) == word;
}

uint32_t shm_block_grant(struct snoo_abi_desc *d, uint32_t home)
{
	uint32_t next = block_generation(shm_block_look(d)) + 1;

	/* Release: what the daemon did to the block is seen by who takes it. */
	atomic_store_explicit(&d->word,
			      block_word(next, home, SNOO_ABI_BLOCK_FREE),
			      memory_order_release);
	return next;
}

void shm_block_measure(struct snoo_abi_desc *d, uint32_t units)
{
	/* Relaxed: shm_block_grant() releases it, GRANT. */
	atomic_store_explicit(&d->units, units, memory_order_relaxed);
}

uint64_t shm_block_bytes(const struct snoo_abi_desc *d)
{
	/* Relaxed: the line that names the block was acquired, LINE. */
	return (uint64_t)atomic_load_explicit(&d->units,
					      memory_order_relaxed) *
	       SNOO_ABI_UNIT;
}

bool shm_block_recall(struct snoo_abi_desc *d, uint32_t home)
{
	uint64_t word = shm_block_look(d);

	if (block_home(word) != home || block_state(word) != SNOO_ABI_BLOCK_FREE)
		return false;
	return change(d, word, block_word(block_generation(word) + 1, 0,
					  SNOO_ABI_BLOCK_NONE));
}

void shm_block_seize(struct snoo_abi_desc *d)
{
	uint32_t next = block_generation(shm_block_look(d)) + 1;

	atomic_store_explicit(&d->word,
			      block_word(next, 0, SNOO_ABI_BLOCK_NONE),
			      memory_order_release);
}
