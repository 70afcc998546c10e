/* SPDX-License-Identifier: MIT */
/* test_guest_session.c - processes of a VM: what they may say, what passes on */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/guest_session.h"
#include "shm/wake.h"
#include "tests/lib/vmhome.h"

static int open_with(void **state, const char *const *sets)
{
	struct vmhome *v = malloc(sizeof(*v));

	vmhome_open(v, sets);
	vmhome_live(v);
	*state = v;
	return 0;
}

static int setup(void **state)
{
	return open_with(state, NULL);
}

static int setup_hasty(void **state)
{
	static const char *const sets[] = {
		"limits.handshake_ms=150", "limits.handshakes_per_uid=1",
		"domains.default.ranks_max=4",
		"domains.default.job_ranks_max=4", NULL,
	};

	return open_with(state, sets);
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

static void expect(struct vmhome *v, uint32_t type, uint32_t sid)
{
	assert_int_equal(vmhome_hear(v, true), type);
	assert_int_equal(v->f.head.sid, sid);
}

/* ---- joining ---- */

static void test_join_carries_hello_and_who_says_it(void **state)
{
	struct vmhome *v = *state;
	const struct snoo_wire_hello *h = (const void *)(&v->f.join + 1);
	struct fakerank r;

	vmhome_hello(v, &r, "a.job");
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_JOIN);
	assert_int_equal(v->f.head.length, sizeof(v->f.join) + sizeof(*h));
	assert_int_not_equal(v->f.head.sid, 0);
	assert_int_equal(v->f.join.uid, getuid());
	assert_int_equal(v->f.join.gid, getgid());
	assert_int_equal(v->f.join.pid, getpid());
	assert_true(v->f.join.vcpu >= 0);
	assert_string_equal(h->name, "a.job");
	assert_int_equal(h->size, 2);
	fakerank_close(&r);
}

static void test_welcome_is_completed_with_what_the_guest_knows(void **state)
{
	struct vmhome *v = *state;
	struct fakerank r;
	int32_t vcpu;

	v->sh.costs = (struct costs){ .wake_ns = 30000, .yield_ns = 3000,
				      .hand_ns = 5000 };
	vmhome_attach(v, &r, 3);
	vcpu = v->g->sessions->seat.cpu;
	/* To wake who sleeps costs more in a VM. */
	assert_int_equal(r.welcome.wake_ns, 30000);
	assert_int_equal(r.welcome.yield_ns, 3000);
	assert_int_equal(r.welcome.hand_ns, 5000);
	assert_int_equal(r.welcome.spin_ns, 120000);
	assert_int_equal(r.welcome.slot, 3);
	assert_int_equal(r.welcome.core, vcpu);
	assert_int_equal(r.welcome.cores, topo_cores(v->sh.topo));
	assert_int_equal(r.welcome.map_offset, 0);
	assert_int_equal(r.welcome.map_skip, 0);
	/* The pool came with it: the same that the host has. */
	assert_non_null(r.slot);
	assert_int_equal(r.slot->news, 1);
	assert_int_equal(shm_region_rank(&v->region, 3)->news, 1);
	assert_int_equal(place_total(v->sh.place), 1);
	fakerank_close(&r);
	vmhome_settle(v);
	assert_int_equal(place_total(v->sh.place), 0);
}

static void test_hello_that_is_wrong_never_reaches_the_host(void **state)
{
	struct vmhome *v = *state;
	struct snoo_wire_hello h;
	struct fakerank r;

	vmhome_rank(v, &r);
	assert_int_equal(fakerank_connect(&r, v->path), 0);
	fakerank_hello_init(&h, "../etc", 0, 0, 1);
	fakerank_send(&r, &h, sizeof(h));
	expect_error(&r, EINVAL, "name");
	fakerank_close(&r);

	/* A library that would ignore map_offset. */
	assert_int_equal(fakerank_connect(&r, v->path), 0);
	fakerank_hello_init(&h, "job", 0, 0, 1);
	h.minor = 1;
	fakerank_send(&r, &h, sizeof(h));
	expect_error(&r, EPROTONOSUPPORT, "virtual machines");
	fakerank_close(&r);
	assert_int_equal(vmhome_hear(v, false), 0);
}

