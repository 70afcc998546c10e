/* SPDX-License-Identifier: MIT */
/*
 * test_bells.c - eventfds of VM slots: which rings what, who keeps them, and
 *		  what a holder of one can do to the others
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/bells.h"
#include "daemon/toll.h"
#include "daemon/privs.h"

#define SLOTS	3u
#define VECTORS	2u
#define COUNT	14u			/* (2 * 3 - 1) * 2, and 2 * 2 */
#define LONG_MS	20000			/* ends what hangs */
#define FULL	(UINT64_MAX - 1)

struct fixture {
	struct keeper *keeper;
	struct bells *b;
};

static struct bells *open_bells(struct keeper *k)
{
	struct bells_params p = {
		.domain = "dom", .slots = SLOTS, .vectors = VECTORS,
		.keeper = k,
	};
	struct bells *b;

	assert_int_equal(bells_open(&b, &p), 0);
	return b;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	if (!f || keeper_open(&f->keeper, NULL))
		return -1;
	f->b = open_bells(f->keeper);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bells_close(f->b);
	keeper_close(f->keeper);
	free(f);
	return 0;
}

/* Wait for a ring; how many there were. */
static uint64_t wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, LONG_MS), 1);
	return toll_take(fd);
}

static bool rung(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void add(int fd, uint64_t n)
{
	assert_int_equal(write(fd, &n, sizeof(n)), sizeof(n));
}

/* What any holder of a copy may do. */
static void fill(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	add(fd, FULL);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

/* ---- the table ---- */

static void test_host_cells_are_by_ringer_and_others_are_shared(void **state)
{
	const struct fixture *f = *state;
	int seen[COUNT];
	unsigned int n = 0;

	assert_int_equal(bells_count(SLOTS, VECTORS), COUNT);
	assert_int_equal(bells_count(64, 64), 127 * 64 + 2 * 63);
	assert_int_equal(bells_count(1, 8), 0);
	for (uint32_t v = 0; v < VECTORS; v++) {
		for (uint32_t from = 0; from < SLOTS; from++)
			seen[n++] = bells_fd(f->b, from, 0, v);
		for (uint32_t to = 1; to < SLOTS; to++) {
			seen[n++] = bells_fd(f->b, 0, to, v);
			for (uint32_t from = 1; from < SLOTS; from++)
				assert_int_equal(bells_fd(f->b, from, to, v),
						 seen[n - 1]);
		}
	}
	for (uint32_t slot = 1; slot < SLOTS; slot++) {
		seen[n++] = bells_control_in(f->b, slot);
		seen[n++] = bells_control_out(f->b, slot);
	}
	assert_int_equal(n, COUNT);
	for (unsigned int i = 0; i < n; i++) {
		add(seen[i], i + 1);
		for (unsigned int j = 0; j < n; j++)
			assert_int_equal(rung(seen[j]), i == j);
		assert_int_equal(toll_take(seen[i]), i + 1);
		assert_true(fcntl(seen[i], F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(seen[i], F_GETFL) & O_NONBLOCK);
	}
}

static void test_a_ring_arrives_at_its_vector_alone(void **state)
{
	const struct fixture *f = *state;

	for (uint32_t to = 0; to < SLOTS; to++) {
		for (uint32_t v = 0; v < VECTORS; v++) {
			bells_ring(f->b, to, v);
			assert_int_equal(wait_for(bells_fd(f->b, 0, to, v)), 1);
		}
	}
	for (uint32_t to = 0; to < SLOTS; to++)
		for (uint32_t v = 0; v < VECTORS; v++)
			assert_false(rung(bells_fd(f->b, 0, to, v)));
	/* Of control devices we ring one, and the VM rings the other. */
	for (uint32_t slot = 1; slot < SLOTS; slot++) {
		bells_ring_control(f->b, slot);
		assert_int_equal(wait_for(bells_control_out(f->b, slot)), 1);
	}
	for (uint32_t slot = 1; slot < SLOTS; slot++) {
		assert_false(rung(bells_control_in(f->b, slot)));
		assert_false(rung(bells_control_out(f->b, slot)));
	}
}

static void test_no_ring_is_lost_between_marking_and_writing(void **state)
{
	const struct fixture *f = *state;
	int fd = bells_fd(f->b, 0, 2, 1);

	for (int i = 0; i < 20000; i++) {
		bells_ring(f->b, 2, 1);
		assert_true(wait_for(fd) > 0);
	}
}

struct ringer {
	struct bells *b;
	uint32_t to;
	_Atomic uint32_t word;		/* what it is rung for */
	_Atomic uint32_t seen;
};

static void *ring_for_words(void *arg)
{
	struct ringer *r = arg;

	for (uint32_t i = 1; i <= 2000; i++) {
		atomic_store_explicit(&r->word, i, memory_order_relaxed);
		bells_ring(r->b, r->to, 0);
		while (atomic_load_explicit(&r->seen, memory_order_relaxed) !=
		       i)
			sched_yield();
	}
	return NULL;
}

static void *see_words(void *arg)
{
	struct ringer *r = arg;
	int fd = bells_fd(r->b, 0, r->to, 0);

	for (uint32_t i = 0; i < 2000; ) {
		if (wait_for(fd) == 0)
			continue;
		i = atomic_load_explicit(&r->word, memory_order_relaxed);
		atomic_store_explicit(&r->seen, i, memory_order_relaxed);
	}
	return NULL;
}

static void test_several_threads_ring_and_each_finds_its_word(void **state)
{
	const struct fixture *f = *state;
	struct ringer r[2] = {
		{ .b = f->b, .to = 1 }, { .b = f->b, .to = 2 },
	};
	pthread_t t[4];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&t[2 * i], NULL, see_words,
						&r[i]), 0);
		assert_int_equal(pthread_create(&t[2 * i + 1], NULL,
						ring_for_words, &r[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(atomic_load(&r[i].seen), 2000);
}

static void test_a_new_owner_finds_no_old_ring(void **state)
{
	const struct fixture *f = *state;

	add(bells_fd(f->b, 0, 1, 1), 3);
	add(bells_fd(f->b, 1, 0, 0), 5);
	add(bells_fd(f->b, 2, 0, 0), 7);
	add(bells_fd(f->b, 0, 2, 0), 9);
	bells_drain(f->b, 1);
	assert_int_equal(toll_take(bells_fd(f->b, 0, 1, 1)), 0);
	assert_int_equal(toll_take(bells_fd(f->b, 1, 0, 0)), 0);
	assert_int_equal(toll_take(bells_fd(f->b, 2, 0, 0)), 7);
	assert_int_equal(toll_take(bells_fd(f->b, 0, 2, 0)), 9);
}

/* ---- hostile holders ---- */

static void test_taking_from_a_blocking_eventfd_does_not_block(void **state)
{
	const struct fixture *f = *state;
	int fd = bells_fd(f->b, 1, 0, 0);

	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	assert_int_equal(toll_take(fd), 0);
	add(fd, 4);
	assert_int_equal(toll_take(fd), 4);
	assert_int_equal(toll_take(fd), 0);
}

static void test_a_filled_bell_rings_all_the_same(void **state)
{
	const struct fixture *f = *state;
	int bad = bells_fd(f->b, 0, 1, 0), good = bells_fd(f->b, 0, 2, 1);

	fill(bad);
	bells_ring(f->b, 1, 0);
	bells_ring(f->b, 2, 1);
	assert_int_equal(wait_for(good), 1);
	/* Slot 1 comes first. */
	assert_int_equal(wait_for(bad), 1);
}

/* Writing @fd hangs from here on, as when the race against a holder who fills
 * is lost: behind the number is the end of a full pipe.  The other end. */
static int make_hang(int fd)
{
	static char junk[4096];
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(ends[1], junk, sizeof(junk)) > 0)
		;
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
	assert_int_equal(dup3(ends[1], fd, O_CLOEXEC), fd);
	close(ends[1]);
	return ends[0];
}

static void test_rings_wait_for_a_hanging_write_as_one(void **state)
{
	const struct fixture *f = *state;
	int fd = bells_fd(f->b, 0, 2, 1);
	int other = make_hang(bells_fd(f->b, 0, 1, 0));
	char junk[4096];

	bells_ring(f->b, 1, 0);
	for (int i = 0; i < 100000; i++)
		bells_ring(f->b, 2, 1);
	assert_false(rung(fd));
	while (read(other, junk, sizeof(junk)) > 0)
		;
	assert_int_equal(wait_for(fd), 1);
	close(other);
}

static void busy_us(int us)
{
	struct timespec t;
	int64_t now, end = 0;

	do {
		clock_gettime(CLOCK_MONOTONIC, &t);
		now = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
		end = end ? end : now + us;
	} while (now < end);
}

/* Closed before the thread has woken, while it is about to write, and while
 * it hangs. */
static void test_closing_ends_a_thread_that_hangs(void **state)
{
	const struct fixture *f = *state;

	for (int i = 0; i < 250; i++) {
		struct bells *b = open_bells(f->keeper);
		int other = make_hang(bells_fd(b, 0, 1, 0));

		bells_ring(b, 1, 0);
		busy_us(i);
		bells_close(b);
		close(other);
	}
}

struct filler {
	int fd;
	_Atomic bool stop;
};

/* Fills again the moment somebody empties. */
static void *keep_filling(void *arg)
{
	struct filler *f = arg;
	const uint64_t full = FULL;

	while (!atomic_load(&f->stop))
		if (write(f->fd, &full, sizeof(full)) < 0)
			break;
	return NULL;
}

static void test_who_fills_again_and_again_never_stops_the_loop(void **state)
{
	const struct fixture *fx = *state;
	struct bells *b = open_bells(fx->keeper);
	struct filler f = { .fd = dup(bells_fd(b, 0, 1, 0)) };
	pthread_t t;

	fill(f.fd);
	assert_int_equal(pthread_create(&t, NULL, keep_filling, &f), 0);
	for (int i = 0; i < 20000; i++) {
		bells_ring(b, 1, 0);
		bells_ring(b, 2, 0);
		/* The slot's next owner: it frees a thread that hangs. */
		if (i % 16 == 0)
			bells_drain(b, 1);
	}
	bells_close(b);
	atomic_store(&f.stop, true);
	toll_take(f.fd);
	while (pthread_tryjoin_np(t, NULL)) {
		toll_take(f.fd);
		usleep(100);
	}
	close(f.fd);
}

/* ---- the thread and the process ---- */

static unsigned int open_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_without_fds_nothing_stays_open(void **state)
{
	const struct fixture *f = *state;
	struct bells_params p = {
		.domain = "dom", .slots = 64, .vectors = 64,
		.keeper = f->keeper,
	};
	struct rlimit before, low;
	unsigned int n = open_fds();
	struct bells *b;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = (struct rlimit){ 256, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(bells_open(&b, &p), -EMFILE);
	assert_null(b);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(open_fds(), n);
}

static void on_signal(int signum)
{
	(void)signum;
}

/* Were one of them not blocked there, the thread would get some. */
static void test_the_thread_takes_no_signal_of_the_loop(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	struct sigaction sa = { .sa_handler = on_signal }, before;
	sigset_t set, old, pending;

	(void)state;
	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		int got;

		sigaction(signals[i], &sa, &before);
		sigemptyset(&set);
		sigaddset(&set, signals[i]);
		pthread_sigmask(SIG_BLOCK, &set, &old);
		kill(getpid(), signals[i]);
		/* Nobody may have it, so it waits for us. */
		sigpending(&pending);
		assert_true(sigismember(&pending, signals[i]));
		assert_int_equal(sigwait(&set, &got), 0);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		sigaction(signals[i], &before, NULL);
	}
}

/* The checks' numbers are the exit codes. */
#define CHECK(number, condition)					\
	((condition) ? (void)0 : _exit(number))

static int filtered(void)
{
	struct bells_params p = {
		.domain = "dom", .slots = SLOTS, .vectors = VECTORS,
	};
	char why[PRIVS_TEXT];
	struct pollfd pfd = { .events = POLLIN };
	struct bells *b;
	int ret;

	CHECK(1, keeper_open(&p.keeper, NULL) == 0);
	CHECK(2, privs_begin(why) == 0);
	CHECK(3, bells_open(&b, &p) == 0);
	ret = privs_filter(0, why);
	if (ret == -ENOTSUP)
		return 77;
	CHECK(4, ret == 0);
	for (int i = 0; i < 2; i++) {
		int other;

		bells_ring(b, 1, 1);
		pfd.fd = bells_fd(b, 0, 1, 1);
		CHECK(5, poll(&pfd, 1, LONG_MS) == 1);
		CHECK(6, toll_take(pfd.fd) == 1);
		other = make_hang(bells_fd(b, 0, 2, 0));
		bells_ring(b, 2, 0);
		bells_close(b);
		close(other);
		/* clone3 is denied from here on, and libc knows another. */
		CHECK(7, i == 1 || bells_open(&b, &p) == 0);
	}
	keeper_close(p.keeper);
	return 0;
}

static void test_the_filter_of_system_calls_leaves_all_of_it(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(filtered());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- the keeper ---- */

/*
 * Each daemon is a child of ours: it inherits what the store has, and leaves
 * what it sends in the store's socket.  Few enough that the socket holds it.
 */
#define KEPT		8u		/* (2 * 2 - 1) * 2, and 2 */
#define KEPT_FROM	100		/* clear of where they are inherited */

struct store {
	int sock;
	char path[64];
	unsigned int n;
	struct {
		char name[64];
		int fd;
	} kept[KEPT];
};

static void value_of(const char *text, const char *key, char *out, size_t len)
{
	const char *at = strstr(text, key);

	snprintf(out, len, "%s", at ? at + strlen(key) : "");
	out[strcspn(out, "\n")] = '\0';
}

static void drop(struct store *s, unsigned int i)
{
	close(s->kept[i].fd);
	s->kept[i] = s->kept[--s->n];
}

static void obey(struct store *s, const char *text, int fd)
{
	char name[64];

	value_of(text, "FDNAME=", name, sizeof(name));
	if (strstr(text, "FDSTOREREMOVE=1")) {
		for (unsigned int i = s->n; i-- > 0; )
			if (strcmp(s->kept[i].name, name) == 0)
				drop(s, i);
		return;
	}
	assert_non_null(strstr(text, "FDSTORE=1"));
	assert_non_null(strstr(text, "FDPOLL=0"));
	assert_true(fd >= 0 && s->n < KEPT);
	snprintf(s->kept[s->n].name, sizeof(name), "%s", name);
	s->kept[s->n].fd = fcntl(fd, F_DUPFD_CLOEXEC, KEPT_FROM);
	assert_true(s->kept[s->n++].fd >= 0);
}

static void read_store(struct store *s)
{
	char text[256];
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;

	for (;;) {
		struct iovec iov = { text, sizeof(text) - 1 };
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control.buf,
			.msg_controllen = sizeof(control.buf),
		};
		ssize_t n = recvmsg(s->sock, &msg, MSG_DONTWAIT);
		int fd = -1;

		if (n <= 0)
			break;
		text[n] = '\0';
		if (CMSG_FIRSTHDR(&msg))
			memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)),
			       sizeof(fd));
		obey(s, text, fd);
		if (fd >= 0)
			close(fd);
	}
}

