/* SPDX-License-Identifier: MIT */
/*
 * test_ivshmem.c - the handshake with QEMU: what it is told, in one go, and
 *		    who is refused with which sentence
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/ivshmem.h"
#include "daemon/toll.h"
#include "tests/lib/fakeqemu.h"

#define SLOTS	4u
#define VECTORS	3u
#define POOL	8192
#define LONG_MS	20000			/* ends what hangs */

struct fixture {
	struct keeper *keeper;
	struct bells *b;
	int memory;
	int sock;			/* the server's end */
	int peer;			/* QEMU's; -1: given away */
	struct fakeqemu q;
	char why[IVSHMEM_TEXT];
};

static void pair(struct fixture *f)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    ends), 0);
	f->sock = ends[0];
	f->peer = ends[1];
}

static int setup(void **state)
{
	struct bells_params p = {
		.domain = "dom", .slots = SLOTS, .vectors = VECTORS,
	};
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	if (!f || keeper_open(&f->keeper, NULL))
		return -1;
	p.keeper = f->keeper;
	f->memory = memfd_create("pool", MFD_CLOEXEC);
	if (ftruncate(f->memory, POOL) || bells_open(&f->b, &p))
		return -1;
	fakeqemu_init(&f->q, VECTORS);
	pair(f);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fakeqemu_close(&f->q);
	if (f->peer >= 0)
		close(f->peer);
	close(f->sock);
	bells_close(f->b);
	keeper_close(f->keeper);
	close(f->memory);
	free(f);
	return 0;
}

static int hear(struct fixture *f)
{
	int peer = f->peer;

	f->peer = -1;
	return fakeqemu_handshake(&f->q, peer, LONG_MS);
}

static int serve_slot(struct fixture *f, uint32_t slot)
{
	struct ivshmem_offer o;
	int ret;

	assert_int_equal(ivshmem_offer_pool(&o, f->b, slot, f->memory), 0);
	assert_int_equal(o.n, SLOTS * VECTORS);
	ret = ivshmem_serve(f->sock, &o, f->why);
	ivshmem_offer_fini(&o);
	return ret;
}

/* ---- what is told ---- */

static void check_rings(struct fixture *f, uint32_t slot)
{
	for (uint32_t to = 0; to < SLOTS; to++) {
		assert_int_equal(f->q.bells[to], VECTORS);
		for (uint32_t v = 0; v < VECTORS; v++) {
			int fd = bells_fd(f->b, slot, to, v);

			if (to == slot)
				continue;
			assert_int_equal(fakeqemu_ring(&f->q, to, v), 0);
			assert_int_equal(toll_take(fd), 1);
		}
	}
	for (uint32_t v = 0; v < VECTORS; v++) {
		bells_ring(f->b, slot, v);
		assert_int_equal(fakeqemu_wait(&f->q, v, LONG_MS), 1);
	}
	assert_int_equal(fakeqemu_ring(&f->q, SLOTS, 0), -ENOENT);
	assert_int_equal(fakeqemu_ring(&f->q, 0, VECTORS), -ENOENT);
}

static void test_each_slot_can_ring_and_be_rung(void **state)
{
	struct fixture *f = *state;

	for (uint32_t slot = 1; slot < SLOTS; slot++) {
		unsigned int got;
		size_t bytes;

		assert_int_equal(serve_slot(f, slot), 0);
		assert_string_equal(f->why, "");
		assert_int_equal(hear(f), 0);
		assert_int_equal(f->q.version, IVSHMEM_VERSION);
		assert_int_equal(f->q.id, slot);
		assert_non_null(fakeqemu_map(&f->q, &bytes));
		assert_int_equal(bytes, POOL);
		check_rings(f, slot);
		/* Nothing follows. */
		got = f->q.got;
		assert_int_equal(got, 3 + SLOTS * VECTORS);
		assert_int_equal(fakeqemu_pump(&f->q), 0);
		assert_int_equal(f->q.got, got);
		assert_int_equal(f->q.leaves, 0);
		fakeqemu_close(&f->q);
		fakeqemu_init(&f->q, VECTORS);
		close(f->sock);
		pair(f);
	}
}