static void test_a_host_that_refuses_a_rank_is_quoted(void **state)
{
	struct vmhome *v = *state;
	struct snoo_wire_error e = {
		.head = { SNOO_WIRE_ERROR, sizeof(e) }, .error = ENOSPC,
		.text = "the domain is full",
	};
	struct fakerank r;
	uint32_t sid;

	vmhome_hello(v, &r, "job");
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_JOIN);
	sid = v->f.head.sid;
	vmhome_msg(v, sid, SNOO_CTL_NO_SLOT, &e);
	vmhome_say(v, SNOO_CTL_END, sid, SNOO_CTL_NO_SLOT, NULL, 0);
	expect_error(&r, ENOSPC, "the domain is full");
	/* It never was a rank: nothing is owed. */
	assert_int_equal(vmhome_hear(v, false), 0);
	assert_null(v->g->sessions);
	fakerank_close(&r);
}

static void test_hello_and_pinned_have_a_deadline(void **state)
{
	struct vmhome *v = *state;
	struct snoo_wire_welcome w;
	struct fakerank silent, r;
	uint32_t sid;

	vmhome_rank(v, &silent);
	assert_int_equal(fakerank_connect(&silent, v->path), 0);
	expect_error(&silent, ETIMEDOUT, "no HELLO");
	fakerank_close(&silent);

	vmhome_hello(v, &r, "job");
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_JOIN);
	sid = v->f.head.sid;
	/* While the host is silent none runs. */
	for (int i = 0; i < 250; i++) {
		vmhome_step(v);
		usleep(1000);
	}
	assert_int_equal(fakerank_recv(&r, false), -EAGAIN);
	vmhome_wire_welcome(&w, 0, 2);
	vmhome_msg(v, sid, 2, &w);
	expect_error(&r, ETIMEDOUT, "WELCOME was not answered");
	expect(v, SNOO_CTL_CLOSED, sid);
	fakerank_close(&r);
}

static void test_one_uid_is_served_one_after_the_other(void **state)
{
	struct vmhome *v = *state;
	struct snoo_wire_welcome w;
	struct fakerank first, second;
	uint32_t sid;

	vmhome_hello(v, &first, "job");
	vmhome_settle(v);
	vmhome_hello(v, &second, "job");
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_JOIN);
	sid = v->f.head.sid;
	vmhome_wire_welcome(&w, 0, 2);
	vmhome_msg(v, sid, 2, &w);
	assert_int_equal(vmhome_hear(v, false), 0);
	assert_int_equal(fakerank_until(&first, SNOO_WIRE_WELCOME),
			 SNOO_WIRE_WELCOME);
	fakerank_pinned(&first);
	expect(v, SNOO_CTL_MSG, sid);
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_JOIN);
	assert_int_equal(v->f.head.sid, sid + 1);
	fakerank_close(&first);
	fakerank_close(&second);
}

static void test_no_more_of_one_uid_wait_than_there_are_ranks(void **state)
{
	struct vmhome *v = *state;
	struct fakerank r[VMHOME_RANKS + 2];

	/* One is with the host, the others wait. */
	for (unsigned int i = 0; i < VMHOME_RANKS + 2; i++) {
		vmhome_hello(v, &r[i], "job");
		vmhome_settle(v);
	}
	expect_error(&r[VMHOME_RANKS + 1], EAGAIN, "wait");
	assert_int_equal(fakerank_recv(&r[VMHOME_RANKS], false), -EAGAIN);
	for (unsigned int i = 0; i < VMHOME_RANKS + 2; i++)
		fakerank_close(&r[i]);
}

