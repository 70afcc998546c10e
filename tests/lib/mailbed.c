/* SPDX-License-Identifier: MIT */
/*
 * mailbed.c - a struct mail on emulated registers, and what it has told
 */
#include "tests/lib/mailbed.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLLS 4000000u /* some seconds: it hangs */

static uint32_t cores[MAILBED_CORES] = { 0, 1, 2,  3,  4,  5,  6,  7,
					 8, 9, 10, 11, 12, 13, 14, 15 };

static void on_deliver(void *arg, uint32_t core, const struct mail_message *m)
{
	struct mailbed *b = arg;

	if (b->ngot < MAILBED_TOLD) {
		b->got[b->ngot].core = core;
		b->got[b->ngot].msg = *m;
	}
	b->ngot++;
}

static void on_done(void *arg, uint32_t from, uint32_t to, int error)
{
	struct mailbed *b = arg;

	if (b->nends < MAILBED_TOLD)
		b->end[b->nends] = (struct mailbed_end){ from, to, error };
	b->nends++;
}

const struct mail_ops mailbed_ops = { on_deliver, on_done };

void mailbed_params(struct mailbed *b, uint32_t total, uint32_t ncores,
		    struct mail_params *p)
{
	size_t bytes = total * sizeof(*b->regs);

	memset(b, 0, sizeof(*b));
	b->regs = aligned_alloc(HAL_REG_STRIDE, bytes);
	if (!b->regs)
		abort();
	memset((void *)b->regs, 0, bytes);
	b->ncores = total;
	*p = (struct mail_params){
		.ops = &hal_emul,
		.hal = { .regs = b->regs, .ncores = total },
		.core = cores,
		.ncores = ncores,
		.told = &mailbed_ops,
		.arg = b,
		.repeat_ns = 200000,
	};
}

void mailbed_open(struct mailbed *b, uint32_t total)
{
	struct mail_params p;
	int ret;

	mailbed_params(b, total, total, &p);
	ret = mail_open(&b->m, &p);
	if (ret) {
		printf("# mail_open: %s\n", strerror(-ret));
		abort();
	}
}

void mailbed_close(struct mailbed *b)
{
	mail_close(b->m);
	free(b->regs);
	b->m = NULL;
	b->regs = NULL;
}

bool mailbed_settle(struct mailbed *b)
{
	for (uint32_t i = 0; i < POLLS; i++) {
		if (!mail_busy(b->m))
			return true;
		mail_poll(b->m);
	}
	return false;
}

void mailbed_message(struct mail_message *msg, uint32_t from, uint32_t to,
		     uint64_t number, uint32_t length)
{
	uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15) ^
		     ((uint64_t)from << 40 | (uint64_t)to << 8 | length);

	memset(msg, 0, sizeof(*msg));
	msg->from = from;
	msg->to = to;
	msg->number = number;
	msg->tag = (uint32_t)(x >> 13);
	msg->context = (uint16_t)(x >> 45);
	msg->length = (uint16_t)length;
	for (uint32_t i = 0; i < length; i++)
		msg->data[i] = (uint8_t)(x >> i % 57 ^ i);
}

bool mailbed_is(const struct mail_message *msg, uint32_t from, uint32_t to,
		uint64_t number, uint32_t length)
{
	struct mail_message want;

	mailbed_message(&want, from, to, number, length);
	return msg->from == from && msg->to == to && msg->number == number &&
	       msg->length == length && msg->tag == want.tag &&
	       msg->context == want.context &&
	       memcmp(msg->data, want.data, sizeof(want.data)) == 0;
}

uint64_t mailbed_word(const struct mailbed *b, uint32_t core, uint32_t box)
{
	return atomic_load_explicit(&b->regs[core].mail[box],
				    memory_order_relaxed);
}

void mailbed_put(struct mailbed *b, uint32_t core, uint32_t box, uint64_t word)
{
	atomic_store_explicit(&b->regs[core].mail[box], word,
			      memory_order_relaxed);
}
