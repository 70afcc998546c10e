/* SPDX-License-Identifier: MIT */
/*
 * test_guest_socket.c - a guest whose devices are sockets, and bad hosts
 *
 * The host is a thread of the test (fakehost.h).  Daemons that die under a
 * keeper are this program again, with the name of their part.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <snoo/abi.h>
#include <snoo/control.h>

#include "daemon/bells.h"
#include "daemon/guest_dev.h"
#include "daemon/log.h"
#include "tests/lib/fakehost.h"

/* Rings since last time, without ever blocking. */
static uint64_t taken(int fd)
{
	uint64_t n = 0;
	struct iovec io = { .iov_base = &n, .iov_len = sizeof(n) };

	return preadv2(fd, &io, 1, -1, RWF_NOWAIT) == sizeof(n) ? n : 0;
}

static void write_one(int fd)
{
	uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static struct conf *configure(const char *data, const char *control)
{
	char set[2][160];
	const char *sets[] = { set[0], set[1] };
	struct conf_overrides ov = { .sets = sets, .nsets = 2 };
	char *errors = NULL;
	struct conf *c;

	snprintf(set[0], sizeof(set[0]), "guest.data_device=%s", data);
	snprintf(set[1], sizeof(set[1]), "guest.control_device=%s", control);
	if (conf_load(&c, NULL, &ov, &errors) != 0) {
		fprintf(stderr, "# %s\n", errors);
		abort();
	}
	return c;
}

/* Does the process end?  Its end is waited for, not its exit code. */
static bool ends(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	bool over = fd < 0 ? errno == ESRCH : poll(&p, 1, 10000) == 1;

	if (fd >= 0)
		close(fd);
	return over;
}

struct guest {
	struct fakehost host;
	struct keeper *keeper;
	struct conf *conf;
	struct guest_dev *dev;
	char why[GUEST_DEV_TEXT];
};

static int setup(void **state)
{
	struct guest *g = calloc(1, sizeof(*g));

	fakehost_open(&g->host);
	assert_int_equal(keeper_open(&g->keeper, NULL), 0);
	g->conf = configure(g->host.path[0], g->host.path[1]);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct guest *g = *state;

	guest_dev_close(g->dev);
	conf_close(g->conf);
	keeper_close(g->keeper);
	fakehost_close(&g->host);
	free(g);
	return 0;
}

static int open_guest(struct guest *g)
{
	return guest_dev_open(&g->dev, g->conf, g->keeper, g->why);
}

static struct guest *opened(void **state)
{
	struct guest *g = *state;
	int ret = open_guest(g);

	if (ret)
		fprintf(stderr, "# %s\n", g->why);
	assert_int_equal(ret, 0);
	return g;
}

/* ---- a good host ---- */

static void test_a_socket_is_a_device(void **state)
{
	struct guest *g = opened(state);
	const struct guest_dev_map *map = guest_dev_map(g->dev);
	unsigned char *pool = guest_dev_pool(g->dev);
	size_t bytes;
	char *rank;

	assert_true(guest_dev_present(g->conf));
	assert_int_equal(guest_dev_slot(g->dev), FAKEHOST_SLOT);
	assert_int_equal(guest_dev_vectors(g->dev), FAKEHOST_VECTORS);
	assert_int_equal(guest_dev_pool_bytes(g->dev), FAKEHOST_POOL_BYTES);
	assert_true(guest_dev_has_bells(g->dev));
	assert_string_equal(guest_dev_why(g->dev), "");
	assert_string_equal(guest_dev_memory_note(g->dev), "");

	assert_ptr_not_equal(guest_dev_control(g->dev, &bytes), NULL);
	assert_int_equal(bytes, SNOO_CTL_BYTES);
	g->host.mem[FAKEHOST_CONTROL][4321] = 77;
	assert_int_equal(
		((unsigned char *)guest_dev_control(g->dev, &bytes))[4321], 77);
	g->host.mem[FAKEHOST_POOL][SNOO_ABI_HEAD_OFFSET + 5000] = 99;
	assert_int_equal(pool[SNOO_ABI_HEAD_OFFSET + 5000], 99);

	assert_int_equal(map->kind, SNOO_CTL_MAP_MEMFD);
	assert_int_equal(map->skip, 0);
	assert_string_equal(map->path, g->host.path[0]);
	assert_true(fcntl(map->fd, F_GETFD) & FD_CLOEXEC);
	rank = mmap(NULL, FAKEHOST_POOL_BYTES, PROT_READ | PROT_WRITE,
		    MAP_SHARED, map->fd, (off_t)map->offset);
	assert_ptr_not_equal(rank, MAP_FAILED);
	assert_int_equal(rank[SNOO_ABI_HEAD_OFFSET + 5000], 99);
	munmap(rank, FAKEHOST_POOL_BYTES);
}

static void test_bells_ring_both_ways(void **state)
{
	struct guest *g = opened(state);
	struct fakehost *h = &g->host;
	int fd;

	for (uint32_t s = 0; s < FAKEHOST_SLOTS; s++)
		for (uint32_t v = 0; v < FAKEHOST_VECTORS; v++) {
			fd = guest_dev_bell(g->dev, s, v);
			assert_true(fd >= 0);
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
			assert_int_equal(guest_dev_bell(g->dev, s, v), fd);
			write_one(fd);
			assert_int_equal(taken(fakehost_bell(h, 0, s, v)), 1);
			if (s == FAKEHOST_SLOT)
				continue;
			guest_dev_ring(g->dev, s, v);
			assert_int_equal(taken(fakehost_bell(h, 0, s, v)), 1);
		}
	for (uint32_t v = 0; v < FAKEHOST_VECTORS; v++) {
		fd = guest_dev_vector(g->dev, v);
		assert_int_equal(guest_dev_bell(g->dev, FAKEHOST_SLOT, v), fd);
		write_one(fakehost_bell(h, 0, FAKEHOST_SLOT, v));
		assert_int_equal(taken(fd), 1);
	}
	guest_dev_control_ring(g->dev);
	assert_int_equal(taken(fakehost_bell(h, 1, 0, 0)), 1);
	write_one(fakehost_bell(h, 1, FAKEHOST_SLOT, 0));
	assert_int_equal(taken(guest_dev_control_bell(g->dev)), 1);
}

static void test_only_what_was_announced_can_be_rung(void **state)
{
	struct guest *g = opened(state);

	assert_int_equal(guest_dev_bell(g->dev, FAKEHOST_SLOTS, 0), -EINVAL);
	assert_int_equal(guest_dev_bell(g->dev, 0, FAKEHOST_VECTORS), -EINVAL);
	assert_int_equal(guest_dev_bell(g->dev, 65536, 0), -EINVAL);
	assert_int_equal(guest_dev_bell(g->dev, UINT32_MAX, UINT32_MAX),
			 -EINVAL);
	assert_int_equal(guest_dev_vector(g->dev, FAKEHOST_VECTORS), -1);
	guest_dev_ring(g->dev, FAKEHOST_SLOTS, 0);
	guest_dev_ring(g->dev, UINT32_MAX, UINT32_MAX);
}

static void test_a_bell_that_a_peer_filled_holds_nobody_up(void **state)
{
	struct guest *g = opened(state);
	int fd = fakehost_bell(&g->host, 0, 1, 1);
	uint64_t full = UINT64_MAX - 1;

	assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
	/* The description is shared: this is the guest's flag, too. */
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	guest_dev_ring(g->dev, 1, 1);
	assert_true(taken(fd) >= full);
}

/* ---- the holder ---- */

static void test_one_process_connects_and_lives_as_long_as_the_vm(void **state)
{
	struct guest *g = opened(state);
	pid_t holder;

	fakehost_wait(&g->host, 1);
	holder = fakehost_pid(&g->host, 0);
	assert_int_equal(fakehost_pid(&g->host, 1), holder);
	assert_int_not_equal(holder, getpid());
	assert_int_equal(kill(holder, 0), 0);
	guest_dev_close(g->dev);
	g->dev = NULL;
	assert_true(ends(holder));
	for (int d = 0; d < 2; d++)
		assert_true(fakehost_ended(&g->host, d));
}

static void test_nobody_listens(void **state)
{
	struct guest *g = *state;

	conf_close(g->conf);
	g->conf = configure("/nonexistent/pool", g->host.path[1]);
	assert_int_equal(open_guest(g), -ENOENT);
	assert_non_null(strstr(g->why, "/nonexistent/pool"));
	assert_null(g->dev);
	conf_close(g->conf);
	g->conf = configure(g->host.path[0], "0000:00:01.0");
	assert_int_equal(open_guest(g), -EINVAL);
	assert_non_null(strstr(g->why, "guest.control_device"));
}

static void test_a_path_that_no_socket_can_have(void **state)
{
	struct guest *g = *state;
	char path[150];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 20] = '\0';
	conf_close(g->conf);
	g->conf = configure(path, g->host.path[1]);
	assert_int_equal(open_guest(g), -ENAMETOOLONG);
}

