/* SPDX-License-Identifier: MIT */
/*
 * guard.c - leave a function whose memory has vanished
 *
 * Theory of operation
 * ===================
 *
 * guard_run() pushes a frame {range, jump buffer} onto the thread's chain and
 * calls the function.  The SIGBUS handler runs on the thread that touched the
 * page; it looks for a frame whose range holds the address and jumps there.
 * The signal is synchronous, so what it interrupts is a load or a store of
 * the function itself, never the inside of malloc or stdio (guard.h forbids
 * those).
 *
 * The handler is installed with SA_NODEFER and an empty mask: it changes no
 * signal mask that the jump would have to restore, and guard_run() needs no
 * system call to save one.
 *
 * Without a frame that fits, the action that was there before is put back
 * and the instruction runs again: the process dies as it would have.
 */

#include "daemon/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

struct guard_frame {
	struct guard *guard;
	struct guard_frame *outer;
	sigjmp_buf leave;
};

/*
 * Read by the handler on the same thread: volatile, and a signal fence where
 * it changes, so that the frame is whole before it can be seen.
 */
static _Thread_local struct guard_frame *volatile innermost;

static struct sigaction before;
static unsigned int opened;

static bool covers(const struct guard *g, uintptr_t addr)
{
	return addr >= g->base && addr - g->base < g->size;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	(void)context;

	/* si_code above 0: the kernel reports a fault; else somebody's kill */
	if (info->si_code > 0) {
		uintptr_t addr = (uintptr_t)info->si_addr;

		for (struct guard_frame *f = innermost; f; f = f->outer) {
			if (!covers(f->guard, addr))
				continue;
			/* Relaxed: counters for status, order nothing. */
			atomic_fetch_add_explicit(&f->guard->hits, 1,
						  memory_order_relaxed);
			atomic_store_explicit(&f->guard->where,
					      addr - f->guard->base,
					      memory_order_relaxed);
			siglongjmp(f->leave, 1);
		}
	}

	sigaction(SIGBUS, &before, NULL);
	if (info->si_code <= 0)
		raise(sig);
	/* A fault: the instruction runs again, under the former action. */
}

int guard_open(void)
{
	struct sigaction act = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	if (opened == 0) {
		sigemptyset(&act.sa_mask);
		if (sigaction(SIGBUS, &act, &before))
			return -errno;
	}
	opened++;
	return 0;
}

void guard_close(void)
{
	if (opened > 0 && --opened == 0)
		sigaction(SIGBUS, &before, NULL);
}

void guard_init(struct guard *g, const void *base, size_t size)
{
	g->base = (uintptr_t)base;
	g->size = size;
	atomic_init(&g->hits, 0);
	atomic_init(&g->where, 0);
}

int guard_run(struct guard *g, void (*fn)(void *arg), void *arg)
{
	struct guard_frame frame;

	frame.guard = g;
	frame.outer = innermost;
	if (sigsetjmp(frame.leave, 0)) {
		innermost = frame.outer;
		return -EFAULT;
	}
	atomic_signal_fence(memory_order_seq_cst);
	innermost = &frame;

	fn(arg);

	innermost = frame.outer;
	atomic_signal_fence(memory_order_seq_cst);
	return 0;
}

/* ---- copies ---- */

struct copy {
	void *dst;
	const void *src;
	size_t bytes;
};

static void copy(void *arg)
{
	const struct copy *c = arg;

	memcpy(c->dst, c->src, c->bytes);
}

static void zero(void *arg)
{
	const struct copy *c = arg;

	memset(c->dst, 0, c->bytes);
}

static bool within(const struct guard *g, const void *at, size_t bytes)
{
	uintptr_t addr = (uintptr_t)at;

	return addr >= g->base && bytes <= g->size &&
	       addr - g->base <= g->size - bytes;
}

int guard_copy_out(struct guard *g, void *dst, const void *pool_src,
		   size_t bytes)
{
	struct copy c = { .dst = dst, .src = pool_src, .bytes = bytes };

	if (!within(g, pool_src, bytes))
		return -EINVAL;
	return guard_run(g, copy, &c);
}

int guard_copy_in(struct guard *g, void *pool_dst, const void *src,
		  size_t bytes)
{
	struct copy c = { .dst = pool_dst, .src = src, .bytes = bytes };

	if (!within(g, pool_dst, bytes))
		return -EINVAL;
	return guard_run(g, copy, &c);
}

int guard_zero(struct guard *g, void *pool_dst, size_t bytes)
{
	struct copy c = { .dst = pool_dst, .bytes = bytes };

	if (!within(g, pool_dst, bytes))
		return -EINVAL;
	return guard_run(g, zero, &c);
}

uint64_t guard_hits(const struct guard *g)
{
	return atomic_load_explicit(&g->hits, memory_order_relaxed);
}

uint64_t guard_where(const struct guard *g)
{
	return atomic_load_explicit(&g->where, memory_order_relaxed);
}
