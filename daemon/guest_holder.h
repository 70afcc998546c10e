/* SPDX-License-Identifier: MIT */
/*
 * guest_holder.h - a small process that stands for the VM where there is none
 *
 * The host takes the process that connected to its ivshmem sockets for the VM:
 * the two connections belong together because one process made them, and its
 * end is the VM's end.  A guest daemon may die and come back, so it cannot be
 * that process.  The holder connects, hands the sockets over, and then does
 * nothing but wait for the end of a pipe, whose other end the daemon and its
 * keeper have.
 */
#ifndef DAEMON_GUEST_HOLDER_H
#define DAEMON_GUEST_HOLDER_H

#include "daemon/guest_port.h"

/**
 * guest_holder_start() - Connect to two sockets through a holder
 * @path:	Two paths
 * @sock:	Connected, CLOEXEC; -1 on failure
 * @life:	The holder lives as long as a copy of this is open
 *
 * Forks: before there are threads and signal handlers.
 *
 * Return: 0 on success, negative error code otherwise
 *	-ENAMETOOLONG	a path that no socket has
 *	-ETIMEDOUT	nobody accepts
 *	-errno of connect(2), fork(2), pipe(2)
 */
int guest_holder_start(const char *const path[2], int sock[2], int *life,
		       char why[GUEST_PORT_TEXT]);

#endif /* DAEMON_GUEST_HOLDER_H */
