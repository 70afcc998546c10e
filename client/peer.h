/* SPDX-License-Identifier: MIT */
/* peer.h - a peer is gone or broken: what becomes of its requests */
#ifndef CLIENT_PEER_H
#define CLIENT_PEER_H

#include "client/engine.h"

/**
 * peer_gone() - Its channel is drained: nothing more will come
 * @state:	PEER_LEFT or PEER_DEAD
 *
 * Messages that had arrived stay; their blocks are copied and given back, so
 * that afterwards nothing of the peer's is being read.
 *
 * Return: 0, or -ENOMEM: nothing changed, try again
 */
int peer_gone(struct snoo *ctx, struct peer *p, enum peer_state state);

/** peer_break() - It broke the protocol: we read nothing more of it */
void peer_break(struct snoo *ctx, struct peer *p);

/** peer_tell_wild() - Tell waiting receives from any source of a death */
void peer_tell_wild(struct snoo *ctx);

#endif /* CLIENT_PEER_H */
