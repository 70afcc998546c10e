/* SPDX-License-Identifier: MIT */
/*
 * vm.c - every pair of a job's ranks, one pair at a time, wherever they run
 *
 * Usage: vm [-t MS] [-w MESSAGES] [-h FILE] [-1]
 *
 *   -t MS	  for each figure (60)
 *   -w MESSAGES  only this: messages to a rank that has had time to go to sleep
 *   -h FILE	  at the end stay while FILE is there, so that counters can be read
 *   -1		  only this: one message to each rank and back
 *
 * Without -w or -1 each pair plays ping-pong of 8 bytes, then streams 64 KiB
 * and 1 MiB, each way, in windows; before that each sends the other messages
 * of many sizes in which every byte is looked at.  The other ranks wait in a
 * receive meanwhile.  Time is taken at one end alone: guests have clocks of
 * their own.
 *
 * Rank 0 leads: it tells two ranks what comes next and prints a line for each
 * result, with the place of both ends (BENCH_WHERE, or the node's name).
 */
#include <snoo/snoo.h>

#include "bench/api.h"
#include "bench/bench.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define RANKS_MAX  32
#define WHERE	   32
#define WINDOW	   16
#define LARGEST	   ((size_t)1 << 20)
#define REPS	   5
#define PROOFS	   8	    /* messages of each size */
#define SETTLE_NS  40000000 /* the pair before this one goes to sleep */
#define DOZE_NS	   6000000  /* and the rank that is to be woken */
#define N_MAX	   UINT64_C(50000000)
#define TAG_PLAN   1
#define TAG_RESULT 2
#define TAG_DATA   3

enum what { END, PROVE, PLAY, STREAM, WAKE };

/** struct plan - What ranks @a and @b do next; @a takes the time */
struct plan {
	uint32_t what;
	int32_t a, b;
	uint32_t reserved;
	uint64_t bytes;
	uint64_t n;
};

static unsigned char *buffer;
static double *samples; /* of WAKE: each message, nanoseconds */
static char where[RANKS_MAX][WHERE];
static uint64_t ms = 60;

static void doze(long ns)
{
	struct timespec t = { ns / 1000000000, ns % 1000000000 };

	nanosleep(&t, NULL);
}

/* ---- what two ranks do ---- */

static const size_t proof_sizes[] = { 0,     1,	     8,	     56,    57,
				      1024,  4096,   16384,  16385, 65536,
				      65537, 262144, LARGEST };

/* Both ways, every byte looked at; what differs from message to message. */
static void prove_one(int to, int from, size_t bytes, uint32_t seed)
{
	long long bad;

	if (api_rank() == to) {
		memset(buffer, 0, bytes);
		api_recv(buffer, bytes, from, TAG_DATA);
		bad = bench_check(buffer, bytes, seed);
		if (bad >= 0)
			bench_die("byte %lld of %zu from rank %d is wrong", bad,
				  bytes, from);
	} else {
		bench_fill(buffer, bytes, seed);
		api_send(buffer, bytes, to, TAG_DATA);
	}
}

static uint64_t prove(const struct plan *p)
{
	uint64_t bytes = 0;

	for (size_t s = 0; s < sizeof(proof_sizes) / sizeof(*proof_sizes); s++)
		for (uint32_t i = 0; i < PROOFS; i++) {
			uint32_t seed = (uint32_t)p->a << 24 ^
					(uint32_t)p->b << 16 ^
					(uint32_t)s << 8 ^ i;

			prove_one(p->b, p->a, proof_sizes[s], seed);
			prove_one(p->a, p->b, proof_sizes[s], ~seed);
			bytes += 2 * proof_sizes[s];
		}
	return bytes;
}

/* Both are there before the clock starts. */
static void meet(const struct plan *p)
{
	char byte = 0;
	int peer = api_rank() == p->a ? p->b : p->a;

	if (api_rank() == p->a)
		api_send(&byte, 1, peer, TAG_DATA);
	api_recv(&byte, 1, peer, TAG_DATA);
	if (api_rank() == p->b)
		api_send(&byte, 1, peer, TAG_DATA);
}

static void number_is(uint64_t got, uint64_t want, int from)
{
	if (got != want)
		bench_die("message %llu from rank %d says %llu",
			  (unsigned long long)want, from,
			  (unsigned long long)got);
}

/* The eight bytes are a number that is looked at each time. */
static uint64_t play(const struct plan *p)
{
	uint64_t start, got;

	meet(p);
	start = bench_now_ns();
	for (uint64_t i = 0; i < p->n; i++) {
		if (api_rank() == p->a) {
			api_send(&i, sizeof(i), p->b, TAG_DATA);
			api_recv(&got, sizeof(got), p->b, TAG_DATA);
			number_is(got, ~i, p->b);
		} else {
			api_recv(&got, sizeof(got), p->a, TAG_DATA);
			number_is(got, i, p->a);
			got = ~i;
			api_send(&got, sizeof(got), p->a, TAG_DATA);
		}
	}
	return bench_now_ns() - start;
}

