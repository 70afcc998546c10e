/* SPDX-License-Identifier: MIT */
/*
 * raw.c - bytes to a stream socket and back, as they are
 *
 * usage: raw PATH		standard input goes there, what comes back to
 *				standard output, until the other side ends
 *	  raw PATH hold N	N connections that say nothing, until SIGTERM
 *	  raw PATH half N	N connections with half a line, until SIGTERM
 *	  raw PATH deaf N	N connections that ask without end and do not
 *				read, until SIGTERM
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/proof.h"

static volatile sig_atomic_t told;

static void on_term(int sig)
{
	(void)sig;
	told = 1;
}

static int dial(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(to.sun_path))
		proof_die(PROOF_USAGE, "the path is too long");
	memcpy(to.sun_path, path, strlen(path) + 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		proof_die(PROOF_ERROR, "%s: %s", path, strerror(errno));
	return fd;
}

/* Both directions at once: the other side may answer before it has all. */
static void talk(int fd)
{
	static char in[65536], out[65536];
	size_t len = 0, at = 0;
	bool eof = false;
	ssize_t n;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (at == len && !eof) {
			n = read(STDIN_FILENO, in, sizeof(in));
			at = 0;
			len = n > 0 ? (size_t)n : 0;
			eof = n <= 0;
			if (eof)
				shutdown(fd, SHUT_WR);
		}
		if (at < len)
			p.events |= POLLOUT;
		if (poll(&p, 1, -1) < 0)
			return;
		if (p.revents & (POLLIN | POLLHUP)) {
			n = recv(fd, out, sizeof(out), 0);
			if (n <= 0)
				return;
			fwrite(out, 1, (size_t)n, stdout);
		} else if (p.revents & POLLOUT) {
			n = send(fd, in + at, len - at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
			/* It has hung up: read what it said. */
			at = n < 0 && errno != EAGAIN
				     ? len
				     : at + (n > 0 ? (size_t)n : 0);
		}
	}
}

static void ask(int fd)
{
	static const char line[] = "{\"id\":1,\"cmd\":\"help\"}\n";

	while (send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) >
	       0)
		;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };
	const char *how = argc > 2 ? argv[2] : "";
	long long n = argc > 3 ? proof_number(argv[3]) : 1;

	proof_begin("raw");
	if (argc < 2)
		proof_die(PROOF_USAGE, "see the head of the source");
	sigaction(SIGTERM, &sa, NULL);
	if (argc == 2) {
		talk(dial(argv[1]));
		return 0;
	}
	for (long long i = 0; i < n; i++) {
		int fd = dial(argv[1]);

		if (strcmp(how, "half") == 0)
			(void)send(fd, "{\"id\":", 6, MSG_NOSIGNAL);
		if (strcmp(how, "deaf") == 0)
			ask(fd);
	}
	printf("raw: all are there\n");
	while (!told)
		poll(NULL, 0, 10);
	return 0;
}
