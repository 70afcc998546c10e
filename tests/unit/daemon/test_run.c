/* SPDX-License-Identifier: MIT */
/* test_run.c - programs in VMs, the host's end: who may, what passes, ends */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/vm.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/home.h"

#define WORDS	"/bin/x\0-v\0SNOO_RANK=1"	/* 2 arguments, 1 variable */
#define TURNS	2000

static const char *const sets[] = {
	"domains.default.ivshmem.slots=3",
	"domains.default.ivshmem.vectors=4",
	"domains.default.admins.uids=[65533]",
	NULL,
};

union message {
	struct snoo_wire_head head;
	struct snoo_wire_run run;
	struct snoo_wire_started started;
	struct snoo_wire_finished finished;
	struct snoo_wire_data data;
	struct snoo_wire_credit credit;
	struct snoo_wire_signal signal;
	unsigned char bytes[SNOO_WIRE_MAX];
};

static int setup(void **state)
{
	struct home *h = malloc(sizeof(*h));

	*state = h;
	return home_open(h, sets);
}

static int teardown(void **state)
{
	home_close(*state);
	free(*state);
	return 0;
}

/* ---- the VM ---- */

static void live(struct home *h, struct fakevm *v, uint32_t runs)
{
	fakevm_init(v, home_step, h);
	assert_int_equal(fakevm_attach(v, h->d->conf->ivshmem.socket.path,
				       h->d->conf->ivshmem.control_path), 0);
	v->hello.runs = runs;
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
}

/* The frame that came last, of @type of its own struct. */
#define HEARD(v, type)	((const type *)(const void *)&(v)->in)

static uint32_t hear_run(struct fakevm *v)
{
	assert_int_equal(fakevm_until(v, SNOO_CTL_RUN), SNOO_CTL_RUN);
	return v->in.f.sid;
}

static void send_pid(struct fakevm *v, uint32_t sid)
{
	uint32_t body[2] = { 4711, 1000 };

	assert_int_equal(fakevm_send(v, SNOO_CTL_STARTED, sid, body,
				     sizeof(body)), 0);
}

static void send_data(struct fakevm *v, uint32_t sid, uint32_t stream,
		      uint32_t offset, uint32_t n)
{
	struct {
		struct snoo_ctl_data data;
		char bytes[SNOO_CTL_DATA_MAX];
	} m = { .data = { .stream = stream, .bytes = n, .offset = offset } };

	for (uint32_t i = 0; i < n; i++)
		m.bytes[i] = (char)(offset + i);
	assert_int_equal(fakevm_send(v, SNOO_CTL_DATA, sid,
				     &m.data.frame + 1, sizeof(m.data) + n -
				     sizeof(m.data.frame)), 0);
}

static void send_credit(struct fakevm *v, uint32_t sid, uint32_t stream,
			uint32_t total)
{
	uint32_t body[2] = { stream, total };

	assert_int_equal(fakevm_send(v, SNOO_CTL_CREDIT, sid, body,
				     sizeof(body)), 0);
}

static void send_end(struct fakevm *v, uint32_t sid, int error, int status,
		     const char *text)
{
	struct snoo_ctl_run_end m = { .error = error, .status = status };

	snprintf(m.text, sizeof(m.text), "%s", text);
	assert_int_equal(fakevm_send(v, SNOO_CTL_FINISHED, sid,
				     &m.frame + 1, sizeof(m) -
				     sizeof(m.frame)), 0);
}

/* ---- the client ---- */

static int dial(struct home *h)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%.100s", h->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void say(int fd, void *msg, uint32_t type, size_t bytes)
{
	struct snoo_wire_head *head = msg;

	*head = (struct snoo_wire_head){ type, (uint32_t)bytes };
	assert_int_equal(send(fd, msg, bytes, MSG_NOSIGNAL), bytes);
}

