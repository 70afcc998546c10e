/* SPDX-License-Identifier: MIT */
/*
 * regshome.h - a domain with emulated mailboxes, and fake ranks that use them
 *
 * Of the daemon's own tests: what does not come fails the test.
 */
#ifndef TESTS_REGSHOME_H
#define TESTS_REGSHOME_H

#include "daemon/regs_impl.h"
#include "tests/lib/fakeregs.h"
#include "tests/lib/home.h"

#define REGSHOME_RANKS	4

struct regshome {
	struct home h;
	struct fakerank f[REGSHOME_RANKS];
	struct fakeregs x[REGSHOME_RANKS];
};

/* For cmocka; the end also checks that nothing is left in the pool. */
int regshome_setup(void **state);
/* On the "machine" of regshome_blocks, whose cores can go offline. */
int regshome_setup_cores(void **state);
int regshome_teardown(void **state);

/* For emul_offline(). */
extern struct hal_block regshome_blocks[];

struct regs *regshome_service(struct regshome *t);
struct rank *regshome_rank(struct regshome *t, int i);

/* Ranks 0 .. @n - 1 of a job, each on core[i]; -2: not pinned. */
void regshome_join(struct regshome *t, int n, const int *core);
/* On cores 0 and 1 in turn; without two cores the test is skipped. */
void regshome_join_two(struct regshome *t, int n);

/* Some turns of the loop; all up to the service's going to sleep. */
void regshome_pump(struct regshome *t);
void regshome_sleep(struct regshome *t);

/* The next line in the ring of rank @to is that message, GONE of that rank, or
 * does not come. */
void regshome_expect(struct regshome *t, int to, int from, uint64_t number,
		     uint32_t length);
void regshome_expect_gone(struct regshome *t, int to, uint32_t gone);
void regshome_expect_nothing(struct regshome *t, int to);

/* Messages of 8 bytes until `out` is full: how many. */
uint32_t regshome_fill(struct regshome *t, int from, uint32_t to,
		       uint64_t *number);

#endif /* TESTS_REGSHOME_H */
