/* SPDX-License-Identifier: MIT */
/*
 * regs_serve.c - the rounds of the register service, and when it sleeps
 *
 * Theory of operation
 * ===================
 *
 * A round looks at all `out` rings, reads at most a window of each, begins to
 * send what may go, moves words in the mailboxes, and gives back what has
 * arrived.  What may go: the oldest message from one rank to another, if the
 * lane between their cores is free and the receiver has room.  Room is promised
 * when a message sets out, so that none has to wait when it comes out of a
 * mailbox.  No rank has more than REGS_A_ROUND messages read or sent in a round,
 * and who comes first changes from round to round, so a flood takes time from
 * nobody but in proportion.
 *
 * Rounds go on for REGS_SLICE_NS, then fds and timers have their turn.  When
 * nothing has moved for REGS_POLL_NS the service goes to sleep: it says so in
 * the head of each pool and makes one more round.  Messages whose receiver has
 * no room, or whose lane waits for a repeat, are no reason to poll: a timer
 * looks after them, less and less often.
 *
 * No round begins when nobody has looked for REGS_REFRESH_NS which cores are
 * online: while we slept, the kernel may have begun to bring one back.
 *
 * Ordering edges
 * ==============
 *
 *   edge  one end                        other end                  so that
 *   LOOK  sleep: store asleep, fence,    rank: publish in `out`,    one of the
 *         look at all `out` rings        fence, load asleep         two sees
 *                                                                   the other
 */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/post.h"
#include "daemon/regs_impl.h"
#include "daemon/touch.h"
#include "shm/testpoint.h"

#define NS_PER_US UINT64_C(1000)

/* Long enough that the fds cost little beside it, short enough for them. */
#define REGS_SLICE_NS (20 * NS_PER_US)
/* About what it costs to be woken: polling for longer saves nothing. */
#define REGS_POLL_NS	(60 * NS_PER_US)
#define REGS_REFRESH_NS (1000 * NS_PER_US)
#define REGS_A_ROUND	8u
/* A whole message and its answer. */
#define POLLS_A_ROUND (MAIL_WORDS + 4)
/* A lane repeats by time.  Who makes room says LOOK: that is for safety only. */
#define AGAIN_LANE_MS 50
#define AGAIN_ROOM_MS 1000

/* ---- who is who ---- */

/*
 * Who gets a message of @r for rank @peer.  NULL: nobody: it is gone, or has
 * acknowledged that @r is.
 */
static struct regs_rank *receiver(const struct regs_rank *r, uint32_t peer)
{
	const struct rank *to = r->rank->job->member[peer].rank;

	if (!to || !state_rank_alive(to) || !to->regs || to->regs->deaf)
		return NULL;
	if (r->rank->led.gone && to->led.acked >= r->rank->led.gone)
		return NULL;
	return to->regs;
}

/*
 * It is no member yet, or one without rings.  Its slot may say otherwise, and
 * that is anybody's to write: whoever believed it has done nothing wrong, and
 * sends again by the channel what stays in its ring.
 */
static bool unreachable(const struct regs_rank *r, uint32_t peer)
{
	const struct member *m = &r->rank->job->member[peer];

	return !m->used ||
	       (m->rank && state_rank_alive(m->rank) && !m->rank->regs);
}

static struct regs_way *way_of(struct regs *g, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < g->ways; i++)
		if (g->way[i].from_core == from && g->way[i].to_core == to)
			return &g->way[i];
	return NULL;
}

/* What it said cannot be: its session ends, and with it what it sends. */
static void spoilt(struct regs_rank *r, const char *why)
{
	r->closed = true;
	if (r->rank->session)
		post_break(r->rank->session, why);
}

/* ---- arriving ---- */

static void arrive(struct regs *g, struct regs_rank *r, struct regs_flight *f,
		   const struct regs_message *m, uint64_t *count)
{
	struct regs_rank *to = receiver(r, f->m.peer);
	struct regs_message in = *m;

	f->state = REGS_ARRIVED;
	if (!to) {
		g->dropped++;
		return;
	}
	in.peer = r->rank->led.rank;
	if (regs_ring_put(to, &in))
		return;
	touch_wake_from(to->rank, in.peer);
	SNOO_TESTPOINT("daemon_regs_woken");
	(*count)++;
}

static void keep_promise(struct regs_way *w)
{
	if (w->to)
		w->to->promised -= SNOO_ABI_REGISTER_LINES;
	w->to = NULL;
}

