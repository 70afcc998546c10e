/* SPDX-License-Identifier: MIT */
/*
 * safe.c - programs that MPI calls safe: they must end, however small the pool
 *
 * usage: safe tags N BYTES | both BYTES | unread BYTES | flood N |
 *	       self BYTES | large BYTES | barrier N
 *
 *   tags    rank 0 begins sends with tags 0..N-1, the last rank receives N-1..0
 *   both    two ranks begin to send to each other, then receive
 *   unread  rank 2 sits on messages of ranks 0 and 1, which then talk to each
 *	     other; at last it reads them
 *   flood   N small messages before the receiver looks
 *   self    messages to itself: posted before, after, and too large
 *   large   one message of BYTES, checked page by page
 *   barrier N barriers of all ranks, each of which has counted its visits
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/lib/proof.h"

static struct snoo *ctx;
static int self, size;

static void *room(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		proof_die(PROOF_ERROR, "no memory");
	return p;
}

static void same(const void *buf, size_t n, uint64_t seed)
{
	long long bad = proof_check(buf, n, seed);

	if (bad >= 0)
		proof_die(PROOF_WRONG,
			  "byte %lld of %zu is wrong (seed %" PRIu64 ")", bad,
			  n, seed);
}

static void receive(void *buf, size_t n, int src, int tag, uint64_t seed)
{
	struct snoo_status st;

	proof_must(snoo_recv(ctx, buf, n, src, tag, &st), "snoo_recv");
	if (st.source != src || st.tag != tag || st.count != n)
		proof_die(PROOF_WRONG,
			  "source %d, tag %d, %" PRIu64 " bytes "
			  "instead of %d, %d, %zu",
			  st.source, st.tag, st.count, src, tag, n);
	same(buf, n, seed);
}

static void tags(int n, size_t bytes)
{
	unsigned char *buf = room(bytes * (size_t)n);
	struct snoo_request **req =
		room((size_t)n * sizeof(struct snoo_request *));
	int last = size - 1;

	if (self == 0) {
		for (int i = 0; i < n; i++) {
			unsigned char *at = buf + bytes * (size_t)i;

			proof_fill(at, bytes, (uint64_t)i);
			proof_must(snoo_isend(ctx, at, bytes, last, i, &req[i]),
				   "snoo_isend");
		}
		proof_must(snoo_waitall(ctx, (size_t)n, req, NULL),
			   "snoo_waitall");
	} else if (self == last) {
		for (int i = n - 1; i >= 0; i--)
			receive(buf, bytes, 0, i, (uint64_t)i);
	}
	free(req);
	free(buf);
}

static void both(size_t bytes)
{
	unsigned char *out = room(bytes), *in = room(bytes);
	int other = self ^ 1;
	struct snoo_request *req;

	proof_fill(out, bytes, (uint64_t)self);
	proof_must(snoo_isend(ctx, out, bytes, other, 1, &req), "snoo_isend");
	receive(in, bytes, other, 1, (uint64_t)other);
	proof_must(snoo_wait(ctx, &req, NULL), "snoo_wait");
	free(out);
	free(in);
}

#define UNREAD 64

static void unread(size_t bytes)
{
	unsigned char *buf = room(bytes * UNREAD), *big = room(bytes);
	struct snoo_request *req[UNREAD];
	char go;

	if (self == 2) {
		/* Everything lies unread here until the others have talked. */
		for (int from = 0; from < 2; from++)
			proof_must(snoo_recv(ctx, &go, 1, from, 99, NULL),
				   "snoo_recv");
		for (int i = UNREAD - 1; i >= 0; i--)
			for (int from = 0; from < 2; from++)
				receive(big, bytes, from, i,
					(uint64_t)(i * 2 + from));
	} else {
		for (int i = 0; i < UNREAD; i++) {
			unsigned char *at = buf + bytes * (size_t)i;

			proof_fill(at, bytes, (uint64_t)(i * 2 + self));
			proof_must(snoo_isend(ctx, at, bytes, 2, i, &req[i]),
				   "snoo_isend");
		}
		for (int i = 0; i < 4; i++)
			both(1u << 20);
		proof_must(snoo_send(ctx, "", 1, 2, 99), "snoo_send");
		proof_must(snoo_waitall(ctx, UNREAD, req, NULL),
			   "snoo_waitall");
	}
	free(buf);
	free(big);
}

