/* SPDX-License-Identifier: MIT */
/*
 * meet.c - where all ranks of a job meet: arrive, look, wake
 *
 * Who arrives last wakes those who sleep; all others wake nobody.  In a small job
 * those who stay do not know that they are the last, and everybody who sees that
 * all have come does so.  A sleeper's side is edge SLEEP: it waits for any source,
 * arms, and looks once more at what it waits for, in progress().
 *
 * A rank that is gone has arrived or has not: what all have arrived at is
 * complete, whoever has died since, and of anything else each one who waits
 * says who is missing.  So all ranks of a job get the same answer.
 */

#include "client/meet.h"

#include "client/channel.h"
#include "client/mates.h"
#include "client/member.h"

#define MEET_AGAIN	1024	/* meetings until we look again who is where */

int meet_ready(struct snoo *ctx)
{
	struct meet *m = &ctx->meet;
	void *area;

	if (m->known)
		return m->on ? 0 : -EOPNOTSUPP;
	area = ctx->size == ctx->capacity ? shm_job_meets(&ctx->job) : NULL;
	m->known = true;
	m->on = area != NULL;
	if (!m->on)
		return -EOPNOTSUPP;
	shm_meet_open(&m->area, area, ctx->size);
	return 0;
}

bool meet_mate(struct snoo *ctx)
{
	struct meet *m = &ctx->meet;

	if (m->from != ENGINE_ANY) {
		for (uint32_t i = 0; i < ctx->mates.n; i++) {
			if (ctx->mates.rank[i] == m->from)
				return true;
		}
		return false;
	}
	while (m->mate < ctx->mates.n &&
	       shm_meet_there(&m->area, ctx->mates.rank[m->mate], m->until))
		m->mate++;
	return m->mate < ctx->mates.n;
}

static void wake_all(struct snoo *ctx)
{
	/*
	 * MEET, waker's side: we have seen all of them arrive, some by stores
	 * of others.  A sleeper that looked before one of these has armed
	 * before that; after this fence we see it.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t i = 0; i < ctx->size; i++) {
		struct peer *p = &ctx->peers[i];
		enum snoo_abi_wait mode;

		if (i == ctx->rank || p->state != PEER_LIVE ||
		    !channel_meet(ctx, p))
			continue;
		mode = wake_mode(atomic_load_explicit(&p->there->wait,
						      memory_order_relaxed));
		if (mode != SNOO_ABI_POLLING && mode != SNOO_ABI_SUMMARY)
			channel_wake(ctx, p);
	}
}

static void complete(struct snoo *ctx, uint64_t number)
{
	if (ctx->meet.complete < number)
		ctx->meet.complete = number;
}

static void begin(struct snoo *ctx, uint64_t number)
{
	struct meet *m = &ctx->meet;

	if (m->number == 0 || ++m->since >= MEET_AGAIN) {
		m->since = 0;
		mates_find(ctx);
	}
	m->number = number;
	shm_count(ctx->me, SHM_COUNT_meetings, 1);
}

void meet_arrive_and_stay(struct snoo *ctx, const struct shm_meet_part *part)
{
	if (ctx->meet.area.levels > 1) {
		meet_arrive(ctx, part);
		return;
	}
	begin(ctx, part->number);
	shm_meet_come(&ctx->meet.area, ctx->rank, part);
}

void meet_arrive(struct snoo *ctx, const struct shm_meet_part *part)
{
	uint64_t root = part->what >> 32;
	uint32_t kind = (uint32_t)(part->what & 0xff);
	bool all;

	begin(ctx, part->number);
	all = shm_meet_arrive(&ctx->meet.area, ctx->rank, part);
	if (all)
		complete(ctx, part->number);
	/* Those who want our data alone do not wait for the last one. */
	if (all || (root == ctx->rank && (kind == SNOO_ABI_MEET_BCAST ||
					  kind == SNOO_ABI_MEET_SCATTER)))
		wake_all(ctx);
}

void meet_watch(struct snoo *ctx, uint64_t number, uint32_t from)
{
	struct meet *m = &ctx->meet;

	m->until = number;
	m->from = from;
	m->at = 0;
	m->mate = 0;
	m->error = 0;
	m->waiting = true;
}

/* Who is missing and will not come? */
static int missing(struct snoo *ctx)
{
	struct meet *m = &ctx->meet;
	int error = 0;

	for (uint32_t i = 0; i < ctx->size; i++) {
		int one = member_error(&ctx->peers[i]);

		if (one == 0 || (m->from != ENGINE_ANY && m->from != i) ||
		    shm_meet_there(&m->area, i, m->until))
			continue;
		if (error == 0 || one == -EOWNERDEAD)
			error = one;
	}
	return error;
}

/* Somebody is gone, and may have died on its way up. */
static bool each_there(struct snoo *ctx)
{
	struct meet *m = &ctx->meet;

	if (m->from != ENGINE_ANY || m->area.levels == 1 ||
	    !shm_meet_each(&m->area, m->until))
		return false;
	complete(ctx, m->until);
	wake_all(ctx);
	return true;
}

static bool reached(struct snoo *ctx)
{
	struct meet *m = &ctx->meet;

	if (m->complete >= m->until)
		return true;
	if (m->from != ENGINE_ANY)
		return shm_meet_there(&m->area, m->from, m->until);
	if (!shm_meet_look(&m->area, m->until, &m->at))
		return false;
	complete(ctx, m->until);
	if (m->area.levels == 1)
		wake_all(ctx);
	return true;
}

int meet_look(struct snoo *ctx)
{
	struct meet *m = &ctx->meet;

	if (reached(ctx) || (ctx->gone > 0 && each_there(ctx)))
		m->waiting = false;
	else if (ctx->gone > 0)
		m->error = missing(ctx);
	if (m->error)
		m->waiting = false;
	/* That others have arrived is no work: nobody rings for it. */
	return !m->waiting;
}
