/* SPDX-License-Identifier: MIT */
/* copy.h - copies between private memory and a block */
#ifndef SHM_COPY_H
#define SHM_COPY_H

#include <stddef.h>

/**
 * shm_copy() - As memcpy(), fast when the lines lie in another core's cache
 *
 * If a peer changes the source meanwhile, what is copied is some mixture:
 * nothing else goes wrong.
 */
void shm_copy(void *to, const void *from, size_t n);

#endif /* SHM_COPY_H */
