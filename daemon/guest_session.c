/* SPDX-License-Identifier: MIT */
/*
 * guest_session.c - one client socket in a VM: its states, its beginning, its end
 *
 * What the host must hear of an end is owed until it is in the ring: first
 * what the socket still held, then CLOSED, then EXITED when the process has
 * really ended, since only then nobody touches the pool any more.
 */
#include "daemon/guest_session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/guest_bells.h"
#include "daemon/guest_join.h"
#include "daemon/guest_link.h"
#include "daemon/guest_post.h"
#include "daemon/guest_seat.h"
#include "daemon/log.h"
#include "shm/testpoint.h"

#define UIDS	16u	/* whose places one search remembers */

/* ---- the end ---- */

static void forget(struct guest_session *s, const char *what)
{
	char name[STATE_KEEP_MAX];

	if (s->kept)
		keeper_forget(s->g->sh->keeper,
			      guest_join_keep_name(name, s, what));
}

/* Nobody has anything to say about it any more. */
static void finish(struct guest_session *s)
{
	s->state = GUEST_SESSION_ENDED;
	loop_unwatch(s->death);
	s->death = NULL;
	if (s->who.pidfd >= 0) {
		close(s->who.pidfd);
		forget(s, "pidfd");
	}
	s->who.pidfd = -1;
	loop_defer(s->g->sh->loop, &s->work);
}

static int say(struct guest_session *s, uint32_t type)
{
	struct snoo_ctl_frame f = {
		.type = type, .sid = s->sid, .slot = SNOO_CTL_NO_SLOT,
	};

	return guest_link_put(s->g, &f, NULL, 0);
}

/*
 * Does the host have to hear when the process ends?  Not of one that it has
 * seen off (BYE), and not of one that never was a rank.
 */
static bool owes_exit(const struct guest_session *s)
{
	return !s->said_bye && (!s->hung_up || s->rank >= 0 || s->adopted);
}

/* The socket is gone: say what the host is owed, as far as there is room. */
void guest_session_settle(struct guest_session *s)
{
	if (s->state != GUEST_SESSION_CLOSED)
		return;
	if (s->owes_closed) {
		if (say(s, SNOO_CTL_CLOSED))
			return;
		s->owes_closed = false;
		SNOO_TESTPOINT("guest_closed");
	}
	if (!s->joined || !owes_exit(s)) {
		finish(s);
		return;
	}
	if (!s->exited && s->who.pidfd >= 0)
		return;
	if (say(s, SNOO_CTL_EXITED))
		return;
	SNOO_TESTPOINT("guest_exited");
	finish(s);
}

/*
 * The keeper's copy would keep the connection open, and what we leave unread
 * would reach the peer as a reset before our last message.
 */
static void hang_up(struct guest_session *s)
{
	char rest[64];

	loop_unwatch(s->watch);
	s->watch = NULL;
	loop_timer_stop(s->deadline);
	guest_post_discard(s);
	shutdown(s->fd, SHUT_RDWR);
	while (recv(s->fd, rest, sizeof(rest), MSG_DONTWAIT) > 0)
		;
	close(s->fd);
	s->fd = -1;
	forget(s, "socket");
}

void guest_session_close(struct guest_session *s)
{
	struct guest *g = s->g;
	bool served = s->state == GUEST_SESSION_JOINING ||
		      s->state == GUEST_SESSION_WELCOMED;

	if (s->fd < 0)
		return;
	if (s->joined)
		log_info("rank's socket has ended sid=%u pid=%d job=%s "
			 "rank=%lld", s->sid, (int)s->who.pid, s->hello.name,
			 (long long)s->rank);
	if (guest_session_is_rank(s))
		g->ranks--;
	s->state = GUEST_SESSION_CLOSED;
	hang_up(s);
	guest_seat_give(s);
	guest_bells_clear(s);
	s->owes_closed = s->joined && !s->hung_up;
	guest_session_settle(s);
	if (served)
		guest_session_serve(g);
}

