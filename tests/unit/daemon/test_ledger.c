/* SPDX-License-Identifier: MIT */
/* test_ledger.c - what is put is found again; what is damaged is refused */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <snoo/abi.h>

#include "daemon/ledger.h"
#include "daemon/ledger_cell.h"

#define RANKS	4u
#define VMS	3u

static const struct ledger_params params = {
	.name = "lab", .pool_size = UINT64_C(4) << 20, .nranks = RANKS,
	.nvms = VMS,
};

static struct ledger *fresh(void)
{
	struct ledger *l;

	assert_int_equal(ledger_create(&l, &params), 0);
	assert_non_null(l);
	return l;
}

/* Close it and open it again, as the next daemon would. */
static struct ledger *again(struct ledger *l)
{
	char why[LEDGER_TEXT];
	int fd = fcntl(ledger_fd(l), F_DUPFD_CLOEXEC, 0);

	ledger_close(l);
	assert_int_equal(ledger_open(&l, fd, why), 0);
	return l;
}

static void test_a_fresh_ledger_is_empty(void **state)
{
	struct ledger *l = again(fresh());
	const struct ledger_head *h = ledger_head(l);
	struct ledger_domain d;
	struct ledger_rank r;
	struct ledger_job j;
	struct ledger_vm v;
	uint64_t word;

	(void)state;
	assert_string_equal(h->name, "lab");
	assert_int_equal(h->nranks, RANKS);
	assert_int_equal(h->pool_size, params.pool_size);
	ledger_get_domain(l, &d);
	assert_int_equal(d.state, LEDGER_DOMAIN_NEW);
	assert_int_equal(ledger_epoch(l), 0);
	for (uint32_t i = 0; i < RANKS; i++) {
		ledger_get_rank(l, i, &r);
		assert_int_equal(r.state, LEDGER_RANK_FREE);
		assert_int_equal(r.job, LEDGER_NONE);
		ledger_get_job(l, i, &j);
		assert_int_equal(j.state, LEDGER_JOB_FREE);
	}
	assert_int_equal(h->nvms, VMS);
	for (uint32_t i = 0; i < VMS; i++) {
		ledger_get_vm(l, i, &v);
		assert_int_equal(v.state, LEDGER_VM_FREE);
	}
	for (uint32_t u = 0; u < h->arena_units; u++) {
		assert_int_equal(ledger_get_map(l, u, &word), 0);
		assert_int_equal(word, 0);
	}
	ledger_close(l);
}

static void test_impossible_domains_are_refused(void **state)
{
	struct ledger_params p = params;
	struct ledger *l;
	char name[LEDGER_NAME + 1];

	(void)state;
	p.pool_size += 1;
	assert_int_equal(ledger_create(&l, &p), -EINVAL);
	assert_null(l);
	p = params;
	p.nranks = 65536;
	assert_int_equal(ledger_create(&l, &p), -ENOSPC);
	p = params;
	p.nvms = LEDGER_VMS_MAX + 1;
	assert_int_equal(ledger_create(&l, &p), -EINVAL);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	p = params;
	p.name = name;
	assert_int_equal(ledger_create(&l, &p), -EINVAL);
}

static void fill_job(struct ledger_job *j, uint32_t n)
{
	memset(j, 0, sizeof(*j));
	j->state = LEDGER_JOB_RUNNING;
	j->number = n + 1;
	memset(j->name, 'a' + (int)(n % 26), LEDGER_NAME - 1);
	j->launch = UINT64_MAX - n;
	j->capacity = RANKS;
	j->size = n % RANKS + 1;
	j->job_off = 4096 * (uint64_t)(n % 64);
	j->spare[3] = n;
}

static void test_records_outlive_the_daemon(void **state)
{
	struct ledger_rank rank = {
		.state = LEDGER_RANK_DEAD, .instance = 7, .job = 3,
		.rank = 1, .pid = 4711, .start_time = 99, .gone = 5,
	};
	struct ledger_job job, job_seen;
	struct ledger_rank rank_seen;
	struct ledger *l = fresh();

	(void)state;
	/* Many puts: each copy of a cell is used many times. */
	for (uint32_t n = 0; n < 100; n++) {
		fill_job(&job, n);
		ledger_put_job(l, RANKS - 1, &job);
		ledger_get_job(l, RANKS - 1, &job_seen);
		assert_memory_equal(&job, &job_seen, sizeof(job));
		if (n % 9 == 0)
			l = again(l);
	}
	ledger_put_rank(l, 2, &rank);
	l = again(l);
	ledger_get_job(l, RANKS - 1, &job_seen);
	assert_memory_equal(&job, &job_seen, sizeof(job));
	ledger_get_rank(l, 2, &rank_seen);
	assert_memory_equal(&rank, &rank_seen, sizeof(rank));
	ledger_get_rank(l, 1, &rank_seen);
	assert_int_equal(rank_seen.state, LEDGER_RANK_FREE);
	ledger_close(l);
}

