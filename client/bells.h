/* SPDX-License-Identifier: MIT */
/*
 * bells.h - eventfds instead of futexes, in a job that spans kernels
 *
 * A futex does not cross from one kernel to another.  BELLS of wire.h gives us
 * eventfds: some to listen to, one for each partner to write.
 */
#ifndef CLIENT_BELLS_H
#define CLIENT_BELLS_H

#include "client/engine.h"
#include "client/session.h"

/**
 * bells_heard() - BELLS has come
 * @length:	Of the message, as received
 * @fds:	What came with it; those that are kept are taken out
 *
 * Return: false: malformed, nothing has changed
 */
bool bells_heard(struct snoo *ctx, const struct snoo_wire_bells *m,
		 uint32_t length, struct session_fds *fds);

/**
 * bells_reach() - @p sleeps: end that
 * @wake:	How, as shm_wake_check() said
 *
 * Its futex, its eventfd, or else RING to the daemon.  Does not wait for
 * anybody, unless a member of the domain spoils an eventfd that we share.
 */
__attribute__((cold, noinline))
void bells_reach(struct snoo *ctx, struct peer *p, enum shm_wake wake);

/** bells_clear() - Forget rings of the past; before arming, never after */
void bells_clear(struct snoo *ctx);

/**
 * bells_sleep() - Until somebody rings
 *
 * Return: 0: rung; -ETIMEDOUT, or another -errno
 */
int bells_sleep(struct snoo *ctx, uint64_t timeout_ns);

/** bells_unstick() - Empty counters that can take no further ring */
void bells_unstick(struct snoo *ctx);

/** bells_fini() - Close everything */
void bells_fini(struct snoo *ctx);

#endif /* CLIENT_BELLS_H */
