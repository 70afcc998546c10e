/* SPDX-License-Identifier: MIT */
/*
 * drainer.c - a rank that spoils every fd it got, then sits until SIGTERM
 *
 * Clears O_NONBLOCK on each, reads each empty, writes each full, and does not
 * read its socket again: nobody else may stop for it.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <snoo/wire.h>

#include "tests/lib/proof.h"

static volatile sig_atomic_t told;

/* Every 50 ms: what blocks after all, ends. */
static void on_tick(int sig)
{
	(void)sig;
}

/*
 * An eventfd is shared: between our poll() and our read() or write() another rank
 * may have drained or filled it, and we block, since we have cleared O_NONBLOCK
 * for all of them.
 */
static void tick(bool on)
{
	static timer_t timer;
	struct sigaction sa = { .sa_handler = on_tick };
	struct sigevent e = {
		.sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGUSR1,
	};
	const struct itimerspec every = {
		.it_value.tv_nsec = 50000000,
		.it_interval.tv_nsec = 50000000,
	};

	if (!on) {
		timer_delete(timer);
		return;
	}
	sigaction(SIGUSR1, &sa, NULL);
	if (timer_create(CLOCK_MONOTONIC, &e, &timer) != 0 ||
	    timer_settime(timer, 0, &every, NULL) != 0)
		proof_die(PROOF_ERROR, "no timer: %s", strerror(errno));
}

static void on_term(int sig)
{
	(void)sig;
	told = 1;
}

/* Until it would block, but without blocking ourselves. */
static void drain(int fd)
{
	unsigned char buf[SNOO_WIRE_MAX];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	for (int i = 0; i < 10000 && poll(&p, 1, 0) > 0; i++)
		if (!(p.revents & POLLIN) || read(fd, buf, sizeof(buf)) <= 0)
			break;
}

/* An eventfd takes 0xfffffffffffffffe; the socket takes NEED messages. */
static void fill(int fd)
{
	struct snoo_wire_need need = {
		.head = { SNOO_WIRE_NEED, sizeof(need) },
		.rings = 1,
	};
	uint64_t most = UINT64_MAX - 1;
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	for (int i = 0; i < 10000 && poll(&p, 1, 0) > 0; i++) {
		ssize_t n;

		if (!(p.revents & POLLOUT))
			break;
		n = send(fd, &need, sizeof(need), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == ENOTSOCK)
			n = write(fd, &most, sizeof(most));
		if (n < 0)
			break;
	}
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_term };
	int first, count = 0;

	proof_begin("drainer");
	sigaction(SIGTERM, &sa, NULL);
	first = dup(2);
	close(first);
	proof_join("drainer");
	tick(true);
	for (int fd = first; fd < first + 100; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			continue;
		drain(fd);
		fill(fd);
		count++;
	}
	tick(false);
	printf("drainer: spoilt %d\n", count);
	while (!told)
		poll(NULL, 0, 10);
	printf("drainer: done\n");
	/* The context is not worth leaving. */
	_exit(0);
}
