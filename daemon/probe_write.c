/* SPDX-License-Identifier: MIT */
/*
 * probe_write.c - the part of --probe-registers that writes mailboxes
 *
 * Two threads, each on a core of its own where the system lets them, write and
 * read MailBox1..3 of those cores by the accessors that the daemon uses.  No
 * measurement runs longer than its limit; a thread that waits in vain for
 * long sleeps a little, for machines that are emulated on one processor.
 */
#include "daemon/probe.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hal/mail.h"

#define LIMIT_NS UINT64_C(200000000)
#define ROUNDS	 2000u /* of a measurement, at most */
#define BATCH	 64u   /* accesses between looks at the clock */
#define SPINS	 4096u /* then sleep */
#define PAIRS	 24u   /* whose way is measured, at most */
#define DATA	 16u   /* words that a mailbox word announces */

/* Nothing in it looks like an empty mailbox, and no half like another's. */
#define WORD_A UINT64_C(0x5a5a5a5a1c1c1c1c)
#define WORD_B UINT64_C(0x3333333327272727)

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* A measurement on two cores; the peer's thread runs one of its functions. */
struct duel {
	const struct probe_child *c;
	uint32_t a, b; /* CPUs; ours is a */
	uint64_t end_ns;
	_Atomic bool stop;
	_Atomic bool ready;
	uint64_t rounds;
	uint64_t bad;
	uint64_t changes;
	_Atomic uint64_t data[DATA];
	bool pinned;
};

static bool pin_to(uint32_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

/* Once in a while: is the time over, or does nobody come? */
static bool waits_on(const struct duel *d, uint32_t *spins)
{
	const struct timespec nap = { 0, 50000 };

	if (++*spins % 256)
		return true;
	if (atomic_load_explicit(&d->stop, memory_order_relaxed) ||
	    now_ns() > d->end_ns)
		return false;
	if (*spins > SPINS)
		nanosleep(&nap, NULL);
	return true;
}

static uint64_t load(const struct duel *d, uint32_t cpu, enum loongson_box box)
{
	uint64_t word = 0;

	loongson_map_load(d->c->map, cpu, box, &word);
	return word;
}

static void store(const struct duel *d, uint32_t cpu, enum loongson_box box,
		  uint64_t word)
{
	loongson_map_store(d->c->map, cpu, box, word);
}

static uint64_t limit_of(const struct probe_child *c)
{
	return c->p->limit_ns ? c->p->limit_ns : LIMIT_NS;
}

/* Run @ours here and @theirs on the other core; their mailboxes are empty then
 * and afterwards. */
static bool fight(struct duel *d, void *(*theirs)(void *),
		  void (*ours)(struct duel *))
{
	pthread_t thread;

	for (int box = 1; box <= 3; box++) {
		store(d, d->a, (enum loongson_box)box, 0);
		store(d, d->b, (enum loongson_box)box, 0);
	}
	d->pinned = pin_to(d->a);
	d->end_ns = now_ns() + limit_of(d->c);
	if (pthread_create(&thread, NULL, theirs, d))
		return false;
	while (!atomic_load_explicit(&d->ready, memory_order_acquire))
		sched_yield();
	ours(d);
	atomic_store_explicit(&d->stop, true, memory_order_relaxed);
	pthread_join(thread, NULL);
	for (int box = 1; box <= 3; box++) {
		store(d, d->a, (enum loongson_box)box, 0);
		store(d, d->b, (enum loongson_box)box, 0);
	}
	return true;
}

static void enter(struct duel *d)
{
	bool pinned = pin_to(d->b);

	d->pinned &= pinned;
	atomic_store_explicit(&d->ready, true, memory_order_release);
}

/* ---- does a mailbox keep what is written to it? -------------------------- */

static const uint64_t patterns[] = { WORD_A, ~WORD_A, WORD_B, 1, 0 };

/* Written on core @by, read on core @on. */
static json_t *try_box(const struct duel *d, int box, uint32_t by, uint32_t on)
{
	json_t *o;

	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		uint64_t back;

		pin_to(by);
		store(d, d->a, (enum loongson_box)box, patterns[i]);
		pin_to(on);
		back = load(d, d->a, (enum loongson_box)box);
		if (back == patterns[i])
			continue;
		o = json_pack("{s:i, s:i, s:i, s:b, s:o, s:o}", "box", box,
			      "written_by", (int)by, "read_by", (int)on,
			      "keeps", 0, "wrote", probe_word(patterns[i]),
			      "read", probe_word(back));
		return o ? o : json_null();
	}
	return json_pack("{s:i, s:i, s:i, s:b}", "box", box, "written_by",
			 (int)by, "read_by", (int)on, "keeps", 1);
}

static json_t *try_core(const struct probe_child *c, uint32_t cpu,
			uint32_t other)
{
	struct duel d = { .c = c, .a = cpu };
	json_t *boxes = json_array();
	uint32_t cpus[2] = { cpu, other };

	probe_stage(c, "writing the mailboxes of core %u", cpu);
	for (int box = 1; box <= 3; box++)
		for (int w = 0; w < 2; w++)
			for (int r = 0; r < 2; r++)
				json_array_append_new(
					boxes,
					try_box(&d, box, cpus[w], cpus[r]));
	return json_pack("{s:i, s:o}", "cpu", (int)cpu, "boxes", boxes);
}

