/* SPDX-License-Identifier: MIT */
/*
 * session.c - our end of the socket to the daemon
 *
 * After joining, nothing here blocks: what cannot be said now is said at the
 * next progress, and a daemon that is being replaced finds our messages in
 * the socket, which its keeper holds.
 */

#include "client/session.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t say(struct snoo *ctx, const void *msg, size_t length)
{
	ssize_t n;

	if (ctx->session.fd < 0)
		return -1;
	do {
		n = send(ctx->session.fd, msg, length,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN && errno != ENOBUFS)
		session_lost(ctx, -ENOTCONN);
	return n;
}

void session_lost(struct snoo *ctx, int error)
{
	struct session *s = &ctx->session;

	if (s->lost)
		return;
	s->lost = true;
	s->lost_error = error;
}

void session_need(struct snoo *ctx, uint32_t rings, uint32_t large_rings,
		  uint32_t small_blocks, uint32_t large_blocks)
{
	struct session *s = &ctx->session;

	s->need.rings += rings;
	s->need.large_rings += large_rings;
	s->need.small_blocks += small_blocks;
	s->need.large_blocks += large_blocks;
	s->need_dirty = true;
}

void session_ack(struct snoo *ctx, uint32_t gone)
{
	ctx->session.ack = gone;
	session_flush(ctx);
}

static bool say_state(struct snoo *ctx)
{
	struct snoo_wire_state state = {
		.head = { SNOO_WIRE_STATE, sizeof(state) },
		.epoch = ctx->session.epoch,
		.gone = ctx->gone_done,
		.seen_gone = ctx->gone_seen,
		.spare_rings = ctx->spare[LEND_SMALL].count,
	};
	struct snoo_wire_need *need = &state.need;

	/* What was asked of the former daemon is asked of this one again. */
	need->head.type = SNOO_WIRE_NEED;
	need->head.length = sizeof(*need);
	need->rings = ctx->spare[LEND_SMALL].asked ? 2 : 0;
	need->large_rings = ctx->spare[LEND_LARGE].asked ? 1 : 0;
	need->small_blocks = ctx->lend[LEND_SMALL].asked ? 4 : 0;
	need->large_blocks = ctx->lend[LEND_LARGE].asked ? 4 : 0;
	return say(ctx, &state, sizeof(state)) == (ssize_t)sizeof(state);
}

void session_flush(struct snoo *ctx)
{
	struct session *s = &ctx->session;

	if (s->lost)
		return;
	if (s->epoch) {
		if (!say_state(ctx))
			return;
		s->epoch = 0;
	}
	if (s->ack) {
		struct snoo_wire_ack ack = {
			.head = { SNOO_WIRE_ACK, sizeof(ack) },
			.gone = s->ack,
		};

		if (say(ctx, &ack, sizeof(ack)) < 0)
			return;
		s->ack = 0;
	}
	if (s->need_dirty) {
		s->need.head.type = SNOO_WIRE_NEED;
		s->need.head.length = sizeof(s->need);
		if (say(ctx, &s->need, sizeof(s->need)) < 0)
			return;
		memset(&s->need, 0, sizeof(s->need));
		s->need_dirty = false;
	}
}

void session_state(struct snoo *ctx, uint32_t epoch)
{
	ctx->session.epoch = epoch;
	session_flush(ctx);
}

int session_read(struct snoo *ctx, void *buf)
{
	struct session *s = &ctx->session;
	const struct snoo_wire_head *head = buf;
	ssize_t n;

	if (s->fd < 0 || s->lost)
		return -ENOTCONN;
	/* A reset is told once, before what is still to be read. */
	for (int reset = 0; reset < 2; reset++) {
		do {
			n = recv(s->fd, buf, SNOO_WIRE_MAX, MSG_DONTWAIT);
		} while (n < 0 && errno == EINTR);
		if (n >= 0 || errno != ECONNRESET)
			break;
	}
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n < (ssize_t)sizeof(*head) || head->length != (size_t)n) {
		session_lost(ctx, -ENOTCONN);
		return -ENOTCONN;
	}
	return (int)n;
}

void session_close(struct snoo *ctx, bool leave)
{
	struct session *s = &ctx->session;

	if (s->fd >= 0) {
		if (leave && !s->lost) {
			struct snoo_wire_plain msg = {
				{ SNOO_WIRE_LEAVE, sizeof(msg) },
			};

			say(ctx, &msg, sizeof(msg));
		}
		close(s->fd);
		s->fd = -1;
	}
	if (ctx->region.base) {
		munmap(ctx->region.base, (size_t)ctx->region.size);
		ctx->region.base = NULL;
	}
}
