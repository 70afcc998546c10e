/* SPDX-License-Identifier: MIT */
/*
 * mail_measure.c - how long a message through the mailboxes takes
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hal/mail_impl.h"

#define ROUNDS_MAX UINT32_C(1000000)
#define LIMIT	   100u	    /* times repeat_ns: for one message */
#define COARSE_NS  50000000 /* some ticks of the coarsest clock, 10 ms */

struct measure {
	struct mail_message msg;
	uint64_t start_ns;
	int64_t took_ns; /* -1: it has not come */
	bool ended;
	int error;
};

static void on_deliver(void *arg, uint32_t core, const struct mail_message *m)
{
	struct measure *x = arg;

	(void)core;
	x->took_ns = (int64_t)(mail_now_ns() - x->start_ns);
	if (m->from != x->msg.from || m->number != x->msg.number ||
	    m->length != x->msg.length ||
	    memcmp(m->data, x->msg.data, sizeof(m->data)) != 0)
		x->error = -EIO;
}

static void on_done(void *arg, uint32_t from, uint32_t to, int error)
{
	struct measure *x = arg;

	(void)from;
	(void)to;
	x->ended = true;
	if (error)
		x->error = -EIO;
}

static int one(struct mail *m, struct measure *x, uint32_t from, uint32_t to)
{
	int ret;

	x->took_ns = -1;
	x->ended = false;
	x->start_ns = mail_now_ns();
	ret = mail_send(m, from, to, &x->msg);
	if (ret)
		return -EIO;
	while (!x->ended && !x->error) {
		if (mail_poll(m) == 0 &&
		    mail_now_ns() - x->start_ns > LIMIT * m->repeat_ns)
			return -EIO;
	}
	return x->took_ns < 0 ? -EIO : x->error;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* By a clock that does not move while one message travels: many of them, each
 * with its answer, which is a message's way back. */
static int64_t half_of_mean(struct mail *m, struct measure *x, uint32_t from,
			    uint32_t to)
{
	uint64_t start = mail_now_ns(), n = 0, took = 0;

	for (; took < COARSE_NS && n < ROUNDS_MAX; n++) {
		int ret = one(m, x, from, to);

		if (ret)
			return ret;
		took = mail_now_ns() - start;
	}
	return took / n / 2 ? (int64_t)(took / n / 2) : 1;
}

/* With @m telling us alone. */
static int64_t median(struct mail *m, struct measure *x, uint32_t from,
		      uint32_t to, uint32_t rounds)
{
	int64_t *took = calloc(rounds, sizeof(*took));
	int64_t ret = 0;

	if (!took)
		return -ENOMEM;
	for (uint32_t i = 0; i < rounds && ret == 0; i++) {
		x->msg.number = i;
		ret = one(m, x, from, to);
		took[i] = x->took_ns;
	}
	if (ret == 0) {
		qsort(took, rounds, sizeof(*took), by_size);
		ret = took[rounds / 2];
	}
	free(took);
	return ret ? ret : half_of_mean(m, x, from, to);
}

int64_t mail_measure(struct mail *m, uint32_t bytes, uint32_t rounds)
{
	const struct mail_ops ours = { on_deliver, on_done };
	const struct mail_ops *told = m->told;
	struct mail_counts counts = m->counts;
	struct measure x = { .msg = { .length = (uint16_t)bytes } };
	uint32_t core[2], n = 0;
	void *arg = m->arg;
	int64_t ret;

	if (bytes > MAIL_BYTES || rounds == 0 || rounds > ROUNDS_MAX)
		return -EINVAL;
	if (mail_busy(m))
		return -EBUSY;
	for (uint32_t i = 0; i < m->nserved && n < 2; i++)
		if (mail_core(m, m->served[i].core))
			core[n++] = m->served[i].core;
	if (n < 2)
		return -ENODEV;
	for (uint32_t i = 0; i < bytes; i++)
		x.msg.data[i] = (uint8_t)(i * 37 + 11);

	m->told = &ours;
	m->arg = &x;
	ret = median(m, &x, core[0], core[1], rounds);
	if (ret < 0)
		mail_abort(m);
	m->told = told;
	m->arg = arg;
	m->counts = counts;
	return ret;
}
