/* SPDX-License-Identifier: MIT */
/*
 * map.h - the pages with the registers: mapped, read, and one kind of store
 *
 * Such a page also holds the machine's interrupt router and address windows.
 * Nobody outside map.c has a pointer into it, and no function here takes an
 * address or an offset: what can be written is MailBox1..3 of a core that is
 * online, by its number.
 */
#ifndef HAL_LOONGSON_MAP_H
#define HAL_LOONGSON_MAP_H

#include "hal/loongson/machine.h"

struct loongson_map;

enum loongson_box {
	LOONGSON_MAILBOX1	= 1,
	LOONGSON_MAILBOX2	= 2,
	LOONGSON_MAILBOX3	= 3,
};

/**
 * loongson_map_open() - Map the registers of the nodes with a core online
 * @why:	On failure a sentence: what is missing, what to do about it
 *
 * Looks into each block before anybody may write there: the kernel enables all
 * interrupts of an online core's block, so that what does not look so is
 * something else.
 *
 * Return: 0 on success, negative error code otherwise; *@out is NULL then
 *	-EACCES	 the system does not let us
 *	-ENODEV	 there are no registers
 *	-ENOMEM	 no memory
 */
int loongson_map_open(struct loongson_map **out,
		      const struct loongson_sys *sys,
		      const struct loongson_machine *m, char why[HAL_TEXT]);

/** loongson_map_close() - NULL is allowed */
void loongson_map_close(struct loongson_map *map);

/**
 * loongson_map_show() - From now on core @cpu is online, and where @at says
 *
 * Return: can it be reached?  Not in a node whose page was not mapped.
 */
bool loongson_map_show(struct loongson_map *map, uint32_t cpu,
		       const struct loongson_cpu *at);

/** loongson_map_hide() - From now on core @cpu is out of reach */
void loongson_map_hide(struct loongson_map *map, uint32_t cpu);

/** loongson_map_address() - Physical address of core 0 of @node as mapped; 0 */
uint64_t loongson_map_address(const struct loongson_map *map, uint32_t node);

/**
 * loongson_map_store() - Write a word into a mailbox
 *
 * Barrier, one store of 64 bits, barrier.
 *
 * Return: 0, -ENODEV: the core is out of reach, or -EINVAL: no such mailbox
 */
int loongson_map_store(struct loongson_map *map, uint32_t cpu,
		       enum loongson_box box, uint64_t word);

/**
 * loongson_map_load() - Read a mailbox: one load of 64 bits, barrier
 *
 * Return: 0, -ENODEV: the core is out of reach, or -EINVAL: no such mailbox
 */
int loongson_map_load(const struct loongson_map *map, uint32_t cpu,
		      enum loongson_box box, uint64_t *word);

/** loongson_map_regs() - Read all of them; 0 or -ENODEV */
int loongson_map_regs(const struct loongson_map *map, uint32_t cpu,
		      struct hal_regs *snapshot);

#endif /* HAL_LOONGSON_MAP_H */
