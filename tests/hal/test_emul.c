/* SPDX-License-Identifier: MIT */
/*
 * test_emul.c - the emulated registers: conformance, and what is theirs alone
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hal/emul/emul.h"
#include "tests/hal/conformance.h"

#define NCORES 8
#define BYTES  (NCORES * sizeof(struct hal_block))

static struct hal_block *blocks;
static int memfd;
static pid_t mapped_by;

/*
 * A child maps the file anew, elsewhere: what wakes across processes must not
 * go by addresses.
 */
static void map_blocks(void)
{
	if (mapped_by == getpid())
		return;
	blocks = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memfd,
		      0);
	if (blocks == MAP_FAILED)
		_exit(99);
	mapped_by = getpid();
}

static void fresh(void)
{
	map_blocks();
	memset((void *)blocks, 0, BYTES);
}

static int open_one(struct hal **out, uint32_t n, uint32_t self, uint32_t flags)
{
	struct hal_params p = { .ncores = n, .self = self, .flags = flags };

	map_blocks();
	p.regs = blocks;
	return hal_open(out, &hal_emul, &p);
}

static int open_core(struct hal **out, uint32_t self, uint32_t flags)
{
	return open_one(out, 4, self, flags);
}

static int open_core_of_eight(struct hal **out, uint32_t self, uint32_t flags)
{
	return open_one(out, 8, self, flags);
}

static void params_of(struct mail_params *p, uint32_t n)
{
	map_blocks();
	p->ops = &hal_emul;
	p->hal.regs = blocks;
	p->hal.ncores = n;
}

static void params(struct mail_params *p)
{
	params_of(p, 4);
}

static void params_of_eight(struct mail_params *p)
{
	params_of(p, 8);
}

static int open_wiped(struct hal **out, uint32_t self, uint32_t flags)
{
	return open_core(out, self, flags | HAL_FAULT_WIPE);
}

static struct hal_block *block(uint32_t core)
{
	map_blocks();
	return &blocks[core];
}

static const struct conformance emul = {
	.ncores = 4,
	.caps = HAL_CAP_BELL | HAL_CAP_WAIT | HAL_CAP_MAIL | HAL_CAP_STICKY,
	.fresh = fresh,
	.open = open_core,
	.params = params,
	.block = block,
};

/* Two nodes: mailboxes are shared. */
static const struct conformance eight = {
	.ncores = 8,
	.caps = HAL_CAP_BELL | HAL_CAP_WAIT | HAL_CAP_MAIL | HAL_CAP_STICKY,
	.fresh = fresh,
	.open = open_core_of_eight,
	.params = params_of_eight,
	.block = block,
};

static const struct conformance wiped = {
	.ncores = 4,
	.caps = HAL_CAP_BELL | HAL_CAP_WAIT | HAL_CAP_MAIL,
	.fresh = fresh,
	.open = open_wiped,
	.params = params,
	.block = block,
};

static int setup(void **state)
{
	(void)state;
	fresh();
	return 0;
}

