/* SPDX-License-Identifier: MIT */
/*
 * toll.c - a thread that writes eventfds, so that the loop never does
 *
 * Theory of operation
 * ===================
 *
 * A ring sets the bit of its eventfd; who finds its word empty posts the
 * semaphore, so there is one post for many bits, and never more posts than
 * words, however long the thread hangs.  The thread takes one bit after the
 * other, writes its eventfd, and posts for itself when a word has new ones.
 *
 * A counter that is full, because somebody filled it, would take the ring from
 * its sleeper and hang the thread where O_NONBLOCK is off.  Nobody reads these
 * counters for their value, so the thread empties such a one first.  Who fills
 * it again in the instant before the write hangs the thread all the same, until
 * somebody reads; that is why there is a thread.  Ending it takes a signal,
 * again and again, because one that comes before the write is lost.  Not
 * pthread_cancel(): that loads libgcc_s when it is first used, and aborts the
 * daemon if it can't (no fd left, a sandbox).
 *
 * Ordering edges
 * ==============
 *
 *   edge    one end               other end              so that
 *   TOLL    ring: release due     thread: acquire due    the eventfd is written
 *                                                        after what it is for
 *
 * Both are read-modify-writes of one word.  A bit that is set in a word that is
 * not empty is seen by the thread's last look at that word, or the word was
 * empty, and its ringer posts.
 */
#include "daemon/toll.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Nobody else in this process uses it, and by default it does nothing. */
#define WAKE_SIGNAL	SIGURG

#define LAST_RINGS_MS	20	/* for what was rung just before the end */
#define BITS		64u

struct toll {
	pthread_t thread;
	sem_t wake;
	sem_t ended;			/* posted once, by the thread */
	_Atomic bool stop;
	uint32_t n;
	uint32_t words;
	int *fd;			/* n of them */
	_Atomic uint64_t due[];		/* bit i % 64 of word i / 64: fd[i] */
};

uint64_t toll_take(int fd)
{
	uint64_t count = 0;
	struct iovec iov = { .iov_base = &count, .iov_len = sizeof(count) };

	/* O_NONBLOCK is anybody's to clear; this flag is of this call. */
	if (preadv2(fd, &iov, 1, -1, RWF_NOWAIT) != (ssize_t)sizeof(count))
		return 0;
	return count;
}

/* ---- the thread ---- */

static bool stopping(struct toll *t)
{
	return atomic_load_explicit(&t->stop, memory_order_acquire);
}

/* May hang, see above. */
static void write_one(struct toll *t, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	const uint64_t one = 1;
	ssize_t n;

	if (poll(&p, 1, 0) == 0)
		toll_take(fd);
	do {
		/* -EAGAIN: full again.  The next ring tries again. */
		n = write(fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR && !stopping(t));
}

static void write_word(struct toll *t, uint32_t word)
{
	_Atomic uint64_t *w = &t->due[word];
	/* Relaxed: a look; each bit is taken by itself. */
	uint64_t due = atomic_load_explicit(w, memory_order_relaxed);

	while (due && !stopping(t)) {
		uint32_t bit = (uint32_t)__builtin_ctzll(due);
		uint64_t mask = UINT64_C(1) << bit;

		due &= due - 1;
		/* TOLL, acquire side: the write comes after what was rung for.
		 * Taken only now, so that rings meanwhile are the same one. */
		if (atomic_fetch_and_explicit(w, ~mask, memory_order_acquire) &
		    mask)
			write_one(t, t->fd[word * BITS + bit]);
	}
	/* Who rang since our look found bits, and posted nothing. */
	if (atomic_load_explicit(w, memory_order_relaxed))
		sem_post(&t->wake);
}

static void *run(void *arg)
{
	struct toll *t = arg;

	while (!stopping(t)) {
		if (sem_wait(&t->wake))
			continue;
		for (uint32_t word = 0; word < t->words; word++)
			write_word(t, word);
	}
	sem_post(&t->ended);
	return NULL;
}

static void on_wake(int signum)
{
	(void)signum;
}

static int start(struct toll *t)
{
	/* Without SA_RESTART: it is here to end a write. */
	struct sigaction sa = { .sa_handler = on_wake };
	sigset_t all, before;
	int ret;

	if (sem_init(&t->wake, 0, 0) || sem_init(&t->ended, 0, 0) ||
	    sigaction(WAKE_SIGNAL, &sa, NULL))
		return -errno;
	/* Every other signal is the loop's. */
	sigfillset(&all);
	sigdelset(&all, WAKE_SIGNAL);
	ret = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (ret)
		return -ret;
	ret = pthread_create(&t->thread, NULL, run, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -ret;
}

static bool all_rung(const struct toll *t)
{
	uint64_t left = 0;

	/* Relaxed: a word that is empty was taken by the thread. */
	for (uint32_t word = 0; word < t->words; word++)
		left |= atomic_load_explicit(&t->due[word],
					     memory_order_relaxed);
	return left == 0;
}

static void stop(struct toll *t)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	/* Last words were rung for: a thread that does not hang is quick. */
	for (int i = 0; i < LAST_RINGS_MS && !all_rung(t); i++)
		nanosleep(&pause, NULL);
	atomic_store_explicit(&t->stop, true, memory_order_release);
	sem_post(&t->wake);
	while (sem_trywait(&t->ended)) {
		pthread_kill(t->thread, WAKE_SIGNAL);
		nanosleep(&pause, NULL);
	}
	pthread_join(t->thread, NULL);
	sem_destroy(&t->wake);
	sem_destroy(&t->ended);
}

/* ---- the others ---- */

int toll_open(struct toll **out, const int *fd, uint32_t n)
{
	uint32_t words = (n + BITS - 1) / BITS;
	struct toll *t = calloc(1, sizeof(*t) + words * sizeof(t->due[0]));
	int ret = -ENOMEM;

	*out = NULL;
	if (!t)
		return -ENOMEM;
	t->n = n;
	t->words = words;
	t->fd = calloc(n ? n : 1, sizeof(*t->fd));
	if (!t->fd)
		goto err_free;
	if (n)
		memcpy(t->fd, fd, n * sizeof(*fd));
	ret = start(t);
	if (ret)
		goto err_fds;
	*out = t;
	return 0;

err_fds:
	free(t->fd);
err_free:
	free(t);
	return ret;
}

void toll_close(struct toll *t)
{
	if (!t)
		return;
	stop(t);
	free(t->fd);
	free(t);
}

void toll_ring(struct toll *t, uint32_t i)
{
	if (i >= t->n || t->fd[i] < 0)
		return;
	/* TOLL, release side: what it is rung for is written.  Bits that stand
	 * were posted for. */
	if (atomic_fetch_or_explicit(&t->due[i / BITS],
				     UINT64_C(1) << i % BITS,
				     memory_order_release) == 0)
		sem_post(&t->wake);
}

void toll_drop(struct toll *t, uint32_t i)
{
	/* Relaxed: nothing is read that was rung for. */
	if (i < t->n)
		atomic_fetch_and_explicit(&t->due[i / BITS],
					  ~(UINT64_C(1) << i % BITS),
					  memory_order_relaxed);
}
