/* SPDX-License-Identifier: MIT */
/*
 * regs_in.c - small messages through the machine's registers: what comes
 *
 * What comes is checked word by word: the pool is everybody's to write.  After
 * a word that cannot be we read `in` no more (ctx->registers.deaf); what was
 * in it is lost, and messages are matched as the channels bring them.
 */

#include "client/regs_in.h"

#include <string.h>

#include "client/arrive.h"
#include "client/match.h"
#include "client/order.h"
#include "client/recv.h"
#include "client/regs.h"
#include "shm/cpu.h"

#define REGS_BATCH	256			/* messages in one go */
#define REGS_LINES	SNOO_ABI_REGISTER_LINES

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

int regs_in_drain(struct snoo *ctx)
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
		regs_look(ctx);
	}
	return n;
}

void regs_in_tell(struct snoo *ctx)
{
	/* No LOOK: it has half a ring of room, or was told of it. */
	if (ctx->registers.open && !ctx->registers.deaf)
		shm_rx_tell(&ctx->registers.in);
}

bool regs_in_due(const struct snoo *ctx, const struct peer *p)
{
	const struct registers *r = &ctx->registers;

	return p->gone_waits && !p->gone_line && r->open && !r->deaf &&
	       !ctx->session.lost;
}
