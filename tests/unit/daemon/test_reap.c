/* SPDX-License-Identifier: MIT */
/* test_reap.c - who is gone, who is told, and what is kept for whom */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/reap.h"
#include "hal/regs.h"
#include "shm/block.h"
#include "shm/job.h"
#include "tests/lib/home.h"

#define RANKS	3

struct fixture {
	struct home h;
	struct fakerank f[RANKS];
};

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));
	int ret = home_open(&x->h, NULL);

	for (int i = 0; i < RANKS && ret == 0; i++) {
		home_rank(&x->h, &x->f[i]);
		ret = fakerank_attach(&x->f[i], x->h.path, "reap", 0, i,
				      RANKS);
	}
	for (int i = 0; i < RANKS && ret == 0; i++)
		if (!x->f[i].started &&
		    fakerank_until(&x->f[i], SNOO_WIRE_START) !=
		    SNOO_WIRE_START)
			ret = -EPROTO;
	*state = x;
	return ret;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	for (int i = 0; i < RANKS; i++)
		fakerank_close(&x->f[i]);
	home_close(&x->h);
	free(x);
	return 0;
}

static uint64_t pieces(struct fixture *x, uint32_t slot)
{
	struct arena_use use[ARENA_KINDS];
	uint64_t n = 0;

	arena_owned(x->h.d->arena, false, slot, use);
	for (int k = 1; k < ARENA_KINDS; k++)
		n += use[k].pieces;
	return n;
}

static struct snoo_abi_desc *desc(struct fakerank *f, unsigned int i)
{
	return shm_region_desc(&f->region, f->block[i].unit);
}

static void test_partners_hear_of_a_departure(void **state)
{
	struct fixture *x = *state;
	struct shm_job view;

	assert_int_equal(fakerank_leave(&x->f[2]), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fakerank_until(&x->f[i], SNOO_WIRE_GONE),
				 SNOO_WIRE_GONE);
		assert_int_equal(x->f[i].gone.rank, 2);
		assert_int_equal(x->f[i].gone.state, SNOO_ABI_LEFT);
		assert_int_equal(x->f[i].gone.gone, 1);
		assert_int_equal(x->f[i].gone.slot, x->f[2].welcome.slot);
	}
	assert_int_equal(shm_job_open(&view, &x->f[0].region,
				      x->f[0].welcome.job_off, RANKS), 0);
	assert_int_equal(view.member[2].state, SNOO_ABI_LEFT);
}

/* Even a partner that says it polls: the dead one may have owed it a ring. */
static void test_partners_are_rung_whatever_they_do(void **state)
{
	struct fixture *x = *state;
	struct hal_block *regs = shm_region_regs(&x->f[0].region);
	uint32_t slot = x->f[0].welcome.slot;

	atomic_store(&regs[slot].status, 0);
	fakerank_close(&x->f[1]);
	home_settle(&x->h);
	assert_int_equal(atomic_load(&regs[slot].status),
			 SNOO_ABI_BELL_NEWS | SNOO_ABI_BELL_DATA);
}

static void test_quarantine_waits_for_every_partner(void **state)
{
	struct fixture *x = *state;
	uint32_t slot = x->f[2].welcome.slot, generation;

	/* One block is being read, the others are free. */
	assert_int_equal(shm_block_take(desc(&x->f[2], 0), slot,
					x->f[2].block[0].generation,
					&generation), 0);
	assert_int_equal(fakerank_leave(&x->f[2]), 0);
	home_settle(&x->h);
	/* Its rings, and the busy block. */
	assert_int_equal(pieces(x, slot), x->f[2].rings + 1);
	assert_int_equal(block_state(shm_block_look(desc(&x->f[0], 0))),
			 SNOO_ABI_BLOCK_FREE);

	assert_int_equal(fakerank_ack(&x->f[0], 1), 0);
	home_settle(&x->h);
	assert_int_equal(pieces(x, slot), x->f[2].rings + 1);
	assert_ptr_equal(reap_waits_for(x->h.d->rank[slot]),
			 x->h.d->rank[x->f[1].welcome.slot]);

	assert_int_equal(fakerank_ack(&x->f[1], 1), 0);
	home_settle(&x->h);
	assert_int_equal(pieces(x, slot), 0);
	assert_null(x->h.d->rank[slot]);
	assert_int_equal(block_state(shm_block_look(desc(&x->f[2], 0))),
			 SNOO_ABI_BLOCK_NONE);
}

