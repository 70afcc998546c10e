/* SPDX-License-Identifier: MIT */
/*
 * regs_rank.c - a rank's register rings: lend, find again, close, drop
 *
 * Order of updates: the arena has a ring before the ledger names it, the ledger
 * names it before the rank hears of it.  A daemon that dies in between leaves a
 * ring of that slot that nobody knows, which is freed with the slot.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/post.h"
#include "daemon/regs_impl.h"
#include "daemon/supply.h"
#include "daemon/touch.h"
#include "shm/testpoint.h"

/* ---- their numbers in messages ---- */

static bool id_in_use(const struct regs *g, uint32_t id)
{
	/* Also one whose message is still in a mailbox. */
	for (uint32_t i = 0; i < g->ways; i++)
		if (g->way[i].from_id == id || g->way[i].to_id == id)
			return true;
	return regs_of_id(g, id) != NULL;
}

static uint32_t new_id(struct regs *g)
{
	/* There is one: link_rank() has seen to that. */
	do
		g->next_id = (g->next_id + 1) % MAIL_IDS;
	while (id_in_use(g, g->next_id));
	return g->next_id;
}

const struct rank *regs_of_id(const struct regs *g, uint32_t id)
{
	for (const struct domain *d = g->sh->domains; d; d = d->next)
		for (const struct regs_rank *r = d->regs; r; r = r->next)
			if (r->id == id)
				return r->rank;
	return NULL;
}

/* ---- lending ---- */

/* NULL: out of memory, or of numbers. */
static struct regs_rank *link_rank(struct regs *g, struct rank *r)
{
	struct regs_rank *rr;

	/* Those of messages that are in mailboxes are taken, too. */
	if (g->ranks + 2 * REGS_WAYS >= MAIL_IDS)
		return NULL;
	rr = calloc(1, sizeof(*rr));
	if (!rr)
		return NULL;
	rr->rank = r;
	rr->id = new_id(g);
	rr->next = r->dom->regs;
	r->dom->regs = rr;
	r->regs = rr;
	g->ranks++;
	return rr;
}

static void unlink_rank(struct regs_rank *rr)
{
	struct regs_rank **p = &rr->rank->dom->regs;

	while (*p != rr)
		p = &(*p)->next;
	*p = rr->next;
	rr->rank->regs = NULL;
	rr->rank->dom->sh->regs->ranks--;
	free(rr);
}

static int take_ring(struct rank *r, uint32_t *unit)
{
	struct arena_want want = {
		.bytes = REGS_RING_BYTES,
		.kind = ARENA_RING,
		.owner = r->slot,
		.instance = r->led.instance,
		.node = r->led.node,
	};
	int64_t ret = supply_take(r->dom, &want, unit);

	if (ret < 0)
		return (int)ret;
	SNOO_TESTPOINT("daemon_regs_ring_taken");
	ret = touch_ring_begin(r, *unit, REGS_RING_BYTES);
	if (ret == REGS_LINES)
		return 0;
	arena_give(r->dom->arena, *unit);
	return -EFAULT;
}

/* Both or none. */
static int take_rings(struct rank *r)
{
	uint32_t out, in;
	int ret = take_ring(r, &out);

	if (ret)
		return ret;
	ret = take_ring(r, &in);
	if (ret) {
		arena_give(r->dom->arena, out);
		return ret;
	}
	r->led.regs_out = out + 1;
	r->led.regs_in = in + 1;
	return 0;
}

static void give_rings(struct rank *r)
{
	arena_give(r->dom->arena, r->led.regs_out - 1);
	arena_give(r->dom->arena, r->led.regs_in - 1);
	r->led.regs_out = r->led.regs_in = 0;
}

static int lend(struct regs *g, struct rank *r)
{
	int ret = take_rings(r);

	if (ret)
		return ret;
	if (!link_rank(g, r)) {
		give_rings(r);
		return -ENOMEM;
	}
	ret = regs_ring_open(r->regs, r->led.regs_out - 1, r->led.regs_in - 1);
	if (ret) {
		unlink_rank(r->regs);
		give_rings(r);
		return ret;
	}
	state_put_rank(r);
	SNOO_TESTPOINT("daemon_regs_ring_put");
	return 0;
}

/* A guest's block would be another machine's. */
static bool may_have(const struct rank *r)
{
	const struct regs *g = r->dom->sh->regs;

	return g && g->mail && !r->led.vm && r->led.minor >= 3;
}

bool regs_describe(const struct rank *r, struct snoo_wire_registers *m)
{
	const struct pool *p = &r->dom->pool;
	const struct snoo_wire_ring ring = {
		.bytes = (REGS_RING_BYTES + SNOO_ABI_UNIT - 1) / SNOO_ABI_UNIT *
			 SNOO_ABI_UNIT,
		.nlines = REGS_LINES,
	};

	memset(m, 0, sizeof(*m));
	if (!r->regs)
		return false;
	m->head.type = SNOO_WIRE_REGISTERS;
	m->head.length = sizeof(*m);
	m->flags = r->registers ? SNOO_WIRE_REGISTERS_ON : 0;
	m->bytes = SNOO_ABI_INLINE_MAX;
	m->out = m->in = ring;
	m->out.offset = pool_offset(p, r->led.regs_out - 1);
	m->in.offset = pool_offset(p, r->led.regs_in - 1);
	return true;
}

