/* SPDX-License-Identifier: MIT */
/*
 * fakehost.c - the host's end of a VM's two ivshmem sockets, in the test
 */

#include "tests/lib/fakehost.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <snoo/abi.h>
#include <snoo/control.h>

#define FDS_MAX 4u

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, path, strlen(path));
	must(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
		     listen(fd, 4) == 0,
	     path);
	return fd;
}

static void say(int sock, int64_t value, const int *fd, size_t n)
{
	union {
		char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	uint64_t raw = htole64((uint64_t)value);
	struct iovec io = { .iov_base = &raw, .iov_len = sizeof(raw) };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };

	if (n) {
		struct cmsghdr *c;

		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fd, n * sizeof(int));
	}
	/* A guest that was told nonsense has hung up. */
	(void)!sendmsg(sock, &m, MSG_NOSIGNAL);
}

static uint32_t vectors_of(int device)
{
	return device == FAKEHOST_POOL ? FAKEHOST_VECTORS : SNOO_CTL_VECTORS;
}

static void greet(struct fakehost *h, int device, int sock)
{
	uint32_t vectors = vectors_of(device);

	say(sock, 0, NULL, 0);
	say(sock, FAKEHOST_SLOT, NULL, 0);
	say(sock, -1, &h->memory[device], 1);
	for (uint32_t s = 0; s < FAKEHOST_SLOTS; s++)
		for (uint32_t v = 0; s != FAKEHOST_SLOT && v < vectors; v++)
			say(sock, s, &h->bell[device][s][v], 1);
	for (uint32_t v = 0; v < vectors; v++)
		say(sock, FAKEHOST_SLOT, &h->bell[device][FAKEHOST_SLOT][v], 1);
}

static void recite(struct fakehost *h, int device, int sock)
{
	for (size_t i = 0; i < h->nscript[device]; i++) {
		const struct fakehost_say *s = &h->script[device][i];
		int fd[FDS_MAX] = { 0 };

		for (unsigned int n = 0; n < s->fds; n++)
			fd[n] = h->bell[device][0][0];
		if (s->memory)
			fd[0] = h->memory[device];
		say(sock, s->value, fd, s->memory ? 1 : s->fds);
	}
}

static void serve(struct fakehost *h, int device)
{
	int sock = accept4(h->listener[device], NULL, NULL, SOCK_CLOEXEC);
	struct ucred who = { 0 };
	socklen_t len = sizeof(who);

	must(sock >= 0, "accept");
	getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &who, &len);
	pthread_mutex_lock(&h->lock);
	if (h->sock[device] >= 0)
		close(h->sock[device]);
	h->sock[device] = sock;
	h->pid[device] = who.pid;
	h->greeted[device]++;
	pthread_cond_broadcast(&h->changed);
	if (h->script[device]) {
		recite(h, device, sock);
		shutdown(sock, SHUT_RDWR);
	} else {
		greet(h, device, sock);
	}
	pthread_mutex_unlock(&h->lock);
}

static void *server(void *arg)
{
	struct fakehost *h = arg;

	for (;;) {
		struct pollfd p[3] = {
			{ .fd = h->listener[0], .events = POLLIN },
			{ .fd = h->listener[1], .events = POLLIN },
			{ .fd = h->stop[0], .events = POLLIN },
		};

		if (poll(p, 3, -1) < 0)
			continue;
		if (p[2].revents)
			return NULL;
		for (int i = 0; i < 2; i++)
			if (p[i].revents & POLLIN)
				serve(h, i);
	}
}

static void format(struct fakehost *h)
{
	struct snoo_abi_pool *a = (void *)(h->mem[0] + SNOO_ABI_HEAD_OFFSET);
	struct snoo_ctl_memory *c = (void *)h->mem[1];

	a->magic = SNOO_ABI_MAGIC;
	a->major = SNOO_ABI_MAJOR;
	a->minor = SNOO_ABI_MINOR;
	a->size = h->bytes[0];
	c->magic = SNOO_CTL_MAGIC;
	c->major = SNOO_CTL_MAJOR;
	c->minor = SNOO_CTL_MINOR;
	c->bytes = SNOO_CTL_BYTES;
}

