/* SPDX-License-Identifier: MIT */
/*
 * lend.c - our grant: blocks that the daemon lent us, taken and come back
 *
 * Small blocks are used last in, first out: the one used last is still in our
 * cache.  Large ones in turn: the one used last is in the receiver's cache, and
 * a line that another core has read is slow to store to.  The blocks are to be
 * more than that cache holds: then they have gone from it when their turn comes
 * again.  Two cores with 1 MiB each, a window of 64 messages, 64 blocks of 64 KiB
 * against 16 used as the small ones: 64 KiB 0.36 of the time, 1 MiB 0.61; ping-pong
 * of 64 KiB 0.89, of 1 MiB 0.69.  A copy through 1 and through 16 MiB of blocks took
 * the same time on cores with 512 KiB.
 * Those that are out are looked at only when no free one is left.
 */

#include "client/lend.h"

#include <stdlib.h>

#include "client/session.h"
#include "shm/block.h"
#include "shm/copy.h"

#define LEND_AROUND 65536u /* what the kernel maps around a page that is read */

int lend_init(struct snoo *ctx, uint32_t small_bytes, uint32_t large_bytes)
{
	for (int i = 0; i < LEND_SIZES; i++) {
		list_init(&ctx->lend[i].free);
		list_init(&ctx->lend[i].out);
	}
	ctx->lend[LEND_SMALL].bytes = small_bytes;
	ctx->lend[LEND_LARGE].bytes = large_bytes;
	ctx->lend_known = calloc(1, (ctx->region.arena_units + 7u) / 8u);
	return ctx->lend_known ? 0 : -ENOMEM;
}

static void drop_list(struct list *head)
{
	while (!list_empty(head))
		free(list_entry(list_take(head), struct lend_block, link));
}

void lend_fini(struct snoo *ctx)
{
	if (!ctx->lend_known)
		return;
	for (int i = 0; i < LEND_SIZES; i++) {
		drop_list(&ctx->lend[i].free);
		drop_list(&ctx->lend[i].out);
	}
	free(ctx->lend_known);
	ctx->lend_known = NULL;
}

static bool known(const struct snoo *ctx, uint32_t unit)
{
	return ctx->lend_known[unit / 8] >> (unit % 8) & 1;
}

static void learn(struct snoo *ctx, uint32_t unit, bool is_ours)
{
	uint8_t bit = (uint8_t)(1u << (unit % 8));

	if (is_ours)
		ctx->lend_known[unit / 8] |= bit;
	else
		ctx->lend_known[unit / 8] &= (uint8_t)~bit;
}

static void settle(struct snoo *ctx, struct lend_block *b)
{
	struct peer *p = &ctx->peers[b->peer];

	struct snoo_abi_desc *d = shm_region_desc(&ctx->region, b->unit);
	/* Relaxed: COPY acquired it; a wrong one misleads us alone. */
	uint32_t ns = atomic_load_explicit(&d->read_ns, memory_order_relaxed);

	if (ns)
		pace_read(&p->pace, b->far, b->used, ns);
	if (b->streamed)
		p->stream_out -= b->used;
	else
		p->eager_out[b->size] -= b->bytes;
}

static void forget(struct snoo *ctx, struct lend_class *c,
		   struct lend_block *b)
{
	learn(ctx, b->unit, false);
	c->held--;
	c->asked = false;
	list_remove(&b->link);
	free(b);
}

/* The block that begins at @unit, in whichever list it is. */
static struct lend_block *find(struct snoo *ctx, uint32_t unit,
			       struct lend_class **class, bool *out)
{
	for (int i = 0; i < 2 * LEND_SIZES; i++) {
		struct lend_class *c = &ctx->lend[i / 2];
		struct list *head = i % 2 ? &c->out : &c->free;

		for (struct list *n = head->next; n != head; n = n->next) {
			struct lend_block *b =
				list_entry(n, struct lend_block, link);

			if (b->unit == unit) {
				*class = c;
				*out = i % 2;
				return b;
			}
		}
	}
	return NULL;
}

