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
#include <sys/socket.h>
#include <unistd.h>

#include "client/map.h"

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

static bool say_ring(struct snoo *ctx, uint32_t rank)
{
	struct snoo_wire_ring_for m = {
		.head = { SNOO_WIRE_RING, sizeof(m) },
		.rank = rank,
	};

	return say(ctx, &m, sizeof(m)) == (ssize_t)sizeof(m);
}

void session_ring(struct snoo *ctx, struct peer *p)
{
	struct session *s = &ctx->session;

	/* An older daemon would not understand, and has no other kernels. */
	if (s->lost || s->minor < 2)
		return;
	shm_count(ctx->me, SHM_COUNT_rings_asked, 1);
	if (!s->ring_dirty && say_ring(ctx, p->rank))
		return;
	p->ring_due = true;
	s->ring_dirty = true;
}

static bool say_look(struct snoo *ctx)
{
	struct snoo_wire_plain m = { { SNOO_WIRE_LOOK, sizeof(m) } };

	return say(ctx, &m, sizeof(m)) == (ssize_t)sizeof(m);
}

void session_look(struct snoo *ctx)
{
	struct session *s = &ctx->session;

	if (!s->lost)
		s->look_due = s->look_due || !say_look(ctx);
}

static bool say_loan(struct snoo *ctx)
{
	const struct snoo_wire_loan *m = &ctx->session.loan;

	return say(ctx, m, sizeof(*m)) == (ssize_t)sizeof(*m);
}

void session_loan(struct snoo *ctx, uint64_t bytes, uint32_t serial)
{
	struct session *s = &ctx->session;

	s->loan = (struct snoo_wire_loan){
		.head = { SNOO_WIRE_LOAN, sizeof(s->loan) },
		.bytes = bytes,
		.serial = serial,
	};
	if (!s->lost)
		s->loan_due = !say_loan(ctx);
}

static bool say_reach(struct snoo *ctx)
{
	const struct snoo_wire_reach *m = &ctx->session.reach;

	return say(ctx, m, sizeof(*m)) == (ssize_t)sizeof(*m);
}

void session_reach(struct snoo *ctx, uint64_t address, uint64_t nonce)
{
	struct session *s = &ctx->session;

	s->reach = (struct snoo_wire_reach){
		.head = { SNOO_WIRE_REACH, sizeof(s->reach) },
		.address = address,
		.nonce = nonce,
	};
	if (!s->lost)
		s->reach_due = !say_reach(ctx);
}

static bool say_where(struct snoo *ctx, uint32_t rank)
{
	struct snoo_wire_where m = {
		.head = { SNOO_WIRE_WHERE, sizeof(m) },
		.rank = rank,
	};

	return say(ctx, &m, sizeof(m)) == (ssize_t)sizeof(m);
}

void session_where(struct snoo *ctx, struct peer *p)
{
	if (ctx->session.lost)
		return;
	p->reach.due = !say_where(ctx, p->rank);
	ctx->session.where_dirty = ctx->session.where_dirty || p->reach.due;
}

static void flush_wheres(struct snoo *ctx)
{
	for (uint32_t i = 0; i < ctx->capacity; i++) {
		struct peer *p = &ctx->peers[i];

		if (p->reach.due && !say_where(ctx, i))
			return;
		p->reach.due = false;
	}
	ctx->session.where_dirty = false;
}

static void flush_rings(struct snoo *ctx)
{
	for (uint32_t i = 0; i < ctx->capacity; i++) {
		struct peer *p = &ctx->peers[i];

		if (!p->ring_due)
			continue;
		if (p->state == PEER_LIVE && !say_ring(ctx, i))
			return;
		p->ring_due = false;
	}
	ctx->session.ring_dirty = false;
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
	if (s->ring_dirty)
		flush_rings(ctx);
	if (s->look_due)
		s->look_due = !say_look(ctx);
	if (s->loan_due)
		s->loan_due = !say_loan(ctx);
	if (s->reach_due)
		s->reach_due = !say_reach(ctx);
	if (s->where_dirty)
		flush_wheres(ctx);
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

void session_drop_fds(struct session_fds *fds)
{
	for (uint32_t i = 0; i < fds->n; i++) {
		if (fds->fd[i] >= 0)
			close(fds->fd[i]);
	}
	fds->n = 0;
}

static void collect(struct session_fds *fds, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		const size_t most = sizeof(fds->fd) / sizeof(fds->fd[0]);
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		/* The buffer that they were received in holds no more. */
		if (n > most - fds->n)
			n = most - fds->n;
		memcpy(&fds->fd[fds->n], CMSG_DATA(c), n * sizeof(int));
		fds->n += (uint32_t)n;
	}
	fds->cut = (msg->msg_flags & MSG_CTRUNC) != 0;
}

ssize_t session_hear(int fd, void *buf, size_t size, int flags,
		     struct session_fds *fds)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(fds->fd))];
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	fds->n = 0;
	fds->cut = false;
	do {
		n = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	collect(fds, &msg);
	return n;
}

int session_read(struct snoo *ctx, void *buf, struct session_fds *fds)
{
	struct session *s = &ctx->session;
	const struct snoo_wire_head *head = buf;
	ssize_t n;

	fds->n = 0;
	if (s->fd < 0 || s->lost)
		return -ENOTCONN;
	/* A reset is told once, before what is still to be read. */
	n = session_hear(s->fd, buf, SNOO_WIRE_MAX, MSG_DONTWAIT, fds);
	if (n == -ECONNRESET)
		n = session_hear(s->fd, buf, SNOO_WIRE_MAX, MSG_DONTWAIT, fds);
	if (n == -EAGAIN)
		return -EAGAIN;
	if (n < (ssize_t)sizeof(*head) || head->length != (size_t)n) {
		session_drop_fds(fds);
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
	map_close(ctx);
}
