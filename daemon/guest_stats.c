/* SPDX-License-Identifier: MIT */
/*
 * guest_stats.c - what the daemon of a VM knows, as JSON
 *
 * json_put_*() fail only for want of memory; the member is missing then, and
 * nothing else is wrong.
 */
#include "daemon/guest_stats.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/guest_pool.h"
#include "daemon/guest_state.h"
#include "daemon/privs.h"
#include "daemon/stats.h"
#include "shm/wake.h"

#ifndef SNOO_VERSION
#define SNOO_VERSION "unknown"
#endif

#define NS_PER_MS	UINT64_C(1000000)

static const char *domain_of(const struct guest *g)
{
	return *g->link.welcome.domain ? g->link.welcome.domain :
	       g->conf->name;
}

bool guest_stats_is_domain(const struct guest *g, const char *name)
{
	return strcmp(name, g->conf->name) == 0 ||
	       strcmp(name, domain_of(g)) == 0;
}

static const char *memory_of(uint32_t kind)
{
	switch (kind) {
	case SNOO_CTL_MAP_DAX:
		return "dax";
	case SNOO_CTL_MAP_BAR:
		return "bar";
	case SNOO_CTL_MAP_SYSFS:
		return "sysfs";
	case SNOO_CTL_MAP_MEMFD:
		return "memfd";
	default:
		return "?";
	}
}

static void warn(json_t *list, const char *text)
{
	if (*text)
		json_array_append_new(list, json_string(text));
}

static json_t *warnings(const struct guest *g)
{
	json_t *list = json_array();
	char text[SNOO_CTL_TEXT + 64];

	if (!keeper_has_store(g->sh->keeper))
		warn(list, "nobody keeps the daemon's sockets and devices: if "
		     "it dies, its ranks are dead to the host");
	if (*g->link.refused && g->link.state != GUEST_LINK_LIVE) {
		snprintf(text, sizeof(text), "the host does not take this VM "
			 "in: %s", g->link.refused);
		warn(list, text);
	}
	if (!guest_dev_has_bells(g->dev)) {
		snprintf(text, sizeof(text), "no interrupts arrive, ranks "
			 "poll: %.200s", guest_dev_why(g->dev));
		warn(list, text);
	}
	warn(list, guest_dev_memory_note(g->dev));
	if (guest_dev_map(g->dev)->kind == SNOO_CTL_MAP_BAR)
		warn(list, "the guest's processes trust each other: without "
		     "/dev/dax each holds the pool's device");
	if (g->pool.lost)
		warn(list, "a page of the pool is gone: a member of the domain "
		     "has punched a hole into it");
	return list;
}

/* What the host said, as long as it has said anything. */
static void put_host(json_t *o, const struct guest *g)
{
	const struct guest_link *l = &g->link;
	const struct snoo_ctl_welcome *w = &l->welcome;

	json_put_str(o, "host", guest_link_name(l->state));
	stats_since(o, "host_ms", l->since_ns);
	json_put_u64(o, "host_sessions", l->sessions);
	json_put_str(o, "refused", l->refused);
	json_put_str(o, "domain", domain_of(g));
	json_put_str(o, "vm", w->name);
	json_put_u64(o, "slot", guest_dev_slot(g->dev));
	json_put_u64(o, "slots", w->slots);
	json_put_u64(o, "vectors", guest_dev_vectors(g->dev));
}

static void put_devices(json_t *o, const struct guest *g)
{
	const struct guest_dev_map *map = guest_dev_map(g->dev);

	json_put_u64(o, "pool_bytes", guest_dev_pool_bytes(g->dev));
	json_put_str(o, "memory", memory_of(map->kind));
	json_put_str(o, "memory_path", map->path);
	json_put_str(o, "memory_note", guest_dev_memory_note(g->dev));
	json_put_str(o, "bells", guest_dev_has_bells(g->dev) ? "eventfd" :
		     "poll");
	json_put_str(o, "bells_why", guest_dev_why(g->dev));
}

