/* SPDX-License-Identifier: MIT */
/*
 * span.c - jobs that span kernels: which vector wakes whom, and who is told
 */
#include "daemon/span.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bells.h"
#include "daemon/post.h"
#include "daemon/touch.h"

#define BELLS_MINOR	2u	/* of wire.h: from here on it has BELLS */
#define MANY_FDS	200u	/* of the 1024 that a process usually may have */

/* ---- whom a job spans ---- */

static uint64_t bit(uint32_t slot)
{
	return UINT64_C(1) << slot;
}

static struct rank *alive(const struct job *j, uint32_t rank)
{
	struct rank *r = j->member[rank].rank;

	return r && state_rank_alive(r) ? r : NULL;
}

static uint64_t slots_of(const struct job *j)
{
	uint64_t slots = 0;

	for (uint32_t i = 0; i < j->led.capacity; i++) {
		const struct rank *r = alive(j, i);

		if (r && r->led.vm < BELLS_SLOTS_MAX)
			slots |= bit(r->led.vm);
	}
	return slots;
}

static bool several(uint64_t slots)
{
	return (slots & (slots - 1)) != 0;
}

static bool wanted(const struct domain *d, uint64_t slots)
{
	return d->bells && slots &&
	       (several(slots) || d->conf->ivshmem.host_bells);
}

int span_admit(const struct domain *d, const struct job *j, uint32_t slot,
	       uint32_t minor, char why[SNOO_WIRE_TEXT])
{
	uint64_t slots = slot < BELLS_SLOTS_MAX ? bit(slot) : 0;

	if (j)
		slots |= j->slots | slots_of(j);
	if (!several(slots) && !wanted(d, slots))
		return 0;
	if (minor < BELLS_MINOR) {
		snprintf(why, SNOO_WIRE_TEXT, "this rank's library speaks "
			 "version %u.%u, and a job with ranks in VMs takes "
			 "%u.%u: use the library of this release",
			 SNOO_WIRE_MAJOR, minor, SNOO_WIRE_MAJOR, BELLS_MINOR);
		return -EPROTONOSUPPORT;
	}
	for (uint32_t i = 0; j && i < j->led.capacity; i++) {
		const struct rank *r = alive(j, i);

		if (!r || r->led.minor >= BELLS_MINOR)
			continue;
		snprintf(why, SNOO_WIRE_TEXT, "rank %u of job \"%s\" speaks "
			 "version %u.%u, and a job with ranks in VMs takes "
			 "%u.%u: use the library of this release for all of "
			 "them", i, j->led.name, SNOO_WIRE_MAJOR, r->led.minor,
			 SNOO_WIRE_MAJOR, BELLS_MINOR);
		return -EPROTONOSUPPORT;
	}
	return 0;
}

/* ---- vectors ---- */

/* The one that the fewest living ranks of its slot have; 0 is not given out. */
static uint32_t choose_vector(const struct rank *r)
{
	const struct domain *d = r->dom;
	uint32_t users[BELLS_VECTORS_MAX] = { 0 }, best = 1;
	uint32_t n = bells_vectors(d->bells);

	for (uint32_t i = 0; i < d->nranks; i++) {
		const struct rank *o = d->rank[i];

		if (o && state_rank_alive(o) && o->led.vm == r->led.vm &&
		    o->led.vector < n)
			users[o->led.vector]++;
	}
	for (uint32_t v = 2; v < n; v++)
		if (users[v] < users[best])
			best = v;
	return best;
}

static bool has_vector(const struct rank *r)
{
	return r->led.vector > 0 &&
	       r->led.vector < bells_vectors(r->dom->bells);
}

static void give_vector(struct rank *r)
{
	if (has_vector(r) || r->led.vm >= bells_slots(r->dom->bells))
		return;
	r->led.vector = choose_vector(r);
	state_put_rank(r);
}

/* ---- what is told ---- */

/** struct entry - A partner and its bell */
struct entry {
	uint32_t rank;
	uint16_t slot;
	uint16_t vector;
};

/** struct list - Bells of living ranks of a job, those of one vector together */
struct list {
	uint32_t n;
	struct entry e[SNOO_ABI_JOB_RANKS];
};

