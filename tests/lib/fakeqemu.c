/* SPDX-License-Identifier: MIT */
/*
 * fakeqemu.c - client side of the ivshmem protocol, and a doorbell
 *
 * Source: docs/specs/ivshmem-spec.txt of QEMU.
 */
#include "tests/lib/fakeqemu.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void fakeqemu_init(struct fakeqemu *q, unsigned int vectors)
{
	*q = (struct fakeqemu){
		.sock = -1, .want = vectors, .version = -1, .memory = -1,
	};
	memset(q->bell, -1, sizeof(q->bell));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void fakeqemu_close(struct fakeqemu *q)
{
	if (q->map)
		munmap(q->map, q->bytes);
	q->map = NULL;
	close_fd(&q->sock);
	close_fd(&q->memory);
	for (unsigned int p = 0; p < FAKEQEMU_PEERS; p++)
		for (unsigned int v = 0; v < FAKEQEMU_VECTORS; v++)
			close_fd(&q->bell[p][v]);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- messages ---- */

static int fd_of(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len < CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

/* One message that is there already: 0, -EAGAIN (none), -EPIPE, -errno. */
static int hear(struct fakeqemu *q, int64_t *value, int *fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	uint64_t wire;
	struct iovec iov = { .iov_base = &wire, .iov_len = sizeof(wire) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t n = recvmsg(q->sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*fd = -1;
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE;
	*fd = fd_of(&msg);
	/* A server writes whole messages, and the kernel keeps them whole. */
	if (n != (ssize_t)sizeof(wire)) {
		close_fd(fd);
		return -EPROTO;
	}
	*value = (int64_t)le64toh(wire);
	q->got++;
	return 0;
}

static int take_bell(struct fakeqemu *q, uint32_t peer, int fd)
{
	if (fd < 0) {
		q->leaves++;
		return 0;
	}
	/* "Too many eventfd received" is no failure to QEMU either. */
	if (q->bells[peer] < q->want)
		q->bell[peer][q->bells[peer]] = fd;
	else
		close(fd);
	q->bells[peer]++;
	return 0;
}

static int take(struct fakeqemu *q, int64_t value, int fd)
{
	if (q->got == 1) {
		q->version = value;
		return value == 0 && fd < 0 ? 0 : -EPROTONOSUPPORT;
	}
	if (q->got == 2) {
		if (fd >= 0 || value < 0 || value >= FAKEQEMU_PEERS)
			return -EPROTO;
		q->id = (uint32_t)value;
		return 0;
	}
	if (value == -1 && fd >= 0 && q->memory < 0) {
		q->memory = fd;
		return 0;
	}
	if (value < 0 || value >= FAKEQEMU_PEERS)
		return -EPROTO;
	return take_bell(q, (uint32_t)value, fd);
}

int fakeqemu_pump(struct fakeqemu *q)
{
	int64_t value = 0;
	int fd, ret;

	do {
		ret = hear(q, &value, &fd);
		if (ret == 0) {
			ret = take(q, value, fd);
			if (ret)
				close_fd(&fd);
		}
	} while (ret == 0);
	return ret == -EAGAIN ? 0 : ret;
}

static int complete(const struct fakeqemu *q)
{
	return q->memory >= 0 && q->bells[q->id] >= q->want;
}

int fakeqemu_handshake(struct fakeqemu *q, int sock, int timeout_ms)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int64_t end = now_ms() + timeout_ms;

	q->sock = sock;
	for (;;) {
		int64_t left = end - now_ms();
		int ret = fakeqemu_pump(q);

		/* A hang-up after the last message is a later matter. */
		if (complete(q))
			return 0;
		if (ret)
			return ret;
		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return -ETIMEDOUT;
	}
}

int fakeqemu_connect(struct fakeqemu *q, const char *path, int timeout_ms)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	q->sock = sock;
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	return fakeqemu_handshake(q, sock, timeout_ms);
}

/* ---- the device ---- */

void *fakeqemu_map(struct fakeqemu *q, size_t *bytes)
{
	struct stat st;
	void *map;

	if (!q->map && fstat(q->memory, &st) == 0 && st.st_size > 0) {
		map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
			   MAP_SHARED, q->memory, 0);
		if (map != MAP_FAILED) {
			q->map = map;
			q->bytes = (size_t)st.st_size;
		}
	}
	*bytes = q->bytes;
	return q->map;
}

static int bell_of(const struct fakeqemu *q, uint32_t peer, uint32_t vector)
{
	return peer < FAKEQEMU_PEERS && vector < FAKEQEMU_VECTORS ?
	       q->bell[peer][vector] : -1;
}

int fakeqemu_ring(struct fakeqemu *q, uint32_t peer, uint32_t vector)
{
	const uint64_t one = 1;
	int fd = bell_of(q, peer, vector);

	if (fd < 0)
		return -ENOENT;
	return write(fd, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

int fakeqemu_vector(const struct fakeqemu *q, uint32_t vector)
{
	return bell_of(q, q->id, vector);
}

int64_t fakeqemu_wait(struct fakeqemu *q, uint32_t vector, int timeout_ms)
{
	struct pollfd p = { .fd = fakeqemu_vector(q, vector),
			    .events = POLLIN };
	int64_t end = now_ms() + timeout_ms, left = timeout_ms;
	uint64_t count;
	struct iovec iov = { .iov_base = &count, .iov_len = sizeof(count) };

	if (p.fd < 0)
		return -ENOENT;
	do {
		if (poll(&p, 1, (int)left) == 0)
			break;
		/* Another holder may have been faster: look again. */
		if (preadv2(p.fd, &iov, 1, -1, RWF_NOWAIT) == sizeof(count))
			return count > INT64_MAX ? INT64_MAX : (int64_t)count;
		left = end - now_ms();
	} while (left > 0);
	return -ETIMEDOUT;
}
