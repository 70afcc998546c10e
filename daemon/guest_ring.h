/* SPDX-License-Identifier: MIT */
/*
 * guest_ring.h - a thread that writes eventfds, so that the loop never does
 *
 * Every rank of the VM that shares a vector holds its eventfd, can take
 * O_NONBLOCK off the shared description and fill the counter; then a write
 * hangs.  It hangs this thread: who does that withholds bells of its own VM.
 * SIGURG is taken, to end it.
 *
 * guest_ring_one(): any thread.  The others: one thread.
 */
#ifndef DAEMON_GUEST_RING_H
#define DAEMON_GUEST_RING_H

#include <stdint.h>

#define GUEST_RING_MAX	64u

struct guest_ring;

/**
 * guest_ring_open() - Start the thread
 * @fd:		@n eventfds (-1: there is none), which stay the caller's
 *
 * Return: 0 on success, negative error code otherwise
 *	-EINVAL	more than GUEST_RING_MAX
 *	-ENOMEM, or -errno of sem_init(3) and pthread_create(3)
 */
int guest_ring_open(struct guest_ring **out, const int *fd, uint32_t n);

/* Ends the thread, also one that hangs in a write; NULL is allowed. */
void guest_ring_close(struct guest_ring *r);

/* Write 1 to fd @i, soon; what is not written yet is written once. */
void guest_ring_one(struct guest_ring *r, uint32_t i);

#endif /* DAEMON_GUEST_RING_H */