/* ---- bad hosts ---- */

#define HEAD                              \
	{ 0, 0, false }, { 2, 0, false }, \
	{                                 \
		-1, 0, true               \
	}
#define BELL(s)             \
	{                   \
		s, 1, false \
	}

static const struct fakehost_say refusal[] = { { 99, 0, false } };
static const struct fakehost_say version_with_fd[] = { { 0, 1, false } };
static const struct fakehost_say half[] = { { 0, 0, false } };
static const struct fakehost_say slot_0[] = { { 0, 0, false },
					      { 0, 0, false } };
static const struct fakehost_say slot_64[] = { { 0, 0, false },
					       { 64, 0, false } };
static const struct fakehost_say slot_negative[] = { { 0, 0, false },
						     { INT64_MIN, 0, false } };
static const struct fakehost_say no_memory[] = { { 0, 0, false },
						 { 2, 0, false },
						 { -1, 0, false } };
static const struct fakehost_say eventfd_as_memory[] = { { 0, 0, false },
							 { 2, 0, false },
							 { -1, 1, false } };
static const struct fakehost_say leave[] = { HEAD, BELL(0), { 1, 0, false } };
static const struct fakehost_say beyond[] = { HEAD, BELL(0), BELL(64) };
static const struct fakehost_say minus[] = { HEAD, BELL(0), BELL(-5) };
static const struct fakehost_say alone[] = { HEAD, BELL(2) };
static const struct fakehost_say two_fds[] = { HEAD, { 0, 2, false } };
static const struct fakehost_say short_own[] = { HEAD, BELL(0), BELL(0),
						 BELL(2) };

