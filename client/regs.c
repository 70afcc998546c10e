/* SPDX-License-Identifier: MIT */
/*
 * regs.c - small messages through the machine's registers, by the daemon
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
 *
 * What comes is checked word by word: the pool is everybody's to write.  After
 * a word that cannot be we read `in` no more (ctx->registers.deaf); what was
 * in it is lost, and messages are matched as the channels bring them.
 */

#include "client/regs.h"

#include <stdlib.h>
#include <string.h>

#include "client/arrive.h"
#include "client/channel.h"
#include "client/match.h"
#include "client/order.h"
#include "client/recv.h"
#include "client/session.h"
#include "shm/cpu.h"
#include "shm/testpoint.h"

#define REGS_STILL_NS	UINT64_C(20000000)
#define REGS_BATCH	256			/* messages in one go */
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

/* LOOK, rank's side; see shm_wake_look(). */
static void look(struct snoo *ctx)
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
	look(ctx);
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

/* ---- in ---- */

/*
 * A word that cannot be: what is in there is lost, all else goes on.  What is
 * parked may only be early because its sender's channel has not been read yet:
 * whatever comes before it there was published before it.
 */
static void turn_deaf(struct snoo *ctx)
{
	struct registers *r = &ctx->registers;

	shm_count(ctx->me, SHM_COUNT_protocol_errors, 1);
	for (uint32_t i = 0; i < ctx->capacity; i++) {
		if (!list_empty(&ctx->peers[i].parked))
			arrive_all(ctx, &ctx->peers[i]);
	}
	r->deaf = true;
	r->on = false;
	for (uint32_t i = 0; i < ctx->capacity; i++)
		order_flush(ctx, &ctx->peers[i]);
}

static int keep(struct snoo *ctx, struct peer *p, uint64_t word0,
		const struct snoo_abi_register *m, const struct order_place *at)
{
	struct arrival *a = arrival_new(ctx);

	if (!a)
		return -ENOMEM;
	a->kind = ARRIVAL_LINE;
	a->from = p->rank;
	a->tag = line_tag(word0);
	a->context = line_context(word0);
	a->length = m->length;
	line_copy(a->data, m->data, m->length);
	order_keep(ctx, a, at);
	return 0;
}

static int take(struct snoo *ctx, uint64_t word0,
		const struct snoo_abi_register *m)
{
	struct peer *p = &ctx->peers[m->peer];
	struct snoo_request *req = NULL;
	struct order_place at;
	int ret;

	/* Sent again by a new daemon; or we do not read this one any more. */
	if (p->state != PEER_LIVE)
		return 0;
	ret = order_find(ctx, p, m->number, &at);
	if (ret)
		return ret;
	if (at.when == ORDER_NOW)
		req = match_posted(ctx, p->rank, line_context(word0),
				   line_tag(word0));
	if (req)
		recv_copy(ctx, req, p->rank, line_tag(word0), m->data,
			  m->length);
	else if (at.when != ORDER_HAD)
		ret = keep(ctx, p, word0, m, &at);
	if (ret)
		return ret;
	if (at.when != ORDER_HAD)
		shm_count(ctx->me, SHM_COUNT_received_mailbox, 1);
	order_came(ctx, p, &at, false);
	return 0;
}

static int come_data(struct snoo *ctx, uint64_t word0)
{
	struct registers *r = &ctx->registers;
	struct snoo_abi_register m;
	uint64_t n = *(const volatile uint64_t *)shm_rx_words(&r->in);
	int ret;

	if (line_flags(word0) != SNOO_ABI_STREAM || n != sizeof(m) ||
	    shm_rx_run(&r->in, word0, n) != REGS_LINES - 1)
		return -EPROTO;
	shm_rx_gather(&r->in, &m, sizeof(m));
	cpu_settle();
	if (m.peer >= ctx->capacity || m.peer == ctx->rank ||
	    m.length > SNOO_ABI_INLINE_MAX)
		return -EPROTO;
	ret = take(ctx, word0, &m);
	if (ret)
		return ret;
	for (uint32_t i = 0; i < REGS_LINES; i++)
		shm_rx_pop(&r->in);
	return 0;
}

static int come_control(struct snoo *ctx, uint64_t word0)
{
	struct registers *r = &ctx->registers;
	uint64_t w[2];

	memcpy(w, shm_rx_words(&r->in), sizeof(w));
	cpu_settle();
	if (line_flags(word0) != 0 || w[0] != SNOO_ABI_GONE ||
	    w[1] >= ctx->capacity || w[1] == ctx->rank)
		return -EPROTO;
	ctx->peers[w[1]].gone_line = true;
	shm_rx_pop(&r->in);
	return 0;
}

static int come(struct snoo *ctx, uint64_t word0)
{
	switch (line_type(word0)) {
	case SNOO_ABI_DATA:
		return come_data(ctx, word0);
	case SNOO_ABI_CONTROL:
		return come_control(ctx, word0);
	default:
		return -EPROTO;
	}
}

int regs_drain(struct snoo *ctx)
{
	struct registers *r = &ctx->registers;
	uint64_t word0;
	int n = 0;

	if (!r->open)
		return 0;
	ctx->searched = 0;
	while ((uint32_t)n + order_cost(ctx) < REGS_BATCH && !r->deaf &&
	       shm_rx_peek(&r->in, &word0)) {
		int ret = come(ctx, word0);

		if (ret == -ENOMEM) {
			ctx->no_memory = true;
			break;
		}
		n++;
		if (ret) {
			turn_deaf(ctx);
			break;
		}
		if (!shm_rx_due(&r->in))
			continue;
		/* The service may wait for room, and sleep. */
		shm_rx_tell(&r->in);
		look(ctx);
	}
	return n;
}

void regs_tell(struct snoo *ctx)
{
	/* No LOOK: it has half a ring of room, or was told of it. */
	if (ctx->registers.open && !ctx->registers.deaf)
		shm_rx_tell(&ctx->registers.in);
}

bool regs_due(const struct snoo *ctx, const struct peer *p)
{
	const struct registers *r = &ctx->registers;

	return p->gone_waits && !p->gone_line && r->open && !r->deaf &&
	       !ctx->session.lost;
}

/* ---- both ---- */

static uint64_t stands_still_ns(const struct registers *r)
{
	uint64_t now = clock_ns();

	return now > r->since_ns ? now - r->since_ns : 0;
}

int regs_turn(struct snoo *ctx)
{
	struct registers *r = &ctx->registers;
	int work = regs_drain(ctx);

	if (r->count == 0)
		return work;
	collect(ctx);
	if (r->count > 0 && !r->stuck &&
	    (ctx->session.lost || stands_still_ns(r) >= r->still_ns)) {
		send_again(ctx);
		work++;
	}
	return work;
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
