/* SPDX-License-Identifier: MIT */
/*
 * session.c - one client: what may be said when, and what follows
 */
#include "daemon/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/attach.h"
#include "daemon/control.h"
#include "daemon/job.h"
#include "daemon/loans.h"
#include "daemon/log.h"
#include "daemon/post.h"
#include "daemon/reach.h"
#include "daemon/reap.h"
#include "daemon/regs.h"
#include "daemon/run.h"
#include "daemon/span.h"
#include "daemon/supply.h"
#include "daemon/touch.h"
#include "shm/testpoint.h"

#define READS_A_TURN 32 /* messages; then others have their turn */

static void serve_next(struct domain *d, uid_t uid);

/* ---- the end ---- */

/*
 * The keeper's copy would keep the connection open, and what we leave unread
 * would reach the peer as a reset before our last message.
 */
static void hang_up(struct session *s)
{
	char rest[64];

	if (s->vm) {
		control_hang_up(s);
		return;
	}
	if (s->fd < 0)
		return;
	shutdown(s->fd, SHUT_RDWR);
	while (recv(s->fd, rest, sizeof(rest), MSG_DONTWAIT) > 0)
		;
}

static void close_fds(struct session *s)
{
	loop_unwatch(s->watch);
	s->watch = NULL;
	loop_timer_close(s->deadline);
	s->deadline = NULL;
	post_discard(s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	if (s->who.pidfd >= 0)
		close(s->who.pidfd);
	s->who.pidfd = -1;
}

void session_end(struct session *s)
{
	struct domain *d = s->dom;
	bool served = s->state == SESSION_WELCOMED && !s->vm;
	struct rank *r = s->rank;

	if (s->state == SESSION_ENDED)
		return;
	s->state = SESSION_ENDED;
	hang_up(s);
	close_fds(s);
	if (r)
		reap_rank(r, LEDGER_RANK_DEAD);
	loop_defer(d->sh->loop, &s->work);
	if (served)
		serve_next(d, s->who.uid);
}

void session_fail(struct session *s, int error, const char *fmt, ...)
{
	char text[SNOO_WIRE_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_warn("session refused domain=%s vm=%u pid=%d uid=%u state=%s "
		 "reason=\"%s\"",
		 s->dom->name, s->vm ? s->vm->slot : 0, (int)s->who.pid,
		 s->who.uid, state_session_name(s->state), text);
	post_error(s, error, "%s", text);
	session_end(s);
}

void session_free(struct session *s)
{
	if (s->next)
		s->next->prev = s->prev;
	if (s->prev)
		s->prev->next = s->next;
	else
		s->dom->sessions = s->next;
	free(s);
}

/* Deferred: it has ended, or is broken and must end. */
void session_on_work(void *arg)
{
	struct session *s = arg;

	if (s->state == SESSION_ENDED) {
		session_free(s);
		return;
	}
	if (!s->broken)
		return;
	log_warn("session cut off domain=%s vm=%u pid=%d uid=%u state=%s "
		 "reason=\"%s\"",
		 s->dom->name, s->vm ? s->vm->slot : 0, (int)s->who.pid,
		 s->who.uid, state_session_name(s->state), s->broken);
	session_end(s);
}

void session_on_deadline(void *arg)
{
	struct session *s = arg;
	unsigned int ms = s->dom->sh->conf->limits.handshake_ms;

	if (s->state == SESSION_NEW)
		session_fail(s, ETIMEDOUT, "no HELLO came within %u ms", ms);
	else if (s->state == SESSION_WELCOMED)
		session_fail(s, ETIMEDOUT,
			     "WELCOME was not answered within %u ms", ms);
}

static void on_death(void *arg, unsigned int events);

int session_watch(struct rank *r)
{
	if (r->pidfd < 0)
		return 0;
	return loop_watch(&r->death, r->dom->sh->loop, r->pidfd, LOOP_READ,
			  on_death, r);
}

/* ---- HELLO ---- */

/* Ranks of that uid whose WELCOME, with its fd, may still be unread. */
static unsigned int unread_welcomes(const struct domain *d, uid_t uid)
{
	unsigned int n = 0;

	for (const struct session *s = d->sessions; s; s = s->next)
		if (s->state == SESSION_WELCOMED && !s->vm && s->who.uid == uid)
			n++;
	return n;
}

static void serve(struct session *s)
{
	char why[SNOO_WIRE_TEXT];
	int ret = attach_hello(s, why);

	if (ret) {
		session_fail(s, -ret, "%s", why);
		return;
	}
	s->state = SESSION_WELCOMED;
	/* A VM may be paused, for as long as it likes. */
	if (s->deadline)
		loop_timer_start(s->deadline,
				 s->dom->sh->conf->limits.handshake_ms, 0);
	ret = session_watch(s->rank);
	if (ret)
		session_fail(s, -ret, "the daemon can't watch this process: %s",
			     strerror(-ret));
}

static void serve_next(struct domain *d, uid_t uid)
{
	while (!d->lost && unread_welcomes(d, uid) <
				   d->sh->conf->limits.handshakes_per_uid) {
		struct session *first = NULL;

		for (struct session *s = d->sessions; s; s = s->next)
			if (s->state == SESSION_WAITING && s->who.uid == uid &&
			    !s->broken && (!first || s->serial < first->serial))
				first = s;
		if (!first)
			return;
		serve(first);
	}
}

static uint32_t waiting(const struct domain *d, uid_t uid)
{
	uint32_t n = 0;

	for (const struct session *s = d->sessions; s; s = s->next)
		n += s->state == SESSION_WAITING && s->who.uid == uid;
	return n;
}

static void on_hello(struct session *s, const union session_message *m,
		     size_t bytes)
{
	char why[SNOO_WIRE_TEXT];
	int ret;

	if (s->state != SESSION_NEW) {
		session_fail(s, EPROTO, "a second HELLO");
		return;
	}
	memset(&s->hello, 0, sizeof(s->hello));
	memcpy(&s->hello, m,
	       bytes < sizeof(s->hello) ? bytes : sizeof(s->hello));
	ret = job_check(&s->hello, why);
	if (ret == 0 && !s->vm)
		ret = peer_identify(s->fd, &s->who, why, sizeof(why));
	if (ret) {
		session_fail(s, -ret, "%s", why);
		return;
	}
	if (s->vm) {
		/* Its fd is the guest daemon's to pass on. */
		serve(s);
		return;
	}
	/* No deadline runs over them: one uid must not use up our fds. */
	if (waiting(s->dom, s->who.uid) >= s->dom->nranks) {
		session_fail(s, EAGAIN, "as many processes of uid %u wait as "
			     "domain \"%s\" has ranks", s->who.uid,
			     s->dom->name);
		return;
	}
	loop_timer_stop(s->deadline);
	s->state = SESSION_WAITING;
	serve_next(s->dom, s->who.uid);
}

/* ---- everything else ---- */

static bool has_length(struct session *s, const union session_message *m,
		       size_t want)
{
	if (m->head.length == want)
		return true;
	session_fail(s, EPROTO,
		     "message of type %u has %u bytes instead of %zu",
		     m->head.type, m->head.length, want);
	return false;
}

/* Its WELCOME has arrived. */
static void confirm(struct session *s)
{
	s->state = SESSION_ATTACHED;
	attach_confirmed(s->rank);
	if (s->vm)
		return;
	loop_timer_stop(s->deadline);
	serve_next(s->dom, s->who.uid);
}

static void on_pinned(struct session *s, const struct snoo_wire_pinned *m)
{
	/* Later ones say that it has moved. */
	attach_pinned(s->rank, m);
	SNOO_TESTPOINT("daemon_pinned");
	if (s->state == SESSION_WELCOMED)
		confirm(s);
	else if (!(s->rank->led.flags & STATE_RANK_CONFIRMED))
		attach_confirmed(s->rank);
}

static void on_ack(struct session *s, const struct snoo_wire_ack *m)
{
	if (reap_ack(s->rank, m->gone))
		session_fail(s, EPROTO, "ACK of epoch %u, but the last is %u",
			     m->gone, s->rank->job->led.gone_epoch);
}

static void on_state(struct session *s, const struct snoo_wire_state *m)
{
	struct rank *r = s->rank;
	uint32_t last = r->job->led.gone_epoch;
	/* A guest daemon that dies costs another RESUMED of the same epoch. */
	uint32_t due = s->vm ? state_epoch(r->dom) : s->resumed;

	/*
	 * The answer to a daemon that died before it read it: the rank
	 * answers each RESUMED, and ours is still to come.
	 */
	if (due && (int32_t)(m->epoch - due) < 0)
		return;
	if (!due || m->epoch != due) {
		session_fail(s, EPROTO,
			     "STATE for epoch %u, but RESUMED said %u",
			     m->epoch, due);
		return;
	}
	if (m->seen_gone > last || reap_ack(r, m->gone)) {
		session_fail(s, EPROTO,
			     "STATE with GONE epochs %u and %u, but the "
			     "last is %u",
			     m->gone, m->seen_gone, last);
		return;
	}
	s->resumed = 0;
	span_again(r);
	reap_tell(r, m->seen_gone);
	supply_again(r);
	supply_need(r, &m->need);
	SNOO_TESTPOINT("daemon_state_answered");
}

static void on_leave(struct session *s)
{
	struct rank *r = s->rank;

	SNOO_TESTPOINT("daemon_leave_read");
	s->state = SESSION_LEAVING;
	reap_rank(r, LEDGER_RANK_LEFT);
	SNOO_TESTPOINT("daemon_leave_put");
	post_bye(s);
	/* Of a VM: by its guest daemon, when it has passed that on. */
	if (!s->vm)
		touch_news(r, true);
	SNOO_TESTPOINT("daemon_leave_bye");
}

void session_ring(struct session *s, uint32_t rank)
{
	if (span_ring(s->rank, rank))
		session_fail(s, EPROTO,
			     "RING for rank %u, but the job has room for "
			     "%u",
			     rank, s->rank->job->led.capacity);
}

static void on_attached(struct session *s, const union session_message *m)
{
	switch (m->head.type) {
	case SNOO_WIRE_NEED:
		if (has_length(s, m, sizeof(m->need)))
			supply_need(s->rank, &m->need);
		break;
	case SNOO_WIRE_ACK:
		if (has_length(s, m, sizeof(m->ack)))
			on_ack(s, &m->ack);
		break;
	case SNOO_WIRE_STATE:
		if (has_length(s, m, sizeof(m->state)))
			on_state(s, &m->state);
		break;
	case SNOO_WIRE_LEAVE:
		if (has_length(s, m, sizeof(m->plain)))
			on_leave(s);
		break;
	case SNOO_WIRE_RING:
		if (has_length(s, m, sizeof(m->ring)))
			session_ring(s, m->ring.rank);
		break;
	case SNOO_WIRE_LOAN:
		if (has_length(s, m, sizeof(m->loan)))
			loans_ask(s->rank, &m->loan);
		break;
	case SNOO_WIRE_REACH:
		if (has_length(s, m, sizeof(m->reach)))
			reach_said(s->rank, &m->reach);
		break;
	case SNOO_WIRE_WHERE:
		if (has_length(s, m, sizeof(m->where)) &&
		    reach_where(s->rank, &m->where))
			session_fail(s, EPROTO,
				     "WHERE for rank %u, but the job has room "
				     "for %u", m->where.rank,
				     s->rank->job->led.capacity);
		break;
	case SNOO_WIRE_LOOK:
		if (has_length(s, m, sizeof(m->plain)) && regs_look(s->rank))
			session_fail(s, EPROTO,
				     "LOOK of a rank that has no registers");
		break;
	default:
		session_fail(s, EPROTO, "message of unknown type %u",
			     m->head.type);
	}
}

/* It wants a program in a VM, and will never be a rank. */
static void hand_over(struct session *s, const union session_message *m,
		      size_t bytes)
{
	struct domain *d = s->dom;
	struct who who = s->who;
	int fd = s->fd;

	loop_unwatch(s->watch);
	s->watch = NULL;
	s->fd = -1;
	session_end(s);
	run_open(d, fd, &who, m, bytes);
}

void session_message(struct session *s, const union session_message *m,
		     size_t bytes)
{
	if (bytes < sizeof(m->head) || m->head.length != bytes) {
		session_fail(
			s, EPROTO, "a message of %zu bytes that says it has %u",
			bytes, bytes < sizeof(m->head) ? 0 : m->head.length);
		return;
	}
	if (m->head.type == SNOO_WIRE_HELLO) {
		on_hello(s, m, bytes);
		return;
	}
	/* On a socket of this host alone: guests ask for nothing. */
	if (m->head.type == SNOO_WIRE_RUN && s->state == SESSION_NEW &&
	    !s->vm) {
		hand_over(s, m, bytes);
		return;
	}
	if (m->head.type == SNOO_WIRE_PINNED && s->rank) {
		if (has_length(s, m, sizeof(m->pinned)))
			on_pinned(s, &m->pinned);
		return;
	}
	if (s->state == SESSION_ATTACHED)
		on_attached(s, m);
	else
		session_fail(s, EPROTO, "message of type %u in state \"%s\"",
			     m->head.type, state_session_name(s->state));
}

/* ---- the socket ---- */

static ssize_t look_at(const struct session *s, union session_message *m,
		       int *flags)
{
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	/* No room for control data: fds that come are closed by the kernel. */
	n = recvmsg(s->fd, &h, MSG_DONTWAIT | *flags);
	*flags = h.msg_flags;
	return n;
}

/* Returns false when there is nothing more to read. */
static bool read_one(struct session *s)
{
	union session_message m;
	int flags = MSG_PEEK, none = 0;
	ssize_t n = look_at(s, &m, &flags);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	/* It closed with messages of ours unread; its own last ones follow. */
	if (n < 0 && errno == ECONNRESET)
		return true;
	if (n <= 0) {
		session_end(s);
		return false;
	}
	/*
	 * LEAVE is taken out of the socket only when the ledger has it: who
	 * has said it may be gone and can't say it to the next daemon.
	 */
	if (s->state == SESSION_ATTACHED && (size_t)n == sizeof(m.plain) &&
	    m.head.type == SNOO_WIRE_LEAVE) {
		session_message(s, &m, (size_t)n);
		if (s->state != SESSION_ENDED)
			look_at(s, &m, &none);
	} else {
		look_at(s, &m, &none);
		if (flags & MSG_TRUNC)
			session_fail(s, EMSGSIZE,
				     "a message of more than %d bytes",
				     SNOO_WIRE_MAX);
		else
			session_message(s, &m, (size_t)n);
	}
	return s->state != SESSION_ENDED;
}

void session_on_ready(void *arg, unsigned int events)
{
	struct session *s = arg;

	if (events & LOOP_WRITE)
		post_flush(s);
	if (!(events & (LOOP_READ | LOOP_HANGUP)))
		return;
	for (int i = 0; i < READS_A_TURN && !s->broken; i++)
		if (!read_one(s))
			return;
}

/* The process of a rank has ended: its last words first. */
static void on_death(void *arg, unsigned int events)
{
	struct rank *r = arg;
	struct session *s = r->session;
	uint32_t left = s && s->fd >= 0 ?
			peer_unread(s->fd, sizeof(struct snoo_wire_head)) : 0;

	(void)events;
	while (left-- > 0 && s->state != SESSION_ENDED && r->session == s &&
	       read_one(s))
		;
	if (r->session)
		session_end(r->session);
	reap_exited(r);
}

void session_end_all(struct domain *d, int error, const char *text)
{
	struct session *next;

	for (struct session *s = d->sessions; s; s = next) {
		next = s->next;
		if (s->state != SESSION_ENDED) {
			post_error(s, error, "%s", text);
			hang_up(s);
			close_fds(s);
		}
		if (s->rank)
			s->rank->session = NULL;
		loop_undefer(&s->work);
		session_free(s);
	}
}

void session_let_go(struct domain *d)
{
	struct session *next;

	for (struct session *s = d->sessions; s; s = next) {
		next = s->next;
		if (s->state != SESSION_ENDED)
			close_fds(s);
		if (s->rank)
			s->rank->session = NULL;
		loop_undefer(&s->work);
		session_free(s);
	}
}
