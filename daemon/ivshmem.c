/* SPDX-License-Identifier: MIT */
/*
 * ivshmem.c - server side of QEMU's ivshmem client protocol: the handshake
 *
 * Source: docs/specs/ivshmem-spec.txt and hw/misc/ivshmem.c of QEMU.
 */
#include "daemon/ivshmem.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* No id and no order: QEMU gives up when it meets this before the memory, and
 * complains when it meets it later. */
#define NONSENSE	INT64_C(-2)

#define MESSAGE_COST	1280u	/* where it can't be measured */

static uint32_t messages(uint32_t bells)
{
	return 3 + bells;		/* version, id, memory */
}

/* ---- one message ---- */

static int say(int sock, int64_t value, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { .buf = { 0 } };
	uint64_t wire = htole64((uint64_t)value);
	struct iovec iov = { .iov_base = &wire, .iov_len = sizeof(wire) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	/* Eight bytes are queued whole or not at all. */
	if (sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

void ivshmem_refuse(int sock)
{
	/* A fresh socket takes it; if the peer is gone, so be it. */
	(void)say(sock, IVSHMEM_REFUSAL, -1);
}

/* ---- the send buffer ---- */

/* What the kernel charges a sender for one message with an fd: it differs
 * between kernels and processors. */
static uint32_t message_cost(void)
{
	int pair[2], queued = 0;
	bool ok;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return MESSAGE_COST;
	ok = say(pair[0], 0, pair[0]) == 0 &&
	     ioctl(pair[0], SIOCOUTQ, &queued) == 0 && queued > 0;
	close(pair[0]);
	close(pair[1]);
	return ok ? (uint32_t)queued : MESSAGE_COST;
}

static uint64_t buffer_need(uint32_t bells)
{
	return (uint64_t)messages(bells) * message_cost();
}

uint64_t ivshmem_buffer_need(uint32_t slots, uint32_t vectors)
{
	return buffer_need(slots * vectors);
}

static uint64_t buffer_of(int sock)
{
	int bytes = 0;
	socklen_t len = sizeof(bytes);

	if (getsockopt(sock, SOL_SOCKET, SO_SNDBUF, &bytes, &len) || bytes < 0)
		return 0;
	return (uint64_t)bytes;
}

/* Return: the bytes it has then; never fewer than before. */
static uint64_t buffer_raise(int sock, int option, uint64_t need)
{
	uint64_t has = buffer_of(sock);
	int half = (int)((need + 1) / 2);	/* the kernel doubles it */

	if (has >= need || need > INT_MAX)
		return has;
	/* Cut down to net.core.wmem_max without an error; see what it has. */
	(void)setsockopt(sock, SOL_SOCKET, option, &half, sizeof(half));
	return buffer_of(sock);
}

static int no_buffer(uint64_t need, uint64_t has, char why[IVSHMEM_TEXT])
{
	snprintf(why, IVSHMEM_TEXT, "the handshake with QEMU takes a socket "
		 "buffer of %" PRIu64 " bytes, %" PRIu64 " are allowed: raise "
		 "net.core.wmem_max to %" PRIu64 ", or have fewer slots or "
		 "vectors", need, has, (need + 1) / 2);
	return -ENOBUFS;
}

int ivshmem_buffer_check(uint32_t slots, uint32_t vectors,
			 char why[IVSHMEM_TEXT])
{
	uint64_t need = ivshmem_buffer_need(slots, vectors), has;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	why[0] = '\0';
	if (fd < 0)
		return 0;		/* no answer: ivshmem_serve() has one */
	has = buffer_raise(fd, SO_SNDBUF, need);
	close(fd);
	return has >= need ? 0 : no_buffer(need, has, why);
}

/* ---- the handshake ---- */

static int send_all(int sock, const struct ivshmem_offer *o)
{
	int ret = say(sock, IVSHMEM_VERSION, -1);

	if (ret)
		return ret;
	ret = say(sock, o->id, -1);
	if (ret == 0)
		ret = say(sock, -1, o->memory);
	if (ret) {
		/* It waits for the memory now, and would for ever. */
		(void)say(sock, NONSENSE, -1);
		return ret;
	}
	for (unsigned int i = 0; i < o->n && ret == 0; i++)
		ret = say(sock, o->bell[i].id, o->bell[i].fd);
	return ret;
}

int ivshmem_serve(int sock, const struct ivshmem_offer *o,
		  char why[IVSHMEM_TEXT])
{
	uint64_t need = buffer_need(o->n), has;
	int ret;

	why[0] = '\0';
	has = buffer_raise(sock, SO_SNDBUF, need);
	if (has < need)
		has = buffer_raise(sock, SO_SNDBUFFORCE, need);
	if (has < need) {
		ivshmem_refuse(sock);
		return no_buffer(need, has, why);
	}
	ret = send_all(sock, o);
	if (ret == -ETOOMANYREFS)
		snprintf(why, IVSHMEM_TEXT, "more fds are under way to QEMUs "
			 "that don't read than the daemon's LimitNOFILE "
			 "allows");
	else if (ret)
		snprintf(why, IVSHMEM_TEXT, "handshake with QEMU: %s",
			 strerror(-ret));
	return ret;
}

/* ---- offers ---- */

static unsigned int add_slot(struct ivshmem_bell *bell, const struct bells *b,
			     uint32_t from, uint32_t to)
{
	for (uint32_t v = 0; v < bells_vectors(b); v++)
		bell[v] = (struct ivshmem_bell){
			.id = to, .fd = bells_fd(b, from, to, v),
		};
	return bells_vectors(b);
}

int ivshmem_offer_pool(struct ivshmem_offer *o, const struct bells *b,
		       uint32_t slot, int memory)
{
	uint32_t slots = bells_slots(b);
	struct ivshmem_bell *bell;

	assert(slot > 0 && slot < slots);
	*o = (struct ivshmem_offer){ .id = slot, .memory = memory };
	bell = calloc((size_t)slots * bells_vectors(b), sizeof(*bell));
	if (!bell)
		return -ENOMEM;
	for (uint32_t to = 0; to < slots; to++)
		if (to != slot)
			o->n += add_slot(bell + o->n, b, slot, to);
	o->n += add_slot(bell + o->n, b, 0, slot);
	o->bell = bell;
	return 0;
}

int ivshmem_offer_control(struct ivshmem_offer *o, uint32_t slot, int memory,
			  int host, int guest)
{
	struct ivshmem_bell *bell;

	assert(slot > 0);
	*o = (struct ivshmem_offer){ .id = slot, .memory = memory };
	bell = calloc(2, sizeof(*bell));
	if (!bell)
		return -ENOMEM;
	bell[0] = (struct ivshmem_bell){ .id = 0, .fd = host };
	bell[1] = (struct ivshmem_bell){ .id = slot, .fd = guest };
	o->bell = bell;
	o->n = 2;
	return 0;
}

void ivshmem_offer_fini(struct ivshmem_offer *o)
{
	free((void *)(uintptr_t)o->bell);
	o->bell = NULL;
	o->n = 0;
}

/* ---- the peer's limit ---- */

/* The soft limit in "Max open files   1024   1048576   files". */
static int parse_limit(const char *line, uint64_t *out)
{
	static const char label[] = "Max open files";
	char *end;

	if (strncmp(line, label, sizeof(label) - 1) != 0)
		return -ENOENT;
	line += sizeof(label) - 1;
	line += strspn(line, " ");
	if (strncmp(line, "unlimited", 9) == 0) {
		*out = UINT64_MAX;
		return 0;
	}
	errno = 0;
	*out = strtoull(line, &end, 10);
	return end != line && errno == 0 ? 0 : -EPROTO;
}

/* Of another user's process as well, which prlimit() needs a capability for. */
static int limit_from_proc(pid_t pid, uint64_t *out)
{
	char path[64], line[256];
	int ret = -ENOENT;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (ret == -ENOENT && fgets(line, sizeof(line), f))
		ret = parse_limit(line, out);
	fclose(f);
	return ret;
}

static int limit_of(pid_t pid, uint64_t *out)
{
	struct rlimit r;

	/* 0 would be ourselves: it is how the kernel names a stranger. */
	if (pid <= 0)
		return -ESRCH;
	if (limit_from_proc(pid, out) == 0)
		return 0;
	if (prlimit(pid, RLIMIT_NOFILE, NULL, &r))
		return -errno;
	*out = r.rlim_cur == RLIM_INFINITY ? UINT64_MAX : r.rlim_cur;
	return 0;
}

int ivshmem_peer_check(pid_t pid, uint32_t slots, uint32_t vectors,
		       char why[IVSHMEM_TEXT])
{
	uint64_t need = (uint64_t)slots * vectors + IVSHMEM_QEMU_FDS;
	uint64_t has = 0;
	int ret = limit_of(pid, &has);

	why[0] = '\0';
	if (ret) {
		snprintf(why, IVSHMEM_TEXT, "cannot see LimitNOFILE of QEMU "
			 "(process %d): %s; it must be at least %" PRIu64,
			 (int)pid, strerror(-ret), need);
		return -ENODATA;
	}
	if (has >= need)
		return 0;
	snprintf(why, IVSHMEM_TEXT, "raise LimitNOFILE of QEMU (process %d) "
		 "to at least %" PRIu64 ": it is %" PRIu64 ", and %" PRIu32
		 " slots x %" PRIu32 " vectors are an fd each", (int)pid, need,
		 has, slots, vectors);
	return -EMFILE;
}