static void lend_and_say(struct rank *r)
{
	struct regs *g = r->dom->sh->regs;
	int ret = lend(g, r);

	if (ret) {
		log_warn("a rank gets no register rings domain=%s job=%s "
			 "rank=%u error=\"%s\"",
			 r->dom->name, r->job->led.name, r->led.rank,
			 strerror(-ret));
		return;
	}
	r->registers = true;
	touch_rank_again(r);
	regs_ring_asleep(r->dom, 0);
	post_registers(r);
	SNOO_TESTPOINT("daemon_regs_said");
	regs_wake(g);
}

void regs_attach(struct rank *r)
{
	if (may_have(r))
		lend_and_say(r);
}

/* ---- after the last daemon ---- */

/* Is that ring really the slot's? */
static bool owns(const struct rank *r, uint32_t unit_plus_1)
{
	struct arena_piece p;

	return unit_plus_1 > 0 &&
	       arena_owner(r->dom->arena, unit_plus_1 - 1, &p) == 0 &&
	       p.kind == ARENA_RING && p.owner == r->slot &&
	       arena_piece_bytes(p.order) >= REGS_RING_BYTES;
}

int regs_adopt(struct rank *r)
{
	struct regs *g = r->dom->sh->regs;
	struct regs_rank *rr;

	/* Of a slot that was being freed the rings may be gone already. */
	if (!g || !owns(r, r->led.regs_out) || !owns(r, r->led.regs_in))
		return 0;
	rr = link_rank(g, r);
	if (!rr)
		return -ENOMEM;
	if (regs_ring_resume(rr, r->led.regs_out - 1, r->led.regs_in - 1)) {
		rr->closed = rr->deaf = true;
		rr->spoilt = "its register rings hold what cannot be in them";
	}
	SNOO_TESTPOINT("daemon_regs_found");
	r->registers = g->mail && !rr->spoilt && state_rank_alive(r);
	/* All that it published before it went, at once. */
	if (!state_rank_alive(r) && !rr->closed)
		regs_take(rr, REGS_WINDOW);
	rr->closed = rr->closed || !state_rank_alive(r);
	return 0;
}

static void set_due(struct regs_rank *rr, uint32_t gone)
{
	uint32_t bit = UINT32_C(1) << gone % 32;

	if (rr->due[gone / 32] & bit)
		return;
	rr->due[gone / 32] |= bit;
	rr->dues++;
}

bool regs_says_gone(const struct rank *r, const struct rank *gone)
{
	return r->regs && gone->regs;
}

/* It may have read those lines, or not: all that it has not acknowledged. */
static void find_dues(struct rank *r)
{
	const struct job *j = r->job;

	for (uint32_t i = 0; i < j->led.capacity; i++) {
		const struct rank *m = j->member[i].rank;

		if (m && m != r && m->led.gone > r->led.acked &&
		    regs_says_gone(r, m))
			set_due(r->regs, i);
	}
}

void regs_adopt_dues(struct domain *d)
{
	for (struct regs_rank *rr = d->regs; rr; rr = rr->next)
		if (state_rank_alive(rr->rank))
			find_dues(rr->rank);
	if (!d->regs)
		return;
	/* What was published while nobody looked. */
	regs_ring_asleep(d, 0);
	regs_wake(d->sh->regs);
}

void regs_adopted(struct rank *r)
{
	if (r->regs && r->regs->spoilt)
		post_break(r->session, r->regs->spoilt);
	else if (r->regs)
		post_registers(r);
	else if (may_have(r)) {
		lend_and_say(r);
		if (r->regs)
			find_dues(r);
	}
	SNOO_TESTPOINT("daemon_regs_adopted");
}

/* ---- the end ---- */

void regs_gone(struct rank *r)
{
	const struct job *j = r->job;

	if (!r->regs)
		return;
	if (!r->regs->closed)
		regs_take(r->regs, REGS_WINDOW);
	r->regs->closed = true;
	SNOO_TESTPOINT("daemon_regs_closed");
	for (uint32_t i = 0; i < j->led.capacity; i++) {
		const struct rank *m = j->member[i].rank;

		if (m && m != r && m->regs && state_rank_alive(m))
			set_due(m->regs, r->led.rank);
	}
	regs_wake(r->dom->sh->regs);
}

void regs_drop(struct rank *r)
{
	struct regs *g = r->dom->sh->regs;

	if (!r->regs)
		return;
	for (uint32_t i = 0; i < g->ways; i++) {
		struct regs_way *w = &g->way[i];

		if (w->from == r->regs) {
			w->from = NULL;
			w->flight = NULL;
		}
		if (w->to == r->regs)
			w->to = NULL;
	}
	unlink_rank(r->regs);
}

int regs_look(struct rank *r)
{
	if (!r->regs)
		return -EPROTO;
	regs_wake(r->dom->sh->regs);
	return 0;
}