static void store_open(struct store *s)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	*s = (struct store){ .sock = -1 };
	snprintf(s->path, sizeof(s->path), "/tmp/test_bells.%d",
		 (int)getpid());
	strcpy(addr.sun_path, s->path);
	unlink(s->path);
	s->sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->sock, (struct sockaddr *)&addr,
			      sizeof(addr)), 0);
}

static void store_close(struct store *s)
{
	while (s->n)
		drop(s, 0);
	close(s->sock);
	unlink(s->path);
}

/* In the child: what a service manager does before exec. */
static void inherit(const struct store *s)
{
	char names[512] = "", pid[16], n[16];

	for (unsigned int i = 0; i < s->n; i++) {
		CHECK(11, dup2(s->kept[i].fd, 3 + (int)i) >= 0);
		snprintf(names + strlen(names), sizeof(names) - strlen(names),
			 "%s%s", i ? ":" : "", s->kept[i].name);
	}
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	snprintf(n, sizeof(n), "%u", s->n);
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", n, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

enum life { MAKES, ADOPTS, MAKES_AGAIN, ENDS };

static void check_or_add(struct bells *b, enum life life)
{
	uint64_t n = 10;

	for (uint32_t v = 0; v < 2; v++) {
		const int fd[] = {
			bells_fd(b, 0, 0, v), bells_fd(b, 1, 0, v),
			bells_fd(b, 0, 1, v),
		};

		for (int i = 0; i < 3; i++, n++) {
			if (life == MAKES)
				CHECK(14, write(fd[i], &n, sizeof(n)) == 8);
			else
				CHECK(15, toll_take(fd[i]) ==
				      (life == ADOPTS ? n : 0));
		}
	}
}

static void live(struct store *s, enum life life)
{
	struct bells_params p = { .domain = "dom", .slots = 2, .vectors = 2 };
	struct sdnotify *notify;
	struct bells *b;

	inherit(s);
	CHECK(12, sdnotify_open(&notify, s->path) == 0 &&
		  keeper_open(&p.keeper, notify) == 0);
	CHECK(13, bells_open(&b, &p) == 0);
	check_or_add(b, life);
	CHECK(16, bells_adopted(b) == (life == ADOPTS || life == ENDS));
	CHECK(17, keeper_drop_rest(p.keeper) == 0);
	if (life == ENDS) {
		bells_forget(b);
		bells_close(b);
	}
}

static void daemon_lives(struct store *s, enum life life)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		live(s, life);
		_exit(0);
	}
	/* The socket's queue is short. */
	while (waitpid(pid, &status, WNOHANG) == 0) {
		read_store(s);
		usleep(500);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	read_store(s);
}

