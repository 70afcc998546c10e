/* SPDX-License-Identifier: MIT */
/*
 * growth.c - what a job costs as it grows; for growth.sh
 *
 * Usage: growth MS FIFO
 *
 * Rank 0 stops twice and waits for a line from FIFO, so that the starter can
 * ask the daemon for the memory in use: when all ranks are there and nothing
 * has been sent ({"stage":"attached"}), and when rank 0 has talked with each
 * rank both ways ({"stage":"talked"}).  Then, about MS each:
 *
 *   known_ns	a round of rank 0 with rank 1, received from rank 1
 *   any_ns	the same, received from any rank; all others wait in a receive
 *   gather_ns	a message when all ranks send to rank 0, received from any
 *   barrier_ns
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/api.h"
#include "bench/bench.h"

#define TAG_PLAN  1
#define TAG_TIMES 2
#define TAG_PLAY  3
#define TAG_MANY  4
#define MANY	  64u /* messages of each rank to rank 0 */
#define RUNS	  5u  /* of which the median is told */

struct times {
	uint64_t start, end;
};

enum step { PLAY, MANY_TO_ONE, BARRIER, STOP };

/* Rank 0 tells the others what comes next. */
struct plan {
	enum step what;
	uint64_t n;
};

static void stage(const char *name, FILE *fifo)
{
	char line[16];

	bench_open("growth");
	bench_text("stage", name);
	bench_int("ranks", (uint64_t)api_size());
	bench_close();
	if (!fgets(line, sizeof(line), fifo))
		bench_die("nobody answers");
}

/* Anonymous memory of this process: the pool is not in it. */
static uint64_t private_bytes(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long kib = 0;
	char line[256];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "RssAnon: %llu kB", &kib) == 1)
			break;
	}
	fclose(f);
	return kib * 1024;
}

static void any(uint64_t *word)
{
	api_must(snoo_recv(api_ctx, word, sizeof(*word), SNOO_ANY_SOURCE,
			   TAG_PLAY, NULL),
		 "snoo_recv");
}

static void tell(int rank, enum step what, uint64_t n)
{
	struct plan p = { .what = what, .n = n };

	api_send(&p, sizeof(p), rank, TAG_PLAN);
}

static void tell_all(enum step what, uint64_t n)
{
	for (int r = 1; r < api_size(); r++)
		tell(r, what, n);
}

/* Each of these: @n iterations, as rank 0; nanoseconds of one. */
static double known_source(uint64_t n)
{
	uint64_t begin, word = 0;

	tell(1, PLAY, n);
	begin = bench_now_ns();
	for (uint64_t i = 0; i < n; i++) {
		api_send(&i, sizeof(i), 1, TAG_PLAY);
		api_recv(&word, sizeof(word), 1, TAG_PLAY);
		if (word != i)
			bench_die("another number came back");
	}
	return (double)(bench_now_ns() - begin) / (double)n;
}

static double any_source(uint64_t n)
{
	uint64_t begin, word = 0;

	tell(1, PLAY, n);
	begin = bench_now_ns();
	for (uint64_t i = 0; i < n; i++) {
		api_send(&i, sizeof(i), 1, TAG_PLAY);
		any(&word);
		if (word != i)
			bench_die("another number came back");
	}
	return (double)(bench_now_ns() - begin) / (double)n;
}

static double gather(uint64_t n)
{
	uint64_t begin, word, messages, sum = 0;

	messages = n * MANY * (uint64_t)(api_size() - 1);
	tell_all(MANY_TO_ONE, n);
	begin = bench_now_ns();
	for (uint64_t i = 0; i < messages; i++) {
		api_must(snoo_recv(api_ctx, &word, sizeof(word),
				   SNOO_ANY_SOURCE, TAG_MANY, NULL),
			 "snoo_recv");
		sum += word;
	}
	if (sum != messages)
		bench_die("%llu of %llu came", (unsigned long long)sum,
			  (unsigned long long)messages);
	return (double)(bench_now_ns() - begin) / (double)messages;
}