/* ---- messages ---- */

static void test_messages_pass_byte_for_byte_both_ways(void **state)
{
	struct vmhome *v = *state;
	struct { struct snoo_wire_head head; unsigned char data[300]; } m;
	struct { struct snoo_wire_head head; unsigned char data[4088]; } big;
	struct fakerank r;
	uint32_t sid;

	sid = vmhome_attach(v, &r, 3);
	memset(m.data, 0x5a, sizeof(m.data));
	m.head.type = SNOO_WIRE_STATE;
	m.head.length = sizeof(m);
	assert_int_equal(fakerank_send(&r, &m, sizeof(m)), 0);
	expect(v, SNOO_CTL_MSG, sid);
	assert_int_equal(v->f.head.length, 16 + sizeof(m));
	assert_memory_equal(v->f.bytes + 16, &m, sizeof(m));

	memset(big.data, 0xa5, sizeof(big.data));
	big.head.type = SNOO_WIRE_GRANT;
	big.head.length = sizeof(big);
	vmhome_msg(v, sid, 3, &big);
	assert_int_equal(recv(r.fd, &r.msg, sizeof(r.msg), MSG_DONTWAIT), -1);
	vmhome_settle(v);
	assert_int_equal(recv(r.fd, &r.msg, sizeof(r.msg), MSG_DONTWAIT),
			 sizeof(big));
	assert_memory_equal(&r.msg, &big, sizeof(big));
	/* Its number is behind that of BELLS, which never comes like this. */
	big.head.type = SNOO_WIRE_LENT;
	vmhome_msg(v, sid, 3, &big);
	vmhome_settle(v);
	assert_int_equal(recv(r.fd, &r.msg, sizeof(r.msg), MSG_DONTWAIT),
			 sizeof(big));
	assert_memory_equal(&r.msg, &big, sizeof(big));
	fakerank_close(&r);
}

static void wrong(struct vmhome *v, const void *msg, size_t bytes, int error,
		  const char *text)
{
	struct fakerank r, other;
	uint32_t sid, good;

	good = vmhome_attach(v, &other, 4);
	sid = vmhome_attach(v, &r, 3);
	assert_int_equal(fakerank_send(&r, msg, bytes), 0);
	expect_error(&r, error, text);
	expect(v, SNOO_CTL_CLOSED, sid);
	/* The other one's goes on. */
	fakerank_ack(&other, 1);
	expect(v, SNOO_CTL_MSG, good);
	fakerank_close(&r);
	fakerank_close(&other);
	expect(v, SNOO_CTL_CLOSED, good);
	vmhome_say(v, SNOO_CTL_END, sid, 0, NULL, 0);
	vmhome_settle(v);
}

static void test_a_message_that_is_no_message_ends_that_session_alone(
	void **state)
{
	struct vmhome *v = *state;
	static unsigned char huge[SNOO_WIRE_MAX + 8];
	struct snoo_wire_head head = { SNOO_WIRE_NEED, 24 };
	struct snoo_wire_hello h;
	struct { struct snoo_wire_head head; uint32_t w; } ring = {
		.head = { SNOO_WIRE_RING, sizeof(ring) },
	};

	wrong(v, "abc", 3, EPROTO, "3 bytes");
	wrong(v, &head, sizeof(head), EPROTO, "says it has 24");
	memcpy(huge, &head, sizeof(head));
	wrong(v, huge, sizeof(huge), EMSGSIZE, "more than");
	fakerank_hello_init(&h, "job", 0, 0, 1);
	wrong(v, &h, sizeof(h), EPROTO, "state \"attached\"");
	wrong(v, &ring, sizeof(ring), EPROTO, "RING has 12");
}

