/* SPDX-License-Identifier: MIT */
/*
 * guest_socket.c - a device that is an ivshmem socket: a guest without QEMU
 *
 * We are the client that QEMU is: for containers and hypervisors that pass the
 * sockets through, and for tests.
 *
 *     server: 0                        the protocol's version
 *             our slot
 *             -1, fd                   the memory
 *             slot, fd ...             each peer's eventfds, vector by vector
 *             our slot, fd ...         our own
 *
 * Each number is a 64-bit little-endian integer.  The server never says that it
 * is done: static slots have equally many vectors, so we have all of ours when
 * we have as many as the first peer.  Nothing comes after that.
 *
 * Source: QEMU, docs/specs/ivshmem-spec.txt.
 */

#include "daemon/guest_socket.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/guest_holder.h"
#include "daemon/kick.h"

#define HANDSHAKE_MS 10000
#define BARRIER_MS   5000
#define VERSION	     0
#define MEMORY	     (-1)
#define HOLDER	     "guest/holder"

/* ---- bells ---- */

static void ring(struct guest_port *p, uint32_t slot, uint32_t vector)
{
	int *bell = guest_port_bell(p, slot, vector);

	if (bell && *bell >= 0)
		kick(p->kick, *bell);
}

static const struct guest_way socket_way = { .name = "socket", .ring = ring };

/* Without the kernel's help bells are written: see kick.h. */
static void begin(struct guest_port *p)
{
	p->way = &socket_way;
	(void)kick_open(&p->kick);
}

/* ---- handshake ---- */

