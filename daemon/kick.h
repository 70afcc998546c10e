/* SPDX-License-Identifier: MIT */
/*
 * kick.h - raise an eventfd that others hold too, and never wait
 *
 * O_NONBLOCK belongs to the description: any holder takes it off, fills the
 * counter, and a write waits for ever; to look first helps only until the next
 * instruction.  But the end of an asynchronous operation raises the counter
 * inside the kernel, which stops at its limit and never waits.  So: a read of
 * no bytes, and the eventfd as the place where its end is told.
 *
 * About 5 us each.  One thread.
 */
#ifndef DAEMON_KICK_H
#define DAEMON_KICK_H

struct kick;

/**
 * kick_open() - Get ready
 *
 * Return: 0 on success, negative error code otherwise
 *	-ENOMEM
 *	-ENOSYS	 the kernel has no such operations, or a filter denies them
 */
int kick_open(struct kick **out);
/* NULL is allowed. */
void kick_close(struct kick *k);

/**
 * kick() - One ring
 * @k:	NULL: write, if it looks as if that did not wait
 */
void kick(struct kick *k, int eventfd);

#endif /* DAEMON_KICK_H */