static void test_own_vectors_come_last_and_in_order(void **state)
{
	struct fixture *f = *state;
	struct ivshmem_offer o;

	assert_int_equal(ivshmem_offer_pool(&o, f->b, 2, f->memory), 0);
	for (uint32_t i = 0; i < o.n; i++) {
		static const uint32_t order[SLOTS] = { 0, 1, 3, 2 };
		uint32_t to = order[i / VECTORS];

		assert_int_equal(o.bell[i].id, to);
		assert_int_equal(o.bell[i].fd, bells_fd(f->b, 2, to,
							i % VECTORS));
	}
	ivshmem_offer_fini(&o);
	assert_null(o.bell);
}

static void test_a_guest_cannot_ring_by_the_bell_of_another(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(serve_slot(f, 1), 0);
	assert_int_equal(hear(f), 0);
	assert_int_equal(fakeqemu_ring(&f->q, 0, 1), 0);
	assert_int_equal(toll_take(bells_fd(f->b, 0, 0, 1)), 0);
	assert_int_equal(toll_take(bells_fd(f->b, 2, 0, 1)), 0);
	assert_int_equal(toll_take(bells_fd(f->b, 1, 0, 1)), 1);
}

static void test_the_control_device_has_two_peers_of_one_vector(void **state)
{
	struct fixture *f = *state;
	int host = eventfd(0, EFD_NONBLOCK), guest = eventfd(0, EFD_NONBLOCK);
	struct ivshmem_offer o;

	fakeqemu_init(&f->q, 1);
	assert_int_equal(ivshmem_offer_control(&o, 3, f->memory, host, guest),
			 0);
	assert_int_equal(ivshmem_serve(f->sock, &o, f->why), 0);
	ivshmem_offer_fini(&o);
	assert_int_equal(hear(f), 0);
	assert_int_equal(f->q.id, 3);
	assert_int_equal(f->q.got, 5);
	assert_int_equal(fakeqemu_ring(&f->q, 0, 0), 0);
	assert_int_equal(toll_take(host), 1);
	assert_int_equal(write(guest, &(uint64_t){ 2 }, 8), 8);
	assert_int_equal(fakeqemu_wait(&f->q, 0, LONG_MS), 2);
	assert_int_equal(fakeqemu_ring(&f->q, 1, 0), -ENOENT);
	close(host);
	close(guest);
}

static void test_a_device_with_fewer_vectors_gets_those(void **state)
{
	struct fixture *f = *state;

	fakeqemu_init(&f->q, VECTORS - 1);
	assert_int_equal(serve_slot(f, 1), 0);
	assert_int_equal(hear(f), 0);
	assert_int_equal(fakeqemu_pump(&f->q), 0);
	assert_int_equal(f->q.bells[1], VECTORS);
	assert_int_equal(fakeqemu_ring(&f->q, 2, VECTORS - 2), 0);
	assert_int_equal(fakeqemu_ring(&f->q, 2, VECTORS - 1), -ENOENT);
}

/* ---- refusal ---- */

static void test_refusal_is_a_version_that_no_qemu_speaks(void **state)
{
	struct fixture *f = *state;

	ivshmem_refuse(f->sock);
	assert_int_equal(hear(f), -EPROTONOSUPPORT);
	assert_int_equal(f->q.version, 99);
	assert_int_equal(f->q.got, 1);
}

static void test_without_memory_to_give_the_peer_is_told_nonsense(void **state)
{
	struct fixture *f = *state;
	struct ivshmem_offer o;

	/* Halfway through, where QEMU would spin on a plain hang-up. */
	assert_int_equal(ivshmem_offer_pool(&o, f->b, 1, 1000000), 0);
	assert_int_equal(ivshmem_serve(f->sock, &o, f->why), -EBADF);
	assert_non_null(strstr(f->why, "handshake"));
	assert_int_equal(hear(f), -EPROTO);
	assert_int_equal(f->q.got, 3);
	ivshmem_offer_fini(&o);
}

/* ---- peers that don't do their part ---- */

