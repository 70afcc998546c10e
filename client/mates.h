/* SPDX-License-Identifier: MIT */
/*
 * mates.h - which ranks of the job share our core
 *
 * A hint: who has moved since, or shares the core unseen, costs time only.
 */
#ifndef CLIENT_MATES_H
#define CLIENT_MATES_H

#include "client/engine.h"

/**
 * mates_find() - Look who they are by what the daemon says
 *
 * Ranks of a job whose size is stated; without memory for them, none.
 */
void mates_find(struct snoo *ctx);

/**
 * mates_messages() - Messages that they and we have received so far
 *
 * Large ones count more than once. Without those of ranks that cannot be seen:
 * of other jobs, of open ones.
 */
uint64_t mates_messages(struct snoo *ctx);

void mates_fini(struct snoo *ctx);

#endif /* CLIENT_MATES_H */
