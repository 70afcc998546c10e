/* SPDX-License-Identifier: MIT */
/*
 * post.c - messages to a rank: build, send, queue, tell
 */
#include "daemon/post.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/bells.h"
#include "daemon/control.h"
#include "daemon/log.h"
#include "daemon/regs.h"
#include "daemon/telemetry.h"
#include "daemon/touch.h"

#define ONCPU_MINOR	7u	/* of wire.h: from here on it has ONCPU */

void post_break(struct session *s, const char *why)
{
	if (s->broken || s->state == SESSION_ENDED)
		return;
	s->broken = why;
	loop_defer(s->dom->sh->loop, &s->work);
}

/* Bells that may be on their way to one rank: a full list, and a second. */
static uint32_t most_fds(const struct domain *d)
{
	return d->bells ? 2 * bells_slots(d->bells) * bells_vectors(d->bells) :
			  1;
}

/*
 * All fds on their way count against our own limit of open files.  Who does
 * not read what was sent must not use that up for everybody: it gets no more.
 */
static bool reads_its_fds(struct session *s, unsigned int nfds)
{
	int left;

	if (ioctl(s->fd, SIOCOUTQ, &left) == 0 && left == 0)
		s->fds_out = 0;
	if (s->fds_out > 0 && s->fds_out + nfds > most_fds(s->dom))
		return false;
	s->fds_out += nfds;
	return true;
}

/* 0, -EAGAIN: no room now, or -errno: never */
static int send_raw(struct session *s, const void *msg, size_t bytes,
		    const int *fd, unsigned int nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(SNOO_WIRE_FDS * sizeof(int))];
	} control;
	struct iovec iov = { (void *)msg, bytes };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (nfds > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fd, nfds * sizeof(int));
	}
	do
		n = sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == EWOULDBLOCK || errno == ENOBUFS ? -EAGAIN : -errno;
}

/* It can't have its bells: it looks by itself, which costs it time only. */
static int send_no_bells(struct session *s, const struct snoo_wire_bells *all)
{
	struct snoo_wire_bells m = {
		.head = { SNOO_WIRE_BELLS, sizeof(m) },
		.flags = all->flags | SNOO_WIRE_BELLS_POLL,
	};

	log_warn("a rank gets no bells and must poll domain=%s pid=%d "
		 "reason=\"too many file descriptors are in flight\"",
		 s->dom->name, (int)s->who.pid);
	return send_raw(s, &m, sizeof(m), NULL, 0);
}

/* What it only might have known it does without. */
static int send_hint(struct session *s, const void *msg, size_t bytes,
		     const int *fd, unsigned int nfds)
{
	int ret = send_raw(s, msg, bytes, fd, nfds);

	return ret == -ETOOMANYREFS ? 0 : ret;
}

static int send_now(struct session *s, const void *msg, size_t bytes,
		    const int *fd, unsigned int nfds)
{
	const struct snoo_wire_head *head = msg;
	int ret;

	if (head->type == SNOO_WIRE_ONCPU)
		return send_hint(s, msg, bytes, fd, nfds);
	if (head->type != SNOO_WIRE_BELLS || nfds == 0)
		return send_raw(s, msg, bytes, fd, nfds);
	if (!reads_its_fds(s, nfds))
		return send_no_bells(s, msg);
	ret = send_raw(s, msg, bytes, fd, nfds);
	if (ret)
		s->fds_out -= nfds;
	return ret == -ETOOMANYREFS ? send_no_bells(s, msg) : ret;
}

static bool must_ring(const void *msg)
{
	const struct snoo_wire_head *head = msg;

	/*
	 * These end a wait for somebody who may have died between publishing
	 * and ringing, or for a daemon that did.
	 */
	return head->type == SNOO_WIRE_GONE ||
	       head->type == SNOO_WIRE_RESUMED ||
	       head->type == SNOO_WIRE_ERROR;
}

static void sent(struct session *s, const void *msg)
{
	if (s->rank)
		touch_news(s->rank, must_ring(msg));
}

