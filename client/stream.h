/* SPDX-License-Identifier: MIT */
/* stream.h - the sender's half of accepted transfers */
#ifndef CLIENT_STREAM_H
#define CLIENT_STREAM_H

#include "client/engine.h"

/**
 * stream_accepted() - ACCEPT came: stream
 *
 * Return: 0, or -EPROTO: no such offer, or an impossible length
 */
int stream_accepted(struct snoo *ctx, struct peer *p,
		    const uint64_t words[7]);

/** stream_pump() - Push what @p has accepted; true if anything moved */
bool stream_pump(struct snoo *ctx, struct peer *p);

#endif /* CLIENT_STREAM_H */
