/* SPDX-License-Identifier: MIT */
/*
 * pool_room.h - how much memory a new pool can get, before it is asked for
 *
 * A process that populates more than there is meets the OOM killer, not an
 * error; so the question comes first.  The answers are the kernel's guess of
 * this moment.
 */
#ifndef DAEMON_POOL_ROOM_H
#define DAEMON_POOL_ROOM_H

#include <stdint.h>

/* Huge pages of 2 MiB that are free and not promised to somebody, with those
 * that the kernel may still make (overcommit).  0: no support either. */
uint64_t pool_room_huge_pages(void);

/* Bytes of ordinary memory: MemAvailable, or less where a cgroup (v2) of ours
 * or above it has a limit.  UINT64_MAX: unknown. */
uint64_t pool_room_bytes(void);

#endif
