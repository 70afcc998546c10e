/* SPDX-License-Identifier: MIT */
/*
 * session.h - one client: what may be said when, and what follows
 *
 * The states are in state.h (enum session_state).  Whatever a client says or
 * does not say costs itself alone: a message that is not allowed, or not well
 * formed, gets ERROR and the end of the session; one that does not read is
 * cut off; one that is slow has a deadline.
 *
 * A session is freed at the end of the turn of the loop in which it ended, so
 * its address is good for that long.
 */
#ifndef DAEMON_SESSION_H
#define DAEMON_SESSION_H

#include <snoo/control.h>

#include "daemon/state.h"

/** union session_message - Any message of a rank; aligned for all of them */
union session_message {
	struct snoo_wire_head head;
	struct snoo_wire_hello hello;
	struct snoo_wire_pinned pinned;
	struct snoo_wire_need need;
	struct snoo_wire_loan loan;
	struct snoo_wire_ack ack;
	struct snoo_wire_state state;
	struct snoo_wire_ring_for ring;
	struct snoo_wire_reach reach;
	struct snoo_wire_where where;
	struct snoo_wire_plain plain;
	unsigned char bytes[SNOO_WIRE_MAX];
};

/**
 * session_open() - A client has connected
 * @fd:		Ours to close either way
 *
 * Return: 0 or -errno (the client has been told what can be told)
 */
int session_open(struct domain *d, int fd);

/**
 * session_adopt() - The session of a rank that the last daemon has served
 * @fd:		Ours to close either way
 */
int session_adopt(struct rank *r, int fd);

/**
 * session_open_vm() - A process of a VM's guest says HELLO
 * @hello:	The message, @bytes of it: a private copy
 *
 * Return: 0 or -ENOMEM; then nothing has been said to the client
 */
int session_open_vm(struct vm *vm, const struct snoo_ctl_join *join,
		    const union session_message *hello, size_t bytes);

/* The session of a rank in a VM that the last daemon has served. */
int session_adopt_vm(struct rank *r, struct vm *vm);

/* RING: wake rank @rank of its job for it. */
void session_ring(struct session *s, uint32_t rank);

/* Call session's own end when the rank's process ends: 0 or -errno. */
int session_watch(struct rank *r);

/**
 * session_message() - The rank has said something, whatever carried it
 * @m:		A private copy; @bytes of it are there
 *
 * The session may have ended afterwards.
 */
void session_message(struct session *s, const union session_message *m,
		     size_t bytes);

/**
 * session_end() - Close it; a rank that has not left is DEAD then
 */
void session_end(struct session *s);

/* ERROR to everybody, then the end; ranks are not reaped. */
void session_end_all(struct domain *d, int error, const char *text);

/* Close our copies: the next daemon goes on with the kept ones. */
void session_let_go(struct domain *d);

/* ---- session.c, for session_open.c ---- */

/* ERROR, and the end. */
void session_fail(struct session *s, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void session_free(struct session *s);
void session_on_work(void *session);
void session_on_deadline(void *session);
void session_on_ready(void *session, unsigned int events);

#endif /* DAEMON_SESSION_H */
