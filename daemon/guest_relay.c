/* SPDX-License-Identifier: MIT */
/*
 * guest_relay.c - messages between a process's socket and the host, both ways
 *
 * A session that has no room in the ring is paused: its socket is not read
 * and so fills, and who writes it feels that.  on_room() goes on.
 */
#include "daemon/guest_relay.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/guest_bells.h"
#include "daemon/guest_join.h"
#include "daemon/guest_link.h"
#include "daemon/guest_post.h"
#include "daemon/guest_seat.h"
#include "daemon/guest_session.h"
#include "shm/testpoint.h"

#define READS_A_TURN	32	/* messages; then others have their turn */

union message {
	struct snoo_wire_head head;
	struct snoo_wire_hello hello;
	struct snoo_wire_pinned pinned;
	struct snoo_wire_ring_for ring;
	unsigned char bytes[SNOO_WIRE_MAX];
};

static void pause_reading(struct guest_session *s)
{
	s->paused = true;
	guest_post_listen(s);
}

/* ---- what its process says ---- */

/* 0, or -EAGAIN: the message stays in the socket */
static int pass_on(struct guest_session *s, const union message *m,
		   size_t bytes)
{
	struct snoo_ctl_frame f = {
		.type = SNOO_CTL_MSG, .sid = s->sid, .slot = SNOO_CTL_NO_SLOT,
	};

	return guest_link_put(s->g, &f, m, bytes);
}

static int on_pinned(struct guest_session *s, const union message *m,
		     size_t bytes)
{
	int ret = pass_on(s, m, bytes);

	if (ret)
		return ret;
	if (bytes == sizeof(m->pinned) && m->pinned.core != s->seat.cpu)
		guest_seat_move(s, m->pinned.core);
	if (s->state == GUEST_SESSION_WELCOMED) {
		s->state = GUEST_SESSION_ATTACHED;
		loop_timer_stop(s->deadline);
		guest_session_serve(s->g);
	}
	return 0;
}

static int on_rank(struct guest_session *s, const union message *m,
		   size_t bytes)
{
	if (m->head.type == SNOO_WIRE_PINNED)
		return on_pinned(s, m, bytes);
	if (s->state == GUEST_SESSION_WELCOMED) {
		guest_session_fail(s, EPROTO, "message of type %u before "
				   "PINNED", m->head.type);
		return 0;
	}
	if (m->head.type != SNOO_WIRE_RING)
		return pass_on(s, m, bytes);
	if (bytes == sizeof(m->ring))
		return guest_bells_ring(s, m->ring.rank);
	guest_session_fail(s, EPROTO, "RING has %zu bytes instead of %zu",
			   bytes, sizeof(m->ring));
	return 0;
}

static int on_message(struct guest_session *s, const union message *m,
		      size_t bytes, bool cut)
{
	if (cut)
		guest_session_fail(s, EMSGSIZE, "a message of more than %d "
				   "bytes", SNOO_WIRE_MAX);
	else if (bytes < sizeof(m->head) || m->head.length != bytes)
		guest_session_fail(s, EPROTO, "a message of %zu bytes that "
				   "says it has %u", bytes,
				   bytes < sizeof(m->head) ? 0 :
				   m->head.length);
	else if (m->head.type == SNOO_WIRE_HELLO &&
		 s->state == GUEST_SESSION_NEW)
		guest_session_hello(s, m, bytes);
	else if (m->head.type != SNOO_WIRE_HELLO && guest_session_is_rank(s))
		return on_rank(s, m, bytes);
	else
		guest_session_fail(s, EPROTO, "message of type %u in state "
				   "\"%s\"", m->head.type,
				   guest_session_name(s->state));
	return 0;
}

