/* SPDX-License-Identifier: MIT */
/* test_guest_bells.c - eventfds for the ranks of a VM, and who rings without */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/vmhome.h"

/* A BELLS message of wire.h and what came with it. */
struct heard {
	alignas(8) unsigned char bytes[SNOO_WIRE_MAX];
	const struct snoo_wire_bells *m;	/* the same */
	int fd[SNOO_WIRE_FDS];
	unsigned int nfds;
};

/* SNOO_CTL_BELLS without its head */
struct frame {
	struct {
		uint32_t flags;
		uint32_t vector;
		uint32_t count;
		uint32_t reserved;
	} m;
	struct snoo_ctl_bell bell[SNOO_CTL_PEERS + 1];
};

static int setup(void **state)
{
	struct vmhome *v = malloc(sizeof(*v));

	vmhome_open(v, NULL);
	vmhome_live(v);
	*state = v;
	return 0;
}

static int teardown(void **state)
{
	vmhome_close(*state);
	free(*state);
	return 0;
}

static void hear(struct vmhome *v, struct fakerank *r, struct heard *h)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(SNOO_WIRE_FDS * sizeof(int))];
	} control;
	struct iovec io = { h->bytes, sizeof(h->bytes) };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n;

	vmhome_settle(v);
	h->m = (const void *)h->bytes;
	n = recvmsg(r->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	assert_true(n >= (ssize_t)sizeof(*h->m));
	assert_false(m.msg_flags & MSG_CTRUNC);
	assert_int_equal(h->m->head.type, SNOO_WIRE_BELLS);
	assert_int_equal(h->m->head.length, n);
	assert_int_equal((size_t)n, sizeof(*h->m) +
			 h->m->count * sizeof(struct snoo_wire_bell));
	h->nfds = 0;
	c = CMSG_FIRSTHDR(&m);
	if (!c)
		return;
	h->nfds = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(h->fd, CMSG_DATA(c), h->nfds * sizeof(int));
}

static void drop(struct heard *h)
{
	for (unsigned int i = 0; i < h->nfds; i++)
		close(h->fd[i]);
}

static void say(struct vmhome *v, uint32_t sid, struct frame *f, uint32_t n)
{
	f->m.count = n;
	vmhome_say(v, SNOO_CTL_BELLS, sid, SNOO_CTL_NO_SLOT, f,
		   sizeof(f->m) + n * sizeof(f->bell[0]));
}

static void write_one(int fd)
{
	const uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void test_a_rank_gets_what_wakes_it_and_what_it_may_ring(void **state)
{
	struct vmhome *v = *state;
	struct frame f = {
		.m = { .flags = SNOO_WIRE_BELLS_ALL, .vector = 1 },
		/* two on the host share a bell; one in our own VM */
		.bell = { { 0, 0, 2 }, { 1, 1, 1 }, { 4, 0, 2 },
			  { 5, FAKEHOST_SLOT, 2 } },
	};
	struct fakerank r;
	struct heard h;
	uint32_t sid = vmhome_attach(v, &r, 3);

	say(v, sid, &f, 4);
	hear(v, &r, &h);
	assert_int_equal(h.m->flags, SNOO_WIRE_BELLS_ALL);
	assert_int_equal(h.m->listen, 1);
	assert_int_equal(h.m->count, 4);
	assert_int_equal(h.nfds, 4);
	assert_int_equal(h.m->bell[0].fd, h.m->bell[2].fd);
	/* The first is what its vector raises ... */
	write_one(h.fd[0]);
	assert_int_equal(vmhome_rung(v, FAKEHOST_SLOT, 1), 1);
	/* ... and the others ring whom they should. */
	write_one(h.fd[1 + h.m->bell[0].fd]);
	assert_int_equal(vmhome_rung(v, 0, 2), 1);
	write_one(h.fd[1 + h.m->bell[1].fd]);
	assert_int_equal(vmhome_rung(v, 1, 1), 1);
	write_one(h.fd[1 + h.m->bell[3].fd]);
	assert_int_equal(vmhome_rung(v, FAKEHOST_SLOT, 2), 1);
	drop(&h);

	/* More of them: what it listens to stays. */
	f.m.flags = 0;
	f.bell[0] = (struct snoo_ctl_bell){ 9, 3, 1 };
	say(v, sid, &f, 1);
	hear(v, &r, &h);
	assert_int_equal(h.m->flags, 0);
	assert_int_equal(h.m->listen, 0);
	assert_int_equal(h.nfds, 1);
	assert_int_equal(h.m->bell[0].rank, 9);
	write_one(h.fd[0]);
	assert_int_equal(vmhome_rung(v, 3, 1), 1);
	drop(&h);
	fakerank_close(&r);
}

static void test_a_full_list_fits_and_one_more_is_nonsense(void **state)
{
	struct vmhome *v = *state;
	struct frame f = { .m = { .vector = 1 } };
	struct fakerank r;
	struct heard h;
	uint32_t sid = vmhome_attach(v, &r, 3);

	for (uint32_t i = 0; i <= SNOO_CTL_PEERS; i++)
		f.bell[i] = (struct snoo_ctl_bell){ i, 0, 1 };
	say(v, sid, &f, SNOO_CTL_PEERS);
	hear(v, &r, &h);
	assert_int_equal(h.m->count, SNOO_CTL_PEERS);
	assert_int_equal(h.nfds, 2);
	drop(&h);
	say(v, sid, &f, SNOO_CTL_PEERS + 1);
	vmhome_settle(v);
	assert_int_equal(v->g->link.state, GUEST_LINK_PAUSE);
	fakerank_close(&r);
}

static void test_bells_that_the_domain_does_not_have_are_nonsense(void **state)
{
	static const struct frame bad[] = {
		{ .m = { .vector = 0 } },
		{ .m = { .vector = FAKEHOST_VECTORS } },
		{ .m = { .vector = 1, .flags = 0x80 } },
		{ .m = { .vector = 1, .count = 1 }, .bell = { { 0, 0, 0 } } },
		{ .m = { .vector = 1, .count = 1 },
		  .bell = { { 0, 0, FAKEHOST_VECTORS } } },
		{ .m = { .vector = 1, .count = 1 },
		  .bell = { { 0, FAKEHOST_SLOTS, 1 } } },
		{ .m = { .vector = 1, .count = 1 },
		  .bell = { { SNOO_ABI_JOB_RANKS, 0, 1 } } },
	};
	struct vmhome *v = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct frame f = bad[i];
		struct fakerank r;
		uint32_t sid = vmhome_attach(v, &r, 3);

		say(v, sid, &f, f.m.count);
		vmhome_settle(v);
		assert_int_equal(v->g->link.state, GUEST_LINK_PAUSE);
		fakerank_close(&r);
		loop_timer_start(v->g->link.retry, 0, 1000);
		vmhome_live(v);
		while (vmhome_hear(v, false))
			;
	}
}

