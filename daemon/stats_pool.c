/* SPDX-License-Identifier: MIT */
/*
 * stats_pool.c - what the daemon knows, as JSON: channels, pool, scheduler
 */
#include "daemon/stats.h"

#include <stdio.h>
#include <string.h>

#include "daemon/reap.h"
#include "daemon/touch.h"

/* ---- channels ---- */

static json_t *one_channel(const struct job *j, uint32_t from, uint32_t to,
			   const struct touch_channel *c)
{
	json_t *o = json_object();

	json_put_str(o, "domain", j->dom->name);
	json_put_str(o, "job", j->led.name);
	json_put_u64(o, "number", j->led.number);
	json_put_u64(o, "from", from);
	json_put_u64(o, "to", to);
	json_put_str(o, "path", "lines");
	json_put_u64(o, "ring", c->offset);
	json_put_u64(o, "ring_bytes", sizeof(struct snoo_abi_ring) +
		     (uint64_t)c->nlines * SNOO_ABI_LINE);
	json_put_u64(o, "lines", c->nlines);
	json_put_u64(o, "published", c->published);
	json_put_u64(o, "consumed", c->consumed);
	return o;
}

static void job_channels(const struct job *j, json_t *list)
{
	for (uint32_t to = 0; to < j->led.capacity; to++) {
		for (uint32_t from = 0; from < j->led.capacity; from++) {
			struct touch_channel c;

			if (!j->member[to].used || !j->member[from].used)
				continue;
			if (touch_channel(j, to, from, &c) || !c.offset)
				continue;
			json_array_append_new(list,
					      one_channel(j, from, to, &c));
		}
	}
}

json_t *stats_channels(struct shared *sh, const struct stats_filter *f)
{
	json_t *list = json_array();

	for (struct domain *d = sh->domains; d; d = d->next) {
		if (!stats_shows(f, d))
			continue;
		for (uint32_t i = 0; i < d->nranks; i++)
			if (d->job[i] && stats_shows_job(f, d->job[i]))
				job_channels(d->job[i], list);
	}
	return list;
}

/* ---- pool ---- */

static const char *const kinds[ARENA_KINDS] = {
	[ARENA_RING]		= "rings",
	[ARENA_JOB]		= "jobs",
	[ARENA_BLOCK_SMALL]	= "small_blocks",
	[ARENA_BLOCK_LARGE]	= "large_blocks",
	[ARENA_LOAN]		= "loans",
};

static json_t *one_quarantine(const struct rank *r)
{
	const struct rank *who = reap_waits_for(r);
	struct arena_use use[ARENA_KINDS];
	json_t *o = json_object();
	uint64_t bytes = 0;
	char text[128] = "nobody";

	arena_owned(r->dom->arena, false, r->slot, use);
	for (int k = 1; k < ARENA_KINDS; k++)
		bytes += use[k].bytes;
	if (who == r)
		snprintf(text, sizeof(text), "its process %d to end",
			 r->led.pid);
	else if (who)
		snprintf(text, sizeof(text), "rank %u to acknowledge",
			 who->led.rank);
	json_put_str(o, "domain", r->dom->name);
	json_put_str(o, "job", r->job->led.name);
	json_put_u64(o, "number", r->job->led.number);
	json_put_u64(o, "rank", r->led.rank);
	json_put_u64(o, "slot", r->slot);
	json_put_str(o, "state", state_rank_name(r));
	json_put_u64(o, "gone", r->led.gone);
	json_put_u64(o, "bytes", bytes);
	json_put_str(o, "waits_for", text);
	return o;
}

static void add_use(json_t *list, const struct domain *d,
		    const struct arena_stats *a)
{
	for (int k = 1; k < ARENA_KINDS; k++) {
		json_t *row = json_object();

		json_put_str(row, "domain", d->name);
		json_put_str(row, "class", kinds[k]);
		json_put_u64(row, "pieces", a->use[k].pieces);
		json_put_u64(row, "bytes", a->use[k].bytes);
		json_array_append_new(list, row);
	}
}

static void add_quarantine(json_t *list, const struct domain *d)
{
	for (uint32_t i = 0; i < d->nranks; i++)
		if (d->rank[i] && !state_rank_alive(d->rank[i]))
			json_array_append_new(list,
					      one_quarantine(d->rank[i]));
}

