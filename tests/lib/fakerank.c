/* SPDX-License-Identifier: MIT */
/*
 * fakerank.c - a rank made of bare wire.h messages, without the client library
 */
#include "tests/lib/fakerank.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS	30000	/* then the daemon hangs: a failure */

void fakerank_init(struct fakerank *f, void (*pump)(void *arg), void *arg)
{
	memset(f, 0, sizeof(*f));
	f->fd = -1;
	f->memfd = -1;
	f->pump = pump;
	f->arg = arg;
}

static void drop_fds(struct fakerank *f)
{
	while (f->nfds > 0)
		close(f->fds[--f->nfds]);
}

void fakerank_close(struct fakerank *f)
{
	drop_fds(f);
	if (f->region.base)
		munmap(f->region.base, f->region.size);
	if (f->memfd >= 0)
		close(f->memfd);
	if (f->fd >= 0)
		close(f->fd);
	fakerank_init(f, f->pump, f->arg);
}

int fakerank_connect(struct fakerank *f, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	f->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (f->fd < 0)
		return -errno;
	if (connect(f->fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	return 0;
}

void fakerank_hello_init(struct snoo_wire_hello *h, const char *name,
			 uint64_t launch, int32_t rank, uint32_t size)
{
	memset(h, 0, sizeof(*h));
	h->head.type = SNOO_WIRE_HELLO;
	h->head.length = sizeof(*h);
	h->magic = SNOO_WIRE_MAGIC;
	h->major = SNOO_WIRE_MAJOR;
	h->minor = SNOO_WIRE_MINOR;
	h->launch = launch;
	h->rank = rank;
	h->size = size;
	h->core = -1;
	h->pid = (uint32_t)getpid();
	strncpy(h->name, name, sizeof(h->name) - 1);
	memset(h->mask, 0xff, sizeof(h->mask));
}

int fakerank_send(struct fakerank *f, const void *msg, size_t bytes)
{
	ssize_t n = send(f->fd, msg, bytes, MSG_NOSIGNAL);

	return n < 0 ? -errno : 0;
}

int fakerank_send_plain(struct fakerank *f, uint32_t type)
{
	struct snoo_wire_plain m = { .head = { type, sizeof(m) } };

	return fakerank_send(f, &m, sizeof(m));
}

int fakerank_need(struct fakerank *f, uint32_t rings, uint32_t small,
		  uint32_t large)
{
	struct snoo_wire_need m = {
		.head = { SNOO_WIRE_NEED, sizeof(m) },
		.rings = rings,
		.small_blocks = small,
		.large_blocks = large,
	};

	f->asked[0] = small;
	f->asked[1] = large;
	return fakerank_send(f, &m, sizeof(m));
}

int fakerank_ack(struct fakerank *f, uint32_t gone)
{
	struct snoo_wire_ack m = {
		.head = { SNOO_WIRE_ACK, sizeof(m) }, .gone = gone,
	};

	f->acked = gone;

	return fakerank_send(f, &m, sizeof(m));
}

int fakerank_pinned(struct fakerank *f)
{
	struct snoo_wire_pinned m = {
		.head = { SNOO_WIRE_PINNED, sizeof(m) },
		.core = f->welcome.core,
	};

	return fakerank_send(f, &m, sizeof(m));
}

static int book_welcome(struct fakerank *f)
{
	void *base;
	int ret;

	/* Said again by a daemon that took over. */
	if (f->slot)
		return 0;
	memcpy(&f->welcome, f->msg.bytes, sizeof(f->welcome));
	if (f->memfd < 0)
		return -EBADF;
	base = mmap(NULL, f->welcome.pool_bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED, f->memfd, 0);
	if (base == MAP_FAILED)
		return -errno;
	ret = shm_region_open(&f->region, base, f->welcome.pool_bytes);
	if (ret) {
		munmap(base, f->welcome.pool_bytes);
		return ret;
	}
	f->slot = shm_region_rank(&f->region, f->welcome.slot);
	return f->slot ? 0 : -EPROTO;
}

static void book_rings(struct fakerank *f)
{
	const struct snoo_wire_rings *m = (const void *)f->msg.bytes;

	for (uint32_t i = 0; i < m->count && f->rings < FAKERANK_HOLD; i++)
		f->ring[f->rings++] = m->ring[i];
}

static void book_blocks(struct fakerank *f)
{
	const struct snoo_wire_grant *m = (const void *)f->msg.bytes;

	for (uint32_t i = 0; i < m->count && f->blocks < FAKERANK_HOLD; i++)
		f->block[f->blocks++] = m->block[i];
	f->asked[0] = f->asked[1] = 0;
}

/* As the client library does: what the last daemon may not have heard. */
static int answer_resumed(struct fakerank *f)
{
	const struct snoo_wire_resumed *r = (const void *)f->msg.bytes;
	struct snoo_wire_state m = {
		.head = { SNOO_WIRE_STATE, sizeof(m) },
		.epoch = r->epoch,
		.gone = f->acked,
		.seen_gone = f->seen_gone,
		.need = {
			.head = { SNOO_WIRE_NEED, sizeof(m.need) },
			.small_blocks = f->asked[0],
			.large_blocks = f->asked[1],
		},
	};

	f->resumed++;
	return fakerank_send(f, &m, sizeof(m));
}

static int book(struct fakerank *f)
{
	switch (f->msg.head.type) {
	case SNOO_WIRE_WELCOME:
		return book_welcome(f);
	case SNOO_WIRE_START:
		f->started = true;
		break;
	case SNOO_WIRE_RINGS:
		book_rings(f);
		break;
	case SNOO_WIRE_GRANT:
		book_blocks(f);
		break;
	case SNOO_WIRE_RESUMED:
		return answer_resumed(f);
	case SNOO_WIRE_GONE:
		memcpy(&f->gone, f->msg.bytes, sizeof(f->gone));
		if (f->gone.gone > f->seen_gone)
			f->seen_gone = f->gone.gone;
		break;
	case SNOO_WIRE_REGISTERS:
		memcpy(&f->registers, f->msg.bytes, sizeof(f->registers));
		f->registers_said++;
		break;
	case SNOO_WIRE_ERROR:
		memcpy(&f->error, f->msg.bytes, sizeof(f->error));
		break;
	default:
		break;
	}
	return 0;
}

/* WELCOME's fd is the pool's. */
static void keep_pool(struct fakerank *f)
{
	if (f->msg.head.type != SNOO_WIRE_WELCOME || f->nfds == 0)
		return;
	if (f->memfd >= 0)
		close(f->memfd);
	f->memfd = f->fds[--f->nfds];
}

static ssize_t receive(struct fakerank *f)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(f->fds))];
	} control;
	struct iovec iov = { f->msg.bytes, sizeof(f->msg.bytes) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n;

	n = recvmsg(f->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	drop_fds(f);
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (bytes > sizeof(f->fds))
			bytes = sizeof(f->fds);
		memcpy(f->fds, CMSG_DATA(c), bytes);
		f->nfds = (unsigned int)(bytes / sizeof(int));
	}
	keep_pool(f);
	return n;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int fakerank_recv(struct fakerank *f, bool wait)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	ssize_t n;
	int ret;

	while ((n = receive(f)) == -EAGAIN) {
		struct pollfd p = { .fd = f->fd, .events = POLLIN };

		if (!wait || now_ms() > end)
			return -EAGAIN;
		if (f->pump)
			f->pump(f->arg);
		poll(&p, 1, f->pump ? 0 : 100);
	}
	if (n <= 0)
		return (int)n;
	if ((size_t)n < sizeof(f->msg.head) || f->msg.head.length != (size_t)n)
		return -EPROTO;
	ret = book(f);
	return ret ? ret : (int)f->msg.head.type;
}

