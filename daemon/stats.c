/* SPDX-License-Identifier: MIT */
/*
 * stats.c - what the daemon knows, as JSON: status, domains, jobs, ranks
 *
 * json_put_*() fail only for want of memory; the member is missing then, and
 * nothing else is wrong.
 */
#include "daemon/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/machine.h"
#include "daemon/post.h"
#include "daemon/privs.h"
#include "daemon/span.h"
#include "daemon/telemetry.h"
#include "daemon/touch.h"
#include "shm/counters.h"
#include "shm/wake.h"

#ifndef SNOO_VERSION
#define SNOO_VERSION "unknown"
#endif

#define NS_PER_MS	UINT64_C(1000000)

bool stats_shows(const struct stats_filter *f, const struct domain *d)
{
	if (f->domain && strcmp(f->domain, d->name) != 0)
		return false;
	return !f->may || f->may(f->arg, d);
}

bool stats_shows_job(const struct stats_filter *f, const struct job *j)
{
	char number[16];

	if (!f->job || strcmp(f->job, j->led.name) == 0)
		return true;
	snprintf(number, sizeof(number), "%u", j->led.number);
	return strcmp(f->job, number) == 0;
}

void stats_since(json_t *o, const char *key, uint64_t ns)
{
	uint64_t now = loop_now_ns();

	if (ns && ns <= now)
		json_put_u64(o, key, (now - ns) / NS_PER_MS);
}

const char *stats_call(uint32_t call)
{
	static const char *const names[] = {
		[SNOO_ABI_CALL_NONE]	 = "computing",
		[SNOO_ABI_CALL_SEND]	 = "send",
		[SNOO_ABI_CALL_RECV]	 = "recv",
		[SNOO_ABI_CALL_WAIT]	 = "wait",
		[SNOO_ABI_CALL_PROBE]	 = "probe",
		[SNOO_ABI_CALL_BARRIER]	 = "barrier",
		[SNOO_ABI_CALL_INIT]	 = "init",
		[SNOO_ABI_CALL_FINALIZE] = "finalize",
		[SNOO_ABI_CALL_LOAN]	 = "loan",
		[SNOO_ABI_CALL_COLLECTIVE] = "collective",
	};

	return call < sizeof(names) / sizeof(names[0]) ? names[call] : "?";
}

const char *stats_wait(uint64_t word)
{
	switch (wake_mode(word)) {
	case SNOO_ABI_POLLING:
		return "polling";
	case SNOO_ABI_SUMMARY:
		return "summary";
	case SNOO_ABI_ASLEEP_FUTEX:
	case SNOO_ABI_ASLEEP_EVENTFD:
		return "asleep";
	}
	return "?";
}

static json_t *domain_in_short(struct domain *d)
{
	json_t *o = json_object();
	struct ledger_domain led;

	if (!o)
		return NULL;
	ledger_get_domain(d->ledger, &led);
	json_put_str(o, "domain", d->name);
	json_put_str(o, "state", d->lost ? "lost" : "live");
	if (d->lost)
		json_put_str(o, "reason", d->lost);
	json_put_u64(o, "pool_bytes", d->pool.region.size);
	json_put_bool(o, "huge_pages", d->pool.huge);
	json_put_str(o, "pool_path", d->holder.path);
	json_put_bool(o, "sealed", d->pool.sealed);
	json_put_u64(o, "free_bytes", arena_free_bytes(d->arena));
	json_put_u64(o, "ranks", d->ranks);
	json_put_u64(o, "ranks_max", d->nranks);
	json_put_u64(o, "jobs", d->jobs);
	json_put_u64(o, "epoch", state_epoch(d));
	json_put_u64(o, "adoptions", led.adoptions);
	json_put_bool(o, "contended", d->sched.contended);
	json_put_str(o, "bpf", telemetry_describe(d));
	return o;
}

