/* SPDX-License-Identifier: MIT */
/*
 * emul.h - what the files of the emulated back end share
 */
#ifndef HAL_EMUL_EMUL_H
#define HAL_EMUL_EMUL_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/hal.h"

/**
 * struct emul - Handle of the emulated back end
 * @base:	What every back end's handle begins with
 * @blocks:	@base.ncores blocks in shared memory
 * @armed:	What we wrote to our ENABLE; the shared copy is for ringers and
 *		never read back, so a peer cannot change what we wait for
 * @wipe:	HAL_FAULT_WIPE
 * @online:	for each core, when we last looked; NULL: always, without
 *		HAL_FAULT_OFFLINE
 * @wakes:	wake-up system calls made through this handle
 */
struct emul {
	struct hal base;
	struct hal_block *blocks;
	uint32_t armed;
	bool wipe;
	bool *online;
	_Atomic uint64_t wakes;
};

/* doorbell.c: the operations of the same names. */
int emul_ring(struct hal *h, uint32_t core, uint32_t bits);
int emul_nudge(struct hal *h, uint32_t core, uint32_t bits);
void emul_arm(struct hal *h, uint32_t mask);
uint32_t emul_take(struct hal *h);
int emul_wait(struct hal *h, int64_t timeout_ns);

/**
 * emul_wakes() - How many wake-up system calls this handle has made
 *
 * So that a test, or a status page, can see that ringing a pending bell costs
 * none.
 */
uint64_t emul_wakes(const struct hal *h);

/**
 * emul_offline() - Take a core away, or bring it back
 * @regs:	The first block, as in struct hal_params
 *
 * For handles with HAL_FAULT_OFFLINE, in this and other processes.  Bringing a
 * core back leaves in its mailboxes what Linux on MIPS leaves there: its stack
 * pointer, its global pointer, 0.
 */
void emul_offline(struct hal_block *regs, uint32_t core, bool offline);

#endif /* HAL_EMUL_EMUL_H */
