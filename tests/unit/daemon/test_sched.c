/* SPDX-License-Identifier: MIT */
/* test_sched.c - shares of bytes and blocks, in a world with its own clock */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "daemon/sched.h"

#define MS	UINT64_C(1000000)
#define TICK	(MS / 20)		/* of the simulation */
#define RANKS	8

/* A rank that moves bytes at its own speed while it may. */
struct sim_rank {
	struct sched_rank r;
	uint64_t speed;			/* bytes/s */
	uint64_t used;
	uint64_t message;		/* bytes moved at once */
	uint64_t credit;		/* time not yet turned into bytes */
	bool idle;
	bool waits;
};

struct sim {
	struct sched s;
	struct sched_job job[RANKS];
	struct sim_rank rank[RANKS];
	unsigned int n;
	uint64_t now;
	uint64_t looked;
};

static int setup(void **state)
{
	static struct sim sim;

	memset(&sim, 0, sizeof(sim));
	sched_init(&sim.s);
	sim.s.quantum = 256 << 10;
	sim.s.round_ns = 2 * MS;
	sim.s.contended_ns = 20 * MS;
	sim.s.slack = 64 << 10;
	sim.now = 1000 * MS;
	*state = &sim;
	return 0;
}

static void add_job(struct sim *sim, unsigned int i, uint32_t weight,
		    uint64_t rate)
{
	sim->job[i].weight = weight;
	sim->job[i].rate = rate;
	sched_job_add(&sim->s, &sim->job[i]);
}

static struct sim_rank *add_rank(struct sim *sim, unsigned int job,
				 uint64_t speed)
{
	struct sim_rank *k = &sim->rank[sim->n++];

	k->r.job = &sim->job[job];
	k->speed = speed;
	k->message = 64 << 10;
	sched_rank_add(&sim->s, &k->r, 0);
	return k;
}

/* It moves whole messages, as long as its allowance covers them. */
static void move(struct sim_rank *k)
{
	k->waits = false;
	if (k->idle)
		return;
	k->credit += k->speed / 1000 * TICK / MS;
	while (k->credit >= k->message) {
		if (k->r.allow != SCHED_UNLIMITED &&
		    (k->used >= k->r.allow ||
		     k->r.allow - k->used < k->message)) {
			k->credit = 0;
			k->waits = true;
			return;
		}
		k->credit -= k->message;
		k->used += k->message;
	}
}

static void run_for(struct sim *sim, uint64_t ns)
{
	for (uint64_t end = sim->now + ns; sim->now < end; sim->now += TICK) {
		for (unsigned int i = 0; i < sim->n; i++)
			move(&sim->rank[i]);
		if (sim->now - sim->looked < sim->s.round_ns)
			continue;
		sim->looked = sim->now;
		for (unsigned int i = 0; i < sim->n; i++) {
			struct sim_rank *k = &sim->rank[i];

			sched_report(&k->r, k->used,
				     k->waits ? k->message : 0);
			/* Somebody always waits for blocks in this pool. */
			if (!k->idle)
				sched_short(&sim->s, sim->now);
		}
		sched_tick(&sim->s, sim->now);
	}
}

static void expect_ratio(uint64_t a, uint64_t b, double want, double within)
{
	double ratio = (double)b / (double)a;

	if (ratio < want * (1 - within) || ratio > want * (1 + within))
		fail_msg("%llu : %llu is %.3f, not %.3f",
			 (unsigned long long)a, (unsigned long long)b, ratio,
			 want);
}

static void test_nothing_is_limited_while_nobody_is_short(void **state)
{
	struct sim *sim = *state;
	struct sim_rank *k;

	add_job(sim, 0, 1, 0);
	k = add_rank(sim, 0, 1 << 30);
	assert_false(sched_tick(&sim->s, sim->now));
	assert_true(k->r.allow == SCHED_UNLIMITED);
}

static void test_two_jobs_share_by_weight(void **state)
{
	struct sim *sim = *state;

	add_job(sim, 0, 1, 0);
	add_job(sim, 1, 3, 0);
	add_rank(sim, 0, UINT64_C(8) << 30);
	add_rank(sim, 1, UINT64_C(8) << 30);
	run_for(sim, 1000 * MS);
	expect_ratio(sim->rank[0].used, sim->rank[1].used, 3.0, 0.1);
	/* And sharing did not eat the machine. */
	assert_true(sim->rank[1].used > UINT64_C(1) << 30);
}