static void test_vms_outlive_the_daemon(void **state)
{
	struct ledger_vm vm = {
		.state = LEDGER_VM_LIVE, .instance = 3, .pid = 4711,
		.start_time = 99, .boot_id = { 1, 2, 3 }, .clock_ns = -5,
		.name = "vm-a", .kernel = "6.1",
	};
	struct ledger_vm seen;
	struct ledger *l = fresh();
	char why[LEDGER_TEXT];
	int fd;

	(void)state;
	ledger_put_vm(l, VMS - 1, &vm);
	l = again(l);
	ledger_get_vm(l, VMS - 1, &seen);
	assert_memory_equal(&vm, &seen, sizeof(vm));
	ledger_get_vm(l, 0, &seen);
	assert_int_equal(seen.state, LEDGER_VM_FREE);
	/* What no daemon writes is damage, also where its sum is right. */
	memset(vm.host, 'x', sizeof(vm.host));
	ledger_put_vm(l, 1, &vm);
	fd = fcntl(ledger_fd(l), F_DUPFD_CLOEXEC, 0);
	ledger_close(l);
	assert_int_equal(ledger_open(&l, fd, why), -EBADMSG);
	assert_non_null(strstr(why, "a name of VM slot 2 has no end"));
}

static void test_counters_never_repeat(void **state)
{
	struct ledger *l = fresh();
	struct ledger_domain d;

	(void)state;
	for (uint32_t n = 1; n < 20; n++) {
		assert_int_equal(ledger_next_job(l), n);
		assert_int_equal(ledger_next_kept(l), n);
		assert_int_equal(ledger_raise_epoch(l), n);
		l = again(l);
		assert_int_equal(ledger_epoch(l), n);
	}
	/* Through 2^32, without 0. */
	ledger_get_domain(l, &d);
	d.next_job = UINT32_MAX;
	d.epoch = UINT32_MAX;
	ledger_put_domain(l, &d);
	assert_int_equal(ledger_next_job(l), 1);
	assert_int_equal(ledger_raise_epoch(l), 1);
	ledger_close(l);
}

static void test_the_end_of_a_domain_has_its_reason(void **state)
{
	struct ledger *l = fresh();
	struct ledger_domain d;
	char reason[200];

	(void)state;
	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	ledger_set_state(l, LEDGER_DOMAIN_LOST, reason);
	l = again(l);
	ledger_get_domain(l, &d);
	assert_int_equal(d.state, LEDGER_DOMAIN_LOST);
	assert_int_equal(strlen(d.lost), LEDGER_NAME - 1);
	ledger_set_state(l, LEDGER_DOMAIN_LIVE, NULL);
	ledger_get_domain(l, &d);
	assert_string_equal(d.lost, "");
	ledger_close(l);
}

/* Numbers of a cell run through 2^32. */
static void test_a_cell_does_not_notice_the_wrap(void **state)
{
	uint64_t cell[2 * (2 + 2)];
	uint64_t value[2] = { 0, 0 };
	uint64_t seen[2];
	uint64_t seq[2];

	(void)state;
	assert_int_equal(ledger_cell_bytes(sizeof(value)), sizeof(cell));
	ledger_cell_init(cell, value, sizeof(value));
	seq[0] = cell[0];
	for (uint64_t i = 1; i < 50; i++) {
		value[0] = i;
		value[1] = ~i;
		ledger_cell_put(cell, value, sizeof(value));
		ledger_cell_get(cell, seen, sizeof(seen));
		assert_memory_equal(value, seen, sizeof(value));
		assert_int_equal(ledger_cell_check(cell, sizeof(value)), 0);
	}
	/* What changes nothing writes nothing. */
	seq[0] = cell[0];
	seq[1] = cell[4];
	ledger_cell_put(cell, value, sizeof(value));
	assert_int_equal(cell[0], seq[0]);
	assert_int_equal(cell[4], seq[1]);
}

