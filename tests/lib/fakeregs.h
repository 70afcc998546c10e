/* SPDX-License-Identifier: MIT */
/*
 * fakeregs.h - a fake rank's register rings, by hand
 *
 * For tests of the daemon: what a decent client puts into `out`, and what no
 * decent client would.
 */
#ifndef TESTS_FAKEREGS_H
#define TESTS_FAKEREGS_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/ring.h"
#include "tests/lib/fakerank.h"

struct fakeregs {
	struct fakerank *f;
	struct shm_tx out;
	struct shm_rx in;
	unsigned int looks;		/* LOOK said */
};

/** struct fakeregs_line - What came in the ring `in` */
struct fakeregs_line {
	bool gone;			/* GONE of rank `peer` */
	uint32_t peer;
	uint64_t number;
	uint32_t tag;
	uint16_t context;
	uint32_t length;
	uint8_t data[SNOO_ABI_INLINE_MAX];
};

/* After REGISTERS has come: 0 or -errno. */
int fakeregs_open(struct fakeregs *x, struct fakerank *f);

/* Put a message into `out`: 0, or -EAGAIN: no room.  Nobody is told. */
int fakeregs_put(struct fakeregs *x, uint32_t peer, uint64_t number,
		 uint32_t length);
/* Say LOOK if the service sleeps: 0 or -errno. */
int fakeregs_look(struct fakeregs *x);
/* Both. */
int fakeregs_send(struct fakeregs *x, uint32_t peer, uint64_t number,
		  uint32_t length);

/* Next line: 1, 0: there is none, -EPROTO: it cannot be.  It is given back at
 * once, and each half of a ring is followed by LOOK. */
int fakeregs_take(struct fakeregs *x, struct fakeregs_line *out);

/* Is it the message that fakeregs_put() makes of these, from @peer? */
bool fakeregs_is(const struct fakeregs_line *l, uint32_t peer, uint32_t self,
		 uint64_t number, uint32_t length);

#endif /* TESTS_FAKEREGS_H */
