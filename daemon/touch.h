/* SPDX-License-Identifier: MIT */
/*
 * touch.h - what the daemon does in a pool, each step guarded
 *
 * Nothing else of the daemon's core dereferences pool memory, but for what it
 * gives to touch_run().  A page that is missing loses the domain (state_lose())
 * and makes this call and all later ones return -EFAULT without effect; callers
 * that have nothing to undo need not look.  touch_head() and touch_news() try
 * even then: somebody may sleep.
 */
#ifndef DAEMON_TOUCH_H
#define DAEMON_TOUCH_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/state.h"
#include "hal/regs.h"
#include "shm/counters.h"

/**
 * touch_run() - A step of the caller's own, guarded
 * @fn:		It may be left at any load or store of the pool, so it touches
 *		the pool and @arg and nothing else (guard.h)
 *
 * Return: 0, or -EFAULT: the domain is lost
 */
int touch_run(struct domain *d, void (*fn)(void *arg), void *arg);

/* Head: the daemon's epoch (odd while it repairs) and the pool's state. */
int touch_head(struct domain *d, uint32_t epoch, uint32_t state);

/* Zero the register block and the slot, then say who it is from now on. */
int touch_rank_begin(const struct rank *r);
/* State, core and job number again, as the ledger has them. */
int touch_rank_again(const struct rank *r);
int touch_sharers(const struct rank *r, uint32_t sharers);
int touch_allow(const struct rank *r, uint64_t allow);

/**
 * touch_news() - A message went to the rank's socket: tell it
 * @always:	ring whatever the wait word says
 */
int touch_news(const struct rank *r, bool always);
/* Something in the pool changed that it may wait for. */
int touch_wake(const struct rank *r);
/* Something of rank @source of its job has come for it. */
int touch_wake_from(const struct rank *r, uint32_t source);
/* A partner that has no bell for it says that it sleeps: end that. */
int touch_ring(const struct rank *r);
/* Ring its eventfd, if it has one, whoever it is: the thread that does so
 * empties one that somebody filled, so that no writer waits for ever. */
void touch_toll(const struct rank *r);

/** struct touch_words - What a rank says about itself; a copy, unchecked */
struct touch_words {
	uint64_t wait;
	uint64_t used;
	uint64_t want;
	uint64_t want_since_ns;
	uint32_t want_peer;
	uint32_t call;
	uint64_t call_since_ns;
};

int touch_words(const struct rank *r, struct touch_words *out);
/* Its emulated register block. */
int touch_regs(const struct rank *r, struct hal_regs *out);
int touch_counters(const struct rank *r, uint64_t out[SHM_COUNTERS]);

/* A job's area: zero and fill it; its counts; one member. */
int touch_job_begin(const struct job *j);
int touch_job_counts(const struct job *j);
int touch_member(const struct rank *r);

/** struct touch_channel - One entry of a job's directory */
struct touch_channel {
	uint64_t offset;		/* of the ring in the pool; 0: none */
	uint32_t nlines;
	uint32_t published;
	uint32_t consumed;
};

int touch_channel(const struct job *j, uint32_t receiver, uint32_t sender,
		  struct touch_channel *out);

/* Lines of the ring, or -errno. */
int64_t touch_ring_begin(const struct rank *r, uint32_t unit, uint64_t bytes);

/* Blocks: shm/block.h.  touch_block_recall(): 1 it is ours, 0 it is not. */
int touch_block_grant(const struct rank *r, uint32_t unit,
		      uint32_t *generation);
/* The same for a block of @bytes that is for loans. */
int touch_loan_grant(const struct rank *r, uint32_t unit, uint64_t bytes,
		     uint32_t *generation);
int touch_block_recall(const struct rank *r, uint32_t unit);
int touch_block_seize(struct domain *d, uint32_t unit);
/* enum snoo_abi_desc_state as seen from @r: 0 if it is not its block. */
int touch_block_state(const struct rank *r, uint32_t unit,
		      uint32_t *generation);

#endif /* DAEMON_TOUCH_H */
