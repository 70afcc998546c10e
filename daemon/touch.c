/* SPDX-License-Identifier: MIT */
/*
 * touch.c - what the daemon does in a pool, each step guarded
 *
 * Each operation is a small function over a struct step, run by guard_run():
 * it may be left at any load or store of the pool, so it touches the pool and
 * its step and nothing else.
 *
 * Every value read here is a peer's to write: it is copied once and either
 * shown as it is or checked by whoever uses it.
 */
#include "daemon/touch.h"

#include <errno.h>
#include <string.h>

#include "daemon/bells.h"
#include "hal/hal.h"
#include "shm/block.h"
#include "shm/job.h"
#include "shm/ring.h"
#include "shm/wake.h"

#define MEET_MINOR	4	/* of the wire protocol: such a rank meets */

struct step {
	struct domain *d;
	const struct shm_region *region;
	struct snoo_abi_rank *slot;	/* of rank; NULL: not a rank's step */
	const struct rank *rank;
	const struct job *job;
	uint64_t a, b;
	void *out;
	bool last_words;		/* try it in a lost domain too */
	bool bell;			/* afterwards: ring its eventfd */
	int64_t ret;
};

static int guarded(struct domain *d, void (*fn)(void *arg), void *arg)
{
	if (guard_run(&d->pool.guard, fn, arg) == 0)
		return 0;
	state_lose(d, "a page of its pool is gone: a member of the domain has "
		   "punched a hole into it");
	return -EFAULT;
}

int touch_run(struct domain *d, void (*fn)(void *arg), void *arg)
{
	return d->lost ? -EFAULT : guarded(d, fn, arg);
}

static int64_t run(struct step *s, void (*fn)(void *step))
{
	if (s->d->lost && !s->last_words)
		return -EFAULT;
	s->region = &s->d->pool.region;
	if (s->rank)
		s->slot = shm_region_rank(s->region, s->rank->slot);
	return guarded(s->d, fn, s) ? -EFAULT : s->ret;
}

/*
 * The eventfd that wakes @r.  Never inside of a step, which may be left at any
 * store and would leave the thread's lock, and never written by us.
 */
static void toll(const struct rank *r)
{
	struct bells *b = r->dom->bells;

	/* The books are ours, but they may be those of another make. */
	if (b && r->led.vector > 0 && r->led.vector < bells_vectors(b) &&
	    r->led.vm < bells_slots(b))
		bells_ring(b, r->led.vm, r->led.vector);
}

void touch_toll(const struct rank *r)
{
	toll(r);
}

static int run_and_toll(struct step *s, void (*fn)(void *step))
{
	int64_t ret = run(s, fn);

	if (s->bell)
		toll(s->rank);
	return (int)ret;
}

static struct step on_rank(const struct rank *r)
{
	return (struct step){ .d = r->dom, .rank = r };
}

/* ---- head ---- */

static void head_step(void *arg)
{
	struct step *s = arg;
	struct snoo_abi_pool *head = s->region->head;

	/* Release: what was repaired is seen by who sees this epoch. */
	atomic_store_explicit(&head->state, (uint32_t)s->b,
			      memory_order_release);
	atomic_store_explicit(&head->epoch, (uint32_t)s->a,
			      memory_order_release);
}

int touch_head(struct domain *d, uint32_t epoch, uint32_t state)
{
	struct step s = { .d = d, .a = epoch, .b = state, .last_words = true };

	return (int)run(&s, head_step);
}

/* ---- rank slots ---- */

static void again_step(void *arg)
{
	struct step *s = arg;
	const struct rank *r = s->rank;

	s->slot->rank = r->led.rank;
	s->slot->job = r->job->led.number;
	s->slot->instance = r->led.instance;
	/* Relaxed: for status; the member entry is what peers go by. */
	atomic_store_explicit(&s->slot->core, (uint32_t)r->led.core,
			      memory_order_relaxed);
	/* Relaxed: who sees an older one sends a copy of a loan. */
	atomic_store_explicit(&s->slot->minor, (uint32_t)r->led.minor,
			      memory_order_relaxed);
	/* Relaxed: who believes an old one sends to a ring that is read. */
	atomic_store_explicit(&s->slot->registers,
			      r->registers && state_rank_alive(r),
			      memory_order_relaxed);
	atomic_store_explicit(&s->slot->state, state_member(r),
			      memory_order_release);
}

