/* SPDX-License-Identifier: MIT */
/*
 * guest_socket.h - a device that is an ivshmem socket: a guest without QEMU
 */
#ifndef DAEMON_GUEST_SOCKET_H
#define DAEMON_GUEST_SOCKET_H

#include "daemon/guest_port.h"

/**
 * guest_socket_open() - Be what QEMU is: the client of ivshmem sockets
 * @path:	Of the pool's and the control's socket
 * @holder:	Its end is the end of the VM for the host
 *
 * On failure the caller closes what is open, @holder too.
 *
 * Return: 0 on success, negative error code otherwise
 *	-ECONNREFUSED	the host refuses us: full, too few fds
 *	-EPROTO		the other side is no ivshmem server of ours
 *	-ETIMEDOUT	it stopped half-way
 *	-EMFILE		too many fds are announced for our RLIMIT_NOFILE
 *	-errno of connect(2)
 */
int guest_socket_open(struct guest_port *pool, struct guest_port *control,
		      const char *const path[2], int *holder,
		      char why[GUEST_PORT_TEXT]);
/* Leave it all with the keeper: 0 or -errno, and then the ports are clear. */
int guest_socket_store(struct guest_port *pool, struct guest_port *control,
		       int *holder, struct keeper *k);

/* The same from the keeper: 0, or -ENOENT: nothing whole is kept. */
int guest_socket_adopt(struct guest_port *pool, struct guest_port *control,
		       const char *const path[2], int *holder,
		       struct keeper *k);

#endif /* DAEMON_GUEST_SOCKET_H */
