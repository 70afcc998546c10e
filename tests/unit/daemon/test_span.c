/* SPDX-License-Identifier: MIT */
/*
 * test_span.c - who gets which vector, who is told of whom, RING
 *
 * Ranks in VMs are played: their sessions are sockets like the others', but
 * are said to be in a VM slot, and frames for their guest daemon are caught.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/bells.h"
#include "daemon/toll.h"
#include "daemon/post.h"
#include "daemon/span.h"
#include "daemon/touch.h"
#include "shm/wake.h"
#include "tests/lib/home.h"

#define SLOTS	4u
#define VECTORS	4u
#define FRAMES	64

struct frame {
	uint32_t slot;			/* VM slot that it went to */
	size_t bytes;
	_Alignas(8) unsigned char raw[SNOO_CTL_FRAME_MAX];
};

static struct {
	struct frame f[FRAMES];
	unsigned int n;
} caught;

static void catch_frame(struct domain *d, uint32_t slot,
			const struct snoo_ctl_frame *f, const void *body,
			size_t bytes)
{
	struct frame *c = &caught.f[caught.n++ % FRAMES];

	(void)d;
	c->slot = slot;
	c->bytes = sizeof(*f) + bytes;
	memcpy(c->raw, f, sizeof(*f));
	memcpy(c->raw + sizeof(*f), body, bytes);
}

static const struct snoo_ctl_bells *said(unsigned int i)
{
	return (const void *)caught.f[i].raw;
}

static int setup(void **state)
{
	struct home *h = malloc(sizeof(*h));
	struct bells_params p = {
		.domain = "default", .slots = SLOTS, .vectors = VECTORS,
	};
	int ret;

	*state = h;
	caught.n = 0;
	ret = home_open(h, NULL);
	if (ret)
		return ret;
	p.keeper = h->sh.keeper;
	h->d->to_guest = catch_frame;
	return bells_open(&h->d->bells, &p);
}

static int teardown(void **state)
{
	home_close(*state);
	free(*state);
	return 0;
}

/* ---- ranks ---- */

/* 0, or -EREMOTEIO and f->error */
static int try_join(struct home *h, struct fakerank *f, uint32_t slot,
		    const char *name, int32_t rank, uint32_t size,
		    uint16_t minor)
{
	struct snoo_wire_hello hello;
	int ret;

	home_rank(h, f);
	assert_int_equal(fakerank_connect(f, h->path), 0);
	home_settle(h);
	h->d->sessions->vm_slot = slot;
	fakerank_hello_init(&hello, name, 0, rank, size);
	hello.minor = minor;
	assert_int_equal(fakerank_send(f, &hello, sizeof(hello)), 0);
	ret = fakerank_until(f, SNOO_WIRE_WELCOME);
	if (ret == SNOO_WIRE_ERROR)
		return -EREMOTEIO;
	assert_int_equal(ret, SNOO_WIRE_WELCOME);
	assert_int_equal(fakerank_pinned(f), 0);
	home_settle(h);
	return 0;
}

static struct rank *join(struct home *h, struct fakerank *f, uint32_t slot,
			 const char *name, int32_t rank, uint32_t size)
{
	if (try_join(h, f, slot, name, rank, size, SNOO_WIRE_MINOR))
		fail_msg("join: %s", f->error.text);
	return h->d->rank[f->welcome.slot];
}

static const struct snoo_wire_bells *bells(struct fakerank *f)
{
	return (const void *)f->msg.bytes;
}

/* Is it that eventfd?  A ring of the one is seen at the other. */
static bool same(int one, int other)
{
	const uint64_t ring = 1;

	toll_take(other);
	assert_int_equal(write(one, &ring, sizeof(ring)), sizeof(ring));
	return toll_take(other) == 1;
}

/* Everything that is there until @type; true if a BELLS was among it. */
static bool told_before(struct fakerank *f, int type)
{
	bool told = false;
	int ret;

	while ((ret = fakerank_recv(f, true)) > 0 && ret != type)
		told = told || ret == SNOO_WIRE_BELLS;
	assert_int_equal(ret, type);
	return told;
}

/* The bell by which the last BELLS says to wake @rank; -1: none. */
static int bell_of(struct fakerank *f, uint32_t rank)
{
	const struct snoo_wire_bells *m = bells(f);

	assert_int_equal(m->head.type, SNOO_WIRE_BELLS);
	assert_int_equal(m->head.length,
			 sizeof(*m) + m->count * sizeof(m->bell[0]));
	for (uint32_t i = 0; i < m->count; i++) {
		if (m->bell[i].rank != rank)
			continue;
		assert_true(m->listen + m->bell[i].fd < f->nfds);
		return f->fds[m->listen + m->bell[i].fd];
	}
	return -1;
}

