/* SPDX-License-Identifier: MIT */
/*
 * test_loongson.c - the hardware back end on a fake machine
 *
 * tests/lib/fakeloongson.h: pages that fault on any store but those that are
 * allowed.  What only silicon can tell (barriers, latency) is not tested here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hal/loongson/loongson.h"
#include "hal/loongson/map.h"
#include "tests/hal/conformance.h"
#include "tests/lib/fakeloongson.h"

static struct fakeloongson fake;

static int open_core(struct hal **out, uint32_t self, uint32_t flags)
{
	struct hal_params p = { .self = self, .flags = flags };

	return hal_open(out, &fake.ops, &p);
}

static void fresh(void)
{
	fakeloongson_reset(&fake);
}

static void params(struct mail_params *p)
{
	p->ops = &fake.ops;
}

static struct hal_block *block(uint32_t core)
{
	return fakeloongson_block(&fake, core);
}

static const struct conformance one_node = {
	.ncores = 4,
	.caps = HAL_CAP_MAIL,
	.words = 4000,
	.fresh = fresh,
	.open = open_core,
	.params = params,
	.block = block,
};

/* Cores 3 and 4 are in the other one. */
static const struct conformance two_nodes = {
	.ncores = 5,
	.caps = HAL_CAP_MAIL,
	.words = 4000,
	.fresh = fresh,
	.open = open_core,
	.params = params,
	.block = block,
};

/* ---- the kernel --------------------------------------------------------- */

/* Interrupts of its own, and a handler that takes all of STATUS each time. */
static int interrupts(void *arg)
{
	const uint32_t *cpus = arg;

	for (uint32_t i = 0;; i++) {
		_Atomic uint32_t *status = &block(i % *cpus)->status;

		atomic_fetch_or_explicit(status, 1u << i % 32,
					 memory_order_relaxed);
		sched_yield();
		atomic_store_explicit(status, 0, memory_order_relaxed);
	}
	return 0;
}

static int run_under_interrupts(const char *name, const struct conformance *c)
{
	uint32_t cpus = c->ncores;
	pid_t pid = conformance_child(interrupts, &cpus);
	int failed = conformance_run(name, c);

	kill(pid, SIGKILL);
	conformance_join(pid);
	return failed;
}

/* ---- which stores there are --------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	fakeloongson_open(&fake, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fakeloongson_close(&fake);
	return 0;
}

static uint8_t *map_as_back_end(void)
{
	int fd = fake.sys.open("", O_RDWR | O_SYNC);
	uint8_t *at;

	if (fd < 0)
		_exit(1);
	at = fake.sys.mmap(FAKELOONGSON_PAGE, fd, 0x3ff00000);
	if (at == MAP_FAILED)
		_exit(1);
	return at;
}

static int store_at(void *arg)
{
	volatile uint8_t *at = map_as_back_end();

	close(STDERR_FILENO);
	*(volatile uint64_t *)(at + *(size_t *)arg) = 77;
	return 0;
}

static int store_half_at(void *arg)
{
	volatile uint8_t *at = map_as_back_end();

	close(STDERR_FILENO);
	*(volatile uint32_t *)(at + *(size_t *)arg) = 77;
	return 0;
}

/* Without this, the tests below could not fail. */
static void test_the_fake_faults_on_any_other_store(void **state)
{
	(void)state;
	for (size_t at = 0; at < FAKELOONGSON_PAGE; at += 8) {
		size_t in_block = at % HAL_REG_STRIDE;
		bool good = at >= FAKELOONGSON_IPI &&
			    at < FAKELOONGSON_IPI + 3 * HAL_REG_STRIDE &&
			    in_block >= HAL_REG_MAILBOX1 &&
			    in_block <= HAL_REG_MAILBOX3;
		pid_t pid;

		/* The rest of the page every so often. */
		if (!good && at > 0x1400 && at % 1000 > 7)
			continue;
		pid = conformance_child(store_at, &at);
		assert_int_equal(conformance_join(pid),
				 good ? 0 : FAKELOONGSON_BAD_STORE);
	}
	assert_int_equal(fake.seen->stores, 9);
	/* The upper half of a mailbox; a core that is not to be written. */
	size_t at = FAKELOONGSON_IPI + HAL_REG_MAILBOX1 + 4;

	assert_int_equal(
		conformance_join(conformance_child(store_half_at, &at)),
		FAKELOONGSON_BAD_STORE);
	fakeloongson_allow(&fake, 0, false);
	at = FAKELOONGSON_IPI + HAL_REG_MAILBOX1;
	assert_int_equal(conformance_join(conformance_child(store_at, &at)),
			 FAKELOONGSON_BAD_STORE);
}

