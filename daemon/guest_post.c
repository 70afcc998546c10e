/* SPDX-License-Identifier: MIT */
/*
 * guest_post.c - messages to a process of the VM: send, queue, tell, ring
 */
#include "daemon/guest_post.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/guest_pool.h"
#include "daemon/toll.h"
#include "daemon/log.h"

void guest_post_listen(struct guest_session *s)
{
	if (s->watch)
		loop_watch_events(s->watch, (s->paused ? 0 : LOOP_READ) |
				  (s->queue ? LOOP_WRITE : 0));
}

void guest_post_break(struct guest_session *s, const char *why)
{
	if (s->broken || s->fd < 0)
		return;
	s->broken = why;
	loop_defer(s->g->sh->loop, &s->work);
}

/* 0, -EAGAIN: no room now, or -errno: never */
static int send_raw(const struct guest_session *s, const struct guest_mail *m)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(SNOO_WIRE_FDS * sizeof(int))];
	} control;
	size_t fds = m->nfds * sizeof(int);
	struct iovec iov = { (void *)m->msg, m->bytes };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (m->nfds) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(fds);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fds);
		memcpy(CMSG_DATA(c), m->fd, fds);
	}
	do
		n = sendmsg(s->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == EWOULDBLOCK || errno == ENOBUFS ? -EAGAIN : -errno;
}

/*
 * As on the host (post.c): all fds on their way count against our own limit of
 * open files, and who does not read them must not use that up for others.
 */
static bool reads_its_fds(struct guest_session *s, unsigned int nfds)
{
	const struct snoo_ctl_welcome *w = &s->g->link.welcome;
	int left;

	if (ioctl(s->fd, SIOCOUTQ, &left) == 0 && left == 0)
		s->fds_out = 0;
	/* A full list, and a second. */
	if (s->fds_out > 0 && s->fds_out + nfds > 2 * w->slots * w->vectors)
		return false;
	s->fds_out += nfds;
	return true;
}

/* It can't have its bells: it looks by itself, which costs it time only. */
static int send_no_bells(struct guest_session *s, const struct guest_mail *all)
{
	const struct snoo_wire_bells *had = all->msg;
	struct snoo_wire_bells b = {
		.head = { SNOO_WIRE_BELLS, sizeof(b) },
		.flags = had->flags | SNOO_WIRE_BELLS_POLL,
	};
	struct guest_mail m = {
		.msg = &b, .bytes = sizeof(b), .slot = all->slot,
	};

	log_warn("a rank gets no bells and must poll pid=%d reason=\"too many "
		 "file descriptors are in flight\"", (int)s->who.pid);
	return send_raw(s, &m);
}

static int send_now(struct guest_session *s, const struct guest_mail *m)
{
	const struct snoo_wire_head *head = m->msg;
	int ret;

	if (head->type != SNOO_WIRE_BELLS || m->nfds == 0)
		return send_raw(s, m);
	if (!reads_its_fds(s, m->nfds))
		return send_no_bells(s, m);
	ret = send_raw(s, m);
	if (ret)
		s->fds_out -= m->nfds;
	return ret == -ETOOMANYREFS ? send_no_bells(s, m) : ret;
}

/* As on the host (post.c): these end a wait for somebody who may have died
 * between publishing and ringing, or for a daemon that did. */
static bool must_ring(uint32_t type)
{
	return type == SNOO_WIRE_GONE || type == SNOO_WIRE_RESUMED ||
	       type == SNOO_WIRE_ERROR;
}

void guest_post_ring(struct guest_session *s)
{
	struct guest *g = s->g;
	uint32_t n = guest_dev_vectors(g->dev);

	if (s->vector) {
		toll_ring(g->ring, s->vector);
		return;
	}
	/* Which bell the daemon before us gave it, only it and the host know:
	 * one that is rung for nothing is allowed. */
	for (uint32_t v = 1; s->adopted && v < n; v++)
		toll_ring(g->ring, v);
}

static void sent(struct guest_session *s, const struct guest_mail *m)
{
	const struct snoo_wire_head *head = m->msg;

	/* From here on its fd may be unread. */
	if (head->type == SNOO_WIRE_WELCOME &&
	    s->state == GUEST_SESSION_WELCOMED)
		loop_timer_start(s->deadline,
				 s->g->sh->conf->limits.handshake_ms, 0);
	if (head->type == SNOO_WIRE_BYE)
		s->said_bye = true;
	if (m->slot != SNOO_CTL_NO_SLOT &&
	    guest_pool_news(s->g, m->slot, must_ring(head->type)))
		guest_post_ring(s);
}

static void keep(struct guest_session *s, const struct guest_mail *m)
{
	size_t fds = m->nfds * sizeof(int);
	struct guest_letter *l;

	if (s->queued >= GUEST_QUEUE_MAX) {
		guest_post_break(s, "it does not read its socket");
		return;
	}
	l = malloc(sizeof(*l) + fds + m->bytes);
	if (!l) {
		guest_post_break(s, "the daemon is out of memory");
		return;
	}
	l->next = NULL;
	l->bytes = m->bytes;
	l->slot = m->slot;
	l->nfds = m->nfds;
	l->fd = (int *)(void *)(l + 1);
	l->data = (unsigned char *)(l + 1) + fds;
	if (fds)
		memcpy(l->fd, m->fd, fds);
	memcpy(l->data, m->msg, m->bytes);
	if (!s->queue)
		s->queue_tail = &s->queue;
	*s->queue_tail = l;
	s->queue_tail = &l->next;
	s->queued++;
	guest_post_listen(s);
}

static void send_failed(struct guest_session *s, int ret)
{
	/* The peer has closed: its end of file says so to the reader. */
	if (ret == -EPIPE || ret == -ECONNRESET)
		return;
	log_warn("cannot send to a rank pid=%d error=\"%s\"", (int)s->who.pid,
		 strerror(-ret));
	guest_post_break(s, ret == -ETOOMANYREFS ?
			 "too many file descriptors are in flight" :
			 "sending to it failed");
}

void guest_post(struct guest_session *s, const struct guest_mail *m)
{
	int ret;

	if (s->fd < 0 || s->broken)
		return;
	if (s->queue) {
		keep(s, m);
		return;
	}
	ret = send_now(s, m);
	if (ret == -EAGAIN)
		keep(s, m);
	else if (ret)
		send_failed(s, ret);
	else
		sent(s, m);
}

void guest_post_error(struct guest_session *s, int error, const char *fmt, ...)
{
	struct snoo_wire_error e = {
		.head = { SNOO_WIRE_ERROR, sizeof(e) },
		.error = error,
	};
	struct guest_mail m = { .msg = &e, .bytes = sizeof(e),
				.slot = s->slot };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	guest_post(s, &m);
}

static void drop_first(struct guest_session *s)
{
	struct guest_letter *l = s->queue;

	s->queue = l->next;
	s->queued--;
	free(l);
}

void guest_post_flush(struct guest_session *s)
{
	while (s->queue && s->fd >= 0 && !s->broken) {
		struct guest_letter *l = s->queue;
		struct guest_mail m = {
			.msg = l->data, .bytes = l->bytes, .slot = l->slot,
			.fd = l->fd, .nfds = l->nfds,
		};
		int ret = send_now(s, &m);

		if (ret == -EAGAIN)
			return;
		if (ret) {
			send_failed(s, ret);
			return;
		}
		sent(s, &m);
		drop_first(s);
	}
	guest_post_listen(s);
}

void guest_post_discard(struct guest_session *s)
{
	while (s->queue)
		drop_first(s);
}
