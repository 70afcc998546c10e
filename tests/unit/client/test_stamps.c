/* SPDX-License-Identifier: MIT */
/* test_stamps.c - the page that says whether offers stand, and its owner lives */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/stamps.h"

#define NONCE UINT64_C(0x1234567890abcdef)

static struct peer peer;
static struct snoo_abi_stamps *page;

/* The kernel under which this runs may not know robust mutexes. */
static bool shared(void)
{
	if (page->file == 0)
		print_message("# not here: the page could not be shared\n");
	return page->file != 0;
}

static int setup(void **state)
{
	(void)state;
	page = stamps_open(NONCE);
	assert_non_null(page);
	peer = (struct peer){
		.reach = { .pid = (int32_t)getpid(), .nonce = NONCE },
	};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stamps_unmap(&peer);
	stamps_close(page);
	return 0;
}

static struct snoo_abi_stamps head_of(const struct snoo_abi_stamps *from)
{
	struct snoo_abi_stamps copy = { 0 };

	memcpy(&copy, from, offsetof(struct snoo_abi_stamps, owner));
	return copy;
}

static bool maps(const struct snoo_abi_stamps *copy)
{
	stamps_map(&peer, copy);
	return peer.reach.page != NULL;
}

static bool maps_head(const struct snoo_abi_stamps *from)
{
	struct snoo_abi_stamps copy = head_of(from);

	return maps(&copy);
}

static void test_what_is_given_back_unread_is_seen(void **state)
{
	(void)state;
	assert_false(stamps_stand(&peer, 0));
	if (!shared())
		skip();
	assert_true(maps_head(page));
	assert_true(stamps_stand(&peer, 0));
	assert_false(stamps_stand(&peer, 1));
	atomic_store(&page->revoked, 1);
	assert_false(stamps_stand(&peer, 0));
	assert_true(stamps_stand(&peer, 1));
	stamps_unmap(&peer);
	assert_false(stamps_stand(&peer, 1));
}

static void test_nobody_else_writes_it(void **state)
{
	char path[64];
	void *p;
	int fd;

	(void)state;
	if (!shared())
		skip();
	snprintf(path, sizeof(path), "/proc/self/fd/%u", page->file - 1);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	p = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 0);
	assert_ptr_equal(p, MAP_FAILED);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_not_equal(ftruncate(fd, 0), 0);
	close(fd);
}

/* ---- who lives ---- */

enum end {
	BY_KILL,
	BY_EXIT,
	BY_EXEC,
	BY_THREAD,	/* the process goes on */
};

struct life {
	int up, down;	/* pipes: it says where its page is; we say: end */
};

static void *joins(void *arg)
{
	struct life *l = arg;
	struct snoo_abi_stamps *mine = stamps_open(NONCE);
	struct snoo_abi_stamps copy = head_of(mine);
	char c;

	if (write(l->up, &copy, sizeof(copy)) != sizeof(copy) ||
	    read(l->down, &c, 1) != 1)
		_exit(1);
	return NULL;
}

static void live(struct life *l, enum end end)
{
	pthread_t t;

	if (end == BY_THREAD) {
		if (pthread_create(&t, NULL, joins, l) ||
		    pthread_join(t, NULL))
			_exit(1);
		if (write(l->up, "x", 1) != 1)
			_exit(1);
		pause();
	}
	joins(l);
	if (end == BY_EXEC)
		execl("/bin/sleep", "sleep", "60", (char *)NULL);
	if (end == BY_KILL)
		pause();
	_exit(0);
}