static int put_boxes(json_t *o, const struct probe_child *c,
		     const uint32_t *cpu, uint32_t n)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(
			list, try_core(c, cpu[i], cpu[i == 0 ? n - 1 : 0]));
	return json_put(o, "kept", list);
}

/* ---- is a word ever seen in part? ---------------------------------------- */

static void *alternate(void *arg)
{
	struct duel *d = arg;
	uint32_t spins = 0;

	enter(d);
	do {
		store(d, d->a, LOONGSON_MAILBOX3, WORD_A);
		store(d, d->a, LOONGSON_MAILBOX3, WORD_B);
	} while (waits_on(d, &spins));
	return NULL;
}

static void count_torn(struct duel *d)
{
	uint64_t last = 0;
	uint32_t spins = 0;

	do {
		uint64_t word = load(d, d->a, LOONGSON_MAILBOX3);

		d->rounds++;
		d->changes += word != last;
		d->bad += word != 0 && word != WORD_A && word != WORD_B;
		last = word;
	} while (waits_on(d, &spins));
}

static int put_torn(json_t *o, const struct probe_child *c, uint32_t a,
		    uint32_t b)
{
	struct duel d = { .c = c, .a = a, .b = b };

	probe_stage(c, "reading core %u's mailbox while core %u writes it", a,
		    b);
	if (!fight(&d, alternate, count_torn))
		return -EAGAIN;
	return json_put(o, "torn",
			json_pack("{s:i, s:i, s:b, s:I, s:I, s:I}", "reader",
				  (int)a, "writer", (int)b, "pinned",
				  (int)d.pinned, "reads", (json_int_t)d.rounds,
				  "changes", (json_int_t)d.changes, "torn",
				  (json_int_t)d.bad));
}

/* ---- does a word overtake the data that it announces? --------------------- */

static void *announce(void *arg)
{
	struct duel *d = arg;
	uint32_t spins = 0, words = 0;

	enter(d);
	/* A mailbox that keeps nothing is always empty: count words as well. */
	for (uint64_t n = 1; waits_on(d, &words); n++) {
		/* Relaxed: the mailbox is to order them, and nothing else. */
		for (uint32_t i = 0; i < DATA; i++)
			atomic_store_explicit(&d->data[i], n,
					      memory_order_relaxed);
		store(d, d->a, LOONGSON_MAILBOX2, n);
		while (load(d, d->a, LOONGSON_MAILBOX2) != 0)
			if (!waits_on(d, &spins))
				return NULL;
		spins = 0;
	}
	return NULL;
}

static void take_announced(struct duel *d)
{
	uint32_t spins = 0;
	uint64_t n;

	while (d->rounds < ROUNDS * 10) {
		while ((n = load(d, d->a, LOONGSON_MAILBOX2)) == 0)
			if (!waits_on(d, &spins))
				return;
		for (uint32_t i = 0; i < DATA; i++)
			d->bad += atomic_load_explicit(&d->data[i],
						       memory_order_relaxed) <
				  n;
		d->rounds++;
		spins = 0;
		store(d, d->a, LOONGSON_MAILBOX2, 0);
	}
}

static int put_order(json_t *o, const struct probe_child *c, uint32_t a,
		     uint32_t b)
{
	struct duel d = { .c = c, .a = a, .b = b };

	probe_stage(c, "core %u announces data to core %u", b, a);
	if (!fight(&d, announce, take_announced))
		return -EAGAIN;
	return json_put(o, "order",
			json_pack("{s:i, s:i, s:b, s:I, s:I}", "reader", (int)a,
				  "writer", (int)b, "pinned", (int)d.pinned,
				  "words", (json_int_t)d.rounds, "stale",
				  (json_int_t)d.bad));
}

