/* SPDX-License-Identifier: MIT */
/* test_guest_link.c - a VM's end of the control channel, and hosts of all kinds */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/guest_link.h"
#include "tests/lib/vmhome.h"

static int setup(void **state)
{
	struct vmhome *v = malloc(sizeof(*v));

	vmhome_open(v, NULL);
	*state = v;
	return 0;
}

static int teardown(void **state)
{
	vmhome_close(*state);
	free(*state);
	return 0;
}

static void expect_error(struct fakerank *r, int error, const char *text)
{
	assert_int_equal(fakerank_until(r, SNOO_WIRE_ERROR), SNOO_WIRE_ERROR);
	assert_int_equal(r->error.error, error);
	if (!strstr(r->error.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, r->error.text);
	assert_int_equal(fakerank_recv(r, true), 0);
}

static void begins_again(struct vmhome *v)
{
	assert_int_equal(v->g->link.state, GUEST_LINK_PAUSE);
	assert_true(loop_timer_running(v->g->link.retry));
	/* The second is not worth waiting for. */
	loop_timer_start(v->g->link.retry, 0, 1000);
	vmhome_live(v);
}

static void test_hello_says_what_the_vm_is(void **state)
{
	struct vmhome *v = *state;

	vmhome_greeted(v);
	assert_int_equal(v->hello.major, SNOO_CTL_MAJOR);
	assert_int_equal(v->hello.abi_major, SNOO_ABI_MAJOR);
	assert_int_equal(v->hello.slot, FAKEHOST_SLOT);
	assert_int_equal(v->hello.vectors, FAKEHOST_VECTORS);
	assert_int_equal(v->hello.pool_bytes, FAKEHOST_POOL_BYTES);
	assert_int_equal(v->hello.bells, SNOO_CTL_BELLS_EVENTFD);
	assert_true(v->hello.vcpus >= 1);
	assert_int_equal(v->hello.runs, 0);
	assert_true(*v->hello.host && *v->hello.kernel);
	assert_memory_not_equal(v->hello.boot_id, "\0\0\0\0\0\0\0\0\0\0\0\0"
				"\0\0\0\0", 16);
	assert_int_equal(v->nknown, 0);
	vmhome_welcome(v);
	assert_int_equal(v->g->link.state, GUEST_LINK_LIVE);
	assert_string_equal(v->g->link.welcome.domain, "lab");
	assert_string_equal(v->g->link.welcome.name, "vm-a");
}

static void test_a_silent_host_is_waited_for(void **state)
{
	struct vmhome *v = *state;
	struct fakerank r;

	vmhome_hello(v, &r, "early");
	for (int i = 0; i < 200; i++) {
		vmhome_step(v);
		usleep(1000);
	}
	assert_int_equal(v->g->link.state, GUEST_LINK_ASKED);
	assert_int_equal(fakerank_recv(&r, false), -EAGAIN);
	vmhome_live(v);
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_JOIN);
	fakerank_close(&r);
}

static void test_a_refusal_is_told_to_who_asks_and_tried_again(void **state)
{
	struct vmhome *v = *state;
	struct snoo_ctl_error e = {
		.error = EPROTONOSUPPORT, .text = "another release",
	};
	struct fakerank waits, comes;

	vmhome_greeted(v);
	vmhome_hello(v, &waits, "job");
	vmhome_settle(v);
	shm_link_cut(&v->link);
	vmhome_say(v, SNOO_CTL_ERROR, 0, SNOO_CTL_NO_SLOT, &e.frame + 1,
		   sizeof(e) - sizeof(e.frame));
	expect_error(&waits, EPROTONOSUPPORT, "another release");
	assert_string_equal(v->g->link.refused, "another release");
	vmhome_hello(v, &comes, "job");
	expect_error(&comes, ENODEV, "another release");
	begins_again(v);
	assert_string_equal(v->g->link.refused, "");
	fakerank_close(&waits);
	fakerank_close(&comes);
}

static void spoil_slot(struct snoo_ctl_welcome *w) { w->slot = 1; }
static void spoil_slots(struct snoo_ctl_welcome *w) { w->slots = 1000; }
static void spoil_vectors(struct snoo_ctl_welcome *w) { w->vectors = 8; }
static void spoil_ranks(struct snoo_ctl_welcome *w) { w->ranks = 1u << 30; }
static void spoil_bytes(struct snoo_ctl_welcome *w) { w->pool_bytes *= 2; }
static void spoil_major(struct snoo_ctl_welcome *w) { w->major = 9; }