/*
 * A unit that we have listed is granted anew: it was recalled before we
 * noticed, and may have another size now.  Return false: the message is older
 * than what we know, as from a daemon that took over.
 */
static bool granted_anew(struct snoo *ctx, const struct snoo_wire_block *w)
{
	struct lend_class *c;
	struct lend_block *b;
	bool out;

	if (!known(ctx, w->unit))
		return true;
	b = find(ctx, w->unit, &c, &out);
	if (!b)
		return true;
	if ((int32_t)(w->generation - b->generation) <= 0)
		return false;
	if (out)
		settle(ctx, b);
	forget(ctx, c, b);
	return true;
}

/*
 * Have its pages in our page table before a copy needs them.  A first look maps
 * LEND_AROUND, a first store one page of 4 KiB: 16 ranks that play ping-pong with
 * 64 KiB had 5900 page faults in their first 40 ms, and 3450 so, and a round took
 * half the time.
 */
static void look_at(const unsigned char *data, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += LEND_AROUND)
		(void)*(const volatile unsigned char *)(data + at);
}

static void grant_one(struct snoo *ctx, const struct snoo_wire_block *w)
{
	struct lend_class *c;
	struct lend_block *b;
	unsigned char *data;

	if (w->bytes == ctx->lend[LEND_LARGE].bytes)
		c = &ctx->lend[LEND_LARGE];
	else if (w->bytes == ctx->lend[LEND_SMALL].bytes)
		c = &ctx->lend[LEND_SMALL];
	else
		return;
	c->asked = false;
	data = shm_region_block(&ctx->region, w->unit, w->bytes);
	if (!data || !granted_anew(ctx, w))
		return;
	b = calloc(1, sizeof(*b));
	if (!b)
		return;		/* lent, not used: the daemon may recall it */
	b->data = data;
	b->unit = w->unit;
	b->bytes = w->bytes;
	b->size = c == &ctx->lend[LEND_LARGE] ? LEND_LARGE : LEND_SMALL;
	b->generation = w->generation;
	list_append(c->free.next, &b->link);
	c->held++;
	look_at(data, b->bytes);
	learn(ctx, w->unit, true);
}

void lend_granted(struct snoo *ctx, const struct snoo_wire_block *b,
		  uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		grant_one(ctx, &b[i]);
}

void lend_collect(struct snoo *ctx, enum lend_size size)
{
	struct lend_class *c = &ctx->lend[size];
	struct list *next;

	for (struct list *n = c->out.next; n != &c->out; n = next) {
		struct lend_block *b = list_entry(n, struct lend_block, link);
		uint64_t word =
			shm_block_look(shm_region_desc(&ctx->region, b->unit));

		next = n->next;
		if (word == block_word(b->generation, ctx->slot,
				       SNOO_ABI_BLOCK_BUSY))
			continue;
		settle(ctx, b);
		if (word == block_word(b->generation, ctx->slot,
				       SNOO_ABI_BLOCK_FREE)) {
			list_remove(&b->link);
			if (size == LEND_LARGE)
				list_append(&c->free, &b->link);
			else
				list_insert(c->free.next, &b->link);
		} else {
			forget(ctx, c, b);
		}
	}
}

static struct lend_block *pop(struct snoo *ctx, struct lend_class *c)
{
	while (!list_empty(&c->free)) {
		struct lend_block *b =
			list_entry(c->free.next, struct lend_block, link);
		struct snoo_abi_desc *d =
			shm_region_desc(&ctx->region, b->unit);

		if (shm_block_take(d, ctx->slot, b->generation,
				   &b->generation) == 0) {
			list_remove(&b->link);
			return b;
		}
		forget(ctx, c, b);
	}
	return NULL;
}

bool lend_unlimited(const struct snoo *ctx)
{
	/* Relaxed: as below. */
	return atomic_load_explicit(&ctx->me->allow, memory_order_relaxed) ==
	       SNOO_ABI_UNLIMITED;
}

