/* SPDX-License-Identifier: MIT */
/* regs.h - three ranks and a register service, for the tests of client/regs.c */
#ifndef TESTS_UNIT_CLIENT_REGS_H
#define TESTS_UNIT_CLIENT_REGS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/socket.h>

#include "client/news.h"
#include "client/progress.h"
#include "tests/lib/carrier.h"

#define LINES	64u
#define HOLDS	(LINES / SNOO_ABI_REGISTER_LINES)

static struct world world;
static struct carrier carrier;

static inline void settle_news(struct world *w)
{
	for (uint32_t i = 0; i < w->p.ranks; i++)
		news_read(w->ctx[i]);
}

static inline int setup(void **state)
{
	struct world_params p = world_usual;

	p.ranks = 3;
	world_open(&world, &p);
	carrier_open(&carrier, &world, LINES);
	settle_news(&world);
	for (uint32_t i = 0; i < p.ranks; i++)
		world.ctx[i]->registers.still_ns = UINT64_MAX;
	*state = &world;
	return 0;
}

static inline int teardown(void **state)
{
	carrier_close(&carrier);
	world_close(*state);
	return 0;
}

static inline struct registers *regs_of(struct world *w, uint32_t rank)
{
	return &w->ctx[rank]->registers;
}

static inline uint64_t count(const struct world *w, uint32_t rank, enum shm_counter c)
{
	return shm_counter(w->ctx[rank]->me, c);
}

/* A message from 0 to 1 whose payload is its tag. */
static inline void small(struct world *w, int tag)
{
	assert_int_equal(snoo_send(w->ctx[0], &tag, sizeof(tag), 1, tag), 0);
}

static inline void expect(struct world *w, int tag)
{
	struct snoo_status st;
	int found, got = -1;

	assert_int_equal(snoo_iprobe(w->ctx[1], 0, SNOO_ANY_TAG, &found, &st),
			 0);
	assert_int_equal(found, 1);
	assert_int_equal(st.tag, tag);
	assert_int_equal(snoo_recv(w->ctx[1], &got, sizeof(got), 0,
				   SNOO_ANY_TAG, NULL), 0);
	assert_int_equal(got, tag);
}

static inline void expect_none(struct world *w)
{
	int found;

	assert_int_equal(snoo_iprobe(w->ctx[1], SNOO_ANY_SOURCE, SNOO_ANY_TAG,
				     &found, NULL), 0);
	assert_int_equal(found, 0);
}

/* `out` of rank 0 has stood still for long: only when a test says so. */
static inline void stand_still(struct world *w)
{
	regs_of(w, 0)->still_ns = 0;
	progress(w->ctx[0]);
	regs_of(w, 0)->still_ns = UINT64_MAX;
}

static inline void hang_up(struct world *w, uint32_t rank)
{
	shutdown(w->daemon[rank], SHUT_RDWR);
	atomic_fetch_add(&shm_region_rank(&w->region, rank)->news, 1);
}

#endif /* TESTS_UNIT_CLIENT_REGS_H */
