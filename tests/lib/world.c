/* SPDX-License-Identifier: MIT */
/* world.c - contexts of one job in this process, and a daemon played by hand */

#include "tests/lib/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/context.h"
#include "client/news.h"
#include "client/progress.h"
#include "client/session.h"
#include "shm/block.h"

const struct world_params world_usual = {
	.ranks = 2,
	.pool_bytes = 16u << 20,
	.rings = 4,
	.large_rings = 1,
	.small = 8,
	.large = 4,
	.small_bytes = 16384,
	.large_bytes = 65536,
	.eager_bytes = 16384,
	.spin_ns = 20000,
};

#define MUST(condition)							\
	must((condition) ? 1 : 0, #condition, __LINE__)

static void must(int ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "world.c:%d: %s\n", line, what);
	abort();
}

static uint32_t cut(struct world *w, uint64_t bytes)
{
	uint32_t unit = w->next_unit;

	w->next_unit += (uint32_t)((bytes + SNOO_ABI_UNIT - 1) / SNOO_ABI_UNIT);
	MUST(w->next_unit <= w->region.arena_units);
	return unit;
}

static uint64_t offset_of(const struct world *w, uint32_t unit)
{
	return w->region.arena_off + (uint64_t)unit * SNOO_ABI_UNIT;
}

uint64_t world_room(struct world *w, uint64_t bytes)
{
	return offset_of(w, cut(w, bytes));
}

void world_tell_fds(struct world *w, uint32_t rank, const void *msg, size_t n,
		    const int *fd, size_t nfds)
{
	struct snoo_abi_rank *there = shm_region_rank(&w->region, rank);
	_Alignas(8) char control[CMSG_SPACE(253 * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)msg, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (!w->ctx[rank])
		return;
	if (nfds > 0) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fd, nfds * sizeof(int));
	}
	MUST(sendmsg(w->daemon[rank], &m, MSG_NOSIGNAL) == (ssize_t)n);
	atomic_fetch_add_explicit(&there->news, 1, memory_order_release);
}

void world_tell(struct world *w, uint32_t rank, const void *msg, size_t n)
{
	world_tell_fds(w, rank, msg, n, NULL, 0);
}

void world_rings(struct world *w, uint32_t rank, uint32_t n, uint32_t bytes)
{
	struct {
		struct snoo_wire_head head;
		uint32_t count, reserved;
		struct snoo_wire_ring ring;
	} m = { { SNOO_WIRE_RINGS, sizeof(m) }, 1, 0, { 0 } };

	for (uint32_t i = 0; i < n; i++) {
		int64_t lines;

		m.ring.offset = offset_of(w, cut(w, bytes));
		m.ring.bytes = bytes;
		lines = shm_ring_format(&w->region, m.ring.offset, bytes, rank);
		MUST(lines > 0);
		m.ring.nlines = (uint32_t)lines;
		world_tell(w, rank, &m, sizeof(m));
	}
}

uint32_t world_blocks(struct world *w, uint32_t rank, uint32_t n,
		      uint32_t bytes)
{
	struct {
		struct snoo_wire_head head;
		uint32_t count, reserved;
		struct snoo_wire_block block;
	} m = { { SNOO_WIRE_GRANT, sizeof(m) }, 1, 0, { 0 } };
	uint32_t first = w->next_unit;

	for (uint32_t i = 0; i < n; i++) {
		m.block.unit = cut(w, bytes);
		m.block.bytes = bytes;
		m.block.generation = shm_block_grant(
			shm_region_desc(&w->region, m.block.unit), rank);
		world_tell(w, rank, &m, sizeof(m));
	}
	return first;
}

uint32_t world_lend(struct world *w, uint32_t rank, uint64_t bytes)
{
	uint32_t unit = cut(w, bytes);
	struct snoo_abi_desc *d = shm_region_desc(&w->region, unit);
	struct snoo_wire_lent m = {
		.head = { SNOO_WIRE_LENT, sizeof(m) },
		.unit = unit,
		.bytes = bytes,
	};

	shm_block_measure(d, (uint32_t)(bytes / SNOO_ABI_UNIT));
	m.generation = shm_block_grant(d, rank);
	world_tell(w, rank, &m, sizeof(m));
	if (w->ctx[rank])
		news_read(w->ctx[rank]);
	return unit;
}

void world_gone(struct world *w, uint32_t rank, uint32_t state)
{
	struct snoo_wire_gone m = {
		.head = { SNOO_WIRE_GONE, sizeof(m) },
		.rank = rank,
		.state = state,
		.gone = ++w->gone,
		.slot = rank,
	};

	for (uint32_t i = 0; i < w->p.ranks; i++) {
		if (i != rank)
			world_tell(w, i, &m, sizeof(m));
	}
}