static void test_pinned_moves_the_seat_and_is_passed_on(void **state)
{
	struct vmhome *v = *state;
	struct snoo_wire_pinned m = {
		.head = { SNOO_WIRE_PINNED, sizeof(m) }, .core = -1,
		.error = EPERM,
	};
	struct fakerank r;
	uint32_t sid = vmhome_attach(v, &r, 3);

	assert_int_equal(place_unpinned(v->sh.place), 0);
	fakerank_send(&r, &m, sizeof(m));
	expect(v, SNOO_CTL_MSG, sid);
	assert_memory_equal(v->f.bytes + 16, &m, sizeof(m));
	assert_int_equal(place_unpinned(v->sh.place), 1);
	/* Nonsense is nowhere, and does no harm. */
	m.core = 1 << 30;
	fakerank_send(&r, &m, sizeof(m));
	expect(v, SNOO_CTL_MSG, sid);
	assert_int_equal(place_unpinned(v->sh.place), 1);
	fakerank_close(&r);
}

/* ---- news ---- */

static void test_a_sleeper_is_woken_by_its_vector_alone(void **state)
{
	struct vmhome *v = *state;
	struct snoo_ctl_bells bells = { .vector = 2 };
	struct snoo_wire_start start = {
		.head = { SNOO_WIRE_START, sizeof(start) },
	};
	struct snoo_wire_gone gone = {
		.head = { SNOO_WIRE_GONE, sizeof(gone) },
	};
	struct fakerank r;
	uint32_t sid = vmhome_attach(v, &r, 3);

	vmhome_say(v, SNOO_CTL_BELLS, sid, SNOO_CTL_NO_SLOT, &bells.frame + 1,
		   sizeof(bells) - sizeof(bells.frame));
	vmhome_settle(v);
	/* It polls: its news say so, and no bell is rung. */
	vmhome_msg(v, sid, 3, &start);
	vmhome_settle(v);
	assert_int_equal(r.slot->news, 3);
	assert_int_equal(vmhome_rung(v, FAKEHOST_SLOT, 2), 0);
	/* It sleeps. */
	shm_wake_arm(r.slot, SNOO_ABI_ASLEEP_EVENTFD, 1);
	vmhome_msg(v, sid, 3, &start);
	vmhome_settle(v);
	assert_int_equal(r.slot->news, 4);
	assert_int_equal(vmhome_rung(v, FAKEHOST_SLOT, 2), 1);
	/* Who may have lost a ringer is rung whatever it does. */
	shm_wake_arm(r.slot, SNOO_ABI_POLLING, 0);
	vmhome_msg(v, sid, 3, &gone);
	vmhome_settle(v);
	assert_int_equal(vmhome_rung(v, FAKEHOST_SLOT, 2), 1);
	assert_int_equal(vmhome_rung(v, FAKEHOST_SLOT, 1), 0);
	fakerank_close(&r);
}

/* ---- the end ---- */

static void test_last_words_then_closed(void **state)
{
	struct vmhome *v = *state;
	struct fakerank r;
	uint32_t sid = vmhome_attach(v, &r, 3);

	fakerank_ack(&r, 1);
	fakerank_ack(&r, 2);
	fakerank_close(&r);
	expect(v, SNOO_CTL_MSG, sid);
	expect(v, SNOO_CTL_MSG, sid);
	expect(v, SNOO_CTL_CLOSED, sid);
	/* Its process lives: it may still touch the pool. */
	assert_int_equal(vmhome_hear(v, false), 0);
	assert_int_equal(v->g->sessions->state, GUEST_SESSION_CLOSED);
}

static void test_who_left_properly_is_forgotten_when_it_closes(void **state)
{
	struct vmhome *v = *state;
	struct snoo_wire_plain bye = {
		.head = { SNOO_WIRE_BYE, sizeof(bye) },
	};
	struct fakerank r;
	uint32_t sid = vmhome_attach(v, &r, 3);

	fakerank_send_plain(&r, SNOO_WIRE_LEAVE);
	expect(v, SNOO_CTL_MSG, sid);
	vmhome_msg(v, sid, 3, &bye);
	assert_int_equal(fakerank_until(&r, SNOO_WIRE_BYE), SNOO_WIRE_BYE);
	fakerank_close(&r);
	expect(v, SNOO_CTL_CLOSED, sid);
	vmhome_settle(v);
	assert_null(v->g->sessions);
}

