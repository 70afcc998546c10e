/* SPDX-License-Identifier: MIT */
/*
 * stats_why.c - what one rank is in, and what it waits for, in words
 */
#include "daemon/stats.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/reap.h"
#include "daemon/touch.h"
#include "shm/wake.h"

struct text {
	char buf[512];
	size_t used;
};

static void say(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct text *t, const char *fmt, ...)
{
	size_t room = sizeof(t->buf) - t->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->used, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->used += (size_t)n < room ? (size_t)n : room - 1;
}

static void say_source(struct text *t, const struct rank *r, uint32_t source)
{
	const struct job *j = r->job;
	const struct rank *peer;

	if (source == SNOO_ABI_ANY) {
		say(t, " from any rank");
		return;
	}
	if (source >= j->led.capacity) {
		say(t, " from rank %u, which does not exist", source);
		return;
	}
	peer = j->member[source].rank;
	if (!peer)
		say(t, " from rank %u, which %s", source,
		    j->member[source].used ? "is gone" :
		    "has not joined yet");
	else if (!state_rank_alive(peer))
		say(t, " from rank %u, which is %s", source,
		    state_rank_name(peer));
	else
		say(t, " from rank %u", source);
}

static void say_blocks(struct text *t, const struct rank *r,
		       const struct touch_words *w)
{
	if (!w->want)
		return;
	if (r->sched.allow <= w->used)
		say(t, "; %llu bytes for rank %u wait for its allowance: the "
		    "pool is short, or its job has a rate limit",
		    (unsigned long long)w->want, w->want_peer);
	else
		say(t, "; %llu bytes for rank %u wait for a block: it holds "
		    "%u small and %u large ones",
		    (unsigned long long)w->want, w->want_peer,
		    r->blocks[SMALL], r->blocks[LARGE]);
}

static void say_alive(struct text *t, const struct rank *r,
		      const struct touch_words *w)
{
	const struct job *j = r->job;

	if (j->led.state == LEDGER_JOB_FORMING)
		say(t, "its job is forming: %u of %u ranks have joined",
		    j->led.joined, j->led.size);
	else if (w->call == SNOO_ABI_CALL_NONE)
		say(t, "nothing of ours: it computes, or waits elsewhere");
	else
		say(t, "in %s, %s", stats_call(w->call), stats_wait(w->wait));
	if (w->call != SNOO_ABI_CALL_NONE &&
	    wake_mode(w->wait) != SNOO_ABI_POLLING)
		say_source(t, r, wake_wanted(w->wait));
	say_blocks(t, r, w);
	if (r->need.rings[SMALL] || r->need.rings[LARGE])
		say(t, "; it needs a ring and the pool has no room for one");
}

static void say_gone(struct text *t, const struct rank *r)
{
	const struct rank *who = reap_waits_for(r);

	say(t, "it is %s; ", state_rank_name(r));
	if (who == r && r->led.vm && r->pidfd >= 0)
		say(t, "its memory is kept until the QEMU of VM slot %u, "
		    "which was ended, exits", r->led.vm);
	else if (who == r && r->led.vm)
		say(t, "its memory is kept until process %d of VM slot %u "
		    "ends", r->led.pid, r->led.vm);
	else if (who == r)
		say(t, "its memory is kept until process %d ends", r->led.pid);
	else if (who)
		say(t, "its memory is kept until rank %u has acknowledged",
		    who->led.rank);
	else
		say(t, "its memory is about to be freed");
}

json_t *stats_why(const struct rank *r)
{
	json_t *o = json_object();
	struct text text = { .used = 0 };
	struct touch_words w;

	touch_words(r, &w);
	if (state_rank_alive(r))
		say_alive(&text, r, &w);
	else
		say_gone(&text, r);
	json_put_str(o, "domain", r->dom->name);
	json_put_str(o, "job", r->job->led.name);
	json_put_u64(o, "number", r->job->led.number);
	json_put_u64(o, "rank", r->led.rank);
	json_put(o, "pid", json_integer(r->led.pid));
	json_put_str(o, "state", state_rank_name(r));
	json_put_str(o, "waits_for", text.buf);
	if (!state_rank_alive(r))
		return o;
	json_put_str(o, "call", stats_call(w.call));
	if (w.call != SNOO_ABI_CALL_NONE)
		stats_since(o, "since_ms",
			    stats_guest_ns(r, w.call_since_ns));
	json_put_str(o, "mode", stats_wait(w.wait));
	if (wake_wanted(w.wait) != SNOO_ABI_ANY)
		json_put_u64(o, "source", wake_wanted(w.wait));
	json_put_u64(o, "want_bytes", w.want);
	if (w.want)
		stats_since(o, "want_ms",
			    stats_guest_ns(r, w.want_since_ns));
	return o;
}