static void add_warnings(json_t *list, struct domain *d)
{
	char text[POOL_TEXT + HOLDER_TEXT + CONF_NAME_MAX + 16];

	if (*d->pool.warning) {
		snprintf(text, sizeof(text), "domain %s: %s", d->name,
			 d->pool.warning);
		json_array_append_new(list, json_string(text));
	}
	if (*d->holder.warning) {
		snprintf(text, sizeof(text), "domain %s: %s", d->name,
			 d->holder.warning);
		json_array_append_new(list, json_string(text));
	}
	if (d->lost) {
		snprintf(text, sizeof(text), "domain %s is lost: %.200s",
			 d->name, d->lost);
		json_array_append_new(list, json_string(text));
	}
	for (uint32_t i = 0; i < d->nranks; i++) {
		uint32_t n = d->job[i] ? span_many_fds(d->job[i]) : 0;

		if (n == 0)
			continue;
		snprintf(text, sizeof(text), "domain %s: each rank of job %s "
			 "holds %u eventfds: its RLIMIT_NOFILE must have room",
			 d->name, d->job[i]->led.name, n);
		json_array_append_new(list, json_string(text));
	}
}

static void tuned_warning(const struct conf *c, json_t *list)
{
	char text[512];

	if (!c->tuned.why_not)
		return;
	snprintf(text, sizeof(text), "%.200s is not used: %.250s",
		 c->tuned.path, c->tuned.why_not);
	json_array_append_new(list, json_string(text));
}

static json_t *tuned(const struct conf *c)
{
	json_t *o = json_object();

	json_put_str(o, "file", c->tuned.path);
	json_put_bool(o, "in_force", c->tuned.in_force);
	return o;
}

json_t *stats_status(struct shared *sh, const struct stats_filter *f)
{
	json_t *o = json_object(), *domains = json_array();
	json_t *warnings = json_array();
	struct privs_report privs;
	struct machine here;
	uint64_t ranks = 0, jobs = 0;
	char machine[128];

	privs_report(&privs);
	for (struct domain *d = sh->domains; d; d = d->next) {
		if (!stats_shows(f, d))
			continue;
		json_array_append_new(domains, domain_in_short(d));
		add_warnings(warnings, d);
		ranks += d->ranks;
		jobs += d->jobs;
	}
	stats_regs_warning(sh, warnings);
	tuned_warning(sh->conf, warnings);
	if (!keeper_has_store(sh->keeper))
		json_array_append_new(warnings,
			json_string("nobody keeps the daemon's sockets: if it "
				    "dies, its domains end"));
	json_put_str(o, "version", SNOO_VERSION);
	json_put_str(o, "role", "host");
	json_put_u64(o, "pid", (uint64_t)getpid());
	json_put_u64(o, "uptime_ms",
		     (loop_now_ns() - sh->started_ns) / NS_PER_MS);
	json_put_str(o, "keeper", keeper_describe(sh->keeper));
	json_put_u64(o, "kept_fds", keeper_stored(sh->keeper));
	json_put(o, "registers", stats_regs(sh));
	json_put(o, "waiting", stats_waiting(sh));
	machine_read(&here, MACHINE_CPUINFO);
	json_put_str(o, "cpu", here.cpu);
	json_put_u64(o, "cores", here.cores);
	json_put(o, "tuned", tuned(sh->conf));
	json_put_str(o, "machine", topo_describe(sh->topo, machine,
						 sizeof(machine)));
	json_put_str(o, "privileges", privs.text);
	json_put_u64(o, "jobs", jobs);
	json_put_u64(o, "ranks", ranks);
	json_put(o, "warnings", warnings);
	json_put(o, "domains", domains);
	return o;
}

static json_t *sizes_from(const struct conf_domain *d)
{
	json_t *o = json_object();

	for (unsigned int i = 0; i < CONF_SIZES; i++)
		json_put_str(o, conf_size_key(i), conf_size_from(d, i));
	return o;
}

static json_t *one_domain(struct domain *d)
{
	json_t *o = domain_in_short(d);

	if (!o)
		return NULL;
	json_put_str(o, "socket", d->conf->socket.path);
	json_put_u64(o, "page_bytes", pool_page_bytes(&d->pool));
	json_put_u64(o, "job_ranks_max", d->conf->job_ranks_max);
	json_put_u64(o, "eager_bytes", d->conf->eager_bytes);
	json_put_u64(o, "spin_ns", post_spin_ns(d));
	json_put_u64(o, "stream_bytes", d->conf->stream_bytes);
	json_put_u64(o, "small_block_bytes", d->conf->block_bytes.small);
	json_put_u64(o, "large_block_bytes", d->conf->block_bytes.large);
	json_put_u64(o, "stream_bytes", d->conf->stream_bytes);
	json_put(o, "sizes_from", sizes_from(d->conf));
	json_put_str(o, "warning", d->pool.warning);
	return o;
}

