/* SPDX-License-Identifier: MIT */
/*
 * coll_meet.c - one collective call: it enters a meeting, and waits there
 *
 * With more ranks than cores a meeting costs as many switches of processes as
 * ranks have to run.  The fewest: each rank runs once, and the last one of a core
 * goes on into the next meeting without a pause.  So who waits gives its core
 * away if, and only if, somebody who has not arrived is on it; the last one of
 * the core spins until the other cores are as far.  All else is for wait.c.
 */

#include "client/coll_meet.h"

#include <sched.h>

#include "client/meet.h"
#include "client/news.h"
#include "client/progress.h"
#include "client/wait.h"
#include "shm/cpu.h"

#define MEET_SPINS	256u	/* looks, when wait.c may know better */
#define MEET_LAST	2048u	/* looks of the last one on a core */
#define MEET_IN_VAIN	4u	/* yields that bring nobody, one after another */
#define MEET_LATE_NS	UINT64_C(300000)	/* a yield to one that computes, */
#define MEET_TURN	8u	/* or so many for each rank on the core */
#define MEET_LATE_MAX	2u	/* of those; then we doze */
#define MEET_DOZE	20u	/* times what they cost: no yielding for so long */
#define MEET_DOZE_MAX_NS UINT64_C(1000000000)
#define MEET_NEWS_NS	UINT64_C(1000000000)	/* a death is told within */
#define MEET_TURNS	64u	/* looks or meetings between looks at all else */

void coll_begin(struct coll *c, struct snoo *ctx, uint64_t what,
		uint64_t bytes)
{
	*c = (struct coll){
		.ctx = ctx,
		.part = { .what = what, .bytes = bytes },
		.call = (what & 0xff) == SNOO_ABI_MEET_BARRIER ?
				SNOO_ABI_CALL_BARRIER :
				SNOO_ABI_CALL_COLLECTIVE,
	};
	/* If this is not its repetition, coll_enter() says so. */
	if (ctx->meet.due)
		c->at = ctx->meet.carried;
	wait_begin(&c->idle);
}

static bool somebody_died(const struct snoo *ctx)
{
	for (uint32_t i = 0; ctx->gone > 0 && i < ctx->size; i++) {
		if (ctx->peers[i].state == PEER_DEAD)
			return true;
	}
	return false;
}

int coll_reason(struct coll *c, int error)
{
	uint64_t now = clock_ns(), end = now + MEET_NEWS_NS;
	int ret = 0;

	/* The call may not have waited before. */
	if (c->idle.deadline_ns == 0 && c->ctx->timeout_ns)
		c->idle.deadline_ns = now + c->ctx->timeout_ns;
	if (c->idle.deadline_ns == 0 || c->idle.deadline_ns > end)
		c->idle.deadline_ns = end;
	while (ret == 0 && !somebody_died(c->ctx))
		ret = wait_step(c->ctx, &c->idle, c->call);
	if (somebody_died(c->ctx))
		return -EOWNERDEAD;
	return ret == 0 || ret == -ETIMEDOUT ? error : ret;
}

int coll_end(struct coll *c, int ret)
{
	wait_end(c->ctx, &c->idle);
	/*
	 * It is the death that has ended the call, at all ranks, though some
	 * hear of it in one call, and some, who had all that they needed there,
	 * in the next: they meet in different calls then.  And those who have
	 * heard may finalize before we do.
	 */
	if ((ret == -EPIPE || ret == -EINVAL || ret == -EMSGSIZE) &&
	    somebody_died(c->ctx))
		return -EOWNERDEAD;
	return ret;
}

/* Relaxed: a hint from the daemon. */
static uint32_t sharers(const struct snoo *ctx)
{
	return atomic_load_explicit(&ctx->me->sharers, memory_order_relaxed);
}

/* How long to look before wait.c takes over. */
static uint32_t patience(const struct snoo *ctx, bool shared)
{
	if (!shared)
		return MEET_SPINS;
	/* We and our mates, and perhaps the daemon: nobody else is kept off. */
	return sharers(ctx) <= ctx->mates.n + 2 ? MEET_LAST : MEET_SPINS;
}

/*
 * What wait.c has learned of yields does not count here, because we know that
 * those we wait for want the core.  But if one who computes has it in between,
 * for a time slice, whoever sleeps is served before him.  Mates at work are back
 * much earlier, even one that spins for another core, and a yield that comes to
 * them saves a sleep each: who gives up for a short delay makes all his mates
 * sleep, and they him, for long.
 *
 * Nor does what is learned here count for other waits: programs that compute
 * between barriers wait in them for a while, and when they talk afterwards nobody
 * computes.  Ping-pong of 64 KiB with a barrier and some 100 us of work every 20
 * ms, 16 ranks on two cores: 0.82 of the time that it took when it did.
 */