static uint64_t stream(const struct plan *p)
{
	uint32_t seed = (uint32_t)(p->n ^ p->bytes);
	api_request request[WINDOW];
	uint64_t start;
	long long bad;
	char done = 0;

	if (api_rank() == p->a)
		bench_fill(buffer, p->bytes, seed);
	else
		memset(buffer, 0, p->bytes);
	meet(p);
	start = bench_now_ns();
	for (uint64_t i = 0; i < p->n; i++) {
		for (int k = 0; k < WINDOW; k++) {
			if (api_rank() == p->a)
				api_isend(buffer, p->bytes, p->b, TAG_DATA,
					  &request[k]);
			else
				api_irecv(buffer, p->bytes, p->a, TAG_DATA,
					  &request[k]);
		}
		api_waitall(WINDOW, request);
	}
	if (api_rank() == p->a) {
		api_recv(&done, 1, p->b, TAG_DATA);
		return bench_now_ns() - start;
	}
	api_send(&done, 1, p->a, TAG_DATA);
	bad = bench_check(buffer, p->bytes, seed);
	if (bad >= 0)
		bench_die("byte %lld of a stream from rank %d is wrong", bad,
			  p->a);
	return 0;
}

/* The sleeper's answer finds us awake: it needs no bell. */
static void poll_for_answer(int from)
{
	int found = 0;

	while (!found)
		api_must(snoo_iprobe(api_ctx, from, TAG_DATA, &found, NULL),
			 "snoo_iprobe");
}

static void wake_one(const struct plan *p, uint64_t i)
{
	uint64_t start, got;

	doze(DOZE_NS);
	start = bench_now_ns();
	api_send(&i, sizeof(i), p->b, TAG_DATA);
	poll_for_answer(p->b);
	api_recv(&got, sizeof(got), p->b, TAG_DATA);
	samples[i] = (double)(bench_now_ns() - start);
	number_is(got, ~i, p->b);
}

static uint64_t wake(const struct plan *p)
{
	uint64_t got;

	meet(p);
	for (uint64_t i = 0; i < p->n; i++) {
		if (api_rank() == p->a) {
			wake_one(p, i);
			continue;
		}
		api_recv(&got, sizeof(got), p->a, TAG_DATA);
		number_is(got, i, p->a);
		got = ~i;
		api_send(&got, sizeof(got), p->a, TAG_DATA);
	}
	return 0;
}

static uint64_t act(const struct plan *p)
{
	switch (p->what) {
	case PROVE:
		return prove(p);
	case PLAY:
		return play(p);
	case STREAM:
		return stream(p);
	case WAKE:
		return wake(p);
	}
	return 0;
}

/* ---- who leads, who follows ---- */

/* What @a has measured; for WAKE the samples are here, too. */
static uint64_t lead(const struct plan *p)
{
	uint64_t result = 0;

	for (int r = 1; r < api_size(); r++)
		if (p->what == END || r == p->a || r == p->b)
			api_send(p, sizeof(*p), r, TAG_PLAN);
	if (p->a == 0 || p->b == 0)
		result = act(p);
	if (p->a == 0 || p->what == END)
		return result;
	api_recv(&result, sizeof(result), p->a, TAG_RESULT);
	if (p->what == WAKE)
		api_recv(samples, p->n * sizeof(*samples), p->a, TAG_RESULT);
	return result;
}

static void follow(void)
{
	struct plan p;
	uint64_t result;

	for (;;) {
		api_recv(&p, sizeof(p), 0, TAG_PLAN);
		if (p.what == END)
			return;
		result = act(&p);
		if (api_rank() != p.a)
			continue;
		api_send(&result, sizeof(result), 0, TAG_RESULT);
		if (p.what == WAKE)
			api_send(samples, p.n * sizeof(*samples), 0,
				 TAG_RESULT);
	}
}

static void open_line(const char *name, const struct plan *p)
{
	bench_open(name);
	bench_text("api", API_NAME);
	bench_int("from", (uint64_t)p->a);
	bench_int("to", (uint64_t)p->b);
	bench_text("from_where", where[p->a]);
	bench_text("to_where", where[p->b]);
	bench_int("bytes", p->bytes);
}

/* REPS runs of the length that fills the wanted time; ns[]: of one each. */
static void measure(struct plan *p, double ns[REPS])
{
	uint64_t want = ms * 1000000 / REPS, took = 0;

	doze(SETTLE_NS);
	for (p->n = 1; p->n < N_MAX / 4; p->n *= 4) {
		took = lead(p);
		if (took >= want / 4)
			break;
	}
	p->n = (uint64_t)((double)p->n * (double)want /
			  (double)(took ? took : 1));
	p->n = p->n < 1 ? 1 : p->n > N_MAX ? N_MAX : p->n;
	for (int i = 0; i < REPS; i++)
		ns[i] = (double)lead(p) / (double)p->n;
}

