/* SPDX-License-Identifier: MIT */
/*
 * test_block.c - the hardware back end on the registers of this machine
 *
 * The conformance suite, through /dev/mem; what the kernel has in the same
 * registers, before and after.  Only for the machine that image.sh makes: as
 * root, four cores of one chip, and nobody else at the mailboxes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "hal/loongson/loongson.h"
#include "tests/hal/conformance.h"

#define CORES  4u
#define WORDS  40u
#define KERNEL UINT64_C(0x8000000000000000) /* its addresses are above */
#define IPIS   50

static volatile uint8_t *blocks; /* of core 0 */

static void map_blocks(void)
{
	uint64_t base = loongson_base(&loongson_chips[0], 0);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	uint8_t *at;

	if (fd < 0) {
		perror("/dev/mem");
		exit(99);
	}
	at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  (off_t)(base & ~(page - 1)));
	if (at == MAP_FAILED) {
		perror("mmap of /dev/mem");
		exit(99);
	}
	close(fd);
	blocks = at + (base & (page - 1));
}

static struct hal_block *block(uint32_t core)
{
	return (struct hal_block *)(uintptr_t)(blocks + core * HAL_REG_STRIDE);
}

/* HAL_SELF_NONE: on any core. */
static void run_on(uint32_t core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (uint32_t i = 0; i < CORES; i++)
		if (core == i || core == HAL_SELF_NONE)
			CPU_SET(i, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		exit(99);
	}
}

/* Whoever has a core runs there. */
static int open_core(struct hal **out, uint32_t self, uint32_t flags)
{
	struct hal_params p = { .self = self,
				.flags = flags | HAL_ALLOW_GUEST };

	run_on(self);
	return hal_open(out, &hal_loongson, &p);
}

static void params(struct mail_params *p)
{
	run_on(HAL_SELF_NONE);
	p->ops = &hal_loongson;
	p->hal.flags = HAL_ALLOW_GUEST;
}

static void fresh(void)
{
	for (uint32_t i = 0; i < CORES; i++)
		for (uint32_t b = HAL_MAIL_FIRST; b <= HAL_MAIL_LAST; b++)
			atomic_store_explicit(&block(i)->mail[b], 0,
					      memory_order_seq_cst);
}

/* One thread of the emulator is all cores: who only yields keeps it. */
static void rest(void)
{
	static uint32_t times;
	struct timespec t = { 0, 1000 };

	if (++times % 16 == 0)
		nanosleep(&t, NULL);
	else
		sched_yield();
}

static const struct conformance loongson = {
	.ncores = CORES,
	.caps = HAL_CAP_MAIL,
	.words = 400,
	.fresh = fresh,
	.open = open_core,
	.params = params,
	.block = block,
	.pause = rest,
};

/* ---- what the kernel has there ----------------------------------------- */

static void test_a_guest_is_refused_unless_it_is_allowed(void **state)
{
	struct hal_params p = { .self = HAL_SELF_NONE };
	char why[HAL_TEXT] = "";
	struct hal *h;

	(void)state;
	assert_int_equal(hal_probe(&hal_loongson, why), -ENODEV);
	assert_true(strlen(why) > 0);
	print_message("# %s\n", why);
	assert_int_equal(hal_open(&h, &hal_loongson, &p), -ENODEV);
	p.flags = HAL_ALLOW_GUEST;
	assert_int_equal(hal_open(&h, &hal_loongson, &p), 0);
	assert_int_equal(hal_ncores(h), CORES);
	hal_close(h);
}

/* The first to look sees what bringing up the cores left: stack pointers. */
static void test_what_the_kernel_left_is_cleared(void **state)
{
	struct hal *look, *me;
	struct hal_regs r;

	(void)state;
	assert_int_equal(open_core(&look, HAL_SELF_NONE, 0), 0);
	for (uint32_t i = 1; i < CORES; i++) {
		assert_int_equal(hal_read_regs(look, i, &r), 0);
		assert_true(r.mail[1] > KERNEL);
		assert_true(r.mail[2] > KERNEL);
	}
	assert_int_equal(open_core(&me, 1, 0), 0);
	assert_int_equal(hal_read_regs(look, 1, &r), 0);
	for (uint32_t b = HAL_MAIL_FIRST; b <= HAL_MAIL_LAST; b++)
		assert_true(r.mail[b] == 0);
	assert_int_equal(hal_read_regs(look, 2, &r), 0);
	assert_true(r.mail[1] > KERNEL);
	hal_close(me);
	hal_close(look);
}