static void test_a_welcome_that_does_not_fit_the_devices_is_not_believed(
	void **state)
{
	static void (*const spoil[])(struct snoo_ctl_welcome *w) = {
		spoil_slot, spoil_slots, spoil_vectors, spoil_ranks,
		spoil_bytes, spoil_major,
	};
	struct vmhome *v = *state;

	for (size_t i = 0; i < sizeof(spoil) / sizeof(spoil[0]); i++) {
		struct snoo_ctl_welcome w = {
			.slot = FAKEHOST_SLOT, .slots = FAKEHOST_SLOTS,
			.vectors = FAKEHOST_VECTORS, .ranks = VMHOME_RANKS,
			.pool_bytes = FAKEHOST_POOL_BYTES,
		};

		vmhome_greeted(v);
		spoil[i](&w);
		vmhome_say(v, SNOO_CTL_WELCOME, 0, SNOO_CTL_NO_SLOT,
			   &w.frame + 1, sizeof(w) - sizeof(w.frame));
		vmhome_settle(v);
		assert_int_equal(v->g->link.state, GUEST_LINK_PAUSE);
		loop_timer_start(v->g->link.retry, 0, 1000);
	}
	vmhome_live(v);
}

/* What no host says: each ends the ranks' sessions, and we begin again. */
static void nonsense(struct vmhome *v, uint32_t type, uint32_t slot,
		     const void *body, size_t bytes)
{
	struct fakerank r;
	uint32_t sid = vmhome_attach(v, &r, 3);

	vmhome_say(v, type, sid, slot, body, bytes);
	expect_error(&r, EPROTO, "makes no sense");
	begins_again(v);
	/* Its process lives on: the host hears of both. */
	assert_int_equal(v->nknown, 1);
	assert_int_equal(v->known[0], sid);
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_CLOSED);
	assert_int_equal(v->f.head.sid, sid);
	/* It says that it knows of no such rank. */
	vmhome_say(v, SNOO_CTL_END, sid, SNOO_CTL_NO_SLOT, NULL, 0);
	vmhome_settle(v);
	v->g->sessions->exited = true;
	vmhome_say(v, SNOO_CTL_END, sid, SNOO_CTL_NO_SLOT, NULL, 0);
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_EXITED);
	vmhome_settle(v);
	assert_null(v->g->sessions);
	fakerank_close(&r);
}

static void test_nonsense_of_the_host_ends_the_session(void **state)
{
	struct vmhome *v = *state;
	struct snoo_wire_head head = { SNOO_WIRE_START, 16 };
	struct { struct snoo_wire_head head; uint32_t w[4]; } bells = {
		.head = { SNOO_WIRE_BELLS, 24 },
	}, hello = { .head = { SNOO_WIRE_HELLO, 24 } };
	struct snoo_wire_start start = {
		.head = { SNOO_WIRE_START, sizeof(start) },
	};
	struct snoo_wire_welcome w;

	vmhome_live(v);
	/* lengths that do not agree; nothing at all */
	nonsense(v, SNOO_CTL_MSG, 3, &head, sizeof(head));
	nonsense(v, SNOO_CTL_MSG, 3, NULL, 0);
	/* types that are not the host's to say */
	nonsense(v, SNOO_CTL_MSG, 3, &bells, sizeof(bells));
	nonsense(v, SNOO_CTL_MSG, 3, &hello, sizeof(hello));
	/* a slot that the pool does not have */
	nonsense(v, SNOO_CTL_MSG, VMHOME_RANKS, &start, sizeof(start));
	/* WELCOME into another slot, or a pool of another size */
	vmhome_wire_welcome(&w, 0, 4);
	nonsense(v, SNOO_CTL_MSG, 3, &w, sizeof(w));
	vmhome_wire_welcome(&w, 0, 3);
	w.pool_bytes *= 2;
	nonsense(v, SNOO_CTL_MSG, 3, &w, sizeof(w));
	nonsense(v, SNOO_CTL_END, SNOO_CTL_NO_SLOT, &head, sizeof(head));
	nonsense(v, SNOO_CTL_WELCOME, SNOO_CTL_NO_SLOT, &head, sizeof(head));
}

static void test_the_host_s_next_daemon_may_welcome_again(void **state)
{
	struct vmhome *v = *state;
	struct snoo_ctl_welcome w;
	uint32_t sessions;

	vmhome_live(v);
	w = v->g->link.welcome;
	sessions = v->g->link.sessions;
	vmhome_say(v, SNOO_CTL_WELCOME, 0, SNOO_CTL_NO_SLOT, &w.frame + 1,
		   sizeof(w) - sizeof(w.frame));
	vmhome_settle(v);
	assert_int_equal(v->g->link.state, GUEST_LINK_LIVE);
	assert_int_equal(v->g->link.sessions, sessions);
	/* Not as another VM. */
	w.slot++;
	nonsense(v, SNOO_CTL_WELCOME, SNOO_CTL_NO_SLOT, &w.frame + 1,
		 sizeof(w) - sizeof(w.frame));
}

static void test_a_frame_before_welcome_ends_the_session(void **state)
{
	struct vmhome *v = *state;

	vmhome_greeted(v);
	vmhome_say(v, SNOO_CTL_END, 1, SNOO_CTL_NO_SLOT, NULL, 0);
	vmhome_settle(v);
	begins_again(v);
}

static void test_frames_of_unknown_types_are_dropped(void **state)
{
	struct vmhome *v = *state;

	vmhome_live(v);
	vmhome_say(v, 191, 1, 2, "12345678", 8);
	vmhome_say(v, 100000, 1, 2, NULL, 0);
	vmhome_settle(v);
	assert_int_equal(v->g->link.state, GUEST_LINK_LIVE);
}

