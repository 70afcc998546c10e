/* SPDX-License-Identifier: MIT */
/* arrive.h - lines that came in */
#ifndef CLIENT_ARRIVE_H
#define CLIENT_ARRIVE_H

#include "client/engine.h"

/**
 * arrive_drain() - Take the lines that @p has published
 *
 * Each is copied into private memory or to where it belongs; none stays in
 * the ring for want of a receive.  A peer that breaks the protocol is cut
 * off.  At most a few hundred lines in one go.
 *
 * Return: lines taken
 */
int arrive_drain(struct snoo *ctx, struct peer *p);

/**
 * arrive_all() - Read everything that @p has published in its channel until now
 *
 * No more than two rings can hold: whoever else writes there does not keep us
 * from going on.
 */
void arrive_all(struct snoo *ctx, struct peer *p);

/**
 * arrive_taken() - The short way of a message in a block: copy it, give it back
 *
 * Its line was seen, and is the next message of @p in its order; it stays.
 *
 * Return: bytes copied; -1: not a block that it may name, the long way says so
 */
int64_t arrive_taken(struct snoo *ctx, struct peer *p, void *buf,
		     size_t capacity, uint64_t *length);

#endif /* CLIENT_ARRIVE_H */
