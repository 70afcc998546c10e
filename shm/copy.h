/* SPDX-License-Identifier: MIT */
/* copy.h - copies between private memory and a block */
#ifndef SHM_COPY_H
#define SHM_COPY_H

#include <stddef.h>

#include "shm/cpu.h"

/**
 * shm_copy_in(), shm_copy_out() - As memcpy(), into a block and out of one
 *
 * Fast when the lines of the block lie in another core's cache: several of them
 * are on their way at a time.  If a peer changes the source meanwhile, what is
 * copied is some mixture: nothing else goes wrong.
 */
void shm_copy_in(void *block, const void *from, size_t n);
void shm_copy_out(void *to, const void *block, size_t n);

/* Has this processor stores that pass its caches by? */
#define SHM_COPY_FAR	CPU_STREAM_STORES

/**
 * shm_copy_far() - As shm_copy_in(), into memory and not into this core's cache
 * @to:		Aligned to 16 bytes
 *
 * For a reader that is slow to get at lines which are dirty in this core's
 * cache (client/pace.h).  Non-temporal stores are not ordered by what is
 * stored after them; a fence is in here, so that a release store that follows
 * publishes these bytes as any others (LINE).
 */
void shm_copy_far(void *to, const void *from, size_t n);

#endif /* SHM_COPY_H */
