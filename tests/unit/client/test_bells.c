/* SPDX-License-Identifier: MIT */
/*
 * test_bells.c - eventfds instead of futexes: told, rung, slept on, spoilt
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/bells.h"
#include "client/channel.h"
#include "client/news.h"
#include "client/progress.h"
#include "tests/lib/world.h"

#define RANKS	3
#define MS	UINT64_C(1000000)

static struct world world;
static int bell[RANKS];			/* that wakes each rank */

static int new_bell(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static int setup(void **state)
{
	struct world_params p = world_usual;

	p.ranks = RANKS;
	world_open(&world, &p);
	for (int i = 0; i < RANKS; i++)
		bell[i] = new_bell();
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	world_close(*state);
	for (int i = 0; i < RANKS; i++)
		close(bell[i]);
	return 0;
}

static unsigned int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* ---- BELLS ---- */

struct message {
	struct snoo_wire_bells *m;
	int fd[SNOO_WIRE_FDS + 8];
	size_t nfds;
	_Alignas(8) unsigned char bytes[SNOO_WIRE_MAX];
};

static void draft(struct message *b, uint32_t flags)
{
	memset(b, 0, sizeof(*b));
	b->m = (void *)b->bytes;
	b->m->head.type = SNOO_WIRE_BELLS;
	b->m->flags = flags;
}

static void listen_to(struct message *b, int fd)
{
	b->fd[b->nfds++] = fd;
	b->m->listen++;
}

static void partner(struct message *b, uint32_t rank, uint32_t fd)
{
	b->m->bell[b->m->count++] = (struct snoo_wire_bell){ rank, fd };
}

static void say(struct world *w, uint32_t rank, struct message *b)
{
	b->m->head.length = (uint32_t)(sizeof(*b->m) +
				       b->m->count * sizeof(b->m->bell[0]));
	world_tell_fds(w, rank, b->m, b->m->head.length, b->fd, b->nfds);
	/* Who sleeps in another thread is woken; who does not reads it here. */
	hal_nudge(w->ctx[0]->hal, rank, SNOO_ABI_BELL_NEWS);
}

/* Everything that a rank of this job has to know. */
static void complete(struct message *b, uint32_t rank)
{
	uint32_t next = 0;

	draft(b, SNOO_WIRE_BELLS_ALL);
	listen_to(b, bell[rank]);
	for (uint32_t i = 0; i < RANKS; i++) {
		if (i == rank)
			continue;
		b->fd[b->nfds++] = bell[i];
		partner(b, i, next++);
	}
}

static void tell_all(struct world *w)
{
	struct message b;

	for (uint32_t i = 0; i < RANKS; i++) {
		complete(&b, i);
		say(w, i, &b);
		news_read(w->ctx[i]);
	}
}

static uint64_t count(const struct world *w, uint32_t rank, enum shm_counter c)
{
	return shm_counter(w->ctx[rank]->me, c);
}

/* ---- a rank that sleeps in a receive ---- */

struct sleeper {
	struct world *w;
	uint32_t rank, from;
	pthread_t thread;
	int ret;
	uint64_t took_ns;
	char text[8];
};

static void *sleep_in_recv(void *arg)
{
	struct sleeper *s = arg;
	struct snoo *ctx = s->w->ctx[s->rank];
	uint64_t start = snoo_clock_ns();

	s->ret = snoo_recv(ctx, s->text, sizeof(s->text), (int)s->from, 7,
			   NULL);
	s->took_ns = snoo_clock_ns() - start;
	return NULL;
}

static enum snoo_abi_wait mode_of(const struct world *w, uint32_t rank)
{
	return wake_mode(atomic_load(&w->ctx[rank]->me->wait));
}

static void until_mode(struct world *w, uint32_t rank, enum snoo_abi_wait mode)
{
	const struct timespec t = { .tv_nsec = 1000000 };

	for (int i = 0; i < 5000; i++) {
		if (mode_of(w, rank) == mode)
			break;
		nanosleep(&t, NULL);
	}
	assert_int_equal(mode_of(w, rank), mode);
	/* It has armed; now it looks, and then sleeps. */
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

static void begin(struct sleeper *s, struct world *w, uint32_t rank,
		  uint32_t from)
{
	memset(s, 0, sizeof(*s));
	s->w = w;
	s->rank = rank;
	s->from = from;
	assert_int_equal(pthread_create(&s->thread, NULL, sleep_in_recv, s),
			 0);
}

/* It got the message, and by a bell: not by the look after a second. */
static void woken(struct sleeper *s)
{
	pthread_join(s->thread, NULL);
	assert_int_equal(s->ret, 0);
	assert_string_equal(s->text, "hello");
	assert_true(s->took_ns < 900 * MS);
	assert_int_equal(count(s->w, s->rank, SHM_COUNT_missed_bells), 0);
}

static void hello(struct world *w, uint32_t from, uint32_t to)
{
	assert_int_equal(snoo_send(w->ctx[from], "hello", 6, (int)to, 7), 0);
}

/* The line, and nobody rung. */
static void hello_unrung(struct world *w, uint32_t from, uint32_t to)
{
	struct snoo *ctx = w->ctx[from];
	struct bell *bell_of_it = ctx->peers[to].bell;

	ctx->session.lost = true;
	ctx->peers[to].bell = NULL;
	hello(w, from, to);
	ctx->peers[to].bell = bell_of_it;
	ctx->session.lost = false;
}

static void test_a_sleeper_is_woken_by_its_eventfd(void **state)
{
	struct world *w = *state;
	struct sleeper s;

	tell_all(w);
	for (uint64_t i = 1; i <= 3; i++) {
		begin(&s, w, 1, 0);
		until_mode(w, 1, SNOO_ABI_ASLEEP_EVENTFD);
		hello(w, 0, 1);
		woken(&s);
		assert_int_equal(count(w, 0, SHM_COUNT_bells_rung), i);
	}
	assert_int_equal(count(w, 0, SHM_COUNT_rings_asked), 0);
}

static void test_ranks_that_share_an_eventfd_are_all_woken(void **state)
{
	struct world *w = *state;
	struct sleeper one, two;
	const uint64_t ring = 1;
	struct message b;

	tell_all(w);
	draft(&b, 0);
	listen_to(&b, bell[1]);
	say(w, 2, &b);
	news_read(w->ctx[2]);
	begin(&one, w, 1, 0);
	begin(&two, w, 2, 0);
	until_mode(w, 1, SNOO_ABI_ASLEEP_EVENTFD);
	until_mode(w, 2, SNOO_ABI_ASLEEP_EVENTFD);
	/* Lines without a ring: then one ring for both. */
	hello_unrung(w, 0, 1);
	hello_unrung(w, 0, 2);
	assert_int_equal(write(bell[1], &ring, sizeof(ring)), sizeof(ring));
	woken(&one);
	woken(&two);
}

static void test_bells_that_come_to_a_futex_sleeper_change_its_sleep(
	void **state)
{
	struct world *w = *state;
	struct message b;
	struct sleeper s;

	begin(&s, w, 1, 0);
	until_mode(w, 1, SNOO_ABI_ASLEEP_FUTEX);
	complete(&b, 1);
	say(w, 1, &b);
	until_mode(w, 1, SNOO_ABI_ASLEEP_EVENTFD);
	complete(&b, 0);
	say(w, 0, &b);
	news_read(w->ctx[0]);
	hello(w, 0, 1);
	woken(&s);
	assert_int_equal(count(w, 0, SHM_COUNT_bells_rung), 1);
}

/* Of a job that spans, somebody who has not heard of it yet. */
static void test_a_futex_sleeper_is_rung_both_ways(void **state)
{
	struct snoo_wire_ring_for heard[SNOO_WIRE_MAX / 16];
	struct world *w = *state;
	struct message b;
	struct sleeper s;

	complete(&b, 0);
	say(w, 0, &b);
	news_read(w->ctx[0]);
	begin(&s, w, 1, 0);
	until_mode(w, 1, SNOO_ABI_ASLEEP_FUTEX);
	hello(w, 0, 1);
	woken(&s);
	assert_int_equal(world_heard(w, 0, SNOO_WIRE_RING, heard),
			 sizeof(heard[0]));
	assert_int_equal(heard[0].rank, 1);
}

static void test_without_a_bell_the_daemon_is_asked(void **state)
{
	_Alignas(8) unsigned char buf[SNOO_WIRE_MAX];
	const struct snoo_wire_ring_for *m = (void *)buf;
	struct world *w = *state;
	struct message b;

	draft(&b, SNOO_WIRE_BELLS_ALL);
	listen_to(&b, bell[0]);
	say(w, 0, &b);
	news_read(w->ctx[0]);
	hello(w, 0, 1);
	bells_reach(w->ctx[0], &w->ctx[0]->peers[1], SHM_WAKE_EVENTFD);
	assert_int_equal(world_heard(w, 0, SNOO_WIRE_RING, buf), sizeof(*m));
	assert_int_equal(m->rank, 1);
	/* A daemon that does not know the word is not told. */
	w->ctx[0]->session.minor = 1;
	bells_reach(w->ctx[0], &w->ctx[0]->peers[1], SHM_WAKE_EVENTFD);
	assert_int_equal(world_heard(w, 0, SNOO_WIRE_RING, buf), 0);
}

static void test_a_full_eventfd_asks_the_daemon(void **state)
{
	_Alignas(8) unsigned char buf[SNOO_WIRE_MAX];
	const uint64_t full = UINT64_MAX - 1;
	struct world *w = *state;

	tell_all(w);
	assert_int_equal(write(bell[1], &full, sizeof(full)), sizeof(full));
	bells_reach(w->ctx[0], &w->ctx[0]->peers[1], SHM_WAKE_EVENTFD);
	assert_int_equal(count(w, 0, SHM_COUNT_bells_rung), 0);
	assert_true(world_heard(w, 0, SNOO_WIRE_RING, buf) > 0);
	/* Where a write would wait for ever, none is made. */
	assert_int_equal(fcntl(bell[1], F_SETFL, 0), 0);
	bells_reach(w->ctx[0], &w->ctx[0]->peers[1], SHM_WAKE_EVENTFD);
	assert_int_equal(count(w, 0, SHM_COUNT_bells_rung), 0);
	assert_true(world_heard(w, 0, SNOO_WIRE_RING, buf) > 0);
}

static void test_a_full_socket_is_tried_again(void **state)
{
	_Alignas(8) unsigned char buf[SNOO_WIRE_MAX];
	struct snoo_wire_need junk = {
		.head = { SNOO_WIRE_NEED, sizeof(junk) },
	};
	struct snoo_wire_ring_for *m = (void *)buf;
	struct world *w = *state;
	struct snoo *ctx = w->ctx[0];
	struct message b;

	draft(&b, SNOO_WIRE_BELLS_ALL);
	listen_to(&b, bell[0]);
	say(w, 0, &b);
	news_read(ctx);
	while (send(ctx->session.fd, &junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	bells_reach(ctx, &ctx->peers[1], SHM_WAKE_EVENTFD);
	bells_reach(ctx, &ctx->peers[2], SHM_WAKE_EVENTFD);
	bells_reach(ctx, &ctx->peers[1], SHM_WAKE_EVENTFD);
	assert_int_equal(world_heard(w, 0, SNOO_WIRE_RING, buf), 0);
	progress(ctx);
	assert_true(world_heard(w, 0, SNOO_WIRE_RING, buf) > 0);
	assert_int_equal(m->rank, 1);
	assert_true(world_heard(w, 0, SNOO_WIRE_RING, buf) > 0);
	assert_int_equal(m->rank, 2);
	assert_int_equal(world_heard(w, 0, SNOO_WIRE_RING, buf), 0);
	assert_false(ctx->session.ring_dirty);
}

/* ---- sleeping ---- */

static void test_rings_of_the_past_end_no_sleep(void **state)
{
	struct world *w = *state;
	const uint64_t one = 1;
	struct snoo *ctx = w->ctx[1];
	uint64_t start;

	tell_all(w);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(write(bell[1], &one, 8), 8);
	bells_clear(ctx);
	start = snoo_clock_ns();
	/* Less than a millisecond too is a time to wait. */
	assert_int_equal(bells_sleep(ctx, MS / 2), -ETIMEDOUT);
	assert_true(snoo_clock_ns() - start >= MS / 2);
	/* One that comes after the clearing does, and does so once. */
	assert_int_equal(write(bell[1], &one, 8), 8);
	assert_int_equal(bells_sleep(ctx, 1000 * MS), 0);
	assert_int_equal(bells_sleep(ctx, MS), -ETIMEDOUT);
}

static void test_a_full_counter_is_emptied_after_a_second(void **state)
{
	const uint64_t full = UINT64_MAX - 1;
	struct world *w = *state;
	struct sleeper s;

	tell_all(w);
	assert_int_equal(write(bell[1], &full, 8), 8);
	begin(&s, w, 1, 0);
	until_mode(w, 1, SNOO_ABI_ASLEEP_EVENTFD);
	for (int i = 0; i < 3000 && count(w, 1, SHM_COUNT_bells_full) == 0;
	     i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	assert_int_equal(count(w, 1, SHM_COUNT_bells_full), 1);
	until_mode(w, 1, SNOO_ABI_ASLEEP_EVENTFD);
	hello(w, 0, 1);
	pthread_join(s.thread, NULL);
	assert_int_equal(s.ret, 0);
	assert_int_equal(count(w, 0, SHM_COUNT_bells_rung), 1);
	assert_int_equal(count(w, 1, SHM_COUNT_missed_bells), 0);
}

/* A counter that takes rings belongs to all that share it. */
static void test_a_counter_that_is_not_full_is_left_alone(void **state)
{
	const uint64_t many = 1000;
	struct world *w = *state;
	uint64_t seen;

	tell_all(w);
	assert_int_equal(write(bell[1], &many, 8), 8);
	bells_unstick(w->ctx[1]);
	assert_int_equal(read(bell[1], &seen, 8), 8);
	assert_int_equal(seen, many);
	/* Empty, and O_NONBLOCK taken away: it does not hang. */
	assert_int_equal(fcntl(bell[1], F_SETFL, 0), 0);
	bells_unstick(w->ctx[1]);
	assert_int_equal(count(w, 1, SHM_COUNT_bells_full), 0);
}

static void test_a_missed_bell_is_counted(void **state)
{
	struct world *w = *state;
	struct sleeper s;

	tell_all(w);
	begin(&s, w, 1, 0);
	until_mode(w, 1, SNOO_ABI_ASLEEP_EVENTFD);
	/* Published, and not rung. */
	hello_unrung(w, 0, 1);
	pthread_join(s.thread, NULL);
	assert_int_equal(s.ret, 0);
	assert_int_equal(count(w, 1, SHM_COUNT_missed_bells), 1);
}

static void test_who_cannot_be_woken_looks_by_himself(void **state)
{
	struct world *w = *state;
	struct message b;
	struct sleeper s;

	tell_all(w);
	draft(&b, SNOO_WIRE_BELLS_ALL | SNOO_WIRE_BELLS_POLL);
	say(w, 1, &b);
	news_read(w->ctx[1]);
	begin(&s, w, 1, 0);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	assert_int_equal(mode_of(w, 1), SNOO_ABI_POLLING);
	assert_true(count(w, 1, SHM_COUNT_sleeps) > 0);
	hello(w, 0, 1);
	woken(&s);
	/* Nobody rang for nothing. */
	assert_int_equal(count(w, 0, SHM_COUNT_wakes_sent), 0);
	/* And it sleeps again once it can be woken. */
	complete(&b, 1);
	say(w, 1, &b);
	begin(&s, w, 1, 0);
	until_mode(w, 1, SNOO_ABI_ASLEEP_EVENTFD);
	hello(w, 0, 1);
	woken(&s);
}

/* ---- what comes and what does not ---- */

static void test_all_forgets_what_came_before(void **state)
{
	struct world *w = *state;
	unsigned int before;

	tell_all(w);
	before = open_fds();
	for (int i = 0; i < 20; i++)
		tell_all(w);
	assert_int_equal(open_fds(), before);
	assert_int_equal(w->ctx[0]->bells.listening, 1);
}

/* One eventfd for all of a vector takes the place of the one before. */
static void test_a_bell_of_everybody_replaces_its_forerunner(void **state)
{
	struct world *w = *state;
	unsigned int before;
	struct message b;

	tell_all(w);
	before = open_fds();
	for (int i = 0; i < 20; i++) {
		draft(&b, 0);
		b.fd[b.nfds++] = bell[1];
		partner(&b, 1, 0);
		partner(&b, 2, 0);
		say(w, 0, &b);
		news_read(w->ctx[0]);
	}
	assert_int_equal(open_fds(), before - 1);
	assert_ptr_equal(w->ctx[0]->peers[1].bell, w->ctx[0]->peers[2].bell);
}

static void test_every_fd_closes_on_exec_and_with_the_session(void **state)
{
	struct world *w = *state;
	unsigned int before = open_fds(), found = 0;

	tell_all(w);
	for (int fd = 3; fd < 256; fd++) {
		char path[32], what[64] = "";
		int flags = fcntl(fd, F_GETFD);

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (flags < 0 || readlink(path, what, sizeof(what) - 1) < 0 ||
		    strncmp(what, "anon_inode:[event", 17) != 0)
			continue;
		assert_true(flags & FD_CLOEXEC);
		found++;
	}
	/* Ours, three for each rank, and the epoll instances. */
	assert_true(found >= RANKS + RANKS * (RANKS + 1));
	for (uint32_t i = 0; i < RANKS; i++) {
		snoo_finalize(w->ctx[i]);
		w->ctx[i] = NULL;
	}
	/* Their ends of the sockets went too. */
	assert_int_equal(open_fds(), before - RANKS);
}

static void test_a_child_closes_its_copies_and_the_parent_listens_on(
	void **state)
{
	struct world *w = *state;
	struct sleeper s;
	int status;
	pid_t pid;

	tell_all(w);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(snoo_finalize(w->ctx[1]) == -ESTALE ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	begin(&s, w, 1, 0);
	until_mode(w, 1, SNOO_ABI_ASLEEP_EVENTFD);
	hello(w, 0, 1);
	woken(&s);
	assert_int_equal(count(w, 0, SHM_COUNT_bells_rung), 1);
}

/* No fd may stay open, and the session is over. */
static void refused(struct world *w, struct message *b)
{
	unsigned int before = open_fds();

	say(w, 1, b);
	news_read(w->ctx[1]);
	assert_true(w->ctx[1]->session.lost);
	assert_int_equal(w->ctx[1]->session.lost_error, -EPROTO);
	assert_false(w->ctx[1]->bells.on);
	assert_int_equal(open_fds(), before);
	w->ctx[1]->session.lost = false;
}

static void test_what_makes_no_sense_ends_the_session(void **state)
{
	struct world *w = *state;
	struct message b;

	complete(&b, 1);
	b.m->bell[1].fd = 2;
	refused(w, &b);
	complete(&b, 1);
	b.m->bell[0].fd = UINT32_MAX;
	refused(w, &b);
	complete(&b, 1);
	b.m->bell[0].rank = RANKS;
	refused(w, &b);
	complete(&b, 1);
	b.m->listen = 4;
	refused(w, &b);
	complete(&b, 1);
	b.m->listen = UINT32_MAX;
	refused(w, &b);
	complete(&b, 1);
	b.m->flags |= 0x80;
	refused(w, &b);
	draft(&b, 0);
	while (b.nfds <= SNOO_WIRE_FDS)
		b.fd[b.nfds++] = bell[0];
	refused(w, &b);
	while (b.nfds < SNOO_WIRE_FDS + 8)
		b.fd[b.nfds++] = bell[0];
	refused(w, &b);
	/* A count that does not go with the length. */
	complete(&b, 1);
	b.m->head.length = sizeof(*b.m) + sizeof(b.m->bell[0]);
	world_tell_fds(w, 1, b.m, b.m->head.length, b.fd, b.nfds);
	news_read(w->ctx[1]);
	assert_int_equal(w->ctx[1]->session.lost_error, -EPROTO);
}

static void test_fds_of_other_messages_are_closed(void **state)
{
	struct snoo_wire_welcome m = {
		.head = { SNOO_WIRE_WELCOME, sizeof(m) },
	};
	struct world *w = *state;
	unsigned int before = open_fds();

	world_tell_fds(w, 1, &m, sizeof(m), &w->pool, 1);
	news_read(w->ctx[1]);
	assert_false(w->ctx[1]->session.lost);
	assert_int_equal(open_fds(), before);
}

/* Leave room for @n more fds. */
static struct rlimit squeeze(unsigned int n)
{
	struct rlimit old, tight;
	int fd[8];

	for (unsigned int i = 0; i <= n; i++)
		fd[i] = dup(bell[0]);
	for (unsigned int i = 0; i <= n; i++)
		close(fd[i]);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	tight.rlim_cur = (rlim_t)fd[n];
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	return old;
}

static void test_partners_without_room_for_their_bell_are_rung_by_the_daemon(
	void **state)
{
	_Alignas(8) unsigned char buf[SNOO_WIRE_MAX];
	const struct snoo_wire_ring_for *m = (void *)buf;
	struct world *w = *state;
	struct rlimit old;
	struct message b;

	complete(&b, 0);
	say(w, 0, &b);
	/* The eventfd to listen to, one of the two partners', and epoll's. */
	old = squeeze(2);
	news_read(w->ctx[0]);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_false(w->ctx[0]->session.lost);
	assert_int_equal(count(w, 0, SHM_COUNT_bells_missing), 2);
	bells_reach(w->ctx[0], &w->ctx[0]->peers[1], SHM_WAKE_EVENTFD);
	assert_int_equal(count(w, 0, SHM_COUNT_bells_rung), 1);
	bells_reach(w->ctx[0], &w->ctx[0]->peers[2], SHM_WAKE_EVENTFD);
	assert_true(world_heard(w, 0, SNOO_WIRE_RING, buf) > 0);
	assert_int_equal(m->rank, 2);
	/* No room for epoll: it listens to nothing, so it polls. */
	assert_true(w->ctx[0]->bells.poll);
}

static void test_without_room_to_listen_it_polls(void **state)
{
	struct world *w = *state;
	struct rlimit old;
	struct message b;
	struct sleeper s;

	tell_all(w);
	complete(&b, 1);
	say(w, 1, &b);
	old = squeeze(0);
	/* ALL gives up what it had, but only when the new ones are there. */
	news_read(w->ctx[1]);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_true(w->ctx[1]->bells.poll);
	assert_int_equal(count(w, 1, SHM_COUNT_bells_missing), 3);
	begin(&s, w, 1, 0);
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	hello(w, 0, 1);
	woken(&s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_sleeper_is_woken_by_its_eventfd),
		T(test_ranks_that_share_an_eventfd_are_all_woken),
		T(test_bells_that_come_to_a_futex_sleeper_change_its_sleep),
		T(test_a_futex_sleeper_is_rung_both_ways),
		T(test_without_a_bell_the_daemon_is_asked),
		T(test_a_full_eventfd_asks_the_daemon),
		T(test_a_full_socket_is_tried_again),
		T(test_rings_of_the_past_end_no_sleep),
		T(test_a_full_counter_is_emptied_after_a_second),
		T(test_a_counter_that_is_not_full_is_left_alone),
		T(test_a_missed_bell_is_counted),
		T(test_who_cannot_be_woken_looks_by_himself),
		T(test_all_forgets_what_came_before),
		T(test_a_bell_of_everybody_replaces_its_forerunner),
		T(test_every_fd_closes_on_exec_and_with_the_session),
		T(test_a_child_closes_its_copies_and_the_parent_listens_on),
		T(test_what_makes_no_sense_ends_the_session),
		T(test_fds_of_other_messages_are_closed),
		T(test_partners_without_room_for_their_bell_are_rung_by_the_daemon),
		T(test_without_room_to_listen_it_polls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
