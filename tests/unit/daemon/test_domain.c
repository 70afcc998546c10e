/* SPDX-License-Identifier: MIT */
/* test_domain.c - locks, sockets, grants when the pool is short, losing it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/domain.h"
#include "daemon/listen.h"
#include "daemon/supply.h"
#include "shm/block.h"
#include "tests/lib/home.h"

static void attach(struct home *h, struct fakerank *f, const char *name)
{
	int ret;

	home_rank(h, f);
	ret = fakerank_attach(f, h->path, name, 0, 0, 1);
	if (ret)
		fail_msg("%s: %d %s", name, ret, f->error.text);
	assert_int_equal(fakerank_until(f, SNOO_WIRE_START), SNOO_WIRE_START);
}

static void drain(struct home *h, struct fakerank *f)
{
	home_settle(h);
	while (fakerank_recv(f, false) > 0)
		;
}

static void test_second_daemon_is_told_who_serves(void **state)
{
	struct home h;
	char why[DOMAIN_TEXT], pid[32];
	int lock;

	(void)state;
	assert_int_equal(home_open(&h, NULL), 0);
	assert_int_equal(domain_lock(&lock, h.dir, "default", why),
			 -EALREADY);
	assert_int_equal(lock, -1);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_non_null(strstr(why, pid));
	assert_int_equal(domain_lock(&lock, h.dir, "other", why), 0);
	close(lock);
	snprintf(why, sizeof(why), "%s/other.lock", h.dir);
	unlink(why);
	home_close(&h);
}

static void test_socket_paths(void **state)
{
	struct conf_socket conf = { .mode = 0640, .gid = CONF_NO_GID };
	char dir[] = "/tmp/snoo-listen-XXXXXX", path[300];
	char why[LISTEN_TEXT];
	struct listener l, second;
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	conf.path = path;

	snprintf(path, sizeof(path), "%s/%0200d", dir, 7);
	assert_int_equal(listen_open(&l, SOCK_SEQPACKET, &conf, why),
			 -ENAMETOOLONG);
	assert_non_null(strstr(why, "at most 107 fit"));

	snprintf(path, sizeof(path), "%s/s", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(listen_open(&l, SOCK_SEQPACKET, &conf, why),
			 -EEXIST);
	unlink(path);

	assert_int_equal(listen_open(&l, SOCK_SEQPACKET, &conf, why), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(listen_open(&second, SOCK_SEQPACKET, &conf, why),
			 -EADDRINUSE);
	/* Its file stays when it dies; the next one takes the place. */
	listen_close(&l, LISTEN_KEEP_FILE);
	assert_int_equal(listen_open(&l, SOCK_SEQPACKET, &conf, why), 0);
	listen_close(&l, LISTEN_UNLINK);
	assert_int_equal(stat(path, &st), -1);
	rmdir(dir);
}

/* A pool for a few blocks only, so that two ranks want more than there is. */
static const char *const tight[] = {
	"domains.default.pool.size_bytes=4M",
	"domains.default.block_bytes.small=64K",
	"domains.default.block_bytes.large=256K",
	"domains.default.blocks_per_rank.small=4",
	"domains.default.blocks_per_rank.large=6",
	NULL,
};

static struct rank *rank_of(struct home *h, const struct fakerank *f)
{
	return h->d->rank[f->welcome.slot];
}

static const char *const few[] = {
	"domains.default.blocks_per_rank.large=16",
	NULL,
};

static void test_need_is_met_up_to_the_limit(void **state)
{
	struct home h;
	struct fakerank f;

	(void)state;
	assert_int_equal(home_open(&h, few), 0);
	attach(&h, &f, "need");
	assert_int_equal(rank_of(&h, &f)->blocks[SMALL], 8);
	assert_int_equal(rank_of(&h, &f)->blocks[LARGE], 4);
	assert_int_equal(fakerank_need(&f, 3, 1000, 2), 0);
	drain(&h, &f);
	assert_int_equal(rank_of(&h, &f)->blocks[SMALL], 32);
	assert_int_equal(rank_of(&h, &f)->blocks[LARGE], 6);
	assert_int_equal(f.blocks, 38);
	assert_int_equal(rank_of(&h, &f)->rings[SMALL], 5);
	assert_false(h.d->sched.contended);
	/* Rings too have a limit: one for each partner, and some spare. */
	assert_int_equal(fakerank_need(&f, UINT32_MAX, UINT32_MAX,
				       UINT32_MAX), 0);
	drain(&h, &f);
	assert_int_equal(rank_of(&h, &f)->rings[SMALL], 5);
	assert_int_equal(rank_of(&h, &f)->blocks[LARGE], 16);
	fakerank_close(&f);
	home_close(&h);
}

