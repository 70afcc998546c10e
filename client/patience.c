/* SPDX-License-Identifier: MIT */
/*
 * patience.c - spin, yield or sleep: what a wait does next
 *
 * Theory of operation
 * ===================
 *
 * Sleeping costs what it takes to be woken, and that differs by an order of
 * magnitude: a core that went idle has to leave its halt (15-18 us were seen
 * under KVM), one that is busy with somebody else only switches (2-5 us).  So
 * what must not happen is that all ranks of a core sleep while messages come
 * every few microseconds, and that one who polls keeps from running whoever
 * has something to do.
 *
 * With the core to ourselves we spin for spin_ns, several times an idle
 * wake-up.  Longer, if we know that the one we wait for has a CPU; only as long
 * as a wake-up takes, if it sleeps, since then it needs one first (oncpu.c).
 *
 * On a core that ranks share we yield.  What that brought tells who else is
 * there:
 *
 *  - It came back in less than one hand-over: nobody wanted the core.  Then we
 *    spin, and ask again every few rounds: who is woken here does not always
 *    get the core from us at once.
 *  - It took a few hand-overs: the others poll as we do.  We yield on.
 *  - It took longer than sleeping would have cost, and there was still nothing
 *    for us: somebody computes.  So he does if it took several times as long,
 *    whatever was there then: with two that yield beside one who computes
 *    there always is something, a time slice late.  After two of those we
 *    sleep at once, also in the next waits, for LEARNT_FIRST times what they
 *    cost, twice as long each time that it turns out again, up to LEARNT_LAST:
 *    so a wrong guess costs little, as when many start at once, and one who
 *    computes for ever beside us costs us 1/LEARNT_LAST of our time in trials.
 *    When the number of ranks on the core changes, that is forgotten.
 *  - But if ranks of our job have that core, and talk, nobody has lost anything:
 *    a pair that talks for a slice, while all others wait for theirs, does best.
 *    So every message that came to a rank on this core meanwhile (mates.c) buys
 *    off the sleep that it saved. A slice of one who computes is worth more than
 *    the few that come between two of them.
 *
 * If all on the core are ranks of our job we see what they wait for (mates.c).
 * After one yield, that of the next message's receiver comes up, we keep the core
 * as long as none of them has anything to do, and give it away when one has: so
 * the one who runs is most often the one who is wanted. It is kept for KEEP
 * yields, since daemons and strangers want it too.
 *
 * With three or more on the core, a yield that brings nothing costs the others a
 * switch each time round, and most of them bring nothing to somebody who waits for
 * a message that goes round all of them.  A sleep costs two: so after ENOUGH such
 * yields it is cheaper, if the last one met somebody, and as long as the core does not
 * go idle by it, that is while another one on it is awake (mates.c).  Rings on two
 * cores, five alternated rounds: 16 ranks 0.58 of the time, 32 ranks 0.47; ping-pong
 * of 8 bytes to 64 KiB the same.  Not in meetings, where who sleeps is woken by the
 * one who comes last: with 64 ranks they took 1.1 to 1.2 of the time.
 *
 * A wait in which everybody on the core polls ends after spin_ns for each of
 * them, since each gets only its share of the time.
 */
#include "client/patience.h"

#define USUAL_WAKE_NS  16000u
#define USUAL_YIELD_NS 1400u
#define USUAL_HAND_NS  2400u
#define UNPAID_MAX     2u  /* then we sleep */
#define FAR	       4u  /* times what pays: late, whatever it brought */
#define LEARNT_FIRST   4u  /* times what it cost to learn it, */
#define LEARNT_LAST    20u /* and if it is learnt again and again */
#define LEARNT_MAX_NS  UINT64_C(1000000000)
#define KEEP	       8u  /* yields: keep a core that no mate wants, */
#define KEEP_MOVING    2u  /* and for a transfer of ours one that they do */
#define CROWD	       3u  /* ranks on the core; */
#define ENOUGH	       3u  /* yields cost as much as a sleep among so many */
#define ALONE_ROUNDS   16u /* looks between two yields, if nobody is there */
#define LONGER_NS      UINT64_C(2000000) /* for one who runs: in so long, a
					  * wake-up is a percent or two */

/* The number of sharers stands where others can write, costs may be absurd. */
#define SHARERS_MAX 64u
#define COST_MAX_NS 1000000u

static uint32_t cost(uint32_t measured, uint32_t usual)
{
	if (measured == 0)
		return usual;
	return measured < COST_MAX_NS ? measured : COST_MAX_NS;
}

void patience_init(struct patience *p, uint64_t spin_ns, bool fixed,
		   uint32_t wake_ns, uint32_t yield_ns, uint32_t hand_ns)
{
	*p = (struct patience){
		.spin_ns = spin_ns,
		.fixed = fixed,
		.wake_ns = cost(wake_ns, USUAL_WAKE_NS),
		.yield_ns = cost(yield_ns, USUAL_YIELD_NS),
		.hand_ns = cost(hand_ns, USUAL_HAND_NS),
		.lesson = LEARNT_FIRST,
	};
}