static void begin_step(void *arg)
{
	struct step *s = arg;
	unsigned char *regs = shm_region_regs(s->region);

	memset(regs + (size_t)s->rank->slot * SNOO_ABI_REGS_STRIDE, 0,
	       SNOO_ABI_REGS_STRIDE);
	memset(s->slot, 0, sizeof(*s->slot));
	atomic_store_explicit(&s->slot->allow, SNOO_ABI_UNLIMITED,
			      memory_order_relaxed);
	atomic_store_explicit(&s->slot->sharers, 1, memory_order_relaxed);
	again_step(s);
}

int touch_rank_begin(const struct rank *r)
{
	struct step s = on_rank(r);

	return (int)run(&s, begin_step);
}

int touch_rank_again(const struct rank *r)
{
	struct step s = on_rank(r);

	return (int)run(&s, again_step);
}

static void sharers_step(void *arg)
{
	struct step *s = arg;

	/* Relaxed: a hint on how to wait. */
	atomic_store_explicit(&s->slot->sharers, (uint32_t)s->a,
			      memory_order_relaxed);
}

int touch_sharers(const struct rank *r, uint32_t sharers)
{
	struct step s = on_rank(r);

	s.a = sharers;
	return (int)run(&s, sharers_step);
}

/* Wake it by the bell that its wait word names; @ring: its futex. */
static void wake_by(struct step *s, uint32_t source,
		    int (*ring)(struct hal *h, uint32_t core, uint32_t bits),
		    uint32_t bits)
{
	switch (shm_wake_check(s->slot, source)) {
	case SHM_WAKE_FUTEX:
		ring(s->d->hal, s->rank->slot, bits);
		break;
	case SHM_WAKE_EVENTFD:
		s->bell = true;
		break;
	case SHM_WAKE_NONE:
		break;
	}
}

static void wake_step(void *arg)
{
	wake_by(arg, SNOO_ABI_ANY, hal_ring, SNOO_ABI_BELL_NEWS);
}

int touch_wake(const struct rank *r)
{
	struct step s = on_rank(r);

	return run_and_toll(&s, wake_step);
}

static void from_step(void *arg)
{
	struct step *s = arg;

	wake_by(s, (uint32_t)s->a, hal_ring, SNOO_ABI_BELL_DATA);
}

int touch_wake_from(const struct rank *r, uint32_t source)
{
	struct step s = on_rank(r);

	s.a = source;
	return run_and_toll(&s, from_step);
}

static void reach_step(void *arg)
{
	/*
	 * Whatever is pending: a ringer of another kernel has set its bit, and
	 * its wake-up went to nobody.
	 */
	wake_by(arg, SNOO_ABI_ANY, hal_nudge, SNOO_ABI_BELL_DATA);
}

int touch_ring(const struct rank *r)
{
	struct step s = on_rank(r);

	return run_and_toll(&s, reach_step);
}

static void allow_step(void *arg)
{
	struct step *s = arg;

	/* Relaxed: a number; nothing is published with it. */
	atomic_store_explicit(&s->slot->allow, s->a, memory_order_relaxed);
	wake_step(s);
}

int touch_allow(const struct rank *r, uint64_t allow)
{
	struct step s = on_rank(r);

	s.a = allow;
	return run_and_toll(&s, allow_step);
}

