/* SPDX-License-Identifier: MIT */
/*
 * ledger.c - a daemon killed between any two stores of its books
 *
 * A child writes records and takes and gives pieces of the arena, in a pattern
 * of which every moment can be recognised: before each step it says in plain
 * shared memory which step that is.  It is killed at every test point, at the
 * first, second, ... passage, and at random instants.  The parent opens what
 * is left, as the next daemon would: every record is the one of the last step
 * or of the one before, nothing is damaged, and the arena's invariants hold.
 * Then the next child goes on with the same books.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <snoo/abi.h>

#include "daemon/arena.h"

#define RANKS	4u
#define VMS	2u
#define PIECES	64u

/* What the child is about to do; in memory that outlives it. */
struct intent {
	_Atomic uint64_t step;		/* of the records */
	_Atomic uint64_t done;		/* steps that were finished */
	_Atomic uint32_t unit[PIECES];	/* piece of each place + 1, or 0 */
	_Atomic uint32_t place;		/* being taken or given */
};

static struct intent *intent;
static int intent_fd;
static struct ledger *ledger;

static void make_rank(struct ledger_rank *r, uint64_t step)
{
	memset(r, 0, sizeof(*r));
	r->state = LEDGER_RANK_ATTACHED;
	r->job = (uint32_t)(step % RANKS);
	r->rank = (uint32_t)(step % 100);
	r->instance = (uint32_t)step;
	r->start_time = step * 3;
	r->vm = (uint32_t)(step % (VMS + 1));
	r->sid = (uint32_t)(step * 11);
	r->vector = (uint32_t)(step % 8);
	r->vcpu = (int32_t)(step % 5);
	for (size_t i = 0; i < sizeof(r->spare) / sizeof(r->spare[0]); i++)
		r->spare[i] = step + (uint64_t)i;
}

static void make_job(struct ledger_job *j, uint64_t step)
{
	memset(j, 0, sizeof(*j));
	j->state = LEDGER_JOB_RUNNING;
	j->number = (uint32_t)step;
	snprintf(j->name, sizeof(j->name), "job-%llu",
		 (unsigned long long)step);
	j->launch = ~step;
	j->capacity = RANKS;
	for (size_t i = 0; i < sizeof(j->spare) / sizeof(j->spare[0]); i++)
		j->spare[i] = step * 7;
}

static void make_vm(struct ledger_vm *v, uint64_t step)
{
	memset(v, 0, sizeof(*v));
	v->state = LEDGER_VM_LIVE;
	v->instance = (uint32_t)step;
	v->serial = step;
	v->start_time = step * 5;
	memset(v->boot_id, (int)(step % 250) + 1, sizeof(v->boot_id));
	snprintf(v->name, sizeof(v->name), "vm-%llu",
		 (unsigned long long)step);
	v->sessions = (uint32_t)step;
}

static uint64_t load(_Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_acquire);
}

static void store(_Atomic uint64_t *p, uint64_t v)
{
	atomic_store_explicit(p, v, memory_order_release);
}

static void one_piece(struct arena *a, uint64_t step)
{
	uint32_t place = (uint32_t)(step * 7 % PIECES);
	_Atomic uint32_t *unit = &intent->unit[place];
	uint32_t have = atomic_load_explicit(unit, memory_order_relaxed);

	atomic_store_explicit(&intent->place, place, memory_order_release);
	if (have) {
		arena_give(a, have - 1);
		atomic_store_explicit(unit, 0, memory_order_release);
	} else {
		struct arena_want w = {
			.bytes = UINT64_C(4096) << step % 4,
			.kind = ARENA_RING, .owner = place % RANKS,
			.instance = place, .node = ARENA_ANY_NODE,
		};
		uint32_t got;

		if (arena_take(a, &w, &got) > 0)
			atomic_store_explicit(unit, got + 1,
					      memory_order_release);
	}
}

static void map_intent(void)
{
	intent = mmap(NULL, sizeof(*intent), PROT_READ | PROT_WRITE,
		      MAP_SHARED, intent_fd, 0);
}