/* Speed is no claim: the fast one waits for the slower one's share. */
static void test_shares_do_not_follow_speed(void **state)
{
	struct sim *sim = *state;

	add_job(sim, 0, 1, 0);
	add_job(sim, 1, 1, 0);
	add_rank(sim, 0, UINT64_C(10) << 30);
	add_rank(sim, 1, UINT64_C(2) << 30);
	run_for(sim, 1000 * MS);
	expect_ratio(sim->rank[0].used, sim->rank[1].used, 1.0, 0.1);
}

static void test_ranks_of_a_job_share_its_part(void **state)
{
	struct sim *sim = *state;
	uint64_t job1;

	add_job(sim, 0, 1, 0);
	add_job(sim, 1, 1, 0);
	add_rank(sim, 0, UINT64_C(8) << 30);
	for (int i = 0; i < 3; i++)
		add_rank(sim, 1, UINT64_C(8) << 30);
	run_for(sim, 1000 * MS);
	job1 = sim->rank[1].used + sim->rank[2].used + sim->rank[3].used;
	expect_ratio(sim->rank[0].used, job1, 1.0, 0.1);
	expect_ratio(sim->rank[1].used, sim->rank[3].used, 1.0, 0.1);
}

static void test_third_job_gets_its_share_within_a_second(void **state)
{
	struct sim *sim = *state;
	uint64_t before[3];

	for (unsigned int i = 0; i < 3; i++)
		add_job(sim, i, i == 1 ? 3 : 1, 0);
	add_rank(sim, 0, UINT64_C(8) << 30);
	add_rank(sim, 1, UINT64_C(8) << 30);
	run_for(sim, 500 * MS);
	add_rank(sim, 2, UINT64_C(8) << 30);
	for (unsigned int i = 0; i < 3; i++)
		before[i] = sim->rank[i].used;
	run_for(sim, 1000 * MS);
	expect_ratio(sim->rank[0].used - before[0],
		     sim->rank[2].used - before[2], 1.0, 0.1);
	expect_ratio(sim->rank[2].used - before[2],
		     sim->rank[1].used - before[1], 3.0, 0.1);
}

/* Who has nothing to move holds nobody up, and saves nothing up either. */
static void test_idle_rank_neither_blocks_nor_saves(void **state)
{
	struct sim *sim = *state;
	uint64_t before[2];

	add_job(sim, 0, 1, 0);
	add_job(sim, 1, 1, 0);
	add_rank(sim, 0, UINT64_C(8) << 30);
	add_rank(sim, 1, UINT64_C(8) << 30)->idle = true;
	run_for(sim, 1000 * MS);
	assert_true(sim->rank[0].used > UINT64_C(6) << 30);
	sim->rank[1].idle = false;
	before[0] = sim->rank[0].used;
	before[1] = sim->rank[1].used;
	run_for(sim, 1000 * MS);
	expect_ratio(sim->rank[0].used - before[0],
		     sim->rank[1].used - before[1], 1.0, 0.1);
}

/* A rank that is slow by itself does not stop the others for long. */
static void test_crawling_rank_does_not_hold_the_others(void **state)
{
	struct sim *sim = *state;

	add_job(sim, 0, 1, 0);
	add_job(sim, 1, 1, 0);
	add_job(sim, 2, 1, 0);
	add_rank(sim, 0, UINT64_C(4) << 30);
	add_rank(sim, 1, 4 << 20);
	add_rank(sim, 2, UINT64_C(4) << 30);
	run_for(sim, 2000 * MS);
	assert_true(sim->rank[0].used > UINT64_C(1) << 30);
	expect_ratio(sim->rank[0].used, sim->rank[2].used, 1.0, 0.1);
	/* It gets all that it can use. */
	assert_true(sim->rank[1].used > 7 << 20);
}

static void test_shortage_ends_when_nobody_waits(void **state)
{
	struct sim *sim = *state;

	add_job(sim, 0, 1, 0);
	add_job(sim, 1, 1, 0);
	add_rank(sim, 0, UINT64_C(8) << 30);
	add_rank(sim, 1, UINT64_C(8) << 30);
	run_for(sim, 100 * MS);
	assert_true(sim->s.contended);
	sim->rank[0].idle = sim->rank[1].idle = true;
	run_for(sim, 100 * MS);
	assert_false(sim->s.contended);
	assert_true(sim->rank[0].r.allow == SCHED_UNLIMITED);
	assert_false(sched_tick(&sim->s, sim->now));
}