/* Two stores in one go: the second is looked at as the first was. */
static int store_twice(void *arg)
{
	volatile uint8_t *at = map_as_back_end() + FAKELOONGSON_IPI;

	(void)arg;
	close(STDERR_FILENO);
	*(volatile uint64_t *)(at + HAL_REG_MAILBOX1) = 1;
	*(volatile uint64_t *)(at + HAL_REG_MAILBOX0) = 1;
	return 0;
}

static void test_no_store_hides_behind_another(void **state)
{
	pid_t pid;

	(void)state;
	if (!fakeloongson_steps()) {
		print_message("# no trap flag here\n");
		skip();
	}
	pid = conformance_child(store_twice, NULL);
	assert_int_equal(conformance_join(pid), FAKELOONGSON_BAD_STORE);
}

static void expect_stores(uint64_t n)
{
	/* Without single steps the first store of an operation counts. */
	if (fakeloongson_steps())
		assert_int_equal(fake.seen->stores, n);
	else
		assert_true(fake.seen->stores <= n);
	fake.seen->stores = 0;
}

/* The page holds the interrupt router and the address windows as well. */
static void test_only_three_mailboxes_are_ever_written(void **state)
{
	uint8_t *was = malloc(FAKELOONGSON_PAGE);
	struct hal *h, *me;
	struct hal_regs r;
	uint64_t word;

	(void)state;
	assert_non_null(was);
	for (int n = 0; n < 2; n++)
		memset(fake.page[n], 0xa5, FAKELOONGSON_PAGE);
	for (uint32_t i = 0; i < fake.ncpus; i++)
		block(i)->enable = UINT32_MAX;
	memset((void *)&block(3)->mail[1], 0, 3 * sizeof(uint64_t));
	memcpy(was, fake.page[0], FAKELOONGSON_PAGE);

	/* Only two of them, and only their own. */
	fake.seen->allowed = 1u << 0 | 1u << 3;
	assert_int_equal(open_core(&h, 0, 0), 0);
	expect_stores(9);
	assert_int_equal(open_core(&me, 3, 0), 0);
	expect_stores(9);
	for (uint32_t box = 0; box < 8; box++)
		hal_mail_send(h, 3, box, 1 + box);
	expect_stores(3);
	/* Full now. */
	for (uint32_t box = 0; box < 8; box++)
		hal_mail_send(h, 3, box, 1 + box);
	for (uint32_t core = 0; core < 80; core++) {
		hal_ring(h, core, UINT32_MAX);
		hal_nudge(h, core, UINT32_MAX);
		hal_read_regs(h, core, &r);
	}
	hal_arm(h, UINT32_MAX);
	hal_take(h);
	hal_wait(h, 0);
	hal_refresh(h);
	expect_stores(0);
	for (uint32_t box = 0; box < 8; box++)
		hal_mail_recv(me, box, &word);
	expect_stores(3);
	hal_close(h);
	hal_close(me);
	expect_stores(0);

	memset((void *)&block(0)->mail[1], 0xa5, 3 * sizeof(uint64_t));
	assert_memory_equal(was, fake.page[0], FAKELOONGSON_PAGE);
	free(was);
}

/* ---- opening ------------------------------------------------------------ */