/* What a kill between two stores leaves, store by store. */
static void test_every_torn_put_is_the_old_or_the_new(void **state)
{
	enum { WORDS = 4, COPY = 2 + WORDS };
	uint64_t before[2 * COPY], after[2 * COPY], torn[2 * COPY];
	uint64_t old[WORDS] = { 1, 2, 3, 4 };
	uint64_t new[WORDS] = { 5, 6, 7, 8 };
	uint64_t seen[WORDS];
	unsigned int at;

	(void)state;
	ledger_cell_init(before, old, sizeof(old));
	memcpy(after, before, sizeof(before));
	ledger_cell_put(after, new, sizeof(new));
	at = memcmp(after, before, COPY * 8) ? 0 : COPY;

	/* Payload words in any combination, then the sum, then the number. */
	for (unsigned int step = 0; step <= (1u << WORDS) + 1; step++) {
		unsigned int words = step < 1u << WORDS ? step :
						(1u << WORDS) - 1;

		memcpy(torn, before, sizeof(torn));
		for (unsigned int i = 0; i < WORDS; i++)
			if (words >> i & 1)
				torn[at + 2 + i] = after[at + 2 + i];
		if (step >= 1u << WORDS)
			torn[at + 1] = after[at + 1];
		if (step > 1u << WORDS)
			torn[at] = after[at];
		assert_int_equal(ledger_cell_check(torn, sizeof(old)), 0);
		ledger_cell_get(torn, seen, sizeof(seen));
		assert_memory_equal(seen, step > 1u << WORDS ? new : old,
				    sizeof(seen));
	}
}

/*
 * A bit flipped anywhere: either it is noticed, or it was in the copy that
 * does not count, and the values are what they were.
 */
static void test_a_flipped_bit_is_noticed_or_harmless(void **state)
{
	enum { WORDS = 3, COPY = 2 + WORDS };
	uint64_t cell[2 * COPY], bad[2 * COPY];
	uint64_t value[WORDS] = { 11, 22, 33 };
	uint64_t seen[WORDS];
	unsigned int noticed = 0;

	(void)state;
	ledger_cell_init(cell, value, sizeof(value));
	for (uint64_t n = 0; n < 6; n++) {
		value[1] += 100;
		ledger_cell_put(cell, value, sizeof(value));
		for (unsigned int bit = 0; bit < sizeof(cell) * 8; bit++) {
			memcpy(bad, cell, sizeof(bad));
			bad[bit / 64] ^= UINT64_C(1) << bit % 64;
			if (ledger_cell_check(bad, sizeof(value))) {
				noticed++;
				continue;
			}
			ledger_cell_get(bad, seen, sizeof(seen));
			assert_memory_equal(seen, value, sizeof(value));
		}
	}
	/* The newer copy whole, and the number of the older. */
	assert_int_equal(noticed, 6 * (COPY + 1) * 64);
}

/* The whole file, byte by byte: opening never believes a flipped byte. */
static void test_a_damaged_file_is_refused_with_its_place(void **state)
{
	struct ledger_domain d, d_seen;
	struct ledger_rank r, r_seen;
	struct ledger_job j, j_seen;
	char why[LEDGER_TEXT];
	unsigned int refused = 0;
	struct ledger *l = fresh();
	struct ledger *other;
	uint64_t end = ledger_head(l)->map_off;
	int fd = ledger_fd(l);

	(void)state;
	ledger_set_state(l, LEDGER_DOMAIN_LIVE, NULL);
	fill_job(&j, 1);
	ledger_put_job(l, 1, &j);
	ledger_get_rank(l, 2, &r);
	r.instance = 5;
	ledger_put_rank(l, 2, &r);
	ledger_get_domain(l, &d);

	for (uint64_t at = 0; at < end; at++) {
		unsigned char byte, bad;
		int ret;

		assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
		bad = byte ^ 0x10;
		assert_int_equal(pwrite(fd, &bad, 1, (off_t)at), 1);
		ret = ledger_open(&other, dup(fd), why);
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
		if (ret) {
			assert_null(other);
			assert_true(ret == -EBADMSG ||
				    ret == -EPROTONOSUPPORT);
			assert_non_null(strstr(why, "ledger"));
			refused++;
			continue;
		}
		ledger_get_domain(other, &d_seen);
		ledger_get_job(other, 1, &j_seen);
		ledger_get_rank(other, 2, &r_seen);
		assert_memory_equal(&d, &d_seen, sizeof(d));
		assert_memory_equal(&j, &j_seen, sizeof(j));
		assert_memory_equal(&r, &r_seen, sizeof(r));
		ledger_close(other);
	}
	/* The newer copies and the head are most of what is not padding. */
	assert_true(refused > sizeof(struct ledger_head) +
		    RANKS * (sizeof(j) + sizeof(r)));
	ledger_close(l);
}

