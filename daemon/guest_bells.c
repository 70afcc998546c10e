/* SPDX-License-Identifier: MIT */
/*
 * guest_bells.c - the host says by slot and vector who wakes whom; ranks of
 *		   the VM get eventfds
 *
 *     SNOO_CTL_BELLS                       BELLS of wire.h
 *       vector v of ours  -------------->    listen: MSI-X v's eventfd
 *       rank r: slot t, vector v  ------>    ring: an eventfd that the kernel
 *                                            turns into a doorbell write, or,
 *                                            in our own VM, the one that its
 *                                            ranks listen to
 */
#include "daemon/guest_bells.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/guest_link.h"
#include "daemon/guest_post.h"
#include "daemon/toll.h"
#include "daemon/log.h"

/* One message of wire.h while it is filled. */
struct draft {
	struct guest_session *s;
	uint32_t slot;			/* rank slot, for the news */
	int fd[SNOO_WIRE_FDS];
	struct guest_bell of[SNOO_WIRE_FDS];	/* what fd[i] rings */
	unsigned int nfds;
	alignas(8) unsigned char bytes[sizeof(struct snoo_wire_bells) +
				       SNOO_WIRE_LIST *
				       sizeof(struct snoo_wire_bell)];
};

static struct snoo_wire_bells *msg(struct draft *d)
{
	return (struct snoo_wire_bells *)(void *)d->bytes;
}

_Static_assert(sizeof(struct draft) < 8192, "a draft lies on the stack");

/* ---- what is remembered ---- */

void guest_bells_clear(struct guest_session *s)
{
	free(s->bell);
	s->bell = NULL;
	s->bells = 0;
}

static int remember(struct guest_session *s, const struct snoo_ctl_bell *b)
{
	if (b->rank >= s->bells) {
		uint32_t n = (b->rank | 15) + 1;
		struct guest_bell *p = realloc(s->bell, n * sizeof(*p));

		if (!p)
			return -ENOMEM;
		for (uint32_t i = s->bells; i < n; i++)
			p[i].slot = GUEST_SLOT_NONE;
		s->bell = p;
		s->bells = n;
	}
	s->bell[b->rank].slot = b->slot;
	s->bell[b->rank].vector = b->vector;
	return 0;
}

/* ---- what is passed on ---- */

static void begin(struct draft *d, uint32_t flags)
{
	d->nfds = 0;
	memset(d->bytes, 0, sizeof(struct snoo_wire_bells));
	msg(d)->head.type = SNOO_WIRE_BELLS;
	msg(d)->flags = flags;
}

static void send_off(struct draft *d)
{
	size_t bytes = sizeof(struct snoo_wire_bells) +
		       msg(d)->count * sizeof(struct snoo_wire_bell);
	struct guest_mail m = {
		.msg = d->bytes, .bytes = bytes, .slot = d->slot,
		.fd = d->fd, .nfds = d->nfds,
	};

	msg(d)->head.length = (uint32_t)bytes;
	guest_post(d->s, &m);
}

static int bell_fd(struct guest *g, const struct snoo_ctl_bell *b)
{
	if (b->slot == guest_dev_slot(g->dev))
		return guest_dev_vector(g->dev, b->vector);
	return guest_dev_bell(g->dev, b->slot, b->vector);
}

/* Which ringing fd of this message: -ENOSPC: it is full; -ENOENT: none. */
static int place_fd(struct draft *d, const struct snoo_ctl_bell *b)
{
	unsigned int listen = msg(d)->listen;
	int fd;

	for (unsigned int i = listen; i < d->nfds; i++)
		if (d->of[i].slot == b->slot && d->of[i].vector == b->vector)
			return (int)(i - listen);
	if (d->nfds == SNOO_WIRE_FDS)
		return -ENOSPC;
	fd = bell_fd(d->s->g, b);
	if (fd < 0)
		return -ENOENT;
	d->fd[d->nfds] = fd;
	d->of[d->nfds].slot = b->slot;
	d->of[d->nfds].vector = b->vector;
	return (int)(d->nfds++ - listen);
}