/* Whatever stands in the memory, and whoever wrote it there. */
static void test_scribbled_memory_is_put_right_by_the_next_session(
	void **state)
{
	struct vmhome *v = *state;
	struct fakerank r;

	vmhome_live(v);
	vmhome_attach(v, &r, 3);
	memset((void *)v->link.mem, 0xa5, SNOO_CTL_BYTES);
	vmhome_bell(v);
	expect_error(&r, EPROTO, "makes no sense");
	fakerank_close(&r);
	begins_again(v);
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_CLOSED);
	vmhome_attach(v, &r, 4);
	fakerank_close(&r);
}

static void test_a_cut_ends_all_sessions(void **state)
{
	struct vmhome *v = *state;
	struct fakerank r;

	vmhome_live(v);
	vmhome_attach(v, &r, 3);
	shm_link_cut(&v->link);
	vmhome_bell(v);
	expect_error(&r, ECONNRESET, "has cut this VM off");
	begins_again(v);
	fakerank_close(&r);
}

static void test_evicted_by_name_ranks_hear_why(void **state)
{
	struct vmhome *v = *state;
	struct snoo_ctl_error e = { .error = EPERM };
	struct fakerank r;

	/* Not terminated: cut where the field ends. */
	memset(e.text, 'x', sizeof(e.text));
	vmhome_live(v);
	vmhome_attach(v, &r, 3);
	shm_link_cut(&v->link);
	vmhome_say(v, SNOO_CTL_ERROR, 0, SNOO_CTL_NO_SLOT, &e.frame + 1,
		   sizeof(e) - sizeof(e.frame));
	expect_error(&r, EPERM, "xxxxx");
	fakerank_close(&r);
	begins_again(v);
}

/* ---- room ---- */

static void test_a_full_ring_stops_the_reading_and_loses_nothing(void **state)
{
	struct vmhome *v = *state;
	struct fakerank r;
	uint32_t sid, sent = 0, heard = 0;

	vmhome_live(v);
	sid = vmhome_attach(v, &r, 3);
	/* The host does not read: the ring fills, then the socket. */
	for (;;) {
		struct snoo_wire_ack m = {
			.head = { SNOO_WIRE_ACK, sizeof(m) }, .gone = sent,
		};

		if (send(r.fd, &m, sizeof(m), MSG_DONTWAIT) < 0) {
			vmhome_settle(v);
			if (v->g->sessions->paused)
				break;
			continue;
		}
		sent++;
		vmhome_step(v);
	}
	assert_int_equal(errno, EAGAIN);
	assert_true(sent > SNOO_CTL_RING / 40);
	/* Its end waits for its turn too. */
	fakerank_close(&r);
	vmhome_settle(v);
	while (vmhome_hear(v, true) == SNOO_CTL_MSG) {
		const struct snoo_wire_ack *m = (const void *)(&v->f.head + 1);

		assert_int_equal(v->f.head.sid, sid);
		assert_int_equal(v->f.head.length, 16 + sizeof(*m));
		assert_int_equal(m->gone, heard++);
	}
	assert_int_equal(heard, sent);
	assert_int_equal(v->f.head.type, SNOO_CTL_CLOSED);
}

static void test_a_rank_that_does_not_read_is_cut_off_alone(void **state)
{
	struct vmhome *v = *state;
	struct snoo_wire_start m = {
		.head = { SNOO_WIRE_START, sizeof(m) }, .size = 2,
	};
	struct fakerank deaf, other;
	uint32_t sid, good;
	uint32_t type = 0;

	vmhome_live(v);
	sid = vmhome_attach(v, &deaf, 3);
	good = vmhome_attach(v, &other, 4);
	for (int i = 0; i < 5000 && type == 0; i++) {
		vmhome_msg(v, sid, 3, &m);
		vmhome_step(v);
		if (shm_link_peek(&v->link, &v->f) > 0)
			type = vmhome_hear(v, true);
	}
	assert_int_equal(type, SNOO_CTL_CLOSED);
	assert_int_equal(v->f.head.sid, sid);
	vmhome_msg(v, good, 4, &m);
	assert_int_equal(fakerank_until(&other, SNOO_WIRE_START),
			 SNOO_WIRE_START);
	fakerank_close(&deaf);
	fakerank_close(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_hello_says_what_the_vm_is),
		T(test_a_silent_host_is_waited_for),
		T(test_a_refusal_is_told_to_who_asks_and_tried_again),
		T(test_a_welcome_that_does_not_fit_the_devices_is_not_believed),
		T(test_nonsense_of_the_host_ends_the_session),
		T(test_the_host_s_next_daemon_may_welcome_again),
		T(test_a_frame_before_welcome_ends_the_session),
		T(test_frames_of_unknown_types_are_dropped),
		T(test_scribbled_memory_is_put_right_by_the_next_session),
		T(test_a_cut_ends_all_sessions),
		T(test_evicted_by_name_ranks_hear_why),
		T(test_a_full_ring_stops_the_reading_and_loses_nothing),
		T(test_a_rank_that_does_not_read_is_cut_off_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
