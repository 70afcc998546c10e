/* SPDX-License-Identifier: MIT */
/* counters.h - named 64-bit counters in a rank's slot; readers need no daemon */
#ifndef SHM_COUNTERS_H
#define SHM_COUNTERS_H

#include <stdint.h>

#include <snoo/abi.h>

enum shm_counter {
#define COUNTER(name, unit, meaning) SHM_COUNT_##name,
#include "shm/counters.def"
#undef COUNTER
	SHM_COUNTERS
};

_Static_assert(SHM_COUNTERS <=
	       sizeof(((struct snoo_abi_rank *)0)->counters) /
	       sizeof(((struct snoo_abi_rank *)0)->counters[0]),
	       "more counters than a rank slot has room for");

/** struct shm_counter_info - For people */
struct shm_counter_info {
	const char *name;
	const char *unit;
	const char *meaning;
};

extern const struct shm_counter_info shm_counter_info[SHM_COUNTERS];

/** shm_count() - Add to a counter of our own slot */
static inline void shm_count(struct snoo_abi_rank *rank, enum shm_counter c,
			     uint64_t n)
{
	_Atomic uint64_t *p = &rank->counters[c];

	/* Relaxed, and no read-modify-write: only this rank writes it. */
	atomic_store_explicit(p, atomic_load_explicit(p, memory_order_relaxed) +
			      n, memory_order_relaxed);
}

/** shm_counter() - Read one */
static inline uint64_t shm_counter(const struct snoo_abi_rank *rank,
				   enum shm_counter c)
{
	return atomic_load_explicit(&rank->counters[c], memory_order_relaxed);
}

#endif /* SHM_COUNTERS_H */
