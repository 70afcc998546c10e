/* SPDX-License-Identifier: MIT */
/*
 * costs.h - what waiting costs on this machine, measured once at the start
 *
 * Ranks weigh these against each other when they wait (client/patience.c); they
 * are told in WELCOME.
 */
#ifndef DAEMON_COSTS_H
#define DAEMON_COSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/topo.h"

#define COSTS_TEXT	96

/** struct costs - One way each; 0: could not be measured */
struct costs {
	uint32_t wake_ns;	/* FUTEX_WAKE until a sleeper of an idle core runs */
	uint32_t yield_ns;	/* sched_yield(2) until the next on this core runs */
	uint32_t hand_ns;	/* FUTEX_WAKE until a sleeper of this core runs */
	char why[COSTS_TEXT];	/* what could not be measured; "": nothing */
};

/**
 * costs_measure() - Some 8 ms with a child process on one core, then on two
 *
 * Medians and best runs, so that a machine that is busy at that moment spoils
 * little; at most 60 ms if it is very busy, and what has not been measured by
 * then is 0.  The caller's affinity is as before.  Before any thread exists.
 *
 * Source: the method is that of tests/platform/wake.c and of lmbench's
 * context switches: a word in shared memory that two processes pass on.
 */
void costs_measure(struct costs *out, const struct topo *t);

/**
 * costs_spin_ns() - How long a rank that has its core to itself spins
 *
 * Several idle wake-ups: a message that comes in that time costs no wake-up,
 * and one that does not has cost little more than the wake-up by then.  In
 * nanoseconds; what is usual, if nothing was measured.
 */
uint32_t costs_spin_ns(const struct costs *c);

#endif /* DAEMON_COSTS_H */
