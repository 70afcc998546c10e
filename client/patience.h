/* SPDX-License-Identifier: MIT */
/*
 * patience.h - spin, yield or sleep: what a wait does next
 *
 * Arithmetic over what waiting costs on this machine (the daemon has measured
 * it) and over what the last yields brought.  No system call, no clock, no
 * memory of anybody else's: wait.c asks, acts, and tells what came of it.
 *
 *     patience_way()  SPIN    look again at once
 *                     YIELD   let somebody else run, then patience_yielded()
 *                     SLEEP   on the bell
 *
 * One thread, a rank's.
 */
#ifndef CLIENT_PATIENCE_H
#define CLIENT_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/** struct patience - What waiting costs here, and what we have learnt of it */
struct patience {
	uint64_t spin_ns;	/* with the core to ourselves; then sleep */
	bool fixed;		/* spin_ns is an order, not a measurement */
	uint32_t wake_ns;	/* to wake who sleeps on an idle core */
	uint32_t yield_ns;	/* to give the core to one that polls */
	uint32_t hand_ns;	/* to wake who sleeps on this core */
	uint32_t unpaid;	/* yields that went far, not bought off */
	uint64_t lost_ns;	/* the time of those, less what paid since */
	uint64_t messages;	/* on this core, at the last one */
	uint32_t lesson;	/* how many times that the next one holds */
	uint64_t sleep_until_ns;	/* yields did not pay: none before */
	uint32_t sleep_sharers;	/* with so many on the core */
};

/** struct patience_wait - One wait, from its beginning or its last work on */
struct patience_wait {
	bool alone;		/* nobody else wanted the core */
	uint32_t rounds;	/* since we last asked */
	bool gave;		/* the core away, once */
	uint32_t yields;	/* that brought nothing */
	uint64_t kept_ns;	/* since when we have it; 0: begin to count */
};

/** enum patience_hint - What is known of those who can end our wait */
enum patience_hint {
	PATIENCE_UNKNOWN,
	PATIENCE_RUNS,		/* one of them has a CPU */
	PATIENCE_RESTS,		/* all of them sleep */
};

enum patience_way {
	PATIENCE_SPIN,
	PATIENCE_YIELD,
	PATIENCE_SLEEP,
};

/**
 * patience_init() - Begin with what the daemon says
 * @spin_ns:	Spin so long with the core to ourselves, 0: sleep at once
 * @fixed:	Somebody has configured that: it holds in every case
 * @wake_ns:	To wake a process that sleeps on an idle core, one way
 * @yield_ns:	From one that yields to the next one on a core that polls
 * @hand_ns:	From one that wakes to the one that slept, on one core
 *
 * A cost of 0 was not measured: a usual value takes its place.
 */
void patience_init(struct patience *p, uint64_t spin_ns, bool fixed,
		   uint32_t wake_ns, uint32_t yield_ns, uint32_t hand_ns);

/** patience_anew() - Something came: the wait begins again */
void patience_anew(struct patience_wait *w);

/** patience_alone() - Have we the core to ourselves, as far as we know? */
bool patience_alone(const struct patience_wait *w, uint32_t sharers);

/**
 * patience_way() - What to do after a look that found nothing
 * @sharers:	Ranks pinned to our core, ourselves included
 * @hint:	Makes a spin longer or shorter, if patience_alone()
 * @waited_ns:	Since the wait began, or its last work
 * @now_ns:	CLOCK_MONOTONIC
 */
enum patience_way patience_way(const struct patience *p,
			       struct patience_wait *w, uint32_t sharers,
			       enum patience_hint hint, uint64_t waited_ns,
			       uint64_t now_ns);

/**
 * patience_keeps() - Keep a core that only ranks of our job share with us?
 * @moving:	A transfer of ours is under way
 * @wanted:	One of them has something to do
 * @now_ns:	CLOCK_MONOTONIC
 *
 * Return: true: look again at once; false: as patience_way() says
 */
bool patience_keeps(const struct patience *p, struct patience_wait *w,
		    bool moving, bool wanted, uint64_t now_ns);

/**
 * patience_enough() - Have so many yields brought nothing that a sleep is cheaper?
 *
 * If somebody else keeps the core from going idle, which patience.c cannot know.
 */
bool patience_enough(const struct patience *p, const struct patience_wait *w,
		     uint32_t sharers);

/** patience_sleeps() - Have yields been found not to pay, for now? */
bool patience_sleeps(const struct patience *p, uint32_t sharers,
		     uint64_t now_ns);

/** patience_late() - Has somebody had the core for so long that it may not pay? */
bool patience_late(const struct patience *p, uint32_t sharers,
		   uint64_t took_ns, bool work);

/**
 * patience_yielded() - What a yield came to
 * @took_ns:	Until we ran again
 * @work:	There was something for us then
 * @messages:	That the ranks on our core have received since the beginning;
 *		matters only if patience_late()
 * @now_ns:	CLOCK_MONOTONIC
 */
void patience_yielded(struct patience *p, struct patience_wait *w,
		      uint32_t sharers, uint64_t took_ns, bool work,
		      uint64_t messages, uint64_t now_ns);

#endif /* CLIENT_PATIENCE_H */
