/* SPDX-License-Identifier: MIT */
/*
 * guest_pool.c - what a VM's daemon does in the pool, each step guarded
 */
#include "daemon/guest_pool.h"

#include <errno.h>
#include <string.h>

#include "daemon/log.h"
#include "shm/wake.h"

struct step {
	struct snoo_abi_rank *slot;
	bool always;
	bool ring;
	struct guest_pool_words *out;
};

int guest_pool_open(struct guest *g, const struct snoo_ctl_welcome *w)
{
	struct guest_pool *p = &g->pool;
	unsigned char *base = guest_dev_pool(g->dev);
	struct shm_region r;

	if (w->pool_bytes != guest_dev_pool_bytes(g->dev) ||
	    shm_region_plan(&r, w->pool_bytes, w->ranks))
		return -EPROTO;
	r.base = base;
	r.head = (struct snoo_abi_pool *)(base + SNOO_ABI_HEAD_OFFSET);
	p->region = r;
	guard_init(&p->guard, base + SNOO_ABI_HEAD_OFFSET,
		   (size_t)(r.size - SNOO_ABI_HEAD_OFFSET));
	return 0;
}

static int run(struct guest *g, uint32_t slot, struct step *s,
	       void (*fn)(void *step))
{
	struct guest_pool *p = &g->pool;

	if (!p->region.base)
		return -EFAULT;
	s->slot = shm_region_rank(&p->region, slot);
	if (!s->slot)
		return -EFAULT;
	if (guard_run(&p->guard, fn, s) == 0)
		return 0;
	if (!p->lost)
		log_err("a page of the pool is gone: a member of the domain "
			"has punched a hole into it");
	p->lost = true;
	return -EFAULT;
}

static void news_step(void *arg)
{
	struct step *s = arg;

	/* Release: the message is in the socket before the word says so. */
	atomic_fetch_add_explicit(&s->slot->news, 1, memory_order_release);
	/* What it sleeps on is its vector's eventfd, whatever it says. */
	s->ring = shm_wake_check(s->slot, SNOO_ABI_ANY) != SHM_WAKE_NONE ||
		  s->always;
}

bool guest_pool_news(struct guest *g, uint32_t slot, bool always)
{
	struct step s = { .always = always };

	if (run(g, slot, &s, news_step))
		return always;
	return s.ring;
}

static void words_step(void *arg)
{
	struct step *s = arg;
	struct guest_pool_words *w = s->out;
	struct snoo_abi_rank *a = s->slot;

	/* Relaxed: numbers that need not fit together. */
	w->wait = atomic_load_explicit(&a->wait, memory_order_relaxed);
	w->call = atomic_load_explicit(&a->call, memory_order_relaxed);
	w->call_since_ns = atomic_load_explicit(&a->call_since_ns,
						memory_order_relaxed);
	w->rank = a->rank;
	w->job = a->job;
}

int guest_pool_words(struct guest *g, uint32_t slot,
		     struct guest_pool_words *out)
{
	struct step s = { .out = out };
	int ret;

	memset(out, 0, sizeof(*out));
	ret = run(g, slot, &s, words_step);
	if (ret)
		memset(out, 0, sizeof(*out));
	return ret;
}
