/* SPDX-License-Identifier: MIT */
/*
 * ivshmem.h - what a QEMU with an ivshmem-doorbell device is told, all at once
 *
 * QEMU connects and reads; it never says a word.  A message is a little-endian
 * int64, some with one fd (SCM_RIGHTS):
 *
 *     0			the protocol's version
 *     id			the device's own: IVPosition
 *     -1, memory		what becomes BAR2
 *     t, eventfd		for each other slot t: vector 0, 1, ...
 *     id, eventfd		its own vectors, last
 *
 * What QEMU (7.2, and its main branch of 2025) does wrong, and so the rules:
 *
 *   what QEMU does				what we do
 *   frees a peer's eventfds when told that	announce all slots at once, in
 *   it left, and again when it joins or the	use or not; never say join or
 *   device is unplugged: heap corruption	leave (static slots)
 *   spins for ever when the socket ends	refuse by the version 99: QEMU
 *   before the memory has come			says so and exits
 *   waits for the memory with its main loop	send all of it in one go, from
 *   stopped, and spins if we die meanwhile	one call, never in two turns
 *   takes a message whose fd did not fit	look at its RLIMIT_NOFILE first
 *   into its table for a leave: as above
 *   aborts if the memory's size is no power	the pool and the control memory
 *   of two					are
 *   takes what a server says after a		nothing: reconnect= must not be
 *   reconnect for joins and leaves		set, the daemon keeps sockets
 *
 * In one go, without blocking the loop, means: the socket's send buffer must
 * take all of it.  An fd in flight counts against RLIMIT_NOFILE of the sender's
 * user (ETOOMANYREFS) until QEMU has read it.
 *
 * QEMU ignores a ring at a slot or vector that it was not told of; announced
 * vectors beyond its own vectors= can't be rung, nothing else happens.
 *
 * Any thread; no state.
 */
#ifndef DAEMON_IVSHMEM_H
#define DAEMON_IVSHMEM_H

#include <stdint.h>
#include <sys/types.h>

#include "daemon/bells.h"

#define IVSHMEM_TEXT		256u
#define IVSHMEM_VERSION		0
#define IVSHMEM_REFUSAL		99	/* a version that no QEMU speaks */
#define IVSHMEM_QEMU_FDS	40u	/* what else a QEMU has open */

/** struct ivshmem_bell - An eventfd, and the id of whom it rings */
struct ivshmem_bell {
	uint32_t id;
	int fd;
};

/**
 * struct ivshmem_offer - What one device gets
 *
 * Bells of one id follow each other, by vector from 0 on; those of @id, the
 * device's own, are last.  No fd is the offer's.
 */
struct ivshmem_offer {
	uint32_t id;
	int memory;
	const struct ivshmem_bell *bell;
	unsigned int n;
};

/**
 * ivshmem_offer_pool() - For the pool device of a VM
 * @slot:	Its slot, not 0
 *
 * Return: 0 or -ENOMEM; end it with ivshmem_offer_fini() in any case
 */
int ivshmem_offer_pool(struct ivshmem_offer *o, const struct bells *b,
		       uint32_t slot, int memory);

/**
 * ivshmem_offer_control() - For the control device: two peers, one vector each
 * @host:	The guest rings us, as peer 0
 * @guest:	We ring the guest
 *
 * As above.
 */
int ivshmem_offer_control(struct ivshmem_offer *o, uint32_t slot, int memory,
			  int host, int guest);
void ivshmem_offer_fini(struct ivshmem_offer *o);

/**
 * ivshmem_serve() - The whole handshake
 * @sock:	Connected stream socket, blocking or not; stays the caller's
 * @why:	On failure a sentence
 *
 * Never blocks.  Keep @sock open for as long as the device is there; its end
 * is the device's end.
 *
 * Return: 0 on success, negative error code otherwise; the peer was refused
 *	   then, as well as it still could be: close @sock
 *	-ENOBUFS	the socket's buffer can't take it: net.core.wmem_max
 *	-EAGAIN		it is full, though it should have taken it
 *	-EPIPE, -ECONNRESET	the peer went away
 *	-ETOOMANYREFS	too many fds in flight: peers that don't read
 *	-errno		of sendmsg(2)
 */
int ivshmem_serve(int sock, const struct ivshmem_offer *o,
		  char why[IVSHMEM_TEXT]);

/* Tell a QEMU that nothing was sent to yet to give up.  The caller closes
 * @sock. */
void ivshmem_refuse(int sock);

/* Bytes of send buffer, as getsockopt(SO_SNDBUF) counts, that the handshake
 * takes. */
uint64_t ivshmem_buffer_need(uint32_t slots, uint32_t vectors);

/**
 * ivshmem_buffer_check() - May a socket of ours have that buffer?
 *
 * Without privilege: the daemon has none any more when it serves.
 *
 * Return: 0, or -ENOBUFS with a sentence in @why
 */
int ivshmem_buffer_check(uint32_t slots, uint32_t vectors,
			 char why[IVSHMEM_TEXT]);

/**
 * ivshmem_peer_check() - Has the QEMU room for all the fds?
 * @pid:	Who connected; make sure afterwards, by its pidfd, that it has
 *		not been somebody else.  A launcher that passed the socket on
 *		(-chardev socket,fd=) is looked at in QEMU's place.
 *
 * Return: 0 on success, negative error code otherwise, @why is a sentence
 *	-EMFILE	 no: refuse it, QEMU would abort
 *	-ENODATA its limit can't be seen (hidepid=, another PID namespace)
 */
int ivshmem_peer_check(pid_t pid, uint32_t slots, uint32_t vectors,
		       char why[IVSHMEM_TEXT]);

#endif /* DAEMON_IVSHMEM_H */
