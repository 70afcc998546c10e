/* SPDX-License-Identifier: MIT */
/*
 * home.h - a domain of the daemon in the test's own process
 *
 * No keeper, no signals, a pool of ordinary pages in a directory of its own.
 * home_step() is one turn of the loop; fake ranks (fakerank.h) call it while
 * they wait.
 */
#ifndef TESTS_HOME_H
#define TESTS_HOME_H

#include "daemon/domain.h"
#include "daemon/state.h"
#include "hal/hal.h"
#include "tests/lib/fakerank.h"

struct home {
	struct shared sh;
	struct domain *d;
	char dir[64];
	char path[128];			/* the client socket */
};

/* @sets: "key=value" as for --set, ended by NULL; may be NULL.  0 or -errno,
 * with the reason on stderr. */
int home_open(struct home *h, const char *const *sets);
/* The same on a machine with other registers. */
int home_open_on(struct home *h, const char *const *sets,
		 const struct hal_ops *hardware);
void home_close(struct home *h);

void home_step(void *home);

/* Turn the loop until nothing is left to do. */
void home_settle(struct home *h);

/* Fake ranks live in this process: say that those that are gone have ended. */
void home_bury(struct home *h);

/* A fake rank that pumps this home. */
void home_rank(struct home *h, struct fakerank *f);

#endif /* TESTS_HOME_H */