static void close_all(struct home *h, struct fakerank *f, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		fakerank_close(&f[i]);
	home_bury(h);
	assert_int_equal(h->d->ranks, 0);
}

/* ---- who is told what ---- */

static void test_a_job_of_one_kernel_hears_of_no_bells(void **state)
{
	struct home *h = *state;
	struct fakerank f[2];

	for (int i = 0; i < 2; i++)
		assert_int_equal(join(h, &f[i], 0, "host", i, 2)->led.vector,
				 0);
	for (int i = 0; i < 2; i++)
		assert_false(told_before(&f[i], SNOO_WIRE_START));
	close_all(h, f, 2);
	/* A VM is one kernel too. */
	for (int i = 0; i < 2; i++)
		join(h, &f[i], 3, "guest", i, 2);
	assert_int_equal(caught.n, 0);
	close_all(h, f, 2);
}

static void test_all_are_told_before_start(void **state)
{
	struct home *h = *state;
	struct bells *b = h->d->bells;
	struct fakerank f[3];
	struct rank *r[3];
	const struct snoo_ctl_bells *m = said(0);

	r[0] = join(h, &f[0], 0, "three", 0, 3);
	r[1] = join(h, &f[1], 2, "three", 1, 3);
	assert_int_equal(caught.n, 0);
	r[2] = join(h, &f[2], 0, "three", 2, 3);
	for (int i = 0; i < 3; i++)
		assert_true(r[i]->led.vector > 0);
	assert_int_not_equal(r[0]->led.vector, r[2]->led.vector);

	assert_int_equal(fakerank_until(&f[0], SNOO_WIRE_BELLS),
			 SNOO_WIRE_BELLS);
	assert_false(f[0].started);
	assert_int_equal(bells(&f[0])->flags, SNOO_WIRE_BELLS_ALL);
	assert_int_equal(bells(&f[0])->listen, 2);
	assert_true(same(f[0].fds[0], bells_fd(b, 0, 0, r[0]->led.vector)));
	assert_true(same(f[0].fds[1], bells_fd(b, 2, 0, r[0]->led.vector)));
	assert_int_equal(bells(&f[0])->count, 2);
	assert_true(same(bell_of(&f[0], 1),
			 bells_fd(b, 0, 2, r[1]->led.vector)));
	assert_true(same(bell_of(&f[0], 2),
			 bells_fd(b, 0, 0, r[2]->led.vector)));
	assert_int_equal(bell_of(&f[0], 0), -1);
	assert_int_equal(fakerank_until(&f[0], SNOO_WIRE_START),
			 SNOO_WIRE_START);
	assert_true(told_before(&f[2], SNOO_WIRE_START));

	/* The one in the VM by its guest daemon, and by it alone. */
	assert_false(told_before(&f[1], SNOO_WIRE_START));
	assert_int_equal(caught.n, 1);
	assert_int_equal(caught.f[0].slot, 2);
	assert_int_equal(m->frame.type, SNOO_CTL_BELLS);
	assert_int_equal(m->frame.slot, r[1]->slot);
	assert_int_equal(m->flags, SNOO_WIRE_BELLS_ALL);
	assert_int_equal(m->vector, r[1]->led.vector);
	assert_int_equal(m->count, 2);
	assert_int_equal(caught.f[0].bytes,
			 sizeof(*m) + 2 * sizeof(m->bell[0]));
	for (int i = 0; i < 2; i++) {
		const struct rank *p = r[m->bell[i].rank];

		assert_ptr_not_equal(p, r[1]);
		assert_int_equal(m->bell[i].slot, 0);
		assert_int_equal(m->bell[i].vector, p->led.vector);
	}
	close_all(h, f, 3);
}

