/* SPDX-License-Identifier: MIT */
/*
 * test_regs_threads.c - ranks in threads and a register service in another
 *
 * The service polls, sleeps on the sockets when there is nothing, and may stop
 * and begin anew as another daemon would.  Under ThreadSanitizer this also
 * looks for races in what they share.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/news.h"
#include "tests/lib/carrier.h"
#include "tests/lib/exchange.h"

#define LINES	32u	/* so that they are full now and then */
#define IDLE	100	/* rounds without work before it sleeps */

static struct world world;

static struct service {
	struct carrier c;
	int stop[2];
	bool dies;		/* now and then, for longer than is waited */
	unsigned int sleeps, deaths, moved;
} service;

static void say_asleep(uint32_t asleep)
{
	/* LOOK, service's side: store, fence, then look at everything. */
	atomic_store_explicit(&world.region.head->asleep, asleep,
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

/* Read what the ranks say; true: it is time to end. */
static bool hear(struct service *s, int timeout_ms)
{
	_Alignas(8) char buf[SNOO_WIRE_MAX];
	struct pollfd p[WORLD_RANKS + 1];
	uint32_t n = world.p.ranks;

	for (uint32_t i = 0; i < n; i++)
		p[i] = (struct pollfd){ world.daemon[i], POLLIN, 0 };
	p[n] = (struct pollfd){ s->stop[0], POLLIN, 0 };
	if (poll(p, n + 1, timeout_ms) < 0)
		abort();
	for (uint32_t i = 0; i < n; i++) {
		while ((p[i].revents & POLLIN) &&
		       recv(p[i].fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
	}
	return p[n].revents != 0;
}

/* Everything delivered and not told comes again. */
static void die(struct service *s)
{
	const struct timespec t = { .tv_nsec = 30000000 };
	struct carried msg;

	for (uint32_t i = 0; i < world.p.ranks; i++) {
		if (carrier_take(&s->c, i, &msg))
			carrier_put(&s->c, i, &msg);
	}
	nanosleep(&t, NULL);
	for (uint32_t i = 0; i < world.p.ranks; i++) {
		const struct snoo_wire_registers *m = &s->c.said[i];

		if (shm_rx_resume(&s->c.out[i], &world.region, m->out.offset) ||
		    shm_tx_resume(&s->c.in[i], &world.region, m->in.offset,
				  LINES))
			abort();
	}
	s->deaths++;
}

static void *serve(void *arg)
{
	struct service *s = arg;
	int idle = 0;

	for (;;) {
		unsigned int n = carrier_move(&s->c);

		s->moved += n;
		if (s->dies && n > 0 && s->moved % 50 == 0)
			die(s);
		if (n > 0) {
			idle = 0;
			continue;
		}
		if (++idle < IDLE) {
			if (hear(s, 0))
				return NULL;
			continue;
		}
		idle = 0;
		say_asleep(1);
		n = carrier_move(&s->c);
		s->moved += n;
		if (n == 0) {
			s->sleeps++;
			if (hear(s, -1))
				return NULL;
		}
		say_asleep(0);
	}
}

static void check(const struct world_params *p, uint32_t rounds, bool dies)
{
	struct service *s = &service;
	uint64_t taken = 0, again = 0, doubles = 0;
	pthread_t thread;

	s->dies = dies;
	s->sleeps = s->deaths = s->moved = 0;
	world_open(&world, p);
	carrier_open(&s->c, &world, LINES);
	for (uint32_t i = 0; i < p->ranks; i++)
		news_read(world.ctx[i]);
	assert_int_equal(pipe(s->stop), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve, s), 0);
	assert_true(exchange_run(&world, rounds));
	assert_int_equal(write(s->stop[1], "", 1), 1);
	pthread_join(thread, NULL);
	for (uint32_t i = 0; i < p->ranks; i++) {
		const struct snoo_abi_rank *me = world.ctx[i]->me;

		taken += shm_counter(me, SHM_COUNT_received_mailbox);
		again += shm_counter(me, SHM_COUNT_resent);
		doubles += shm_counter(me, SHM_COUNT_doubles);
		assert_int_equal(shm_counter(me, SHM_COUNT_protocol_errors), 0);
	}
	print_message("# %u carried, %u sleeps, %u deaths; %llu taken, %llu sent again, %llu doubles\n",
		      s->moved, s->sleeps, s->deaths,
		      (unsigned long long)taken, (unsigned long long)again,
		      (unsigned long long)doubles);
	assert_true(taken > 0);
	close(s->stop[0]);
	close(s->stop[1]);
	carrier_close(&s->c);
	world_close(&world);
}

static void test_pair_that_spins(void **state)
{
	(void)state;
	check(&world_usual, 1000, false);
}

static void test_pair_that_sleeps_at_once(void **state)
{
	struct world_params p = world_usual;

	(void)state;
	p.spin_ns = 0;
	check(&p, 1000, false);
}

static void test_eight_ranks(void **state)
{
	struct world_params p = world_usual;

	(void)state;
	p.ranks = 8;
	p.rings = 10;
	p.small = 2;
	p.large = 1;
	p.spin_ns = 1000;
	check(&p, 150, false);
}

static void test_a_service_that_dies_and_comes_back(void **state)
{
	struct world_params p = world_usual;

	(void)state;
	p.ranks = 3;
	p.rings = 6;
	p.spin_ns = 0;
	check(&p, 400, true);
	assert_true(service.deaths > 0);
}

/* Nobody carries: a rank that sleeps sends again in time. */
static void test_no_service_at_all(void **state)
{
	struct world_params p = world_usual;
	struct carrier c;

	(void)state;
	p.spin_ns = 0;
	world_open(&world, &p);
	carrier_open(&c, &world, LINES);
	for (uint32_t i = 0; i < p.ranks; i++)
		news_read(world.ctx[i]);
	assert_true(exchange_run(&world, 50));
	carrier_close(&c);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair_that_spins),
		cmocka_unit_test(test_pair_that_sleeps_at_once),
		cmocka_unit_test(test_eight_ranks),
		cmocka_unit_test(test_a_service_that_dies_and_comes_back),
		cmocka_unit_test(test_no_service_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
