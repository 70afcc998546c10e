/* SPDX-License-Identifier: MIT */
/*
 * ferry.c - a stream of bytes between host and guest through shared memory
 *
 * usage: ferry FILE SOCKET PID			the host's end
 *	  ferry RESOURCE -- PROGRAM [ARGUMENT...]	the guest's
 *
 * For a machine on which no device's interrupt arrives: the memory is that of
 * an ivshmem-plain device, a file on the host, and both ends look at it by
 * themselves.  On the host the first client of SOCKET is at the other end,
 * until process PID, the emulator, has ended; in the guest it is PROGRAM's
 * standard input, a socket that it reads and writes.
 *
 * FILE is all zero before the guest boots, and serves one boot.
 *
 * Ordering edges
 * ==============
 *
 *   edge   one end                          other end
 *   CARGO  load: bytes, release store tail  unload: acquire load of tail
 *   ROOM   unload: bytes, release of head   load: acquire load of head
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/vm/prog/port.h"

#define LANE	(256u * 1024) /* bytes, a power of two */
#define LOOK_MS 2

/**
 * struct lane - One direction; holds tail - head bytes
 * @tail:	Bytes put in since the boot
 * @head:	Bytes taken out
 */
struct lane {
	alignas(128) _Atomic uint32_t tail;
	alignas(128) _Atomic uint32_t head;
	alignas(128) unsigned char bytes[LANE];
};

struct deck {
	struct lane to_guest, to_host;
};

static struct deck *map(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *at;

	if (fd < 0)
		port_die("%s: %s", path, strerror(errno));
	at = mmap(NULL, sizeof(struct deck), PROT_READ | PROT_WRITE, MAP_SHARED,
		  fd, 0);
	if (at == MAP_FAILED)
		port_die("%s: mmap: %s", path, strerror(errno));
	close(fd);
	return at;
}

/* Bytes from @fd into the lane; 0: none or no room, -1: the end. */
static ssize_t load(struct lane *l, int fd)
{
	uint32_t tail = atomic_load_explicit(&l->tail, memory_order_relaxed);
	/* ROOM: what is overwritten was taken out. */
	uint32_t head = atomic_load_explicit(&l->head, memory_order_acquire);
	uint32_t at = tail & (LANE - 1), room = LANE - (tail - head);
	ssize_t n;

	if (room > LANE - at)
		room = LANE - at;
	if (room == 0)
		return 0;
	n = recv(fd, l->bytes + at, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	/* CARGO */
	atomic_store_explicit(&l->tail, tail + (uint32_t)n,
			      memory_order_release);
	return n;
}

/* The same the other way. */
static ssize_t unload(struct lane *l, int fd)
{
	uint32_t head = atomic_load_explicit(&l->head, memory_order_relaxed);
	/* CARGO */
	uint32_t tail = atomic_load_explicit(&l->tail, memory_order_acquire);
	uint32_t at = head & (LANE - 1), there = tail - head;
	ssize_t n;

	if (there > LANE - at)
		there = LANE - at;
	if (there == 0)
		return 0;
	n = send(fd, l->bytes + at, there, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return -1;
	/* ROOM */
	atomic_store_explicit(&l->head, head + (uint32_t)n,
			      memory_order_release);
	return n;
}

static bool is_full(struct lane *l)
{
	return atomic_load_explicit(&l->tail, memory_order_relaxed) -
		       atomic_load_explicit(&l->head, memory_order_relaxed) ==
	       LANE;
}

/* Until @fd is closed at its other end, or @pidfd's process has ended. */
static void carry(struct lane *in, struct lane *out, int fd, int pidfd)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN },
			      { .fd = pidfd, .events = POLLIN } };
	ssize_t a = 0, b = 0;

	while (a >= 0 && b >= 0) {
		/* It may have left something to say. */
		bool ended = p[1].revents;

		a = unload(in, fd);
		b = load(out, fd);
		if (ended && a <= 0)
			return;
		/* What we cannot take must not keep poll() from waiting. */
		p[0].events = is_full(out) ? 0 : POLLIN;
		(void)poll(p, 2, a > 0 || b > 0 ? 0 : LOOK_MS);
	}
}

static int host(const char *file, const char *path, pid_t pid)
{
	struct deck *d = map(file);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int listener = port_listen(path), fd;
	struct pollfd p[] = { { .fd = listener, .events = POLLIN },
			      { .fd = pidfd, .events = POLLIN } };

	if (pidfd < 0)
		port_die("process %d: %s", (int)pid, strerror(errno));
	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	if (!p[0].revents)
		return 0;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		port_die("accept: %s", strerror(errno));
	carry(&d->to_host, &d->to_guest, fd, pidfd);
	return 0;
}

/* The program keeps our process id: it may have to be process 1. */
static int guest(const char *resource, char **program)
{
	struct deck *d = map(resource);
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		port_die("socketpair: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		port_die("fork: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[1]);
		carry(&d->to_guest, &d->to_host, ends[0], -1);
		_exit(0);
	}
	dup2(ends[1], STDIN_FILENO);
	execvp(program[0], program);
	port_die("%s: %s", program[0], strerror(errno));
}

int main(int argc, char **argv)
{
	if (argc > 3 && strcmp(argv[2], "--") == 0)
		return guest(argv[1], argv + 3);
	if (argc != 4)
		port_die("usage: ferry FILE SOCKET PID | RESOURCE -- PROGRAM");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return host(argv[1], argv[2], (pid_t)atoi(argv[3]));
}