static void test_a_peer_that_never_reads_is_served_or_left(void **state)
{
	struct fixture *f = *state;
	static char junk[4096];
	int served = 0;

	/* A blocking socket; each handshake fits, all of them do not. */
	assert_int_equal(fcntl(f->sock, F_GETFL) & O_NONBLOCK, 0);
	while (serve_slot(f, 1) == 0)
		served++;
	assert_true(served >= 1 && served < 10000);
	assert_non_null(strstr(f->why, strerror(EAGAIN)));
	while (send(f->sock, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(serve_slot(f, 1), -EAGAIN);
}

static void test_a_peer_that_is_gone_is_an_error_and_no_signal(void **state)
{
	struct fixture *f = *state;

	close(f->peer);
	f->peer = -1;
	assert_int_equal(serve_slot(f, 1), -EPIPE);
	assert_true(f->why[0] != '\0');
	ivshmem_refuse(f->sock);
}

struct leaver {
	int peer;
	unsigned int after;
};

static void *leave(void *arg)
{
	const struct leaver *l = arg;
	uint64_t word;

	for (unsigned int i = 0; i < l->after; i++)
		if (recv(l->peer, &word, sizeof(word), 0) <= 0)
			break;
	close(l->peer);
	return NULL;
}

static void test_a_peer_may_leave_at_any_message(void **state)
{
	struct fixture *f = *state;

	for (unsigned int after = 0; after < 3 + SLOTS * VECTORS; after++) {
		struct leaver l = { .peer = f->peer, .after = after };
		pthread_t t;
		int ret;

		assert_int_equal(pthread_create(&t, NULL, leave, &l), 0);
		ret = serve_slot(f, 1);
		assert_true(ret == 0 || ret == -EPIPE || ret == -ECONNRESET);
		pthread_join(t, NULL);
		close(f->sock);
		pair(f);
	}
}

/* ---- room in the send buffer ---- */

/* Hand out one eventfd again and again: it is the messages that count. */
static int serve_many(struct fixture *f, uint32_t slots, uint32_t vectors)
{
	struct ivshmem_offer o = {
		.id = 1, .memory = f->memory, .n = slots * vectors,
	};
	struct ivshmem_bell *bell = calloc(o.n, sizeof(*bell));
	int ret;

	assert_non_null(bell);
	for (uint32_t i = 0; i < o.n; i++)
		bell[i] = (struct ivshmem_bell){
			.id = i / vectors == slots - 1 ? 1 :
			      i / vectors == 1 ? slots - 1 : i / vectors,
			.fd = bells_fd(f->b, 0, 0, 0),
		};
	o.bell = bell;
	ret = ivshmem_serve(f->sock, &o, f->why);
	free(bell);
	return ret;
}

static bool may_have_fds(rlim_t n)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_max < n)
		return false;
	r.rlim_cur = r.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &r) == 0;
}

static void test_all_sizes_fit_in_one_go_or_are_named_before(void **state)
{
	static const uint32_t sizes[][2] = {
		{ 2, 2 }, { 8, 8 }, { 31, 8 }, { 64, 8 }, { 32, 64 },
		{ 64, 64 },
	};
	struct fixture *f = *state;
	unsigned int fit = 0;

	if (!may_have_fds(5000))
		skip();
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint32_t slots = sizes[i][0], vectors = sizes[i][1];
		bool allowed = ivshmem_buffer_check(slots, vectors,
						    f->why) == 0;
		int ret;

		if (!allowed)
			assert_non_null(strstr(f->why, "net.core.wmem_max"));
		fakeqemu_init(&f->q, vectors);
		ret = serve_many(f, slots, vectors);
		/* With privilege more is possible than what is promised. */
		assert_true(ret == 0 || (!allowed && ret == -ENOBUFS));
		assert_int_equal(hear(f), ret ? -EPROTONOSUPPORT : 0);
		assert_int_equal(f->q.got, ret ? 1 : 3 + slots * vectors);
		fit += ret == 0;
		fakeqemu_close(&f->q);
		close(f->sock);
		pair(f);
	}
	assert_true(fit >= 4);
}

static void test_the_need_is_what_the_kernel_charges(void **state)
{
	struct fixture *f = *state;
	uint64_t need = ivshmem_buffer_need(8, 8);
	int has = 0, queued = 0;
	socklen_t len = sizeof(has);

	/* The smallest there is, to see what is asked for. */
	assert_int_equal(setsockopt(f->sock, SOL_SOCKET, SO_SNDBUF, &(int){ 1 },
				    sizeof(int)), 0);
	assert_int_equal(serve_many(f, 8, 8), 0);
	assert_int_equal(getsockopt(f->sock, SOL_SOCKET, SO_SNDBUF, &has,
				    &len), 0);
	assert_true((uint64_t)has >= need && (uint64_t)has <= need + 1);
	assert_int_equal(ioctl(f->sock, SIOCOUTQ, &queued), 0);
	assert_int_equal(queued, need);
	fakeqemu_init(&f->q, 8);
	assert_int_equal(hear(f), 0);
}

