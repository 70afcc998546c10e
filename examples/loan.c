/* SPDX-License-Identifier: MIT */
/*
 * loan.c - a picture that is read where it was drawn: snoorun -n 2 loan
 *
 * Rank 0 draws into a block of the pool and lends it; rank 1 reads it there.
 * Nobody copies it, whatever its size.
 */
#include <snoo/snoo.h>

#include <stdio.h>
#include <stdlib.h>

#define WIDTH  1024u
#define HEIGHT 1024u
#define BYTES  ((size_t)WIDTH * HEIGHT)
#define TAG    1

static void must(int ret, const char *what)
{
	if (ret) {
		fprintf(stderr, "loan: %s: %s\n", what, snoo_strerror(ret));
		exit(EXIT_FAILURE);
	}
}

static void draw(unsigned char *picture)
{
	for (unsigned int y = 0; y < HEIGHT; y++)
		for (unsigned int x = 0; x < WIDTH; x++)
			picture[(size_t)y * WIDTH + x] = (x ^ y) & 1;
}

static void send_picture(struct snoo *ctx)
{
	static unsigned char own[BYTES];
	struct snoo_block block;

	/* A loan may fail, a copy only waits. */
	if (snoo_loan(ctx, BYTES, &block)) {
		draw(own);
		must(snoo_send(ctx, own, BYTES, 1, TAG), "snoo_send");
		return;
	}
	draw(block.data);
	must(snoo_send_loan(ctx, &block, BYTES, 1, TAG), "snoo_send_loan");
}

static void read_picture(struct snoo *ctx)
{
	const unsigned char *picture;
	struct snoo_view view;
	unsigned long white = 0;

	must(snoo_recv_view(ctx, 0, TAG, &view), "snoo_recv_view");
	picture = view.data;
	for (size_t i = 0; i < view.bytes; i++)
		white += picture[i];
	printf("%lu of %lu dots are white\n", white, (unsigned long)view.bytes);
	must(snoo_release(ctx, &view), "snoo_release");
}

int main(void)
{
	struct snoo *ctx;

	if (snoo_init(&ctx, "loan", NULL)) {
		fprintf(stderr, "loan: %s\n", snoo_last_error());
		return EXIT_FAILURE;
	}
	if (snoo_size(ctx) < 2) {
		fprintf(stderr, "loan: runs with 2 ranks\n");
		snoo_finalize(ctx);
		return EXIT_FAILURE;
	}
	if (snoo_rank(ctx) == 0)
		send_picture(ctx);
	else if (snoo_rank(ctx) == 1)
		read_picture(ctx);
	must(snoo_finalize(ctx), "snoo_finalize");
	return EXIT_SUCCESS;
}
