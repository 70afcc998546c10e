/* SPDX-License-Identifier: MIT */
/*
 * quiet.c - ranks that do nothing, or nothing but exchange messages
 *
 * usage: quiet wait		receive what never comes, until SIGTERM
 *	  quiet steady N	N messages in each direction, in lines and in
 *				blocks, both sides running all the time
 *	  quiet late N		rank 0 sends N messages and computes for a
 *				millisecond before each; then as "wait"
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/proof.h"

static void on_term(int sig)
{
	(void)sig;
	_exit(0);
}

static void steady(struct snoo *ctx, long long n)
{
	static const size_t size[] = { 0, 8, 56, 57, 4000, 16384 };
	static unsigned char out[16384], in[16384];
	int self = snoo_rank(ctx), other = self ^ 1;

	for (long long i = 0; i < n; i++) {
		size_t len = size[i % 6];

		if (self == 0)
			proof_must(snoo_send(ctx, out, len, other, 1), "send");
		proof_must(snoo_recv(ctx, in, len, other, 1, NULL), "recv");
		if (self == 1)
			proof_must(snoo_send(ctx, out, len, other, 1), "send");
	}
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void late(struct snoo *ctx, long long n)
{
	char c = 0;

	for (long long i = 0; i < n; i++) {
		if (snoo_rank(ctx) == 1) {
			proof_must(snoo_recv(ctx, &c, 1, 0, 2, NULL), "recv");
			continue;
		}
		for (int64_t end = now_ns() + 1000000; now_ns() < end;)
			;
		proof_must(snoo_send(ctx, &c, 1, 1, 2), "send");
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };
	struct snoo *ctx;
	char c;

	proof_begin("quiet");
	ctx = proof_join("quiet");
	if (argc > 2 && strcmp(argv[1], "steady") == 0) {
		steady(ctx, proof_number(argv[2]));
		proof_leave(ctx);
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "late") == 0)
		late(ctx, proof_number(argv[2]));
	sigaction(SIGTERM, &sa, NULL);
	proof_must(snoo_recv(ctx, &c, 1, (snoo_rank(ctx) + 1) % snoo_size(ctx),
			     1, NULL),
		   "recv");
	return PROOF_WRONG;
}