static void test_a_buffer_beyond_the_limit_is_refused_by_a_sentence(void **s)
{
	char why[IVSHMEM_TEXT], number[32];
	uint64_t need = ivshmem_buffer_need(60000, 60);

	(void)s;
	assert_int_equal(ivshmem_buffer_check(60000, 60, why), -ENOBUFS);
	snprintf(number, sizeof(number), "wmem_max to %" PRIu64,
		 (need + 1) / 2);
	assert_non_null(strstr(why, number));
	assert_non_null(strstr(why, "fewer slots or vectors"));
	assert_int_equal(ivshmem_buffer_check(2, 2, why), 0);
	assert_string_equal(why, "");
}

/* ---- room in QEMU's fd table ---- */

/* A process of that limit, to be killed. */
static pid_t process_with(rlim_t nofile)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit r = { nofile, nofile };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setrlimit(RLIMIT_NOFILE, &r) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_a_qemu_without_room_is_told_what_it_needs(void **state)
{
	char why[IVSHMEM_TEXT], text[128];
	pid_t pid = process_with(103);

	(void)state;
	assert_int_equal(ivshmem_peer_check(pid, 8, 8, why), -EMFILE);
	snprintf(text, sizeof(text), "raise LimitNOFILE of QEMU (process %d) "
		 "to at least 104: it is 103", (int)pid);
	assert_non_null(strstr(why, text));
	end(pid);
	pid = process_with(104);
	assert_int_equal(ivshmem_peer_check(pid, 8, 8, why), 0);
	assert_string_equal(why, "");
	assert_int_equal(ivshmem_peer_check(pid, 9, 8, why), -EMFILE);
	end(pid);
}

static void test_the_limit_of_another_user_is_seen(void **state)
{
	char why[IVSHMEM_TEXT];
	pid_t qemu = process_with(50), pid;
	int status;

	(void)state;
	if (geteuid() != 0) {
		end(qemu);
		skip();
	}
	pid = fork();
	if (pid == 0) {
		if (setgid(65534) || setuid(65534))
			_exit(9);
		_exit(ivshmem_peer_check(qemu, 2, 8, why) == -EMFILE &&
		      ivshmem_peer_check(qemu, 2, 4, why) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	end(qemu);
	assert_int_equal(status, 0);
}

static void test_a_limit_that_cannot_be_seen_is_no_answer(void **state)
{
	char why[IVSHMEM_TEXT];
	pid_t pid = process_with(50);

	(void)state;
	end(pid);
	assert_int_equal(ivshmem_peer_check(pid, 2, 2, why), -ENODATA);
	assert_non_null(strstr(why, "it must be at least 44"));
	/* Peer of an outer PID namespace; it is not our own limit. */
	assert_int_equal(ivshmem_peer_check(0, 2, 2, why), -ENODATA);
	assert_int_equal(ivshmem_peer_check(-1, 2, 2, why), -ENODATA);
}

#define F(test)	cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		F(test_each_slot_can_ring_and_be_rung),
		F(test_own_vectors_come_last_and_in_order),
		F(test_a_guest_cannot_ring_by_the_bell_of_another),
		F(test_the_control_device_has_two_peers_of_one_vector),
		F(test_a_device_with_fewer_vectors_gets_those),
		F(test_refusal_is_a_version_that_no_qemu_speaks),
		F(test_without_memory_to_give_the_peer_is_told_nonsense),
		F(test_a_peer_that_never_reads_is_served_or_left),
		F(test_a_peer_that_is_gone_is_an_error_and_no_signal),
		F(test_a_peer_may_leave_at_any_message),
		F(test_all_sizes_fit_in_one_go_or_are_named_before),
		F(test_the_need_is_what_the_kernel_charges),
		F(test_a_buffer_beyond_the_limit_is_refused_by_a_sentence),
		cmocka_unit_test(test_a_qemu_without_room_is_told_what_it_needs),
		cmocka_unit_test(test_the_limit_of_another_user_is_seen),
		cmocka_unit_test(test_a_limit_that_cannot_be_seen_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
