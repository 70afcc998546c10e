/* SPDX-License-Identifier: MIT */
/*
 * snooctl_tune_rank.c - the two ranks that measure for "snooctl tune"
 *
 * Both join every candidate's domain at once, so that one pair of processes,
 * with the same buffers on the same cores, takes all of them in turn within
 * milliseconds: what disturbs the machine disturbs all of them.  They pin
 * themselves: for the daemon they would be many ranks on one core.
 */
#include "tools/snooctl_tune.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <snoo/snoo.h>

#define WINDOW		16
#define TAG		1
#define LIMIT_NS	INT64_C(20000000000)	/* of one blocking call */
#define PAGE		4096u

/** struct half - One of the two processes */
struct half {
	const struct tune_plan *plan;
	int rank;
	int out;			/* rank 0: where the times go */
	unsigned char *tx, *rx;
	struct snoo *ctx[TUNE_CANDIDATES];
	uint64_t n[TUNE_CASES];		/* iterations that fill plan->us */
};

static _Noreturn void give_up(const struct half *h, const char *what, int ret)
{
	const char *more = snoo_last_error();

	fprintf(stderr, "snooctl: tune: rank %d: %s: %s\n", h->rank, what,
		more && *more ? more : snoo_strerror(ret));
	_exit(EXIT_FAILURE);
}

static void must(const struct half *h, int ret)
{
	if (ret)
		give_up(h, "a call failed", ret);
}

/* The @nth core that we may run on, or -1. */
static int core_of(int nth)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -1;
	for (int core = 0; core < CPU_SETSIZE; core++)
		if (CPU_ISSET((unsigned int)core, &set) && nth-- == 0)
			return core;
	return -1;
}

static void pin(const struct half *h)
{
	int core = core_of(h->rank);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)core, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		give_up(h, "sched_setaffinity", -errno);
}

static void join(struct half *h)
{
	for (unsigned int c = 0; c < h->plan->candidates; c++) {
		struct snoo_options o = SNOO_OPTIONS_INIT;
		char socket[128];
		int ret;

		snprintf(socket, sizeof(socket), "%s/c%u.sock", h->plan->dir,
			 c);
		o.socket = socket;
		o.rank = h->rank;
		o.size = 2;
		o.core = -2;
		o.launch = 1;
		o.timeout_ns = LIMIT_NS;
		ret = snoo_init(&h->ctx[c], "tune", &o);
		if (ret)
			give_up(h, socket, ret);
	}
}

static void pingpong(struct half *h, struct snoo *ctx, size_t bytes,
		     uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		if (h->rank == 0)
			must(h, snoo_send(ctx, h->tx, bytes, 1, TAG));
		must(h, snoo_recv(ctx, h->rx, bytes, 1 - h->rank, TAG, NULL));
		if (h->rank == 1)
			must(h, snoo_send(ctx, h->tx, bytes, 0, TAG));
	}
}

static void window(struct half *h, struct snoo *ctx, size_t bytes, uint64_t n)
{
	struct snoo_request *r[WINDOW];
	char done = 0;

	for (uint64_t i = 0; i < n; i++) {
		for (int k = 0; k < WINDOW; k++)
			must(h, h->rank == 0 ?
				snoo_isend(ctx, h->tx, bytes, 1, TAG, &r[k]) :
				snoo_irecv(ctx, h->rx, bytes, 0, TAG, &r[k]));
		must(h, snoo_waitall(ctx, WINDOW, r, NULL));
	}
	if (h->rank == 0)
		must(h, snoo_recv(ctx, &done, 1, 1, TAG, NULL));
	else
		must(h, snoo_send(ctx, &done, 1, 0, TAG));
}

/* Nanoseconds of @n iterations; both ranks begin together. */
static uint64_t timed(struct half *h, unsigned int c, unsigned int k,
		      uint64_t n)
{
	const struct tune_case *what = &h->plan->cases[k];
	uint64_t start;

	must(h, snoo_barrier(h->ctx[c]));
	start = snoo_clock_ns();
	if (what->pattern == TUNE_PINGPONG)
		pingpong(h, h->ctx[c], what->bytes, n);
	else
		window(h, h->ctx[c], what->bytes, n);
	return snoo_clock_ns() - start;
}

/* Rank 0 decides how many iterations take long enough; the default's pace. */
static void calibrate(struct half *h, unsigned int k)
{
	uint64_t want = (uint64_t)h->plan->us * 1000, took = 0, n = 1;
	uint64_t more = 1;

	while (more) {
		took = timed(h, 0, k, n);
		if (h->rank == 0) {
			more = took < want / 2 && n < UINT64_C(1) << 30;
			must(h, snoo_send(h->ctx[0], &more, sizeof(more), 1,
					  TAG));
		} else {
			must(h, snoo_recv(h->ctx[0], &more, sizeof(more), 0,
					  TAG, NULL));
		}
		h->n[k] = n;
		n *= 2;
	}
}