/* Above a few, a rank holds what the pool has for all of them, and no more. */
static void test_many_large_blocks_leave_room_for_all(void **state)
{
	const char *const sets[] = { "domains.default.pool.size_bytes=32M",
				     "placement.pin=false", NULL };
	struct home h;
	struct fakerank f[8];
	uint64_t room;
	uint32_t held;

	(void)state;
	assert_int_equal(home_open(&h, sets), 0);
	room = arena_bytes(h.d->arena) / 4 * 3;
	for (int i = 0; i < 8; i++) {
		home_rank(&h, &f[i]);
		/* The first one of a job of four, then jobs of one. */
		assert_int_equal(fakerank_attach(&f[i], h.path,
						 i ? "others" : "first", 0,
						 i ? -1 : 0, i ? 0 : 4), 0);
		assert_int_equal(rank_of(&h, &f[i])->blocks[LARGE], 4);
		assert_int_equal(fakerank_need(&f[i], 0, 0, UINT32_MAX), 0);
		drain(&h, &f[i]);
		/* Three of the first job are still to come. */
		for (int k = 0; k <= i; k++) {
			uint64_t each = (room / (unsigned int)(i + 4) -
					 32 * 16384) / 65536;

			if (each > 64)
				each = 64;
			if (each < 16)
				each = 16;
			held = rank_of(&h, &f[k])->blocks[LARGE];
			assert_int_equal(held, each);
		}
		assert_false(h.d->sched.contended);
	}
	/* Asked for when there was more: nobody waits for it. */
	rank_of(&h, &f[0])->need.blocks[LARGE] = 10;
	assert_true(supply_wanted(h.d));
	supply_retry(h.d);
	assert_false(supply_wanted(h.d));
	rank_of(&h, &f[0])->need.blocks[LARGE] = 10;
	supply_balance(h.d);
	assert_false(supply_wanted(h.d));
	for (int i = 0; i < 8; i++)
		fakerank_close(&f[i]);
	home_close(&h);
}

/* On a core that they share, each has few. */
static void test_many_large_blocks_are_for_one_on_a_core(void **state)
{
	struct home h;
	struct fakerank f[2];

	(void)state;
	assert_int_equal(home_open(&h, NULL), 0);
	for (int i = 0; i < 2; i++) {
		struct snoo_wire_hello hello;

		home_rank(&h, &f[i]);
		fakerank_hello_init(&hello, i ? "b" : "a", 0, 0, 1);
		hello.core = 0;
		assert_int_equal(fakerank_connect(&f[i], h.path), 0);
		assert_int_equal(fakerank_send(&f[i], &hello, sizeof(hello)),
				 0);
		assert_int_equal(fakerank_until(&f[i], SNOO_WIRE_WELCOME),
				 SNOO_WIRE_WELCOME);
		assert_int_equal(fakerank_pinned(&f[i]), 0);
		assert_int_equal(fakerank_need(&f[i], 0, 0, UINT32_MAX), 0);
		drain(&h, &f[i]);
		if (i == 0)
			assert_int_equal(rank_of(&h, &f[0])->blocks[LARGE], 64);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rank_of(&h, &f[i])->blocks[LARGE], 16);
		fakerank_close(&f[i]);
	}
	assert_false(h.d->sched.contended);
	home_close(&h);
}

/* Free blocks of the one that has many go to the one that has few, without
 * the first one's help. */
static void test_short_pool_is_shared(void **state)
{
	struct home h;
	struct fakerank rich, poor;

	(void)state;
	assert_int_equal(home_open(&h, tight), 0);
	attach(&h, &rich, "rich");
	assert_int_equal(fakerank_need(&rich, 0, 0, 16), 0);
	drain(&h, &rich);
	assert_true(rank_of(&h, &rich)->blocks[LARGE] >= 4);
	attach(&h, &poor, "poor");
	assert_int_equal(fakerank_need(&poor, 0, 0, 16), 0);
	for (int i = 0; i < 1000 && rank_of(&h, &poor)->blocks[LARGE] < 2;
	     i++) {
		atomic_store(&poor.slot->want, 1 << 20);
		drain(&h, &poor);
		usleep(1000);
	}
	assert_true(rank_of(&h, &poor)->blocks[LARGE] >= 2);
	fakerank_close(&rich);
	fakerank_close(&poor);
	home_close(&h);
}