/* The child: adopt the books, and write until killed. */
static int write_for_ever(int ledger_file, int intent_file)
{
	struct pool_zone zone = { 0 };
	char why[LEDGER_TEXT];
	struct ledger *l;
	struct arena *a;

	intent_fd = intent_file;
	map_intent();
	if (intent == MAP_FAILED || ledger_open(&l, ledger_file, why))
		return 3;
	zone.units = ledger_head(l)->arena_units;
	if (arena_open(&a, l, &zone, 1, why))
		return 3;
	for (uint64_t step = load(&intent->done) + 1;; step++) {
		uint32_t cell = (uint32_t)(step % RANKS);
		struct ledger_rank r;
		struct ledger_job j;
		struct ledger_vm v;

		store(&intent->step, step);
		make_rank(&r, step);
		ledger_put_rank(l, cell, &r);
		make_job(&j, step);
		ledger_put_job(l, cell, &j);
		make_vm(&v, step);
		ledger_put_vm(l, (uint32_t)(step % VMS), &v);
		ledger_raise_epoch(l);
		one_piece(a, step);
		store(&intent->done, step);
	}
}

/* The last step that cell @i of @n was written in, if all up to @step was
 * done. */
static uint64_t last_in(uint32_t i, uint32_t n, uint64_t step)
{
	uint64_t behind = (step + n - i) % n;

	return step > behind ? step - behind : 0;
}

static uint64_t last_of(uint32_t i, uint64_t step)
{
	return last_in(i, RANKS, step);
}

static void check_vms(struct ledger *l, uint64_t done, uint64_t step)
{
	for (uint32_t i = 0; i < VMS; i++) {
		struct ledger_vm v, expect;

		ledger_get_vm(l, i, &v);
		if (v.state != LEDGER_VM_FREE) {
			make_vm(&expect, v.serial);
			assert_memory_equal(&v, &expect, sizeof(v));
		}
		assert_true(v.serial >= last_in(i, VMS, done));
		assert_true(v.serial <= last_in(i, VMS, step));
	}
}

static void check_records(struct ledger *l)
{
	uint64_t step = load(&intent->step);
	uint64_t done = load(&intent->done);

	for (uint32_t i = 0; i < RANKS; i++) {
		struct ledger_rank r, expect_r;
		struct ledger_job j, expect_j;

		ledger_get_rank(l, i, &r);
		ledger_get_job(l, i, &j);
		if (r.state != LEDGER_RANK_FREE) {
			make_rank(&expect_r, r.start_time / 3);
			assert_memory_equal(&r, &expect_r, sizeof(r));
		}
		if (j.state != LEDGER_JOB_FREE) {
			make_job(&expect_j, ~j.launch);
			assert_memory_equal(&j, &expect_j, sizeof(j));
		}
		/* Old or new, and nothing older than what was finished. */
		assert_true(r.start_time / 3 >= last_of(i, done));
		assert_true(r.start_time / 3 <= last_of(i, step));
		assert_true(j.number >= last_of(i, done));
		assert_true(j.number <= r.start_time / 3);
	}
	check_vms(l, done, step);
}

/* Pieces as noted, but for the one that was in hand; note what it became. */
static void check_pieces(struct arena *a)
{
	uint32_t in_hand = atomic_load_explicit(&intent->place,
						memory_order_acquire);
	uint32_t n = 0;

	for (uint32_t i = 0; i < PIECES; i++) {
		uint32_t unit = atomic_load_explicit(&intent->unit[i],
						     memory_order_relaxed);
		struct arena_piece p;

		if (unit == 0 || arena_owner(a, unit - 1, &p)) {
			assert_true(unit == 0 || i == in_hand);
			atomic_store_explicit(&intent->unit[i], 0,
					      memory_order_relaxed);
			continue;
		}
		assert_int_equal(p.instance, i);
		assert_int_equal(p.owner, i % RANKS);
		n++;
	}
	for (uint32_t owner = 0; owner < RANKS; owner++) {
		uint32_t next;

		for (uint32_t u = arena_first(a, false, owner);
		     u != ARENA_NONE; u = next) {
			struct arena_piece p;

			next = arena_next(a, u);
			assert_int_equal(arena_owner(a, u, &p), 0);
			if (atomic_load_explicit(&intent->unit[p.instance],
						 memory_order_relaxed) ==
			    u + 1) {
				n--;
				continue;
			}
			/* Taken, and killed before it was noted. */
			assert_int_equal(p.instance, in_hand);
			assert_int_equal(arena_give(a, u), 0);
		}
	}
	assert_int_equal(n, 0);
}

