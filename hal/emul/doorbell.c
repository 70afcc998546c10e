/* SPDX-License-Identifier: MIT */
/*
 * doorbell.c - STATUS and ENABLE in shared memory; a futex is the interrupt
 *
 * Theory of operation
 * ===================
 *
 * A sleeper waits on its STATUS word with the value that it last read: if a
 * bit is set in between, the kernel sees another value and does not let it
 * sleep.  A ringer wakes only if it was the one that set an enabled bit; all
 * later ringers find the bit pending and make no system call.
 *
 * The futex is a shared one: its key is the page of the file, not an address,
 * so it works across processes, PID and user namespaces.  Memory without a
 * page behind it (a PCI BAR in a guest) has no key: the kernel answers EFAULT,
 * and we -EOPNOTSUPP.
 *
 * Ordering edges
 * ==============
 *
 *   edge   one end                     other end                  so that
 *   BELL   ring: fetch_or status       take: exchange status      what came
 *          (release)                   (acquire)                  before the ring
 *                                                                 is visible
 *   ARM    ring: fetch_or status,      arm: store enable, fence;  one of the two
 *          then load enable            wait: load status          sees the other:
 *          (both seq_cst)              (seq_cst)                  no lost wake-up
 *   SLEEP  caller: store the work,     arm: store enable, fence;  hal.h: the look
 *          fence, look who sleeps      caller: load the work      after arming
 *
 * A ringer that dies between the two steps of hal_ring() leaves a pending bit
 * and a sleeper: whoever notices the death calls hal_nudge().
 *
 * With HAL_FAULT_WIPE "the kernel" takes STATUS away after each ring, as the
 * interrupt handler of Linux does on Loongson.  A sleeper that was woken then
 * finds no bit, so a wake-up counts as a ring; one that was about to sleep
 * misses it, which is why the handle lacks HAL_CAP_STICKY.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hal/emul/emul.h"

#define NS_PER_S	INT64_C(1000000000)

/* All waiters: a peer that waits here too must not take the owner's turn. */
static int wake(struct emul *e, struct hal_block *b)
{
	/* Relaxed: a statistic, read when nobody rings. */
	atomic_fetch_add_explicit(&e->wakes, 1, memory_order_relaxed);
	if (syscall(SYS_futex, &b->status, FUTEX_WAKE, INT_MAX, NULL, NULL,
		    0) < 0)
		return errno == EFAULT ? -EOPNOTSUPP : -errno;
	return 0;
}

/* The fault mode: what Linux's interrupt handler does to STATUS. */
static void wipe(struct emul *e, struct hal_block *b)
{
	if (e->wipe)
		atomic_store_explicit(&b->status, 0, memory_order_seq_cst);
}

int emul_ring(struct hal *h, uint32_t core, uint32_t bits)
{
	struct emul *e = (struct emul *)h;
	struct hal_block *b = &e->blocks[core];
	uint32_t fresh, enabled;
	int ret = 0;

	/*
	 * BELL, ringer's side (seq_cst includes release): the caller's stores
	 * are visible before the bits.
	 * ARM, ringer's side: our bits, then their ENABLE.
	 */
	fresh = bits & ~atomic_fetch_or_explicit(&b->status, bits,
						 memory_order_seq_cst);
	enabled = atomic_load_explicit(&b->enable, memory_order_seq_cst);
	if (fresh & enabled)
		ret = wake(e, b);
	wipe(e, b);
	return ret;
}

int emul_nudge(struct hal *h, uint32_t core, uint32_t bits)
{
	struct emul *e = (struct emul *)h;
	struct hal_block *b = &e->blocks[core];
	int ret;

	/* BELL, ringer's side. */
	atomic_fetch_or_explicit(&b->status, bits, memory_order_seq_cst);
	ret = wake(e, b);
	wipe(e, b);
	return ret;
}

void emul_arm(struct hal *h, uint32_t mask)
{
	struct emul *e = (struct emul *)h;

	e->armed = mask;
	/* ARM, sleeper's side; emul_wait() loads STATUS after it. */
	atomic_store_explicit(&e->blocks[h->self].enable, mask,
			      memory_order_seq_cst);
	/*
	 * SLEEP, sleeper's side: a seq_cst store does not hold back later
	 * relaxed loads, and the caller's look at its work is made of them.
	 */
	atomic_thread_fence(memory_order_seq_cst);
}

uint32_t emul_take(struct hal *h)
{
	struct emul *e = (struct emul *)h;
	_Atomic uint32_t *status = &e->blocks[h->self].status;

	/* Relaxed: the usual answer is 0, and then nothing is read behind it.
	 * Saves the exchange, which would take the line from the ringers. */
	if (atomic_load_explicit(status, memory_order_relaxed) == 0)
		return 0;
	/* BELL, taker's side. */
	return atomic_exchange_explicit(status, 0, memory_order_acquire);
}

/* Absolute time @ns from now, for a wait that may have to start again. */
static struct timespec deadline_after(int64_t ns)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += (time_t)(ns / NS_PER_S);
	t.tv_nsec += (long)(ns % NS_PER_S);
	if (t.tv_nsec >= NS_PER_S) {
		t.tv_sec++;
		t.tv_nsec -= NS_PER_S;
	}
	return t;
}

static bool passed(const struct timespec *deadline)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec > deadline->tv_sec ||
	       (t.tv_sec == deadline->tv_sec &&
		t.tv_nsec >= deadline->tv_nsec);
}

int emul_wait(struct hal *h, int64_t timeout_ns)
{
	struct emul *e = (struct emul *)h;
	_Atomic uint32_t *status = &e->blocks[h->self].status;
	struct timespec deadline, *limit = NULL;
	uint32_t seen;

	if (timeout_ns > 0) {
		deadline = deadline_after(timeout_ns);
		limit = &deadline;
	}

	for (;;) {
		/* ARM, sleeper's side: our ENABLE, then their bits. */
		seen = atomic_load_explicit(status, memory_order_seq_cst);
		if (seen & e->armed)
			return 0;
		if (timeout_ns == 0)
			return -ETIMEDOUT;
		if (syscall(SYS_futex, status, FUTEX_WAIT_BITSET, seen, limit,
			    NULL, FUTEX_BITSET_MATCH_ANY) == 0) {
			/* Woken, perhaps by a ring whose bits we took before:
			 * look again, unless the bits can be gone. */
			if (e->wipe)
				return 0;
			continue;
		}
		if (errno == EFAULT)
			return -EOPNOTSUPP;
		if (errno != EAGAIN)
			return -errno;
		/*
		 * A bit came in between, perhaps one that is not enabled.  The
		 * kernel compares before it looks at the clock, so a peer that
		 * keeps changing bits would hold us beyond the deadline.
		 */
		if (limit && passed(limit))
			return -ETIMEDOUT;
	}
}

uint64_t emul_wakes(const struct hal *h)
{
	const struct emul *e = (const struct emul *)h;

	return atomic_load_explicit(&e->wakes, memory_order_relaxed);
}