/* A process of its own: it says HELLO, ACK when it is told to, and hangs. */
static pid_t child_rank(struct vmhome *v, int *order)
{
	int p[2];
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		struct snoo_wire_hello h;
		struct fakerank r;
		char c;

		fakerank_init(&r, NULL, NULL);
		fakerank_connect(&r, v->path);
		fakerank_hello_init(&h, "job", 0, -1, 2);
		fakerank_send(&r, &h, sizeof(h));
		fakerank_until(&r, SNOO_WIRE_WELCOME);
		fakerank_pinned(&r);
		if (read(p[0], &c, 1) == 1)
			fakerank_ack(&r, 5);
		raise(SIGKILL);
	}
	close(p[0]);
	*order = p[1];
	return pid;
}

static void test_a_killed_process_says_its_last_words_closed_and_exited(
	void **state)
{
	struct vmhome *v = *state;
	struct snoo_wire_welcome w;
	int order;
	pid_t pid = child_rank(v, &order);
	uint32_t sid;

	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_JOIN);
	assert_int_equal(v->f.join.pid, pid);
	sid = v->f.head.sid;
	vmhome_wire_welcome(&w, 0, 2);
	vmhome_msg(v, sid, 2, &w);
	expect(v, SNOO_CTL_MSG, sid);
	assert_int_equal(write(order, "x", 1), 1);
	expect(v, SNOO_CTL_MSG, sid);
	expect(v, SNOO_CTL_CLOSED, sid);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	expect(v, SNOO_CTL_EXITED, sid);
	vmhome_settle(v);
	assert_null(v->g->sessions);
	close(order);
}

/* A process that has connected @fd, which we say everything by. */
static pid_t child_of_socket(struct vmhome *v, int fd)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		memcpy(a.sun_path, v->path, strnlen(v->path, 107));
		while (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			pause();
		_exit(1);
	}
	return pid;
}

