/* SPDX-License-Identifier: MIT */
/*
 * conformance.h - one suite for every back end of hal/
 *
 * A back end's test gives a way to open handles on one set of registers, and
 * the memory behind them; the suite does the rest, without the tests of
 * what the back end says that it cannot do.
 */
#ifndef TESTS_HAL_CONFORMANCE_H
#define TESTS_HAL_CONFORMANCE_H

#include <stdint.h>
#include <sys/types.h>

#include "hal/hal.h"

/**
 * struct conformance - One back end under test
 * @ncores:	Cores that can be opened, at least 3
 * @caps:	What its handles must say that they can do
 * @fresh:	Make all registers zero
 * @open:	Open core @self; also in a child after fork()
 * @block:	Memory behind the registers of @core, shared with children
 */
struct conformance {
	uint32_t ncores;
	uint32_t caps;
	void (*fresh)(void);
	int (*open)(struct hal **out, uint32_t self, uint32_t flags);
	struct hal_block *(*block)(uint32_t core);
};

/** conformance_run() - Run the suite; the number of failed tests */
int conformance_run(const char *name, const struct conformance *c);

/** conformance_child() - Fork; @fn returns the child's exit status */
pid_t conformance_child(int (*fn)(void *arg), void *arg);

/** conformance_join() - Wait for a child; its exit status, or -1 */
int conformance_join(pid_t pid);

/** conformance_asleep() - Return once @pid sleeps in a system call */
void conformance_asleep(pid_t pid);

/* No test passes by this time; it only ends one that hangs. */
#define HANG_NS	INT64_C(20000000000)

#endif /* TESTS_HAL_CONFORMANCE_H */