/* Bits of STATUS are all wiped by the kernel at each interrupt between cores. */
static long interrupts(uint32_t core)
{
	FILE *f = fopen("/proc/interrupts", "re");
	char line[512];
	long n = -1;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *at = strchr(line, ':');

		if (!strstr(line, "SMP_IPI") || !at)
			continue;
		at++;
		for (uint32_t i = 0; i <= core; i++)
			n = strtol(at, &at, 10);
	}
	fclose(f);
	return n;
}

static int wake_up(void *arg)
{
	struct timespec t = { 0, 1000 };

	run_on(*(uint32_t *)arg);
	nanosleep(&t, NULL);
	return 0;
}

static void test_a_word_outlives_the_kernels_interrupts(void **state)
{
	uint32_t target = 1;
	struct hal *h, *me;
	uint64_t word;
	long before;

	(void)state;
	assert_int_equal(open_core(&me, target, 0), 0);
	assert_int_equal(open_core(&h, 0, 0), 0);
	before = interrupts(target);
	assert_true(before >= 0);
	for (uint32_t b = HAL_MAIL_FIRST; b <= HAL_MAIL_LAST; b++)
		assert_int_equal(hal_mail_send(h, target, b, b << 8 | 1), 0);
	while (interrupts(target) < before + IPIS) {
		pid_t pid = conformance_child(wake_up, &target);

		assert_int_equal(conformance_join(pid), 0);
	}
	for (uint32_t b = HAL_MAIL_FIRST; b <= HAL_MAIL_LAST; b++) {
		assert_int_equal(hal_mail_recv(me, b, &word), 0);
		assert_true(word == (b << 8 | 1));
	}
	hal_close(me);
	hal_close(h);
}

/* ---- every pair of cores ----------------------------------------------- */

struct pair {
	uint32_t from, to, box;
};

static int send_words(void *arg)
{
	const struct pair *p = arg;
	struct hal *h;

	if (open_core(&h, p->from, HAL_KEEP_MAIL) ||
	    sched_getcpu() != (int)p->from)
		return 2;
	for (uint64_t i = 1; i <= WORDS; i++) {
		uint64_t word = i << 32 | p->from << 8 | p->to;
		int ret;

		while ((ret = hal_mail_send(h, p->to, p->box, word)) == -EAGAIN)
			rest();
		if (ret)
			return 3;
	}
	hal_close(h);
	return 0;
}

static void receive_words(const struct pair *p)
{
	struct hal *me;

	assert_int_equal(open_core(&me, p->to, HAL_KEEP_MAIL), 0);
	assert_int_equal(sched_getcpu(), p->to);
	for (uint64_t i = 1; i <= WORDS; i++) {
		uint64_t word;

		while (hal_mail_recv(me, p->box, &word) == -EAGAIN)
			rest();
		assert_true(word == (i << 32 | p->from << 8 | p->to));
	}
	hal_close(me);
}

static void test_words_cross_from_each_core_to_each_other(void **state)
{
	(void)state;
	fresh();
	for (uint32_t from = 0; from < CORES; from++)
		for (uint32_t to = 0; to < CORES; to++) {
			struct pair p = { from, to, 1 + ((from - to - 1) & 3) };
			pid_t pid;

			if (from == to)
				continue;
			pid = conformance_child(send_words, &p);
			receive_words(&p);
			assert_int_equal(conformance_join(pid), 0);
		}
}

/* Last: nothing above has touched what is the kernel's. */
static void test_the_kernels_registers_are_as_they_were(void **state)
{
	struct hal_regs r;
	struct hal *h;

	(void)state;
	assert_int_equal(open_core(&h, HAL_SELF_NONE, 0), 0);
	for (uint32_t i = 0; i < CORES; i++) {
		assert_int_equal(hal_read_regs(h, i, &r), 0);
		assert_int_equal(r.enable, UINT32_MAX);
		assert_int_equal(r.status & ~0xfu, 0);
		assert_true(r.mail[0] == 0);
	}
	hal_close(h);
}

int main(void)
{
	const struct CMUnitTest before[] = {
		cmocka_unit_test(test_a_guest_is_refused_unless_it_is_allowed),
		cmocka_unit_test(test_what_the_kernel_left_is_cleared),
	};
	const struct CMUnitTest after[] = {
		cmocka_unit_test(test_a_word_outlives_the_kernels_interrupts),
		cmocka_unit_test(test_words_cross_from_each_core_to_each_other),
		cmocka_unit_test(test_the_kernels_registers_are_as_they_were),
	};
	int failed;

	map_blocks();
	failed = cmocka_run_group_tests_name("as the kernel left it", before,
					     NULL, NULL);
	failed += conformance_run("registers of the machine", &loongson);
	failed += cmocka_run_group_tests_name("beside the kernel", after, NULL,
					      NULL);
	return failed ? 1 : 0;
}
