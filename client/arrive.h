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

#endif /* CLIENT_ARRIVE_H */