/* A message has come out of the mailboxes of @core. */
static void deliver(void *arg, uint32_t core, const struct mail_message *mail)
{
	struct regs *g = arg;
	struct regs_message m = {
		.number = mail->number,
		.tag = mail->tag,
		.context = mail->context,
		.length = mail->length,
	};

	for (uint32_t i = 0; i < g->ways; i++) {
		struct regs_way *w = &g->way[i];

		/* Nothing that we did not send, and nothing twice. */
		if (w->from_id != mail->from || w->to_id != mail->to ||
		    w->to_core != core || w->number != mail->number ||
		    !w->flight)
			continue;
		keep_promise(w);
		memcpy(m.data, mail->data, sizeof(m.data));
		arrive(g, w->from, w->flight, &m, &g->messages);
		w->flight = NULL;
		return;
	}
}

static void done(void *arg, uint32_t from, uint32_t to, int error)
{
	struct regs *g = arg;
	struct regs_way *w = way_of(g, from, to);

	if (!w)
		return;
	if (error)
		log_debug("a register message was given up from=%u to=%u "
			  "error=\"%s\"",
			  from, to, strerror(-error));
	keep_promise(w);
	if (w->flight)
		arrive(g, w->from, w->flight, &w->flight->m, &g->copied);
	*w = g->way[--g->ways];
}

const struct mail_ops regs_told = { .deliver = deliver, .done = done };

/* ---- setting out ---- */

static bool has_core(const struct regs *g, const struct regs_rank *r)
{
	return r->rank->led.core >= 0 &&
	       mail_core(g->mail, (uint32_t)r->rank->led.core);
}

static int by_mail(struct regs *g, struct regs_rank *r, struct regs_rank *to,
		   struct regs_flight *f)
{
	struct regs_way *w = &g->way[g->ways];
	uint32_t from = (uint32_t)r->rank->led.core;
	uint32_t to_core = (uint32_t)to->rank->led.core;
	struct mail_message m = {
		.from = r->id,
		.to = to->id,
		.number = f->m.number,
		.tag = f->m.tag,
		.context = f->m.context,
		.length = f->m.length,
	};
	int ret;

	if (!g->mail || !has_core(g, r) || !has_core(g, to) || from == to_core)
		return -ENODEV;
	if (g->ways == REGS_WAYS || way_of(g, from, to_core))
		return -EAGAIN;
	memcpy(m.data, f->m.data, sizeof(m.data));
	ret = mail_send(g->mail, from, to_core, &m);
	if (ret)
		return ret;
	w->from_core = from;
	w->to_core = to_core;
	w->from_id = r->id;
	w->to_id = to->id;
	w->number = f->m.number;
	w->from = r;
	w->to = to;
	w->flight = f;
	g->ways++;
	to->promised += SNOO_ABI_REGISTER_LINES;
	f->state = REGS_UNDER_WAY;
	SNOO_TESTPOINT("daemon_regs_sent");
	return 0;
}

/* Has it room for so many lines more?  If not, somebody waits. */
static bool has_room(struct regs *g, struct regs_rank *to, uint32_t lines)
{
	int ret = regs_ring_room(to, lines);

	if (ret > 0)
		return true;
	g->waiting = true;
	if (ret == -EPROTO && !to->deaf) {
		to->deaf = true;
		spoilt(to, "the counter of its ring for register messages is "
			   "impossible");
	}
	return false;
}

/* 1: it has set out or arrived; 0: it waits, and who comes behind it to the
 * same rank too. */
static int set_out(struct regs *g, struct regs_rank *r, struct regs_flight *f)
{
	struct regs_rank *to = receiver(r, f->m.peer);
	int ret;

	if (!to) {
		if (unreachable(r, f->m.peer))
			return 0;
		f->state = REGS_ARRIVED;
		g->dropped++;
		return 1;
	}
	if (!has_room(g, to, SNOO_ABI_REGISTER_LINES))
		return 0;
	ret = by_mail(g, r, to, f);
	if (ret == -EAGAIN) {
		g->waiting = true;
		return 0;
	}
	if (ret)
		arrive(g, r, f, &f->m, &g->copied);
	return 1;
}

struct targets {
	uint32_t peer[REGS_WINDOW];
	uint32_t n;
};

