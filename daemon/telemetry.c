/* SPDX-License-Identifier: MIT */
/*
 * telemetry.c - who runs where: a domain's BPF programs, and what they tell
 *
 * The programs and their maps live as long as somebody has their fds.  The
 * keeper has copies, under a name with the version of what is in the maps, so
 * that they go on while the next daemon comes.  That daemon takes all of them
 * or none.
 *
 * Ranks map it, too: what a rank that waits with a core of its own makes of it
 * is in client/oncpu.c.
 */
#include "daemon/telemetry.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/types.h>

#include "daemon/bpf/run.h"
#include "daemon/log.h"
#include "daemon/state.h"

/** struct telemetry - Of a domain */
struct telemetry {
	bool on;
	int fd[TELEMETRY_FDS]; /* -1: none */
	uint32_t slots;
	const volatile struct run_rank *now; /* TELEMETRY_RANKS, mapped */
	struct run_rank *before;	     /* of a slot, when its rank came */
	char text[TELEMETRY_TEXT + 8];
};

/* Version 2 of the maps; nobody takes those of another one, and they end. */
static const char *const names[TELEMETRY_FDS] = {
	[TELEMETRY_RANKS] = "bpf2/ranks",
	[TELEMETRY_TASKS] = "bpf2/tasks",
	[TELEMETRY_SWITCH] = "bpf2/switch",
	[TELEMETRY_WAKEUP] = "bpf2/wakeup",
};