static void test_vectors_are_shared_out_evenly_and_none_is_0(void **state)
{
	struct home *h = *state;
	uint32_t users[SLOTS][VECTORS] = { { 0 } };
	struct fakerank f[8];

	for (int i = 0; i < 8; i++)
		join(h, &f[i], i < 5 ? 0 : 1, "even", i, 8);
	for (int i = 0; i < 8; i++) {
		const struct rank *r = h->d->rank[f[i].welcome.slot];

		assert_true(r->led.vector < VECTORS);
		users[r->led.vm][r->led.vector]++;
	}
	assert_int_equal(users[0][0], 0);
	assert_int_equal(users[1][0], 0);
	for (uint32_t v = 1; v < VECTORS; v++) {
		assert_true(users[0][v] == 1 || users[0][v] == 2);
		assert_int_equal(users[1][v], 1);
	}
	/* Five ranks of the host share three eventfds. */
	assert_int_equal(fakerank_until(&f[7 - 3], SNOO_WIRE_BELLS),
			 SNOO_WIRE_BELLS);
	assert_true(f[4].nfds <= 2 + 3 + 3);
	assert_int_equal(bells(&f[4])->count, 7);
	assert_int_equal(span_fds(h->d->rank[f[4].welcome.slot]),
			 f[4].nfds);
	close_all(h, f, 8);
}

static void test_an_open_job_is_told_of_each_that_joins(void **state)
{
	struct home *h = *state;
	struct bells *b = h->d->bells;
	struct fakerank f[4];
	struct rank *r[4];

	r[0] = join(h, &f[0], 0, "open", -1, 0);
	assert_false(told_before(&f[0], SNOO_WIRE_START));
	r[1] = join(h, &f[1], 1, "open", -1, 0);
	/* Now it spans: the first one gets everything. */
	assert_int_equal(fakerank_until(&f[0], SNOO_WIRE_BELLS),
			 SNOO_WIRE_BELLS);
	assert_int_equal(bells(&f[0])->flags, SNOO_WIRE_BELLS_ALL);
	assert_int_equal(bells(&f[0])->listen, 2);
	assert_true(same(bell_of(&f[0], 1),
			 bells_fd(b, 0, 1, r[1]->led.vector)));
	assert_int_equal(caught.n, 1);
	/* One more of a slot that is known: nothing new to listen to. */
	r[2] = join(h, &f[2], 0, "open", -1, 0);
	assert_true(told_before(&f[2], SNOO_WIRE_START));
	assert_int_equal(fakerank_until(&f[0], SNOO_WIRE_BELLS),
			 SNOO_WIRE_BELLS);
	assert_int_equal(bells(&f[0])->flags, 0);
	assert_int_equal(bells(&f[0])->listen, 0);
	assert_int_equal(f[0].nfds, 1);
	assert_true(same(bell_of(&f[0], 2),
			 bells_fd(b, 0, 0, r[2]->led.vector)));
	assert_int_equal(caught.n, 2);
	assert_int_equal(said(1)->flags, 0);
	assert_int_equal(said(1)->bell[0].rank, 2);
	/* And of a slot that is not. */
	r[3] = join(h, &f[3], 3, "open", -1, 0);
	assert_int_equal(fakerank_until(&f[0], SNOO_WIRE_BELLS),
			 SNOO_WIRE_BELLS);
	assert_int_equal(bells(&f[0])->listen, 1);
	assert_true(same(f[0].fds[0], bells_fd(b, 3, 0, r[0]->led.vector)));
	assert_true(same(bell_of(&f[0], 3),
			 bells_fd(b, 0, 3, r[3]->led.vector)));
	close_all(h, f, 4);
}

static void test_who_knows_nothing_of_bells_is_refused(void **state)
{
	struct home *h = *state;
	struct fakerank f[3];

	/* The one that comes ... */
	join(h, &f[0], 1, "old", 0, 3);
	assert_int_equal(try_join(h, &f[1], 0, "old", 1, 3, 1), -EREMOTEIO);
	assert_int_equal(f[1].error.error, EPROTONOSUPPORT);
	assert_non_null(strstr(f[1].error.text, "this rank's library speaks "
			       "version 0.1, and a job with ranks in VMs "
			       "takes 0.2"));
	close_all(h, f, 2);
	/* ... or the one that is there. */
	assert_int_equal(try_join(h, &f[0], 0, "old", 0, 3, 1), 0);
	assert_int_equal(try_join(h, &f[1], 1, "old", 1, 3, 2), -EREMOTEIO);
	assert_non_null(strstr(f[1].error.text, "rank 0 of job \"old\" speaks "
			       "version 0.1"));
	/* In a job of one kernel it may be. */
	assert_int_equal(try_join(h, &f[2], 0, "old", 2, 3, 2), 0);
	close_all(h, f, 3);
}