static void test_partner_that_is_gone_need_not_acknowledge(void **state)
{
	struct fixture *x = *state;
	uint32_t slot = x->f[2].welcome.slot;

	assert_int_equal(fakerank_leave(&x->f[2]), 0);
	assert_int_equal(fakerank_ack(&x->f[0], 1), 0);
	home_settle(&x->h);
	assert_non_null(x->h.d->rank[slot]);
	assert_int_equal(fakerank_leave(&x->f[1]), 0);
	home_settle(&x->h);
	assert_null(x->h.d->rank[slot]);
}

/* A session may end while its process lives and still has the pool mapped. */
static void test_memory_is_kept_until_the_process_has_ended(void **state)
{
	struct fixture *x = *state;
	uint32_t slot = x->f[2].welcome.slot;

	fakerank_close(&x->f[2]);
	assert_int_equal(fakerank_until(&x->f[0], SNOO_WIRE_GONE),
			 SNOO_WIRE_GONE);
	assert_int_equal(x->f[0].gone.state, SNOO_ABI_DEAD);
	assert_int_equal(fakerank_ack(&x->f[0], 1), 0);
	assert_int_equal(fakerank_ack(&x->f[1], 1), 0);
	home_settle(&x->h);
	assert_ptr_equal(reap_waits_for(x->h.d->rank[slot]),
			 x->h.d->rank[slot]);
	assert_true(pieces(x, slot) > 0);
	home_bury(&x->h);
	assert_null(x->h.d->rank[slot]);
}

static void test_job_ends_with_its_last_rank(void **state)
{
	struct fixture *x = *state;

	for (int i = 0; i < RANKS; i++)
		assert_int_equal(fakerank_leave(&x->f[i]), 0);
	home_settle(&x->h);
	assert_int_equal(x->h.d->jobs, 0);
	assert_int_equal(x->h.d->ranks, 0);
	assert_int_equal(arena_free_bytes(x->h.d->arena),
			 (uint64_t)x->h.d->pool.region.arena_units *
			 SNOO_ABI_UNIT);
}

static void test_slot_is_clean_for_the_next(void **state)
{
	struct fixture *x = *state;
	struct fakerank f[16];
	uint32_t before = x->f[0].welcome.instance;

	atomic_store(&x->f[0].slot->used, 123);
	atomic_store(&x->f[0].slot->summary[3], 7);
	for (int i = 0; i < RANKS; i++)
		assert_int_equal(fakerank_leave(&x->f[i]), 0);
	home_settle(&x->h);
	/* Slots are used in turn; go round once. */
	for (int i = 0; i < 16; i++) {
		home_rank(&x->h, &f[i]);
		assert_int_equal(fakerank_attach(&f[i], x->h.path, "next", 0,
						 i, 16), 0);
		if (f[i].welcome.slot != x->f[0].welcome.slot)
			continue;
		assert_int_equal(f[i].welcome.instance, before + 1);
		assert_int_equal(atomic_load(&f[i].slot->used), 0);
		assert_int_equal(atomic_load(&f[i].slot->summary[3]), 0);
		assert_true(atomic_load(&f[i].slot->allow) ==
			    SNOO_ABI_UNLIMITED);
	}
	for (int i = 0; i < 16; i++)
		fakerank_close(&f[i]);
}

static void test_sharers_follow_comings_and_goings(void **state)
{
	struct fixture *x = *state;
	uint32_t core = (uint32_t)x->f[0].welcome.core, same = 0;

	for (int i = 0; i < RANKS; i++)
		same += (uint32_t)x->f[i].welcome.core == core;
	assert_int_equal(atomic_load(&x->f[0].slot->sharers), same);
	for (int i = 1; i < RANKS; i++) {
		if ((uint32_t)x->f[i].welcome.core == core)
			same--;
		assert_int_equal(fakerank_leave(&x->f[i]), 0);
		home_settle(&x->h);
		assert_int_equal(atomic_load(&x->f[0].slot->sharers), same);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_partners_hear_of_a_departure),
		T(test_partners_are_rung_whatever_they_do),
		T(test_quarantine_waits_for_every_partner),
		T(test_partner_that_is_gone_need_not_acknowledge),
		T(test_memory_is_kept_until_the_process_has_ended),
		T(test_job_ends_with_its_last_rank),
		T(test_slot_is_clean_for_the_next),
		T(test_sharers_follow_comings_and_goings),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