static bool held_up(const struct targets *t, uint32_t peer)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->peer[i] == peer)
			return true;
	return false;
}

/* How many have set out or arrived. */
static uint32_t set_out_all(struct regs *g, struct regs_rank *r)
{
	struct targets busy = { .n = 0 };
	uint32_t moved = 0;

	for (uint32_t i = 0; i < r->n && moved < REGS_A_ROUND; i++) {
		struct regs_flight *f =
			&r->flight[(r->first + i) % REGS_WINDOW];

		if (f->state == REGS_ARRIVED || held_up(&busy, f->m.peer))
			continue;
		if (f->state == REGS_WAITING && set_out(g, r, f)) {
			moved++;
			if (f->state == REGS_ARRIVED)
				continue;
		}
		busy.peer[busy.n++] = f->m.peer;
	}
	return moved;
}

/* `consumed` passes what has arrived, in the order of the ring. */
static void give_back(struct regs_rank *r)
{
	uint32_t before = r->arrived;

	while (r->n > 0 && r->flight[r->first].state == REGS_ARRIVED) {
		r->first = (r->first + 1) % REGS_WINDOW;
		r->n--;
		r->arrived += SNOO_ABI_REGISTER_LINES;
	}
	if (r->arrived != before)
		regs_ring_tell(r);
}

void regs_take(struct regs_rank *r, uint32_t most)
{
	r->fresh = false;
	if (regs_ring_take(r, most) == -EPROTO)
		spoilt(r, "its ring of register messages holds what cannot be "
			  "one");
}

/* ---- GONE lines ---- */

/* Has all arrived that @from had for rank @peer? */
static bool all_arrived(const struct regs_rank *from, uint32_t peer)
{
	for (uint32_t i = 0; i < from->n; i++) {
		const struct regs_flight *f =
			&from->flight[(from->first + i) % REGS_WINDOW];

		if (f->state != REGS_ARRIVED && f->m.peer == peer)
			return false;
	}
	return true;
}

/* It has not waited for the line: its ring is spoilt. */
static bool acknowledged(const struct regs_rank *r, const struct rank *gone)
{
	return gone && r->rank->led.acked >= gone->led.gone;
}

/* 1: it is put, or is no longer wanted; 0: not yet */
static int put_gone(struct regs *g, struct regs_rank *r, uint32_t gone)
{
	const struct rank *from = r->rank->job->member[gone].rank;

	if (!acknowledged(r, from)) {
		if (from && from->regs &&
		    !all_arrived(from->regs, r->rank->led.rank))
			return 0;
		if (!has_room(g, r, 1) || regs_ring_put_gone(r, gone))
			return 0;
		touch_wake_from(r->rank, gone);
	}
	r->due[gone / 32] &= ~(UINT32_C(1) << gone % 32);
	r->dues--;
	return 1;
}

static uint32_t put_dues(struct regs *g, struct regs_rank *r)
{
	uint32_t moved = 0;

	for (uint32_t w = 0; w < SNOO_ABI_JOB_RANKS / 32; w++) {
		for (uint32_t left = r->due[w]; left; left &= left - 1)
			moved += (uint32_t)put_gone(
				g, r, w * 32 + (uint32_t)__builtin_ctz(left));
	}
	return moved;
}

/* ---- rounds ---- */

static uint32_t serve_rank(struct regs *g, struct regs_rank *r)
{
	uint32_t moved = 0, before = r->arrived;

	if (r->fresh) {
		regs_take(r, REGS_A_ROUND);
		moved++;
	}
	if (r->n > 0) {
		moved += set_out_all(g, r);
		give_back(r);
	}
	if (r->dues && !r->deaf && state_rank_alive(r->rank))
		moved += put_dues(g, r);
	return moved + (r->arrived != before);
}

/* Whoever was first is last next time. */
static void rotate(struct domain *d)
{
	struct regs_rank *first = d->regs, **end;

	if (!first || !first->next)
		return;
	d->regs = first->next;
	first->next = NULL;
	for (end = &d->regs; *end; end = &(*end)->next)
		;
	*end = first;
}

static uint32_t serve_domain(struct regs *g, struct domain *d)
{
	uint32_t moved = 0;

	if (!d->regs || regs_ring_look(d) < 0)
		return 0;
	for (struct regs_rank *r = d->regs; r && !d->lost; r = r->next)
		moved += serve_rank(g, r);
	if (moved)
		rotate(d);
	return moved;
}