bool lend_allowed(struct snoo *ctx, uint64_t bytes)
{
	/* Relaxed: a limit that the daemon raises; late by a round at most. */
	uint64_t allow = atomic_load_explicit(&ctx->me->allow,
					      memory_order_relaxed);

	if (allow == SNOO_ABI_UNLIMITED || ctx->session.lost)
		return true;
	return ctx->used < allow && bytes <= allow - ctx->used;
}

void lend_charge(struct snoo *ctx, uint64_t bytes)
{
	ctx->used += bytes;
	/* Relaxed: a count for the scheduler, nothing hangs on its order. */
	atomic_store_explicit(&ctx->me->used, ctx->used,
			      memory_order_relaxed);
}

void lend_wants(struct snoo *ctx, uint64_t bytes, uint32_t peer)
{
	struct snoo_abi_rank *me = ctx->me;

	if (bytes == 0) {
		if (ctx->waiting_for_blocks)
			atomic_store_explicit(&me->want, 0,
					      memory_order_relaxed);
		ctx->waiting_for_blocks = false;
		return;
	}
	if (ctx->waiting_for_blocks)
		return;
	ctx->waiting_for_blocks = true;
	shm_count(me, SHM_COUNT_block_waits, 1);
	atomic_store_explicit(&me->want_since_ns, clock_ns(),
			      memory_order_relaxed);
	atomic_store_explicit(&me->want_peer, peer, memory_order_relaxed);
	/* Release: who sees the bytes sees since when and for whom. */
	atomic_store_explicit(&me->want, bytes, memory_order_release);
}

void lend_more(struct snoo *ctx, enum lend_size size)
{
	struct lend_class *c = &ctx->lend[size];
	uint32_t more = c->held ? c->held : 4;

	if (c->asked)
		return;
	c->asked = true;
	session_need(ctx, 0, 0, size == LEND_SMALL ? more : 0,
		     size == LEND_LARGE ? more : 0);
}

struct lend_block *lend_take(struct snoo *ctx, enum lend_size size,
			     uint32_t bytes, struct peer *peer, bool streamed)
{
	struct lend_class *c = &ctx->lend[size];
	struct lend_block *b = pop(ctx, c);

	if (!b) {
		lend_collect(ctx, size);
		b = pop(ctx, c);
	}
	if (!b) {
		lend_more(ctx, size);
		return NULL;
	}

	b->peer = peer->rank;
	b->used = bytes;
	b->streamed = streamed;
	b->far = false;
	/* Relaxed: the receiver writes it after LINE, we read after COPY. */
	atomic_store_explicit(&shm_region_desc(&ctx->region, b->unit)->read_ns,
			      0, memory_order_relaxed);
	if (streamed)
		peer->stream_out += bytes;
	else
		peer->eager_out[size] += b->bytes;
	list_append(&c->out, &b->link);
	lend_charge(ctx, bytes);
	return b;
}

void lend_fill(struct peer *p, struct lend_block *b, const unsigned char *from,
	       uint32_t n)
{
	bool timed = SHM_COPY_FAR && n >= PACE_LEAST &&
		     ++p->filled[n >= PACE_BYTES] % PACE_SAMPLE == 0;
	uint64_t start = timed ? clock_ns() : 0;

	b->far = n >= PACE_BYTES && pace_next(&p->pace);
	if (b->far)
		shm_copy_far(b->data, from, n);
	else
		shm_copy_in(b->data, from, n);
	if (timed)
		pace_filled(&p->pace, b->far, n, clock_ns() - start);
}

void lend_back(struct snoo *ctx, struct peer *peer)
{
	for (int i = 0; i < LEND_SIZES; i++) {
		struct lend_class *c = &ctx->lend[i];

		for (struct list *n = c->out.next; n != &c->out; n = n->next) {
			struct lend_block *b =
				list_entry(n, struct lend_block, link);

			if (b->peer == peer->rank)
				shm_block_give(shm_region_desc(&ctx->region,
							       b->unit),
					       ctx->slot, b->generation);
		}
		lend_collect(ctx, (enum lend_size)i);
	}
}
