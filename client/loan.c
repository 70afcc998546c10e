/* SPDX-License-Identifier: MIT */
/*
 * loan.c - blocks that a message is built in and read from
 *
 * Theory of operation
 * ===================
 *
 * A loan costs one line each way: the descriptor's, and the LOAN line.  The
 * bytes of the message are where they were built; whoever reads them fetches
 * their lines, and nobody copies.
 *
 *     FREE --hold--> BUSY, held --LOAN line--> BUSY, out --release--> FREE
 *                       \--drop--> FREE
 *
 * The reader releases by compare-and-swap from the exact word (COPY: what it
 * read is read before home writes again).  We look at those that are out when
 * no free one is left: at the oldest few first, because readers mostly release
 * in order, then at all of that size.
 *
 * If the reader dies, GONE makes us take its blocks back (loan_back()).  If we
 * die, the block is the daemon's again when the reader has released it: it
 * acknowledges our end only then (peer.held, news.c).
 */

#include "client/loan.h"

#include <stdlib.h>

#include "client/lend.h"
#include "client/session.h"
#include "shm/block.h"
#include "shm/testpoint.h"

#define LOAN_ORDERS 27u /* 4 KiB << 26 is the largest pool */
#define LOAN_LOOKS  16	/* blocks looked at before all are */
#define LOAN_MINOR  4u	/* of wire.h: knows LOAN and LENT */

/** struct loans - Of one context, from its first loan or view on */
struct loans {
	struct list free[LOAN_ORDERS];
	struct list out[LOAN_ORDERS];
	struct token_table held;
	struct token_table views;
	uint32_t serial;   /* of the last LOAN */
	uint32_t answered; /* and of the last LENT */
	int error;	   /* that it said */
};

int loan_open(struct snoo *ctx)
{
	struct loans *l = ctx->loans;

	if (l)
		return 0;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	for (unsigned int i = 0; i < LOAN_ORDERS; i++) {
		list_init(&l->free[i]);
		list_init(&l->out[i]);
	}
	token_init(&l->held);
	token_init(&l->views);
	ctx->loans = l;
	return 0;
}

static void drop_list(struct list *head)
{
	while (!list_empty(head))
		free(list_entry(list_take(head), struct loan, link));
}

void loan_fini(struct snoo *ctx)
{
	struct loans *l = ctx->loans;

	if (!l)
		return;
	for (unsigned int i = 0; i < LOAN_ORDERS; i++) {
		drop_list(&l->free[i]);
		drop_list(&l->out[i]);
	}
	for (uint32_t i = 0; i < l->held.size; i++)
		free(l->held.entry[i].what);
	for (uint32_t i = 0; i < l->views.size; i++) {
		struct view *v = l->views.entry[i].what;

		if (v)
			free(v->heap);
		free(v);
	}
	token_fini(&l->held);
	token_fini(&l->views);
	free(l);
	ctx->loans = NULL;
}

/* The smallest order of at least @bytes; LOAN_ORDERS: none is enough. */
static uint32_t order_of(uint64_t bytes)
{
	uint32_t order = 0;

	while (order < LOAN_ORDERS && (uint64_t)SNOO_ABI_UNIT << order < bytes)
		order++;
	return order;
}

static void forget(struct loan *b)
{
	list_remove(&b->link);
	free(b);
}

/* ---- ours ---- */

/* Look which of that size have come back: the oldest @most of them. */
static void collect(struct snoo *ctx, uint32_t order, uint32_t most)
{
	struct loans *l = ctx->loans;
	struct list *head = &l->out[order], *next;

	for (struct list *n = head->next; n != head && most > 0; n = next) {
		struct loan *b = list_entry(n, struct loan, link);
		uint64_t word =
			shm_block_look(shm_region_desc(&ctx->region, b->unit));

		next = n->next;
		most--;
		if (word ==
		    block_word(b->generation, ctx->slot, SNOO_ABI_BLOCK_BUSY))
			continue;
		if (word !=
		    block_word(b->generation, ctx->slot, SNOO_ABI_BLOCK_FREE)) {
			forget(b);
			continue;
		}
		list_remove(&b->link);
		list_insert(l->free[order].next, &b->link);
	}
}

static struct loan *pop(struct snoo *ctx, uint32_t order)
{
	struct list *head = &ctx->loans->free[order];