static uint32_t look(struct pool_zone zone)
{
	char why[LEDGER_TEXT] = "";
	struct ledger *l;
	struct arena *a;
	uint32_t epoch;

	if (ledger_open(&l, dup(ledger_fd(ledger)), why))
		fail_msg("%s", why);
	check_records(l);
	epoch = ledger_epoch(l);
	assert_true(epoch >= load(&intent->done) &&
		    epoch <= load(&intent->step) + 100000);
	if (arena_open(&a, l, &zone, 1, why))
		fail_msg("%s", why);
	check_pieces(a);
	if (arena_check(a, why))
		fail_msg("%s", why);
	arena_close(a);
	ledger_close(l);
	return epoch;
}

static struct pool_zone begin(void)
{
	const struct ledger_params params = {
		.name = "crash", .pool_size = UINT64_C(4) << 20,
		.nranks = RANKS, .nvms = VMS,
	};
	struct pool_zone zone = { 0 };

	intent_fd = memfd_create("intent", MFD_CLOEXEC);
	assert_int_equal(ftruncate(intent_fd, sizeof(*intent)), 0);
	map_intent();
	assert_true(intent != MAP_FAILED);
	assert_int_equal(ledger_create(&ledger, &params), 0);
	zone.units = ledger_head(ledger)->arena_units;
	return zone;
}

static void end(void)
{
	ledger_close(ledger);
	munmap(intent, sizeof(*intent));
	close(intent_fd);
}

/* A program of its own: test points count from its start. */
static pid_t start(const char *point)
{
	char fds[2][16];
	pid_t pid;

	snprintf(fds[0], sizeof(fds[0]), "%d", ledger_fd(ledger));
	snprintf(fds[1], sizeof(fds[1]), "%d", intent_fd);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	fcntl(ledger_fd(ledger), F_SETFD, 0);
	fcntl(intent_fd, F_SETFD, 0);
	if (point)
		setenv("SNOO_TESTPOINT", point, 1);
	execl("/proc/self/exe", "ledger", fds[0], fds[1], (char *)NULL);
	_exit(4);
}

static void expect_killed(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void test_killed_at_every_test_point(void **state)
{
	static const char *const points[] = {
		"ledger_put_begin", "ledger_put_half", "ledger_put_payload",
		"ledger_put_sum", "ledger_put_done", "ledger_map_begin",
		"ledger_map_done", "arena_take_cut", "arena_take_done",
		"arena_give_begin", "arena_give_done",
	};
	struct pool_zone zone;

	(void)state;
#ifndef SNOO_TESTPOINTS
	skip();
#endif
	zone = begin();
	for (unsigned int passage = 1; passage <= 30; passage++) {
		for (size_t i = 0; i < sizeof(points) / sizeof(points[0]);
		     i++) {
			char wish[64];

			snprintf(wish, sizeof(wish), "%s:%u", points[i],
				 passage);
			expect_killed(start(wish));
			look(zone);
		}
	}
	end();
}

/* Somewhere: the moment is drawn by how many steps it may do, and then by
 * wherever the signal finds it. */
static void test_killed_at_random_instants(void **state)
{
	struct pool_zone zone = begin();
	uint32_t seed = 4242;
	uint32_t epoch = 0;

	(void)state;
	for (unsigned int round = 0; round < 300; round++) {
		uint64_t before = load(&intent->done);
		pid_t pid = start(NULL);
		uint32_t now;

		seed = seed * 1664525u + 1013904223u;
		while (load(&intent->done) < before + 1 + (seed >> 16) % 200)
			sched_yield();
		kill(pid, SIGKILL);
		expect_killed(pid);
		now = look(zone);
		assert_true(now > epoch);
		epoch = now;
	}
	end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed_at_every_test_point),
		cmocka_unit_test(test_killed_at_random_instants),
	};

	if (argc == 3)
		return write_for_ever(atoi(argv[1]), atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
