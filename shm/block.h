/* SPDX-License-Identifier: MIT */
/*
 * block.h - who may touch a block: take, give back, grant, recall
 *
 * A block's descriptor is one word {generation, home, state}; every change is
 * a compare-and-swap from the exact value expected, so a stale or forged
 * give-back of another generation changes nothing.  All functions are
 * lock-free and may be called by any thread of the role named.
 */
#ifndef SHM_BLOCK_H
#define SHM_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <snoo/abi.h>

static inline uint64_t block_word(uint32_t generation, uint32_t home,
				  enum snoo_abi_desc_state state)
{
	return (uint64_t)generation << SNOO_ABI_DESC_GEN_SHIFT |
	       ((uint64_t)home & SNOO_ABI_DESC_HOME_MASK) <<
	       SNOO_ABI_DESC_HOME_SHIFT | (uint64_t)state;
}

static inline uint32_t block_generation(uint64_t word)
{
	return (uint32_t)(word >> SNOO_ABI_DESC_GEN_SHIFT);
}

static inline uint32_t block_home(uint64_t word)
{
	return (uint32_t)(word >> SNOO_ABI_DESC_HOME_SHIFT &
			  SNOO_ABI_DESC_HOME_MASK);
}

static inline enum snoo_abi_desc_state block_state(uint64_t word)
{
	return (enum snoo_abi_desc_state)(word & 0xff);
}

/** shm_block_look() - The word as it is now; acquire */
uint64_t shm_block_look(const struct snoo_abi_desc *d);

/**
 * shm_block_take() - Home takes a block of its grant
 * @d:		Descriptor
 * @home:	Our slot
 * @expected:	Generation that it was granted with, or given back with
 * @generation:	Of the block from now on; publish it with the block
 *
 * Another generation is another grant, perhaps of another size: its GRANT
 * message is still to come.
 *
 * Return: 0 on success, negative error code otherwise
 *	-EBUSY	 still being read: try another
 *	-ESTALE	 no longer ours: the daemon has recalled it; forget it
 */
int shm_block_take(struct snoo_abi_desc *d, uint32_t home, uint32_t expected,
		   uint32_t *generation);

/**
 * shm_block_give() - Give a block back to its home's grant
 * @generation:	As published with the block
 *
 * By the receiver when it has copied the bytes out, or by home when nobody
 * will.  The caller owes home a wake check.
 *
 * Return: true if this call gave it back; false: it was not out any more
 */
bool shm_block_give(struct snoo_abi_desc *d, uint32_t home,
		    uint32_t generation);

/**
 * shm_block_revoke() - Home gives a block that it holds another generation
 * @generation:	As it is; as it is then
 *
 * Whoever copies from the block under the old one learns by shm_block_still()
 * that what was copied may be anything.  Home may write the block on return.
 *
 * Return: false: it is not held under that generation, nothing was changed
 */
bool shm_block_revoke(struct snoo_abi_desc *d, uint32_t home,
		      uint32_t *generation);

/** shm_block_still() - After a copy out of the block: is its word still @word? */
bool shm_block_still(const struct snoo_abi_desc *d, uint64_t word);

/**
 * shm_block_grant() - The daemon lends a block
 *
 * The ledger says already that it is @home's.
 *
 * Return: its generation, for the GRANT message
 */
uint32_t shm_block_grant(struct snoo_abi_desc *d, uint32_t home);

/**
 * shm_block_measure() - The daemon says how long a block for loans is
 *
 * Before it grants it.
 */
void shm_block_measure(struct snoo_abi_desc *d, uint32_t units);

/**
 * shm_block_bytes() - How long its descriptor says that a block is
 *
 * 0 for a block that is not for loans.  Any member may have written it: what
 * lies that far is in the pool only if shm_region_block() says so too.
 */
uint64_t shm_block_bytes(const struct snoo_abi_desc *d);

/**
 * shm_block_recall() - The daemon takes a free block back
 *
 * Return: true if it is the daemon's now; false: busy, or not @home's
 */
bool shm_block_recall(struct snoo_abi_desc *d, uint32_t home);

/**
 * shm_block_seize() - The daemon takes a block back whatever it is doing
 *
 * Only when nobody can be reading it: home is gone and every partner has
 * acknowledged that, or is gone too.
 */
void shm_block_seize(struct snoo_abi_desc *d);

#endif /* SHM_BLOCK_H */