#define BAD(name, error)                                             \
	{                                                            \
#name, name, sizeof(name) / sizeof((name)[0]), error \
	}

static const struct bad {
	const char *name;
	const struct fakehost_say *script;
	size_t n;
	int error;
} bad[] = {
	BAD(refusal, -ECONNREFUSED), BAD(version_with_fd, -ECONNREFUSED),
	BAD(half, -ECONNREFUSED),    BAD(slot_0, -EPROTO),
	BAD(slot_64, -EPROTO),	     BAD(slot_negative, -EPROTO),
	BAD(no_memory, -EPROTO),     BAD(eventfd_as_memory, -EPROTO),
	BAD(leave, -EPROTO),	     BAD(beyond, -EPROTO),
	BAD(minus, -EPROTO),	     BAD(alone, -EPROTO),
	BAD(two_fds, -EPROTO),	     BAD(short_own, -ECONNREFUSED),
};

static unsigned int open_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			n++;
	return n;
}

static void test_a_host_that_talks_nonsense_is_refused(void **state)
{
	struct guest *g = *state;
	struct fakehost *h = &g->host;
	unsigned int before = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (int d = 0; d < 2; d++) {
			int ret;

			fakehost_script(h, d, bad[i].script, bad[i].n);
			fakehost_script(h, !d, NULL, 0);
			ret = open_guest(g);
			if (ret != bad[i].error)
				fprintf(stderr, "# %s: %s\n", bad[i].name,
					g->why);
			assert_int_equal(ret, bad[i].error);
			assert_non_null(strstr(g->why, h->path[d]));
			assert_null(g->dev);
			/* Both have been accepted: from now on nothing more
			 * is open after each than was before. */
			fakehost_wait(h, (unsigned int)i * 2 + (unsigned int)d +
						 1);
			if (!before)
				before = open_fds();
			assert_int_equal(open_fds(), before);
		}
}