static void test_state_is_answered_with_everything(void **state)
{
	struct home *h = *state;
	struct fakerank f[2];
	struct rank *r[2];

	for (uint32_t i = 0; i < 2; i++)
		r[i] = join(h, &f[i], i, "again", (int)i, 2);
	assert_true(told_before(&f[0], SNOO_WIRE_START));
	caught.n = 0;
	for (int i = 0; i < 2; i++) {
		r[i]->session->resumed = state_epoch(h->d);
		post_resumed(r[i]);
	}
	assert_false(told_before(&f[0], SNOO_WIRE_RESUMED));
	assert_int_equal(fakerank_until(&f[0], SNOO_WIRE_BELLS),
			 SNOO_WIRE_BELLS);
	assert_int_equal(bells(&f[0])->flags, SNOO_WIRE_BELLS_ALL);
	assert_int_equal(bells(&f[0])->count, 1);
	fakerank_until(&f[1], SNOO_WIRE_RESUMED);
	home_settle(h);
	assert_int_equal(caught.n, 1);
	close_all(h, f, 2);
}

static void test_the_next_daemon_knows_whom_a_job_spans(void **state)
{
	struct home *h = *state;
	struct fakerank f[2];
	struct rank *r[2];
	struct job *j;

	for (uint32_t i = 0; i < 2; i++)
		r[i] = join(h, &f[i], 2 * i, "next", (int)i, 2);
	j = r[0]->job;
	assert_int_equal(j->slots, 0x5);
	/* The last one has told everybody. */
	j->slots = 0;
	span_adopt(j);
	assert_int_equal(j->slots, 0x5);
	assert_false(r[0]->bells_due || r[1]->bells_due);
	/* It died before that: some have no vector yet. */
	j->slots = 0;
	r[0]->led.vector = 0;
	span_adopt(j);
	assert_true(r[0]->bells_due && r[0]->led.vector > 0);
	told_before(&f[0], SNOO_WIRE_START);
	span_adopted(r[0]);
	assert_int_equal(fakerank_until(&f[0], SNOO_WIRE_BELLS),
			 SNOO_WIRE_BELLS);
	assert_false(r[0]->bells_due);
	/* A vector of other books is none. */
	j->slots = 0;
	r[1]->led.vector = 60;
	touch_wake(r[1]);
	span_adopt(j);
	assert_true(r[1]->led.vector < VECTORS);
	close_all(h, f, 2);
}

/* ---- sockets that are full, or not read ---- */

static void test_bells_wait_for_room_with_their_fds(void **state)
{
	struct home *h = *state;
	struct fakerank f[2];
	struct rank *r;
	int sent = 0;

	r = join(h, &f[0], 0, "full", 0, 2);
	join(h, &f[1], 1, "full", 1, 2);
	assert_true(told_before(&f[0], SNOO_WIRE_START));
	while (r->session->queued < 3) {
		post_start(r);
		sent++;
	}
	span_again(r);
	assert_int_equal(r->session->queued, 4);
	while (sent-- > 0)
		assert_int_equal(fakerank_recv(&f[0], true), SNOO_WIRE_START);
	assert_int_equal(fakerank_recv(&f[0], true), SNOO_WIRE_BELLS);
	assert_int_equal(f[0].nfds, 3);
	assert_true(same(f[0].fds[0],
			 bells_fd(h->d->bells, 0, 0, r->led.vector)));
	close_all(h, f, 2);
}

static void test_who_does_not_read_keeps_few_fds_in_flight(void **state)
{
	struct home *h = *state;
	struct fakerank f[2];
	unsigned int fds = 0, without = 0;
	struct rank *r;

	r = join(h, &f[0], 0, "deaf", 0, 2);
	join(h, &f[1], 1, "deaf", 1, 2);
	assert_true(told_before(&f[0], SNOO_WIRE_START));
	for (int i = 0; i < 40; i++)
		span_again(r);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(fakerank_recv(&f[0], true), SNOO_WIRE_BELLS);
		fds += f[0].nfds;
		if (bells(&f[0])->flags & SNOO_WIRE_BELLS_POLL) {
			assert_int_equal(f[0].nfds, 0);
			assert_int_equal(bells(&f[0])->count, 0);
			without++;
		}
	}
	assert_true(fds <= 2 * SLOTS * VECTORS);
	assert_true(without > 0);
	/* It has read them: it gets bells again. */
	span_again(r);
	assert_int_equal(fakerank_recv(&f[0], true), SNOO_WIRE_BELLS);
	assert_int_equal(f[0].nfds, 3);
	close_all(h, f, 2);
}

