/* SPDX-License-Identifier: MIT */
/*
 * mailbox.h - the handle of the hardware back end, and its mailboxes
 */
#ifndef HAL_LOONGSON_MAILBOX_H
#define HAL_LOONGSON_MAILBOX_H

#include "hal/loongson/machine.h"
#include "hal/loongson/map.h"

/**
 * struct loongson - Handle of the hardware back end
 * @base:	What every back end's handle begins with
 * @machine:	`online` in it: what we reach
 * @online:	fd on the kernel's list
 */
struct loongson {
	struct hal base;
	const struct loongson_sys *sys;
	struct loongson_machine machine;
	struct loongson_map *map;
	int online;
};

/* The operations of these names. */
int loongson_mail_send(struct hal *h, uint32_t core, uint32_t box,
		       uint64_t word);
int loongson_mail_recv(struct hal *h, uint32_t box, uint64_t *word);
int loongson_regs(struct hal *h, uint32_t core, struct hal_regs *snapshot);

/**
 * loongson_reset_mail() - Empty our mailboxes, and see that they are some
 *
 * Return: 0, or -EIO: one does not keep what is written to it
 */
int loongson_reset_mail(struct loongson *l);

#endif /* HAL_LOONGSON_MAILBOX_H */