static void test_what_the_kernel_left_is_cleared(void **state)
{
	struct hal *h;
	uint64_t word;

	(void)state;
	block(1)->mail[1] = UINT64_C(0x98000000022afeb0);
	block(1)->mail[2] = UINT64_C(0x9800000002280000);
	assert_int_equal(open_core(&h, 1, 0), 0);
	for (uint32_t box = 1; box <= 3; box++)
		assert_int_equal(hal_mail_recv(h, box, &word), -EAGAIN);
	hal_close(h);

	/* Unless a dead process's words are to be taken over. */
	block(1)->mail[1] = 77;
	assert_int_equal(open_core(&h, 1, HAL_KEEP_MAIL), 0);
	assert_int_equal(hal_mail_recv(h, 1, &word), 0);
	assert_int_equal(word, 77);
	hal_close(h);
}

static void test_cores_that_cannot_be_opened(void **state)
{
	struct hal *h = (struct hal *)&fake;

	(void)state;
	assert_int_equal(open_core(&h, 5, 0), -ENODEV);
	assert_null(h);
	assert_int_equal(open_core(&h, 7, 0), -EINVAL);
	assert_null(h);
	expect_stores(0);
}

/* The manuals' tables call MailBox2 and 3 of some cores write-only. */
static void test_a_mailbox_that_keeps_nothing_is_an_error(void **state)
{
	struct hal *h;

	(void)state;
	if (!fakeloongson_steps()) {
		print_message("# no trap flag here\n");
		skip();
	}
	for (uint32_t box = 1; box <= 3; box++) {
		fake.dead_box = box;
		assert_int_equal(open_core(&h, 1, 0), -EIO);
		assert_null(h);
	}
	fake.dead_box = 0;
	assert_int_equal(open_core(&h, 1, 0), 0);
	hal_close(h);
}

/* What is not as Linux leaves it is not written: it is something else. */
static void test_what_looks_wrong_is_not_written(void **state)
{
	struct hal *h;

	(void)state;
	for (uint32_t cpu = 0; cpu < 5; cpu++) {
		block(cpu)->enable = 0xf;
		assert_int_equal(open_core(&h, 0, 0), -ENODEV);
		assert_null(h);
		block(cpu)->enable = UINT32_MAX;
	}
	fake.sigbus = true;
	assert_int_equal(open_core(&h, 0, 0), -ENODEV);
	fake.sigbus = false;
	expect_stores(0);
	/* An offline core's are not looked at. */
	block(5)->enable = 0;
	assert_int_equal(open_core(&h, 0, 0), 0);
	hal_close(h);
}

static void test_a_guest_only_if_allowed(void **state)
{
	struct hal *h;

	(void)state;
	fake.model = "ICT Loongson-3 V0.13 QEMU";
	fakeloongson_files(&fake);
	FILE *f = fopen(fake.sys.vendor, "w");

	assert_non_null(f);
	fputs("QEMU\n", f);
	fclose(f);
	assert_int_equal(open_core(&h, 0, 0), -ENODEV);
	assert_int_equal(open_core(&h, 0, HAL_ALLOW_GUEST), 0);
	hal_close(h);
}

static void test_cores_are_where_the_kernel_says(void **state)
{
	struct hal_where w;
	struct hal *h;

	(void)state;
	assert_int_equal(open_core(&h, HAL_SELF_NONE, 0), 0);
	assert_int_equal(hal_ncores(h), 7);
	assert_int_equal(hal_where(h, 3, &w), 0);
	assert_true(w.online && w.node == 1 && w.core == 1);
	assert_int_equal(hal_where(h, 6, &w), 0);
	assert_true(w.online && w.node == 1 && w.core == 3);
	assert_int_equal(hal_where(h, 5, &w), 0);
	assert_false(w.online);
	hal_close(h);
}

/* ---- cores that come and go --------------------------------------------- */