/* ---- ringing ---- */

static void sleeps(struct fakerank *f, enum snoo_abi_wait mode)
{
	shm_wake_arm(f->slot, mode, SNOO_ABI_ANY);
}

/* Rings that the bell thread has written meanwhile. */
static uint64_t rings(int fd)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < 2000; i++) {
		uint64_t n = toll_take(fd);

		if (n)
			return n;
		nanosleep(&ms, NULL);
	}
	return 0;
}

static uint64_t quiet(int fd)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	return toll_take(fd);
}

static int ring(struct fakerank *f, uint32_t rank)
{
	struct snoo_wire_ring_for m = {
		.head = { SNOO_WIRE_RING, sizeof(m) }, .rank = rank,
	};

	return fakerank_send(f, &m, sizeof(m));
}

static uint32_t *status_of(struct fakerank *f)
{
	unsigned char *regs = shm_region_regs(&f->region);

	return (void *)(regs + f->welcome.slot * SNOO_ABI_REGS_STRIDE);
}

static void test_the_daemon_rings_who_sleeps_on_eventfds(void **state)
{
	struct home *h = *state;
	struct fakerank f[2];
	struct rank *r[2];
	int fd[2];

	for (uint32_t i = 0; i < 2; i++) {
		r[i] = join(h, &f[i], i, "news", (int)i, 2);
		fd[i] = bells_fd(h->d->bells, 0, i, 1);
	}
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(r[i]->led.vector, 1);
		quiet(fd[i]);
		sleeps(&f[i], SNOO_ABI_POLLING);
		touch_wake(r[i]);
		touch_news(r[i], false);
		touch_allow(r[i], 1);
		assert_int_equal(quiet(fd[i]), 0);
		sleeps(&f[i], SNOO_ABI_ASLEEP_EVENTFD);
		touch_wake(r[i]);
		assert_int_equal(rings(fd[i]), 1);
		touch_news(r[i], false);
		assert_int_equal(rings(fd[i]), 1);
		touch_allow(r[i], 1);
		assert_int_equal(rings(fd[i]), 1);
		/* Whatever it does: a ringer may have died. */
		sleeps(&f[i], SNOO_ABI_POLLING);
		touch_news(r[i], true);
		assert_int_equal(rings(fd[i]), 1);
	}
	close_all(h, f, 2);
}

/* Partners may wait in a write of it, where O_NONBLOCK was taken off. */
static void test_the_bell_of_who_is_gone_is_not_left_full(void **state)
{
	const uint64_t full = UINT64_MAX - 1;
	struct home *h = *state;
	struct fakerank f[2];

	for (uint32_t i = 0; i < 2; i++)
		join(h, &f[i], i, "full", (int)i, 2);
	for (uint32_t i = 0; i < 2; i++) {
		struct pollfd p = {
			.fd = bells_fd(h->d->bells, 0, i, 1),
			.events = POLLOUT,
		};

		quiet(p.fd);
		assert_int_equal(write(p.fd, &full, sizeof(full)),
				 sizeof(full));
		assert_int_equal(poll(&p, 1, 0), 0);
		fakerank_close(&f[i]);
		home_settle(h);
		assert_int_equal(poll(&p, 1, 2000), 1);
	}
	home_bury(h);
}

static void test_ring_wakes_a_rank_of_the_same_job(void **state)
{
	struct home *h = *state;
	struct fakerank f[3];
	int own, other;

	join(h, &f[0], 0, "ring", 0, 2);
	join(h, &f[1], 1, "ring", 1, 2);
	own = bells_fd(h->d->bells, 0, 0, 1);
	other = bells_fd(h->d->bells, 0, 1, 1);
	quiet(own);
	quiet(other);
	sleeps(&f[1], SNOO_ABI_ASLEEP_EVENTFD);
	assert_int_equal(ring(&f[0], 1), 0);
	home_settle(h);
	assert_int_equal(rings(other), 1);
	assert_int_equal(quiet(own), 0);
	/* By its futex, also where a bit of another kernel's is pending. */
	sleeps(&f[0], SNOO_ABI_ASLEEP_FUTEX);
	*status_of(&f[0]) = SNOO_ABI_BELL_DATA;
	assert_int_equal(ring(&f[1], 0), 0);
	home_settle(h);
	assert_true(*status_of(&f[0]) & SNOO_ABI_BELL_DATA);
	assert_int_equal(quiet(own), 0);
	/* Who is awake needs nothing. */
	sleeps(&f[1], SNOO_ABI_POLLING);
	assert_int_equal(ring(&f[0], 1), 0);
	home_settle(h);
	assert_int_equal(quiet(other), 0);
	/* Who is gone is gone. */
	fakerank_close(&f[1]);
	home_settle(h);
	assert_int_equal(ring(&f[0], 1), 0);
	home_settle(h);
	assert_int_equal(fakerank_until(&f[0], SNOO_WIRE_GONE),
			 SNOO_WIRE_GONE);
	close_all(h, f, 1);
}

