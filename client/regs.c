/* SPDX-License-Identifier: MIT */
/*
 * regs.c - small messages through the machine's registers: what we send
 *
 * Theory of operation
 * ===================
 *
 * A message that fits goes into `out` and is complete; the daemon's register
 * service carries it into the receiver's `in` ring, and only then passes it
 * with `consumed`.  Until it does we keep a copy.  When `consumed` stands still
 * for a while (the daemon is being replaced, or one receiver takes nothing),
 * what is left goes again by the channels, each with its number; the receiver
 * drops what comes a second time.  Then `out` is not used until it is empty:
 * so a service that stands still costs one pause, not one for each message.
 *
 * The daemon's service may sleep: edge LOOK, after each message, and after
 * lines were given back that it may wait for.  Everything else that we say to
 * it, it finds by itself.
 */

#include "client/regs.h"

#include <stdlib.h>
#include <string.h>

#include "client/channel.h"
#include "client/session.h"
#include "shm/testpoint.h"

#define REGS_STILL_NS	UINT64_C(20000000)
#define REGS_LINES	SNOO_ABI_REGISTER_LINES

/** struct kept - A message in `out` */
struct kept {
	struct list again;		/* in peer.again: its channel is due */
	bool resent;
	uint16_t context;
	uint32_t tag;
	struct snoo_abi_register m;
};

static struct kept *kept_at(const struct registers *r, uint32_t i)
{
	return &r->kept[(r->first + i) % r->room];
}

/* ---- what the daemon says ---- */

static int open_rings(struct snoo *ctx, const struct snoo_wire_registers *m)
{
	struct registers *r = &ctx->registers;
	uint32_t room = m->out.nlines / REGS_LINES;

	if (shm_tx_open(&r->out, &ctx->region, m->out.offset, m->out.nlines))
		return -EPROTO;
	/* Without memory for copies we send nothing, but read what comes. */
	r->kept = calloc(room, sizeof(*r->kept));
	for (uint32_t i = 0; r->kept && i < room; i++)
		list_init(&r->kept[i].again);
	r->room = r->kept ? room : 0;
	r->still_ns = REGS_STILL_NS;
	r->open = true;
	/* What the daemon formed may have been written over since. */
	r->deaf = shm_rx_open(&r->in, &ctx->region, m->in.offset) ||
		  r->in.nlines != m->in.nlines;
	if (r->deaf)
		shm_count(ctx->me, SHM_COUNT_protocol_errors, 1);
	for (uint32_t i = 0; i < ctx->capacity; i++)
		channel_short(ctx, &ctx->peers[i]);
	return 0;
}

static bool power_of_two(uint32_t n)
{
	return n > 0 && (n & (n - 1)) == 0;
}

bool regs_heard(struct snoo *ctx, const struct snoo_wire_registers *m)
{
	struct registers *r = &ctx->registers;
	bool on = (m->flags & SNOO_WIRE_REGISTERS_ON) != 0;
	int ret = 0;

	if (m->bytes > SNOO_ABI_INLINE_MAX || !power_of_two(m->out.nlines) ||
	    !power_of_two(m->in.nlines))
		return false;
	if (!r->open)
		ret = open_rings(ctx, m);
	else if (m->out.offset != r->out.offset ||
		 m->out.nlines != r->out.nlines ||
		 m->in.offset != r->in.offset)
		ret = -EPROTO;		/* they are ours as long as we live */
	if (ret)
		return false;
	r->bytes = m->bytes;
	r->on = on && r->kept && !r->deaf && !r->spoilt;
	for (uint32_t i = 0; i < ctx->capacity; i++) {
		if (ctx->peers[i].there)
			channel_registers(&ctx->peers[i]);
	}
	return true;
}

void regs_resumed(struct snoo *ctx)
{
	ctx->registers.on = false;
}

/* ---- out ---- */

void regs_look(struct snoo *ctx)
{
	if (shm_wake_look(ctx->region.head))
		session_look(ctx);
}

/* All that is in `out` and whose receiver is there goes by its channel. */
static void send_again(struct snoo *ctx)
{
	struct registers *r = &ctx->registers;

	r->stuck = true;
	for (uint32_t i = 0; i < r->count; i++) {
		struct kept *k = kept_at(r, i);
		struct peer *p = &ctx->peers[k->m.peer];

		if (k->resent || !list_empty(&k->again) ||
		    p->state != PEER_LIVE)
			continue;
		list_append(&p->again, &k->again);
		channel_busy(ctx, p);
	}
}

