/* SPDX-License-Identifier: MIT */
/*
 * conformance.h - one suite for every back end of hal/
 *
 * A back end's test gives a way to open handles on one set of registers, and
 * the memory behind them; the suite does the rest, without the tests of
 * what the back end says that it cannot do.
 *
 * What a run writes, so that it can run on the real registers too: MailBox1..3
 * of cores 0 to @ncores - 1, by one store of 64 bits each; STATUS and ENABLE,
 * and a byte pattern over whole blocks, only with HAL_CAP_BELL.  It reads of a
 * block what hal_read_regs() reads, by accesses of that width.
 */
#ifndef TESTS_HAL_CONFORMANCE_H
#define TESTS_HAL_CONFORMANCE_H

#include <stdint.h>
#include <sys/types.h>

#include "hal/hal.h"
#include "hal/mail.h"

/**
 * struct conformance - One back end under test
 * @ncores:	Cores 0 to @ncores - 1 can be opened; at least 3
 * @caps:	What its handles must say that they can do
 * @words:	How many a test sends that sends many; 0: 20000
 * @fresh:	Make all registers zero that the suite writes
 * @open:	Open core @self; also in a child after fork()
 * @params:	For mail_open() on the same registers: ops and hal; also in a
 *		child after fork()
 * @block:	Memory behind the registers of @core, shared with children
 * @pause:	Let other processes run; NULL: sched_yield()
 */
struct conformance {
	uint32_t ncores;
	uint32_t caps;
	uint32_t words;
	void (*fresh)(void);
	int (*open)(struct hal **out, uint32_t self, uint32_t flags);
	void (*params)(struct mail_params *p);
	struct hal_block *(*block)(uint32_t core);
	void (*pause)(void);
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
