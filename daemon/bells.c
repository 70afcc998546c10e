/* SPDX-License-Identifier: MIT */
/*
 * bells.c - the eventfds of a domain's VM slots, and a thread that rings them
 *
 * Theory of operation
 * ===================
 *
 * The loop sets a bit in its slot's mask; whoever finds the mask empty posts
 * the semaphore, so there is one post for many bits, and never more posts than
 * slots, however long the thread hangs.  The thread takes each mask whole and
 * writes the eventfds of its bits.
 *
 * A counter that is full, because somebody filled it, would take the ring from
 * its sleeper and hang the thread where O_NONBLOCK is off.  Nobody reads these
 * counters for their value, so the thread empties such a one first.  Who fills
 * it again in the instant before the write hangs the thread all the same, until
 * somebody reads (bells_drain() does); that is why there is a thread.  Ending it takes a signal,
 * again and again, because one that comes before the write is lost.  Not
 * pthread_cancel(): that loads libgcc_s when it is first used, and aborts the
 * daemon if it can't (no fd left, a sandbox).
 *
 * Ordering edges
 * ==============
 *
 *   edge    one end               other end              so that
 *   TOLL    ring: release mask    thread: acquire mask   the eventfd is written
 *                                                        after what it is for
 *
 * Both are read-modify-writes of one word: a bit is set before a take, which
 * gets it, or after it, which finds the mask empty and posts.
 */
#include "daemon/bells.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "daemon/conf.h"

/* Nobody else in this process uses it, and by default it does nothing. */
#define WAKE_SIGNAL	SIGURG

#define LAST_RINGS_MS	20	/* for what was rung just before the end */

#define NAME_BYTES	(CONF_NAME_MAX + 33)	/* a terminated name */

_Static_assert(BELLS_VECTORS_MAX <= 64, "a slot's vectors share a mask");
_Static_assert(BELLS_SLOTS_MAX <= 64, "control bells share a mask");

struct bells {
	char domain[CONF_NAME_MAX + 1];
	uint32_t slots;
	uint32_t vectors;
	uint32_t n;
	int *fd;			/* n of them: index_of() */
	struct keeper *keeper;
	bool adopted;

	pthread_t thread;
	sem_t wake;
	sem_t ended;			/* posted once, by the thread */
	_Atomic bool stop;
	_Atomic uint64_t pending[BELLS_SLOTS_MAX];	/* by vector */
	_Atomic uint64_t control;			/* by slot */
};

/* Those of pool devices; the control devices' come behind them. */
static uint32_t pool_count(uint32_t slots, uint32_t vectors)
{
	return (2 * slots - 1) * vectors;
}

uint32_t bells_count(uint32_t slots, uint32_t vectors)
{
	return slots > 1 ? pool_count(slots, vectors) + 2 * (slots - 1) : 0;
}

static uint32_t index_of(const struct bells *b, uint32_t from, uint32_t to,
			 uint32_t vector)
{
	assert(from < b->slots && to < b->slots && vector < b->vectors);
	return (to ? b->slots + to - 1 : from) * b->vectors + vector;
}

int bells_fd(const struct bells *b, uint32_t from, uint32_t to,
	     uint32_t vector)
{
	return b->fd[index_of(b, from, to, vector)];
}

uint32_t bells_slots(const struct bells *b)
{
	return b->slots;
}

uint32_t bells_vectors(const struct bells *b)
{
	return b->vectors;
}

static int control_fd(const struct bells *b, uint32_t slot, uint32_t way)
{
	assert(slot > 0 && slot < b->slots);
	return b->fd[pool_count(b->slots, b->vectors) + 2 * (slot - 1) + way];
}

int bells_control_in(const struct bells *b, uint32_t slot)
{
	return control_fd(b, slot, 0);
}

int bells_control_out(const struct bells *b, uint32_t slot)
{
	return control_fd(b, slot, 1);
}

bool bells_adopted(const struct bells *b)
{
	return b->adopted;
}

uint64_t bells_take(int fd)
{
	uint64_t count = 0;
	struct iovec iov = { .iov_base = &count, .iov_len = sizeof(count) };

	/* O_NONBLOCK is anybody's to clear; this flag is of this call. */
	if (preadv2(fd, &iov, 1, -1, RWF_NOWAIT) != (ssize_t)sizeof(count))
		return 0;
	return count;
}

/* ---- the thread ---- */

