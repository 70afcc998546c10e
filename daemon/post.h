/* SPDX-License-Identifier: MIT */
/*
 * post.h - messages to a rank: build, send, queue, tell
 *
 * Nothing here blocks.  What the socket has no room for is queued, up to
 * SESSION_QUEUE_MAX; a session that reads nothing for so long is broken.
 * A broken session ends at the end of this turn of the loop (its `work` is
 * asked for), so that a caller may go on sending to others and never finds
 * its own session gone under it.
 *
 * A message to a rank raises its news word when it really is in the socket.
 */
#ifndef DAEMON_POST_H
#define DAEMON_POST_H

#include "daemon/state.h"

/* Say why this session must end, and see to it that it does. */
void post_break(struct session *s, const char *why);

/* The socket can be written again. */
void post_flush(struct session *s);
/* What is still unsent will never be. */
void post_discard(struct session *s);

/**
 * post_error() - ERROR; the caller ends the session afterwards
 * @error:	errno, positive
 */
void post_error(struct session *s, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* How long ranks of @d spin before they sleep: as configured, or measured. */
uint32_t post_spin_ns(const struct domain *d);
void post_welcome(struct rank *r);
void post_start(struct rank *r);
void post_rings(struct rank *r, const struct snoo_wire_ring *ring,
		uint32_t n);
void post_grant(struct rank *r, const struct snoo_wire_block *block,
		uint32_t n);
/* Rings @r whatever it does. */
void post_peer(struct rank *r, const struct snoo_wire_peer *m);
void post_lent(struct rank *r, const struct snoo_wire_lent *m);
void post_gone(struct rank *r, const struct rank *gone);
void post_resumed(struct rank *r);
/* Where its register rings are, and whether they are in use; nothing to a rank
 * that has none. */
void post_registers(struct rank *r);
/* Where it finds who has a CPU; nothing to a rank that is not watched, or that
 * would not understand. */
void post_oncpu(struct rank *r);
/* @fd: of the domain's bells, which outlive every session. */
void post_bells(struct rank *r, const struct snoo_wire_bells *m,
		const int *fd, unsigned int nfds);
void post_bye(struct session *s);

#endif /* DAEMON_POST_H */
