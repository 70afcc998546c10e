/* SPDX-License-Identifier: MIT */
/*
 * channel.h - one peer: its ring pair, answers, when to ring its bell
 *
 * A channel is made by its sender alone, from a spare ring: written into the
 * directory with release, flagged to the receiver as a newcomer.  Nobody
 * waits for the daemon, and both sides at once cannot collide.
 */
#ifndef CLIENT_CHANNEL_H
#define CLIENT_CHANNEL_H

#include "client/engine.h"

/** channel_meet() - Find @p's slot; false: it has not joined yet */
bool channel_meet(struct snoo *ctx, struct peer *p);

/** channel_registers() - Look whether register messages reach @p, who was met */
void channel_registers(struct peer *p);

/**
 * channel_ready() - Is there a ring to @p?  Makes one if not
 *
 * Return: 0; -EAGAIN: no spare ring yet (NEED has been said), or @p has not
 * joined yet
 */
int channel_ready(struct snoo *ctx, struct peer *p);

/** channel_number() - Say which number the next envelope has; there is room */
void channel_number(struct peer *p, uint64_t number);

/**
 * channel_room() - May an envelope be published to @p now?
 *
 * Return: true; false: no ring, no room, or something older waits
 */
bool channel_room(struct snoo *ctx, struct peer *p);

/**
 * channel_run_fits() - May a message of @n bytes go in a run of lines now?
 *
 * Not if it takes more than a quarter of the ring: then one message would
 * wait for the other's credit.
 */
static inline bool channel_run_fits(struct peer *p, uint64_t n)
{
	uint32_t lines = 1 + shm_ring_run(n);

	return n <= ENGINE_RUN_BYTES && lines <= p->tx.nlines / 4 &&
	       shm_tx_room(&p->tx, SNOO_ABI_RING_ANSWERS + lines - 1) > 0;
}

/** channel_ring() - Second half of channel_wake(); not for others */
void channel_ring(struct snoo *ctx, struct peer *p, enum shm_wake wake);

/** channel_wake() - We have written something for @p: ring if it sleeps */
static inline void channel_wake(struct snoo *ctx, struct peer *p)
{
	enum shm_wake wake = shm_wake_check(p->there, ctx->rank);

	if (wake != SHM_WAKE_NONE)
		channel_ring(ctx, p, wake);
}

/** channel_returned() - The same for lines and blocks that we have given back */
static inline void channel_returned(struct snoo *ctx, struct peer *p)
{
	enum shm_wake wake = shm_wake_returned(p->there, ctx->rank);

	if (wake != SHM_WAKE_NONE)
		channel_ring(ctx, p, wake);
}

/**
 * channel_answer() - Publish ACCEPT, DONE or CANCEL, or queue it
 *
 * Uses the lines kept for answers; goes before any envelope.
 *
 * Return: 0, or -ENOMEM
 */
int channel_answer(struct snoo *ctx, struct peer *p, uint64_t word0,
		   const uint64_t words[4]);

/** channel_answers() - Publish queued answers; true if none is left */
bool channel_answers(struct snoo *ctx, struct peer *p);

/** channel_busy() - There is something to push to @p */
void channel_busy(struct snoo *ctx, struct peer *p);

/** channel_newcomers() - Open the channels that peers have made to us */
int channel_newcomers(struct snoo *ctx);

/** channel_short() - See anew whether the short ways to and from @p are legal */
void channel_short(struct snoo *ctx, struct peer *p);

/** channel_open_rx() - Look into the directory for @p's channel to us */
void channel_open_rx(struct snoo *ctx, struct peer *p);

/** channel_moved() - @p's channel goes on in another ring */
int channel_moved(struct snoo *ctx, struct peer *p, uint64_t offset);

/** channel_tell() - Give consumed lines back, before we sleep */
void channel_tell(struct snoo *ctx, struct peer *p);

/** channel_retired() - Reuse rings whose last line has been read */
void channel_retired(struct snoo *ctx);

/** channel_close() - @p is gone: forget its rings, keep ours as a spare */
void channel_close(struct snoo *ctx, struct peer *p);

/** channel_drop() - Forget all queued answers and retired rings */
void channel_drop(struct snoo *ctx);

/** channel_leave() - Say LEAVE where there is room */
void channel_leave(struct snoo *ctx, struct peer *p);

/** channel_rings() - The daemon gives us @n spare rings */
void channel_rings(struct snoo *ctx, const struct snoo_wire_ring *r,
		   uint32_t n);

#endif /* CLIENT_CHANNEL_H */
