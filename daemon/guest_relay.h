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

/* Before guest_adopt() and guest_link_start(): sessions use the link from here
 * on, and their sockets are read by us. */
void guest_relay_init(struct guest *g);

#endif /* DAEMON_GUEST_RELAY_H */
