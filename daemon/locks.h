/* SPDX-License-Identifier: MIT */
/*
 * locks.h - the locks of all domains that this daemon serves
 */
#ifndef DAEMON_LOCKS_H
#define DAEMON_LOCKS_H

#include "daemon/conf.h"
#include "daemon/domain.h"

/* One for each domain that is configured, none of them taken (-1); NULL: no
 * memory. */
int *locks_new(const struct conf *c);
/* Give up those that are still here.  NULL is allowed. */
void locks_free(const struct conf *c, int *fds);

/**
 * locks_take() - Take the locks of the first @n domains, or none
 *
 * Return: 0, or as domain_lock()
 */
int locks_take(const struct conf *c, unsigned int n, int *fds,
	       char why[DOMAIN_TEXT]);

#endif /* DAEMON_LOCKS_H */
