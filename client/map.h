/* SPDX-License-Identifier: MIT */
/* map.h - the pool in our address space */
#ifndef CLIENT_MAP_H
#define CLIENT_MAP_H

#include "client/engine.h"

/**
 * map_open() - Map the pool and check its head; fills ctx->region
 * @pool:	What came with WELCOME; stays the caller's
 * @what:	On failure what could not be done, a constant
 *
 * Return: 0 or a negative errno; on failure nothing stays mapped
 */
int map_open(struct snoo *ctx, const struct snoo_wire_welcome *w, int pool,
	     const char **what);

/** map_close() - Unmap all of it, if it is mapped */
void map_close(struct snoo *ctx);

#endif /* CLIENT_MAP_H */