static double barrier(uint64_t n)
{
	uint64_t begin;

	tell_all(BARRIER, n);
	api_barrier();
	begin = bench_now_ns();
	for (uint64_t i = 0; i < n; i++)
		api_barrier();
	return (double)(bench_now_ns() - begin) / (double)n;
}

static double measure(double (*run)(uint64_t n), uint64_t ms)
{
	double ns[RUNS];
	uint64_t want = ms * 1000000 / RUNS, n, begin, took;

	for (n = 1;; n *= 4) {
		begin = bench_now_ns();
		run(n);
		took = bench_now_ns() - begin;
		if (took >= want / 4)
			break;
	}
	n = (uint64_t)((double)n * (double)want / (double)took);
	for (unsigned int i = 0; i < RUNS; i++)
		ns[i] = run(n ? n : 1);
	return bench_median(ns, RUNS);
}

static void follow(void)
{
	struct plan p;
	uint64_t word, one = 1;

	for (;;) {
		api_recv(&p, sizeof(p), 0, TAG_PLAN);
		switch (p.what) {
		case PLAY:
			for (uint64_t i = 0; i < p.n; i++) {
				api_recv(&word, sizeof(word), 0, TAG_PLAY);
				api_send(&word, sizeof(word), 0, TAG_PLAY);
			}
			break;
		case MANY_TO_ONE:
			for (uint64_t i = 0; i < p.n * MANY; i++)
				api_send(&one, sizeof(one), 0, TAG_MANY);
			break;
		case BARRIER:
			for (uint64_t i = 0; i <= p.n; i++)
				api_barrier();
			break;
		case STOP:
			return;
		}
	}
}

/* From the first rank's call to the last one's return. */
static uint64_t attach_ns(struct times all)
{
	struct times other;

	for (int r = 1; r < api_size(); r++) {
		api_send(&r, sizeof(r), r, TAG_TIMES);
		api_recv(&other, sizeof(other), r, TAG_TIMES);
		if (other.start < all.start)
			all.start = other.start;
		if (other.end > all.end)
			all.end = other.end;
	}
	return all.end - all.start;
}

static void lead(struct times mine, uint64_t ms, const char *path)
{
	FILE *fifo = fopen(path, "re");
	double known, from_any, many, all;
	uint64_t attach;

	if (!fifo)
		bench_die("cannot open %s", path);
	stage("attached", fifo);
	attach = attach_ns(mine);
	stage("talked", fifo);
	fclose(fifo);
	known = measure(known_source, ms);
	from_any = measure(any_source, ms);
	many = measure(gather, ms);
	all = measure(barrier, ms);
	tell_all(STOP, 0);

	bench_open("growth");
	bench_text("stage", "done");
	bench_int("ranks", (uint64_t)api_size());
	bench_int("attach_ns", attach);
	bench_real("known_ns", known);
	bench_real("any_ns", from_any);
	bench_real("gather_ns", many);
	bench_real("barrier_ns", all);
	bench_int("private_bytes", private_bytes());
	bench_close();
}

int main(int argc, char **argv)
{
	struct times mine;
	uint64_t ms;
	int r;

	if (argc != 3)
		bench_die("usage: growth MS FIFO");
	ms = bench_number("MS", argv[1], 1, 60000);
	mine.start = bench_now_ns();
	api_start();
	mine.end = bench_now_ns();
	if (api_size() < 2)
		bench_die("runs with 2 ranks or more");
	if (api_rank() == 0) {
		lead(mine, ms, argv[2]);
	} else {
		api_recv(&r, sizeof(r), 0, TAG_TIMES);
		api_send(&mine, sizeof(mine), 0, TAG_TIMES);
		follow();
	}
	api_stop();
	return EXIT_SUCCESS;
}