static void test_an_offline_core_is_out_of_reach(void **state)
{
	struct hal *h, *me;
	struct hal_regs r;
	uint64_t word;

	(void)state;
	assert_int_equal(open_core(&h, 0, 0), 0);
	assert_int_equal(open_core(&me, 2, 0), 0);
	assert_int_equal(hal_mail_send(h, 5, 1, 1), -ENODEV);
	assert_int_equal(hal_read_regs(h, 5, &r), -ENODEV);
	assert_int_equal(hal_refresh(h), 0);

	assert_int_equal(hal_mail_send(h, 2, 1, 9), 0);
	fakeloongson_offline(&fake, 2);
	assert_int_equal(hal_refresh(h), 1);
	assert_int_equal(hal_refresh(me), 1);
	fakeloongson_allow(&fake, 2, false);
	assert_int_equal(hal_mail_send(h, 2, 2, 1), -ENODEV);
	assert_int_equal(hal_mail_recv(me, 1, &word), -ENODEV);
	assert_int_equal(word, 0);
	assert_int_equal(hal_read_regs(h, 2, &r), -ENODEV);

	fakeloongson_online(&fake, 2);
	fakeloongson_allow(&fake, 2, true);
	/* Not before we looked. */
	assert_int_equal(hal_mail_send(h, 2, 3, 1), -ENODEV);
	assert_int_equal(hal_refresh(h), 1);
	assert_int_equal(hal_refresh(me), 1);
	assert_int_equal(hal_mail_send(h, 2, 1, 1), -EAGAIN);
	assert_int_equal(hal_mail_recv(me, 1, &word), 0);
	assert_int_equal(word >> 56, 0x98);
	assert_int_equal(hal_mail_send(h, 2, 3, 5), 0);
	assert_int_equal(hal_mail_recv(me, 3, &word), 0);
	assert_int_equal(word, 5);
	hal_close(h);
	hal_close(me);
}

/* It was offline when we opened: where it is has to be read first. */
static void test_a_core_that_is_new(void **state)
{
	struct hal_where w;
	struct hal_regs r;
	struct hal *h;

	(void)state;
	assert_int_equal(open_core(&h, 0, 0), 0);
	fakeloongson_online(&fake, 5);
	/* The list has it, the text not yet: it might be anywhere. */
	fake.cpu[5].online = false;
	fakeloongson_files(&fake);
	FILE *f = fopen(fake.sys.online, "w");

	assert_non_null(f);
	fputs("0-6\n", f);
	fclose(f);
	assert_int_equal(hal_refresh(h), 0);
	assert_int_equal(hal_mail_send(h, 5, 3, 5), -ENODEV);

	fakeloongson_online(&fake, 5);
	assert_int_equal(hal_refresh(h), 1);
	assert_int_equal(hal_where(h, 5, &w), 0);
	assert_true(w.online && w.node == 1 && w.core == 0);
	assert_int_equal(hal_read_regs(h, 5, &r), 0);
	assert_int_equal(r.mail[1] >> 56, 0x98);
	assert_int_equal(hal_mail_send(h, 5, 3, 5), 0);
	assert_true(block(5)->mail[3] == 5);
	hal_close(h);
}

/* Its page was not mapped, and cannot be any more. */
static void test_a_core_of_a_node_that_was_all_offline(void **state)
{
	struct hal_where w;
	struct hal *h;

	(void)state;
	fake.cpu[3].online = fake.cpu[4].online = fake.cpu[6].online = false;
	fakeloongson_files(&fake);
	assert_int_equal(open_core(&h, 0, 0), 0);
	fakeloongson_online(&fake, 6);
	assert_int_equal(hal_refresh(h), 0);
	assert_int_equal(hal_where(h, 6, &w), 0);
	assert_false(w.online);
	assert_int_equal(hal_mail_send(h, 6, 3, 5), -ENODEV);
	expect_stores(9);
	hal_close(h);
}

