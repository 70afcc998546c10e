/* SPDX-License-Identifier: MIT */
/*
 * seat.h - a rank's core: take, move, give; and who shares it
 *
 * Each rank slot says how many ranks are pinned to its core, over all
 * domains, so that who waits knows whether it keeps somebody from working.
 * For a rank in a VM it is how many sit on its vCPU.
 */
#ifndef DAEMON_SEAT_H
#define DAEMON_SEAT_H

#include "daemon/state.h"

/**
 * seat_take() - For a rank that says HELLO, inside its own mask
 *
 * Return: as place_take(), @why too
 */
int seat_take(struct shared *sh, const struct snoo_wire_hello *h,
	      struct place_seat *seat, char why[SNOO_WIRE_TEXT]);

/* It really runs on @cpu (-1: it is not pinned); in a VM: on that vCPU. */
void seat_move(struct rank *r, int cpu);

/* It is gone. */
void seat_give(struct rank *r);

/* It sits already (adoption). */
void seat_adopt(struct rank *r);

/* Tell all ranks on that core how many they are. */
void seat_tell(struct shared *sh, const struct place_seat *seat);
/* The same for the place of @r, which may have gone; in a VM: for its vCPU. */
void seat_tell_rank(const struct rank *r);

/*
 * Ranks in a VM: they take no seat here (their vCPU may have one, vm.h), and
 * share their vCPU with the ranks of that VM alone.  After vCPUs moved:
 */
void seat_vm_moved(struct rank *r);

#endif /* DAEMON_SEAT_H */