static void test_a_short_or_strange_file_is_refused(void **state)
{
	char why[LEDGER_TEXT];
	struct ledger *l;
	int fd;

	(void)state;
	fd = memfd_create("short", 0);
	assert_int_equal(ledger_open(&l, fd, why), -EBADMSG);
	assert_null(l);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	fd = memfd_create("zeros", 0);
	assert_int_equal(ftruncate(fd, 65536), 0);
	assert_int_equal(ledger_open(&l, fd, why), -EBADMSG);
	assert_non_null(strstr(why, "no ledger"));
	assert_int_not_equal(ledger_open(&l, -1, why), 0);
}

static void test_the_file_keeps_its_size(void **state)
{
	struct ledger *l = fresh();

	(void)state;
	assert_int_equal(ftruncate(ledger_fd(l), 4096), -1);
	assert_true(fcntl(ledger_fd(l), F_GETFD) & FD_CLOEXEC);
	ledger_close(l);
}

static void test_impossible_values_are_damage(void **state)
{
	struct ledger *l = fresh();
	char why[LEDGER_TEXT];
	struct ledger_job j;
	int fd;

	(void)state;
	fill_job(&j, 0);
	j.capacity = SNOO_ABI_JOB_RANKS + 1;
	ledger_put_job(l, 0, &j);
	fd = dup(ledger_fd(l));
	ledger_close(l);
	assert_int_equal(ledger_open(&l, fd, why), -EBADMSG);
	assert_non_null(strstr(why, "job 0"));
}

static void test_a_map_word_knows_its_place(void **state)
{
	struct ledger *l = fresh();
	uint64_t word = UINT64_C(0x1234567890abcd) << 8;
	uint64_t units = ledger_head(l)->arena_units;
	uint64_t raw, seen;
	off_t at = (off_t)ledger_head(l)->map_off;

	(void)state;
	ledger_put_map(l, 5, word);
	ledger_put_map(l, (uint32_t)units - 1, word);
	l = again(l);
	assert_int_equal(ledger_get_map(l, 5, &seen), 0);
	assert_int_equal(seen, word);
	assert_int_equal(ledger_get_map(l, (uint32_t)units - 1, &seen), 0);

	assert_int_equal(pread(ledger_fd(l), &raw, 8, at + 5 * 8), 8);
	assert_int_equal(pwrite(ledger_fd(l), &raw, 8, at + 6 * 8), 8);
	assert_int_equal(ledger_get_map(l, 6, &seen), -EBADMSG);
	for (unsigned int a = 0; a < 64; a++) {
		for (unsigned int b = 0; b < 64; b++) {
			uint64_t bad = raw ^ UINT64_C(1) << a ^
				       (a == b ? 0 : UINT64_C(1) << b);

			assert_int_equal(pwrite(ledger_fd(l), &bad, 8,
						at + 5 * 8), 8);
			assert_int_equal(ledger_get_map(l, 5, &seen),
					 -EBADMSG);
		}
	}
	ledger_put_map(l, 5, 0);
	assert_int_equal(ledger_get_map(l, 5, &seen), 0);
	assert_int_equal(seen, 0);
	ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_fresh_ledger_is_empty),
		cmocka_unit_test(test_impossible_domains_are_refused),
		cmocka_unit_test(test_records_outlive_the_daemon),
		cmocka_unit_test(test_vms_outlive_the_daemon),
		cmocka_unit_test(test_counters_never_repeat),
		cmocka_unit_test(test_the_end_of_a_domain_has_its_reason),
		cmocka_unit_test(test_a_cell_does_not_notice_the_wrap),
		cmocka_unit_test(test_every_torn_put_is_the_old_or_the_new),
		cmocka_unit_test(test_a_flipped_bit_is_noticed_or_harmless),
		cmocka_unit_test(test_a_damaged_file_is_refused_with_its_place),
		cmocka_unit_test(test_a_short_or_strange_file_is_refused),
		cmocka_unit_test(test_the_file_keeps_its_size),
		cmocka_unit_test(test_impossible_values_are_damage),
		cmocka_unit_test(test_a_map_word_knows_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