static void lead_play(int a, int b)
{
	struct plan p = { .what = PLAY, .a = a, .b = b, .bytes = 8 };
	double ns[REPS];

	measure(&p, ns);
	for (int i = 0; i < REPS; i++)
		ns[i] /= 2;
	open_line("vm-latency", &p);
	bench_int("rounds", p.n);
	bench_real("ns", bench_median(ns, REPS));
	bench_reals("reps", ns, REPS);
	bench_close();
}

static void lead_stream(int a, int b, size_t bytes)
{
	struct plan p = { .what = STREAM, .a = a, .b = b, .bytes = bytes };
	double ns[REPS];

	measure(&p, ns);
	for (int i = 0; i < REPS; i++)
		ns[i] = (double)bytes * WINDOW / ns[i] * 1000;
	open_line("vm-bandwidth", &p);
	bench_int("messages", p.n * WINDOW);
	bench_real("mbps", bench_median(ns, REPS));
	bench_reals("reps", ns, REPS);
	bench_close();
}

static void lead_prove(int a, int b)
{
	struct plan p = { .what = PROVE, .a = a, .b = b };
	uint64_t bytes = lead(&p);

	open_line("vm-proof", &p);
	bench_int("verified_bytes", bytes);
	bench_close();
}

static void lead_wake(int a, int b, uint64_t n)
{
	struct plan p = { .what = WAKE, .a = a, .b = b, .bytes = 8, .n = n };
	double median;

	doze(SETTLE_NS);
	lead(&p);
	median = bench_median(samples, n);
	open_line("vm-wake", &p);
	bench_int("messages", n);
	bench_real("round_ns", median);
	bench_real("min_ns", samples[0]);
	bench_real("p90_ns", samples[n * 9 / 10]);
	bench_real("max_ns", samples[n - 1]);
	bench_close();
}

static void lead_pairs(uint64_t wakes)
{
	for (int a = 0; a < api_size(); a++)
		for (int b = 0; b < api_size(); b++) {
			if (a == b)
				continue;
			if (wakes) {
				lead_wake(a, b, wakes);
				continue;
			}
			if (a < b) {
				lead_prove(a, b);
				lead_play(a, b);
			}
			lead_stream(a, b, 65536);
			lead_stream(a, b, LARGEST);
		}
}

/* One message to each and back: how long did it take to get this far? */
static void lead_once(void)
{
	for (int r = 1; r < api_size(); r++) {
		struct plan p = { .what = PLAY, .a = 0, .b = r, .n = 1 };

		lead(&p);
	}
	bench_open("vm-first");
	bench_int("ranks", (uint64_t)api_size());
	bench_close();
}

static void tell_where(void)
{
	const char *text = getenv("BENCH_WHERE");
	struct utsname name;

	uname(&name);
	snprintf(where[api_rank()], WHERE, "%.31s",
		 text ? text : name.nodename);
	if (api_rank() != 0) {
		api_send(where[api_rank()], WHERE, 0, TAG_RESULT);
		return;
	}
	for (int r = 1; r < api_size(); r++) {
		api_recv(where[r], WHERE, r, TAG_RESULT);
		where[r][WHERE - 1] = '\0';
	}
}

int main(int argc, char **argv)
{
	struct plan end = { .what = END, .a = -1, .b = -1 };
	const char *hold = NULL;
	uint64_t wakes = 0;
	bool once = false;
	int c;

	while ((c = getopt(argc, argv, "t:w:h:1")) != -1) {
		if (c == 't')
			ms = bench_number("-t", optarg, 1, 60000);
		else if (c == 'w')
			wakes = bench_number("-w", optarg, 1, 100000);
		else if (c == 'h')
			hold = optarg;
		else if (c == '1')
			once = true;
		else
			bench_die("-t, -w, -h and -1 are known");
	}
	buffer = bench_buffer(LARGEST);
	samples = calloc(wakes + 1, sizeof(*samples));
	if (!samples)
		bench_die("no memory");
	api_start();
	if (api_size() < 2 || api_size() > RANKS_MAX)
		bench_die("runs with 2 to %d ranks", RANKS_MAX);
	tell_where();
	if (api_rank() != 0) {
		follow();
	} else {
		if (once)
			lead_once();
		else
			lead_pairs(wakes);
		while (hold && access(hold, F_OK) == 0)
			doze(20000000);
		lead(&end);
	}
	api_stop();
	free(samples);
	free(buffer);
	return EXIT_SUCCESS;
}