static void test_the_next_daemon_has_the_same_eventfds(void **state)
{
	static const char *const names[KEPT] = {
		"dom/bell/0/0/0", "dom/bell/0/0/1", "dom/bell/0/1/0",
		"dom/bell/0/1/1", "dom/bell/1/any/0", "dom/bell/1/any/1",
		"dom/bell/control/1/in", "dom/bell/control/1/out",
	};
	struct store s;

	(void)state;
	store_open(&s);
	daemon_lives(&s, MAKES);
	assert_int_equal(s.n, KEPT);
	for (unsigned int i = 0; i < KEPT; i++)
		assert_string_equal(s.kept[i].name, names[i]);
	daemon_lives(&s, ADOPTS);
	assert_int_equal(s.n, KEPT);
	daemon_lives(&s, ENDS);
	assert_int_equal(s.n, 0);
	store_close(&s);
}

static void test_some_of_them_are_none(void **state)
{
	struct store s;

	(void)state;
	for (unsigned int lost = 0; lost < KEPT; lost++) {
		store_open(&s);
		daemon_lives(&s, MAKES);
		drop(&s, lost);
		daemon_lives(&s, MAKES_AGAIN);
		assert_int_equal(s.n, KEPT);
		daemon_lives(&s, ENDS);
		assert_int_equal(s.n, 0);
		store_close(&s);
	}
}

#define F(test)	cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		F(test_host_cells_are_by_ringer_and_others_are_shared),
		F(test_a_ring_arrives_at_its_vector_alone),
		F(test_no_ring_is_lost_between_marking_and_writing),
		F(test_several_threads_ring_and_each_finds_its_word),
		F(test_a_new_owner_finds_no_old_ring),
		F(test_taking_from_a_blocking_eventfd_does_not_block),
		F(test_a_filled_bell_rings_all_the_same),
		F(test_rings_wait_for_a_hanging_write_as_one),
		F(test_closing_ends_a_thread_that_hangs),
		F(test_who_fills_again_and_again_never_stops_the_loop),
		F(test_without_fds_nothing_stays_open),
		F(test_the_thread_takes_no_signal_of_the_loop),
		cmocka_unit_test(
			test_the_filter_of_system_calls_leaves_all_of_it),
		cmocka_unit_test(test_the_next_daemon_has_the_same_eventfds),
		cmocka_unit_test(test_some_of_them_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
