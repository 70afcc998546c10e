/* SPDX-License-Identifier: MIT */
/* test_oncpu.c - who has a CPU: what is heard, believed, and made of it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/channel.h"
#include "client/meet.h"
#include "client/news.h"
#include "client/oncpu.h"
#include "client/wait.h"
#include "tests/lib/world.h"

#define RANKS 3u
#define SHORT 20000u		     /* ns: a spin that ends soon, */
#define LONG  UINT32_C(1000000000)   /* and one that does not */
#define LIMIT UINT64_C(50000000)     /* ns, of a call */
#define SOON  UINT64_C(1500000)	     /* before the longest spin has ended */
#define TRIES 100		     /* until we run all the time */

/** struct entry - As the map of this test has them; not as the daemon's */
struct entry {
	uint64_t waits;
	uint32_t junk;
	uint32_t instance;
	uint32_t state;
	uint32_t more;
};

struct fixture {
	struct world w;
	int fd;
	volatile struct entry *map; /* the kernel's side */
	uint32_t slots;
};

static struct snoo_wire_oncpu words(const struct fixture *x)
{
	return (struct snoo_wire_oncpu){
		.head = { SNOO_WIRE_ONCPU, sizeof(struct snoo_wire_oncpu) },
		.slots = x->slots,
		.stride = sizeof(struct entry),
		.state = offsetof(struct entry, state),
		.instance = offsetof(struct entry, instance),
		.waits = offsetof(struct entry, waits),
	};
}

static void tell(struct fixture *x, const struct snoo_wire_oncpu *m,
		 unsigned int nfds)
{
	world_tell_fds(&x->w, 0, m, sizeof(*m), &x->fd, nfds);
	news_read(x->w.ctx[0]);
}

