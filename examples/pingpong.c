/* SPDX-License-Identifier: MIT */
/*
 * pingpong.c - one-way time between two ranks: snoorun -n 2 pingpong
 *
 * A look, not a measurement: bench/ has those.
 */
#include <snoo/snoo.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS	1000
#define LARGEST (1u << 20)
#define TAG	1

static unsigned char out[LARGEST], in[LARGEST];

static void must(int ret, const char *what)
{
	if (ret) {
		fprintf(stderr, "pingpong: %s: %s\n", what, snoo_strerror(ret));
		exit(EXIT_FAILURE);
	}
}

int main(void)
{
	struct snoo *ctx;
	int rank;

	if (snoo_init(&ctx, "pingpong", NULL)) {
		fprintf(stderr, "pingpong: %s\n", snoo_last_error());
		return EXIT_FAILURE;
	}
	rank = snoo_rank(ctx);
	if (snoo_size(ctx) != 2) {
		fprintf(stderr, "pingpong: runs with 2 ranks, not %d\n",
			snoo_size(ctx));
		return EXIT_FAILURE;
	}
	if (rank == 0)
		printf("%10s %12s\n", "bytes", "one way, us");
	for (size_t bytes = 1; bytes <= LARGEST; bytes *= 4) {
		uint64_t start, took;

		memset(out, (int)(bytes & 0xff) ^ rank ^ 0x40, bytes);
		start = snoo_clock_ns();
		for (int i = 0; i < ROUNDS; i++) {
			if (rank == 0)
				must(snoo_send(ctx, out, bytes, 1, TAG),
				     "snoo_send");
			must(snoo_recv(ctx, in, bytes, 1 - rank, TAG, NULL),
			     "snoo_recv");
			if (rank == 1)
				must(snoo_send(ctx, out, bytes, 0, TAG),
				     "snoo_send");
		}
		took = snoo_clock_ns() - start;
		if (in[bytes - 1] != (out[bytes - 1] ^ 1)) {
			fprintf(stderr, "pingpong: wrong bytes\n");
			return EXIT_FAILURE;
		}
		if (rank == 0)
			printf("%10zu %12.3f\n", bytes,
			       (double)took / ROUNDS / 2 / 1000);
	}
	must(snoo_finalize(ctx), "snoo_finalize");
	return EXIT_SUCCESS;
}
