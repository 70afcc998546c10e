/* SPDX-License-Identifier: MIT */
/*
 * guest_post.h - messages to a process of the VM: send, queue, tell, ring
 *
 * Nothing here blocks.  What the socket has no room for is queued, up to
 * GUEST_QUEUE_MAX; who reads nothing for so long is broken.  A broken session
 * ends before the loop sleeps (its `work` is asked for).
 */
#ifndef DAEMON_GUEST_POST_H
#define DAEMON_GUEST_POST_H

#include "daemon/guest_state.h"

/** struct guest_mail - One message of wire.h */
struct guest_mail {
	const void *msg;
	size_t bytes;
	uint32_t slot;			/* whose news word says so, or
					 * SNOO_CTL_NO_SLOT */
	const int *fd;			/* that go with it; they must stay open
					 * as long as the session does */
	unsigned int nfds;		/* SNOO_WIRE_FDS at most */
};

void guest_post(struct guest_session *s, const struct guest_mail *m);

/* ERROR, in our own name; the caller ends the session afterwards.  @error:
 * errno, positive. */
void guest_post_error(struct guest_session *s, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* What the loop shall tell of its socket: is it paused, is there a queue? */
void guest_post_listen(struct guest_session *s);

/* The socket can be written again. */
void guest_post_flush(struct guest_session *s);
/* What is still unsent will never be. */
void guest_post_discard(struct guest_session *s);

/* Say why this session must end, and see to it that it does. */
void guest_post_break(struct guest_session *s, const char *why);

/* Wake the rank: write what it sleeps on, whatever it does. */
void guest_post_ring(struct guest_session *s);

#endif /* DAEMON_GUEST_POST_H */
