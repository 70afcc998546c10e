/* SPDX-License-Identifier: MIT */
/*
 * mailbed.h - a struct mail on emulated registers, and what it has told
 */
#ifndef TESTS_MAILBED_H
#define TESTS_MAILBED_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/mail.h"

#define MAILBED_CORES	16u
#define MAILBED_TOLD	4096u

struct mailbed_got {
	uint32_t core;
	struct mail_message msg;
};

struct mailbed_end {
	uint32_t from, to;
	int error;
};

/** struct mailbed - All cores of some registers served by one struct mail */
struct mailbed {
	struct hal_block *regs;
	uint32_t ncores;
	struct mail *m;
	struct mailbed_got got[MAILBED_TOLD];
	uint32_t ngot;
	struct mailbed_end end[MAILBED_TOLD];
	uint32_t nends;
};

extern const struct mail_ops mailbed_ops;	/* into a struct mailbed */

/* For mail_open(), so that a test can change it first; cores 0 to @ncores - 1
 * of @b->regs, which are zeroed and @total. */
void mailbed_params(struct mailbed *b, uint32_t total, uint32_t ncores,
		    struct mail_params *p);

/* All @total cores served.  Aborts the test if that fails. */
void mailbed_open(struct mailbed *b, uint32_t total);
void mailbed_close(struct mailbed *b);

/* Poll until nothing is under way; false if that does not come to an end. */
bool mailbed_settle(struct mailbed *b);

/* Everything in @msg depends on the four numbers. */
void mailbed_message(struct mail_message *msg, uint32_t from, uint32_t to,
		     uint64_t number, uint32_t length);

/* The same, as it must have come. */
bool mailbed_is(const struct mail_message *msg, uint32_t from, uint32_t to,
		uint64_t number, uint32_t length);

/* A mailbox as it is in memory. */
uint64_t mailbed_word(const struct mailbed *b, uint32_t core, uint32_t box);
void mailbed_put(struct mailbed *b, uint32_t core, uint32_t box, uint64_t word);

#endif /* TESTS_MAILBED_H */