static void give_core(struct snoo *ctx)
{
	struct meet *m = &ctx->meet;
	uint64_t start = clock_ns(), end, saved = ctx->patience.wake_ns, doze;
	/* Once through many who all find their caches cold takes its time. */
	uint64_t late = MEET_LATE_NS + (uint64_t)MEET_TURN *
					       ctx->patience.yield_ns *
					       ctx->mates.n;

	shm_count(ctx->me, SHM_COUNT_yields, 1);
	sched_yield();
	end = clock_ns();
	if (end - start < late) {
		m->lost_ns -= m->lost_ns < saved ? m->lost_ns : saved;
		if (m->lost_ns == 0)
			m->late = 0;
		return;
	}
	m->lost_ns += end - start;
	if (++m->late < MEET_LATE_MAX)
		return;
	doze = m->lost_ns < MEET_DOZE_MAX_NS / MEET_DOZE ?
		       m->lost_ns * MEET_DOZE : MEET_DOZE_MAX_NS;
	m->late = 0;
	m->lost_ns = 0;
	m->doze_until_ns = end + doze;
	m->doze_sharers = sharers(ctx);
}

static bool dozing(struct snoo *ctx)
{
	struct meet *m = &ctx->meet;

	if (m->doze_until_ns != 0 && (m->doze_sharers != sharers(ctx) ||
				      clock_ns() >= m->doze_until_ns))
		m->doze_until_ns = 0;
	return m->doze_until_ns != 0;
}

static void look_a_while(struct snoo *ctx)
{
	struct meet *m = &ctx->meet;
	bool shared = sharers(ctx) > 1;
	uint32_t spins = patience(ctx, shared), in_vain = 0, mate = 0;

	for (uint32_t i = 1; m->waiting && i < spins; i++) {
		if (shared && meet_mate(ctx)) {
			/* As long as each brings somebody. */
			in_vain = m->mate != mate ? 0 : in_vain + 1;
			mate = m->mate;
			if (in_vain > MEET_IN_VAIN || dozing(ctx))
				return;
			give_core(ctx);
		} else {
			cpu_pause();
		}
		if (i % MEET_TURNS == 0)
			progress(ctx);
		else
			meet_look(ctx);
	}
}

static int wait_for(struct coll *c, uint64_t number, uint32_t from)
{
	struct snoo *ctx = c->ctx;
	struct meet *m = &ctx->meet;
	int ret = 0;

	meet_watch(ctx, number, from);
	/* Who never has to wait must still see to the rest, now and then. */
	if (ctx->posted > 0 || ctx->moving > 0 || !list_empty(&ctx->busy) ||
	    news_waiting(ctx) || number % MEET_TURNS == 0)
		progress(ctx);
	else
		meet_look(ctx);
	if (m->waiting)
		look_a_while(ctx);
	while (m->waiting && ret == 0) {
		c->idle.dozes = dozing(ctx);
		ret = wait_step(ctx, &c->idle, c->call);
	}
	if (!m->waiting)
		return m->error;
	m->waiting = false;
	return ret;
}

int coll_enter(struct coll *c, enum coll_stay stay)
{
	struct meet *m = &c->ctx->meet;
	int ret = meet_ready(c->ctx);

	if (ret)
		return ret;
	if (m->due) {
		if (m->what != c->part.what || m->bytes != c->part.bytes)
			return -EINVAL;
		m->due = false;
		c->part.number = m->number;
		return 0;
	}
	/* Those who are still in the last but one read our data there. */
	if (m->complete < m->number)
		ret = wait_for(c, m->number, ENGINE_ANY);
	if (ret)
		return ret;
	c->part.number = m->number + 1;
	if (stay == COLL_STAYS)
		meet_arrive_and_stay(c->ctx, &c->part);
	else
		meet_arrive(c->ctx, &c->part);
	return 0;
}

int coll_await(struct coll *c, uint32_t from)
{
	struct meet *m = &c->ctx->meet;
	int ret;

	ret = wait_for(c, c->part.number, from);
	if (ret && ret != m->error) {
		m->due = true;
		m->what = c->part.what;
		m->bytes = c->part.bytes;
		m->carried = c->at;
	}
	return ret;
}

int coll_like(struct coll *c, uint32_t from)
{
	int ret = coll_await(c, from);

	if (ret)
		return ret;
	ret = shm_meet_like(&c->ctx->meet.area, from, &c->part);
	return ret ? coll_reason(c, ret) : 0;
}

int coll_agree(struct coll *c)
{
	int ret = coll_await(c, ENGINE_ANY);

	if (ret)
		return ret;
	ret = shm_meet_alike(&c->ctx->meet.area, &c->part);
	/* Those who have heard of a death do something else, and are here. */
	return ret ? coll_reason(c, ret) : 0;
}