static void lives_and_ends(enum end end)
{
	struct snoo_abi_stamps copy;
	struct life l;
	int up[2], down[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	pid = fork();
	if (pid == 0) {
		l = (struct life){ up[1], down[0] };
		live(&l, end);
	}
	close(up[1]);
	assert_int_equal(read(up[0], &copy, sizeof(copy)), sizeof(copy));
	peer.reach.pid = (int32_t)pid;
	assert_true(maps(&copy));
	assert_true(stamps_stand(&peer, 0));
	/* It cannot have ended yet. */
	usleep(1000);
	assert_true(stamps_stand(&peer, 0));
	if (end == BY_KILL)
		assert_int_equal(kill(pid, SIGKILL), 0);
	else
		assert_int_equal(write(down[1], "x", 1), 1);
	if (end == BY_THREAD)
		assert_int_equal(read(up[0], &c, 1), 1);
	if (end == BY_KILL || end == BY_EXIT) {
		siginfo_t info;

		/* Before anybody else can have its pid. */
		assert_int_equal(waitid(P_PID, (id_t)pid, &info,
					WEXITED | WNOWAIT), 0);
		assert_false(stamps_stand(&peer, 0));
	}
	for (int i = 0; i < 2000 && stamps_stand(&peer, 0); i++)
		usleep(1000);
	assert_false(stamps_stand(&peer, 0));
	/* Nor does anybody take it for alive who comes now. */
	assert_false(maps(&copy));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(up[0]);
	close(down[0]);
	close(down[1]);
}

static void test_its_end_is_seen(void **state)
{
	(void)state;
	if (!shared())
		skip();
	lives_and_ends(BY_KILL);
	lives_and_ends(BY_EXIT);
	lives_and_ends(BY_EXEC);
	lives_and_ends(BY_THREAD);
}

static bool is_mapped(void *at)
{
	unsigned char in;

	return mincore(at, sizeof(*page), &in) == 0;
}

/* It has no pointer of ours to follow, nor to spoil. */
static void test_a_forked_child_has_no_such_page(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	/* Another page is the child's own copy, if it has it. */
	if (!shared())
		skip();
	assert_true(is_mapped(page));
	pid = fork();
	if (pid == 0)
		_exit(is_mapped(page));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(maps_head(page));
	assert_true(stamps_stand(&peer, 0));
}

static void *opens(void *arg)
{
	struct snoo_abi_stamps **out = arg;

	*out = stamps_open(NONCE);
	return NULL;
}

static void test_a_thread_may_have_ended(void **state)
{
	struct snoo_abi_stamps *mine = NULL;
	pthread_t t;

	(void)state;
	if (!shared())
		skip();
	assert_int_equal(pthread_create(&t, NULL, opens, &mine), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_non_null(mine);
	assert_true(is_mapped(mine));
	stamps_close(mine);
	assert_false(is_mapped(mine));
}

static void *closes(void *arg)
{
	stamps_close(arg);
	return NULL;
}

/* Who has joined still has the page in its list of mutexes. */
static void test_another_thread_may_leave(void **state)
{
	struct snoo_abi_stamps *mine = stamps_open(NONCE);
	pthread_mutexattr_t attr;
	pthread_mutex_t other;
	pthread_t t;

	(void)state;
	if (!shared())
		skip();
	assert_true(maps_head(mine));
	assert_int_equal(pthread_create(&t, NULL, closes, mine), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(atomic_load(&peer.reach.page->stamp[0]), 0);
	/* The thread lives, but nothing stands. */
	assert_false(stamps_stand(&peer, 0));
	assert_true(is_mapped(mine));
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	assert_int_equal(pthread_mutex_init(&other, &attr), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pthread_mutex_lock(&other), 0);
		assert_int_equal(pthread_mutex_unlock(&other), 0);
	}
	pthread_mutex_destroy(&other);
	pthread_mutexattr_destroy(&attr);
}

static void test_who_leaves_stands_for_nothing(void **state)
{
	struct snoo_abi_stamps *mine = stamps_open(NONCE);
	struct snoo_abi_stamps copy = head_of(mine);

	(void)state;
	if (!shared())
		skip();
	assert_true(maps(&copy));
	stamps_close(mine);
	assert_false(stamps_stand(&peer, 0));
	assert_false(maps(&copy));
}

/* ---- what it shows may be anything ---- */

static bool maps_file(int fd)
{
	struct snoo_abi_stamps copy = head_of(page);
	bool ret;

	copy.file = (uint32_t)fd + 1;
	ret = maps(&copy);
	close(fd);
	return ret;
}

static int file_of(uint64_t nonce, size_t bytes, int seals, uint32_t life)
{
	int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct snoo_abi_stamps forged = { 0 };

	atomic_store(&forged.stamp[0], nonce);
	memcpy((unsigned char *)&forged + page->life_at, &life, sizeof(life));
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_true(pwrite(fd, &forged, sizeof(forged) < bytes ?
			   sizeof(forged) : bytes, 0) > 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void test_what_is_no_such_page_is_not_mapped(void **state)
{
	char path[] = "/tmp/snoo-stamps.XXXXXX";
	const int good = F_SEAL_SHRINK | F_SEAL_WRITE;
	struct snoo_abi_stamps copy;
	int pipes[2], fd;

	(void)state;
	if (!shared())
		skip();
	/* This is how a good one is made. */
	assert_true(maps_file(file_of(NONCE, 4096, good, 7)));
	assert_false(maps_file(file_of(NONCE + 1, 4096, good, 7)));
	assert_false(maps_file(file_of(NONCE, 4095, good, 7)));
	assert_false(maps_file(file_of(NONCE, 8192, good, 7)));
	assert_false(maps_file(file_of(NONCE, 4096, F_SEAL_SHRINK, 7)));
	assert_false(maps_file(file_of(NONCE, 4096, F_SEAL_WRITE, 7)));
	assert_false(maps_file(file_of(NONCE, 4096, good, 0)));
	assert_false(maps_file(file_of(NONCE, 4096, good, 0x40000000u | 7)));
	assert_int_equal(pipe(pipes), 0);
	assert_false(maps_file(pipes[0]));
	close(pipes[1]);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_false(maps_file(fd));
	copy = head_of(page);
	copy.file = 0;
	assert_false(maps(&copy));
	copy.file = UINT32_MAX;
	assert_false(maps(&copy));
	for (uint32_t i = 0; i < 5; i++) {
		static const uint32_t at[] = { 0, 0x200, 0x281, 4096,
					       UINT32_MAX };

		copy = head_of(page);
		copy.life_at = at[i];
		assert_false(maps(&copy));
	}
	/* Of another process. */
	peer.reach.pid = 1;
	assert_false(maps_head(page));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_is_given_back_unread_is_seen),
		T(test_nobody_else_writes_it),
		T(test_its_end_is_seen),
		T(test_a_forked_child_has_no_such_page),
		T(test_a_thread_may_have_ended),
		T(test_another_thread_may_leave),
		T(test_who_leaves_stands_for_nothing),
		T(test_what_is_no_such_page_is_not_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