	while (!list_empty(head)) {
		struct loan *b = list_entry(head->next, struct loan, link);
		struct snoo_abi_desc *d = shm_region_desc(&ctx->region,
							  b->unit);

		if (token_new(&ctx->loans->held, b, &b->id))
			return NULL;
		if (shm_block_take(d, ctx->slot, b->generation,
				   &b->generation) == 0) {
			list_remove(&b->link);
			return b;
		}
		/* Recalled, or spoilt by somebody. */
		token_end(&ctx->loans->held, b->id);
		forget(b);
	}
	return NULL;
}

static struct loan *pop_or_look(struct snoo *ctx, uint32_t order)
{
	struct loan *b = pop(ctx, order);

	if (!b && !list_empty(&ctx->loans->out[order])) {
		collect(ctx, order, LOAN_LOOKS);
		b = pop(ctx, order);
	}
	if (!b && !list_empty(&ctx->loans->out[order])) {
		collect(ctx, order, UINT32_MAX);
		b = pop(ctx, order);
	}
	return b;
}

struct loan *loan_hold(struct snoo *ctx, uint64_t bytes)
{
	uint32_t order = order_of(bytes);

	return order < LOAN_ORDERS ? pop_or_look(ctx, order) : NULL;
}

struct loan *loan_hold_larger(struct snoo *ctx, uint64_t bytes)
{
	struct loan *b = NULL;

	for (uint32_t i = order_of(bytes); !b && i < LOAN_ORDERS; i++)
		b = pop_or_look(ctx, i);
	return b;
}

struct loan *loan_held(const struct snoo *ctx, uint64_t id)
{
	return ctx->loans ? token_find(&ctx->loans->held, id) : NULL;
}

void loan_keep(struct snoo *ctx, struct loan *b)
{
	token_end(&ctx->loans->held, b->id);
	b->id = 0;
}

void loan_drop(struct snoo *ctx, struct loan *b)
{
	loan_keep(ctx, b);
	shm_block_give(shm_region_desc(&ctx->region, b->unit), ctx->slot,
		       b->generation);
	list_insert(ctx->loans->free[b->order].next, &b->link);
}

/* ---- the daemon's answers ---- */

void loan_ask(struct snoo *ctx, uint64_t bytes)
{
	struct loans *l = ctx->loans;

	/* Never 0: that is the serial of what nobody asked for. */
	if (++l->serial == 0)
		l->serial = 1;
	shm_count(ctx->me, SHM_COUNT_loans_asked, 1);
	/* One that does not know LOAN has no block for one. */
	if (ctx->session.minor < LOAN_MINOR) {
		l->answered = l->serial;
		l->error = -ENOMEM;
		return;
	}
	session_loan(ctx, bytes, l->serial);
}

bool loan_answered(const struct snoo *ctx, int *error)
{
	const struct loans *l = ctx->loans;

	if (l->answered != l->serial)
		return false;
	*error = l->error;
	return true;
}

void loan_withdraw(struct snoo *ctx)
{
	struct loans *l = ctx->loans;

	l->answered = l->serial;
	ctx->session.loan.serial = 0;
	ctx->session.loan_due = false;
}

bool loan_lent(struct snoo *ctx, const struct snoo_wire_lent *m)
{
	uint32_t order = order_of(m->bytes);
	unsigned char *data;
	struct loan *b;

	if (loan_open(ctx))
		return true; /* lent, not used: the daemon may recall it */
	if (m->serial != 0 && m->serial == ctx->loans->serial) {
		ctx->loans->answered = m->serial;
		ctx->loans->error = m->error > 0 ? -m->error : 0;
		ctx->session.loan.serial = 0;
	}
	if (m->error != 0)
		return m->error > 0;
	data = shm_region_block(&ctx->region, m->unit, m->bytes);
	if (!data || order >= LOAN_ORDERS ||
	    m->bytes != (uint64_t)SNOO_ABI_UNIT << order)
		return false;
	b = calloc(1, sizeof(*b));
	if (!b)
		return true;
	b->data = data;
	b->bytes = m->bytes;
	b->unit = m->unit;
	b->generation = m->generation;
	b->order = order;
	list_insert(ctx->loans->free[order].next, &b->link);
	return true;
}

void loan_resumed(struct snoo *ctx)
{
	struct session *s = &ctx->session;

	/* The last one may have read it and died before it answered. */
	if (s->loan.serial)
		s->loan_due = true;
}

/* ---- to a reader ---- */