static void test_too_many_vectors_are_refused(void **state)
{
	struct guest *g = *state;
	struct fakehost_say many[3 + BELLS_VECTORS_MAX + 1] = { HEAD };

	for (size_t i = 3; i < sizeof(many) / sizeof(many[0]); i++)
		many[i] = (struct fakehost_say)BELL(0);
	fakehost_script(&g->host, 0, many, sizeof(many) / sizeof(many[0]));
	assert_int_equal(open_guest(g), -EPROTO);
}

static void test_memory_that_is_not_ours_is_refused(void **state)
{
	struct guest *g = *state;
	struct snoo_abi_pool *a =
		(void *)(g->host.mem[0] + SNOO_ABI_HEAD_OFFSET);
	struct snoo_ctl_memory *c = (void *)g->host.mem[1];

	a->magic ^= 1;
	assert_int_equal(open_guest(g), -ENODEV);
	a->magic ^= 1;
	a->size *= 2;
	assert_int_equal(open_guest(g), -ENODEV);
	a->size /= 2;
	a->major++;
	assert_int_equal(open_guest(g), -EPROTONOSUPPORT);
	assert_non_null(strstr(g->why, "layout"));
	a->major--;
	c->major++;
	assert_int_equal(open_guest(g), -EPROTONOSUPPORT);
	c->major--;
	c->magic = 0;
	assert_int_equal(open_guest(g), -ENODEV);
	c->magic = SNOO_CTL_MAGIC;
	assert_int_equal(open_guest(g), 0);
}

/* Exactly as many fds as there are, and one after the other fewer. */
static void test_too_few_fds_is_said(void **state)
{
	struct guest *g = *state;
	struct rlimit old, low;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = open_fds() + 12;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(open_guest(g), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(open_guest(g), 0);
}

/* ---- a keeper ---- */

#define NEED(condition) need((condition), #condition, __LINE__)

static void need(bool ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "# guest daemon, line %d: %s\n", line, what);
	_exit(KEEPER_EXIT_CONFIG);
}

static struct guest_dev *daemon_open(const char *data, const char *control,
				     struct keeper **k)
{
	struct sdnotify *notify;
	struct guest_dev *dev;
	char why[GUEST_DEV_TEXT];
	int ret;

	NEED(sdnotify_open(&notify, NULL) == 0);
	NEED(keeper_open(k, notify) == 0);
	ret = guest_dev_open(&dev, configure(data, control), *k, why);
	if (ret)
		fprintf(stderr, "# %s\n", why);
	NEED(ret == 0);
	sdnotify_ready(notify, NULL);
	return dev;
}

/*
 * The first one leaves a ring behind and is killed; the second one hears it,
 * rings all the others' bells and says how many fds nobody wanted.
 */
static int part_daemon(const char *data, const char *control)
{
	struct keeper *k;
	struct guest_dev *dev = daemon_open(data, control, &k);
	int seen = keeper_take(k, "seen");

	if (seen < 0) {
		NEED(keeper_store(k, "seen", 0, false) == 0);
		write_one(guest_dev_vector(dev, 1));
		kill(getpid(), SIGKILL);
	}
	NEED(guest_dev_slot(dev) == FAKEHOST_SLOT);
	NEED(guest_dev_vectors(dev) == FAKEHOST_VECTORS);
	NEED(guest_dev_pool_bytes(dev) == FAKEHOST_POOL_BYTES);
	NEED(taken(guest_dev_vector(dev, 1)) == 1);
	NEED(guest_dev_control_bell(dev) >= 0);
	for (uint32_t s = 0; s < FAKEHOST_SLOTS; s++)
		for (uint32_t v = 0; s != FAKEHOST_SLOT && v < FAKEHOST_VECTORS;
		     v++)
			NEED(guest_dev_bell(dev, s, v) >= 0);
	guest_dev_ring(dev, 3, 2);
	guest_dev_control_ring(dev);
	NEED(keeper_drop_rest(k) == 0);
	guest_dev_close(dev);
	keeper_close(k);
	return 0;
}

