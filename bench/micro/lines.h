/* SPDX-License-Identifier: MIT */
/*
 * lines.h - bare cache lines that go there and back between two cores
 *
 * Each of the two lines has one writer, as in a channel.  It is what the
 * machine can do at best for a small message, and it says how far apart the two
 * cores are: in a virtual machine that changes from one moment to the next.
 */
#ifndef BENCH_MICRO_LINES_H
#define BENCH_MICRO_LINES_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

/** struct lines - In memory that both have; both lines 0 at the start */
struct lines {
	alignas(128) _Atomic uint64_t ping;
	alignas(128) _Atomic uint64_t pong;
};

/** lines_map() - Those of @file, a page long; ends the program if it cannot be mapped */
struct lines *lines_map(const char *file);

/** lines_await() - Until @word is @value; acquire */
void lines_await(const _Atomic uint64_t *word, uint64_t value);

/**
 * lines_measure() - Play for about @us microseconds, then stop the other side
 * @out:    what this side writes
 * @in:	    what the other one does; @out itself: both use one line
 * @rounds: there and back, timed together
 * @us:	    how long
 *
 * The median of many batches leaves out those in which one of the two cores
 * was taken away.
 *
 * Return: nanoseconds one way.
 */
double lines_measure(_Atomic uint64_t *out, _Atomic uint64_t *in,
		     unsigned int rounds, uint64_t us);

/** lines_answer() - The other side, until it is stopped */
void lines_answer(_Atomic uint64_t *in, _Atomic uint64_t *out);

#endif /* BENCH_MICRO_LINES_H */
