/* SPDX-License-Identifier: MIT */
/*
 * hog.c - many connections that do not behave, until SIGTERM
 *
 * usage: hog KIND N
 *
 *   silent   connect and say nothing
 *   half     the first half of a HELLO, then nothing
 *   garbage  a whole message of random bytes, again and again
 *   deaf     a proper HELLO of a job of two, and never read: neither WELCOME
 *	      nor the fd that comes with it
 *   churn    connect and close at once
 *
 * A connection that the daemon has ended is made anew.  The number of those
 * that it ended is printed at the end.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <snoo/wire.h>

#include "tests/lib/proof.h"

#define MANY 4096

static volatile sig_atomic_t told;
static const char *kind;
static unsigned int ended;
static uint64_t dice = 1;

static void on_term(int sig)
{
	(void)sig;
	told = 1;
}

static int dial(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("SNOO_SOCKET");
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);

	if (!path || strlen(path) >= sizeof(to.sun_path))
		proof_die(PROOF_USAGE, "SNOO_SOCKET is not set");
	memcpy(to.sun_path, path, strlen(path) + 1);
	if (fd < 0)
		proof_die(PROOF_ERROR, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	if (errno != EAGAIN)
		proof_die(PROOF_ERROR, "connect: %s", strerror(errno));
	return -1;
}

static void hello(struct snoo_wire_hello *h)
{
	*h = (struct snoo_wire_hello){
		.head = { SNOO_WIRE_HELLO, sizeof(*h) },
		.magic = SNOO_WIRE_MAGIC,
		.major = SNOO_WIRE_MAJOR,
		.minor = SNOO_WIRE_MINOR,
		.rank = -1,
		.size = 2,
		.core = -1,
		.name = "hog",
	};
	memset(h->mask, 0xff, sizeof(h->mask));
}

static void speak(int fd)
{
	struct snoo_wire_hello h;
	uint64_t junk[SNOO_WIRE_MAX / 8 + 8];
	size_t n;

	hello(&h);
	if (strcmp(kind, "half") == 0) {
		send(fd, &h, sizeof(h) / 2, MSG_NOSIGNAL);
	} else if (strcmp(kind, "deaf") == 0) {
		send(fd, &h, sizeof(h), MSG_NOSIGNAL);
	} else if (strcmp(kind, "garbage") == 0) {
		for (size_t i = 0; i < sizeof(junk) / 8; i++)
			junk[i] = dice = proof_mix(dice);
		n = dice % sizeof(junk);
		/* Sometimes with a head that looks like one. */
		if (dice & 0x100) {
			h.head.type = (uint32_t)(dice >> 20) % 80;
			h.head.length = (uint32_t)n;
			memcpy(junk, &h, n < sizeof(h) ? n : sizeof(h));
			if (n > 60)
				junk[7] = dice;
		}
		send(fd, junk, n, MSG_NOSIGNAL);
	}
}

/* Has the daemon hung up?  Reads nothing. */
static int hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 &&
	       (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static void turn(int *fd)
{
	if (*fd >= 0 && (strcmp(kind, "churn") == 0 || hung_up(*fd))) {
		close(*fd);
		*fd = -1;
		ended++;
	}
	if (*fd < 0) {
		*fd = dial();
		if (*fd >= 0)
			speak(*fd);
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };
	static int fd[MANY];
	size_t n;

	proof_begin("hog");
	kind = argc > 1 ? argv[1] : "";
	n = argc > 2 ? (size_t)proof_number(argv[2]) : 1;
	if (n > MANY)
		proof_die(PROOF_USAGE, "at most %d", MANY);
	sigaction(SIGTERM, &sa, NULL);
	for (size_t i = 0; i < n; i++)
		fd[i] = -1;
	for (int first = 1; !told; first = 0) {
		for (size_t i = 0; i < n && !told; i++)
			turn(&fd[i]);
		if (first)
			printf("hog: all are there\n");
		poll(NULL, 0, 1);
	}
	printf("hog: ended %u\n", ended);
	return 0;
}