static void flood(uint64_t n)
{
	uint64_t x;
	char go;

	if (self == 0) {
		/* The other order of tags, so that nothing matches on the way. */
		for (uint64_t i = 0; i < n; i++)
			proof_must(snoo_send(ctx, &i, sizeof(i), 1, 7),
				   "snoo_send");
		proof_must(snoo_send(ctx, "", 1, 1, 8), "snoo_send");
	} else if (self == 1) {
		proof_must(snoo_recv(ctx, &go, 1, 0, 8, NULL), "snoo_recv");
		for (uint64_t i = 0; i < n; i++) {
			proof_must(snoo_recv(ctx, &x, sizeof(x), 0, 7, NULL),
				   "snoo_recv");
			if (x != i)
				proof_die(PROOF_WRONG,
					  "%" PRIu64 " instead of "
					  "%" PRIu64,
					  x, i);
		}
	}
}

static void self_sends(size_t bytes)
{
	unsigned char *out = room(bytes), *in = room(bytes);
	struct snoo_request *r, *s;

	proof_fill(out, bytes, 5);
	proof_must(snoo_irecv(ctx, in, bytes, self, 1, &r), "snoo_irecv");
	proof_must(snoo_send(ctx, out, bytes, self, 1), "snoo_send");
	proof_must(snoo_wait(ctx, &r, NULL), "snoo_wait");
	same(in, bytes, 5);

	memset(in, 0, bytes);
	proof_must(snoo_isend(ctx, out, bytes, self, 2, &s), "snoo_isend");
	receive(in, bytes, self, 2, 5);
	proof_must(snoo_wait(ctx, &s, NULL), "snoo_wait");

	for (int i = 0; i < 100; i++)
		proof_must(snoo_send(ctx, &i, sizeof(i), self, 3), "snoo_send");
	for (int i = 0; i < 100; i++) {
		int x;

		proof_must(
			snoo_recv(ctx, &x, sizeof(x), SNOO_ANY_SOURCE, 3, NULL),
			"snoo_recv");
		proof_is(x, i, "message to itself");
	}
	proof_is(snoo_send(ctx, out, bytes, self, 4), -EDEADLK,
		 "a large blocking send to itself with no receive");
	free(out);
	free(in);
}

#define PAGE 4096u

/* A word in each page says which page it is: gigabytes in no time. */
static void large(uint64_t bytes)
{
	unsigned char *buf = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0);
	struct snoo_status st;

	if (buf == MAP_FAILED)
		proof_die(PROOF_ERROR, "no memory");
	if (self == 0) {
		for (uint64_t at = 0; at + 8 <= bytes; at += PAGE)
			memcpy(buf + at, &at, 8);
		buf[bytes - 1] = 0x5a;
		proof_must(snoo_send(ctx, buf, bytes, 1, 1), "snoo_send");
	} else if (self == 1) {
		proof_must(snoo_recv(ctx, buf, bytes, 0, 1, &st), "snoo_recv");
		if (st.count != bytes || buf[bytes - 1] != 0x5a)
			proof_die(PROOF_WRONG,
				  "%" PRIu64 " bytes, the last is "
				  "%#x",
				  st.count, buf[bytes - 1]);
		for (uint64_t at = 0; at + 8 <= bytes; at += PAGE)
			if (memcmp(buf + at, &at, at + 8 == bytes ? 7 : 8))
				proof_die(PROOF_WRONG,
					  "page at %" PRIu64 " is wrong", at);
	}
	munmap(buf, bytes);
}

static void barriers(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t x = i;

		/* Whoever is ahead of the barrier would bring another i. */
		proof_must(snoo_send(ctx, &x, sizeof(x), (self + 1) % size, 5),
			   "snoo_send");
		proof_must(snoo_barrier(ctx), "snoo_barrier");
		proof_must(snoo_recv(ctx, &x, sizeof(x),
				     (self + size - 1) % size, 5, NULL),
			   "snoo_recv");
		if (x != i)
			proof_die(PROOF_WRONG, "barrier %" PRIu64 ": %" PRIu64,
				  i, x);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t n = argc > 2 ? (uint64_t)proof_number(argv[2]) : 0;
	uint64_t m = argc > 3 ? (uint64_t)proof_number(argv[3]) : 0;

	proof_begin("safe");
	ctx = proof_join("safe");
	self = snoo_rank(ctx);
	size = snoo_size(ctx);
	if (strcmp(what, "tags") == 0)
		tags((int)n, m);
	else if (strcmp(what, "both") == 0)
		both(n);
	else if (strcmp(what, "unread") == 0)
		unread(n);
	else if (strcmp(what, "flood") == 0)
		flood(n);
	else if (strcmp(what, "self") == 0)
		self_sends(n);
	else if (strcmp(what, "large") == 0)
		large(n);
	else if (strcmp(what, "barrier") == 0)
		barriers(n);
	else
		proof_die(PROOF_USAGE, "see the head of the source");
	proof_leave(ctx);
	printf("safe: rank %d: done\n", self);
	return 0;
}