static int setup(void **state)
{
	static struct fixture x;
	struct world_params p = world_usual;
	struct snoo_wire_oncpu m;
	size_t bytes;

	p.ranks = RANKS;
	world_open(&x.w, &p);
	x.slots = x.w.region.nranks;
	bytes = x.slots * sizeof(struct entry);
	x.fd = memfd_create("oncpu", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(x.fd >= 0);
	assert_int_equal(ftruncate(x.fd, (off_t)bytes), 0);
	x.map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, x.fd, 0);
	assert_ptr_not_equal(x.map, MAP_FAILED);
	/* As the kernel's: nobody maps it to write. */
	assert_int_equal(fcntl(x.fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	for (uint32_t i = 0; i < RANKS; i++) {
		x.w.ctx[i]->me->instance = 10 + i;
		x.map[x.w.ctx[i]->slot].instance = 10 + i;
	}
	m = words(&x);
	tell(&x, &m, 1);
	*state = &x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	world_close(&x->w);
	munmap((void *)(uintptr_t)x->map, x->slots * sizeof(struct entry));
	close(x->fd);
	return 0;
}

/* What the kernel sees rank @i do. */
static void does(struct fixture *x, uint32_t i, uint32_t state)
{
	x->map[x->w.ctx[i]->slot].state = state;
}

static enum patience_hint hint(struct fixture *x, uint32_t whom)
{
	return oncpu_hint(x->w.ctx[0], whom);
}

static bool lost(struct fixture *x)
{
	return x->w.ctx[0]->session.lost;
}

static void test_what_a_partner_does(void **state)
{
	static const enum patience_hint is[] = {
		[SNOO_WIRE_ONCPU_UNKNOWN] = PATIENCE_UNKNOWN,
		[SNOO_WIRE_ONCPU_RUNS] = PATIENCE_RUNS,
		[SNOO_WIRE_ONCPU_WANTS] = PATIENCE_UNKNOWN,
		[SNOO_WIRE_ONCPU_SLEEPS] = PATIENCE_RESTS,
		[4] = PATIENCE_UNKNOWN, /* of a later daemon */
	};
	struct fixture *x = *state;

	for (uint32_t s = 0; s < sizeof(is) / sizeof(is[0]); s++) {
		does(x, 1, s);
		assert_int_equal(hint(x, 1), is[s]);
		assert_int_equal(hint(x, 2), PATIENCE_UNKNOWN);
	}
	/* Nobody waits for itself. */
	does(x, 0, SNOO_WIRE_ONCPU_RUNS);
	assert_int_equal(hint(x, 0), PATIENCE_UNKNOWN);
	/* Nor for a rank that there cannot be. */
	assert_int_equal(hint(x, x->w.ctx[0]->capacity), PATIENCE_UNKNOWN);
}

static void test_an_entry_of_somebody_who_has_gone_says_nothing(void **state)
{
	struct fixture *x = *state;

	does(x, 1, SNOO_WIRE_ONCPU_RUNS);
	x->map[x->w.ctx[1]->slot].instance--;
	assert_int_equal(hint(x, 1), PATIENCE_UNKNOWN);
}

static void hello(struct fixture *x, uint32_t from)
{
	struct snoo *to = x->w.ctx[0];
	char c = 1;

	assert_int_equal(snoo_send(x->w.ctx[from], &c, 1, 0, 1), 0);
	assert_int_equal(snoo_recv(to, &c, 1, (int)from, 1, NULL), 0);
}

static void test_any_source_is_all_that_have_sent(void **state)
{
	struct fixture *x = *state;

	does(x, 1, SNOO_WIRE_ONCPU_SLEEPS);
	does(x, 2, SNOO_WIRE_ONCPU_RUNS);
	assert_int_equal(hint(x, ENGINE_ANY), PATIENCE_UNKNOWN);
	hello(x, 1);
	assert_int_equal(hint(x, ENGINE_ANY), PATIENCE_RESTS);
	hello(x, 2);
	assert_int_equal(hint(x, ENGINE_ANY), PATIENCE_RUNS);
	does(x, 2, SNOO_WIRE_ONCPU_SLEEPS);
	assert_int_equal(hint(x, ENGINE_ANY), PATIENCE_RESTS);
	/* One that waits for its core does not rest. */
	does(x, 1, SNOO_WIRE_ONCPU_WANTS);
	assert_int_equal(hint(x, ENGINE_ANY), PATIENCE_UNKNOWN);
}

static void test_in_a_meeting_it_is_who_has_not_come(void **state)
{
	const struct shm_meet_part part = { .number = 1, .data = "" };
	struct fixture *x = *state;
	struct snoo *ctx = x->w.ctx[0];
	struct meet *m = &ctx->meet;

	assert_int_equal(meet_ready(ctx), 0);
	shm_meet_come(&m->area, 0, &part);
	m->waiting = true;
	m->from = ENGINE_ANY;
	m->until = 1;
	does(x, 1, SNOO_WIRE_ONCPU_SLEEPS);
	does(x, 2, SNOO_WIRE_ONCPU_SLEEPS);
	assert_int_equal(hint(x, ENGINE_ANY), PATIENCE_RESTS);
	does(x, 1, SNOO_WIRE_ONCPU_WANTS);
	assert_int_equal(hint(x, ENGINE_ANY), PATIENCE_UNKNOWN);
	does(x, 1, SNOO_WIRE_ONCPU_RUNS);
	assert_int_equal(hint(x, ENGINE_ANY), PATIENCE_RUNS);
	m->from = 2;
	assert_int_equal(hint(x, ENGINE_ANY), PATIENCE_RESTS);
	m->from = ENGINE_ANY;
	/* Who has come is not waited for. */
	shm_meet_come(&m->area, 1, &part);
	assert_int_equal(hint(x, ENGINE_ANY), PATIENCE_RESTS);
	m->waiting = false;
}

static void test_another_daemon_must_say_it_again(void **state)
{
	const struct snoo_wire_resumed again = {
		.head = { SNOO_WIRE_RESUMED, sizeof(again) },
		.epoch = 2,
	};
	struct fixture *x = *state;
	struct snoo_wire_oncpu m = words(x);

	does(x, 1, SNOO_WIRE_ONCPU_RUNS);
	world_tell(&x->w, 0, &again, sizeof(again));
	news_read(x->w.ctx[0]);
	assert_int_equal(hint(x, 1), PATIENCE_UNKNOWN);
	assert_int_equal(oncpu_waits(x->w.ctx[0]), 0);
	tell(x, &m, 1);
	assert_int_equal(hint(x, 1), PATIENCE_RUNS);
	/* One that lets us go says nothing any more. */
	x->w.ctx[0]->session.lost = true;
	assert_int_equal(hint(x, 1), PATIENCE_UNKNOWN);
}

static void test_what_can_not_be_mapped_is_done_without(void **state)
{
	struct fixture *x = *state;
	struct snoo_wire_oncpu m = words(x);
	int map = x->fd;

	does(x, 1, SNOO_WIRE_ONCPU_RUNS);
	tell(x, &m, 0);
	assert_int_equal(hint(x, 1), PATIENCE_UNKNOWN);
	x->fd = open("/", O_RDONLY | O_CLOEXEC);
	tell(x, &m, 1);
	close(x->fd);
	x->fd = map;
	assert_int_equal(hint(x, 1), PATIENCE_UNKNOWN);
	assert_false(lost(x));
	tell(x, &m, 1);
	assert_int_equal(hint(x, 1), PATIENCE_RUNS);
}

static void test_slots_that_the_map_has_not_are_not_looked_at(void **state)
{
	struct fixture *x = *state;
	struct snoo_wire_oncpu m = words(x);

	does(x, 2, SNOO_WIRE_ONCPU_RUNS);
	m.slots = x->w.ctx[2]->slot;
	tell(x, &m, 1);
	assert_false(lost(x));
	assert_int_equal(hint(x, 2), PATIENCE_UNKNOWN);
	m.slots++;
	tell(x, &m, 1);
	assert_int_equal(hint(x, 2), PATIENCE_RUNS);
}

/* One number of ONCPU that makes no sense, and the session ends. */
static void refused(struct fixture *x, struct snoo_wire_oncpu m)
{
	assert_false(oncpu_heard(x->w.ctx[0], &m,
				 &(struct session_fds){ .n = 0 }));
	/* What was there before is there still. */
	assert_int_equal(hint(x, 1), PATIENCE_RUNS);
}

static void test_nonsense_is_refused(void **state)
{
	struct fixture *x = *state;
	const struct snoo_wire_oncpu good = words(x);
	struct snoo_wire_oncpu m;

	does(x, 1, SNOO_WIRE_ONCPU_RUNS);
#define BAD(field, value) \
	do { \
		m = good; \
		m.field = (value); \
		refused(x, m); \
	} while (0)
	BAD(slots, 0);
	BAD(slots, good.slots + 1);
	BAD(stride, 0);
	BAD(stride, good.stride + 4);
	BAD(stride, 4096 + 8);
	BAD(state, good.stride);
	BAD(state, good.state + 1);
	BAD(state, UINT32_MAX - 3);
	BAD(instance, good.stride);
	BAD(instance, 2);
	BAD(waits, good.stride - 4);
	BAD(waits, 4);
#undef BAD
	m = good;
	m.slots = 0;
	tell(x, &m, 1);
	assert_true(lost(x));
}

/* ---- what a wait makes of it ---- */

static uint64_t count(struct fixture *x, enum shm_counter c)
{
	return shm_counter(x->w.ctx[0]->me, c);
}

/* Rank 0 waits @limit for what never comes; how often does it sleep? */
static uint64_t sleeps_in(struct fixture *x, uint64_t limit, uint32_t spin_ns,
			  bool fixed)
{
	struct snoo *ctx = x->w.ctx[0];
	uint64_t before = count(x, SHM_COUNT_sleeps);
	char c;

	patience_init(&ctx->patience, spin_ns, fixed, 0, 0, 0);
	ctx->timeout_ns = limit;
	assert_int_equal(snoo_recv(ctx, &c, 1, 1, 7, NULL), -ETIMEDOUT);
	return count(x, SHM_COUNT_sleeps) - before;
}

static uint64_t sleeps(struct fixture *x, uint32_t spin_ns, bool fixed)
{
	return sleeps_in(x, LIMIT, spin_ns, fixed);
}

/* Some clocks tick every 4 ms: nothing is to be seen between two spins. */
static bool clock_is_fine(void)
{
	for (int i = 0; i < 10; i++) {
		uint64_t from = clock_ns(), to;

		while ((to = clock_ns()) == from)
			;
		if (to - from < SOON / 4)
			return true;
	}
	return false;
}

static void test_for_one_who_runs_we_spin_on(void **state)
{
	struct fixture *x = *state;

	if (!clock_is_fine()) {
		print_message("# not here: the clock ticks too rarely\n");
		skip();
	}
	assert_true(sleeps(x, SHORT, false) > 0);
	assert_int_equal(count(x, SHM_COUNT_waits_longer), 0);
	does(x, 1, SNOO_WIRE_ONCPU_RUNS);
	/* It is counted once, when the usual time is over, if we run then. */
	for (int i = 0; i < TRIES &&
			count(x, SHM_COUNT_waits_longer) == 0; i++)
		assert_int_equal(sleeps_in(x, SOON, SHORT, false), 0);
	assert_int_equal(count(x, SHM_COUNT_waits_longer), 1);
	assert_int_equal(count(x, SHM_COUNT_waits_shorter), 0);
	/* What is configured holds. */
	assert_true(sleeps(x, SHORT, true) > 0);
	assert_int_equal(count(x, SHM_COUNT_waits_longer), 1);
}

static void test_for_one_who_sleeps_we_spin_less(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(sleeps(x, LONG, false), 0);
	does(x, 1, SNOO_WIRE_ONCPU_SLEEPS);
	assert_true(sleeps(x, LONG, false) > 0);
	assert_int_equal(count(x, SHM_COUNT_waits_shorter), 1);
	assert_int_equal(sleeps(x, LONG, true), 0);
	does(x, 1, SNOO_WIRE_ONCPU_WANTS);
	assert_int_equal(sleeps(x, LONG, false), 0);
	assert_int_equal(count(x, SHM_COUNT_waits_shorter), 1);
	assert_int_equal(count(x, SHM_COUNT_waits_longer), 0);
}

static void test_who_had_to_leave_the_core_does_not_keep_it(void **state)
{
	struct fixture *x = *state;
	struct snoo *ctx = x->w.ctx[0];
	struct idle idle;

	patience_init(&ctx->patience, SHORT, false, 0, 0, 0);
	ctx->timeout_ns = LIMIT;
	does(x, 1, SNOO_WIRE_ONCPU_RUNS);
	x->map[ctx->slot].waits = 5;
	wait_begin(&idle);
	idle.whom = 1;
	while (idle.start_ns == 0)
		assert_int_equal(wait_step(ctx, &idle, SNOO_ABI_CALL_RECV), 0);
	assert_int_equal(idle.waits, 5);
	x->map[ctx->slot].waits = 6;
	while (wait_step(ctx, &idle, SNOO_ABI_CALL_RECV) == 0)
		;
	wait_end(ctx, &idle);
	assert_true(count(x, SHM_COUNT_sleeps) > 0);
	assert_int_equal(count(x, SHM_COUNT_waits_longer), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_a_partner_does),
		T(test_an_entry_of_somebody_who_has_gone_says_nothing),
		T(test_any_source_is_all_that_have_sent),
		T(test_in_a_meeting_it_is_who_has_not_come),
		T(test_another_daemon_must_say_it_again),
		T(test_what_can_not_be_mapped_is_done_without),
		T(test_slots_that_the_map_has_not_are_not_looked_at),
		T(test_nonsense_is_refused),
		T(test_for_one_who_runs_we_spin_on),
		T(test_for_one_who_sleeps_we_spin_less),
		T(test_who_had_to_leave_the_core_does_not_keep_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
