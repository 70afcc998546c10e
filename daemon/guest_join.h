/* SPDX-License-Identifier: MIT */
/*
 * guest_join.h - from a process's HELLO to its WELCOME, by way of the host
 */
#ifndef DAEMON_GUEST_JOIN_H
#define DAEMON_GUEST_JOIN_H

#include "daemon/guest_state.h"

/**
 * guest_join_check() - Is a HELLO in order, and who says it?
 * @why:	SNOO_WIRE_TEXT bytes: on failure a sentence
 *
 * Return: 0, or as job_check() and peer_identify()
 */
int guest_join_check(struct guest_session *s, char why[SNOO_WIRE_TEXT]);

/**
 * guest_join_ask() - JOIN to the host, and the socket to the keeper
 * @why:	SNOO_WIRE_TEXT bytes: on failure a sentence
 *
 * Return: 0; -EAGAIN: the ring has no room, nothing changed; or -errno: the
 * session must fail
 */
int guest_join_ask(struct guest_session *s, char why[SNOO_WIRE_TEXT]);

/**
 * guest_join_welcome() - Complete the host's WELCOME and pass it on
 * @slot:	Rank slot, as the frame says
 *
 * Return: 0, or -EPROTO: it can't be true
 */
int guest_join_welcome(struct guest_session *s, const void *msg, size_t bytes,
		       uint32_t slot);

/* What the keeper calls the session's fds. */
#define GUEST_KEEP_PREFIX	"guest/rank/"
const char *guest_join_keep_name(char buf[STATE_KEEP_MAX],
				 const struct guest_session *s,
				 const char *what);

#endif /* DAEMON_GUEST_JOIN_H */
