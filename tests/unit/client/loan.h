/* SPDX-License-Identifier: MIT */
/* loan.h - three ranks that lend, for test_loan*.c; the test is the daemon */
#ifndef TESTS_UNIT_CLIENT_LOAN_H
#define TESTS_UNIT_CLIENT_LOAN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shm/block.h"
#include "tests/lib/world.h"

#define MIB	(UINT64_C(1) << 20)

static struct world world;

static inline int setup(void **state)
{
	struct world_params p = world_usual;

	p.ranks = 3;
	world_open(&world, &p);
	*state = &world;
	return 0;
}

static inline int teardown(void **state)
{
	world_close(*state);
	return 0;
}

static inline enum snoo_abi_desc_state state_of(struct world *w, uint32_t unit)
{
	return block_state(shm_block_look(shm_region_desc(&w->region, unit)));
}

static inline void build(struct world *w, uint32_t rank, size_t n, uint32_t seed,
		  struct snoo_block *loan)
{
	assert_int_equal(snoo_loan(w->ctx[rank], n, loan), 0);
	assert_true(loan->bytes >= n);
	world_pattern(loan->data, n, seed);
}

static inline void lend(struct world *w, uint32_t from, int to, size_t n,
		 uint32_t seed)
{
	struct snoo_block loan;

	build(w, from, n, seed, &loan);
	assert_int_equal(snoo_send_loan(w->ctx[from], &loan, n, to, 1), 0);
	assert_int_equal(loan.id, 0);
	assert_null(loan.data);
}

static inline void expect_view(const struct snoo_view *v, int source, uint64_t n,
			uint32_t seed)
{
	assert_int_equal(v->source, source);
	assert_int_equal(v->tag, 1);
	assert_int_equal(v->bytes, n);
	assert_true(world_matches(v->data, n, seed));
}

static inline void take_view(struct world *w, uint32_t rank, int source, uint64_t n,
		      uint32_t seed, struct snoo_view *v)
{
	assert_int_equal(snoo_recv_view(w->ctx[rank], source, 1, v), 0);
	expect_view(v, source, n, seed);
}

static inline uint64_t count(struct world *w, uint32_t rank, enum shm_counter c)
{
	return shm_counter(w->ctx[rank]->me, c);
}

#endif /* TESTS_UNIT_CLIENT_LOAN_H */