static void round_of(struct half *h, unsigned int round)
{
	unsigned int all = h->plan->candidates;

	for (unsigned int k = 0; k < h->plan->ncases; k++) {
		double ns[TUNE_CANDIDATES];

		/* A different one begins each time. */
		for (unsigned int i = 0; i < all; i++) {
			unsigned int c = (round + i) % all;

			ns[c] = (double)timed(h, c, k, h->n[k]) /
				(double)h->n[k];
		}
		if (h->rank == 0 &&
		    write(h->out, ns, all * sizeof(ns[0])) !=
		    (ssize_t)(all * sizeof(ns[0])))
			give_up(h, "write", -errno);
	}
}

static _Noreturn void run(const struct tune_plan *plan, int rank, int out)
{
	struct half h = { .plan = plan, .rank = rank, .out = out };
	size_t largest = 0;

	for (unsigned int k = 0; k < plan->ncases; k++)
		if (plan->cases[k].bytes > largest)
			largest = plan->cases[k].bytes;
	largest = (largest + PAGE - 1) / PAGE * PAGE;
	h.tx = aligned_alloc(PAGE, largest);
	h.rx = aligned_alloc(PAGE, largest);
	if (!h.tx || !h.rx)
		give_up(&h, "buffers", -ENOMEM);
	memset(h.tx, 1, largest);
	memset(h.rx, 2, largest);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(&h);
	join(&h);
	for (unsigned int k = 0; k < plan->ncases; k++)
		calibrate(&h, k);
	for (unsigned int r = 0; r < plan->rounds; r++)
		round_of(&h, r);
	for (unsigned int c = 0; c < plan->candidates; c++)
		must(&h, snoo_finalize(h.ctx[c]));
	_exit(EXIT_SUCCESS);
}

/* ---- the parent ------------------------------------------------------- */

static volatile sig_atomic_t interrupted;
static volatile pid_t running[2];

/* Ends the ranks: then what we wait for ends, and all is cleaned up. */
static void on_interrupt(int signum)
{
	interrupted = signum;
	for (int i = 0; i < 2; i++)
		if (running[i] > 0)
			kill(running[i], SIGKILL);
}

void tune_listen(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_interrupt };

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
}

static int read_all(int fd, void *to, size_t n)
{
	unsigned char *p = to;

	while (n > 0) {
		ssize_t got = read(fd, p, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -ECHILD;
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

static int collect(int fd, const struct tune_plan *plan,
		   struct tune_table *table)
{
	for (unsigned int r = 0; r < plan->rounds; r++)
		for (unsigned int k = 0; k < plan->ncases; k++) {
			double ns[TUNE_CANDIDATES] = { 0 };

			if (read_all(fd, ns,
				     plan->candidates * sizeof(ns[0])))
				return -ECHILD;
			for (unsigned int c = 0; c < plan->candidates; c++)
				table->ns[c][r][k] = ns[c];
		}
	return 0;
}

/* Ends those that run on because their partner failed. */
static int reap(const pid_t pid[2], int ret)
{
	for (int i = 0; i < 2; i++) {
		int status = 0;

		if (pid[i] <= 0)
			continue;
		if (ret)
			kill(pid[i], SIGKILL);
		while (waitpid(pid[i], &status, 0) < 0 && errno == EINTR)
			;
		running[i] = 0;
		if (status != 0 && !ret)
			ret = -ECHILD;
	}
	return interrupted ? -EINTR : ret;
}

int tune_measure(const struct tune_plan *plan, struct tune_table *table)
{
	pid_t pid[2] = { 0 };
	int fd[2], ret = 0;

	table->candidates = plan->candidates;
	table->cases = plan->ncases;
	table->rounds = plan->rounds;
	if (core_of(1) < 0) {
		fprintf(stderr, "snooctl: tune: needs two cores to run on\n");
		return -ENODEV;
	}
	if (interrupted)
		return -EINTR;
	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	for (int i = 0; i < 2 && !ret; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			close(fd[0]);
			run(plan, i, fd[1]);
		}
		if (pid[i] < 0)
			ret = -errno;
		running[i] = pid[i];
	}
	close(fd[1]);
	if (!ret)
		ret = collect(fd[0], plan, table);
	close(fd[0]);
	return reap(pid, ret);
}