json_t *guest_stats_status(struct guest *g)
{
	const struct shared *sh = g->sh;
	json_t *o = json_object();
	struct privs_report privs;
	uint64_t sessions = 0;
	char machine[128];

	privs_report(&privs);
	for (const struct guest_session *s = g->sessions; s; s = s->next)
		sessions += s->fd >= 0;
	json_put_str(o, "version", SNOO_VERSION);
	json_put_str(o, "role", "guest");
	json_put_u64(o, "pid", (uint64_t)getpid());
	json_put_u64(o, "uptime_ms",
		     (loop_now_ns() - sh->started_ns) / NS_PER_MS);
	put_host(o, g);
	put_devices(o, g);
	json_put_str(o, "keeper", keeper_describe(sh->keeper));
	json_put_u64(o, "kept_fds", keeper_stored(sh->keeper));
	json_put_u64(o, "adopted", g->adopted);
	json_put(o, "waiting", stats_waiting(sh));
	json_put_str(o, "machine", topo_describe(sh->topo, machine,
						 sizeof(machine)));
	json_put_str(o, "privileges", privs.text);
	json_put_str(o, "socket", g->conf->socket.path);
	json_put_u64(o, "ranks", g->ranks);
	json_put_u64(o, "connections", sessions);
	json_put(o, "warnings", warnings(g));
	return o;
}

static void put_words(json_t *o, const struct guest_pool_words *w)
{
	json_put_str(o, "call", stats_call(w->call));
	/* A clock of this VM's own: its ranks' and ours are one. */
	if (w->call != SNOO_ABI_CALL_NONE)
		stats_since(o, "call_ms", w->call_since_ns);
	json_put_str(o, "waiting", stats_wait(w->wait));
	json_put_bool(o, "sleeping", wake_mode(w->wait) ==
		      SNOO_ABI_ASLEEP_FUTEX ||
		      wake_mode(w->wait) == SNOO_ABI_ASLEEP_EVENTFD);
}

static json_t *one_rank(struct guest *g, const struct guest_session *s)
{
	struct guest_pool_words w;
	bool words = s->slot != SNOO_CTL_NO_SLOT &&
		     guest_pool_words(g, s->slot, &w) == 0;
	json_t *o = json_object();

	json_put_str(o, "domain", domain_of(g));
	json_put_str(o, "job", s->hello.name);
	/* An adopted one's WELCOME went to the daemon before us. */
	if (s->rank >= 0 || words) {
		json_put_u64(o, "number", s->rank >= 0 ? s->job : w.job);
		json_put_u64(o, "rank", s->rank >= 0 ? (uint64_t)s->rank :
			     w.rank);
	}
	json_put_u64(o, "sid", s->sid);
	if (s->slot != SNOO_CTL_NO_SLOT)
		json_put_u64(o, "slot", s->slot);
	json_put(o, "pid", json_integer(s->who.pid));
	json_put_u64(o, "uid", s->who.uid);
	json_put(o, "vcpu", json_integer(s->seated ? s->seat.cpu :
					 PLACE_NO_CPU));
	json_put_u64(o, "node", s->seat.node);
	json_put_u64(o, "vector", s->vector);
	json_put_str(o, "session", guest_session_name(s->state));
	json_put_u64(o, "queued", s->queued);
	json_put_bool(o, "paused", s->paused);
	if (words && guest_session_is_rank(s))
		put_words(o, &w);
	return o;
}

static bool shows(const struct guest_session *s, const char *job)
{
	char number[16];

	if (!s->joined || s->state == GUEST_SESSION_ENDED)
		return false;
	if (!job || strcmp(job, s->hello.name) == 0)
		return true;
	snprintf(number, sizeof(number), "%u", s->job);
	return s->rank >= 0 && strcmp(number, job) == 0;
}

json_t *guest_stats_ranks(struct guest *g, const char *job)
{
	json_t *list = json_array();

	for (const struct guest_session *s = g->sessions; s; s = s->next)
		if (shows(s, job))
			json_array_append_new(list, one_rank(g, s));
	return list;
}