static void test_impossible_parameters_are_refused(void **state)
{
	const struct hal_params bad[] = {
		{ NULL, NCORES, 0, 0 },
		{ (uint8_t *)blocks + 4, NCORES, 0, 0 },
		{ blocks, 0, HAL_SELF_NONE, 0 },
		{ blocks, UINT32_MAX, 0, 0 },
		{ blocks, NCORES, NCORES, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hal *h = (struct hal *)blocks;

		assert_int_equal(hal_open(&h, &hal_emul, &bad[i]), -EINVAL);
		assert_null(h);
	}
}

static void test_a_pending_bell_costs_no_system_call(void **state)
{
	struct hal *h, *me;

	(void)state;
	assert_int_equal(open_core(&h, 0, 0), 0);
	assert_int_equal(open_core(&me, 1, 0), 0);

	/* Nobody sleeps: not enabled, no call. */
	assert_int_equal(hal_ring(h, 1, 0x1), 0);
	assert_int_equal(emul_wakes(h), 0);
	assert_int_equal(hal_take(me), 0x1);

	/* Enabled: the first ring wakes, the next thousand do not. */
	hal_arm(me, 0x3);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(hal_ring(h, 1, 0x1), 0);
	assert_int_equal(emul_wakes(h), 1);
	/* Another bit is news, a bit that is not enabled is none. */
	assert_int_equal(hal_ring(h, 1, 0x2), 0);
	assert_int_equal(emul_wakes(h), 2);
	assert_int_equal(hal_ring(h, 1, 0x4), 0);
	assert_int_equal(emul_wakes(h), 2);
	/* Taken: the next ring wakes again. */
	assert_int_equal(hal_take(me), 0x7);
	assert_int_equal(hal_ring(h, 1, 0x1), 0);
	assert_int_equal(emul_wakes(h), 3);
	/* A nudge always does. */
	assert_int_equal(hal_nudge(h, 1, 0x1), 0);
	assert_int_equal(emul_wakes(h), 4);
	hal_close(h);
	hal_close(me);
}

static void test_a_wiped_status_reads_as_on_hardware(void **state)
{
	struct hal *h, *me;

	(void)state;
	assert_int_equal(open_wiped(&h, 0, 0), 0);
	assert_int_equal(open_wiped(&me, 1, 0), 0);
	assert_false(hal_caps(h) & HAL_CAP_STICKY);
	hal_arm(me, 0x1);
	assert_int_equal(hal_ring(h, 1, 0x1), 0);
	assert_int_equal(hal_take(me), 0);
	assert_int_equal(hal_wait(me, 0), -ETIMEDOUT);
	hal_close(h);
	hal_close(me);
}

static int sleep_wiped(void *arg)
{
	struct hal *h;
	int ret;

	(void)arg;
	if (open_wiped(&h, 1, 0))
		return 2;
	hal_arm(h, 0x1);
	ret = hal_wait(h, HANG_NS);
	hal_close(h);
	return ret ? 1 : 0;
}

static void test_a_sleeper_wakes_although_the_bit_is_wiped(void **state)
{
	struct hal *h;
	pid_t pid;

	(void)state;
	assert_int_equal(open_wiped(&h, 0, 0), 0);
	pid = conformance_child(sleep_wiped, NULL);
	while (atomic_load_explicit(&block(1)->enable, memory_order_acquire) ==
	       0)
		sched_yield();
	conformance_asleep(pid);
	assert_int_equal(hal_ring(h, 1, 0x1), 0);
	assert_int_equal(conformance_join(pid), 0);
	hal_close(h);
}

#define WORDS 2000u

static int post_and_ring(void *arg)
{
	struct hal *h;

	(void)arg;
	if (open_wiped(&h, 0, 0))
		return 2;
	for (uint64_t i = 1; i <= WORDS; i++) {
		while (hal_mail_send(h, 1, 1, i) == -EAGAIN)
			sched_yield();
		hal_ring(h, 1, 0x1);
	}
	hal_close(h);
	return 0;
}

/*
 * With bits that vanish a wake-up can be lost, a word cannot: whoever sleeps
 * with a limit and looks at the mailbox, not at the bits, gets every one.
 */
static void test_no_word_is_lost_when_bits_are(void **state)
{
	uint64_t word;
	struct hal *me;
	pid_t pid;

	(void)state;
	assert_int_equal(open_wiped(&me, 1, 0), 0);
	pid = conformance_child(post_and_ring, NULL);
	for (uint64_t i = 1; i <= WORDS; i++) {
		for (;;) {
			hal_arm(me, 0x1);
			if (hal_mail_recv(me, 1, &word) == 0)
				break;
			hal_wait(me, 1000000);
			hal_take(me);
		}
		assert_true(word == i);
	}
	assert_int_equal(conformance_join(pid), 0);
	hal_close(me);
}

/*
 * A page that the kernel maps without a struct page behind it, as it maps a
 * PCI BAR: nobody can sleep on it, and that must be said, not hung or hidden.
 */
static void test_memory_without_pages_is_named(void **state)
{
	unsigned long start = 0;
	char line[256];
	struct hal *h;
	FILE *f = fopen("/proc/self/maps", "r");

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "[vvar"))
			sscanf(line, "%lx", &start);
	fclose(f);
	if (!start) {
		print_message("# no [vvar] to stand for a BAR\n");
		skip();
	}
	struct hal_params p = { .regs = (void *)start, .ncores = 1 };

	assert_int_equal(hal_open(&h, &hal_emul, &p), 0);
	assert_int_equal(hal_wait(h, 1000000), -EOPNOTSUPP);
	hal_close(h);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_impossible_parameters_are_refused),
		T(test_a_pending_bell_costs_no_system_call),
		T(test_a_wiped_status_reads_as_on_hardware),
		T(test_a_sleeper_wakes_although_the_bit_is_wiped),
		T(test_no_word_is_lost_when_bits_are),
		T(test_memory_without_pages_is_named),
	};
	int failed;

	memfd = memfd_create("hal", MFD_CLOEXEC);
	if (memfd < 0 || ftruncate(memfd, (off_t)BYTES))
		return 99;
	failed = conformance_run("emul", &emul);
	failed += conformance_run("emul, two nodes", &eight);
	failed += conformance_run("emul, wiped", &wiped);
	failed += cmocka_run_group_tests_name("emul's own", tests, NULL, NULL);
	return failed ? 1 : 0;
}