/* ---- times --------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static json_t *distribution(uint64_t *ns, uint32_t n)
{
	if (n == 0)
		return json_pack("{s:i}", "rounds", 0);
	qsort(ns, n, sizeof(*ns), by_size);
	return json_pack("{s:i, s:I, s:I, s:I, s:I}", "rounds", (int)n, "min",
			 (json_int_t)ns[0], "median", (json_int_t)ns[n / 2],
			 "p99", (json_int_t)ns[n - 1 - n / 100], "max",
			 (json_int_t)ns[n - 1]);
}

static json_t *access_time(const struct probe_child *c, uint32_t from,
			   uint32_t to, bool stores)
{
	struct duel d = { .c = c, .end_ns = now_ns() + limit_of(c) };
	static uint64_t ns[ROUNDS];
	uint32_t n = 0;

	pin_to(from);
	while (n < ROUNDS && now_ns() < d.end_ns) {
		uint64_t start = now_ns();

		for (uint32_t i = 0; i < BATCH; i++) {
			if (stores)
				store(&d, to, LOONGSON_MAILBOX1, WORD_A);
			else
				load(&d, to, LOONGSON_MAILBOX1);
		}
		ns[n++] = (now_ns() - start) / BATCH;
	}
	store(&d, to, LOONGSON_MAILBOX1, 0);
	return distribution(ns, n);
}

static int put_access(json_t *o, const struct probe_child *c, uint32_t a,
		      uint32_t b)
{
	json_t *t;

	probe_stage(c, "timing accesses of core %u", a);
	t = json_pack("{s:o, s:o, s:o, s:o}", "load_own",
		      access_time(c, a, a, false), "load_other",
		      access_time(c, a, b, false), "store_own",
		      access_time(c, a, a, true), "store_other",
		      access_time(c, a, b, true));
	return json_put(o, "access_ns", t);
}

static void *echo(void *arg)
{
	struct duel *d = arg;
	uint64_t seen = 0, word;
	uint32_t spins = 0;

	enter(d);
	for (;;) {
		while ((word = load(d, d->b, LOONGSON_MAILBOX1)) == seen)
			if (!waits_on(d, &spins))
				return NULL;
		spins = 0;
		seen = word;
		store(d, d->a, LOONGSON_MAILBOX1, word);
	}
}

static uint64_t trips[ROUNDS];

static void call(struct duel *d)
{
	uint32_t spins = 0;

	for (uint64_t n = 1; d->rounds < ROUNDS; n++) {
		uint64_t start = now_ns();

		store(d, d->b, LOONGSON_MAILBOX1, n);
		while (load(d, d->a, LOONGSON_MAILBOX1) != n)
			if (!waits_on(d, &spins))
				return;
		spins = 0;
		trips[d->rounds++] = (now_ns() - start) / 2;
	}
}

static json_t *one_way(const struct probe_child *c, uint32_t a, uint32_t b)
{
	struct duel d = { .c = c, .a = a, .b = b };
	json_t *o;

	probe_stage(c, "timing the way from core %u to core %u", a, b);
	if (!fight(&d, echo, call))
		return NULL;
	o = distribution(trips, (uint32_t)d.rounds);
	json_put_u64(o, "from", a);
	json_put_u64(o, "to", b);
	json_put_bool(o, "pinned", d.pinned);
	return o;
}

/* From the first core to all, then between the others, nearest first. */
static int put_ways(json_t *o, const struct probe_child *c, const uint32_t *cpu,
		    uint32_t n)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = i + 1; k < n; k++)
			if (json_array_size(list) < PAIRS)
				json_array_append_new(
					list, one_way(c, cpu[i], cpu[k]));
	return json_put(o, "one_way_ns", list);
}

/* ---- messages ------------------------------------------------------------ */

static void no_deliver(void *arg, uint32_t core, const struct mail_message *m)
{
	(void)arg;
	(void)core;
	(void)m;
}

static void no_done(void *arg, uint32_t from, uint32_t to, int error)
{
	(void)arg;
	(void)from;
	(void)to;
	(void)error;
}

static int put_messages(json_t *o, const struct probe_child *c,
			const uint32_t *cpu)
{
	static const struct mail_ops told = { no_deliver, no_done };
	static const uint32_t sizes[] = { 0, 8, 56 };
	const struct mail_params p = {
		.ops = c->p->ops,
		.hal.flags = HAL_ALLOW_GUEST,
		.core = cpu,
		.ncores = 2,
		.told = &told,
	};
	json_t *list = json_array();
	struct mail *m;
	int ret;

	probe_stage(c, "sending messages from core %u to core %u", cpu[0],
		    cpu[1]);
	pin_to(cpu[0]);
	ret = mail_open(&m, &p);
	if (ret) {
		json_decref(list);
		return json_put_str(o, "message_error", strerror(-ret));
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		int64_t ns = mail_measure(m, sizes[i], 200);

		json_array_append_new(list, json_pack("{s:i, s:I}", "bytes",
						      (int)sizes[i],
						      ns < 0 ? "error" : "ns",
						      (json_int_t)ns));
	}
	mail_close(m);
	return json_put(o, "message_ns", list);
}

/* ---- all of it ----------------------------------------------------------- */

json_t *probe_write(const struct probe_child *c)
{
	uint32_t cpu[LOONGSON_CPUS], n = 0;
	json_t *o = json_object();
	int ret;

	for (uint32_t i = 0; i < c->m->ncpus; i++)
		if (c->m->cpu[i].online)
			cpu[n++] = i;
	ret = put_boxes(o, c, cpu, n);
	if (n < 2) {
		ret = json_put_str(o, "note", "one core: nothing between two");
	} else {
		if (ret == 0)
			ret = put_torn(o, c, cpu[0], cpu[1]);
		if (ret == 0)
			ret = put_order(o, c, cpu[0], cpu[1]);
		if (ret == 0)
			ret = put_access(o, c, cpu[0], cpu[1]);
		if (ret == 0)
			ret = put_ways(o, c, cpu, n);
		if (ret == 0)
			ret = put_messages(o, c, cpu);
	}
	probe_stage(c, "writing the report");
	if (ret == 0)
		return o;
	json_decref(o);
	return NULL;
}