void loan_out(struct snoo *ctx, struct loan *b, uint32_t peer)
{
	loan_keep(ctx, b);
	b->peer = peer;
	list_append(&ctx->loans->out[b->order], &b->link);
}

bool loan_push(struct snoo *ctx, struct peer *p, struct snoo_request *req)
{
	struct loan *b = req->loan;
	uint64_t *words;

	/* Relaxed: written before MEMBER named the slot; an older library. */
	if (atomic_load_explicit(&p->there->minor, memory_order_relaxed) <
	    LOAN_MINOR)
		return false;
	words = shm_tx_words(&p->tx);
	words[0] = line_match(req->context, req->tag);
	words[1] = line_pair(b->unit, b->generation);
	words[2] = req->len;
	words[3] = 0;
	SNOO_TESTPOINT("loan_filled");
	shm_tx_publish(&p->tx,
		       line_word(SNOO_ABI_LOAN, 0, 0, req->context, req->tag));
	SNOO_TESTPOINT("loan_published");
	p->sent++;
	loan_out(ctx, b, p->rank);
	/* Nothing was copied, but it counts: a job has its share and rate. */
	lend_charge(ctx, req->len);
	shm_count(ctx->me, SHM_COUNT_sent_loan, 1);
	shm_count(ctx->me, SHM_COUNT_sent_bytes, req->len);
	request_done(ctx, req, 0);
	return true;
}

void loan_back(struct snoo *ctx, struct peer *p)
{
	for (uint32_t i = 0; ctx->loans && i < LOAN_ORDERS; i++) {
		struct list *head = &ctx->loans->out[i];

		for (struct list *n = head->next; n != head; n = n->next) {
			struct loan *b = list_entry(n, struct loan, link);

			if (b->peer == p->rank)
				shm_block_give(
					shm_region_desc(&ctx->region, b->unit),
					ctx->slot, b->generation);
		}
		collect(ctx, i, UINT32_MAX);
	}
}

/* ---- as a reader ---- */

void loan_came(struct peer *p)
{
	p->held++;
}

void loan_give(struct snoo *ctx, struct peer *p, uint32_t unit,
	       uint32_t generation)
{
	SNOO_TESTPOINT("loan_read");
	shm_block_give(shm_region_desc(&ctx->region, unit),
		       p->rank == ctx->rank ? ctx->slot : p->slot, generation);
	SNOO_TESTPOINT("loan_released");
	/* VIEW: its end may be acknowledged when nothing of it is read. */
	if (--p->held == 0 && p->gone_epoch != 0)
		ctx->released = true;
}

struct view *view_new(struct snoo *ctx)
{
	struct view *v = calloc(1, sizeof(*v));

	if (v && token_new(&ctx->loans->views, v, &v->id)) {
		free(v);
		v = NULL;
	}
	return v;
}

struct view *view_find(const struct snoo *ctx, uint64_t id)
{
	return ctx->loans ? token_find(&ctx->loans->views, id) : NULL;
}

void view_free(struct snoo *ctx, struct view *v)
{
	if (v->in_place)
		loan_give(ctx, &ctx->peers[v->peer], v->unit, v->generation);
	token_end(&ctx->loans->views, v->id);
	free(v->heap);
	free(v);
}

int view_room(struct snoo_request *req, uint64_t length)
{
	struct view *v = req->view;

	/* What a transfer that was given up has left. */
	free(v->heap);
	v->heap = length > SIZE_MAX ? NULL : malloc(length ? length : 1);
	v->data = v->heap;
	req->buf = v->heap;
	req->len = v->heap ? length : 0;
	return v->heap ? 0 : -ENOMEM;
}

void view_lay(struct snoo *ctx, struct snoo_request *req, struct peer *p,
	      uint32_t unit, uint32_t generation)
{
	struct view *v = req->view;

	free(v->heap);
	v->heap = NULL;
	v->data = shm_region_block(&ctx->region, unit, req->message);
	v->peer = p->rank;
	v->unit = unit;
	v->generation = generation;
	v->in_place = true;
	req->len = req->message;
}

void loan_leave(struct snoo *ctx)
{
	struct loans *l = ctx->loans;

	if (!l)
		return;
	for (uint32_t i = 0; i < l->views.size; i++) {
		if (l->views.entry[i].what)
			view_free(ctx, l->views.entry[i].what);
	}
	for (uint32_t i = 0; i < l->held.size; i++) {
		if (l->held.entry[i].what)
			loan_drop(ctx, l->held.entry[i].what);
	}
}
