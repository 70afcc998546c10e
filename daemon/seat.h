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

/**
 * seat_plan() - Keep seats for all ranks of a job that begins
 * @h:	Of the first one
 *
 * By their numbers: as they happen to come, neighbours of a job with two ranks
 * on each core would share one or not, another way in each run.  Only for a job
 * of stated size whose first rank may run everywhere: of ranks in containers
 * with cpus of their own nobody knows how many will come to which.  Without
 * memory there is no plan.
 */
void seat_plan(struct job *j, const struct snoo_wire_hello *h);

/* The same as seat_take(), for a rank that has a seat kept for it or not. */
int seat_take_kept(struct job *j, uint32_t rank,
		   const struct snoo_wire_hello *h, struct place_seat *seat,
		   char why[SNOO_WIRE_TEXT]);

/* Give back the seat that is kept for @rank, if one is. */
void seat_unkeep(struct job *j, uint32_t rank);

/* The same for all: nobody else will come. */
void seat_unplan(struct job *j);

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