static void join_rank(struct world *w, uint32_t rank)
{
	struct snoo_wire_start start = {
		.head = { SNOO_WIRE_START, sizeof(start) },
		.size = w->p.ranks,
	};
	struct snoo_wire_welcome m = {
		.head = { SNOO_WIRE_WELCOME, sizeof(m) },
		.minor = SNOO_WIRE_MINOR,
		.rank = rank,
		.size = w->p.ranks,
		.capacity = w->p.ranks,
		.slot = rank,
		.pool_bytes = w->p.pool_bytes,
		.job_off = (uint64_t)((unsigned char *)w->job.abi -
				      w->region.base),
		.core = -1,
		.eager_bytes = w->p.eager_bytes,
		.small_bytes = w->p.small_bytes,
		.large_bytes = w->p.large_bytes,
		.spin_ns = w->p.spin_ns,
	};
	struct session_text why;
	int pair[2];

	MUST(context_new(&w->ctx[rank]) == 0);
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	w->ctx[rank]->session.fd = pair[0];
	w->daemon[rank] = pair[1];
	MUST(session_enter(w->ctx[rank], &m, dup(w->pool), &why) == 0);
	atomic_store(&shm_region_rank(&w->region, rank)->allow,
		     SNOO_ABI_UNLIMITED);
	atomic_store(&shm_region_rank(&w->region, rank)->minor,
		     SNOO_WIRE_MINOR);
	atomic_store(&w->job.member[rank].slot, rank + 1);
	world_tell(w, rank, &start, sizeof(start));
	world_rings(w, rank, w->p.rings, 4096);
	world_rings(w, rank, w->p.large_rings, 65536);
	world_blocks(w, rank, w->p.small, w->p.small_bytes);
	world_blocks(w, rank, w->p.large, w->p.large_bytes);
	news_read(w->ctx[rank]);
}

void world_open(struct world *w, const struct world_params *p)
{
	void *base;
	uint32_t unit;

	memset(w, 0, sizeof(*w));
	w->p = *p;
	w->pool = memfd_create("world", MFD_CLOEXEC);
	MUST(w->pool >= 0 &&
	     ftruncate(w->pool, (off_t)p->pool_bytes) == 0);
	base = mmap(NULL, (size_t)p->pool_bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED, w->pool, 0);
	MUST(base != MAP_FAILED);
	MUST(shm_region_plan(&w->region, p->pool_bytes, WORLD_RANKS) == 0);
	shm_region_format(&w->region, base);
	unit = cut(w, shm_job_bytes(p->ranks));
	MUST(shm_job_format(&w->job, &w->region, offset_of(w, unit), 1,
			    p->ranks) == 0);
	for (uint32_t i = 0; i < p->ranks; i++)
		join_rank(w, i);
}

void world_close(struct world *w)
{
	for (uint32_t i = 0; i < w->p.ranks; i++) {
		if (w->ctx[i])
			snoo_finalize(w->ctx[i]);
		close(w->daemon[i]);
	}
	munmap(w->region.base, (size_t)w->region.size);
	close(w->pool);
}

int world_heard(struct world *w, uint32_t rank, uint32_t type, void *buf)
{
	struct snoo_wire_head *head = buf;
	ssize_t n;

	while ((n = recv(w->daemon[rank], buf, SNOO_WIRE_MAX,
			 MSG_DONTWAIT)) > 0) {
		if (head->type == type)
			return (int)n;
	}
	return 0;
}

void world_turn(struct world *w, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		for (uint32_t r = 0; r < w->p.ranks; r++) {
			if (w->ctx[r])
				progress(w->ctx[r]);
		}
	}
}

static uint64_t word_at(size_t i, uint32_t seed)
{
	uint64_t x = (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15) +
		     (uint64_t)seed * UINT64_C(0xbf58476d1ce4e5b9) + 1;

	return x ^ x >> 29;
}

void world_pattern(void *buf, size_t n, uint32_t seed)
{
	unsigned char *p = buf;

	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(word_at(i / 8, seed) >> i % 8 * 8);
}

int world_matches(const void *buf, size_t n, uint32_t seed)
{
	const unsigned char *p = buf;

	for (size_t i = 0; i < n; i++) {
		if (p[i] != (unsigned char)(word_at(i / 8, seed) >> i % 8 * 8))
			return 0;
	}
	return 1;
}