static void keep(struct session *s, const void *msg, size_t bytes,
		 const int *fd, unsigned int nfds)
{
	size_t behind = (bytes + sizeof(*fd) - 1) & ~(sizeof(*fd) - 1);
	struct letter *l;

	if (s->queued >= SESSION_QUEUE_MAX) {
		post_break(s, "it does not read its socket");
		return;
	}
	l = malloc(sizeof(*l) + behind + nfds * sizeof(*fd));
	if (!l) {
		post_break(s, "the daemon is out of memory");
		return;
	}
	l->next = NULL;
	l->bytes = bytes;
	l->nfds = nfds;
	l->fd = (int *)(void *)(l->data + behind);
	memcpy(l->data, msg, bytes);
	if (nfds > 0)
		memcpy(l->fd, fd, nfds * sizeof(*fd));
	if (!s->queue)
		s->queue_tail = &s->queue;
	*s->queue_tail = l;
	s->queue_tail = &l->next;
	s->queued++;
	if (s->watch)
		loop_watch_events(s->watch, LOOP_READ | LOOP_WRITE);
}

static void send_failed(struct session *s, int ret)
{
	/* The peer has closed: its end of file says so to the reader. */
	if (ret == -EPIPE || ret == -ECONNRESET)
		return;
	log_warn("cannot send to a rank domain=%s pid=%d error=\"%s\"",
		 s->dom->name, (int)s->who.pid, strerror(-ret));
	post_break(s, ret == -ETOOMANYREFS ?
		   "too many file descriptors are in flight" :
		   "sending to it failed");
}

static void post_fds(struct session *s, const void *msg, size_t bytes,
		     const int *fd, unsigned int nfds)
{
	int ret;

	if (!s || s->state == SESSION_ENDED || s->broken)
		return;
	if (s->vm) {
		/* The guest daemon raises the news word, and adds fds. */
		control_msg(s, msg, bytes);
		return;
	}
	if (s->queue) {
		keep(s, msg, bytes, fd, nfds);
		return;
	}
	ret = send_now(s, msg, bytes, fd, nfds);
	if (ret == -EAGAIN)
		keep(s, msg, bytes, fd, nfds);
	else if (ret)
		send_failed(s, ret);
	else
		sent(s, msg);
}

static void post(struct session *s, const void *msg, size_t bytes)
{
	post_fds(s, msg, bytes, NULL, 0);
}

static void drop_first(struct session *s)
{
	struct letter *l = s->queue;

	s->queue = l->next;
	s->queued--;
	free(l);
}

void post_flush(struct session *s)
{
	while (s->queue && !s->broken) {
		struct letter *l = s->queue;
		int ret = send_now(s, l->data, l->bytes, l->fd, l->nfds);

		if (ret == -EAGAIN)
			return;
		if (ret) {
			send_failed(s, ret);
			return;
		}
		sent(s, l->data);
		drop_first(s);
	}
	if (s->watch)
		loop_watch_events(s->watch, LOOP_READ);
}

void post_discard(struct session *s)
{
	while (s->queue)
		drop_first(s);
}

void post_error(struct session *s, int error, const char *fmt, ...)
{
	struct snoo_wire_error m = {
		.head = { SNOO_WIRE_ERROR, sizeof(m) },
		.error = error,
	};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	post(s, &m, sizeof(m));
}

uint32_t post_spin_ns(const struct domain *d)
{
	return d->conf->spin_us == CONF_AUTO ? costs_spin_ns(&d->sh->costs) :
	       d->conf->spin_us * 1000;
}

void post_welcome(struct rank *r)
{
	const struct domain *d = r->dom;
	const struct job *j = r->job;
	struct snoo_wire_welcome m = {
		.head = { SNOO_WIRE_WELCOME, sizeof(m) },
		.major = SNOO_WIRE_MAJOR,
		.minor = (uint16_t)r->led.minor,
		.rank = r->led.rank,
		.size = j->led.size,
		.capacity = j->led.capacity,
		.slot = r->slot,
		.instance = r->led.instance,
		.job = j->led.number,
		.open_job = j->led.open,
		.pool_bytes = d->pool.region.size,
		.job_off = j->led.job_off,
		.core = r->led.core,
		.node = r->led.node,
		.epoch = state_epoch(d),
		.gone_epoch = r->led.acked,
		.eager_bytes = d->conf->eager_bytes,
		.small_bytes = d->conf->block_bytes.small,
		.large_bytes = d->conf->block_bytes.large,
		.spin_ns = post_spin_ns(d),
		.cores = topo_cores(d->sh->topo),
		.wake_ns = d->sh->costs.wake_ns,
		.yield_ns = d->sh->costs.yield_ns,
		.hand_ns = d->sh->costs.hand_ns,
		.spin_fixed = d->conf->spin_us != CONF_AUTO,
		.stream_units = (uint16_t)(d->conf->stream_bytes /
					   SNOO_ABI_UNIT),
	};

	/* In its own terms: of its VM, whose map is the guest daemon's to say. */
	if (r->session && r->session->vm) {
		m.core = r->led.vcpu;
		m.node = 0;
		m.cores = r->session->vm->led.vcpus;
	}
	post_fds(r->session, &m, sizeof(m), &d->pool.fd, 1);
}