static void test_rate_limit_of_a_job(void **state)
{
	struct sim *sim = *state;
	uint64_t rate = UINT64_C(200) << 20, sum;

	add_job(sim, 0, 1, rate);
	for (int i = 0; i < 4; i++)
		add_rank(sim, 0, UINT64_C(2) << 30)->message = 16 << 10;
	run_for(sim, 2000 * MS);
	sum = sim->rank[0].used + sim->rank[1].used + sim->rank[2].used +
	      sim->rank[3].used;
	expect_ratio(2 * rate, sum, 1.0, 0.1);
}

/* What a rank says about itself is not believed beyond reason. */
static void test_lies_are_bounded(void **state)
{
	static const uint64_t lies[] = {
		0, 1, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63,
		UINT64_C(1) << 62, UINT64_C(1) << 51,
	};
	struct sim *sim = *state;
	struct sched_rank *liar;

	add_job(sim, 0, 1, 1 << 20);
	add_job(sim, 1, 1, 0);
	add_rank(sim, 0, 0);
	add_rank(sim, 1, UINT64_C(1) << 30);
	liar = &sim->rank[0].r;
	for (int i = 0; i < 200; i++) {
		sim->now += MS;
		sched_short(&sim->s, sim->now);
		sched_report(liar, lies[i % 7], lies[(i + 3) % 7]);
		sched_tick(&sim->s, sim->now);
		assert_true(liar->used <= UINT64_C(1) << 62);
	}
	/* The honest one still gets on. */
	sim->rank[0].idle = true;
	run_for(sim, 200 * MS);
	assert_true(sim->rank[1].used > 8 << 20);
}

static void fair(struct sched_claim *c, uint32_t n, uint32_t total)
{
	uint64_t sum = 0;

	assert_int_equal(sched_fair(c, n, total), 0);
	for (uint32_t i = 0; i < n; i++) {
		assert_true(c[i].fair <= c[i].most);
		sum += c[i].fair;
	}
	assert_true(sum <= total);
}

static void test_blocks_by_weight(void **state)
{
	struct sched_claim c[] = {
		{ .job = 1, .weight = 1, .most = 16 },
		{ .job = 2, .weight = 3, .most = 16 },
	};

	(void)state;
	fair(c, 2, 8);
	assert_int_equal(c[0].fair, 2);
	assert_int_equal(c[1].fair, 6);
	/* What one cannot use goes to the other. */
	fair(c, 2, 30);
	assert_int_equal(c[0].fair, 14);
	assert_int_equal(c[1].fair, 16);
}

static void test_blocks_inside_a_job_are_even(void **state)
{
	struct sched_claim c[] = {
		{ .job = 1, .weight = 1, .most = 16 },
		{ .job = 1, .weight = 1, .most = 1 },
		{ .job = 1, .weight = 1, .most = 16 },
		{ .job = 2, .weight = 1, .most = 16 },
	};

	(void)state;
	fair(c, 4, 14);
	assert_int_equal(c[0].fair, 3);
	assert_int_equal(c[1].fair, 1);
	assert_int_equal(c[2].fair, 3);
	assert_int_equal(c[3].fair, 7);
	fair(c, 4, 3);
	assert_int_equal(c[0].fair + c[1].fair + c[2].fair + c[3].fair, 3);
	assert_true(c[3].fair >= 1);
	fair(c, 4, 0);
	fair(c, 4, UINT32_MAX);
	assert_int_equal(c[3].fair, 16);
	fair(NULL, 0, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(test_nothing_is_limited_while_nobody_is_short),
		T(test_two_jobs_share_by_weight),
		T(test_shares_do_not_follow_speed),
		T(test_ranks_of_a_job_share_its_part),
		T(test_third_job_gets_its_share_within_a_second),
		T(test_idle_rank_neither_blocks_nor_saves),
		T(test_crawling_rank_does_not_hold_the_others),
		T(test_shortage_ends_when_nobody_waits),
		T(test_rate_limit_of_a_job),
		T(test_lies_are_bounded),
		T(test_blocks_by_weight),
		T(test_blocks_inside_a_job_are_even),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