static int by_bell(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	if (x->vector != y->vector)
		return x->vector < y->vector ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* All, or those that share @only's vector. */
static void collect(struct list *l, const struct job *j,
		    const struct rank *only)
{
	l->n = 0;
	for (uint32_t i = 0; i < j->led.capacity && l->n < SNOO_ABI_JOB_RANKS;
	     i++) {
		const struct rank *r = alive(j, i);

		if (!r || !has_vector(r))
			continue;
		if (only && (r->led.vm != only->led.vm ||
			     r->led.vector != only->led.vector))
			continue;
		l->e[l->n++] = (struct entry){
			.rank = i,
			.slot = (uint16_t)r->led.vm,
			.vector = (uint16_t)r->led.vector,
		};
	}
	qsort(l->e, l->n, sizeof(l->e[0]), by_bell);
}

/** struct draft - One BELLS for a rank of the host, being written */
struct draft {
	struct rank *to;
	unsigned int nfds;
	int fd[SNOO_WIRE_FDS];
	const struct entry *last;	/* whose bell is the last fd */
	struct snoo_wire_bells *m;	/* bytes */
	_Alignas(8) unsigned char bytes[sizeof(struct snoo_wire_bells) +
					SNOO_WIRE_LIST *
					sizeof(struct snoo_wire_bell)];
};

static void begin(struct draft *w, struct rank *to, uint32_t flags)
{
	w->to = to;
	w->nfds = 0;
	w->last = NULL;
	w->m = (void *)w->bytes;
	memset(w->m, 0, sizeof(*w->m));
	w->m->head.type = SNOO_WIRE_BELLS;
	w->m->flags = flags;
}

static void post_draft(struct draft *w)
{
	w->m->head.length = (uint32_t)(sizeof(*w->m) +
				      w->m->count * sizeof(w->m->bell[0]));
	post_bells(w->to, w->m, w->fd, w->nfds);
	begin(w, w->to, 0);
}

/* It listens to its vector as it is rung from each of @slots. */
static void listen_from(struct draft *w, uint64_t slots)
{
	const struct rank *r = w->to;

	for (uint32_t s = 0; s < bells_slots(r->dom->bells); s++) {
		if (slots & bit(s))
			w->fd[w->nfds++] = bells_fd(r->dom->bells, s, 0,
						    r->led.vector);
	}
	w->m->listen = w->nfds;
}

static void add(struct draft *w, const struct entry *e)
{
	bool fresh = !w->last || w->last->slot != e->slot ||
		     w->last->vector != e->vector;

	if (w->m->count == SNOO_WIRE_LIST ||
	    (fresh && w->nfds == SNOO_WIRE_FDS)) {
		post_draft(w);
		fresh = true;
	}
	if (fresh)
		w->fd[w->nfds++] = bells_fd(w->to->dom->bells, 0, e->slot,
					    e->vector);
	w->last = e;
	w->m->bell[w->m->count++] = (struct snoo_wire_bell){
		.rank = e->rank,
		.fd = w->nfds - 1 - w->m->listen,
	};
}

static void tell_host(struct rank *r, const struct list *l, uint32_t flags,
		      uint64_t slots)
{
	struct draft w;

	begin(&w, r, flags);
	listen_from(&w, slots);
	for (uint32_t i = 0; i < l->n; i++)
		if (l->e[i].rank != r->led.rank)
			add(&w, &l->e[i]);
	if (w.m->count > 0 || w.m->listen > 0 || w.m->flags)
		post_draft(&w);
}

static void tell_guest(struct rank *r, const struct list *l, uint32_t flags)
{
	union {
		struct snoo_ctl_bells m;
		unsigned char bytes[sizeof(struct snoo_ctl_bells) +
				    SNOO_CTL_PEERS *
				    sizeof(struct snoo_ctl_bell)];
	} u;
	const size_t head = sizeof(u.m.frame);

	memset(&u.m, 0, sizeof(u.m));
	u.m.frame.type = SNOO_CTL_BELLS;
	u.m.frame.sid = r->led.sid;
	u.m.frame.slot = r->slot;
	u.m.flags = flags;
	u.m.vector = r->led.vector;
	for (uint32_t i = 0; i <= l->n; i++) {
		bool end = i == l->n;

		if (u.m.count == SNOO_CTL_PEERS ||
		    (end && (u.m.count > 0 || u.m.flags))) {
			r->dom->to_guest(r->dom, r->led.vm, &u.m.frame,
					 u.bytes + head,
					 sizeof(u.m) - head + u.m.count *
					 sizeof(u.m.bell[0]));
			u.m.count = 0;
			u.m.flags = 0;
		}
		if (end || l->e[i].rank == r->led.rank)
			continue;
		u.m.bell[u.m.count++] = (struct snoo_ctl_bell){
			.rank = l->e[i].rank,
			.slot = l->e[i].slot,
			.vector = l->e[i].vector,
		};
	}
}

/* @slots: that it shall listen to from now on. */
static void tell(struct rank *r, const struct list *l, uint32_t flags,
		 uint64_t slots)
{
	if (!r->session || !has_vector(r))
		return;
	if (r->led.vm == 0)
		tell_host(r, l, flags, slots);
	else if (r->dom->to_guest)
		tell_guest(r, l, flags);
}

static void tell_all_of(struct rank *r, const struct list *l)
{
	/* Others of the host ring it by [0][0][v], and so do we. */
	tell(r, l, SNOO_WIRE_BELLS_ALL, r->job->slots | bit(0));
	r->bells_due = false;
}

/* ---- when ---- */

/* It begins to span: everybody gets a vector, then everything. */
static void begin_span(struct job *j)
{
	struct list l;

	j->slots = slots_of(j);
	for (uint32_t i = 0; i < j->led.capacity; i++) {
		struct rank *r = alive(j, i);

		if (r)
			give_vector(r);
	}
	collect(&l, j, NULL);
	for (uint32_t i = 0; i < j->led.capacity; i++) {
		struct rank *r = alive(j, i);

		if (r)
			tell_all_of(r, &l);
	}
}

void span_joined(struct rank *r)
{
	struct job *j = r->job;
	struct list all, same;
	uint64_t fresh;

	if (!j->led.open && j->led.state != LEDGER_JOB_RUNNING)
		return;
	if (!j->slots) {
		if (!wanted(r->dom, slots_of(j)))
			return;
		begin_span(j);
		return;
	}
	give_vector(r);
	fresh = bit(r->led.vm) & ~j->slots;
	j->slots |= fresh;
	collect(&all, j, NULL);
	/*
	 * With all that share its vector: then the one eventfd that comes now
	 * stands for all of them, and those of earlier messages go.
	 */
	collect(&same, j, r);
	tell_all_of(r, &all);
	for (uint32_t i = 0; i < j->led.capacity; i++) {
		struct rank *m = alive(j, i);

		/* The host's own bell is listened to from the beginning. */
		if (m && m != r)
			tell(m, &same, 0, fresh & ~bit(0));
	}
}

void span_adopt(struct job *j)
{
	struct domain *d = j->dom;
	uint64_t slots = slots_of(j);
	bool spans = several(slots);

	if (!d->bells)
		return;
	for (uint32_t i = 0; i < j->led.capacity; i++) {
		const struct rank *r = alive(j, i);

		spans = spans || (r && r->led.vector > 0);
	}
	/* A forming one is told when it is complete. */
	if (j->led.state != LEDGER_JOB_RUNNING ||
	    (!spans && !wanted(d, slots)))
		return;
	j->slots = slots;
	for (uint32_t i = 0; i < j->led.capacity; i++) {
		struct rank *r = alive(j, i);

		if (!r)
			continue;
		r->bells_due = !has_vector(r);
		give_vector(r);
	}
}

void span_adopted(struct rank *r)
{
	if (r->bells_due)
		span_again(r);
}

void span_again(struct rank *r)
{
	struct list l;

	if (!r->dom->bells || !r->job->slots)
		return;
	collect(&l, r->job, NULL);
	tell_all_of(r, &l);
}

/* ---- RING ---- */

static void ring_all(void *arg)
{
	struct domain *d = arg;

	for (uint32_t i = 0; i < d->nranks; i++) {
		struct rank *r = d->rank[i];

		if (!r || !r->ring_due)
			continue;
		r->ring_due = false;
		if (state_rank_alive(r))
			touch_ring(r);
	}
}

int span_ring(struct rank *from, uint32_t rank)
{
	struct domain *d = from->dom;
	struct rank *r;

	if (rank >= from->job->led.capacity)
		return -EPROTO;
	r = alive(from->job, rank);
	/* It may have gone in the meantime. */
	if (!r || r->ring_due)
		return 0;
	r->ring_due = true;
	loop_defer(d->sh->loop, &d->ring_work);
	return 0;
}

void span_open(struct domain *d)
{
	d->ring_work.fn = ring_all;
	d->ring_work.arg = d;
}

void span_close(struct domain *d)
{
	loop_undefer(&d->ring_work);
}

uint32_t span_fds(const struct rank *r)
{
	const struct entry *last = NULL;
	struct list l;
	uint32_t n;

	if (!r->job->slots || r->led.vm != 0)
		return 0;
	n = (uint32_t)__builtin_popcountll(r->job->slots | bit(0));
	collect(&l, r->job, NULL);
	for (uint32_t i = 0; i < l.n; i++) {
		if (l.e[i].rank == r->led.rank)
			continue;
		if (!last || last->slot != l.e[i].slot ||
		    last->vector != l.e[i].vector)
			n++;
		last = &l.e[i];
	}
	return n;
}

uint32_t span_many_fds(const struct job *j)
{
	for (uint32_t i = 0; j->slots && i < j->led.capacity; i++) {
		const struct rank *r = alive(j, i);
		uint32_t n = r ? span_fds(r) : 0;

		/* All of the host have as many, give or take one. */
		if (n > 0)
			return n > MANY_FDS ? n : 0;
	}
	return 0;
}
