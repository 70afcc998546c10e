/* SPDX-License-Identifier: MIT */
/*
 * loan.c - latency of loans: a block there and one back, for each size
 *
 * Usage: loan [-t MS] [-l FILE] SIZE...
 *
 * As pingpong.c, but each message is built in a block of the pool and read
 * there.  Its first word is written and looked at: the rest is the
 * application's work, and costs it the same with any library.  After each run
 * one message goes each way that is filled and compared byte by byte.
 */
#include "bench/api.h"
#include "bench/bench.h"
#include "bench/drive.h"

#include <string.h>

static void borrow(const struct drive_test *t, struct snoo_block *b)
{
	if (t->bytes < sizeof(uint64_t))
		bench_die("a loan has at least %zu bytes here",
			  sizeof(uint64_t));
	api_must(snoo_loan(api_ctx, t->bytes, b), "snoo_loan");
}

static void lend(const struct drive_test *t, struct snoo_block *b)
{
	api_must(snoo_send_loan(api_ctx, b, t->bytes, t->peer, DRIVE_TAG),
		 "snoo_send_loan");
}

static void give(const struct drive_test *t, uint64_t i)
{
	struct snoo_block b;

	borrow(t, &b);
	memcpy(b.data, &i, sizeof(i));
	lend(t, &b);
}

static void take(const struct drive_test *t, uint64_t i)
{
	struct snoo_view v;
	uint64_t first;

	api_must(snoo_recv_view(api_ctx, t->peer, DRIVE_TAG, &v),
		 "snoo_recv_view");
	memcpy(&first, v.data, sizeof(first));
	if (v.bytes != t->bytes || first != i)
		bench_die("message %llu of %zu bytes is wrong",
			  (unsigned long long)i, t->bytes);
	api_must(snoo_release(api_ctx, &v), "snoo_release");
}

static void check(struct drive_test *t)
{
	struct snoo_block b;
	struct snoo_view v;
	long long bad;

	borrow(t, &b);
	bench_fill(b.data, t->bytes, (uint32_t)api_rank());
	lend(t, &b);
	api_must(snoo_recv_view(api_ctx, t->peer, DRIVE_TAG, &v),
		 "snoo_recv_view");
	bad = bench_check(v.data, t->bytes, (uint32_t)t->peer);
	if (bad >= 0)
		bench_die("byte %lld of %zu from rank %d is wrong", bad,
			  t->bytes, t->peer);
	api_must(snoo_release(api_ctx, &v), "snoo_release");
}

static void run(struct drive_test *t, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		if (api_rank() % 2 == 0) {
			give(t, i);
			take(t, i);
		} else {
			take(t, i);
			give(t, i);
		}
	}
}

int main(int argc, char **argv)
{
	struct drive_test t = { .name = "loan", .check = check, .run = run };

	return drive_main(argc, argv, &t);
}
