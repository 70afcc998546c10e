/* SPDX-License-Identifier: MIT */
/* carrier.c - the daemon's register service, played by hand in a world */

#include "tests/lib/carrier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/wake.h"

#define MUST(condition)							\
	must((condition) ? 1 : 0, #condition, __LINE__)

static void must(int ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "carrier.c:%d: %s\n", line, what);
	abort();
}

static struct snoo_wire_ring ring(struct carrier *c, uint32_t lines)
{
	uint64_t bytes = sizeof(struct snoo_abi_ring) +
			 (uint64_t)lines * SNOO_ABI_LINE;
	struct snoo_wire_ring r = {
		.offset = world_room(c->w, bytes),
		.bytes = (uint32_t)bytes,
		.nlines = lines,
	};

	MUST(shm_ring_format(&c->w->region, r.offset, bytes, 0) == lines);
	return r;
}

void carrier_open(struct carrier *c, struct world *w, uint32_t lines)
{
	struct hal_params params = {
		.regs = shm_region_regs(&w->region),
		.ncores = w->region.nranks,
	};

	memset(c, 0, sizeof(*c));
	c->w = w;
	MUST(hal_open(&c->bell, &hal_emul, &params) == 0);
	for (uint32_t i = 0; i < w->p.ranks; i++) {
		struct snoo_wire_registers *m = &c->said[i];

		m->head.type = SNOO_WIRE_REGISTERS;
		m->head.length = sizeof(*m);
		m->bytes = SNOO_ABI_INLINE_MAX;
		m->out = ring(c, lines);
		m->in = ring(c, lines);
		MUST(shm_rx_open(&c->out[i], &w->region, m->out.offset) == 0);
		MUST(shm_tx_open(&c->in[i], &w->region, m->in.offset,
				 lines) == 0);
		atomic_store(&shm_region_rank(&w->region, i)->registers, 1);
	}
	for (uint32_t i = 0; i < w->p.ranks; i++)
		carrier_say(c, i, SNOO_WIRE_REGISTERS_ON);
}

void carrier_close(struct carrier *c)
{
	hal_close(c->bell);
}

void carrier_say(struct carrier *c, uint32_t rank, uint32_t flags)
{
	struct snoo_wire_registers m = c->said[rank];

	m.flags = flags;
	world_tell(c->w, rank, &m, sizeof(m));
}

bool carrier_take(struct carrier *c, uint32_t rank, struct carried *msg)
{
	struct shm_rx *rx = &c->out[rank];

	if (!shm_rx_peek(rx, &msg->word0))
		return false;
	MUST(line_type(msg->word0) == SNOO_ABI_DATA);
	MUST(line_flags(msg->word0) == SNOO_ABI_STREAM);
	MUST(shm_rx_words(rx)[0] == sizeof(msg->m));
	MUST(shm_rx_run(rx, msg->word0, sizeof(msg->m)) == 1);
	shm_rx_gather(rx, &msg->m, sizeof(msg->m));
	for (uint32_t i = 0; i < SNOO_ABI_REGISTER_LINES; i++)
		shm_rx_pop(rx);
	MUST(msg->m.peer < c->w->p.ranks && msg->m.peer != rank);
	for (uint32_t i = msg->m.length; i < sizeof(msg->m.data); i++)
		MUST(msg->m.data[i] == 0);
	return true;
}

void carrier_tell(struct carrier *c, uint32_t rank)
{
	shm_rx_tell(&c->out[rank]);
}

static void wake(struct carrier *c, uint32_t to, uint32_t from)
{
	struct snoo_abi_rank *slot = shm_region_rank(&c->w->region, to);

	if (shm_wake_check(slot, from) == SHM_WAKE_FUTEX)
		hal_ring(c->bell, to, SNOO_ABI_BELL_DATA);
}

bool carrier_put(struct carrier *c, uint32_t from, const struct carried *msg)
{
	uint32_t to = msg->m.peer;
	struct snoo_abi_register m = msg->m;

	if (shm_tx_room(&c->in[to], SNOO_ABI_REGISTER_LINES - 1) <= 0)
		return false;
	m.peer = from;
	shm_tx_publish_run(&c->in[to],
			   line_word(SNOO_ABI_DATA, SNOO_ABI_STREAM,
				     shm_ring_run(sizeof(m)),
				     line_context(msg->word0),
				     line_tag(msg->word0)), &m, sizeof(m));
	wake(c, to, from);
	return true;
}

void carrier_gone(struct carrier *c, uint32_t to, uint32_t rank)
{
	struct shm_tx *tx = &c->in[to];

	MUST(shm_tx_room(tx, 0) > 0);
	shm_tx_words(tx)[0] = SNOO_ABI_GONE;
	shm_tx_words(tx)[1] = rank;
	shm_tx_publish(tx, line_word(SNOO_ABI_CONTROL, 0, 0, 0, 0));
	wake(c, to, rank);
}

unsigned int carrier_move(struct carrier *c)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < c->w->p.ranks; i++) {
		struct shm_rx before = c->out[i];
		struct carried msg;

		while (carrier_take(c, i, &msg)) {
			if (!carrier_put(c, i, &msg)) {
				c->out[i] = before;
				break;
			}
			before = c->out[i];
			n++;
		}
		carrier_tell(c, i);
	}
	return n;
}
