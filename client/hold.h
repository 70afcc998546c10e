/* SPDX-License-Identifier: MIT */
/*
 * hold.h - keep a core that many share until one on another core has its turn
 *
 * What there is to it is in hold.c.  Hints only: whatever a partner's slot says
 * costs or saves the time of a turn.
 */
#ifndef CLIENT_HOLD_H
#define CLIENT_HOLD_H

#include "client/engine.h"

#define HOLD_SHARERS 3u /* on our core, at least */

/** hold_begin() - A wait for @req begins */
void hold_begin(struct idle *idle, struct snoo *ctx,
		const struct snoo_request *req);

/**
 * hold_core() - Look again at once, although others want our core?
 * @sharers:	Ranks on it
 * @now:	CLOCK_MONOTONIC, ns
 *
 * For a wait for one peer (@idle->with), after a look that found nothing.
 */
bool hold_core(struct snoo *ctx, struct idle *idle, uint32_t sharers,
	       uint64_t now);

/** hold_paid() - Something came */
void hold_paid(struct idle *idle);

/**
 * hold_over() - Has our turn lasted long enough?
 *
 * Only a rank that does not have to wait has to ask.
 */
bool hold_over(struct snoo *ctx, uint64_t now);

/** hold_leave() - We are about to give the core away */
void hold_leave(struct snoo *ctx);

/** hold_turn() - We have it again since @now */
void hold_turn(struct snoo *ctx, struct idle *idle, uint64_t now);

#endif /* CLIENT_HOLD_H */