int fakerank_until(struct fakerank *f, int type)
{
	int ret;

	do
		ret = fakerank_recv(f, true);
	while (ret > 0 && ret != type && ret != SNOO_WIRE_ERROR);
	return ret;
}

int fakerank_attach(struct fakerank *f, const char *path, const char *name,
		    uint64_t launch, int32_t rank, uint32_t size)
{
	struct snoo_wire_hello h;
	int ret;

	ret = fakerank_connect(f, path);
	if (ret)
		return ret;
	fakerank_hello_init(&h, name, launch, rank, size);
	ret = fakerank_send(f, &h, sizeof(h));
	if (ret)
		return ret;
	ret = fakerank_until(f, SNOO_WIRE_WELCOME);
	if (ret == SNOO_WIRE_ERROR)
		return -EREMOTEIO;
	if (ret != SNOO_WIRE_WELCOME)
		return ret < 0 ? ret : -EPROTO;
	return fakerank_pinned(f);
}

int fakerank_leave(struct fakerank *f)
{
	int ret = fakerank_send_plain(f, SNOO_WIRE_LEAVE);

	if (ret)
		return ret;
	for (;;) {
		ret = fakerank_recv(f, true);
		if (ret == SNOO_WIRE_BYE || ret == 0 || ret == -ECONNRESET)
			return 0;
		if (ret == SNOO_WIRE_ERROR)
			return -EREMOTEIO;
		if (ret < 0)
			return ret;
		if (ret == SNOO_WIRE_RESUMED)
			fakerank_send_plain(f, SNOO_WIRE_LEAVE);
	}
}
