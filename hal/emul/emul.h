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
 * @wakes:	wake-up system calls made through this handle
 */
struct emul {
	struct hal base;
	struct hal_block *blocks;
	uint32_t armed;
	bool wipe;
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

#endif /* HAL_EMUL_EMUL_H */
