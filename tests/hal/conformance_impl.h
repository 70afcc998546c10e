/* SPDX-License-Identifier: MIT */
/*
 * conformance_impl.h - what the files of the suite share
 */
#ifndef TESTS_HAL_CONFORMANCE_IMPL_H
#define TESTS_HAL_CONFORMANCE_IMPL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/hal/conformance.h"

#define CONF_CORES	8u		/* that the tests of mail use at most */

/* Shared with children: sequence counts and flags. */
struct conf_shared {
	_Atomic uint32_t seq[2];
	_Atomic uint32_t ready;
	_Atomic uint32_t stop;
	_Atomic uint32_t done;
	_Atomic uint32_t kept[CONF_CORES];
	_Atomic uint64_t wrote[CONF_CORES][CONF_CORES];
	struct mail_lock locks[MAIL_CORES * HAL_MAIL_LAST];
};

extern const struct conformance *conf;
extern struct conf_shared *sh;

/* What a test needs; it is left out where the back end cannot do that. */
struct conf_test {
	uint32_t caps;
	struct CMUnitTest test;
};

extern const struct conf_test conf_mail[];
extern const size_t conf_nmail;

int conf_fresh(void **state);

#define CONF_TEST(caps, f)	{ caps, cmocka_unit_test_setup(f, conf_fresh) }

/* One word of a mailbox as it is in memory, and how it gets there. */
uint64_t conf_peek(uint32_t core, uint32_t box);
void conf_poke(uint32_t core, uint32_t box, uint64_t word);

void conf_pause(void);
uint32_t conf_words(void);

#endif /* TESTS_HAL_CONFORMANCE_IMPL_H */
