/* SPDX-License-Identifier: MIT */
/*
 * span.h - jobs that span kernels: which vector wakes whom, and who is told
 *
 * A job spans as soon as it has ranks of different kernels (led.vm: 0 is the
 * host's), or where the domain wants it so (ivshmem.host_bells), and does so
 * to its end.  Each of its ranks gets a vector of its slot (led.vector) and is
 * told its own and its partners': by BELLS of wire.h on the host, by the BELLS
 * frame of control.h in a VM.
 *
 *	size stated	to all, complete, before START
 *	open		all of it to the one that joins, it to all others
 *	STATE		all of it again: the daemon before us may have died
 *			between two ranks
 */
#ifndef DAEMON_SPAN_H
#define DAEMON_SPAN_H

#include "daemon/state.h"

void span_open(struct domain *d);
void span_close(struct domain *d);

/**
 * span_admit() - May a rank join, as far as bells go?
 * @j:		NULL: it begins one
 * @slot:	VM slot of its process
 * @minor:	Of the wire protocol, as its HELLO said
 * @why:	On failure a sentence
 *
 * Return: 0, or -EPROTONOSUPPORT: somebody knows nothing of bells
 */
int span_admit(const struct domain *d, const struct job *j, uint32_t slot,
	       uint32_t minor, char why[SNOO_WIRE_TEXT]);

/* It is a member, and has its WELCOME, but not START. */
void span_joined(struct rank *r);

/* A job of the last daemon: whom it spans; then each of its ranks, before
 * START, if the last daemon can't have told. */
void span_adopt(struct job *j);
void span_adopted(struct rank *r);

/* STATE has come: all of it again. */
void span_again(struct rank *r);

/**
 * span_ring() - RING, or RING_FOR of control.h: wake a rank of @from's job
 *
 * At most once for each rank and turn of the loop, at its end.
 *
 * Return: 0, or -EPROTO: no job of that size has such a rank
 */
int span_ring(struct rank *from, uint32_t rank);

/* Eventfds that a rank of the host has been given, if it has got them all. */
uint32_t span_fds(const struct rank *r);

/* Does each rank of @j hold so many that its RLIMIT_NOFILE, of which it says
 * nothing, may be too small?  How many; 0: no. */
uint32_t span_many_fds(const struct job *j);

#endif /* DAEMON_SPAN_H */
