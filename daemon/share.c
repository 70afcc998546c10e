/* SPDX-License-Identifier: MIT */
/*
 * share.c - the rounds of a domain: read the ranks, decide, tell them
 */
#include "daemon/share.h"

#include "daemon/log.h"
#include "daemon/supply.h"
#include "daemon/touch.h"

#define NS_PER_MS	UINT64_C(1000000)
#define IDLE_MIN_MS	50	/* between looks while nobody works */
#define IDLE_MAX_MS	1000

/* Has anybody moved something since the last look? */
static bool read_ranks(struct domain *d, uint64_t now)
{
	bool any = false;

	for (uint32_t i = 0; i < d->nranks; i++) {
		struct rank *r = d->rank[i];
		uint64_t before;
		struct touch_words w;

		if (!r || !state_rank_alive(r) || touch_words(r, &w))
			continue;
		before = r->sched.used;
		sched_report(&r->sched, w.used, w.want);
		if (r->sched.used == before && !w.want)
			continue;
		any = true;
		/* At work, with less than it could use: so it goes on. */
		if (r->need.blocks[SMALL] || r->need.blocks[LARGE])
			sched_short(&d->sched, now);
	}
	return any;
}

static void tell_ranks(struct domain *d)
{
	for (uint32_t i = 0; i < d->nranks; i++) {
		struct rank *r = d->rank[i];

		if (!r || !state_rank_alive(r) || !r->sched.changed)
			continue;
		r->sched.changed = false;
		touch_allow(r, r->sched.allow);
	}
}

/* A rank that runs into its rate after a pause need not tell us. */
static bool rate_limited(const struct domain *d)
{
	for (const struct sched_job *j = d->sched.jobs; j; j = j->next)
		if (j->rate && j->ranks)
			return true;
	return false;
}

/*
 * Who is short of something has said so once and need not say it again when
 * it goes back to work: as long as there is somebody, we look, less and less
 * often while nobody works.
 */
static uint64_t next_ms(struct domain *d, bool soon, bool moved)
{
	if (soon || moved)
		d->idle_ms = IDLE_MIN_MS;
	if (soon)
		return d->sched.round_ns / NS_PER_MS;
	if (rate_limited(d))
		return IDLE_MIN_MS;
	if (!supply_wanted(d))
		return 0;
	d->idle_ms = d->idle_ms < IDLE_MAX_MS / 2 ? d->idle_ms * 2 :
		     IDLE_MAX_MS;
	return d->idle_ms;
}

static void look(void *arg)
{
	struct domain *d = arg;
	bool before = d->sched.contended, more, moved;
	uint64_t now = loop_now_ns(), ms;

	if (d->lost)
		return;
	moved = read_ranks(d, now);
	more = sched_tick(&d->sched, now);
	if (d->sched.contended || supply_wanted(d))
		supply_balance(d);
	/*
	 * Blocks that were recalled are wanted again by who goes back to work,
	 * which would keep a pool short for ever that has enough by now.
	 */
	if (d->sched.contended && supply_plenty(d)) {
		sched_enough(&d->sched);
		more = sched_tick(&d->sched, now);
	}
	tell_ranks(d);
	if (before && !d->sched.contended) {
		log_debug("pool is no longer short domain=%s", d->name);
		supply_retry(d);
	}
	ms = next_ms(d, more, moved);
	if (ms)
		loop_timer_start(d->rounds, ms, 0);
	else
		loop_timer_stop(d->rounds);
}

int share_open(struct domain *d)
{
	sched_init(&d->sched);
	share_conf(d);
	d->share_work.fn = look;
	d->share_work.arg = d;
	return loop_timer_open(&d->rounds, d->sh->loop, look, d);
}

void share_close(struct domain *d)
{
	loop_undefer(&d->share_work);
	loop_timer_close(d->rounds);
	d->rounds = NULL;
}

/* The VM that all its living ranks are in; 0: the host, or several. */
static uint32_t slot_of(const struct job *j)
{
	uint32_t slot = 0;
	bool first = true;

	for (uint32_t i = 0; i < j->led.capacity; i++) {
		const struct rank *r = j->member[i].rank;

		if (!r || !state_rank_alive(r))
			continue;
		if (!first && r->led.vm != slot)
			return 0;
		slot = r->led.vm;
		first = false;
	}
	return slot;
}

static void job_conf(struct job *j)
{
	const struct conf_domain *c = j->dom->conf;
	uint32_t slot = slot_of(j);

	j->sched.weight = conf_weight_in(c, j->led.name, slot);
	if (j->sched.weight == 0)
		j->sched.weight = 1;
	j->sched.rate = conf_rate_limit_in(c, j->led.name, slot);
}

void share_add_job(struct job *j)
{
	job_conf(j);
	sched_job_add(&j->dom->sched, &j->sched);
}

void share_del_job(struct job *j)
{
	sched_job_del(&j->dom->sched, &j->sched);
}

void share_add_rank(struct rank *r)
{
	struct touch_words w;

	/* It may be the first one of a VM, or of another one. */
	job_conf(r->job);
	r->sched.job = &r->job->sched;
	touch_words(r, &w);
	sched_rank_add(&r->dom->sched, &r->sched, w.used);
	r->sched.changed = false;
	touch_allow(r, r->sched.allow);
	if (r->sched.allow != SCHED_UNLIMITED)
		loop_defer(r->dom->sh->loop, &r->dom->share_work);
}

void share_del_rank(struct rank *r)
{
	sched_rank_del(&r->dom->sched, &r->sched);
}

void share_conf(struct domain *d)
{
	const struct conf *c = d->sh->conf;

	d->sched.quantum = c->scheduler.quantum_bytes;
	d->sched.round_ns = c->scheduler.round_ms * NS_PER_MS;
	d->sched.contended_ns = c->scheduler.contended_ms * NS_PER_MS;
	d->sched.slack = d->conf->block_bytes.large;
	for (uint32_t i = 0; i < d->nranks; i++)
		if (d->job && d->job[i])
			job_conf(d->job[i]);
	if (d->rounds)
		loop_defer(d->sh->loop, &d->share_work);
}