static void news_step(void *arg)
{
	struct step *s = arg;

	/* Release: the message is in the socket before the word says so. */
	atomic_fetch_add_explicit(&s->slot->news, 1, memory_order_release);
	if (!s->a) {
		wake_step(s);
		return;
	}
	/* A ringer may have died before it woke the sleeper. */
	hal_nudge(s->d->hal, s->rank->slot,
		  SNOO_ABI_BELL_NEWS | SNOO_ABI_BELL_DATA);
	s->bell = true;
}

int touch_news(const struct rank *r, bool always)
{
	struct step s = on_rank(r);

	s.a = always;
	s.last_words = true;
	return run_and_toll(&s, news_step);
}

static void words_step(void *arg)
{
	struct step *s = arg;
	struct touch_words *w = s->out;
	struct snoo_abi_rank *a = s->slot;

	/* Relaxed: numbers that need not fit together. */
	w->wait = atomic_load_explicit(&a->wait, memory_order_relaxed);
	w->used = atomic_load_explicit(&a->used, memory_order_relaxed);
	w->want = atomic_load_explicit(&a->want, memory_order_relaxed);
	w->want_since_ns = atomic_load_explicit(&a->want_since_ns,
						memory_order_relaxed);
	w->want_peer = atomic_load_explicit(&a->want_peer,
					    memory_order_relaxed);
	w->call = atomic_load_explicit(&a->call, memory_order_relaxed);
	w->call_since_ns = atomic_load_explicit(&a->call_since_ns,
						memory_order_relaxed);
}

int touch_words(const struct rank *r, struct touch_words *out)
{
	struct step s = on_rank(r);

	memset(out, 0, sizeof(*out));
	s.out = out;
	return (int)run(&s, words_step);
}

static void regs_step(void *arg)
{
	struct step *s = arg;

	s->ret = hal_read_regs(s->d->hal, s->rank->slot, s->out);
}

int touch_regs(const struct rank *r, struct hal_regs *out)
{
	struct step s = on_rank(r);

	memset(out, 0, sizeof(*out));
	s.out = out;
	return (int)run(&s, regs_step);
}

static void counters_step(void *arg)
{
	struct step *s = arg;
	uint64_t *out = s->out;

	for (unsigned int i = 0; i < SHM_COUNTERS; i++)
		out[i] = shm_counter(s->slot, (enum shm_counter)i);
}

int touch_counters(const struct rank *r, uint64_t out[SHM_COUNTERS])
{
	struct step s = on_rank(r);

	memset(out, 0, SHM_COUNTERS * sizeof(*out));
	s.out = out;
	return (int)run(&s, counters_step);
}

/* ---- jobs ---- */

static int view(const struct step *s, struct shm_job *v)
{
	return shm_job_open(v, s->region, s->job->led.job_off,
			    s->job->led.capacity);
}

static void counts_step(void *arg)
{
	struct step *s = arg;
	struct shm_job v;

	s->ret = view(s, &v);
	if (s->ret)
		return;
	/* Release: the members are there before they are counted. */
	atomic_store_explicit(&v.abi->size, s->job->led.size,
			      memory_order_release);
	atomic_store_explicit(&v.abi->joined, s->job->led.joined,
			      memory_order_release);
}

static void job_begin_step(void *arg)
{
	struct step *s = arg;
	struct shm_job v;

	s->ret = shm_job_format(&v, s->region, s->job->led.job_off,
				s->job->led.number, s->job->led.capacity);
	if (s->ret == 0)
		counts_step(s);
}

int touch_job_begin(const struct job *j)
{
	struct step s = { .d = j->dom, .job = j };

	return (int)run(&s, job_begin_step);
}

int touch_job_counts(const struct job *j)
{
	struct step s = { .d = j->dom, .job = j };

	return (int)run(&s, counts_step);
}

static void member_step(void *arg)
{
	struct step *s = arg;
	struct shm_job v;
	struct snoo_abi_member *m;

	s->ret = view(s, &v);
	if (s->ret)
		return;
	if (s->rank->led.minor < MEET_MINOR)
		shm_job_no_meetings(&v);
	m = &v.member[s->rank->led.rank];
	/* Release: the slot was cleared for its rank before it is named. */
	atomic_store_explicit(&m->state, state_member(s->rank),
			      memory_order_release);
	atomic_store_explicit(&m->slot, s->rank->slot + 1,
			      memory_order_release);
}

