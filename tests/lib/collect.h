/* SPDX-License-Identifier: MIT */
/* collect.h - all collectives, each byte checked against a serial computation */
#ifndef TESTS_LIB_COLLECT_H
#define TESTS_LIB_COLLECT_H

#include <stddef.h>
#include <stdint.h>

#include <snoo/snoo.h>

/** struct collect_wrong - What was wrong */
struct collect_wrong {
	const char *call;
	int error;			/* that it returned; 0: bad bytes */
	size_t count;
	int type, op, root;
};

/**
 * collect_all() - Every collective with @count elements, by all ranks
 * @seed:	The same at all ranks; other data, types and roots with each
 *
 * Return: 0: all was right; -1: @wrong says what was not
 */
int collect_all(struct snoo *ctx, size_t count, uint32_t seed,
		struct collect_wrong *wrong);

/** collect_count() - The @i-th number of elements that is worth a try */
size_t collect_count(uint32_t i);

#endif /* TESTS_LIB_COLLECT_H */