/* The host hangs up on the first one; the second one begins again. */
static int part_evicted(const char *data, const char *control)
{
	struct keeper *k;
	struct guest_dev *dev = daemon_open(data, control, &k);

	if (keeper_take(k, "seen") < 0) {
		NEED(keeper_store(k, "seen", 0, false) == 0);
		NEED(keeper_barrier(k, 10000) == 0);
		guest_dev_control_ring(dev);
		pause();
	}
	guest_dev_ring(dev, 3, 2);
	NEED(keeper_drop_rest(k) == 0);
	return 0;
}

static pid_t start_keeper(struct guest *g, const char *part)
{
	char *const argv[] = { (char *)(uintptr_t) "test_guest_socket",
			       (char *)(uintptr_t)part, g->host.path[0],
			       g->host.path[1], NULL };
	struct keeper_params params = { .argv = argv, .ready_fd = -1 };
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		log_open(LOG_LEVEL_ERROR);
		_exit(keeper_run(&params));
	}
	return pid;
}

static int exit_code(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_a_new_daemon_finds_the_vm_of_the_old_one(void **state)
{
	struct guest *g = *state;
	struct fakehost *h = &g->host;

	assert_int_equal(exit_code(start_keeper(g, "daemon")), 0);
	/* One VM, from the first connection to its end. */
	fakehost_wait(h, 1);
	assert_int_equal(fakehost_greeted(h, 0), 1);
	assert_int_equal(fakehost_greeted(h, 1), 1);
	assert_int_equal(taken(fakehost_bell(h, 0, 3, 2)), 1);
	assert_int_equal(taken(fakehost_bell(h, 1, 0, 0)), 1);
	assert_true(ends(fakehost_pid(h, 0)));
}

static void test_a_vm_that_was_evicted_is_not_adopted(void **state)
{
	struct guest *g = *state;
	struct fakehost *h = &g->host;
	struct pollfd bell = { .fd = fakehost_bell(h, 1, 0, 0),
			       .events = POLLIN };
	pid_t keeper = start_keeper(g, "evicted");
	pid_t first, daemon;
	char path[64], text[32] = "";
	FILE *f;

	assert_int_equal(poll(&bell, 1, 20000), 1);
	fakehost_wait(h, 1);
	first = fakehost_pid(h, 0);
	fakehost_hang_up(h, FAKEHOST_CONTROL);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", keeper,
		 keeper);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	daemon = atoi(text);
	assert_int_equal(kill(daemon, SIGKILL), 0);
	assert_int_equal(exit_code(keeper), 0);
	fakehost_wait(h, 2);
	assert_int_equal(fakehost_greeted(h, 0), 2);
	assert_int_equal(fakehost_greeted(h, 1), 2);
	assert_int_not_equal(fakehost_pid(h, 0), first);
	assert_int_equal(fakehost_pid(h, 1), fakehost_pid(h, 0));
	assert_true(ends(first));
	assert_true(ends(fakehost_pid(h, 0)));
	assert_int_equal(taken(fakehost_bell(h, 0, 3, 2)), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_socket_is_a_device),
		TEST(test_bells_ring_both_ways),
		TEST(test_only_what_was_announced_can_be_rung),
		TEST(test_a_bell_that_a_peer_filled_holds_nobody_up),
		TEST(test_one_process_connects_and_lives_as_long_as_the_vm),
		TEST(test_nobody_listens),
		TEST(test_a_path_that_no_socket_can_have),
		TEST(test_a_host_that_talks_nonsense_is_refused),
		TEST(test_too_many_vectors_are_refused),
		TEST(test_memory_that_is_not_ours_is_refused),
		TEST(test_too_few_fds_is_said),
		TEST(test_a_new_daemon_finds_the_vm_of_the_old_one),
		TEST(test_a_vm_that_was_evicted_is_not_adopted),
	};

	if (argc == 4 && strcmp(argv[1], "daemon") == 0)
		_exit(part_daemon(argv[2], argv[3]));
	if (argc == 4 && strcmp(argv[1], "evicted") == 0)
		_exit(part_evicted(argv[2], argv[3]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