static ssize_t look_at(const struct guest_session *s, union message *m,
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

/* Returns false when there is nothing more to read, or no room for it. */
static bool read_one(struct guest_session *s)
{
	union message m;
	int flags = MSG_PEEK, none = 0;
	ssize_t n = look_at(s, &m, &flags);

	if (n < 0 && errno == EAGAIN) {
		/* Who has ended says no more, whoever else has the socket. */
		if (s->exited)
			guest_session_close(s);
		return false;
	}
	if (n < 0 && errno == EINTR)
		return false;
	/* It closed with messages of ours unread; its own last ones follow. */
	if (n < 0 && errno == ECONNRESET)
		return true;
	if (n <= 0) {
		guest_session_close(s);
		return false;
	}
	/*
	 * A daemon that takes a session over does not know HELLO any more, so
	 * that is taken out first; it answers for all else by itself.
	 */
	if (s->state == GUEST_SESSION_NEW) {
		look_at(s, &m, &none);
		on_message(s, &m, (size_t)n, flags & MSG_TRUNC);
		return s->fd >= 0;
	}
	if (on_message(s, &m, (size_t)n, flags & MSG_TRUNC)) {
		pause_reading(s);
		return false;
	}
	/* Dying here says it twice, which the host bears. */
	SNOO_TESTPOINT("guest_passed_on");
	if (s->fd < 0)
		return false;
	look_at(s, &m, &none);
	return true;
}

static void read_some(struct guest_session *s, int most)
{
	for (int i = 0; i < most && s->fd >= 0 && !s->broken; i++)
		if (!read_one(s))
			return;
}

static void on_ready(void *arg, unsigned int events)
{
	struct guest_session *s = arg;

	if (events & LOOP_WRITE) {
		guest_post_flush(s);
		if (s->hung_up && !s->queue) {
			guest_session_close(s);
			return;
		}
	}
	if ((events & (LOOP_READ | LOOP_HANGUP)) && !s->paused)
		read_some(s, READS_A_TURN);
}

/* Its process has ended: its last words, as far as there is room, and not what
 * others say by its socket. */
static void read_rest(struct guest_session *s)
{
	while (s->rest > 0 && s->fd >= 0 && !s->paused && !s->broken &&
	       read_one(s))
		s->rest--;
	if (!s->paused && !s->broken)
		guest_session_close(s);
}

static void on_death(void *arg, unsigned int events)
{
	struct guest_session *s = arg;

	(void)events;
	s->exited = true;
	loop_unwatch(s->death);
	s->death = NULL;
	if (s->fd >= 0)
		s->rest = peer_unread(s->fd, sizeof(struct snoo_wire_head));
	read_rest(s);
	guest_session_settle(s);
}

static void on_room(struct guest *g)
{
	struct guest_session *next;

	for (struct guest_session *s = g->sessions; s; s = next) {
		next = s->next;
		guest_session_settle(s);
		if (!s->paused || s->fd < 0)
			continue;
		s->paused = false;
		guest_post_listen(s);
		if (s->exited)
			read_rest(s);
		else
			read_some(s, READS_A_TURN);
	}
	guest_session_serve(g);
}

/* ---- what the host says ---- */

static int on_msg(struct guest *g, const struct snoo_ctl_frame *f,
		  size_t bytes)
{
	const struct snoo_wire_head *m = (const void *)(f + 1);
	struct guest_session *s;
	struct guest_mail mail = {
		.msg = m, .bytes = bytes - sizeof(*f), .slot = f->slot,
	};

	if (mail.bytes < sizeof(*m) || mail.bytes > SNOO_WIRE_MAX ||
	    m->length != mail.bytes || m->type < SNOO_WIRE_WELCOME)
		return -EPROTO;
	/* BELLS would come with eventfds: the host has a frame for it. */
	if (m->type >= SNOO_WIRE_BELLS && m->type != SNOO_WIRE_LENT)
		return -EPROTO;
	if (f->slot != SNOO_CTL_NO_SLOT && f->slot >= g->link.welcome.ranks)
		return -EPROTO;
	s = guest_session_find(g, f->sid);
	/* It has ended, and CLOSED is on its way. */
	if (!s || s->fd < 0 || s->hung_up)
		return 0;
	if (s->state == GUEST_SESSION_JOINING && m->type != SNOO_WIRE_WELCOME &&
	    m->type != SNOO_WIRE_ERROR)
		return -EPROTO;
	if (f->slot != SNOO_CTL_NO_SLOT)
		s->slot = f->slot;
	if (m->type == SNOO_WIRE_WELCOME)
		return guest_join_welcome(s, m, mail.bytes, f->slot);
	guest_post(s, &mail);
	return 0;
}

static int on_end(struct guest *g, const struct snoo_ctl_frame *f,
		  size_t bytes)
{
	struct guest_session *s = guest_session_find(g, f->sid);

	if (bytes != sizeof(*f))
		return -EPROTO;
	if (!s)
		return 0;
	s->hung_up = true;
	s->owes_closed = false;
	if (s->fd < 0)
		guest_session_settle(s);
	else if (s->queue)
		/* What it was told before goes first. */
		guest_session_deadline(s);
	else
		guest_session_close(s);
	return 0;
}

void guest_relay_init(struct guest *g)
{
	static const struct guest_user user = {
		.room = on_room,
		.ended = guest_session_end_all,
	};

	g->on_ready = on_ready;
	g->on_death = on_death;
	guest_link_use(g, &user);
	guest_link_handle(g, SNOO_CTL_MSG, on_msg);
	guest_link_handle(g, SNOO_CTL_END, on_end);
	guest_link_handle(g, SNOO_CTL_BELLS, guest_bells_on_frame);
}
