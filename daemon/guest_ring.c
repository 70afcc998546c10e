/* SPDX-License-Identifier: MIT */
/*
 * guest_ring.c - a thread that writes eventfds, so that the loop never does
 *
 * The loop ORs a bit and writes an eventfd of our own, which nobody else has;
 * the thread takes all bits and writes theirs.
 */
#include "daemon/guest_ring.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct guest_ring {
	pthread_t thread;
	int wake;			/* blocking, ours alone */
	uint32_t n;
	int fd[GUEST_RING_MAX];
	_Atomic uint64_t due;		/* bit i: fd[i] */
};

static void write_one(int fd)
{
	const uint64_t one = 1;

	/* EAGAIN: the counter is full, so the bell is rung. */
	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void *ring(void *arg)
{
	struct guest_ring *r = arg;
	uint64_t count, due;

	for (;;) {
		/* Also where pthread_cancel() ends us, as is the write. */
		if (read(r->wake, &count, sizeof(count)) < 0 && errno != EINTR)
			return NULL;
		/* Acquire: what the bell is rung for comes before it. */
		due = atomic_exchange_explicit(&r->due, 0,
					       memory_order_acquire);
		for (uint32_t i = 0; due; i++, due >>= 1)
			if (due & 1)
				write_one(r->fd[i]);
	}
}

/* No signal of the daemon's is to be served by this thread. */
static int start(struct guest_ring *r)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
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
	r->wake = eventfd(0, EFD_CLOEXEC);
	if (r->wake < 0) {
		ret = -errno;
		goto err_free;
	}
	ret = start(r);
	if (ret)
		goto err_close;
	*out = r;
	return 0;

err_close:
	close(r->wake);
err_free:
	free(r);
	return ret;
}

void guest_ring_close(struct guest_ring *r)
{
	if (!r)
		return;
	pthread_cancel(r->thread);
	pthread_join(r->thread, NULL);
	close(r->wake);
	free(r);
}

void guest_ring_one(struct guest_ring *r, uint32_t i)
{
	const uint64_t one = 1;
	uint64_t bit = UINT64_C(1) << i, before;

	if (i >= r->n || r->fd[i] < 0)
		return;
	before = atomic_fetch_or_explicit(&r->due, bit, memory_order_release);
	/*
	 * A bit that stands has its wake-up on the way.  Ours alone, so the
	 * counter never fills and this never hangs.
	 */
	if (!(before & bit))
		while (write(r->wake, &one, sizeof(one)) < 0 && errno == EINTR)
			;
}
