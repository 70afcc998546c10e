/* SPDX-License-Identifier: MIT */
/*
 * fuzz_register.c - any lines, numbers and counts in the register rings
 *
 * A hostile member writes into the `in` ring of rank 1 and over the counts of
 * both its rings, rank 0 numbers its messages to it as it likes, and rank 1
 * goes on.  Nothing may crash, no call of rank 1 may hang, and what ranks 2 and
 * 3 say to each other by a decent service arrives.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/channel.h"
#include "client/news.h"
#include "client/progress.h"
#include "tests/lib/carrier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEP	32	/* bytes of the input for a step */
#define OPEN	4	/* requests of rank 1 */
#define BIG	3000

static struct world world;
static struct carrier carrier;
static unsigned char buf[OPEN][BIG];
static struct snoo_request *open_request[OPEN];

static uint64_t word(const uint8_t *in)
{
	uint64_t w;

	memcpy(&w, in, sizeof(w));
	return w;
}

/* A message that may be true: its fields are small. */
static void put_message(const uint8_t *in)
{
	struct shm_tx *tx = &carrier.in[1];
	struct snoo_abi_register m = {
		.peer = in[1] & 3,
		.length = in[2] & 63,
		.number = in[1] & 4 ? word(in + 8) : in[3] & 31,
	};

	if (shm_tx_room(tx, 1) <= 0)
		return;
	memcpy(m.data, in + 4, 28);
	shm_tx_publish_run(tx, line_word(SNOO_ABI_DATA, SNOO_ABI_STREAM, 1,
					 in[4] & 1, in[5] & 3), &m, sizeof(m));
}

/* A line that may be anything. */
static void put_line(const uint8_t *in)
{
	struct shm_tx *tx = &carrier.in[1];
	uint64_t word0 = word(in + 8);

	if (shm_tx_room(tx, 0) <= 0)
		return;
	if (in[1] & 1)
		word0 = line_word(SNOO_ABI_CONTROL, 0, 0, 0, 0);
	shm_tx_words(tx)[0] = in[1] & 2 ? in[2] & 3 : word(in + 16);
	shm_tx_words(tx)[1] = in[1] & 4 ? in[3] & 3 : word(in + 24);
	shm_tx_publish(tx, word0);
}

/* Rank 0 numbers as it likes. */
static void number(const uint8_t *in)
{
	struct peer *p = &world.ctx[0]->peers[1];
	uint64_t n = in[1] & 1 ? word(in + 8) : in[2] & 31;

	if (channel_room(world.ctx[0], p))
		channel_number(p, n);
}

static void spoil(const uint8_t *in)
{
	const struct snoo_wire_registers *m = &carrier.said[1];
	struct snoo_abi_ring *ring = (void *)(world.region.base +
					      (in[1] & 1 ? m->out.offset :
							   m->in.offset));
	uint32_t value = (uint32_t)word(in + 8);

	if (in[1] & 2)
		value &= 127;
	if (in[1] & 4)
		atomic_store(&ring->consumed, value);
	else
		ring->nlines = value;
}

static void ask(const uint8_t *in, unsigned int at)
{
	struct snoo *ctx = world.ctx[1];
	size_t n = (size_t)(in[2] << 8 | in[3]) % BIG;

	if (in[1] & 8)
		n %= 57;
	if (open_request[at])
		snoo_cancel(ctx, &open_request[at]);
	else if (in[1] & 1)
		snoo_isend(ctx, buf[at], n, in[1] & 2 ? 0 : 2, in[4] & 3,
			   &open_request[at]);
	else
		snoo_irecv(ctx, buf[at], n, in[1] & 2 ? 0 : SNOO_ANY_SOURCE,
			   in[1] & 4 ? SNOO_ANY_TAG : in[4] & 3,
			   &open_request[at]);
}

static void honest(const uint8_t *in)
{
	struct snoo_request *r;
	size_t n = (size_t)(in[2] << 8 | in[3]) % BIG;

	if (snoo_isend(world.ctx[0], buf[0], n, 1, in[4] & 3, &r) == 0)
		snoo_cancel(world.ctx[0], &r);
}

static void daemon_says(const uint8_t *in)
{
	struct snoo_wire_gone gone = {
		.head = { SNOO_WIRE_GONE, sizeof(gone) },
		.rank = in[2] & 3,
		.state = SNOO_ABI_DEAD | (in[1] & 2 ? SNOO_WIRE_GONE_REGISTERS :
						      0),
		.gone = ++world.gone,
	};

	if (in[1] & 1)
		carrier_say(&carrier, 1, in[2]);
	else if (in[1] & 4)
		world_tell(&world, 1, &gone, sizeof(gone));
}

static void step(const uint8_t *in)
{
	switch (in[0] % 12) {
	case 0:
	case 1:
		put_message(in);
		break;
	case 2:
		put_line(in);
		break;
	case 3:
		number(in);
		break;
	case 4:
		if (in[0] & 0x80)
			spoil(in);
		break;
	case 5:
		ask(in, in[3] % OPEN);
		break;
	case 6:
		honest(in);
		break;
	case 7:
		if (in[0] & 0x80)
			daemon_says(in);
		break;
	case 8:
		world.ctx[1]->registers.still_ns = in[1] & 1 ? 0 : UINT64_MAX;
		break;
	default:
		break;
	}
	progress(world.ctx[1]);
	progress(world.ctx[0]);
}

static void carry(uint32_t from)
{
	struct carried msg;

	while (carrier_take(&carrier, from, &msg)) {
		if (msg.m.peer != 1 && !carrier_put(&carrier, from, &msg))
			abort();
	}
	carrier_tell(&carrier, from);
}

static void bystanders(void)
{
	unsigned char out[56], in[56];
	struct snoo_request *r;
	int done = 0;

	for (uint32_t n = 0; n <= 56; n += 8) {
		world_pattern(out, n, n);
		if (snoo_send(world.ctx[2], out, n, 3, 1) ||
		    snoo_irecv(world.ctx[3], in, n, 2, 1, &r))
			abort();
		carry(2);
		if (snoo_test(world.ctx[3], &r, &done, NULL) || !done ||
		    !world_matches(in, n, n))
			abort();
	}
	if (shm_counter(world.ctx[3]->me, SHM_COUNT_received_mailbox) != 8)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world_params p = world_usual;
	uint8_t in[STEP];

	p.ranks = 4;
	p.pool_bytes = 4u << 20;
	p.large = 1;
	world_open(&world, &p);
	carrier_open(&carrier, &world, 32);
	for (uint32_t i = 0; i < p.ranks; i++) {
		news_read(world.ctx[i]);
		world.ctx[i]->registers.still_ns = UINT64_MAX;
	}
	for (size_t at = 0; at < size; at += STEP) {
		memset(in, 0, sizeof(in));
		memcpy(in, data + at, size - at < STEP ? size - at : STEP);
		step(in);
	}
	bystanders();
	for (unsigned int i = 0; i < OPEN; i++)
		if (open_request[i])
			snoo_cancel(world.ctx[1], &open_request[i]);
	carrier_close(&carrier);
	world_close(&world);
	return 0;
}
