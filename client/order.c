/* SPDX-License-Identifier: MIT */
/*
 * order.c - the messages of a pair, matched in the order of their numbers
 *
 * Each path keeps its own order and messages that are sent again are the
 * oldest, so a place in the list of early ones is found at one of its ends
 * after a few steps.  A hostile sender can make us walk; ctx->searched counts
 * the steps, and whoever drains its ring takes fewer lines of it for them.
 */

#include "client/order.h"

#include "client/channel.h"
#include "client/match.h"
#include "client/recv.h"

/* Numbers that hal/mail.h can carry; 2^56 messages take centuries. */
#define ORDER_NUMBERS	(UINT64_C(1) << 56)

static struct arrival *parked(struct list *n)
{
	return list_entry(n, struct arrival, by_peer);
}

/* The first one that is not before @number, from the end that is nearer. */
static struct list *place_of(struct snoo *ctx, struct peer *p, uint64_t number)
{
	struct list *head = &p->parked, *n;
	uint64_t first = parked(head->next)->number;
	uint64_t last = parked(head->prev)->number;

	if (number <= first + (last - first) / 2) {
		for (n = head->next; parked(n)->number < number; n = n->next)
			ctx->searched++;
		return n;
	}
	if (number > last)
		return head;
	for (n = head->prev; parked(n->prev)->number >= number; n = n->prev)
		ctx->searched++;
	return n;
}

int order_find(struct snoo *ctx, struct peer *p, uint64_t number,
	       struct order_place *at)
{
	*at = (struct order_place){ ORDER_NOW, number, NULL };
	if (number == p->turn)
		return 0;
	if (number >= ORDER_NUMBERS)
		return -EPROTO;
	if (number > p->turn && ctx->registers.deaf) {
		/* Those before it lie where we do not look any more. */
		p->ahead -= number - p->turn;
		p->turn = number;
		return 0;
	}
	at->when = ORDER_EARLY;
	at->before = &p->parked;
	if (number < p->turn) {
		at->when = ORDER_HAD;
	} else if (!list_empty(&p->parked)) {
		at->before = place_of(ctx, p, number);
		if (at->before != &p->parked &&
		    parked(at->before)->number == number)
			at->when = ORDER_HAD;
	}
	return 0;
}

void order_keep(struct snoo *ctx, struct arrival *a,
		const struct order_place *at)
{
	if (at->when == ORDER_NOW) {
		match_keep(ctx, a);
		return;
	}
	shm_count(ctx->me, SHM_COUNT_parked, 1);
	a->number = at->number;
	list_insert(at->before, &a->by_peer);
}

/* The first of those that are parked: as if it came now. */
static void release(struct snoo *ctx, struct peer *p)
{
	struct arrival *a = parked(list_take(&p->parked));
	struct snoo_request *req;

	p->ahead += p->turn;
	p->turn = a->number + 1;
	p->ahead -= p->turn;
	if (a->kind == ARRIVAL_VOID) {
		arrival_free(ctx, a);
		return;
	}
	req = match_posted(ctx, p->rank, a->context, a->tag);
	if (req)
		recv_arrival(ctx, req, a);
	else
		match_keep(ctx, a);
}

void order_came(struct snoo *ctx, struct peer *p, const struct order_place *at,
		bool channel)
{
	if (channel)
		p->ahead++;
	if (at->when == ORDER_HAD)
		shm_count(ctx->me, SHM_COUNT_doubles, 1);
	if (at->when == ORDER_NOW) {
		p->turn++;
		p->ahead--;
		while (!list_empty(&p->parked) &&
		       parked(p->parked.next)->number == p->turn) {
			ctx->searched++;
			release(ctx, p);
		}
	}
	channel_short(ctx, p);
}

int order_number(struct snoo *ctx, struct peer *p, uint64_t number)
{
	if (number >= ORDER_NUMBERS)
		return -EPROTO;
	p->ahead = number - p->turn;
	channel_short(ctx, p);
	return 0;
}

void order_flush(struct snoo *ctx, struct peer *p)
{
	while (!list_empty(&p->parked))
		release(ctx, p);
	channel_short(ctx, p);
}

void order_drop(struct snoo *ctx, struct peer *p)
{
	while (!list_empty(&p->parked)) {
		struct arrival *a = parked(p->parked.next);

		recv_drop(ctx, p, a);
	}
}

void order_fini(struct snoo *ctx)
{
	for (uint32_t i = 0; i < ctx->capacity; i++) {
		struct list *head = &ctx->peers[i].parked;

		while (!list_empty(head))
			arrival_free(ctx, parked(head->next));
	}
}