static void make_run(union message *m, const char *vm)
{
	memset(m, 0, sizeof(*m));
	m->run.magic = SNOO_WIRE_MAGIC;
	m->run.major = SNOO_WIRE_MAJOR;
	m->run.argc = 2;
	m->run.envc = 1;
	m->run.bytes = sizeof(WORDS);
	snprintf(m->run.vm, sizeof(m->run.vm), "%s", vm);
	memcpy(m->bytes + sizeof(m->run), WORDS, sizeof(WORDS));
}

static int ask(struct home *h, const char *vm)
{
	int fd = dial(h);
	union message m;

	make_run(&m, vm);
	say(fd, &m, SNOO_WIRE_RUN, sizeof(m.run) + sizeof(WORDS));
	return fd;
}

/* The next message, 0: end of file. */
static uint32_t hear(struct home *h, int fd, union message *m)
{
	for (int i = 0; i < TURNS; i++) {
		ssize_t n = recv(fd, m, sizeof(*m), MSG_DONTWAIT);

		if (n == 0)
			return 0;
		if (n > 0) {
			assert_int_equal(m->head.length, n);
			return m->head.type;
		}
		home_step(h);
		poll(NULL, 0, 1);
	}
	fail_msg("the daemon says nothing");
	return 0;
}

static void hear_nothing(struct home *h, int fd)
{
	union message m;

	home_settle(h);
	assert_int_equal(recv(fd, &m, sizeof(m), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void expect_refused(struct home *h, int fd, int error,
			   const char *words)
{
	union message m;

	assert_int_equal(hear(h, fd, &m), SNOO_WIRE_FINISHED);
	if (m.finished.error != error || !strstr(m.finished.text, words))
		fail_msg("%d \"%s\", not %d \"%s\"", m.finished.error,
			 m.finished.text, error, words);
	assert_int_equal(hear(h, fd, &m), 0);
	close(fd);
}

/* A run that has started; its client's socket. */
static int begun(struct home *h, struct fakevm *v, uint32_t *sid)
{
	int fd = ask(h, "vm-1");
	union message m;

	*sid = hear_run(v);
	send_pid(v, *sid);
	assert_int_equal(hear(h, fd, &m), SNOO_WIRE_STARTED);
	return fd;
}

/* ---- what passes ---- */

static void test_a_program_from_its_start_to_its_end(void **state)
{
	struct home *h = *state;
	const struct snoo_ctl_run *q;
	struct fakevm v;
	union message m;
	uint32_t sid;
	int fd;

	live(h, &v, 1);
	fd = ask(h, "vm-1");
	sid = hear_run(&v);
	q = HEARD(&v, struct snoo_ctl_run);
	assert_int_equal(q->uid, geteuid());
	assert_int_equal(q->argc, 2);
	assert_int_equal(q->envc, 1);
	assert_int_equal(q->bytes, sizeof(WORDS));
	assert_memory_equal(q + 1, WORDS, sizeof(WORDS));

	send_pid(&v, sid);
	assert_int_equal(hear(h, fd, &m), SNOO_WIRE_STARTED);
	assert_int_equal(m.started.pid, 4711);
	assert_int_equal(m.started.uid, 1000);
	send_data(&v, sid, SNOO_CTL_ERR, 0, 3);
	assert_int_equal(hear(h, fd, &m), SNOO_WIRE_DATA);
	assert_int_equal(m.data.stream, SNOO_WIRE_ERR);
	assert_int_equal(m.data.bytes, 3);
	m.credit = (struct snoo_wire_credit){ .stream = SNOO_WIRE_ERR,
					      .bytes = 3 };
	say(fd, &m, SNOO_WIRE_CREDIT, sizeof(m.credit));
	assert_int_equal(fakevm_until(&v, SNOO_CTL_CREDIT), SNOO_CTL_CREDIT);
	assert_int_equal(HEARD(&v, struct snoo_ctl_credit)->total, 3);
	send_end(&v, sid, 0, 0x200, "");
	assert_int_equal(hear(h, fd, &m), SNOO_WIRE_FINISHED);
	assert_int_equal(m.finished.error, 0);
	assert_int_equal(m.finished.status, 0x200);
	assert_int_equal(hear(h, fd, &m), 0);
	close(fd);
	home_settle(h);
	assert_null(h->d->runs);
	fakevm_close(&v);
}

static void test_an_error_that_is_no_errno_is_a_broken_contract(void **state)
{
	static const int errors[] = { INT_MIN, -2 };
	struct home *h = *state;
	struct fakevm v;
	union message m;
	int fd;

	live(h, &v, 1);
	for (int i = 0; i < 2; i++) {
		fd = ask(h, "vm-1");
		send_end(&v, hear_run(&v), errors[i], 0, "odd");
		assert_int_equal(hear(h, fd, &m), SNOO_WIRE_FINISHED);
		assert_int_equal(m.finished.error, EPROTO);
		close(fd);
		home_settle(h);
	}
	fakevm_close(&v);
}

static void test_output_that_is_said_again_comes_once(void **state)
{
	struct home *h = *state;
	struct fakevm v;
	union message m;
	uint32_t sid;
	int fd;

	live(h, &v, 1);
	fd = begun(h, &v, &sid);
	send_data(&v, sid, SNOO_CTL_OUT, 0, 100);
	send_data(&v, sid, SNOO_CTL_OUT, 0, 100);
	send_data(&v, sid, SNOO_CTL_OUT, 100, 50);
	assert_int_equal(hear(h, fd, &m), SNOO_WIRE_DATA);
	assert_int_equal(m.data.bytes, 100);
	assert_int_equal(hear(h, fd, &m), SNOO_WIRE_DATA);
	assert_int_equal(m.data.bytes, 50);
	hear_nothing(h, fd);
	close(fd);
	fakevm_close(&v);
}

static void test_a_vm_that_ignores_credit_is_cut_off(void **state)
{
	struct home *h = *state;
	struct fakevm v;
	union message m;
	uint32_t sid, at = 0;
	int fd;

	live(h, &v, 1);
	fd = begun(h, &v, &sid);
	for (; at + 4000 <= SNOO_CTL_CREDIT_MAX; at += 4000)
		send_data(&v, sid, SNOO_CTL_OUT, at, 4000);
	for (uint32_t got = 0; got < at; got += m.data.bytes)
		assert_int_equal(hear(h, fd, &m), SNOO_WIRE_DATA);
	hear_nothing(h, fd);
	send_data(&v, sid, SNOO_CTL_OUT, at, 4000);
	assert_true(fakevm_is_cut(&v));
	expect_refused(h, fd, EOWNERDEAD, "cut off");
	fakevm_close(&v);
}

static void test_output_with_a_gap_cuts_the_vm_off(void **state)
{
	struct home *h = *state;
	struct fakevm v;
	uint32_t sid;
	int fd;

	live(h, &v, 1);
	fd = begun(h, &v, &sid);
	send_data(&v, sid, SNOO_CTL_OUT, 1, 10);
	assert_true(fakevm_is_cut(&v));
	expect_refused(h, fd, EOWNERDEAD, "cut off");
	fakevm_close(&v);
}

static void test_frames_of_no_run_are_ignored(void **state)
{
	struct home *h = *state;
	struct fakevm v;
	uint32_t sid;
	int fd;

	live(h, &v, 1);
	fd = begun(h, &v, &sid);
	send_pid(&v, sid + 1);
	send_data(&v, sid + 1, SNOO_CTL_OUT, 7, 10);
	send_credit(&v, sid + 1, SNOO_CTL_IN, 99);
	send_end(&v, sid + 1, 0, 0, "");
	hear_nothing(h, fd);
	assert_false(fakevm_is_cut(&v));
	close(fd);
	fakevm_close(&v);
}

static void test_what_a_guest_says_of_an_end_can_be_printed(void **state)
{
	struct home *h = *state;
	struct fakevm v;
	uint32_t sid;
	int fd;

	live(h, &v, 1);
	fd = ask(h, "vm-1");
	sid = hear_run(&v);
	send_end(&v, sid, EACCES, 0, "no\033[2J\nmore");
	expect_refused(h, fd, EACCES, "no?[2J?more");
	fakevm_close(&v);
}

/* ---- who may ---- */

static int ask_as(struct home *h, uid_t uid)
{
	int fd;

	/* The socket is opened for all; what is tried is the daemon. */
	assert_int_equal(chmod(h->dir, 0711), 0);
	assert_int_equal(chmod(h->path, 0666), 0);
	assert_int_equal(seteuid(uid), 0);
	fd = ask(h, "vm-1");
	assert_int_equal(seteuid(0), 0);
	return fd;
}

static void test_only_admins_of_the_domain_may(void **state)
{
	struct home *h = *state;
	struct fakevm v;
	int fd;

	if (geteuid() != 0)
		skip();
	live(h, &v, 1);
	expect_refused(h, ask_as(h, 65534), EPERM,
		       "domains.default.admins.uids");
	fd = ask_as(h, 65533);
	hear_run(&v);
	assert_int_equal(HEARD(&v, struct snoo_ctl_run)->uid, 65533);
	close(fd);
	fakevm_close(&v);
}

static void test_a_vm_must_be_there_and_allow_it(void **state)
{
	struct home *h = *state;
	struct fakevm v;

	expect_refused(h, ask(h, "vm-1"), ENXIO, "attached: none");
	fakevm_init(&v, home_step, h);
	assert_int_equal(fakevm_attach(&v, h->d->conf->ivshmem.socket.path,
				       h->d->conf->ivshmem.control_path), 0);
	expect_refused(h, ask(h, "vm-1"), ENOTCONN, "no snoo-daemon serves");
	assert_int_equal(fakevm_hello(&v, NULL), SNOO_CTL_WELCOME);
	expect_refused(h, ask(h, "vm-1"), EOPNOTSUPP, "guest.run.programs");
	expect_refused(h, ask(h, "vm-7"), ENXIO, "attached: vm-1");
	fakevm_close(&v);
}

static void test_a_request_that_makes_no_sense_is_refused(void **state)
{
	struct home *h = *state;
	size_t bytes = sizeof(struct snoo_wire_run) + sizeof(WORDS);
	struct fakevm v;
	union message m;

	live(h, &v, 1);
	for (int i = 0; i < 8; i++) {
		int fd = dial(h);

		make_run(&m, "vm-1");
		if (i == 0)
			m.run.magic++;
		if (i == 1)
			m.run.major++;
		if (i == 2)
			m.run.bytes++;
		if (i == 3)
			memset(m.run.vm, 'x', sizeof(m.run.vm));
		if (i == 4)
			m.run.argc = 3;
		if (i == 5)
			m.run.argc = 0;
		if (i == 6)
			m.bytes[bytes - 1] = 'x';
		say(fd, &m, SNOO_WIRE_RUN, i == 7 ? sizeof(m.head) : bytes);
		expect_refused(h, fd, EPROTO, "");
	}
	fakevm_drain(&v);
	assert_int_not_equal(v.in.f.type, SNOO_CTL_RUN);
	fakevm_close(&v);
}

/* ---- guests cannot ask ---- */

static void test_a_run_of_a_guest_starts_nothing_anywhere(void **state)
{
	struct home *h = *state;
	struct {
		struct snoo_ctl_run run;
		char words[sizeof(WORDS)];
	} m = { .run = { .argc = 2, .envc = 1, .bytes = sizeof(WORDS) } };
	struct fakevm a, b;

	live(h, &a, 1);
	live(h, &b, 1);
	fakevm_drain(&b);
	b.in.f.type = 0;
	memcpy(m.words, WORDS, sizeof(WORDS));
	fakevm_send(&a, SNOO_CTL_RUN, 1, &m.run.frame + 1,
		    sizeof(m.run) + sizeof(WORDS) - sizeof(m.run.frame));
	assert_true(fakevm_is_cut(&a));
	home_settle(h);
	fakevm_drain(&b);
	assert_int_not_equal(b.in.f.type, SNOO_CTL_RUN);
	assert_null(h->d->runs);
	fakevm_close(&a);
	fakevm_close(&b);
}

static void test_a_process_of_a_guest_cannot_ask_either(void **state)
{
	struct home *h = *state;
	struct {
		struct snoo_ctl_join join;
		union message m;
	} j = { .join = { .uid = 0, .pid = 5, .vcpu = -1 } };
	size_t bytes = sizeof(j.m.run) + sizeof(WORDS);
	struct fakevm v;

	live(h, &v, 1);
	make_run(&j.m, "vm-1");
	j.m.head = (struct snoo_wire_head){ SNOO_WIRE_RUN, (uint32_t)bytes };
	fakevm_send(&v, SNOO_CTL_JOIN, 9, &j.join.frame + 1,
		    sizeof(j.join) - sizeof(j.join.frame) + bytes);
	home_settle(h);
	fakevm_drain(&v);
	assert_null(h->d->runs);
	assert_int_equal(v.rank[9].error.error, EPROTO);
	fakevm_close(&v);
}

/* ---- input and signals ---- */

static void send_input(int fd, uint32_t n, char fill)
{
	union message m;

	m.data = (struct snoo_wire_data){ .stream = SNOO_WIRE_IN, .bytes = n };
	memset(m.bytes + sizeof(m.data), fill, n);
	say(fd, &m, SNOO_WIRE_DATA, sizeof(m.data) + n);
}

/* More than a VM's queue may hold: it waits with us, and nobody is cut off. */
static void test_the_input_of_many_programs_waits_for_room(void **state)
{
	enum { RUNS = 140, PIECES = 8 };
	struct home *h = *state;
	struct control_counts n;
	struct fakevm v;
	uint64_t bytes = 0;
	unsigned int ends = 0;
	uint32_t sid;
	int fd[RUNS];

	live(h, &v, 1);
	for (int i = 0; i < RUNS; i++)
		fd[i] = begun(h, &v, &sid);
	for (int i = 0; i < RUNS; i++) {
		for (int k = 0; k < PIECES; k++)
			send_input(fd[i], SNOO_WIRE_DATA_MAX, 'm');
		send_input(fd[i], 0, 0);
		home_settle(h);
	}
	control_counts(h->d->vm[1], &n);
	assert_true(n.queued_bytes < CONTROL_QUEUE_BYTES / 2);
	assert_int_equal(h->d->vm[1]->led.state, LEDGER_VM_LIVE);
	while (ends < RUNS) {
		const struct snoo_ctl_data *f;

		assert_int_equal(fakevm_until(&v, SNOO_CTL_DATA),
				 SNOO_CTL_DATA);
		f = HEARD(&v, struct snoo_ctl_data);
		bytes += f->bytes;
		ends += f->bytes == 0;
	}
	assert_int_equal(bytes, RUNS * PIECES * SNOO_WIRE_DATA_MAX);
	for (int i = 0; i < RUNS; i++)
		close(fd[i]);
	home_settle(h);
	fakevm_close(&v);
}

static void test_input_and_its_end_pass(void **state)
{
	struct home *h = *state;
	const struct snoo_ctl_data *f;
	struct fakevm v;
	union message m;
	uint32_t sid;
	int fd;

	live(h, &v, 1);
	fd = begun(h, &v, &sid);
	send_input(fd, 1000, 'a');
	assert_int_equal(fakevm_until(&v, SNOO_CTL_DATA), SNOO_CTL_DATA);
	f = HEARD(&v, struct snoo_ctl_data);
	assert_int_equal(f->bytes, 1000);
	assert_int_equal(f->offset, 0);
	assert_int_equal(((const char *)(f + 1))[999], 'a');
	send_credit(&v, sid, SNOO_CTL_IN, 600);
	assert_int_equal(hear(h, fd, &m), SNOO_WIRE_CREDIT);
	assert_int_equal(m.credit.bytes, 600);
	send_input(fd, 0, 0);
	assert_int_equal(fakevm_until(&v, SNOO_CTL_DATA), SNOO_CTL_DATA);
	assert_int_equal(f->bytes, 0);
	assert_int_equal(f->offset, 1000);
	/* Credit for what was never sent. */
	send_credit(&v, sid, SNOO_CTL_IN, 1001);
	assert_true(fakevm_is_cut(&v));
	close(fd);
	fakevm_close(&v);
}

static void test_a_client_that_breaks_the_rules_loses_its_program(void **state)
{
	struct home *h = *state;
	struct fakevm v;
	union message m;
	uint32_t sid;

	live(h, &v, 1);
	for (int i = 0; i < 7; i++) {
		int fd = begun(h, &v, &sid);

		memset(&m, 0, sizeof(m));
		switch (i) {
		case 0:
			for (int k = 0; k < 9; k++)
				send_input(fd, 4000, 'x');
			break;
		case 1:
			send_input(fd, 0, 0);
			send_input(fd, 1, 0);
			break;
		case 2:
			m.credit.stream = SNOO_WIRE_OUT;
			m.credit.bytes = 1;
			say(fd, &m, SNOO_WIRE_CREDIT, sizeof(m.credit));
			break;
		case 3:
			m.credit.stream = 3;
			say(fd, &m, SNOO_WIRE_CREDIT, sizeof(m.credit));
			break;
		case 4:
			m.signal.signal = 200;
			say(fd, &m, SNOO_WIRE_SIGNAL, sizeof(m.signal));
			break;
		case 5:
			m.data.stream = SNOO_WIRE_OUT;
			m.data.bytes = 1;
			say(fd, &m, SNOO_WIRE_DATA, sizeof(m.data) + 1);
			break;
		case 6:
			say(fd, &m, SNOO_WIRE_HELLO, sizeof(m.head));
			break;
		}
		expect_refused(h, fd, EPROTO, "");
		/* The guest hears that it is no longer wanted. */
		assert_int_equal(fakevm_until(&v, SNOO_CTL_RUNS),
				 SNOO_CTL_RUNS);
		assert_int_equal(HEARD(&v, struct snoo_ctl_runs)->count, 0);
	}
	assert_false(fakevm_is_cut(&v));
	fakevm_close(&v);
}

static void test_signals_are_numbered_and_the_last_one_fits(void **state)
{
	struct home *h = *state;
	const struct snoo_ctl_signal *f;
	struct fakevm v;
	union message m;
	uint32_t sid;
	int fd;

	live(h, &v, 1);
	fd = begun(h, &v, &sid);
	for (uint32_t i = 0; i < 30; i++) {
		m.signal = (struct snoo_wire_signal){ .signal = SIGUSR1 };
		say(fd, &m, SNOO_WIRE_SIGNAL, sizeof(m.signal));
	}
	m.signal = (struct snoo_wire_signal){ .signal = SIGKILL };
	say(fd, &m, SNOO_WIRE_SIGNAL, sizeof(m.signal));
	f = HEARD(&v, struct snoo_ctl_signal);
	for (uint32_t i = 0; i < SNOO_CTL_SIGNALS_MAX; i++) {
		assert_int_equal(fakevm_until(&v, SNOO_CTL_SIGNAL),
				 SNOO_CTL_SIGNAL);
		assert_int_equal(f->number, i);
		assert_int_equal(f->signal, SIGUSR1);
	}
	assert_int_equal(fakevm_until(&v, SNOO_CTL_SIGNAL), SNOO_CTL_SIGNAL);
	assert_int_equal(f->number, SNOO_CTL_SIGNALS_MAX);
	assert_int_equal(f->signal, SIGKILL);
	close(fd);
	fakevm_close(&v);
}

/* ---- ends ---- */

static void test_the_end_of_the_client_is_told_by_the_list(void **state)
{
	struct home *h = *state;
	const struct snoo_ctl_runs *f;
	uint32_t one, two, left;
	struct fakevm v;
	int a, b;

	live(h, &v, 1);
	a = begun(h, &v, &one);
	b = begun(h, &v, &two);
	assert_int_not_equal(one, two);
	close(a);
	assert_int_equal(fakevm_until(&v, SNOO_CTL_RUNS), SNOO_CTL_RUNS);
	f = HEARD(&v, struct snoo_ctl_runs);
	assert_int_equal(f->count, 1);
	memcpy(&left, f + 1, sizeof(left));
	assert_int_equal(left, two);
	close(b);
	assert_int_equal(fakevm_until(&v, SNOO_CTL_RUNS), SNOO_CTL_RUNS);
	assert_int_equal(f->count, 0);
	home_settle(h);
	assert_null(h->d->runs);
	fakevm_close(&v);
}

static void test_the_end_of_the_vm_is_told_to_the_client(void **state)
{
	struct home *h = *state;
	struct fakevm v;
	uint32_t sid;
	int fd;

	live(h, &v, 1);
	fd = begun(h, &v, &sid);
	fakevm_close(&v);
	expect_refused(h, fd, EOWNERDEAD, "VM \"vm-1\" has ended");
}

static void test_another_boot_is_told_to_the_client(void **state)
{
	struct home *h = *state;
	struct fakevm v;
	uint32_t sid;
	int fd;

	live(h, &v, 1);
	fd = begun(h, &v, &sid);
	v.hello.boot_id[3] ^= 0xff;
	assert_int_equal(fakevm_hello(&v, NULL), SNOO_CTL_WELCOME);
	expect_refused(h, fd, EOWNERDEAD, "booted again");
	fakevm_close(&v);
}

static void test_a_daemon_that_stops_says_so(void **state)
{
	struct home *h = *state;
	struct home other;
	struct fakevm v;
	union message m;
	uint32_t sid;
	int fd;

	(void)h;
	assert_int_equal(home_open(&other, sets), 0);
	live(&other, &v, 1);
	fd = begun(&other, &v, &sid);
	home_close(&other);
	assert_int_equal(recv(fd, &m, sizeof(m), MSG_DONTWAIT),
			 sizeof(m.finished));
	assert_int_equal(m.finished.error, ESHUTDOWN);
	assert_int_equal(recv(fd, &m, sizeof(m), MSG_DONTWAIT), 0);
	close(fd);
	v.pump = NULL;
	fakevm_close(&v);
}

/* ---- a guest daemon that comes back ---- */

static void test_a_guest_daemon_that_comes_back_hears_it_again(void **state)
{
	struct home *h = *state;
	uint32_t sid, next, sids[2];
	const void *in;
	struct fakevm v;
	union message m;
	int fd, late;

	live(h, &v, 1);
	in = &v.in;
	fd = begun(h, &v, &sid);
	send_data(&v, sid, SNOO_CTL_OUT, 0, 500);
	assert_int_equal(hear(h, fd, &m), SNOO_WIRE_DATA);
	m.credit = (struct snoo_wire_credit){ .stream = SNOO_WIRE_OUT,
					      .bytes = 500 };
	say(fd, &m, SNOO_WIRE_CREDIT, sizeof(m.credit));
	send_input(fd, 100, 'i');
	m.signal = (struct snoo_wire_signal){ .signal = SIGUSR2 };
	say(fd, &m, SNOO_WIRE_SIGNAL, sizeof(m.signal));
	late = ask(h, "vm-1");
	next = hear_run(&v);
	assert_int_equal(fakevm_hello(&v, NULL), SNOO_CTL_WELCOME);

	/* The later one has not started: it is asked for again. */
	assert_int_equal(fakevm_until(&v, SNOO_CTL_RUN), SNOO_CTL_RUN);
	assert_int_equal(v.in.f.sid, next);
	do
		assert_int_equal(fakevm_until(&v, SNOO_CTL_CREDIT),
				 SNOO_CTL_CREDIT);
	while (v.in.f.sid != sid ||
	       ((const struct snoo_ctl_credit *)in)->stream != SNOO_CTL_OUT);
	assert_int_equal(((const struct snoo_ctl_credit *)in)->total, 500);
	assert_int_equal(fakevm_until(&v, SNOO_CTL_DATA), SNOO_CTL_DATA);
	assert_int_equal(((const struct snoo_ctl_data *)in)->offset, 0);
	assert_int_equal(((const struct snoo_ctl_data *)in)->bytes, 100);
	assert_int_equal(fakevm_until(&v, SNOO_CTL_SIGNAL), SNOO_CTL_SIGNAL);
	assert_int_equal(((const struct snoo_ctl_signal *)in)->number, 0);
	assert_int_equal(fakevm_until(&v, SNOO_CTL_RUNS), SNOO_CTL_RUNS);
	assert_int_equal(((const struct snoo_ctl_runs *)in)->count, 2);
	memcpy(sids, (const char *)in + sizeof(struct snoo_ctl_runs),
	       sizeof(sids));
	assert_true((sids[0] == sid && sids[1] == next) ||
		    (sids[1] == sid && sids[0] == next));
	hear_nothing(h, fd);

	/* What was credited meanwhile is not said a third time. */
	send_credit(&v, sid, SNOO_CTL_IN, 100);
	send_credit(&v, sid, SNOO_CTL_SIGNALS, 1);
	assert_int_equal(hear(h, fd, &m), SNOO_WIRE_CREDIT);
	home_settle(h);
	assert_int_equal(fakevm_hello(&v, NULL), SNOO_CTL_WELCOME);
	for (;;) {
		int type = fakevm_recv(&v, true);

		assert_int_not_equal(type, SNOO_CTL_SIGNAL);
		assert_int_not_equal(type, SNOO_CTL_DATA);
		if (type == SNOO_CTL_RUNS)
			break;
	}
	close(fd);
	close(late);
	fakevm_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_an_error_that_is_no_errno_is_a_broken_contract),
		T(test_a_program_from_its_start_to_its_end),
		T(test_output_that_is_said_again_comes_once),
		T(test_a_vm_that_ignores_credit_is_cut_off),
		T(test_output_with_a_gap_cuts_the_vm_off),
		T(test_frames_of_no_run_are_ignored),
		T(test_what_a_guest_says_of_an_end_can_be_printed),
		T(test_only_admins_of_the_domain_may),
		T(test_a_vm_must_be_there_and_allow_it),
		T(test_a_request_that_makes_no_sense_is_refused),
		T(test_a_run_of_a_guest_starts_nothing_anywhere),
		T(test_a_process_of_a_guest_cannot_ask_either),
		T(test_the_input_of_many_programs_waits_for_room),
		T(test_input_and_its_end_pass),
		T(test_a_client_that_breaks_the_rules_loses_its_program),
		T(test_signals_are_numbered_and_the_last_one_fits),
		T(test_the_end_of_the_client_is_told_by_the_list),
		T(test_the_end_of_the_vm_is_told_to_the_client),
		T(test_another_boot_is_told_to_the_client),
		T(test_a_daemon_that_stops_says_so),
		T(test_a_guest_daemon_that_comes_back_hears_it_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