static void test_who_is_told_to_poll_gets_nothing_to_listen_to(void **state)
{
	struct vmhome *v = *state;
	struct frame f = { .m = { .flags = SNOO_WIRE_BELLS_POLL },
			   .bell = { { 0, 0, 1 } } };
	struct fakerank r;
	struct heard h;
	uint32_t sid = vmhome_attach(v, &r, 3);

	say(v, sid, &f, 1);
	hear(v, &r, &h);
	assert_int_equal(h.m->flags, SNOO_WIRE_BELLS_POLL);
	assert_int_equal(h.m->listen, 0);
	assert_int_equal(h.nfds, 1);
	drop(&h);
	fakerank_close(&r);
}

/* Fds in flight are everybody's: one that reads nothing gets few of them. */
static void test_who_does_not_read_keeps_few_fds_in_flight(void **state)
{
	struct vmhome *v = *state;
	const struct snoo_ctl_welcome *w = &v->g->link.welcome;
	struct frame f = { .m = { .flags = SNOO_WIRE_BELLS_ALL, .vector = 1 },
			   .bell = { { 0, 0, 1 }, { 1, 0, 2 } } };
	unsigned int fds = 0, without = 0;
	struct fakerank r;
	struct heard h;
	uint32_t sid = vmhome_attach(v, &r, 3);

	for (int i = 0; i < 40; i++) {
		say(v, sid, &f, 2);
		vmhome_settle(v);
	}
	for (int i = 0; i < 40; i++) {
		hear(v, &r, &h);
		fds += h.nfds;
		drop(&h);
		if (!(h.m->flags & SNOO_WIRE_BELLS_POLL))
			continue;
		assert_int_equal(h.nfds, 0);
		assert_int_equal(h.m->count, 0);
		without++;
	}
	assert_true(fds > 0 && fds <= 2 * w->slots * w->vectors);
	assert_true(without > 0);
	/* It has read them: it gets bells again. */
	say(v, sid, &f, 2);
	hear(v, &r, &h);
	assert_int_equal(h.nfds, 3);
	drop(&h);
	fakerank_close(&r);
}

/* ---- RING ---- */

static void ring(struct fakerank *r, uint32_t rank)
{
	struct snoo_wire_ring_for m = {
		.head = { SNOO_WIRE_RING, sizeof(m) }, .rank = rank,
	};

	assert_int_equal(fakerank_send(r, &m, sizeof(m)), 0);
}

static void test_ring_goes_by_the_register_or_by_the_host(void **state)
{
	struct vmhome *v = *state;
	struct frame f = { .m = { .vector = 1 },
			   .bell = { { 1, 0, 2 }, { 2, FAKEHOST_SLOT, 2 } } };
	struct fakerank r;
	struct heard h;
	uint32_t sid = vmhome_attach(v, &r, 3);

	/* Nothing was said of any rank yet: the host rings. */
	ring(&r, 1);
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_RING_FOR);
	assert_int_equal(v->f.head.sid, sid);
	assert_int_equal(v->f.ring.rank, 1);

	say(v, sid, &f, 2);
	hear(v, &r, &h);
	drop(&h);
	ring(&r, 1);
	vmhome_settle(v);
	assert_int_equal(vmhome_rung(v, 0, 2), 1);
	ring(&r, 2);
	vmhome_settle(v);
	assert_int_equal(vmhome_rung(v, FAKEHOST_SLOT, 2), 1);
	assert_int_equal(vmhome_hear(v, false), 0);
	ring(&r, UINT32_MAX);
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_RING_FOR);
	fakerank_close(&r);
}

static void test_bells_for_a_session_that_has_ended_are_for_nobody(
	void **state)
{
	struct vmhome *v = *state;
	struct frame f = { .m = { .vector = 1 } };

	say(v, 12345, &f, 0);
	vmhome_settle(v);
	assert_int_equal(v->g->link.state, GUEST_LINK_LIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_a_rank_gets_what_wakes_it_and_what_it_may_ring),
		T(test_a_full_list_fits_and_one_more_is_nonsense),
		T(test_bells_that_the_domain_does_not_have_are_nonsense),
		T(test_who_is_told_to_poll_gets_nothing_to_listen_to),
		T(test_who_does_not_read_keeps_few_fds_in_flight),
		T(test_ring_goes_by_the_register_or_by_the_host),
		T(test_bells_for_a_session_that_has_ended_are_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
