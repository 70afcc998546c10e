/* SPDX-License-Identifier: MIT */
/*
 * oncpu.c - who has a CPU, read from the kernel's map
 *
 * Theory of operation
 * ===================
 *
 * A rank with a core of its own that waits spins for a few times what a wake-up
 * costs, and then sleeps.  Without more to go by that is right: it never loses
 * much more than either would have cost.  But the daemon's BPF programs see what
 * its partner does meanwhile:
 *
 *  - It runs: it computes, and may send at any time.  Who sleeps now pays for a
 *    wake-up then, and leaves a core idle that nobody else wants.  So it spins
 *    on, for up to 2 ms.  Only while we have not had to wait for our core since
 *    the wait began, as one who sleeps has, too, when it is woken: a stranger
 *    there has better use for it.
 *  - It sleeps: it is woken first, and that takes as long as our own wake-up.
 *    What we spin beyond that is most likely for nothing.
 *  - It waits for its CPU, or nobody knows: as without.
 *
 * These are hints, for the length of a spin that ends anyhow; a wrong one costs
 * time and never a message.  They may be wrong: it is the first thread of a
 * process that is seen, and another one may be in our calls.  With others on the
 * core who want it, it is for those to have it (patience.c, mates.c), and nothing
 * of this holds.  Nor does it if somebody has configured the length.
 *
 * A rank in a VM has no such map, and is in none.
 */
#include "client/oncpu.h"

#include <sys/mman.h>

#include "client/channel.h"

#define ONCPU_STRIDE_MAX 4096u
#define ONCPU_MANY	 16u /* ranks that may be looked at in one look */

void oncpu_close(struct snoo *ctx)
{
	struct oncpu *o = &ctx->oncpu;

	if (o->map)
		munmap((void *)(uintptr_t)o->map, o->bytes);
	*o = (struct oncpu){ 0 };
}

void oncpu_resumed(struct snoo *ctx)
{
	oncpu_close(ctx);
}

/* A word of @bytes at @at of an entry. */
static bool fits(const struct snoo_wire_oncpu *m, uint32_t at, uint32_t bytes)
{
	return at % bytes == 0 && at < m->stride && m->stride - at >= bytes;
}

bool oncpu_heard(struct snoo *ctx, const struct snoo_wire_oncpu *m,
		 const struct session_fds *fds)
{
	struct oncpu *o = &ctx->oncpu;
	size_t bytes = (size_t)m->slots * m->stride;
	void *map;

	if (m->slots == 0 || m->slots > ctx->region.nranks ||
	    m->stride > ONCPU_STRIDE_MAX || m->stride % 8 != 0 ||
	    !fits(m, m->state, 4) || !fits(m, m->instance, 4) ||
	    !fits(m, m->waits, 8))
		return false;
	oncpu_close(ctx);
	/* It may have been refused on the way, as the mapping may. */
	if (fds->n == 0)
		return true;
	map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fds->fd[0], 0);
	if (map == MAP_FAILED)
		return true;
	*o = (struct oncpu){
		.map = map,
		.bytes = bytes,
		.slots = m->slots,
		.stride = m->stride,
		.state = m->state,
		.instance = m->instance,
		.waits = m->waits,
	};
	return true;
}

/* Relaxed, all of it: hints. */
static uint32_t word(const struct oncpu *o, uint32_t slot, uint32_t at)
{
	const unsigned char *entry = o->map + (size_t)slot * o->stride;

	return atomic_load_explicit((const _Atomic uint32_t *)(entry + at),
				    memory_order_relaxed);
}

static enum patience_hint hint_of(struct snoo *ctx, struct peer *p)
{
	const struct oncpu *o = &ctx->oncpu;

	if (p->rank == ctx->rank || !channel_meet(ctx, p) || p->slot >= o->slots ||
	    word(o, p->slot, o->instance) != p->instance)
		return PATIENCE_UNKNOWN;
	switch (word(o, p->slot, o->state)) {
	case SNOO_WIRE_ONCPU_RUNS:
		return PATIENCE_RUNS;
	case SNOO_WIRE_ONCPU_SLEEPS:
		return PATIENCE_RESTS;
	default:
		return PATIENCE_UNKNOWN;
	}
}

/* Those that have ever sent us anything. */
static enum patience_hint hint_of_all(struct snoo *ctx)
{
	uint32_t rest = 0;

	if (ctx->nrx > ONCPU_MANY)
		return PATIENCE_UNKNOWN;
	for (uint32_t i = 0; i < ctx->nrx; i++) {
		enum patience_hint h = hint_of(ctx, ctx->rx[i]);

		if (h == PATIENCE_RUNS)
			return h;
		rest += h == PATIENCE_RESTS;
	}
	return rest > 0 && rest == ctx->nrx ? PATIENCE_RESTS : PATIENCE_UNKNOWN;
}

/* Those who have not come to the meeting yet. */
static enum patience_hint hint_of_missing(struct snoo *ctx)
{
	const struct meet *m = &ctx->meet;
	uint32_t rest = 0, missing = 0;

	if (ctx->size > ONCPU_MANY)
		return PATIENCE_UNKNOWN;
	for (uint32_t i = 0; i < ctx->size; i++) {
		enum patience_hint h;

		if (shm_meet_there(&m->area, i, m->until))
			continue;
		h = hint_of(ctx, &ctx->peers[i]);
		if (h == PATIENCE_RUNS)
			return h;
		missing++;
		rest += h == PATIENCE_RESTS;
	}
	return rest > 0 && rest == missing ? PATIENCE_RESTS : PATIENCE_UNKNOWN;
}

enum patience_hint oncpu_hint(struct snoo *ctx, uint32_t whom)
{
	const struct meet *m = &ctx->meet;

	/* Whom the daemon has let go sees what stands still. */
	if (!ctx->oncpu.map || ctx->session.lost)
		return PATIENCE_UNKNOWN;
	if (m->waiting && m->from == ENGINE_ANY)
		return hint_of_missing(ctx);
	if (m->waiting)
		whom = m->from;
	if (whom == ENGINE_ANY)
		return hint_of_all(ctx);
	return whom < ctx->capacity ? hint_of(ctx, &ctx->peers[whom]) :
				      PATIENCE_UNKNOWN;
}

uint64_t oncpu_waits(const struct snoo *ctx)
{
	const struct oncpu *o = &ctx->oncpu;

	if (!o->map || ctx->slot >= o->slots)
		return 0;
	return atomic_load_explicit((const _Atomic uint64_t *)
				    (o->map + (size_t)ctx->slot * o->stride +
				     o->waits), memory_order_relaxed);
}