#define SAME(run, oncpu) \
	_Static_assert((int)(run) == (int)(oncpu), "ranks read it as " #oncpu)

SAME(RUN_UNKNOWN, SNOO_WIRE_ONCPU_UNKNOWN);
SAME(RUN_RUNS, SNOO_WIRE_ONCPU_RUNS);
SAME(RUN_WANTS, SNOO_WIRE_ONCPU_WANTS);
SAME(RUN_SLEEPS, SNOO_WIRE_ONCPU_SLEEPS);

/* ---- the keeper ---- */

static void close_fds(struct telemetry *t)
{
	for (int i = 0; i < TELEMETRY_FDS; i++) {
		if (t->fd[i] >= 0)
			close(t->fd[i]);
		t->fd[i] = -1;
	}
}

void telemetry_forget(struct domain *d)
{
	char name[STATE_KEEP_MAX];

	for (int i = 0; i < TELEMETRY_FDS; i++)
		keeper_forget(d->sh->keeper,
			      state_keep_name(name, d, names[i]));
}

static bool take_all(struct domain *d, struct telemetry *t)
{
	char name[STATE_KEEP_MAX];
	bool all = true, any = false;

	for (int i = 0; i < TELEMETRY_FDS; i++) {
		t->fd[i] = keeper_take(d->sh->keeper,
				       state_keep_name(name, d, names[i]));
		all = all && t->fd[i] >= 0;
		any = any || t->fd[i] >= 0;
	}
	if (all)
		return true;
	close_fds(t);
	if (any)
		telemetry_forget(d);
	return false;
}

/* Without a keeper, or if it takes nothing, they end with us. */
static void keep_all(struct domain *d, const struct telemetry *t)
{
	char name[STATE_KEEP_MAX];

	for (int i = 0; i < TELEMETRY_FDS; i++)
		keeper_store(d->sh->keeper, state_keep_name(name, d, names[i]),
			     t->fd[i], false);
}

/* ---- open, close ---- */

static size_t map_bytes(const struct telemetry *t)
{
	return t->slots * sizeof(*t->now);
}

static int map_ranks(struct telemetry *t)
{
	void *p = mmap(NULL, map_bytes(t), PROT_READ, MAP_SHARED,
		       t->fd[TELEMETRY_RANKS], 0);

	if (p == MAP_FAILED)
		return -errno;
	t->now = p;
	return 0;
}

static int start(struct domain *d, struct telemetry *t,
		 char why[TELEMETRY_TEXT])
{
	bool taken = take_all(d, t);
	int ret = 0;

	/* A smaller map is of another book. */
	if (taken && map_ranks(t)) {
		close_fds(t);
		telemetry_forget(d);
		taken = false;
	}
	if (taken)
		return 0;
	ret = telemetry_bpf_load(t->fd, t->slots, why);
	if (ret)
		return ret;
	ret = map_ranks(t);
	if (ret) {
		snprintf(why, TELEMETRY_TEXT, "mapping what they tell: %s",
			 strerror(-ret));
		close_fds(t);
		return ret;
	}
	keep_all(d, t);
	return 0;
}

static int try(struct domain *d, struct telemetry *t, char why[TELEMETRY_TEXT])
{
	if (d->sh->conf->telemetry == CONF_SWITCH_OFF) {
		/* Those of a daemon that was told otherwise end here. */
		if (take_all(d, t))
			telemetry_forget(d);
		close_fds(t);
		snprintf(why, TELEMETRY_TEXT, "by the configuration");
		return 0;
	}
	t->slots = d->nranks;
	t->before = calloc(t->slots, sizeof(*t->before));
	if (!t->before)
		return -ENOMEM;
	t->on = start(d, t, why) == 0;
	if (!t->on && d->sh->conf->telemetry == CONF_SWITCH_ON)
		return -ENOTSUP;
	return 0;
}

int telemetry_open(struct domain *d, char why[TELEMETRY_TEXT])
{
	struct telemetry *t = calloc(1, sizeof(*t));
	int ret;

	if (!t) {
		snprintf(why, TELEMETRY_TEXT, "out of memory");
		return -ENOMEM;
	}
	for (int i = 0; i < TELEMETRY_FDS; i++)
		t->fd[i] = -1;
	d->telemetry = t;
	why[0] = '\0';
	ret = try(d, t, why);
	snprintf(t->text, sizeof(t->text), t->on ? "on" : "off, %s", why);
	log_info("telemetry domain=%s bpf=\"%s\"", d->name, t->text);
	return ret;
}

void telemetry_close(struct domain *d)
{
	struct telemetry *t = d->telemetry;

	if (!t)
		return;
	d->telemetry = NULL;
	if (t->now)
		munmap((void *)(uintptr_t)t->now, map_bytes(t));
	close_fds(t);
	free(t->before);
	free(t);
}

bool telemetry_any(const struct shared *sh)
{
	for (const struct domain *d = sh->domains; d; d = d->next)
		if (d->telemetry && d->telemetry->on)
			return true;
	return false;
}

const char *telemetry_describe(const struct domain *d)
{
	return d->telemetry ? d->telemetry->text : "off";
}

/* ---- ranks ---- */

static bool covers(const struct rank *r)
{
	const struct telemetry *t = r->dom->telemetry;

	return t && t->on && !r->led.vm && r->pidfd >= 0 && r->slot < t->slots;
}

void telemetry_attach(struct rank *r)
{
	struct telemetry *t = r->dom->telemetry;
	int ret;

	if (!covers(r))
		return;
	/* Of one that was adopted, they begin anew. */
	t->before[r->slot] = t->now[r->slot];
	ret = telemetry_bpf_mark(t->fd[TELEMETRY_TASKS], r->pidfd, r->slot + 1,
				 r->led.instance);
	if (ret)
		log_warn("nobody sees where a rank runs domain=%s slot=%u "
			 "error=\"%s\"",
			 r->dom->name, r->slot, strerror(-ret));
}

void telemetry_detach(struct rank *r)
{
	/* Its process may go on, and the slot be another's. */
	if (covers(r))
		telemetry_bpf_mark(r->dom->telemetry->fd[TELEMETRY_TASKS],
				   r->pidfd, 0, 0);
}

int telemetry_describe_to(const struct rank *r, struct snoo_wire_oncpu *m)
{
	const struct telemetry *t = r->dom->telemetry;

	if (!covers(r))
		return -1;
	*m = (struct snoo_wire_oncpu){
		.head = { SNOO_WIRE_ONCPU, sizeof(*m) },
		.slots = t->slots,
		.stride = sizeof(struct run_rank),
		.state = offsetof(struct run_rank, state),
		.instance = offsetof(struct run_rank, instance),
		.waits = offsetof(struct run_rank, waits),
	};
	return t->fd[TELEMETRY_RANKS];
}

bool telemetry_of(const struct rank *r, struct telemetry_rank *out)
{
	static const char *const states[] = {
		[RUN_UNKNOWN] = "unknown",
		[RUN_RUNS] = "runs",
		[RUN_WANTS] = "waits for its core",
		[RUN_SLEEPS] = "sleeps",
	};
	const struct telemetry *t = r->dom->telemetry;
	struct run_rank now, before;

	if (!covers(r))
		return false;
	now = t->now[r->slot];
	before = t->before[r->slot];
	if (now.instance != r->led.instance)
		now.state = RUN_UNKNOWN;
	out->state = states[now.state & 3];
	out->cpu = now.state == RUN_UNKNOWN ? -1 : (int32_t)now.cpu;
	out->waited_ns = now.waited_ns - before.waited_ns;
	out->waits = now.waits - before.waits;
	return true;
}
