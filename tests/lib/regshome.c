/* SPDX-License-Identifier: MIT */
/*
 * regshome.c - a domain with emulated mailboxes, and fake ranks that use them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/regshome.h"

int regshome_setup(void **state)
{
	static const char *const sets[] = {
		"hal=emul",
		"registers=hardware",
		NULL,
	};
	struct regshome *t = calloc(1, sizeof(*t));

	*state = t;
	for (int i = 0; i < REGSHOME_RANKS; i++)
		home_rank(&t->h, &t->f[i]);
	return home_open(&t->h, sets);
}

/* ---- a machine whose cores come and go ---- */

_Alignas(HAL_REG_STRIDE) struct hal_block regshome_blocks[TOPO_CPUS];

static int machine_open(struct hal **out, const struct hal_params *p)
{
	struct hal_params mine = *p;

	mine.regs = regshome_blocks;
	mine.ncores = TOPO_CPUS;
	mine.flags |= HAL_FAULT_OFFLINE;
	return hal_emul.open(out, &mine);
}

int regshome_setup_cores(void **state)
{
	static const char *const sets[] = {
		"hal=auto",
		"registers=hardware",
		NULL,
	};
	static struct hal_ops machine;
	struct regshome *t = calloc(1, sizeof(*t));

	machine = hal_emul;
	machine.open = machine_open;
	memset(regshome_blocks, 0, sizeof(regshome_blocks));
	*state = t;
	for (int i = 0; i < REGSHOME_RANKS; i++)
		home_rank(&t->h, &t->f[i]);
	return home_open_on(&t->h, sets, &machine);
}

int regshome_teardown(void **state)
{
	struct regshome *t = *state;

	for (int i = 0; i < REGSHOME_RANKS; i++)
		fakerank_close(&t->f[i]);
	home_bury(&t->h);
	assert_int_equal(t->h.d->ranks, 0);
	assert_null(t->h.d->regs);
	assert_int_equal(arena_free_bytes(t->h.d->arena),
			 (uint64_t)t->h.d->pool.region.arena_units * 4096);
	home_close(&t->h);
	free(t);
	return 0;
}

struct regs *regshome_service(struct regshome *t)
{
	return t->h.sh.regs;
}

void regshome_join(struct regshome *t, int n, const int *core)
{
	for (int i = 0; i < n; i++) {
		struct fakerank *f = &t->f[i];
		struct snoo_wire_hello hello;

		fakerank_hello_init(&hello, "regs", 0, i, (uint32_t)n);
		hello.core = core[i];
		assert_int_equal(fakerank_connect(f, t->h.path), 0);
		assert_int_equal(fakerank_send(f, &hello, sizeof(hello)), 0);
		if (fakerank_until(f, SNOO_WIRE_WELCOME) != SNOO_WIRE_WELCOME)
			fail_msg("%s", f->error.text);
		assert_int_equal(fakerank_pinned(f), 0);
		assert_int_equal(fakerank_until(f, SNOO_WIRE_REGISTERS),
				 SNOO_WIRE_REGISTERS);
		assert_int_equal(fakeregs_open(&t->x[i], f), 0);
	}
	for (int i = 0; i < n; i++)
		while (!t->f[i].started)
			assert_true(fakerank_recv(&t->f[i], true) > 0);
}

void regshome_join_two(struct regshome *t, int n)
{
	static const int core[REGSHOME_RANKS] = { 0, 1, 0, 1 };

	if (topo_set_count(topo_online(t->h.sh.topo)) < 2 ||
	    !topo_set_has(topo_online(t->h.sh.topo), 1))
		skip();
	regshome_join(t, n, core);
}

void regshome_pump(struct regshome *t)
{
	for (int i = 0; i < 40; i++)
		home_step(&t->h);
}

void regshome_sleep(struct regshome *t)
{
	for (long i = 0; i < 10000000 && regshome_service(t)->busy; i++)
		home_step(&t->h);
	assert_false(regshome_service(t)->busy);
}

void regshome_expect(struct regshome *t, int to, int from, uint64_t number,
		     uint32_t length)
{
	struct fakeregs_line l;

	for (int i = 0; i < 100000; i++) {
		int ret = fakeregs_take(&t->x[to], &l);

		assert_true(ret >= 0);
		if (ret == 0) {
			home_step(&t->h);
			continue;
		}
		if (!fakeregs_is(&l, (uint32_t)from, (uint32_t)to, number,
				 length))
			fail_msg("from %d, number %llu: got %u, %llu, %u bytes",
				 from, (unsigned long long)number, l.peer,
				 (unsigned long long)l.number, l.length);
		return;
	}
	fail_msg("nothing came from %d", from);
}

void regshome_expect_gone(struct regshome *t, int to, uint32_t gone)
{
	struct fakeregs_line l;

	for (int i = 0; i < 100000; i++) {
		int ret = fakeregs_take(&t->x[to], &l);

		assert_true(ret >= 0);
		if (ret == 0) {
			home_step(&t->h);
			continue;
		}
		assert_true(l.gone);
		assert_int_equal(l.peer, gone);
		return;
	}
	fail_msg("no GONE line came to %d", to);
}

void regshome_expect_nothing(struct regshome *t, int to)
{
	struct fakeregs_line l;

	regshome_pump(t);
	assert_int_equal(fakeregs_take(&t->x[to], &l), 0);
}

struct rank *regshome_rank(struct regshome *t, int i)
{
	return t->h.d->rank[t->f[i].welcome.slot];
}

uint32_t regshome_fill(struct regshome *t, int from, uint32_t to,
		       uint64_t *number)
{
	uint32_t n = 0;

	while (fakeregs_send(&t->x[from], to, *number, 8) == 0) {
		(*number)++;
		n++;
		regshome_pump(t);
	}
	return n;
}