/* May hang, see above. */
static void write_bell(struct bells *b, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	const uint64_t one = 1;
	ssize_t n;

	if (poll(&p, 1, 0) == 0)
		bells_take(fd);
	do {
		/* -EAGAIN: full again.  The next ring tries again. */
		n = write(fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR &&
		 !atomic_load_explicit(&b->stop, memory_order_acquire));
}

static void write_slot(struct bells *b, uint32_t to)
{
	/* TOLL, acquire side: the write comes after what was rung for. */
	uint64_t mask = atomic_exchange_explicit(&b->pending[to], 0,
						 memory_order_acquire);

	while (mask && !atomic_load_explicit(&b->stop, memory_order_acquire)) {
		uint32_t vector = (uint32_t)__builtin_ctzll(mask);

		mask &= mask - 1;
		write_bell(b, bells_fd(b, 0, to, vector));
	}
}

static void write_control(struct bells *b)
{
	/* TOLL, acquire side. */
	uint64_t mask = atomic_exchange_explicit(&b->control, 0,
						 memory_order_acquire);

	while (mask && !atomic_load_explicit(&b->stop, memory_order_acquire)) {
		uint32_t slot = (uint32_t)__builtin_ctzll(mask);

		mask &= mask - 1;
		write_bell(b, bells_control_out(b, slot));
	}
}

static void *run(void *arg)
{
	struct bells *b = arg;

	while (!atomic_load_explicit(&b->stop, memory_order_acquire)) {
		if (sem_wait(&b->wake))
			continue;
		for (uint32_t to = 0; to < b->slots; to++)
			write_slot(b, to);
		write_control(b);
	}
	sem_post(&b->ended);
	return NULL;
}

static void on_wake(int signum)
{
	(void)signum;
}

static int start(struct bells *b)
{
	/* Without SA_RESTART: it is here to end a write. */
	struct sigaction sa = { .sa_handler = on_wake };
	sigset_t all, before;
	int ret;

	if (sem_init(&b->wake, 0, 0) || sem_init(&b->ended, 0, 0) ||
	    sigaction(WAKE_SIGNAL, &sa, NULL))
		return -errno;
	/* Every other signal is the loop's. */
	sigfillset(&all);
	sigdelset(&all, WAKE_SIGNAL);
	ret = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (ret)
		return -ret;
	ret = pthread_create(&b->thread, NULL, run, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -ret;
}

static bool all_rung(const struct bells *b)
{
	/* Relaxed: a mask that is empty was taken by the thread. */
	uint64_t left = atomic_load_explicit(&b->control, memory_order_relaxed);

	for (uint32_t to = 0; to < b->slots; to++)
		left |= atomic_load_explicit(&b->pending[to],
					     memory_order_relaxed);
	return left == 0;
}

static void stop(struct bells *b)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	/* Last words were rung for: a thread that does not hang is quick. */
	for (int i = 0; i < LAST_RINGS_MS && !all_rung(b); i++)
		nanosleep(&pause, NULL);

	atomic_store_explicit(&b->stop, true, memory_order_release);
	sem_post(&b->wake);
	while (sem_trywait(&b->ended)) {
		pthread_kill(b->thread, WAKE_SIGNAL);
		nanosleep(&pause, NULL);
	}
	pthread_join(b->thread, NULL);
	sem_destroy(&b->wake);
	sem_destroy(&b->ended);
}

void bells_ring(struct bells *b, uint32_t to, uint32_t vector)
{
	uint64_t before;

	assert(to < b->slots && vector < b->vectors);
	/* TOLL, release side: what it is rung for is written. */
	before = atomic_fetch_or_explicit(&b->pending[to],
					  UINT64_C(1) << vector,
					  memory_order_release);
	if (before == 0)
		sem_post(&b->wake);
}

void bells_ring_control(struct bells *b, uint32_t slot)
{
	uint64_t before;

	assert(slot > 0 && slot < b->slots);
	/* TOLL, release side. */
	before = atomic_fetch_or_explicit(&b->control, UINT64_C(1) << slot,
					  memory_order_release);
	if (before == 0)
		sem_post(&b->wake);
}

void bells_drain(struct bells *b, uint32_t slot)
{
	assert(slot < b->slots);
	if (slot > 0) {
		/* Relaxed: nothing is read that was rung for. */
		atomic_fetch_and_explicit(&b->control, ~(UINT64_C(1) << slot),
					  memory_order_relaxed);
		bells_take(bells_control_in(b, slot));
		bells_take(bells_control_out(b, slot));
	}
	/* Relaxed: nothing is read that was rung for. */
	atomic_store_explicit(&b->pending[slot], 0, memory_order_relaxed);
	for (uint32_t v = 0; v < b->vectors; v++) {
		bells_take(bells_fd(b, 0, slot, v));
		/* What the former owner rang at the host. */
		bells_take(bells_fd(b, slot, 0, v));
	}
}

/* ---- making, keeping, taking ---- */

static const char *name_of(const struct bells *b, uint32_t i,
			   char buf[NAME_BYTES])
{
	uint32_t row = i / b->vectors, vector = i % b->vectors;
	uint32_t pool = pool_count(b->slots, b->vectors);

	if (i >= pool)
		snprintf(buf, NAME_BYTES, "%s/bell/control/%u/%s", b->domain,
			 (i - pool) / 2 + 1, (i - pool) % 2 ? "out" : "in");
	else if (row < b->slots)
		snprintf(buf, NAME_BYTES, "%s/bell/0/%u/%u", b->domain,
			 row, vector);
	else
		snprintf(buf, NAME_BYTES, "%s/bell/%u/any/%u", b->domain,
			 row - b->slots + 1, vector);
	return buf;
}

/* The first @n. */
static void forget(struct bells *b, uint32_t n)
{
	char name[NAME_BYTES];

	for (uint32_t i = 0; i < n; i++)
		keeper_forget(b->keeper, name_of(b, i, name));
}

/* All or none: true if we have them all.  A part of them was left by a daemon
 * that died before anybody was told of any. */
static bool take_all(struct bells *b)
{
	char name[NAME_BYTES];
	uint32_t found = 0;

	for (uint32_t i = 0; i < b->n; i++)
		found += keeper_find(b->keeper, name_of(b, i, name)) >= 0;
	for (uint32_t i = 0; found > 0 && i < b->n; i++) {
		b->fd[i] = keeper_take(b->keeper, name_of(b, i, name));
		if (found == b->n || b->fd[i] < 0)
			continue;
		close(b->fd[i]);
		b->fd[i] = -1;
		keeper_forget(b->keeper, name);
	}
	return found == b->n;
}

static int make_all(struct bells *b)
{
	char name[NAME_BYTES];
	uint32_t i;
	int ret;

	/* All of them before the first is stored: a lack of fds ends here. */
	for (i = 0; i < b->n; i++) {
		b->fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (b->fd[i] < 0)
			return -errno;
	}
	for (i = 0; i < b->n; i++) {
		ret = keeper_store(b->keeper, name_of(b, i, name), b->fd[i],
				   false);
		if (ret) {
			forget(b, i);
			return ret;
		}
	}
	return 0;
}

static void free_all(struct bells *b)
{
	for (uint32_t i = 0; b->fd && i < b->n; i++)
		if (b->fd[i] >= 0)
			close(b->fd[i]);
	free(b->fd);
	free(b);
}

int bells_open(struct bells **out, const struct bells_params *p)
{
	struct bells *b;
	int ret;

	assert(p->slots >= 2 && p->slots <= BELLS_SLOTS_MAX);
	assert(p->vectors >= 2 && p->vectors <= BELLS_VECTORS_MAX);
	*out = NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	snprintf(b->domain, sizeof(b->domain), "%s", p->domain);
	b->slots = p->slots;
	b->vectors = p->vectors;
	b->keeper = p->keeper;
	b->n = bells_count(p->slots, p->vectors);
	b->fd = malloc(b->n * sizeof(*b->fd));
	ret = b->fd ? 0 : -ENOMEM;
	if (ret)
		goto out_free;
	memset(b->fd, -1, b->n * sizeof(*b->fd));
	b->adopted = take_all(b);
	if (!b->adopted)
		ret = make_all(b);
	if (ret)
		goto out_free;
	ret = start(b);
	if (ret)
		goto out_forget;
	*out = b;
	return 0;

out_forget:
	/* Taken ones stay kept: the next daemon may have more luck. */
	if (!b->adopted)
		forget(b, b->n);
out_free:
	free_all(b);
	return ret;
}

void bells_close(struct bells *b)
{
	if (!b)
		return;
	stop(b);
	free_all(b);
}

void bells_forget(struct bells *b)
{
	forget(b, b->n);
}
