/* SPDX-License-Identifier: MIT */
/* copy.h - copies between private memory and a block */
#ifndef SHM_COPY_H
#define SHM_COPY_H

#include <stddef.h>

#include "shm/cpu.h"

/**
 * shm_copy() - As memcpy(), fast when the lines lie in another core's cache
 *
 * If a peer changes the source meanwhile, what is copied is some mixture:
 * nothing else goes wrong.
 */
void shm_copy(void *to, const void *from, size_t n);

/* Has this processor stores that pass its caches by? */
#define SHM_COPY_FAR	CPU_STREAM_STORES

/**
 * shm_copy_far() - As shm_copy(), into memory and not into this core's cache
 * @to:		Aligned to 16 bytes
 *
 * For a reader that is slow to get at lines which are dirty in this core's
 * cache (client/pace.h).  Non-temporal stores are not ordered by what is
 * stored after them; a fence is in here, so that a release store that follows
 * publishes these bytes as any others (LINE).
 */
void shm_copy_far(void *to, const void *from, size_t n);

#endif /* SHM_COPY_H */
