/* SPDX-License-Identifier: MIT */
/*
 * guest_ring.c - a thread that writes eventfds, so that the loop never does
 *
 * As on the host (bells.c): the loop ORs a bit, and posts if it found none;
 * the thread takes all bits and writes theirs.  A counter that somebody filled
 * would take the ring from its sleeper, so it is emptied first; who fills it
 * again in between can hang the thread, which a signal ends.
 *
 * Ordering edges
 * ==============
 *
 *   edge    one end               other end              so that
 *   TOLL    one:  release due     ring: acquire due      the eventfd is written
 *                                                        after what it is for
 */
#include "daemon/guest_ring.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/bells.h"

/* Nobody else in this process uses it, and by default it does nothing. */
#define WAKE_SIGNAL	SIGURG

#define LAST_RINGS_MS	20	/* for what was rung just before the end */

struct guest_ring {
	pthread_t thread;
	sem_t wake;
	sem_t ended;			/* posted once, by the thread */
	_Atomic bool stop;
	uint32_t n;
	int fd[GUEST_RING_MAX];
	_Atomic uint64_t due;		/* bit i: fd[i] */
};

static bool stopping(struct guest_ring *r)
{
	return atomic_load_explicit(&r->stop, memory_order_acquire);
}

static void write_one(struct guest_ring *r, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	const uint64_t one = 1;
	ssize_t n;

	if (poll(&p, 1, 0) == 0)
		bells_take(fd);
	do {
		/* -EAGAIN: full again.  The next ring tries again. */
		n = write(fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR && !stopping(r));
}

static void *ring(void *arg)
{
	struct guest_ring *r = arg;

	while (!stopping(r)) {
		uint64_t due;

		if (sem_wait(&r->wake))
			continue;
		/* TOLL, acquire side. */
		due = atomic_exchange_explicit(&r->due, 0,
					       memory_order_acquire);
		for (uint32_t i = 0; due && !stopping(r); i++, due >>= 1)
			if (due & 1)
				write_one(r, r->fd[i]);
	}
	sem_post(&r->ended);
	return NULL;
}

static void on_wake(int signum)
{
	(void)signum;
}

static int start(struct guest_ring *r)
{
	/* Without SA_RESTART: it is here to end a write. */
	struct sigaction sa = { .sa_handler = on_wake };
	sigset_t all, before;
	int ret;

	if (sem_init(&r->wake, 0, 0) || sem_init(&r->ended, 0, 0) ||
	    sigaction(WAKE_SIGNAL, &sa, NULL))
		return -errno;
	/* Every other signal is the loop's. */
	sigfillset(&all);
	sigdelset(&all, WAKE_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&r->thread, NULL, ring, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -ret;
}

int guest_ring_open(struct guest_ring **out, const int *fd, uint32_t n)
{
	struct guest_ring *r;
	int ret;

	*out = NULL;
	if (n > GUEST_RING_MAX)
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->n = n;
	memcpy(r->fd, fd, n * sizeof(*fd));
	ret = start(r);
	if (ret) {
		free(r);
		return ret;
	}
	*out = r;
	return 0;
}

void guest_ring_close(struct guest_ring *r)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	if (!r)
		return;
	/* Relaxed: bits that are gone were taken by the thread. */
	for (int i = 0; i < LAST_RINGS_MS &&
	     atomic_load_explicit(&r->due, memory_order_relaxed); i++)
		nanosleep(&pause, NULL);
	atomic_store_explicit(&r->stop, true, memory_order_release);
	sem_post(&r->wake);
	/* Again and again: one that comes before the write is lost. */
	while (sem_trywait(&r->ended)) {
		pthread_kill(r->thread, WAKE_SIGNAL);
		nanosleep(&pause, NULL);
	}
	pthread_join(r->thread, NULL);
	sem_destroy(&r->wake);
	sem_destroy(&r->ended);
	free(r);
}

void guest_ring_one(struct guest_ring *r, uint32_t i)
{
	if (i >= r->n || r->fd[i] < 0)
		return;
	/* TOLL, release side.  Bits that stand were posted for. */
	if (atomic_fetch_or_explicit(&r->due, UINT64_C(1) << i,
				     memory_order_release) == 0)
		sem_post(&r->wake);
}
