/* SPDX-License-Identifier: MIT */
/* wait.h - spin, yield, arm, look again, sleep */
#ifndef CLIENT_WAIT_H
#define CLIENT_WAIT_H

#include "client/engine.h"

/** wait_begin() - A call begins to wait */
void wait_begin(struct idle *idle);

/**
 * wait_step() - One round: progress, and if there was nothing, wait a little
 * @call:	What we are in, for status
 *
 * The caller looks at its condition before each step.
 *
 * Return: 0; -ETIMEDOUT: the context's time limit passed; -ENOMEM: a message
 * that came cannot be kept; -ENODEV: the domain is lost; -ENOTCONN: the daemon
 * has ended the session, and nothing comes any more
 */
int wait_step(struct snoo *ctx, struct idle *idle, enum snoo_abi_call call);

/** wait_end() - The call waits no more */
void wait_end(struct snoo *ctx, struct idle *idle);

/** wait_turn() - Give way to others on our core, if our turn has been long */
void wait_turn(struct snoo *ctx);

/** wait_request() - Until @req is complete */
int wait_request(struct snoo *ctx, const struct snoo_request *req,
		 enum snoo_abi_call call);

#endif /* CLIENT_WAIT_H */
