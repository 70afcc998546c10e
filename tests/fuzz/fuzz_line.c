/* SPDX-License-Identifier: MIT */
/*
 * fuzz_line.c - any lines, blocks and memory from a hostile peer
 *
 * Rank 0 publishes lines made from the input in its ring to rank 1, writes
 * words of the input over shared memory, and rank 1 goes on receiving, sending,
 * probing and reading in place.  Nothing may crash, no call of rank 1 may hang, and what ranks
 * 2 and 3 say to each other arrives.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/channel.h"
#include "client/progress.h"
#include "tests/lib/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEP 60 /* bytes of the input for a step */
#define OPEN 8	/* requests of rank 1 */
#define BIG  40000
#define VIEW_MAX (1u << 30) /* of a length that says more, nobody takes a view */

static struct world world;
static unsigned char buf[OPEN][BIG];
static struct snoo_request *open_request[OPEN];
static struct snoo_view view[OPEN];

/* A line with a lap that is right; its words from the input. */
static void publish(const uint8_t *in)
{
	struct peer *p = &world.ctx[0]->peers[1];
	uint64_t word0;

	if (!channel_room(world.ctx[0], p))
		return;
	memcpy(&word0, in + 4, 8);
	/* Often a type that exists, without odd flags. */
	if (in[1] & 1)
		word0 &= ~(uint64_t)0x3c0;
	if (in[1] & 2)
		word0 = (word0 & ~UINT64_C(0xf)) | (in[1] >> 4) % 11u;
	memcpy(shm_tx_words(&p->tx), in + 4, 7 * sizeof(uint64_t));
	/* And words that may be true: tokens and blocks begin at 0 or 1. */
	for (unsigned int i = 0; i < 7; i++)
		if (in[2] >> i & 1)
			shm_tx_words(&p->tx)[i] &= UINT64_C(0x0000000f0000003f);
	shm_tx_publish(&p->tx, word0);
	channel_wake(world.ctx[0], p);
}

/* Words of the pool's arena and tables that nobody else's rank needs. */
static void spoil(const uint8_t *in)
{
	struct snoo_abi_ring *ring;
	uint64_t off = shm_job_channel(&world.job, 0, 1);
	uint32_t value;

	memcpy(&value, in + 4, sizeof(value));
	if (off == 0)
		return;
	ring = (void *)(world.region.base + off);
	if (in[1] & 1)
		atomic_store_explicit(&ring->consumed, value,
				      memory_order_relaxed);
	else
		ring->nlines = value;
}

static void ask(const uint8_t *in, unsigned int at)
{
	struct snoo *ctx = world.ctx[1];
	size_t n = (size_t)(in[2] << 8 | in[3]) % BIG;

	if (open_request[at]) {
		snoo_cancel(ctx, &open_request[at]);
		return;
	}
	if (in[1] & 1)
		snoo_isend(ctx, buf[at], n, in[1] & 2 ? 0 : 1, in[4] & 3,
			   &open_request[at]);
	else
		snoo_irecv(ctx, buf[at], n, in[1] & 2 ? 0 : SNOO_ANY_SOURCE,
			   in[1] & 4 ? SNOO_ANY_TAG : in[4] & 3,
			   &open_request[at]);
}

static void look(unsigned int at)
{
	struct snoo_status st;
	int done;

	snoo_iprobe(world.ctx[1], SNOO_ANY_SOURCE, SNOO_ANY_TAG, &done, &st);
	if (view[at].id)
		snoo_release(world.ctx[1], &view[at]);
	else if (done && st.count <= VIEW_MAX)
		snoo_recv_view(world.ctx[1], st.source, st.tag, &view[at]);
	snoo_test(world.ctx[1], &open_request[at], &done, &st);
}

static void step(const uint8_t *in)
{
	unsigned int at = in[3] % OPEN;

	switch (in[0] & 7) {
	case 0:
		ask(in, at);
		break;
	case 1:
		look(at);
		break;
	case 2:
		if (in[0] & 0x40)
			spoil(in);
		break;
	case 3:
		world_turn(&world, 1);
		break;
	default:
		publish(in);
		progress(world.ctx[1]);
		break;
	}
}

static void bystanders(void)
{
	static unsigned char out[20000], in[20000];
	struct snoo_request *s, *r;
	int done = 0;

	world_pattern(out, sizeof(out), 3);
	if (snoo_isend(world.ctx[2], out, sizeof(out), 3, 1, &s) ||
	    snoo_irecv(world.ctx[3], in, sizeof(in), 2, 1, &r))
		abort();
	for (int i = 0; i < 10000 && !done; i++) {
		if (snoo_test(world.ctx[3], &r, &done, NULL))
			abort();
		progress(world.ctx[2]);
	}
	if (!done || !world_matches(in, sizeof(in), 3) ||
	    snoo_wait(world.ctx[2], &s, NULL))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world_params p = world_usual;
	uint8_t in[STEP];
	int x = 0;

	p.ranks = 4;
	p.pool_bytes = 4u << 20;
	p.large = 1;
	world_open(&world, &p);
	/* The channel exists: what follows comes through it. */
	for (int i = 0; i < 4; i++)
		world_lend(&world, 0, 8192);
	/* A view of what is offered and never comes. */
	snoo_set_timeout(world.ctx[1], 100000);
	memset(view, 0, sizeof(view));
	if (snoo_send(world.ctx[0], &x, 4, 1, 1) ||
	    snoo_recv(world.ctx[1], &x, 4, 0, 1, NULL) ||
	    snoo_send(world.ctx[1], &x, 4, 0, 1))
		abort();
	for (size_t at = 0; at < size; at += STEP) {
		memset(in, 0, sizeof(in));
		memcpy(in, data + at, size - at < STEP ? size - at : STEP);
		step(in);
	}
	bystanders();
	for (unsigned int i = 0; i < OPEN; i++)
		if (open_request[i])
			snoo_cancel(world.ctx[1], &open_request[i]);
	world_close(&world);
	return 0;
}
