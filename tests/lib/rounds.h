/* SPDX-License-Identifier: MIT */
/*
 * rounds.h - how often a long test repeats itself
 *
 * SNOO_TEST_1_IN=N in the environment: one in N times.  For machines that are
 * emulated, where a turn of another thread may take milliseconds.
 */
#ifndef TESTS_LIB_ROUNDS_H
#define TESTS_LIB_ROUNDS_H

#include <stdint.h>
#include <stdlib.h>

static inline uint32_t rounds(uint32_t usual)
{
	const char *text = getenv("SNOO_TEST_1_IN");
	uint32_t n = text ? (uint32_t)strtoul(text, NULL, 10) : 1;

	return n > 1 && usual >= n ? usual / n : usual;
}

#endif /* TESTS_LIB_ROUNDS_H */
