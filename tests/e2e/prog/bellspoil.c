/* SPDX-License-Identifier: MIT */
/*
 * bellspoil.c - a rank that spoils the eventfds that it was given
 *
 * usage: bellspoil fill	take O_NONBLOCK off all of them, fill them
 *				again and again, until SIGTERM
 *	  bellspoil storm	write all of them as fast as it can
 *	  bellspoil eat		read all of them as fast as it can
 *
 * Whom it shares them with is its own domain's affair; the daemon must go on,
 * and those that sleep on futexes must notice nothing.
 */

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/lib/proof.h"

#define MOST	256

static int bell[MOST];
static size_t bells;

static void find_bells(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;

	while (dir && (e = readdir(dir)) && bells < MOST) {
		char what[64] = "";

		if (readlinkat(dirfd(dir), e->d_name, what,
			       sizeof(what) - 1) > 0 &&
		    strcmp(what, "anon_inode:[eventfd]") == 0)
			bell[bells++] = atoi(e->d_name);
	}
	if (dir)
		closedir(dir);
}

static void fill(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	uint64_t v = UINT64_MAX - 1;
	ssize_t n;

	fcntl(fd, F_SETFL, 0);
	/* As much as fits, or it would hang itself. */
	for (; v > 0; v /= 2) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		n = write(fd, &v, sizeof(v));
		fcntl(fd, F_SETFL, 0);
		if (n < 0 && poll(&p, 1, 0) == 0)
			break;
	}
}

static void storm(int fd)
{
	const uint64_t one = 1;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	ssize_t n = 0;

	if (poll(&p, 1, 0) == 1)
		n = write(fd, &one, sizeof(one));
	(void)n;
}

static void eat(int fd)
{
	uint64_t v;
	struct iovec iov = { &v, sizeof(v) };
	ssize_t n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);

	(void)n;
}

int main(int argc, char **argv)
{
	void (*spoil)(int fd) = fill;

	proof_begin("bellspoil");
	if (argc > 1 && strcmp(argv[1], "storm") == 0)
		spoil = storm;
	else if (argc > 1 && strcmp(argv[1], "eat") == 0)
		spoil = eat;
	proof_join("bellspoil");
	find_bells();
	printf("%zu bells\n", bells);
	fflush(stdout);
	for (;;) {
		for (size_t i = 0; i < bells; i++)
			spoil(bell[i]);
		if (spoil != storm)
			usleep(200);
	}
}