static json_t *one_arena(const struct domain *d, const struct arena_stats *a)
{
	json_t *o = json_object();

	json_put_str(o, "domain", d->name);
	json_put_u64(o, "pool_bytes", d->pool.region.size);
	json_put_bool(o, "huge_pages", d->pool.huge);
	json_put_u64(o, "arena_bytes", a->bytes);
	json_put_u64(o, "free_bytes", a->free);
	json_put_u64(o, "largest_bytes", a->largest);
	json_put_u64(o, "refused", a->refused);
	return o;
}

json_t *stats_pool(struct shared *sh, const struct stats_filter *f)
{
	json_t *o = json_object(), *arenas = json_array();
	json_t *use = json_array(), *quarantine = json_array();

	for (struct domain *d = sh->domains; d; d = d->next) {
		struct arena_stats a;

		if (!stats_shows(f, d))
			continue;
		arena_stats(d->arena, &a);
		json_array_append_new(arenas, one_arena(d, &a));
		add_use(use, d, &a);
		add_quarantine(quarantine, d);
	}
	json_put(o, "arenas", arenas);
	json_put(o, "use", use);
	json_put(o, "quarantine", quarantine);
	return o;
}

/* ---- scheduler ---- */

static void put_allow(json_t *o, const char *key, uint64_t allow,
		      uint64_t used)
{
	if (allow == SCHED_UNLIMITED)
		json_put_str(o, key, "unlimited");
	else
		json_put_u64(o, key, allow > used ? allow - used : 0);
}

static const char *waits_for(const struct rank *r, const struct touch_words *w)
{
	if (w->want && r->sched.allow <= w->used)
		return "its allowance";
	if (w->want)
		return "a block";
	if (r->need.rings[SMALL] || r->need.rings[LARGE])
		return "a ring";
	if (r->need.blocks[SMALL] || r->need.blocks[LARGE])
		return "more blocks";
	return "nothing";
}

static json_t *one_share(const struct rank *r)
{
	json_t *o = json_object();
	struct touch_words w;

	touch_words(r, &w);
	json_put_str(o, "domain", r->dom->name);
	json_put_str(o, "job", r->job->led.name);
	json_put_u64(o, "number", r->job->led.number);
	json_put_u64(o, "rank", r->led.rank);
	json_put_u64(o, "slot", r->slot);
	json_put_u64(o, "weight", r->job->sched.weight);
	if (r->job->sched.rate)
		json_put_u64(o, "rate", r->job->sched.rate);
	json_put_u64(o, "small_blocks", r->blocks[SMALL]);
	json_put_u64(o, "large_blocks", r->blocks[LARGE]);
	json_put_u64(o, "loan_bytes", r->loan_bytes);
	json_put_u64(o, "small_wanted", r->need.blocks[SMALL]);
	json_put_u64(o, "large_wanted", r->need.blocks[LARGE]);
	json_put_u64(o, "rings_wanted", (uint64_t)r->need.rings[SMALL] +
		     r->need.rings[LARGE]);
	json_put_u64(o, "used_bytes", w.used);
	put_allow(o, "left_bytes", r->sched.allow, w.used);
	json_put_u64(o, "want_bytes", w.want);
	json_put_bool(o, "slow", r->sched.slow);
	json_put_str(o, "waits_for", waits_for(r, &w));
	if (w.want)
		stats_since(o, "since_ms",
			    stats_guest_ns(r, w.want_since_ns));
	else
		stats_since(o, "since_ms", r->need_since_ns);
	return o;
}

static json_t *one_scheduler(const struct domain *d)
{
	json_t *o = json_object();

	json_put_str(o, "domain", d->name);
	json_put_bool(o, "contended", d->sched.contended);
	if (d->sched.contended)
		stats_since(o, "contended_ms", d->sched.contended_since_ns);
	json_put_u64(o, "rounds", d->sched.rounds);
	json_put_u64(o, "late_rounds", d->sched.late_rounds);
	json_put_u64(o, "round_bytes", d->sched.quantum * d->sched.scale);
	return o;
}

json_t *stats_scheduler(struct shared *sh, const struct stats_filter *f)
{
	json_t *o = json_object(), *domains = json_array();
	json_t *ranks = json_array();

	for (struct domain *d = sh->domains; d; d = d->next) {
		if (!stats_shows(f, d))
			continue;
		json_array_append_new(domains, one_scheduler(d));
		for (uint32_t i = 0; i < d->nranks; i++)
			if (d->rank[i] && state_rank_alive(d->rank[i]))
				json_array_append_new(ranks,
						      one_share(d->rank[i]));
	}
	json_put(o, "domains", domains);
	json_put(o, "ranks", ranks);
	return o;
}
