/* SPDX-License-Identifier: MIT */
/*
 * domain.h - one domain from beginning to end: make, adopt, serve, lose, close
 */
#ifndef DAEMON_DOMAIN_H
#define DAEMON_DOMAIN_H

#include "daemon/state.h"

#define DOMAIN_TEXT	640

/**
 * domain_lock() - Be the one daemon of a domain
 * @out:	The lock: closing it, or dying, gives it up
 *
 * Return: 0 on success, negative error code otherwise
 *	-EALREADY  another daemon has it; @why names it
 *	-errno	   of open(2) and flock(2)
 */
int domain_lock(int *out, const char *runtime_dir, const char *name,
		char why[DOMAIN_TEXT]);

/**
 * domain_open() - Make a domain, or take it over from a daemon that died
 * @lock_fd:	From domain_lock(); the domain's to close
 * @why:	On failure a sentence
 *
 * A ledger or pool that can't be taken over ends the old domain: its ranks
 * are told, and a new one is made.
 *
 * Return: 0 on success, negative error code otherwise
 */
int domain_open(struct domain **out, struct shared *sh,
		const struct conf_domain *conf, int lock_fd,
		char why[DOMAIN_TEXT]);

/* Accept clients: 0 or -errno. */
int domain_start(struct domain *d);

enum domain_end {
	DOMAIN_STOP,		/* for good: ranks are told, nothing stays */
	DOMAIN_HAND_OVER,	/* the next daemon goes on with it */
};

void domain_close(struct domain *d, enum domain_end end);

/* After conf_apply(). */
void domain_reload(struct domain *d);

#endif /* DAEMON_DOMAIN_H */
