/* SPDX-License-Identifier: MIT */
/* member.h - may a peer still be sent to, or be waited for? */
#ifndef CLIENT_MEMBER_H
#define CLIENT_MEMBER_H

#include "client/engine.h"

/** member_init() - One of ctx->peers */
void member_init(struct peer *p, uint32_t rank);

/** member_error() - Why nothing can be sent to @p; 0 if it can */
int member_error(const struct peer *p);

/**
 * member_any_error() - Why a receive from any source cannot wait
 * @from:	The rank that it is about
 *
 * Each death is told once.
 *
 * Return: 0; -EOWNERDEAD; -EPIPE: all others are gone
 */
int member_any_error(struct snoo *ctx, uint32_t *from);

#endif /* CLIENT_MEMBER_H */