static void test_a_storm_of_rings_is_one_in_a_turn(void **state)
{
	struct home *h = *state;
	struct fakerank f[2];
	struct rank *r;
	int fd;

	join(h, &f[0], 0, "storm", 0, 2);
	r = join(h, &f[1], 1, "storm", 1, 2);
	fd = bells_fd(h->d->bells, 0, 1, 1);
	quiet(fd);
	sleeps(&f[1], SNOO_ABI_ASLEEP_EVENTFD);
	for (int i = 0; i < 20; i++)
		assert_int_equal(ring(&f[0], 1), 0);
	home_step(h);
	assert_false(r->ring_due);
	assert_int_equal(rings(fd), 1);
	assert_int_equal(quiet(fd), 0);
	close_all(h, f, 2);
}

static void test_ring_for_nobody_is_a_protocol_error(void **state)
{
	static const uint32_t bad[] = { 2, 1024, UINT32_MAX };
	struct home *h = *state;
	struct snoo_wire_plain cut = { { SNOO_WIRE_RING, sizeof(cut) } };
	struct fakerank f[2], bystander;

	join(h, &bystander, 0, "bystander", 0, 1);
	for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		join(h, &f[0], 0, "bad", 0, 2);
		join(h, &f[1], 1, "bad", 1, 2);
		if (i < sizeof(bad) / sizeof(bad[0]))
			assert_int_equal(ring(&f[0], bad[i]), 0);
		else
			assert_int_equal(fakerank_send(&f[0], &cut,
						       sizeof(cut)), 0);
		assert_int_equal(fakerank_until(&f[0], SNOO_WIRE_ERROR),
				 SNOO_WIRE_ERROR);
		assert_int_equal(f[0].error.error, EPROTO);
		fakerank_close(&f[0]);
		fakerank_close(&f[1]);
		home_bury(h);
	}
	/* In a job of one kernel too, and it is the job's own affair. */
	assert_int_equal(ring(&bystander, 0), 0);
	assert_int_equal(fakerank_leave(&bystander), 0);
	close_all(h, &bystander, 1);
}

static void test_host_bells_makes_every_job_span(void **state)
{
	static const char *const sets[] = {
		"domains.default.ivshmem.host_bells=true",
		"domains.default.ivshmem.vectors=2", NULL,
	};
	struct home h;
	struct fakerank f[2];

	(void)state;
	assert_int_equal(home_open(&h, sets), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(join(&h, &f[i], 0, "host", i, 2)->dom->lost ==
				 NULL, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(h.d->rank[f[i].welcome.slot]->led.vector, 1);
		assert_int_equal(fakerank_until(&f[i], SNOO_WIRE_BELLS),
				 SNOO_WIRE_BELLS);
		assert_int_equal(bells(&f[i])->listen, 1);
		assert_int_equal(bells(&f[i])->count, 1);
		assert_true(same(f[i].fds[0], bell_of(&f[i], 1 - (uint32_t)i)));
	}
	close_all(&h, f, 2);
	home_close(&h);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_job_of_one_kernel_hears_of_no_bells),
		T(test_all_are_told_before_start),
		T(test_vectors_are_shared_out_evenly_and_none_is_0),
		T(test_an_open_job_is_told_of_each_that_joins),
		T(test_who_knows_nothing_of_bells_is_refused),
		T(test_state_is_answered_with_everything),
		T(test_the_next_daemon_knows_whom_a_job_spans),
		T(test_bells_wait_for_room_with_their_fds),
		T(test_who_does_not_read_keeps_few_fds_in_flight),
		T(test_the_daemon_rings_who_sleeps_on_eventfds),
		T(test_the_bell_of_who_is_gone_is_not_left_full),
		T(test_ring_wakes_a_rank_of_the_same_job),
		T(test_a_storm_of_rings_is_one_in_a_turn),
		T(test_ring_for_nobody_is_a_protocol_error),
		cmocka_unit_test(test_host_bells_makes_every_job_span),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