int touch_member(const struct rank *r)
{
	struct step s = { .d = r->dom, .rank = r, .job = r->job };

	return (int)run(&s, member_step);
}

static void channel_step(void *arg)
{
	struct step *s = arg;
	struct touch_channel *c = s->out;
	struct shm_job v;
	struct shm_rx rx;
	uint64_t offset;

	s->ret = view(s, &v);
	if (s->ret)
		return;
	offset = shm_job_channel(&v, (uint32_t)s->a, (uint32_t)s->b);
	if (!offset || shm_rx_open(&rx, s->region, offset))
		return;
	c->offset = offset;
	c->nlines = rx.nlines;
	/* Relaxed: for status. */
	c->published = atomic_load_explicit(&rx.abi->published,
					    memory_order_relaxed);
	c->consumed = atomic_load_explicit(&rx.abi->consumed,
					   memory_order_relaxed);
}

int touch_channel(const struct job *j, uint32_t receiver, uint32_t sender,
		  struct touch_channel *out)
{
	struct step s = { .d = j->dom, .job = j, .a = receiver, .b = sender,
			  .out = out };

	memset(out, 0, sizeof(*out));
	return (int)run(&s, channel_step);
}

/* ---- rings and blocks ---- */

static void ring_step(void *arg)
{
	struct step *s = arg;

	s->ret = shm_ring_format(s->region,
				 pool_offset(&s->d->pool, (uint32_t)s->a),
				 s->b, s->rank->slot);
}

int64_t touch_ring_begin(const struct rank *r, uint32_t unit, uint64_t bytes)
{
	struct step s = on_rank(r);

	s.a = unit;
	s.b = bytes;
	return run(&s, ring_step);
}

static struct snoo_abi_desc *desc(const struct step *s)
{
	return shm_region_desc(s->region, (uint32_t)s->a);
}

static void grant_step(void *arg)
{
	struct step *s = arg;

	*(uint32_t *)s->out = shm_block_grant(desc(s), s->rank->slot);
}

int touch_block_grant(const struct rank *r, uint32_t unit,
		      uint32_t *generation)
{
	struct step s = on_rank(r);

	s.a = unit;
	s.out = generation;
	return (int)run(&s, grant_step);
}

static void loan_step(void *arg)
{
	struct step *s = arg;

	shm_block_measure(desc(s), (uint32_t)(s->b / SNOO_ABI_UNIT));
	grant_step(s);
}

int touch_loan_grant(const struct rank *r, uint32_t unit, uint64_t bytes,
		     uint32_t *generation)
{
	struct step s = on_rank(r);

	s.a = unit;
	s.b = bytes;
	s.out = generation;
	return (int)run(&s, loan_step);
}

static void recall_step(void *arg)
{
	struct step *s = arg;

	s->ret = shm_block_recall(desc(s), s->rank->slot);
}

int touch_block_recall(const struct rank *r, uint32_t unit)
{
	struct step s = on_rank(r);

	s.a = unit;
	return (int)run(&s, recall_step);
}

static void seize_step(void *arg)
{
	struct step *s = arg;

	shm_block_seize(desc(s));
}

int touch_block_seize(struct domain *d, uint32_t unit)
{
	struct step s = { .d = d, .a = unit };

	return (int)run(&s, seize_step);
}

static void look_step(void *arg)
{
	struct step *s = arg;
	uint64_t word = shm_block_look(desc(s));

	*(uint32_t *)s->out = block_generation(word);
	if (block_home(word) == s->rank->slot)
		s->ret = block_state(word);
}

int touch_block_state(const struct rank *r, uint32_t unit,
		      uint32_t *generation)
{
	struct step s = on_rank(r);

	s.a = unit;
	s.out = generation;
	return (int)run(&s, look_step);
}