static void add(struct draft *d, const struct snoo_ctl_bell *b)
{
	struct snoo_wire_bell *out;
	int at = msg(d)->count == SNOO_WIRE_LIST ? -ENOSPC : place_fd(d, b);

	if (at == -ENOSPC) {
		send_off(d);
		begin(d, 0);
		at = place_fd(d, b);
	}
	if (at < 0) {
		/* Its partner will ask us to ring: guest_bells_ring(). */
		log_warn("no eventfd for a doorbell: it is rung by the daemon "
			 "slot=%u vector=%u", b->slot, b->vector);
		return;
	}
	out = &msg(d)->bell[msg(d)->count++];
	out->rank = b->rank;
	out->fd = (uint32_t)at;
}

static bool fits(const struct guest *g, const struct snoo_ctl_bells *m,
		 size_t bytes)
{
	const struct snoo_ctl_welcome *w = &g->link.welcome;

	if (bytes < sizeof(*m) || m->count > SNOO_CTL_PEERS ||
	    bytes != sizeof(*m) + m->count * sizeof(m->bell[0]) ||
	    (m->flags & ~(SNOO_WIRE_BELLS_ALL | SNOO_WIRE_BELLS_POLL)))
		return false;
	if (!(m->flags & SNOO_WIRE_BELLS_POLL) &&
	    (m->vector == 0 || m->vector >= w->vectors))
		return false;
	for (uint32_t i = 0; i < m->count; i++)
		if (m->bell[i].rank >= SNOO_ABI_JOB_RANKS ||
		    m->bell[i].slot >= w->slots || m->bell[i].vector == 0 ||
		    m->bell[i].vector >= w->vectors)
			return false;
	return true;
}

static void pass_on(struct guest_session *s, const struct snoo_ctl_bells *m)
{
	struct guest *g = s->g;
	bool poll = (m->flags & SNOO_WIRE_BELLS_POLL) ||
		    !guest_dev_has_bells(g->dev);
	struct draft d = { .s = s, .slot = s->slot };

	begin(&d, m->flags & SNOO_WIRE_BELLS_ALL);
	if (poll) {
		msg(&d)->flags |= SNOO_WIRE_BELLS_POLL;
	} else if (s->vector != m->vector ||
		   (m->flags & SNOO_WIRE_BELLS_ALL)) {
		d.fd[d.nfds++] = guest_dev_vector(g->dev, m->vector);
		msg(&d)->listen = 1;
	}
	s->vector = poll ? 0 : m->vector;
	/* Without interrupts there is nothing that a bell could be bound to:
	 * ranks say RING. */
	for (uint32_t i = 0; i < m->count && guest_dev_has_bells(g->dev); i++)
		add(&d, &m->bell[i]);
	send_off(&d);
}

int guest_bells_on_frame(struct guest *g, const struct snoo_ctl_frame *f,
			 size_t bytes)
{
	const struct snoo_ctl_bells *m = (const void *)f;
	struct guest_session *s;

	if (!fits(g, m, bytes))
		return -EPROTO;
	s = guest_session_find(g, f->sid);
	if (!s || s->fd < 0)
		return 0;
	if (!guest_session_is_rank(s))
		return -EPROTO;
	if (m->flags & SNOO_WIRE_BELLS_ALL)
		guest_bells_clear(s);
	for (uint32_t i = 0; i < m->count; i++)
		if (remember(s, &m->bell[i]))
			guest_post_break(s, "the daemon is out of memory");
	pass_on(s, m);
	return 0;
}

/* ---- RING ---- */

int guest_bells_ring(struct guest_session *s, uint32_t rank)
{
	struct guest *g = s->g;
	struct snoo_ctl_ring m = {
		.frame = { .type = SNOO_CTL_RING_FOR, .sid = s->sid,
			   .slot = SNOO_CTL_NO_SLOT },
		.rank = rank,
	};

	if (rank >= s->bells || s->bell[rank].slot == GUEST_SLOT_NONE)
		return guest_link_put(g, &m.frame, &m.frame + 1,
				      sizeof(m) - sizeof(m.frame));
	if (s->bell[rank].slot == guest_dev_slot(g->dev))
		toll_ring(g->ring, s->bell[rank].vector);
	else
		guest_dev_ring(g->dev, s->bell[rank].slot,
			       s->bell[rank].vector);
	return 0;
}
