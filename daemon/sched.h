/* SPDX-License-Identifier: MIT */
/*
 * sched.h - who may move how many bytes, who may hold how many blocks
 *
 * Arithmetic alone: no memory of peers, no clock, no I/O.  share.c feeds it
 * with what the ranks say and carries out what it decides.
 *
 * Theory of operation
 * ===================
 *
 * As long as the pool has blocks for everybody nothing is limited.  When a
 * rank asks for a block and there is none, the pool is short, and bytes are
 * shared in rounds (deficit round robin): in a round a job may move `quantum`
 * bytes times its weight, shared evenly by those of its ranks that have
 * something to move.  The next round begins when all of them have used up
 * theirs, so shares are kept whatever the ranks' speed.
 *
 *  - A rank with nothing to move holds nobody up, and its deficit is reset.
 *  - A rank that is late keeps what it has left, up to two rounds' worth.  It
 *    holds the others up for SCHED_PATIENCE round times if it gets on at all,
 *    else for one.  If even the smallest rounds end like this time after
 *    time, it is not the others that slow it down: it no longer counts
 *    until it has used up an allowance again.
 *  - Rounds grow while everybody has used them up after a few looks, so that
 *    the time from there to the next look costs little, and shrink when
 *    somebody is late.
 *  - One rank alone is not limited.
 *  - When nobody has waited for `contended_ns`, nothing is limited any more.
 *
 * Rate limits go through the same allowance: a bucket for each limited job,
 * filled by time, emptied by what its ranks report.
 *
 * What ranks report is theirs to forge: counts that go backwards are ignored,
 * sums do not wrap, and a rank that claims too much or too little changes
 * shares of its own domain and nothing else.
 */
#ifndef DAEMON_SCHED_H
#define DAEMON_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#define SCHED_UNLIMITED	UINT64_MAX	/* SNOO_ABI_UNLIMITED */
#define SCHED_SCALE_MAX	64u		/* a round is at most this many quanta */
#define SCHED_PATIENCE	8u		/* round times */
#define SCHED_LATE_MAX	4u		/* smallest rounds, then it is slow */

/** struct sched_job - What the ranks of one job share; caller's memory */
struct sched_job {
	/* caller */
	uint32_t weight;		/* at least 1 */
	uint64_t rate;			/* bytes/s; 0: no limit */

	/* sched.c */
	struct sched_job *next;
	uint32_t ranks;			/* that have been added */
	uint32_t busy;			/* of them: with something to move */
	int64_t tokens;			/* bytes; below 0: debt */
	uint64_t filled_ns;		/* 0: never */
	uint64_t moved;			/* bytes since the last fill */
};

/** struct sched_rank - One rank's allowance; caller's memory */
struct sched_rank {
	struct sched_job *job;

	/* sched.c */
	struct sched_rank *next;
	uint64_t used;			/* bytes, as last believed */
	uint64_t want;			/* bytes that wait; 0: nothing */
	uint64_t share;			/* allowance by rounds */
	uint64_t allow;			/* in force */
	uint64_t round_used;		/* `used` when the round began */
	uint64_t busy_ns;		/* when last seen with something to move */
	uint32_t late;			/* smallest rounds missed in a row */
	bool busy;
	bool slow;			/* does not hold rounds up */
	bool changed;			/* allow differs from what was told */
};

/** struct sched - One domain's scheduler */
struct sched {
	/* caller, may change between ticks */
	uint64_t quantum;		/* bytes */
	uint64_t round_ns;
	uint64_t contended_ns;
	uint64_t slack;			/* bytes, at least 1: less is as good
					 * as nothing */

	/* sched.c */
	struct sched_job *jobs;
	struct sched_rank *ranks;
	bool contended;
	uint64_t contended_since_ns;
	uint64_t waited_ns;		/* when somebody was last seen waiting */
	uint64_t round_since_ns;
	uint64_t rounds;		/* begun so far */
	uint64_t late_rounds;		/* of them: ended by the clock */
	uint32_t scale;			/* quanta in a round, 1..SCHED_SCALE_MAX */
};

void sched_init(struct sched *s);

void sched_job_add(struct sched *s, struct sched_job *j);
void sched_job_del(struct sched *s, struct sched_job *j);

/* @r->job is set and has been added; @used: what the rank has moved so far. */
void sched_rank_add(struct sched *s, struct sched_rank *r, uint64_t used);
void sched_rank_del(struct sched *s, struct sched_rank *r);

/**
 * sched_report() - What a rank says it has moved and waits for
 *
 * @used that went backwards or jumped absurdly far is not believed.
 */
void sched_report(struct sched_rank *r, uint64_t used, uint64_t want);

/** sched_short() - Somebody asked for a block and there is none */
void sched_short(struct sched *s, uint64_t now_ns);

/** sched_enough() - There are enough for all: nothing is limited from now on */
void sched_enough(struct sched *s);

/**
 * sched_tick() - Look at what was reported; end the round if it is over
 * @now_ns:	Grows from call to call
 *
 * Afterwards ranks with `changed` set have another `allow`.  May be called at
 * any time; a tick that comes early changes nothing but what is due.
 *
 * Return: true if ticks are still needed every round_ns
 */
bool sched_tick(struct sched *s, uint64_t now_ns);

/** struct sched_claim - Somebody who holds or wants blocks */
struct sched_claim {
	uint32_t job;			/* claims of one job stand together */
	uint32_t weight;		/* of that job, at least 1 */
	uint32_t most;			/* blocks it can make use of */
	uint32_t fair;			/* out: blocks it should hold */
};

/**
 * sched_fair() - Share @total blocks: by weight over jobs, evenly in a job
 *
 * Nobody gets more than its `most`; what one leaves goes to the others.
 *
 * Return: 0 or -ENOMEM (nothing is shared then: every fair is 0)
 */
int sched_fair(struct sched_claim *c, uint32_t n, uint32_t total);

#endif /* DAEMON_SCHED_H */