/* Forget what the service has delivered. */
static void collect(struct snoo *ctx)
{
	struct registers *r = &ctx->registers;
	uint32_t lines, before = r->count;

	if (r->spoilt)
		return;
	if (shm_tx_refresh(&r->out)) {
		/* Somebody wrote there: who knows what was delivered? */
		shm_count(ctx->me, SHM_COUNT_protocol_errors, 1);
		r->spoilt = true;
		r->on = false;
		send_again(ctx);
		return;
	}
	lines = r->out.published - r->out.consumed;
	while (r->count * REGS_LINES > lines) {
		struct kept *k = kept_at(r, 0);

		list_remove(&k->again);
		r->first = (r->first + 1) % r->room;
		r->count--;
	}
	if (r->count == before)
		return;
	r->since_ns = clock_ns();
	if (r->count == 0)
		r->stuck = false;
}

static bool out_has_room(struct snoo *ctx)
{
	struct registers *r = &ctx->registers;

	if (r->count == r->room)
		collect(ctx);
	return r->count < r->room && !r->spoilt &&
	       shm_tx_room(&r->out, REGS_LINES - 1) > 0;
}

static void publish(struct registers *r, const struct kept *k)
{
	shm_tx_publish_run(&r->out,
			   line_word(SNOO_ABI_DATA, SNOO_ABI_STREAM,
				     shm_ring_run(sizeof(k->m)), k->context,
				     k->tag), &k->m, sizeof(k->m));
}

bool regs_send(struct snoo *ctx, struct peer *p, struct snoo_request *req)
{
	struct registers *r = &ctx->registers;
	struct kept *k;

	if (!r->on || r->stuck || ctx->session.lost || req->len > r->bytes ||
	    !list_empty(&p->envelopes) || !channel_meet(ctx, p) ||
	    !p->registers || !out_has_room(ctx))
		return false;

	k = kept_at(r, r->count);
	k->resent = false;
	k->context = req->context;
	k->tag = req->tag;
	k->m = (struct snoo_abi_register){
		.peer = p->rank,
		.length = (uint32_t)req->len,
		.number = p->sent,
	};
	line_copy(k->m.data, req->buf, (size_t)req->len);
	publish(r, k);
	SNOO_TESTPOINT("register_published");
	if (r->count++ == 0)
		r->since_ns = clock_ns();
	p->sent++;
	p->unsaid = true;
	regs_look(ctx);
	SNOO_TESTPOINT("register_said");
	shm_count(ctx->me, SHM_COUNT_sent_mailbox, 1);
	shm_count(ctx->me, SHM_COUNT_sent_bytes, req->len);
	request_done(ctx, req, 0);
	return true;
}

bool regs_again(struct snoo *ctx, struct peer *p)
{
	bool any = false;

	while (!list_empty(&p->again)) {
		struct kept *k = list_entry(p->again.next, struct kept, again);

		/* NUMBER and the message itself. */
		if (!channel_room(ctx, p) ||
		    shm_tx_room(&p->tx, SNOO_ABI_RING_ANSWERS + 1) <= 0)
			break;
		channel_number(p, k->m.number);
		SNOO_TESTPOINT("register_again");
		line_copy(shm_tx_words(&p->tx), k->m.data, k->m.length);
		shm_tx_publish(&p->tx, line_word(SNOO_ABI_DATA, 0, k->m.length,
						 k->context, k->tag));
		list_remove(&k->again);
		k->resent = true;
		p->unsaid = true;
		shm_count(ctx->me, SHM_COUNT_resent, 1);
		any = true;
	}
	return any;
}

void regs_forget(struct peer *p)
{
	while (!list_empty(&p->again))
		list_take(&p->again);
}

/* ---- rounds ---- */

static uint64_t stands_still_ns(const struct registers *r)
{
	uint64_t now = clock_ns();

	return now > r->since_ns ? now - r->since_ns : 0;
}

int regs_turn(struct snoo *ctx)
{
	struct registers *r = &ctx->registers;

	if (r->count == 0)
		return 0;
	collect(ctx);
	if (r->count == 0 || r->stuck ||
	    (!ctx->session.lost && stands_still_ns(r) < r->still_ns))
		return 0;
	send_again(ctx);
	return 1;
}

uint64_t regs_patience(const struct snoo *ctx)
{
	const struct registers *r = &ctx->registers;
	uint64_t still;

	if (r->count == 0 || r->stuck)
		return UINT64_MAX;
	still = stands_still_ns(r);
	return still < r->still_ns ? r->still_ns - still : 0;
}

bool regs_owes(const struct snoo *ctx)
{
	const struct registers *r = &ctx->registers;

	for (uint32_t i = 0; ctx->session.lost && i < r->count; i++) {
		const struct kept *k = kept_at(r, i);

		if (!k->resent && ctx->peers[k->m.peer].state == PEER_LIVE)
			return true;
	}
	return false;
}

void regs_fini(struct snoo *ctx)
{
	free(ctx->registers.kept);
	ctx->registers.kept = NULL;
	ctx->registers.count = 0;
}