/* Others may have its end of the socket, and go on for ever. */
static void test_a_process_that_has_ended_says_no_more(void **state)
{
	struct vmhome *v = *state;
	struct snoo_wire_ack ack = {
		.head = { SNOO_WIRE_ACK, sizeof(ack) },
	};
	struct snoo_wire_welcome w;
	struct snoo_wire_hello h;
	struct fakerank r;
	uint32_t sid, type, n = 0;
	pid_t pid;

	vmhome_rank(v, &r);
	r.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	pid = child_of_socket(v, r.fd);
	for (int i = 0; i < 5000 && !v->g->sessions; i++) {
		usleep(1000);
		vmhome_step(v);
	}
	fakerank_hello_init(&h, "job", 0, -1, 2);
	assert_int_equal(fakerank_send(&r, &h, sizeof(h)), 0);
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_JOIN);
	assert_int_equal(v->f.join.pid, pid);
	sid = v->f.head.sid;
	vmhome_wire_welcome(&w, 0, 2);
	vmhome_msg(v, sid, 2, &w);
	assert_int_equal(fakerank_until(&r, SNOO_WIRE_WELCOME),
			 SNOO_WIRE_WELCOME);
	fakerank_pinned(&r);
	/* The host does not read: what it says stays in the socket. */
	while (!v->g->sessions->paused) {
		send(r.fd, &ack, sizeof(ack), MSG_DONTWAIT | MSG_NOSIGNAL);
		vmhome_step(v);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	vmhome_settle(v);
	/* Now it does, and we are never silent. */
	do {
		while (send(r.fd, &ack, sizeof(ack),
			    MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			;
		type = vmhome_hear(v, true);
	} while (type == SNOO_CTL_MSG && ++n < 2 * SNOO_CTL_RING / 32);
	assert_int_equal(type, SNOO_CTL_CLOSED);
	expect(v, SNOO_CTL_EXITED, sid);
	fakerank_close(&r);
}

static void test_end_hangs_up_after_what_was_said_before(void **state)
{
	struct vmhome *v = *state;
	struct snoo_wire_error e = {
		.head = { SNOO_WIRE_ERROR, sizeof(e) }, .error = EPROTO,
		.text = "an ACK of the future",
	};
	struct fakerank r;
	uint32_t sid = vmhome_attach(v, &r, 3);

	vmhome_msg(v, sid, 3, &e);
	vmhome_say(v, SNOO_CTL_END, sid, SNOO_CTL_NO_SLOT, NULL, 0);
	expect_error(&r, EPROTO, "an ACK of the future");
	/* The host has hung up: it knows. */
	assert_int_equal(vmhome_hear(v, false), 0);
	/* What crosses it is for nobody. */
	vmhome_msg(v, sid, 3, &e);
	vmhome_settle(v);
	assert_int_equal(v->g->link.state, GUEST_LINK_LIVE);
	fakerank_close(&r);
}

static void test_silent_connections_of_one_uid_are_bounded(void **state)
{
	struct vmhome *v = *state;
	int fd[GUEST_NEW_MAX + 8];
	struct fakerank r;
	unsigned int n = 0;
	char c;

	for (unsigned int i = 0; i < GUEST_NEW_MAX + 8; i++) {
		vmhome_rank(v, &r);
		assert_int_equal(fakerank_connect(&r, v->path), 0);
		fd[i] = r.fd;
		vmhome_step(v);
	}
	vmhome_settle(v);
	for (struct guest_session *s = v->g->sessions; s; s = s->next)
		n++;
	assert_int_equal(n, GUEST_NEW_MAX);
	/* The oldest ones were told. */
	assert_true(recv(fd[0], &c, 1, MSG_DONTWAIT) > 0);
	for (unsigned int i = 0; i < GUEST_NEW_MAX + 8; i++)
		close(fd[i]);
	vmhome_settle(v);
	assert_null(v->g->sessions);
}

static void test_a_daemon_that_stops_says_so_to_both(void **state)
{
	struct vmhome *v = *state;
	struct fakerank r;
	uint32_t sid = vmhome_attach(v, &r, 3);

	guest_session_stop(v->g);
	assert_int_equal(fakerank_recv(&r, true), SNOO_WIRE_ERROR);
	assert_int_equal(r.error.error, ESHUTDOWN);
	expect(v, SNOO_CTL_CLOSED, sid);
	fakerank_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define HASTY(name) cmocka_unit_test_setup_teardown(name, setup_hasty, teardown)
		T(test_join_carries_hello_and_who_says_it),
		T(test_welcome_is_completed_with_what_the_guest_knows),
		T(test_hello_that_is_wrong_never_reaches_the_host),
		T(test_a_host_that_refuses_a_rank_is_quoted),
		HASTY(test_hello_and_pinned_have_a_deadline),
		HASTY(test_one_uid_is_served_one_after_the_other),
		HASTY(test_no_more_of_one_uid_wait_than_there_are_ranks),
		T(test_messages_pass_byte_for_byte_both_ways),
		T(test_a_message_that_is_no_message_ends_that_session_alone),
		T(test_pinned_moves_the_seat_and_is_passed_on),
		T(test_a_sleeper_is_woken_by_its_vector_alone),
		T(test_last_words_then_closed),
		T(test_who_left_properly_is_forgotten_when_it_closes),
		T(test_a_killed_process_says_its_last_words_closed_and_exited),
		T(test_a_process_that_has_ended_says_no_more),
		T(test_end_hangs_up_after_what_was_said_before),
		T(test_silent_connections_of_one_uid_are_bounded),
		T(test_a_daemon_that_stops_says_so_to_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