/* Two receivers of one mailbox would take each other's words. */
static void test_two_cores_never_have_one_block(void **state)
{
	struct loongson_machine m;
	struct loongson_map *map;
	char why[HAL_TEXT];
	uint64_t word;

	(void)state;
	assert_int_equal(loongson_look(&m, &fake.sys, why), 0);
	assert_int_equal(loongson_map_open(&map, &fake.sys, &m, why), 0);
	assert_false(loongson_map_show(map, 5, &m.cpu[3]));
	assert_int_equal(loongson_map_load(map, 5, LOONGSON_MAILBOX1, &word),
			 -ENODEV);
	/* Itself again, and once it has gone another. */
	assert_true(loongson_map_show(map, 3, &m.cpu[3]));
	loongson_map_hide(map, 3);
	assert_true(loongson_map_show(map, 5, &m.cpu[3]));
	loongson_map_close(map);
}

static void test_a_list_that_cannot_be_has_no_core(void **state)
{
	static const char *const bad[] = { "",	     "\n",    "0-\n", "x",
					   "0-99\n", "3-1\n", "0,\n", "0 1\n" };
	struct hal *h;

	(void)state;
	assert_int_equal(open_core(&h, 0, 0), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		FILE *f = fopen(fake.sys.online, "w");

		assert_non_null(f);
		fputs(bad[i], f);
		fclose(f);
		assert_int_equal(hal_refresh(h), -EINVAL);
		assert_int_equal(hal_mail_send(h, 2, 1, 1), -ENODEV);
		assert_int_equal(block(2)->mail[1], 0);
		/* Again readable: all of them come back. */
		fakeloongson_files(&fake);
		assert_int_equal(hal_refresh(h), 6);
		assert_int_equal(hal_mail_send(h, 2, 1, 1), 0);
		block(2)->mail[1] = 0;
	}
	hal_close(h);
}

/* ---- mail while the kernel does what it does ----------------------------- */

static struct {
	pthread_mutex_t files; /* the kernel's lists are read whole */
	_Atomic uint64_t looks;
	_Atomic bool stop;
	uint64_t gone, garbage;
} kernel = { .files = PTHREAD_MUTEX_INITIALIZER };

/* The next look that begins from here on is over. */
static bool looked(void)
{
	uint64_t now = atomic_load(&kernel.looks);

	while (atomic_load(&kernel.looks) < now + 2) {
		if (atomic_load(&kernel.stop))
			return false;
		sched_yield();
	}
	return true;
}

/*
 * Takes a core away and brings it back, over and over, and leaves stack
 * pointers in mailboxes of cores that stay.  A core comes back when everybody
 * has seen that it is gone: loongson.c says why it must.
 */
static void *run_kernel(void *arg)
{
	uint64_t x = 88172645463325252;

	while (!atomic_load(&kernel.stop)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (x % 4) {
			uint32_t cpu = (uint32_t)(x >> 8) % 4;
			uint32_t box = 1 + (uint32_t)(x >> 16) % 3;

			if (fake.cpu[cpu].online)
				atomic_store(&block(cpu)->mail[box],
					     UINT64_C(0x9800000000000000) |
						     (x >> 10 << 4));
			kernel.garbage++;
			looked();
			continue;
		}
		pthread_mutex_lock(&kernel.files);
		fakeloongson_offline(&fake, 2);
		pthread_mutex_unlock(&kernel.files);
		if (!looked())
			break;
		fakeloongson_allow(&fake, 2, false);
		looked();
		fakeloongson_allow(&fake, 2, true);
		pthread_mutex_lock(&kernel.files);
		fakeloongson_online(&fake, 2);
		pthread_mutex_unlock(&kernel.files);
		kernel.gone++;
		looked();
	}
	return arg;
}

struct tally {
	uint64_t sent[5][5], ended[5][5], got[5][5], lost;
	const char *bad;
};

static void on_deliver(void *arg, uint32_t core, const struct mail_message *m)
{
	struct tally *t = arg;

	if (m->from > 4 || m->to != core)
		t->bad = "a message for nobody";
	else if (m->number < t->got[m->from][core])
		t->bad = "a message twice, or too late";
	else if (m->number >= t->sent[m->from][core])
		t->bad = "a message that nobody sent";
	else
		t->got[m->from][core] = m->number + 1;
	for (uint32_t i = 0; i < m->length; i++)
		if (m->data[i] != (uint8_t)(m->number + i))
			t->bad = "a message is not as it was sent";
}

