/* SPDX-License-Identifier: MIT */
/*
 * guest_session.h - one client socket in a VM: its states, its beginning, its end
 *
 * The states are in guest_state.h.  Towards processes it is the socket that a
 * host's daemon serves.
 *
 * A session is freed at the end of the turn of the loop in which it ended, so
 * its address is good for that long.
 */
#ifndef DAEMON_GUEST_SESSION_H
#define DAEMON_GUEST_SESSION_H

#include "daemon/guest_state.h"

/** guest_session_open() - A process has connected; @fd is ours to close */
int guest_session_open(struct guest *g, int fd);

/**
 * guest_session_adopt() - A session of the daemon before us
 * @sid:	Its number
 * @name:	Its job's, for people
 * @fd:		-1: its socket has ended already.  Ours to close either way
 * @pidfd:	-1: unknown.  Ours to close either way
 *
 * Return: 0 or -errno
 */
int guest_session_adopt(struct guest *g, uint32_t sid, const char *name,
			int fd, int pidfd);

/* Tell its process why, hang up, tell the host. */
void guest_session_fail(struct guest_session *s, int error, const char *fmt,
			...) __attribute__((format(printf, 3, 4)));

/* Close its socket; the host hears of it, and later of its process's end. */
void guest_session_close(struct guest_session *s);

/* Say what the host is owed of one that is CLOSED, as far as there is room. */
void guest_session_settle(struct guest_session *s);

/* What it has to do next, it must do within limits.handshake_ms. */
void guest_session_deadline(struct guest_session *s);

/* NEW: its HELLO has come. */
void guest_session_hello(struct guest_session *s, const void *msg,
			 size_t bytes);

/* Take those in that wait for their turn, or for the host. */
void guest_session_serve(struct guest *g);

/* The host's ranks are no more: ERROR to each, then the end.  Processes that
 * live on are watched, so that the host hears of their ends. */
void guest_session_end_all(struct guest *g, int error, const char *why);

/* The daemon stops: ERROR to each, CLOSED to the host, nothing is kept. */
void guest_session_stop(struct guest *g);
/* Close our copies: the next daemon goes on with the kept ones. */
void guest_session_let_go(struct guest *g);

#endif /* DAEMON_GUEST_SESSION_H */
