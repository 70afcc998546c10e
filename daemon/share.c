/* SPDX-License-Identifier: MIT */
/*
 * share.c - the rounds of a domain: read the ranks, decide, tell them
 */
#include "daemon/share.h"

#include "daemon/log.h"
#include "daemon/supply.h"
#include "daemon/touch.h"

#define NS_PER_MS	UINT64_C(1000000)
#define IDLE_MS		50	/* between looks at jobs with a rate limit */

static void read_ranks(struct domain *d)
{
	for (uint32_t i = 0; i < d->nranks; i++) {
		struct rank *r = d->rank[i];
		struct touch_words w;

		if (r && state_rank_alive(r) && touch_words(r, &w) == 0)
			sched_report(&r->sched, w.used, w.want);
	}
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

static void next_look(struct domain *d, bool soon)
{
	if (soon)
		loop_timer_start(d->rounds, d->sched.round_ns / NS_PER_MS, 0);
	else if (rate_limited(d))
		loop_timer_start(d->rounds, IDLE_MS, 0);
	else
		loop_timer_stop(d->rounds);
}

static void look(void *arg)
{
	struct domain *d = arg;
	bool before = d->sched.contended, more;

	if (d->lost)
		return;
	read_ranks(d);
	more = sched_tick(&d->sched, loop_now_ns());
	if (d->sched.contended || supply_wanted(d)) {
		supply_balance(d);
		more = true;
	}
	tell_ranks(d);
	if (before && !d->sched.contended) {
		log_debug("pool is no longer short domain=%s", d->name);
		supply_retry(d);
	}
	next_look(d, more);
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

static void job_conf(struct job *j)
{
	j->sched.weight = conf_weight(j->dom->conf, j->led.name);
	if (j->sched.weight == 0)
		j->sched.weight = 1;
	j->sched.rate = conf_rate_limit(j->dom->conf, j->led.name);
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