void fakehost_open(struct fakehost *h)
{
	fakehost_open_of(h, FAKEHOST_POOL_BYTES);
}

void fakehost_open_of(struct fakehost *h, uint64_t pool_bytes)
{
	memset(h, 0, sizeof(*h));
	strcpy(h->dir, "/tmp/snoo-fakehost-XXXXXX");
	must(mkdtemp(h->dir) != NULL, "mkdtemp");
	h->bytes[0] = pool_bytes;
	h->bytes[1] = SNOO_CTL_BYTES;
	for (int d = 0; d < 2; d++) {
		snprintf(h->path[d], sizeof(h->path[d]), "%s/%d.sock", h->dir,
			 d);
		h->listener[d] = listen_at(h->path[d]);
		h->sock[d] = -1;
		h->memory[d] = memfd_create("fakehost", MFD_CLOEXEC);
		must(h->memory[d] >= 0 &&
			     ftruncate(h->memory[d], (off_t)h->bytes[d]) == 0,
		     "memfd");
		h->mem[d] = mmap(NULL, h->bytes[d], PROT_READ | PROT_WRITE,
				 MAP_SHARED, h->memory[d], 0);
		must(h->mem[d] != MAP_FAILED, "mmap");
		for (uint32_t i = 0; i < FAKEHOST_SLOTS * FAKEHOST_VECTORS; i++)
			h->bell[d][i / FAKEHOST_VECTORS][i % FAKEHOST_VECTORS] =
				eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	format(h);
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->changed, NULL);
	must(pipe2(h->stop, O_CLOEXEC) == 0, "pipe");
	must(pthread_create(&h->thread, NULL, server, h) == 0, "thread");
}

void fakehost_close(struct fakehost *h)
{
	close(h->stop[1]);
	pthread_join(h->thread, NULL);
	close(h->stop[0]);
	for (int d = 0; d < 2; d++) {
		close(h->listener[d]);
		if (h->sock[d] >= 0)
			close(h->sock[d]);
		munmap(h->mem[d], h->bytes[d]);
		close(h->memory[d]);
		for (uint32_t i = 0; i < FAKEHOST_SLOTS * FAKEHOST_VECTORS; i++)
			close(h->bell[d][i / FAKEHOST_VECTORS]
				     [i % FAKEHOST_VECTORS]);
		unlink(h->path[d]);
	}
	rmdir(h->dir);
	pthread_mutex_destroy(&h->lock);
	pthread_cond_destroy(&h->changed);
}

void fakehost_wait(struct fakehost *h, unsigned int n)
{
	pthread_mutex_lock(&h->lock);
	while (h->greeted[0] < n || h->greeted[1] < n)
		pthread_cond_wait(&h->changed, &h->lock);
	pthread_mutex_unlock(&h->lock);
}

pid_t fakehost_pid(struct fakehost *h, int device)
{
	pid_t pid;

	pthread_mutex_lock(&h->lock);
	pid = h->pid[device];
	pthread_mutex_unlock(&h->lock);
	return pid;
}

unsigned int fakehost_greeted(struct fakehost *h, int device)
{
	unsigned int n;

	pthread_mutex_lock(&h->lock);
	n = h->greeted[device];
	pthread_mutex_unlock(&h->lock);
	return n;
}

void fakehost_hang_up(struct fakehost *h, int device)
{
	pthread_mutex_lock(&h->lock);
	shutdown(h->sock[device], SHUT_RDWR);
	pthread_mutex_unlock(&h->lock);
}

bool fakehost_ended(struct fakehost *h, int device)
{
	struct pollfd p = { .events = POLLIN };
	bool ended;

	pthread_mutex_lock(&h->lock);
	p.fd = h->sock[device];
	ended = poll(&p, 1, 10000) == 1 && (p.revents & POLLHUP);
	pthread_mutex_unlock(&h->lock);
	return ended;
}

void fakehost_script(struct fakehost *h, int device,
		     const struct fakehost_say *script, size_t n)
{
	pthread_mutex_lock(&h->lock);
	h->script[device] = script;
	h->nscript[device] = n;
	pthread_mutex_unlock(&h->lock);
}

int fakehost_bell(const struct fakehost *h, int device, uint32_t slot,
		  uint32_t vector)
{
	return h->bell[device][slot][vector];
}
