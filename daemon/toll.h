/* SPDX-License-Identifier: MIT */
/*
 * toll.h - a thread that writes eventfds, so that the loop never does
 *
 * Eventfds that ranks and VMs hold too are hostile: any holder can take
 * O_NONBLOCK off the shared description and fill the counter, and then a write
 * hangs.  It hangs this thread alone: who does that withholds bells of those
 * that the thread is for, a domain's or a VM's own.
 *
 * SIGURG is taken, to end it.
 *
 * toll_ring(), toll_take(): any thread.  The others: one thread.
 */
#ifndef DAEMON_TOLL_H
#define DAEMON_TOLL_H

#include <stdint.h>

struct toll;

/**
 * toll_open() - Start the thread
 * @fd:		@n eventfds (-1: there is none), which stay the caller's, and
 *		open until toll_close(); the table is copied
 *
 * Before privileges are given up, or after: it needs none.
 *
 * Return: 0 on success, negative error code otherwise
 *	-ENOMEM, or -errno of sem_init(3), sigaction(2) and pthread_create(3)
 */
int toll_open(struct toll **out, const int *fd, uint32_t n);

/* What was rung before is written, if that is quick; then the thread ends, also
 * one that hangs in a write.  NULL is allowed. */
void toll_close(struct toll *t);

/* Write 1 to fd @i, soon; what is not written yet is written once.  Without
 * effect where there is none.  Never blocks. */
void toll_ring(struct toll *t, uint32_t i);

/* What is not written yet to fd @i need not be. */
void toll_drop(struct toll *t, uint32_t i);

/* Read one without ever blocking: the rings since last time, 0: none. */
uint64_t toll_take(int fd);

#endif /* DAEMON_TOLL_H */