uint32_t regs_round(struct regs *g)
{
	uint32_t moved = 0, words;

	g->waiting = false;
	for (struct domain *d = g->sh->domains; d; d = d->next)
		moved += serve_domain(g, d);
	for (uint32_t i = 0; g->mail && i < g->polls; i++) {
		words = mail_poll(g->mail);
		if (words == 0)
			break;
		moved += words;
	}
	return moved;
}

/* ---- cores ---- */

void regs_refresh(struct regs *g)
{
	uint32_t changed;

	g->refreshed_ns = loop_now_ns();
	if (!g->mail)
		return;
	changed = mail_refresh(g->mail);
	if (changed == 0)
		return;
	g->core_changes += changed;
	for (unsigned int cpu = topo_set_next(&g->served, 0); cpu < TOPO_CPUS;
	     cpu = topo_set_next(&g->served, cpu + 1))
		log_debug("register service: cpu=%u online=%s", cpu,
			  mail_core(g->mail, cpu) ? "yes" : "no");
	log_always(LOG_LEVEL_INFO,
		   "cores have come or gone: register messages "
		   "from and to those that are offline are copied changed=%u",
		   changed);
	/* What was under way to one that went has to be copied. */
	regs_wake(g);
}

/* ---- polling and sleeping ---- */

static void say_asleep(struct regs *g, uint32_t asleep)
{
	for (struct domain *d = g->sh->domains; d; d = d->next)
		if (d->regs)
			regs_ring_asleep(d, asleep);
}

static void slice(void *arg);

static void poll_on(struct regs *g)
{
	g->busy = true;
	g->moved_ns = loop_now_ns();
	g->again_ms = 1;
	loop_timer_stop(g->again);
	loop_busy(g->sh->loop, slice, g);
}

void regs_wake(struct regs *g)
{
	if (g->busy) {
		g->moved_ns = loop_now_ns();
		return;
	}
	say_asleep(g, 0);
	SNOO_TESTPOINT("daemon_regs_awake");
	poll_on(g);
}

/* Something is left: in a lane, or for want of room. */
static void look_later(struct regs *g)
{
	bool lanes = g->mail && (g->ways || mail_busy(g->mail));
	uint64_t most = lanes ? AGAIN_LANE_MS : AGAIN_ROOM_MS;

	if (!g->waiting && !lanes)
		return;
	if (g->again_ms > most)
		g->again_ms = most;
	loop_timer_start(g->again, g->again_ms, 0);
	g->again_ms *= 2;
}

static void on_again(void *arg)
{
	struct regs *g = arg;

	regs_refresh(g);
	if (g->busy)
		return;
	if (regs_round(g)) {
		say_asleep(g, 0);
		poll_on(g);
		return;
	}
	look_later(g);
}

static void try_sleep(struct regs *g)
{
	say_asleep(g, 1);
	/* LOOK, the service's side: now look at all `out` rings once more. */
	atomic_thread_fence(memory_order_seq_cst);
	SNOO_TESTPOINT("daemon_regs_asleep");
	if (regs_round(g)) {
		say_asleep(g, 0);
		poll_on(g);
		return;
	}
	g->busy = false;
	loop_busy(g->sh->loop, NULL, NULL);
	SNOO_TESTPOINT("daemon_regs_slept");
	look_later(g);
}

static void slice(void *arg)
{
	struct regs *g = arg;
	uint64_t begin = loop_now_ns(), now = begin;
	uint32_t moved;

	do {
		/* First: we may have slept, or had no core, for long. */
		if (now - g->refreshed_ns >= REGS_REFRESH_NS)
			regs_refresh(g);
		moved = regs_round(g);
		now = loop_now_ns();
		if (moved)
			g->moved_ns = now;
	} while (moved && now - begin < REGS_SLICE_NS);
	if (moved)
		return;
	if (now - g->moved_ns >= REGS_POLL_NS)
		try_sleep(g);
	else
		/* With as many ranks as cores, who has work needs this one. */
		sched_yield();
}

int regs_serve_open(struct regs *g)
{
	g->again_ms = 1;
	g->polls = POLLS_A_ROUND;
	return loop_timer_open(&g->again, g->sh->loop, on_again, g);
}

void regs_serve_close(struct regs *g)
{
	loop_busy(g->sh->loop, NULL, NULL);
	loop_timer_close(g->again);
}
