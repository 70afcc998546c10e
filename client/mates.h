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

/** mates_few() - Is every rank on our core one of them, and are they few? */
bool mates_few(struct snoo *ctx);

/**
 * mates_want() - Does one of them want the core?
 *
 * It does not if it waits for messages and none is there for it: by its wait
 * word, its summary and the call that it is in.  Of who polls nobody knows.
 */
bool mates_want(const struct snoo *ctx);

/** mates_awake() - Does one of them not sleep?  Then the core is not idle */
bool mates_awake(struct snoo *ctx);

/**
 * mates_messages() - Messages that they and we have received so far
 *
 * Large ones count more than once. Without those of ranks that cannot be seen:
 * of other jobs, of open ones.
 */
uint64_t mates_messages(struct snoo *ctx);

void mates_fini(struct snoo *ctx);

#endif /* CLIENT_MATES_H */