struct talk {
	struct guest_port *p;
	const char *path;
	int64_t deadline; /* ms */
	int64_t first;	  /* the first peer; -1: not yet */
	uint32_t count[BELLS_SLOTS_MAX];
	char *why;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int wait_for_more(struct talk *t)
{
	struct pollfd ready = { .fd = t->p->fd, .events = POLLIN };
	int64_t left;
	int n;

	do {
		left = t->deadline - now_ms();
		n = poll(&ready, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return guest_fail(-ETIMEDOUT, t->why,
				  "%s: the server stopped "
				  "in the middle of its greeting",
				  t->path);
	return n < 0 ? -errno : 0;
}

/* At most one fd comes with a message; it arrives with its first byte. */
static int take_fd(struct msghdr *m, int *fd)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int ret = m->msg_flags & MSG_CTRUNC ? -EMFILE : 0;

	if (!c)
		return ret;
	if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	/* Padding has room for a second one: whatever came is ours to close. */
	for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len;
	     at += sizeof(int)) {
		int came;

		memcpy(&came, (char *)c + at, sizeof(came));
		if (*fd < 0) {
			*fd = came;
		} else {
			close(came);
			ret = -EPROTO;
		}
	}
	return ret;
}

/* The next number and the fd that came with it, or -1. */
static int get(struct talk *t, int64_t *value, int *fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	uint64_t raw = 0;
	size_t have = 0;
	int ret = 0;

	*fd = -1;
	while (!ret && have < sizeof(raw)) {
		struct iovec io = { (char *)&raw + have, sizeof(raw) - have };
		struct msghdr m = { .msg_iov = &io,
				    .msg_iovlen = 1,
				    .msg_control = control.buf,
				    .msg_controllen = sizeof(control.buf) };
		ssize_t n;

		ret = wait_for_more(t);
		if (ret)
			break;
		n = recvmsg(t->p->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				ret = guest_fail(-errno, t->why, "%s: %s",
						 t->path, strerror(errno));
			continue;
		}
		ret = take_fd(&m, fd);
		if (ret == -EMFILE)
			guest_fail(ret, t->why,
				   "%s: more fds are announced "
				   "than RLIMIT_NOFILE allows us",
				   t->path);
		else if (ret)
			guest_fail(ret, t->why, "%s: two fds in one message",
				   t->path);
		else if (n == 0)
			ret = guest_fail(-ECONNREFUSED, t->why,
					 "%s: the host "
					 "hung up; its log says why",
					 t->path);
		have += (size_t)(n > 0 ? n : 0);
	}
	if (ret && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	*value = (int64_t)le64toh(raw);
	return ret;
}

static int get_head(struct talk *t)
{
	struct guest_port *p = t->p;
	struct stat st;
	int64_t value;
	int fd, ret;

	ret = get(t, &value, &fd);
	if (ret)
		return ret;
	if (value != VERSION || fd >= 0) {
		if (fd >= 0)
			close(fd);
		return guest_fail(-ECONNREFUSED, t->why,
				  "%s: the host refuses "
				  "us (it says version %lld); its log says why",
				  t->path, (long long)value);
	}
	ret = get(t, &value, &fd);
	if (ret)
		return ret;
	if (fd >= 0 || value <= 0 || value >= BELLS_SLOTS_MAX) {
		if (fd >= 0)
			close(fd);
		return guest_fail(-EPROTO, t->why,
				  "%s: %lld is no slot of a "
				  "VM",
				  t->path, (long long)value);
	}
	p->slot = (uint32_t)value;
	ret = get(t, &value, &p->mem_fd);
	if (ret)
		return ret;
	if (value != MEMORY || p->mem_fd < 0 || fstat(p->mem_fd, &st) < 0 ||
	    st.st_size <= 0)
		return guest_fail(-EPROTO, t->why, "%s: no memory is offered",
				  t->path);
	ret = guest_port_map(p, p->mem_fd, 0, (uint64_t)st.st_size);
	if (ret)
		return guest_fail(ret, t->why, "%s: cannot map its memory: %s",
				  t->path, strerror(-ret));
	return 0;
}

/* One eventfd of @slot; 1: that was our last. */
static int add_vector(struct talk *t, uint32_t slot, int fd)
{
	struct guest_port *p = t->p;
	uint32_t v = t->count[slot]++;
	int *place = NULL;
	int ret = 0;

	if (slot != p->slot) {
		if (t->first < 0)
			t->first = slot;
		place = guest_port_bell(p, slot, v);
	} else {
		if (!p->vector)
			ret = t->first < 0 ? -EPROTO
					   : guest_port_vectors(
						     p, t->count[t->first]);
		if (!ret && v < p->vectors)
			place = &p->vector[v];
	}
	if (!place)
		return ret ? ret : -EPROTO;
	*place = fd;
	return slot == p->slot && v + 1 == p->vectors;
}

static int get_vectors(struct talk *t)
{
	int64_t value;
	int fd, ret;

	do {
		ret = get(t, &value, &fd);
		if (ret)
			return ret;
		/* Without an fd it says that a peer left: never among us. */
		if (fd < 0 || value < 0 || value >= BELLS_SLOTS_MAX)
			ret = -EPROTO;
		else
			ret = add_vector(t, (uint32_t)value, fd);
	} while (ret == 0);
	if (ret == 1)
		return 0;
	if (fd >= 0)
		close(fd);
	return guest_fail(ret, t->why,
			  "%s: what the server announces makes "
			  "no sense, at number %lld",
			  t->path, (long long)value);
}

static int shake(struct guest_port *p, int sock, const char *path, char *why)
{
	struct talk t = { .p = p,
			  .path = path,
			  .why = why,
			  .first = -1,
			  .deadline = now_ms() + HANDSHAKE_MS };
	int ret;

	p->fd = sock;
	begin(p);
	ret = get_head(&t);
	guest_port_socket(p, path);
	return ret ? ret : get_vectors(&t);
}

/* ---- kept ---- */

static void forget(struct guest_port *pool, struct guest_port *control,
		   int *holder, struct keeper *k)
{
	guest_port_forget(pool, k);
	guest_port_forget(control, k);
	if (*holder >= 0) {
		keeper_forget(k, HOLDER);
		close(*holder);
		*holder = -1;
	}
	keeper_barrier(k, BARRIER_MS);
}

/* The sockets go last: who finds them finds the rest. */
int guest_socket_store(struct guest_port *pool, struct guest_port *control,
		       int *holder, struct keeper *k)
{
	struct guest_port *const port[2] = { pool, control };
	int ret = keeper_store(k, HOLDER, *holder, false);

	for (int i = 0; i < 2 && !ret; i++) {
		ret = guest_port_store(port[i], k, port[i]->mem_fd, false,
				       "memory");
		if (!ret)
			ret = guest_port_store_all(port[i], k);
	}
	for (int i = 0; i < 2 && !ret; i++)
		ret = guest_port_store(port[i], k, port[i]->fd, true, "%s",
				       port[i]->kept);
	if (ret)
		forget(pool, control, holder, k);
	return ret;
}

static bool hung_up(int sock)
{
	struct pollfd p = { .fd = sock, .events = POLLIN | POLLRDHUP };

	return poll(&p, 1, 0) == 1 &&
	       (p.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL));
}

static int count_vectors(const struct guest_port *p, struct keeper *k)
{
	char name[64];
	int n = 0;

	do
		snprintf(name, sizeof(name), "guest/%s/vector/%d", p->part, n);
	while (keeper_find(k, name) >= 0 && ++n < (int)BELLS_VECTORS_MAX);
	return n;
}

static int adopt_one(struct guest_port *p, const char *path, struct keeper *k)
{
	int vectors = count_vectors(p, k);
	struct stat st;

	begin(p);
	if (!guest_port_take_socket(p, k, path) || vectors == 0 ||
	    guest_port_vectors(p, (uint32_t)vectors) < 0)
		return -ENOENT;
	p->mem_fd = guest_port_take(p, k, "memory");
	if (hung_up(p->fd) || p->mem_fd < 0 || fstat(p->mem_fd, &st) < 0 ||
	    st.st_size <= 0)
		return -ENOENT;
	guest_port_take_vectors(p, k);
	if (guest_port_take_bells(p, k) <= 0)
		return -ENOENT;
	return guest_port_map(p, p->mem_fd, 0, (uint64_t)st.st_size);
}

int guest_socket_adopt(struct guest_port *pool, struct guest_port *control,
		       const char *const path[2], int *holder, struct keeper *k)
{
	int ret;

	*holder = keeper_take(k, HOLDER);
	ret = *holder < 0 ? -ENOENT : adopt_one(pool, path[0], k);
	if (!ret)
		ret = adopt_one(control, path[1], k);
	if (!ret)
		return 0;
	/* That VM is over, for the host too once its holder is gone. */
	forget(pool, control, holder, k);
	return ret;
}

int guest_socket_open(struct guest_port *pool, struct guest_port *control,
		      const char *const path[2], int *holder,
		      char why[GUEST_PORT_TEXT])
{
	int sock[2], ret;

	ret = guest_holder_start(path, sock, holder, why);
	if (ret)
		return ret;
	pool->fd = sock[0];
	control->fd = sock[1];
	ret = shake(pool, sock[0], path[0], why);
	return ret ? ret : shake(control, sock[1], path[1], why);
}