void patience_anew(struct patience_wait *w)
{
	*w = (struct patience_wait){ 0 };
}

/* To sleep at the worst: the core goes idle, or we switch there and back. */
static uint64_t sleep_costs(const struct patience *p)
{
	uint64_t busy = 2 * (uint64_t)p->hand_ns;

	return p->wake_ns > busy ? p->wake_ns : busy;
}

static uint32_t bounded(uint32_t sharers)
{
	return sharers < SHARERS_MAX ? sharers : SHARERS_MAX;
}

static uint64_t pays_up_to(const struct patience *p, uint32_t sharers)
{
	/* Once through all others, there and back, is no loss to anybody. */
	return sleep_costs(p) +
	       2 * (uint64_t)p->yield_ns * (bounded(sharers) - 1);
}

bool patience_sleeps(const struct patience *p, uint32_t sharers,
		     uint64_t now_ns)
{
	return now_ns < p->sleep_until_ns && p->sleep_sharers == sharers;
}

bool patience_alone(const struct patience_wait *w, uint32_t sharers)
{
	return sharers < 2 || w->alone;
}

static uint64_t spins(const struct patience *p, enum patience_hint hint)
{
	uint64_t ns = p->spin_ns;

	if (p->fixed)
		return ns;
	if (hint == PATIENCE_RUNS && ns < LONGER_NS)
		return LONGER_NS;
	if (hint == PATIENCE_RESTS && ns > sleep_costs(p))
		return sleep_costs(p);
	return ns;
}

bool patience_enough(const struct patience *p, const struct patience_wait *w,
		     uint32_t sharers)
{
	return !p->fixed && sharers >= CROWD && w->yields >= ENOUGH &&
	       !w->alone;
}

enum patience_way patience_way(const struct patience *p,
			       struct patience_wait *w, uint32_t sharers,
			       enum patience_hint hint, uint64_t waited_ns,
			       uint64_t now_ns)
{
	uint64_t bound = spins(p, patience_alone(w, sharers) ?
					  hint : PATIENCE_UNKNOWN);

	if (sharers < 2)
		return waited_ns >= bound ? PATIENCE_SLEEP : PATIENCE_SPIN;
	if (!p->fixed && !w->alone)
		bound *= bounded(sharers);
	if (waited_ns >= bound || patience_sleeps(p, sharers, now_ns))
		return PATIENCE_SLEEP;
	if (w->alone && ++w->rounds < ALONE_ROUNDS)
		return PATIENCE_SPIN;
	w->rounds = 0;
	return PATIENCE_YIELD;
}

bool patience_keeps(const struct patience *p, struct patience_wait *w,
		    bool moving, bool wanted, uint64_t now_ns)
{
	uint64_t kept;

	if (w->kept_ns == 0)
		w->kept_ns = now_ns;
	kept = now_ns - w->kept_ns;
	if (moving && kept < KEEP_MOVING * (uint64_t)p->yield_ns)
		return true;
	return !wanted && (moving || w->gave) &&
	       kept < KEEP * (uint64_t)p->yield_ns;
}

/* @n messages without a sleep: that buys off as much of what was lost. */
static void paid(struct patience *p, uint64_t n)
{
	uint64_t saved = sleep_costs(p);

	if (p->lost_ns == 0)
		return;
	if (n <= p->lost_ns / saved) {
		p->lost_ns -= n * saved;
		return;
	}
	p->lost_ns = 0;
	p->unpaid = 0;
	p->lesson = LEARNT_FIRST;
}

bool patience_late(const struct patience *p, uint32_t sharers,
		   uint64_t took_ns, bool work)
{
	return took_ns > (work ? FAR : 1) * pays_up_to(p, sharers);
}

void patience_yielded(struct patience *p, struct patience_wait *w,
		      uint32_t sharers, uint64_t took_ns, bool work,
		      uint64_t messages, uint64_t now_ns)
{
	uint64_t learnt;

	w->alone = took_ns < p->yield_ns;
	w->gave = true;
	w->yields += !work;
	w->kept_ns = 0;
	if (!patience_late(p, sharers, took_ns, work))
		return;
	paid(p, messages - p->messages);
	p->messages = messages;
	p->lost_ns += took_ns;
	if (++p->unpaid < UNPAID_MAX)
		return;
	learnt = p->lost_ns < LEARNT_MAX_NS / p->lesson ?
			 p->lost_ns * p->lesson : LEARNT_MAX_NS;
	p->lesson = 2 * p->lesson < LEARNT_LAST ? 2 * p->lesson : LEARNT_LAST;
	p->unpaid = 0;
	p->lost_ns = 0;
	p->sleep_until_ns = now_ns + learnt;
	p->sleep_sharers = sharers;
}