void guest_session_fail(struct guest_session *s, int error, const char *fmt,
			...)
{
	char text[SNOO_WIRE_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_warn("session refused pid=%d uid=%u state=%s reason=\"%s\"",
		 (int)s->who.pid, s->who.uid, guest_session_name(s->state),
		 text);
	guest_post_error(s, error, "%s", text);
	guest_session_close(s);
}

static void free_session(struct guest_session *s)
{
	if (s->next)
		s->next->prev = s->prev;
	if (s->prev)
		s->prev->next = s->next;
	else
		s->g->sessions = s->next;
	guest_bells_clear(s);
	loop_timer_close(s->deadline);
	loop_undefer(&s->work);
	free(s);
}

/* Deferred: it has ended, or is broken and must end. */
static void on_work(void *arg)
{
	struct guest_session *s = arg;

	if (s->state == GUEST_SESSION_ENDED) {
		free_session(s);
		return;
	}
	if (!s->broken || s->fd < 0)
		return;
	log_warn("session cut off pid=%d uid=%u state=%s reason=\"%s\"",
		 (int)s->who.pid, s->who.uid, guest_session_name(s->state),
		 s->broken);
	guest_session_close(s);
}

static void on_deadline(void *arg)
{
	struct guest_session *s = arg;
	unsigned int ms = s->g->sh->conf->limits.handshake_ms;

	if (s->hung_up)
		guest_session_close(s);
	else if (s->state == GUEST_SESSION_NEW)
		guest_session_fail(s, ETIMEDOUT, "no HELLO came within %u ms",
				   ms);
	else if (s->state == GUEST_SESSION_WELCOMED)
		guest_session_fail(s, ETIMEDOUT, "WELCOME was not answered "
				   "within %u ms", ms);
}

void guest_session_deadline(struct guest_session *s)
{
	loop_timer_start(s->deadline, s->g->sh->conf->limits.handshake_ms, 0);
}

/* ---- joining ---- */

/* Processes of that uid that are being taken in. */
static unsigned int being_served(const struct guest *g, uid_t uid)
{
	unsigned int n = 0;

	for (const struct guest_session *s = g->sessions; s; s = s->next)
		if ((s->state == GUEST_SESSION_JOINING ||
		     s->state == GUEST_SESSION_WELCOMED) && s->who.uid == uid)
			n++;
	return n;
}

/* -EAGAIN: no room, later */
static int serve(struct guest_session *s)
{
	char why[SNOO_WIRE_TEXT];
	int ret = guest_join_ask(s, why);

	if (ret == -EAGAIN)
		return ret;
	if (ret)
		guest_session_fail(s, -ret, "%s", why);
	else
		s->state = GUEST_SESSION_JOINING;
	return 0;
}

/** struct places - Uids that have been looked at, in one search */
struct places {
	unsigned int n;
	uid_t uid[UIDS];
	bool free[UIDS];
};

/* Once for each uid: thousands of one may be waiting. */
static bool has_place(const struct guest *g, struct places *p, uid_t uid)
{
	bool free;

	for (unsigned int i = 0; i < p->n; i++)
		if (p->uid[i] == uid)
			return p->free[i];
	free = being_served(g, uid) < g->sh->conf->limits.handshakes_per_uid;
	if (p->n < UIDS) {
		p->uid[p->n] = uid;
		p->free[p->n++] = free;
	}
	return free;
}

/* The one that has waited longest, of a uid that has a place. */
static struct guest_session *next_waiting(const struct guest *g)
{
	struct guest_session *first = NULL;
	struct places p = { .n = 0 };

	for (struct guest_session *s = g->sessions; s; s = s->next)
		if (s->state == GUEST_SESSION_WAITING && !s->broken &&
		    (!first || s->serial < first->serial) &&
		    has_place(g, &p, s->who.uid))
			first = s;
	return first;
}

void guest_session_serve(struct guest *g)
{
	struct guest_session *s;

	while (guest_link_live(g) && (s = next_waiting(g)))
		if (serve(s))
			return;
}

/* No deadline runs over them: one uid must not use up our fds.  Before the
 * host has said how many ranks there are, our configuration does. */
static bool too_many_wait(const struct guest *g, uid_t uid)
{
	uint32_t most = g->link.welcome.ranks, n = 0;

	if (most < g->conf->ranks_max)
		most = g->conf->ranks_max;
	for (const struct guest_session *s = g->sessions; s; s = s->next)
		n += s->state == GUEST_SESSION_WAITING && s->who.uid == uid;
	return n >= most;
}

void guest_session_hello(struct guest_session *s, const void *msg,
			 size_t bytes)
{
	const struct guest_link *l = &s->g->link;
	char why[SNOO_WIRE_TEXT];
	int ret;

	memcpy(&s->hello, msg, bytes < sizeof(s->hello) ? bytes :
	       sizeof(s->hello));
	ret = guest_join_check(s, why);
	if (ret == 0 && s->who.pidfd >= 0) {
		ret = loop_watch(&s->death, s->g->sh->loop, s->who.pidfd,
				 LOOP_READ, s->g->on_death, s);
		snprintf(why, sizeof(why), "the daemon can't watch this "
			 "process: %s", strerror(-ret));
	}
	if (ret) {
		guest_session_fail(s, -ret, "%s", why);
		return;
	}
	if (*l->refused && l->state != GUEST_LINK_LIVE) {
		guest_session_fail(s, ENODEV, "the host does not take this "
				   "VM in: %.180s", l->refused);
		return;
	}
	if (too_many_wait(s->g, s->who.uid)) {
		guest_session_fail(s, EAGAIN, "as many processes of uid %u "
				   "wait as the domain has ranks", s->who.uid);
		return;
	}
	loop_timer_stop(s->deadline);
	s->state = GUEST_SESSION_WAITING;
	guest_session_serve(s->g);
}

/* ---- all of them ---- */

void guest_session_end_all(struct guest *g, int error, const char *why)
{
	struct guest_session *next;

	for (struct guest_session *s = g->sessions; s; s = next) {
		next = s->next;
		if (s->fd >= 0 && (s->joined || (*g->link.refused &&
				   s->state == GUEST_SESSION_WAITING)))
			guest_session_fail(s, error, "%s", why);
		/* To be said in the next session, after KNOWN. */
		if (s->state == GUEST_SESSION_CLOSED)
			s->owes_closed = s->joined;
	}
}

void guest_session_stop(struct guest *g)
{
	for (struct guest_session *s = g->sessions; s; s = g->sessions) {
		if (s->fd >= 0) {
			guest_post_error(s, ESHUTDOWN, "the daemon stops");
			guest_session_close(s);
		}
		forget(s, "pidfd");
		if (s->state != GUEST_SESSION_ENDED)
			finish(s);
		free_session(s);
	}
}

void guest_session_let_go(struct guest *g)
{
	for (struct guest_session *s = g->sessions; s; s = g->sessions) {
		loop_unwatch(s->watch);
		loop_unwatch(s->death);
		guest_post_discard(s);
		guest_seat_give(s);
		if (s->fd >= 0)
			close(s->fd);
		if (s->who.pidfd >= 0)
			close(s->who.pidfd);
		free_session(s);
	}
}

/* ---- the beginning ---- */

static struct guest_session *fresh(struct guest *g, int fd)
{
	struct guest_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->g = g;
	s->fd = fd;
	s->who.pidfd = -1;
	s->slot = SNOO_CTL_NO_SLOT;
	s->rank = -1;
	s->serial = ++g->serial;
	s->work.fn = on_work;
	s->work.arg = s;
	if (loop_timer_open(&s->deadline, g->sh->loop, on_deadline, s)) {
		free(s);
		return NULL;
	}
	if (fd >= 0 && loop_watch(&s->watch, g->sh->loop, fd, LOOP_READ,
				  g->on_ready, s)) {
		loop_timer_close(s->deadline);
		free(s);
		return NULL;
	}
	s->next = g->sessions;
	if (s->next)
		s->next->prev = s;
	g->sessions = s;
	return s;
}

/* One uid can't keep more than so many silent sockets. */
static void make_room(struct guest *g, uid_t uid)
{
	struct guest_session *oldest = NULL;
	uint32_t n = 0;

	for (struct guest_session *s = g->sessions; s; s = s->next) {
		if (s->state != GUEST_SESSION_NEW || s->who.uid != uid)
			continue;
		n++;
		if (!oldest || s->serial < oldest->serial)
			oldest = s;
	}
	if (n > GUEST_NEW_MAX)
		guest_session_fail(oldest, EAGAIN, "%u connections of uid %u "
				   "have said nothing: the oldest makes room",
				   n, uid);
}

int guest_session_open(struct guest *g, int fd)
{
	struct guest_session *s;
	struct who who;
	int ret = peer_credentials(fd, &who);

	s = ret ? NULL : fresh(g, fd);
	if (!s) {
		close(fd);
		return ret ? ret : -ENOMEM;
	}
	s->who = who;
	guest_session_deadline(s);
	make_room(g, who.uid);
	return 0;
}

/* The pidfd that was kept is who it was; what the socket says fills the rest. */
static void identify(struct guest_session *s, int pidfd)
{
	struct who who;

	if (s->fd >= 0 && peer_credentials(s->fd, &who) == 0)
		s->who = who;
	s->who.pidfd = pidfd;
	if (pidfd >= 0 && loop_watch(&s->death, s->g->sh->loop, pidfd,
				     LOOP_READ, s->g->on_death, s))
		log_err("a process can't be watched sid=%u pid=%d", s->sid,
			(int)s->who.pid);
}

int guest_session_adopt(struct guest *g, uint32_t sid, const char *name,
			int fd, int pidfd)
{
	struct guest_session *s = fresh(g, fd);

	if (!s) {
		if (fd >= 0)
			close(fd);
		if (pidfd >= 0)
			close(pidfd);
		return -ENOMEM;
	}
	s->sid = sid;
	s->kept = s->joined = s->adopted = true;
	snprintf(s->hello.name, sizeof(s->hello.name), "%s", name);
	identify(s, pidfd);
	if (fd >= 0) {
		/* No deadline: it may be computing, long since. */
		s->state = GUEST_SESSION_ATTACHED;
		g->ranks++;
		guest_seat_adopt(s);
	} else {
		s->state = GUEST_SESSION_CLOSED;
		s->owes_closed = true;
	}
	return 0;
}
