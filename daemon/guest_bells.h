/* SPDX-License-Identifier: MIT */
/*
 * guest_bells.h - the host says by slot and vector who wakes whom; ranks of
 *		   the VM get eventfds
 */
#ifndef DAEMON_GUEST_BELLS_H
#define DAEMON_GUEST_BELLS_H

#include "daemon/guest_state.h"

/* A handler of frames: SNOO_CTL_BELLS. */
int guest_bells_on_frame(struct guest *g, const struct snoo_ctl_frame *f,
			 size_t bytes);

/**
 * guest_bells_ring() - A rank asks to have another one woken
 * @rank:	of its job
 *
 * By the doorbell register where the host has told us slot and vector; else
 * the host does it.
 *
 * Return: 0, or -EAGAIN: the ring has no room
 */
int guest_bells_ring(struct guest_session *s, uint32_t rank);

/* Forget what was said of its partners. */
void guest_bells_clear(struct guest_session *s);

#endif /* DAEMON_GUEST_BELLS_H */
