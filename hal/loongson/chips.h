/* SPDX-License-Identifier: MIT */
/*
 * chips.h - which Loongson has its registers where
 */
#ifndef HAL_LOONGSON_CHIPS_H
#define HAL_LOONGSON_CHIPS_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct chip - One family of processors
 * @name:	For messages
 * @key:	The line of /proc/cpuinfo that tells, in lower case
 * @match:	The word or words in that line
 * @base:	Physical address of core 0 of node 0
 * @node_skew:	Bytes added for each node besides the node's own 2^44
 *
 * Core c of node n: @base + n * (2^44 + @node_skew) + c * HAL_REG_STRIDE.
 */
struct chip {
	const char *name;
	const char *key;
	const char *match;
	uint64_t base;
	uint64_t node_skew;
};

#define CHIP_NODE	(UINT64_C(1) << 44)

/* All that we know; loongson_nchips entries. */
extern const struct chip loongson_chips[];
extern const size_t loongson_nchips;

#endif /* HAL_LOONGSON_CHIPS_H */