void post_start(struct rank *r)
{
	struct snoo_wire_start m = {
		.head = { SNOO_WIRE_START, sizeof(m) },
		.size = r->job->led.size,
	};

	post(r->session, &m, sizeof(m));
}

void post_rings(struct rank *r, const struct snoo_wire_ring *ring, uint32_t n)
{
	union {
		struct snoo_wire_rings m;
		unsigned char bytes[sizeof(struct snoo_wire_rings) +
				    SNOO_WIRE_LIST *
				    sizeof(struct snoo_wire_ring)];
	} u;
	size_t bytes = sizeof(u.m) + n * sizeof(*ring);

	memset(&u.m, 0, sizeof(u.m));
	u.m.head.type = SNOO_WIRE_RINGS;
	u.m.head.length = (uint32_t)bytes;
	u.m.count = n;
	memcpy(u.bytes + sizeof(u.m), ring, n * sizeof(*ring));
	post(r->session, &u, bytes);
}

void post_grant(struct rank *r, const struct snoo_wire_block *block,
		uint32_t n)
{
	union {
		struct snoo_wire_grant m;
		unsigned char bytes[sizeof(struct snoo_wire_grant) +
				    SNOO_WIRE_LIST *
				    sizeof(struct snoo_wire_block)];
	} u;
	size_t bytes = sizeof(u.m) + n * sizeof(*block);

	memset(&u.m, 0, sizeof(u.m));
	u.m.head.type = SNOO_WIRE_GRANT;
	u.m.head.length = (uint32_t)bytes;
	u.m.count = n;
	memcpy(u.bytes + sizeof(u.m), block, n * sizeof(*block));
	post(r->session, &u, bytes);
}

void post_peer(struct rank *r, const struct snoo_wire_peer *m)
{
	post(r->session, m, sizeof(*m));
}

void post_lent(struct rank *r, const struct snoo_wire_lent *m)
{
	post(r->session, m, sizeof(*m));
}

void post_gone(struct rank *r, const struct rank *gone)
{
	struct snoo_wire_gone m = {
		.head = { SNOO_WIRE_GONE, sizeof(m) },
		.rank = gone->led.rank,
		.state = state_member(gone),
		.gone = gone->led.gone,
		.slot = gone->slot,
	};

	if (regs_says_gone(r, gone))
		m.state |= SNOO_WIRE_GONE_REGISTERS;
	post(r->session, &m, sizeof(m));
}

void post_resumed(struct rank *r)
{
	struct snoo_wire_resumed m = {
		.head = { SNOO_WIRE_RESUMED, sizeof(m) },
		.epoch = state_epoch(r->dom),
	};

	post(r->session, &m, sizeof(m));
}

void post_registers(struct rank *r)
{
	struct snoo_wire_registers m;

	if (regs_describe(r, &m))
		post(r->session, &m, sizeof(m));
}

void post_oncpu(struct rank *r)
{
	struct snoo_wire_oncpu m;
	int fd = telemetry_describe_to(r, &m);

	if (fd >= 0 && r->led.minor >= ONCPU_MINOR)
		post_fds(r->session, &m, sizeof(m), &fd, 1);
}

void post_bells(struct rank *r, const struct snoo_wire_bells *m,
		const int *fd, unsigned int nfds)
{
	post_fds(r->session, m, m->head.length, fd, nfds);
}

void post_bye(struct session *s)
{
	struct snoo_wire_plain m = {
		.head = { SNOO_WIRE_BYE, sizeof(m) },
	};

	post(s, &m, sizeof(m));
}
