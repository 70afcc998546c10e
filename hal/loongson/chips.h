/* SPDX-License-Identifier: MIT */
/*
 * chips.h - which Loongson has its registers where
 */
#ifndef HAL_LOONGSON_CHIPS_H
#define HAL_LOONGSON_CHIPS_H

#include <stddef.h>
#include <stdint.h>

/* Whose barriers order the accesses (mmio.h); a chip needs a build for it. */
enum chip_arch {
	CHIP_OTHER	= 0,
	CHIP_MIPS	= 1,
	CHIP_LOONGARCH	= 2,
};

/**
 * struct chip - One family of processors
 * @name:	For messages
 * @key:	The line of /proc/cpuinfo that tells, in lower case
 * @match:	The word or words in that line
 * @arch:	What it runs
 * @base:	Physical address of core 0 of node 0; 0: none is known
 * @alias:	Where the same block appears as well, unless firmware has
 *		switched that off; 0: nowhere.  Tried if @base may not be mapped
 * @node_skew:	Bytes added for each node besides the node's own 2^44
 * @cores:	In one package, as the kernel counts: one node, or two
 *
 * Core c of node n: @base + n * (2^44 + @node_skew) + c * HAL_REG_STRIDE.
 */
struct chip {
	const char *name;
	const char *key;
	const char *match;
	enum chip_arch arch;
	uint64_t base;
	uint64_t alias;
	uint64_t node_skew;
	uint32_t cores;
};

#define CHIP_NODE	(UINT64_C(1) << 44)

/* All that we know; loongson_nchips entries. */
extern const struct chip loongson_chips[];
extern const size_t loongson_nchips;

#endif /* HAL_LOONGSON_CHIPS_H */
