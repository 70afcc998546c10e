/* SPDX-License-Identifier: MIT */
/* meet.h - where all ranks of a job meet: arrive, look, wake */
#ifndef CLIENT_MEET_H
#define CLIENT_MEET_H

#include "client/engine.h"

/**
 * meet_ready() - Does the job have a place to meet?  Once it has started
 *
 * Return: 0; -EOPNOTSUPP: no stated size, or somebody who does not know how
 */
int meet_ready(struct snoo *ctx);

/** meet_arrive() - At the next meeting; all have been at the one before */
void meet_arrive(struct snoo *ctx, const struct shm_meet_part *part);

/** meet_arrive_and_stay() - The same, and meet_watch() for all comes next */
void meet_arrive_and_stay(struct snoo *ctx, const struct shm_meet_part *part);

/**
 * meet_watch() - Begin to wait for meeting @number
 * @from:	Until this rank has arrived; ENGINE_ANY: all
 */
void meet_watch(struct snoo *ctx, uint64_t number, uint32_t from);

/**
 * meet_look() - Has what meet_watch() wants come?  Then it waits no more
 *
 * Also when it cannot come any more: ctx->meet.error.
 *
 * Return: 1: it waits no more; 0
 */
int meet_look(struct snoo *ctx);

/** meet_mate() - Is it somebody on our core that we wait for? */
bool meet_mate(struct snoo *ctx);

#endif /* CLIENT_MEET_H */
