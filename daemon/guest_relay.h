/* SPDX-License-Identifier: MIT */
/*
 * guest_relay.h - messages between a process's socket and the host, both ways
 *
 * What is said goes on byte for byte.  A message is taken out of a socket
 * when it is in the ring, so that a daemon that dies loses none.
 */
#ifndef DAEMON_GUEST_RELAY_H
#define DAEMON_GUEST_RELAY_H

#include "daemon/guest_state.h"

/* Handlers of frames; before guest_link_start(). */
void guest_relay_init(struct guest *g);

/* The ring has room, or the host has just taken us in. */
void guest_relay_room(struct guest *g);

/* For loop_watch(), of a session's socket and of its process's pidfd. */
void guest_relay_ready(void *session, unsigned int events);
void guest_relay_death(void *session, unsigned int events);

#endif /* DAEMON_GUEST_RELAY_H */