static void on_done(void *arg, uint32_t from, uint32_t to, int error)
{
	struct tally *t = arg;

	if (error == -ENODEV && (from == 2 || to == 2))
		t->lost++;
	else if (error)
		t->bad = "a message was given up";
	else if (t->got[from][to] <= t->ended[from][to])
		t->bad = "a message is said to have come";
	t->ended[from][to]++;
}

static void send_all(struct mail *m, struct tally *t)
{
	for (uint32_t s = 0; s < 5; s++) {
		for (uint32_t r = 0; r < 5; r++) {
			struct mail_message msg = {
				.from = s,
				.to = r,
				.number = t->sent[s][r],
				.length = (uint16_t)(t->sent[s][r] % 57),
			};

			if (s == r || t->sent[s][r] > t->ended[s][r])
				continue;
			for (uint32_t i = 0; i < msg.length; i++)
				msg.data[i] = (uint8_t)(msg.number + i);
			t->sent[s][r]++;
			if (mail_send(m, s, r, &msg))
				t->sent[s][r]--;
		}
	}
}

static void test_mail_survives_the_kernel(void **state)
{
	static const uint32_t cores[] = { 0, 1, 2, 3, 4 };
	static const struct mail_ops told = { on_deliver, on_done };
	struct tally t = { 0 };
	struct mail_params p = {
		.ops = &fake.ops,
		.core = cores,
		.ncores = 5,
		.told = &told,
		.arg = &t,
		.repeat_ns = 300000,
	};
	struct mail_counts c;
	struct mail *m;
	pthread_t thread;

	(void)state;
	assert_int_equal(mail_open(&m, &p), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_kernel, NULL), 0);
	for (uint32_t i = 0; i < 30000 && !t.bad; i++) {
		send_all(m, &t);
		mail_poll(m);
		if (i % 10)
			continue;
		pthread_mutex_lock(&kernel.files);
		mail_refresh(m);
		pthread_mutex_unlock(&kernel.files);
		atomic_fetch_add(&kernel.looks, 1);
	}
	atomic_store(&kernel.stop, true);
	pthread_join(thread, NULL);
	if (t.bad)
		fail_msg("%s", t.bad);
	mail_refresh(m);
	for (uint32_t i = 0; mail_busy(m); i++)
		mail_poll(m);
	mail_counts(m, &c);
	assert_true(kernel.gone > 0 && c.offline > 0 && t.lost > 0);
	assert_true(kernel.garbage > 0 && c.garbage > 0);
	assert_true(c.sent > 1000);
	assert_int_equal(c.given_up, t.lost);
	mail_close(m);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_fake_faults_on_any_other_store),
		T(test_no_store_hides_behind_another),
		T(test_only_three_mailboxes_are_ever_written),
		T(test_what_the_kernel_left_is_cleared),
		T(test_cores_that_cannot_be_opened),
		T(test_a_mailbox_that_keeps_nothing_is_an_error),
		T(test_what_looks_wrong_is_not_written),
		T(test_a_guest_only_if_allowed),
		T(test_cores_are_where_the_kernel_says),
		T(test_an_offline_core_is_out_of_reach),
		T(test_a_core_that_is_new),
		T(test_a_core_of_a_node_that_was_all_offline),
		T(test_two_cores_never_have_one_block),
		T(test_a_list_that_cannot_be_has_no_core),
		T(test_mail_survives_the_kernel),
	};
	int failed;

	fakeloongson_open(&fake, false);
	failed = conformance_run("loongson", &one_node);
	fakeloongson_close(&fake);
	fakeloongson_open(&fake, true);
	failed += run_under_interrupts("loongson, two nodes", &two_nodes);
	fakeloongson_close(&fake);
	failed += cmocka_run_group_tests_name("loongson's own", tests, NULL,
					      NULL);
	return failed ? 1 : 0;
}
