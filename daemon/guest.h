/* SPDX-License-Identifier: MIT */
/*
 * guest.h - the daemon in a VM, from beginning to end: open, start, close
 *
 * It serves the domain that the VM's devices belong to, under the name of the
 * first domain of its configuration: that one's socket and admins count, all
 * else of it is the host's to say.
 */
#ifndef DAEMON_GUEST_H
#define DAEMON_GUEST_H

#include "daemon/domain.h"
#include "daemon/state.h"

struct guest;

/**
 * guest_open() - Open the devices, take over sessions of a daemon that died
 * @lock_fd:	From domain_lock(); the guest's to close
 * @why:	On failure a sentence
 *
 * sh->guest is set.  What needs privilege happens here.
 *
 * Return: 0 on success, negative error code otherwise: as guest_dev_open(),
 * or -EINVAL, -errno
 */
int guest_open(struct guest **out, struct shared *sh, int lock_fd,
	       char why[DOMAIN_TEXT]);

/* Accept processes, ask the host for a session: 0 or -errno. */
int guest_start(struct guest *g);

/* NULL is allowed. */
void guest_close(struct guest *g, enum domain_end end);

#endif /* DAEMON_GUEST_H */
