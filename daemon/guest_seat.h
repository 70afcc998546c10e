/* SPDX-License-Identifier: MIT */
/*
 * guest_seat.h - a rank's vCPU: take, move, give
 *
 * The host pins vCPU threads to cores; here a rank is pinned to a vCPU.  JOIN
 * and PINNED tell the host which, so it knows who shares one.
 */
#ifndef DAEMON_GUEST_SEAT_H
#define DAEMON_GUEST_SEAT_H

#include "daemon/guest_state.h"

/* For a rank that says HELLO: as seat_take(). */
int guest_seat_take(struct guest_session *s, char why[SNOO_WIRE_TEXT]);

/* It really runs on @cpu (-1: it is not pinned). */
void guest_seat_move(struct guest_session *s, int cpu);

/* It is gone; nothing if it has none. */
void guest_seat_give(struct guest_session *s);

/* It sits already: where its process may run says where. */
void guest_seat_adopt(struct guest_session *s);

#endif /* DAEMON_GUEST_SEAT_H */
