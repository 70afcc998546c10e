/* SPDX-License-Identifier: MIT */
/*
 * attach.h - from HELLO to WELCOME: one rank joins
 *
 *	job_admit()		which job, which rank
 *	place_take()		which core
 *	arena, ledger		a new job's area, then its cell
 *	pool			register block and rank slot, zeroed
 *	keeper			socket and pidfd, and a barrier
 *	ledger			the rank is a member     <-- from here on
 *	pool			member entry, counts
 *	socket			WELCOME, rings, blocks, bells, START
 *
 * A daemon that dies before the ledger has the rank leaves nothing: the
 * client sees end of file and asks again.  After it, the next daemon says
 * WELCOME once more to who may not have got it (adopt.c).
 */
#ifndef DAEMON_ATTACH_H
#define DAEMON_ATTACH_H

#include "daemon/state.h"

/**
 * attach_hello() - Carry out s->hello, which job_check() has passed
 * @why:	SNOO_WIRE_TEXT bytes: on failure what to tell the client
 *
 * Return: 0: s->rank is set and WELCOME is sent; else negative errno and
 * nothing has changed
 */
int attach_hello(struct session *s, char why[SNOO_WIRE_TEXT]);

/* Its WELCOME has arrived. */
void attach_confirmed(struct rank *r);

/* PINNED has come. */
void attach_pinned(struct rank *r, const struct snoo_wire_pinned *m);

/* Rings, blocks, and START to whom it is due. */
void attach_supply(struct rank *r);


#endif /* DAEMON_ATTACH_H */