json_t *stats_domains(struct shared *sh, const struct stats_filter *f)
{
	json_t *list = json_array();

	for (struct domain *d = sh->domains; d; d = d->next)
		if (stats_shows(f, d))
			json_array_append_new(list, one_domain(d));
	return list;
}

static json_t *one_job(const struct job *j)
{
	json_t *o = json_object();

	json_put_str(o, "domain", j->dom->name);
	json_put_str(o, "job", j->led.name);
	json_put_u64(o, "number", j->led.number);
	json_put_u64(o, "launch", j->led.launch);
	json_put_str(o, "state", state_job_name(j));
	json_put_bool(o, "open", j->led.open != 0);
	json_put_u64(o, "size", j->led.size);
	json_put_u64(o, "capacity", j->led.capacity);
	json_put_u64(o, "joined", j->led.joined);
	json_put_u64(o, "ranks", j->attached);
	json_put_u64(o, "gone", j->led.left);
	json_put_u64(o, "quarantined", j->quarantined);
	json_put_u64(o, "gone_epoch", j->led.gone_epoch);
	json_put_u64(o, "uid", j->led.uid);
	json_put_u64(o, "weight", j->sched.weight);
	return o;
}

json_t *stats_jobs(struct shared *sh, const struct stats_filter *f)
{
	json_t *list = json_array();

	for (struct domain *d = sh->domains; d; d = d->next) {
		if (!stats_shows(f, d))
			continue;
		for (uint32_t i = 0; i < d->nranks; i++)
			if (d->job[i] && stats_shows_job(f, d->job[i]))
				json_array_append_new(list,
						      one_job(d->job[i]));
	}
	return list;
}

static json_t *counters(const struct rank *r)
{
	uint64_t value[SHM_COUNTERS];
	json_t *o = json_object();

	touch_counters(r, value);
	for (unsigned int i = 0; i < SHM_COUNTERS; i++)
		json_put_u64(o, shm_counter_info[i].name, value[i]);
	return o;
}

static json_t *one_rank(const struct rank *r)
{
	json_t *o = json_object();
	struct touch_words w;

	touch_words(r, &w);
	json_put_str(o, "domain", r->dom->name);
	json_put_str(o, "job", r->job->led.name);
	json_put_u64(o, "number", r->job->led.number);
	json_put_u64(o, "rank", r->led.rank);
	json_put_u64(o, "slot", r->slot);
	json_put(o, "pid", json_integer(r->led.pid));
	json_put_u64(o, "uid", r->led.uid);
	json_put(o, "core", json_integer(r->seat.cpu));
	json_put_u64(o, "node", r->led.node);
	stats_put_vm(o, r);
	json_put_str(o, "state", state_rank_name(r));
	if (!state_rank_alive(r))
		return o;
	json_put_str(o, "session", r->session ?
		     state_session_name(r->session->state) : "none");
	json_put_str(o, "call", stats_call(w.call));
	if (w.call != SNOO_ABI_CALL_NONE)
		stats_since(o, "call_ms",
			    stats_guest_ns(r, w.call_since_ns));
	json_put_str(o, "waiting", stats_wait(w.wait));
	json_put_bool(o, "sleeping", wake_mode(w.wait) ==
		      SNOO_ABI_ASLEEP_FUTEX ||
		      wake_mode(w.wait) == SNOO_ABI_ASLEEP_EVENTFD);
	stats_put_run(o, r);
	json_put(o, "counters", counters(r));
	return o;
}

json_t *stats_ranks(struct shared *sh, const struct stats_filter *f)
{
	json_t *list = json_array();

	for (struct domain *d = sh->domains; d; d = d->next) {
		if (!stats_shows(f, d))
			continue;
		for (uint32_t i = 0; i < d->nranks; i++)
			if (d->rank[i] && stats_shows_job(f, d->rank[i]->job))
				json_array_append_new(list,
						      one_rank(d->rank[i]));
	}
	return list;
}
