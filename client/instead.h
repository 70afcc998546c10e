/* SPDX-License-Identifier: MIT */
/*
 * instead.h - the block of an eager message that was offered, after all
 *
 * If the receiver does not take soon what rather.c has offered, it gets the block.
 * What there is to it is in instead.c.
 */
#ifndef CLIENT_INSTEAD_H
#define CLIENT_INSTEAD_H

#include "client/engine.h"

/** instead_turn() - Send the blocks that are due; what has moved */
int instead_turn(struct snoo *ctx);

/**
 * instead_arrived() - A block has come for what was offered under @token
 *
 * Return: 0, or -EPROTO
 */
int instead_arrived(struct snoo *ctx, struct peer *p, uint64_t token,
		    uint32_t unit, uint32_t generation, uint64_t length);

#endif /* CLIENT_INSTEAD_H */
