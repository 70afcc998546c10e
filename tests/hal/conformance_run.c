/* SPDX-License-Identifier: MIT */
/*
 * conformance_run.c - what hal.h promises, asked of a back end
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/hal/conformance_impl.h"

const struct conformance *conf;
struct conf_shared *sh;

uint64_t conf_peek(uint32_t core, uint32_t box)
{
	return atomic_load_explicit(&conf->block(core)->mail[box],
				    memory_order_relaxed);
}

void conf_poke(uint32_t core, uint32_t box, uint64_t word)
{
	atomic_store_explicit(&conf->block(core)->mail[box], word,
			      memory_order_relaxed);
}

void conf_pause(void)
{
	if (conf->pause)
		conf->pause();
	else
		sched_yield();
}

uint32_t conf_words(void)
{
	return conf->words ? conf->words : 20000;
}

pid_t conformance_child(int (*fn)(void *arg), void *arg)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS };
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Of cmocka: a fault would go on with the parent's tests. */
		for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
			signal(faults[i], SIG_DFL);
		_exit(fn(arg));
	}
	assert_true(pid > 0);
	return pid;
}

int conformance_join(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

void conformance_asleep(pid_t pid)
{
	char path[64], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	while (state != 'S' && state != 'Z') {
		FILE *f = fopen(path, "r");

		assert_non_null(f);
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 0;
		fclose(f);
		sched_yield();
	}
}

static struct hal *open_core(uint32_t self)
{
	struct hal *h;

	assert_int_equal(conf->open(&h, self, 0), 0);
	assert_non_null(h);
	return h;
}

int conf_fresh(void **state)
{
	(void)state;
	conf->fresh();
	memset((void *)sh, 0, sizeof(*sh));
	return 0;
}

static void test_capabilities_are_told(void **state)
{
	struct hal *h = open_core(0);

	(void)state;
	assert_int_equal(hal_caps(h), conf->caps);
	assert_true(hal_ncores(h) >= conf->ncores);
	assert_non_null(hal_find(hal_name(h)));
	hal_close(h);
	hal_close(NULL);
}

static void test_a_missing_operation_says_so(void **state)
{
	struct hal *h = open_core(0);
	uint64_t word = 5;

	(void)state;
	if (!(conf->caps & HAL_CAP_BELL)) {
		assert_int_equal(hal_ring(h, 1, 1), -EOPNOTSUPP);
		assert_int_equal(hal_nudge(h, 1, 1), -EOPNOTSUPP);
		assert_int_equal(hal_arm(h, 1), -EOPNOTSUPP);
		assert_int_equal(hal_take(h), 0);
	}
	if (!(conf->caps & HAL_CAP_WAIT))
		assert_int_equal(hal_wait(h, 0), -EOPNOTSUPP);
	if (!(conf->caps & HAL_CAP_MAIL)) {
		assert_int_equal(hal_mail_send(h, 1, 1, 1), -EOPNOTSUPP);
		assert_int_equal(hal_mail_recv(h, 1, &word), -EOPNOTSUPP);
	}
	hal_close(h);
}

#define PATTERN UINT64_C(0x5a5a5a5a5a5a5a5a)

/* All that the hardware lets us fill; the rest of a block that is memory. */
static void test_opening_changes_no_other_core(void **state)
{
	bool memory = (conf->caps & HAL_CAP_BELL) != 0;
	struct hal *h;

	(void)state;
	for (uint32_t i = 0; i < conf->ncores; i++) {
		if (i == 1)
			continue;
		if (memory)
			memset((void *)conf->block(i), 0x5a,
			       sizeof(struct hal_block));
		for (uint32_t box = 1; box <= HAL_MAIL_LAST; box++)
			conf_poke(i, box, PATTERN + box);
	}
	h = open_core(1);
	for (uint32_t i = 0; i < conf->ncores; i++) {
		const uint8_t *at = (const uint8_t *)conf->block(i);

		if (i == 1)
			continue;
		for (uint32_t box = 1; box <= HAL_MAIL_LAST; box++)
			assert_true(conf_peek(i, box) == PATTERN + box);
		for (size_t k = 0; memory && k < sizeof(struct hal_block); k++)
			if (k < HAL_REG_MAILBOX1 || k >= HAL_REG_MAILBOX3 + 8)
				assert_int_equal(at[k], 0x5a);
	}
	hal_close(h);
}

static void test_out_of_range_is_refused(void **state)
{
	struct hal *h = open_core(0);
	uint32_t n = hal_ncores(h);
	struct hal_regs r;
	uint64_t word = 5;

	(void)state;
	if (conf->caps & HAL_CAP_BELL) {
		assert_int_equal(hal_ring(h, n, 1), -EINVAL);
		assert_int_equal(hal_ring(h, UINT32_MAX, 1), -EINVAL);
		assert_int_equal(hal_ring(h, 1, 0), -EINVAL);
		assert_int_equal(hal_nudge(h, n, 1), -EINVAL);
		assert_int_equal(hal_nudge(h, 1, 0), -EINVAL);
	}
	if (conf->caps & HAL_CAP_MAIL) {
		assert_int_equal(hal_mail_send(h, n, 1, 1), -EINVAL);
		assert_int_equal(hal_mail_send(h, 1, 0, 1), -EINVAL);
		assert_int_equal(hal_mail_send(h, 1, 4, 1), -EINVAL);
		assert_int_equal(hal_mail_send(h, 1, 1, 0), -EINVAL);
		assert_int_equal(hal_mail_recv(h, 0, &word), -EINVAL);
		assert_int_equal(word, 0);
		assert_int_equal(hal_mail_recv(h, 4, &word), -EINVAL);
	}
	assert_int_equal(hal_read_regs(h, n, &r), -EINVAL);
	hal_close(h);
}

static void test_a_handle_without_a_core_only_sends(void **state)
{
	struct hal *h = open_core(HAL_SELF_NONE);
	uint64_t word;

	(void)state;
	if (conf->caps & HAL_CAP_BELL) {
		assert_int_equal(hal_arm(h, 1), -EINVAL);
		assert_int_equal(hal_take(h), 0);
		assert_int_equal(hal_ring(h, 1, 1), 0);
	}
	if (conf->caps & HAL_CAP_WAIT)
		assert_int_equal(hal_wait(h, 0), -EINVAL);
	if (conf->caps & HAL_CAP_MAIL) {
		assert_int_equal(hal_mail_recv(h, 1, &word), -EINVAL);
		assert_int_equal(hal_mail_send(h, 1, 1, 7), 0);
	}
	hal_close(h);
}

/* ---- doorbells --------------------------------------------------------- */

static void test_ring_sets_status_and_nothing_else(void **state)
{
	struct hal *h = open_core(0);
	struct hal_block *b = conf->block(1);
	struct hal_regs r;

	(void)state;
	assert_int_equal(hal_ring(h, 1, 0x80000001), 0);
	assert_int_equal(hal_ring(h, 1, 0x10), 0);
	assert_int_equal(b->status, 0x80000011);
	assert_int_equal(b->enable, 0);
	assert_int_equal(b->set, 0);
	assert_int_equal(b->clear, 0);
	assert_int_equal(hal_read_regs(h, 1, &r), 0);
	assert_int_equal(r.status, 0x80000011);
	assert_int_equal(conf->block(0)->status, 0);
	assert_int_equal(conf->block(2)->status, 0);
	hal_close(h);
}

static void test_enable_masks_the_wake_up_not_the_bits(void **state)
{
	struct hal *h = open_core(0), *me = open_core(1);

	(void)state;
	assert_int_equal(hal_arm(me, 0x2), 0);
	assert_int_equal(conf->block(1)->enable, 0x2);
	assert_int_equal(hal_ring(h, 1, 0x1), 0);
	assert_int_equal(conf->block(1)->status, 0x1);
	assert_int_equal(hal_wait(me, 0), -ETIMEDOUT);
	assert_int_equal(hal_wait(me, 1000000), -ETIMEDOUT);
	/* A bit that was pending before it was enabled counts as well. */
	assert_int_equal(hal_arm(me, 0x1), 0);
	assert_int_equal(hal_wait(me, HAL_FOREVER), 0);
	/* Waiting takes nothing. */
	assert_int_equal(hal_wait(me, HAL_FOREVER), 0);
	assert_int_equal(hal_take(me), 0x1);
	assert_int_equal(hal_wait(me, 0), -ETIMEDOUT);
	hal_close(h);
	hal_close(me);
}

static void test_bells_coalesce_and_are_taken_once(void **state)
{
	struct hal *h = open_core(0), *me = open_core(1);

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(hal_ring(h, 1, 0x4), 0);
	assert_int_equal(hal_ring(h, 1, 0x8), 0);
	assert_int_equal(hal_take(me), 0xc);
	assert_int_equal(hal_take(me), 0);
	assert_int_equal(hal_ring(me, 1, 0x1), 0);
	assert_int_equal(hal_take(me), 0x1);
	hal_close(h);
	hal_close(me);
}

static int sleep_until_rung(void *arg)
{
	struct hal *h;
	int ret;

	(void)arg;
	if (conf->open(&h, 1, 0))
		return 2;
	hal_arm(h, 0x1);
	atomic_store_explicit(&sh->ready, 1, memory_order_release);
	ret = hal_wait(h, HANG_NS);
	if (ret == 0 && hal_take(h) != 0x1 && (hal_caps(h) & HAL_CAP_STICKY))
		ret = 3;
	hal_close(h);
	return ret ? 1 : 0;
}

static pid_t sleeper(void)
{
	pid_t pid = conformance_child(sleep_until_rung, NULL);

	while (!atomic_load_explicit(&sh->ready, memory_order_acquire))
		sched_yield();
	conformance_asleep(pid);
	return pid;
}

static void test_a_ring_wakes_another_process(void **state)
{
	struct hal *h = open_core(0);
	pid_t pid;

	(void)state;
	pid = sleeper();
	assert_int_equal(hal_ring(h, 1, 0x1), 0);
	assert_int_equal(conformance_join(pid), 0);
	hal_close(h);
}

/* Somebody raised the bit and died before it woke the sleeper. */
static void test_a_nudge_wakes_although_the_bell_is_pending(void **state)
{
	struct hal *h = open_core(0);
	pid_t pid;

	(void)state;
	pid = sleeper();
	atomic_store_explicit(&conf->block(1)->status, 0x1,
			      memory_order_seq_cst);
	assert_int_equal(hal_ring(h, 1, 0x1), 0);
	conformance_asleep(pid);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(hal_nudge(h, 1, 0x1), 0);
	assert_int_equal(conformance_join(pid), 0);
	hal_close(h);
}

#define ROUNDS 20000u

/* Count up in turns; every turn may end in a sleep.  0: all rounds done. */
static int volley(uint32_t self)
{
	uint32_t peer = 1 - self;
	struct hal *h;
	int ret = 0;

	if (conf->open(&h, self, 0))
		return 2;
	for (uint32_t round = 1; round <= ROUNDS && !ret; round++) {
		if (self == 0) {
			atomic_store_explicit(&sh->seq[0], round,
					      memory_order_relaxed);
			hal_ring(h, peer, 0x1);
		}
		for (;;) {
			/* SLEEP: arm, look, sleep. */
			hal_arm(h, 0x1);
			if (atomic_load_explicit(&sh->seq[peer],
						 memory_order_relaxed) == round)
				break;
			ret = hal_wait(h, HANG_NS);
			if (ret)
				break;
			hal_take(h);
		}
		hal_arm(h, 0);
		if (self == 1 && !ret) {
			atomic_store_explicit(&sh->seq[1], round,
					      memory_order_relaxed);
			hal_ring(h, peer, 0x1);
		}
	}
	hal_close(h);
	return ret ? 1 : 0;
}

static int volley_child(void *arg)
{
	(void)arg;
	return volley(1);
}

static void test_no_wake_up_is_lost_in_many_rounds(void **state)
{
	pid_t pid;

	(void)state;
	pid = conformance_child(volley_child, NULL);
	assert_int_equal(volley(0), 0);
	assert_int_equal(conformance_join(pid), 0);
	assert_int_equal(sh->seq[0], ROUNDS);
	assert_int_equal(sh->seq[1], ROUNDS);
}

static void on_signal(int sig)
{
	(void)sig;
}

static int signal_parent(void *arg)
{
	pid_t parent = *(pid_t *)arg;

	/* Until it is out of its sleep: one signal may come too early. */
	while (!atomic_load_explicit(&sh->stop, memory_order_relaxed)) {
		struct timespec t = { 0, 1000000 };

		kill(parent, SIGUSR1);
		nanosleep(&t, NULL);
	}
	return 0;
}

static void test_a_signal_ends_a_sleep(void **state)
{
	struct sigaction sa = { .sa_handler = on_signal }, old;
	pid_t parent = getpid(), pid;
	struct hal *h = open_core(0);

	(void)state;
	sigaction(SIGUSR1, &sa, &old);
	pid = conformance_child(signal_parent, &parent);
	assert_int_equal(hal_wait(h, HANG_NS), -EINTR);
	assert_int_equal(hal_wait(h, HAL_FOREVER), -EINTR);
	atomic_store_explicit(&sh->stop, 1, memory_order_relaxed);
	while (conformance_join(pid) == -1 && errno == EINTR)
		;
	sigaction(SIGUSR1, &old, NULL);
	hal_close(h);
}

static int flip_bits(void *arg)
{
	_Atomic uint32_t *status = &conf->block(0)->status;

	(void)arg;
	while (!atomic_load_explicit(&sh->stop, memory_order_relaxed))
		atomic_fetch_xor_explicit(status, 0x100, memory_order_relaxed);
	return 0;
}

static void test_a_peer_that_flips_bits_cannot_hold_us(void **state)
{
	struct hal *h = open_core(0);
	pid_t pid;

	(void)state;
	hal_arm(h, 0x1);
	pid = conformance_child(flip_bits, NULL);
	for (int i = 0; i < 50; i++)
		assert_int_equal(hal_wait(h, 1000000), -ETIMEDOUT);
	atomic_store_explicit(&sh->stop, 1, memory_order_relaxed);
	assert_int_equal(conformance_join(pid), 0);
	hal_close(h);
}

/* What a peer writes to our ENABLE changes who wakes us, not what we want. */
static void test_our_mask_is_our_own(void **state)
{
	struct hal *h = open_core(0);

	(void)state;
	hal_arm(h, 0x1);
	atomic_store_explicit(&conf->block(0)->enable, UINT32_MAX,
			      memory_order_relaxed);
	atomic_store_explicit(&conf->block(0)->status, 0xfffffffe,
			      memory_order_relaxed);
	assert_int_equal(hal_wait(h, 0), -ETIMEDOUT);
	hal_close(h);
}

/* ---- mailboxes --------------------------------------------------------- */

static void test_a_mailbox_carries_one_word_at_a_time(void **state)
{
	struct hal *h = open_core(0), *me = open_core(1);
	uint64_t word;

	(void)state;
	for (uint32_t box = HAL_MAIL_FIRST; box <= HAL_MAIL_LAST; box++) {
		assert_int_equal(hal_mail_recv(me, box, &word), -EAGAIN);
		assert_int_equal(word, 0);
		assert_int_equal(hal_mail_send(h, 1, box, UINT64_MAX - box), 0);
		assert_true(conf_peek(1, box) == UINT64_MAX - box);
		assert_int_equal(hal_mail_send(h, 1, box, 1), -EAGAIN);
		assert_true(conf_peek(1, box) == UINT64_MAX - box);
		assert_int_equal(hal_mail_recv(me, box, &word), 0);
		assert_true(word == UINT64_MAX - box);
		assert_true(conf_peek(1, box) == 0);
		assert_int_equal(hal_mail_send(h, 1, box, 1), 0);
	}
	if (conf->caps & HAL_CAP_BELL)
		assert_int_equal(conf->block(1)->status, 0);
	hal_close(h);
	hal_close(me);
}

static void test_mailboxes_are_apart(void **state)
{
	struct hal *h = open_core(0), *me = open_core(1);
	struct hal_regs r;
	uint64_t word;

	(void)state;
	for (uint32_t box = HAL_MAIL_FIRST; box <= HAL_MAIL_LAST; box++)
		assert_int_equal(hal_mail_send(h, 1, box, box), 0);
	assert_int_equal(hal_read_regs(h, 1, &r), 0);
	for (uint32_t box = 0; box < HAL_MAILBOXES; box++)
		assert_int_equal(r.mail[box], box);
	assert_int_equal(hal_mail_recv(me, 2, &word), 0);
	assert_int_equal(word, 2);
	assert_int_equal(hal_mail_recv(me, 3, &word), 0);
	assert_int_equal(word, 3);
	assert_int_equal(hal_mail_recv(me, 1, &word), 0);
	assert_int_equal(word, 1);
	for (uint32_t i = 0; i < HAL_MAILBOXES; i++)
		assert_true(conf_peek(0, i) == 0);
	hal_close(h);
	hal_close(me);
}

/* The cell itself is plain storage: the last write wins. */
static void test_the_last_write_wins(void **state)
{
	struct hal *me = open_core(1);
	uint64_t word;

	(void)state;
	conf_poke(1, 1, 11);
	conf_poke(1, 1, 22);
	assert_int_equal(hal_mail_recv(me, 1, &word), 0);
	assert_int_equal(word, 22);
	assert_int_equal(hal_mail_recv(me, 1, &word), -EAGAIN);
	hal_close(me);
}

/* Three senders, each with a mailbox of its own, as on a chip of four cores. */
static int post_words(void *arg)
{
	uint32_t box = *(uint32_t *)arg;
	struct hal *h;

	if (conf->open(&h, HAL_SELF_NONE, 0))
		return 2;
	for (uint64_t i = 1; i <= conf_words(); i++)
		while (hal_mail_send(h, 1, box, i << 4 | box) == -EAGAIN)
			conf_pause();
	hal_close(h);
	return 0;
}

static void test_words_of_three_senders_arrive_in_order(void **state)
{
	uint64_t last[HAL_MAILBOXES] = { 0 }, word;
	uint32_t box[HAL_MAILBOXES];
	pid_t pid[HAL_MAILBOXES];
	uint64_t got = 0;
	struct hal *me;

	(void)state;
	me = open_core(1);
	for (uint32_t b = HAL_MAIL_FIRST; b <= HAL_MAIL_LAST; b++) {
		box[b] = b;
		pid[b] = conformance_child(post_words, &box[b]);
	}
	while (got < 3 * (uint64_t)conf_words()) {
		uint64_t before = got;

		for (uint32_t b = HAL_MAIL_FIRST; b <= HAL_MAIL_LAST; b++) {
			if (hal_mail_recv(me, b, &word))
				continue;
			assert_int_equal(word & 0xf, b);
			assert_true(word >> 4 == last[b] + 1);
			last[b]++;
			got++;
		}
		if (got == before)
			conf_pause();
	}
	for (uint32_t b = HAL_MAIL_FIRST; b <= HAL_MAIL_LAST; b++)
		assert_int_equal(conformance_join(pid[b]), 0);
	hal_close(me);
}

/* What a test needs. */
enum {
	BELL = HAL_CAP_BELL,
	SLEEP = HAL_CAP_BELL | HAL_CAP_WAIT,
	STICKY = HAL_CAP_BELL | HAL_CAP_STICKY,
	MAIL = HAL_CAP_MAIL,
};

static const struct conf_test suite[] = {
	CONF_TEST(0, test_capabilities_are_told),
	CONF_TEST(0, test_a_missing_operation_says_so),
	CONF_TEST(0, test_opening_changes_no_other_core),
	CONF_TEST(0, test_out_of_range_is_refused),
	CONF_TEST(0, test_a_handle_without_a_core_only_sends),
	CONF_TEST(STICKY, test_ring_sets_status_and_nothing_else),
	CONF_TEST(SLEEP | STICKY, test_enable_masks_the_wake_up_not_the_bits),
	CONF_TEST(STICKY, test_bells_coalesce_and_are_taken_once),
	CONF_TEST(SLEEP, test_a_ring_wakes_another_process),
	CONF_TEST(SLEEP | STICKY,
		  test_a_nudge_wakes_although_the_bell_is_pending),
	CONF_TEST(SLEEP | STICKY, test_no_wake_up_is_lost_in_many_rounds),
	CONF_TEST(SLEEP, test_a_signal_ends_a_sleep),
	CONF_TEST(SLEEP | STICKY, test_a_peer_that_flips_bits_cannot_hold_us),
	CONF_TEST(SLEEP | STICKY, test_our_mask_is_our_own),
	CONF_TEST(MAIL, test_a_mailbox_carries_one_word_at_a_time),
	CONF_TEST(MAIL, test_mailboxes_are_apart),
	CONF_TEST(MAIL, test_the_last_write_wins),
	CONF_TEST(MAIL, test_words_of_three_senders_arrive_in_order),
};

#define NTESTS	   (sizeof(suite) / sizeof(suite[0]))
#define MAIL_TESTS 16u

static size_t choose(struct CMUnitTest *out, const struct conf_test *from,
		     size_t count, uint32_t caps)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if ((caps & from[i].caps) == from[i].caps)
			out[n++] = from[i].test;
	return n;
}

int conformance_run(const char *name, const struct conformance *c)
{
	struct CMUnitTest tests[NTESTS + MAIL_TESTS];
	size_t n;
	int failed;

	if (conf_nmail > MAIL_TESTS)
		return 1;
	n = choose(tests, suite, NTESTS, c->caps);
	n += choose(tests + n, conf_mail, conf_nmail, c->caps);
	conf = c;
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		return 1;
	/* The macro around it takes an array of fixed size only. */
	failed = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
	munmap(sh, sizeof(*sh));
	return failed;
}