/* A pool that was short is not any more when there is enough for all. */
static void test_a_pool_with_enough_is_not_short(void **state)
{
	const char *const sets[] = {
		tight[0], tight[1], tight[2], tight[3], tight[4],
		"scheduler.contended_ms=10000", NULL,
	};
	struct home h;
	struct fakerank rich, poor;

	(void)state;
	assert_int_equal(home_open(&h, sets), 0);
	attach(&h, &rich, "rich");
	assert_int_equal(fakerank_need(&rich, 0, 16, 16), 0);
	drain(&h, &rich);
	attach(&h, &poor, "poor");
	assert_int_equal(fakerank_need(&poor, 0, 16, 16), 0);
	for (int i = 0; i < 1000 && !h.d->sched.contended; i++) {
		atomic_store(&poor.slot->want, 1 << 20);
		drain(&h, &poor);
		usleep(1000);
	}
	assert_true(h.d->sched.contended);
	/* Both go on wanting: it stays so. */
	for (int i = 0; i < 20; i++) {
		drain(&h, &poor);
		usleep(2000);
	}
	assert_true(h.d->sched.contended);
	fakerank_close(&rich);
	home_bury(&h);
	atomic_store(&poor.slot->want, 0);
	for (int i = 0; i < 1000 && h.d->sched.contended; i++) {
		drain(&h, &poor);
		usleep(2000);
	}
	assert_false(h.d->sched.contended);
	assert_int_equal(poor.slot->allow, SNOO_ABI_UNLIMITED);
	fakerank_close(&poor);
	home_close(&h);
}

/* Busy blocks are never taken away from under their reader. */
static void test_busy_blocks_are_not_recalled(void **state)
{
	struct home h;
	struct fakerank rich, poor;
	uint32_t generation;

	(void)state;
	assert_int_equal(home_open(&h, tight), 0);
	attach(&h, &rich, "rich");
	assert_int_equal(fakerank_need(&rich, 0, 16, 16), 0);
	drain(&h, &rich);
	for (unsigned int i = 0; i < rich.blocks; i++)
		shm_block_take(shm_region_desc(&rich.region,
					       rich.block[i].unit),
			       rich.welcome.slot, rich.block[i].generation,
			       &generation);
	attach(&h, &poor, "poor");
	assert_int_equal(fakerank_need(&poor, 0, 16, 16), 0);
	for (int i = 0; i < 20; i++) {
		drain(&h, &poor);
		usleep(1000);
	}
	for (unsigned int i = 0; i < rich.blocks; i++) {
		uint64_t word = shm_block_look(
			shm_region_desc(&rich.region, rich.block[i].unit));

		assert_int_equal(block_state(word), SNOO_ABI_BLOCK_BUSY);
		assert_int_equal(block_home(word), rich.welcome.slot);
	}
	fakerank_close(&rich);
	fakerank_close(&poor);
	home_close(&h);
}

/* Words in its slot are a rank's to write: nonsense there harms nobody. */
static void test_nonsense_in_a_slot_is_harmless(void **state)
{
	struct home h;
	struct fakerank liar, f;

	(void)state;
	assert_int_equal(home_open(&h, tight), 0);
	attach(&h, &liar, "liar");
	memset((void *)liar.slot, 0xff, sizeof(*liar.slot));
	for (uint32_t u = 0; u < liar.region.arena_units; u++)
		atomic_store(&shm_region_desc(&liar.region, u)->word,
			     UINT64_MAX - u);
	assert_int_equal(fakerank_need(&liar, 5, 16, 16), 0);
	drain(&h, &liar);
	attach(&h, &f, "honest");
	assert_int_equal(fakerank_leave(&f), 0);
	fakerank_close(&f);
	fakerank_close(&liar);
	home_bury(&h);
	assert_int_equal(h.d->ranks, 0);
	home_close(&h);
}

static void test_lost_pool_ends_the_domain_loudly(void **state)
{
	struct home h;
	struct fakerank f, late;

	(void)state;
	assert_int_equal(home_open(&h, NULL), 0);
	attach(&h, &f, "lost");
	state_lose(h.d, "a test says so");
	assert_int_equal(fakerank_until(&f, SNOO_WIRE_ERROR),
			 SNOO_WIRE_ERROR);
	assert_int_equal(f.error.error, ENODEV);
	assert_string_equal(f.error.text,
			    "domain \"default\" is lost: a test says so");
	assert_int_equal(atomic_load(&f.region.head->state),
			 SNOO_ABI_POOL_LOST);
	home_rank(&h, &late);
	assert_int_equal(fakerank_connect(&late, h.path), 0);
	assert_int_equal(fakerank_until(&late, SNOO_WIRE_ERROR),
			 SNOO_WIRE_ERROR);
	assert_int_equal(late.error.error, ENODEV);
	fakerank_close(&late);
	fakerank_close(&f);
	home_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_second_daemon_is_told_who_serves),
		cmocka_unit_test(test_socket_paths),
		cmocka_unit_test(test_need_is_met_up_to_the_limit),
		cmocka_unit_test(test_many_large_blocks_leave_room_for_all),
		cmocka_unit_test(test_many_large_blocks_are_for_one_on_a_core),
		cmocka_unit_test(test_short_pool_is_shared),
		cmocka_unit_test(test_a_pool_with_enough_is_not_short),
		cmocka_unit_test(test_busy_blocks_are_not_recalled),
		cmocka_unit_test(test_nonsense_in_a_slot_is_harmless),
		cmocka_unit_test(test_lost_pool_ends_the_domain_loudly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
