/* SPDX-License-Identifier: MIT */
/*
 * loongson.h - what the files and the tests of the hardware back end share
 */
#ifndef HAL_LOONGSON_LOONGSON_H
#define HAL_LOONGSON_LOONGSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hal/hal.h"
#include "hal/loongson/chips.h"

#define LOONGSON_CPUS	64	/* four nodes of four cores, with room */
#define LOONGSON_NODES	16	/* four address bits name the node */

/**
 * struct loongson_cpu - Where a core of the kernel's numbering really is
 * @online:	The kernel runs on it; MailBox0..3 of an offline core start it
 * @node:	Chip
 * @core:	Core within the chip, 0..3: reserved cores shift the kernel's
 *		numbers against these
 */
struct loongson_cpu {
	bool online;
	uint32_t node;
	uint32_t core;
};

/**
 * struct loongson_machine - What /proc/cpuinfo says
 * @chip:	NULL if it is no Loongson that we know
 * @guest:	A virtual machine: its register block is emulated, for it alone
 * @ncpus:	One more than the highest number that is online
 */
struct loongson_machine {
	const struct chip *chip;
	bool guest;
	uint32_t ncpus;
	struct loongson_cpu cpu[LOONGSON_CPUS];
};

/**
 * loongson_cpuinfo() - Read the text of /proc/cpuinfo
 *
 * Return: 0 on success, negative error code otherwise
 *	-ENODEV	 no processor of chips.h, or numbers that do not fit it
 */
int loongson_cpuinfo(struct loongson_machine *m, FILE *f);

/** loongson_base() - Physical address of the block of core 0 of @node */
uint64_t loongson_base(const struct chip *chip, uint32_t node);

/**
 * loongson_open_at() - Open on register blocks that are mapped already
 * @out:	The handle on success, NULL otherwise
 * @p:		As for hal_open()
 * @m:		The machine
 * @node:	For each node that is online: its core 0's block.  The caller
 *		keeps them mapped.
 *
 * hal_loongson.open() after it has mapped /dev/mem; tests, on a page of
 * memory.  The only stores are to MailBox1..3 of @p->self.
 *
 * Return: like hal_open()
 */
int loongson_open_at(struct hal **out, const struct hal_params *p,
		     const struct loongson_machine *m,
		     void *const node[LOONGSON_NODES]);

#endif /* HAL_LOONGSON_LOONGSON_H */
