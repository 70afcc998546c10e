/* SPDX-License-Identifier: MIT */
/*
 * loans.c - two ranks lend each other messages and read them in place
 *
 * usage: loans [-n TURNS] [-l BYTES] [-o OPEN] [-u MICROSECONDS] [-p FILE]
 *		[-k RANK] [-a]
 *	  loans -w BYTES
 *
 * In turn i each rank builds message i in a block, or, where there is none,
 * sends a copy; then it receives that of the other one: in place, but every
 * fourth is copied.  Views stay open for OPEN turns, and are verified when they
 * come and again before they are released.
 *
 *   -p   counts in a file: words 2r and 2r + 1 are rank r's messages whose send
 *        is complete, and those that it has received and verified
 *   -k   this rank will be killed: the other one must get all of whose send was
 *        complete, then -EOWNERDEAD, and its views stay as they were
 *   -a   no loans: all is sent from a buffer in the pool
 *   -w   rank 0 lends BYTES and sleeps until it is killed; rank 1 takes a view,
 *        says "holds", and on SIGUSR1 verifies it, releases it, says "released"
 */

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/proof.h"

#define OPEN_MAX_ 64
#define WORDS	  4

static struct snoo *ctx;
static int self, peer;
static uint64_t *counts;
static uint64_t lent, copied;
static bool from_pool;

static uint64_t seed_of(int from, uint64_t i)
{
	return proof_mix(i * 2 + (uint64_t)from);
}

static size_t length_of(int from, uint64_t i, size_t most)
{
	uint64_t x = seed_of(from, i);

	/* Small ones, and some of all sizes. */
	return (size_t)(x % (x >> 32 & 1 ? most : 3000)) + 1;
}

static void verify(const void *data, uint64_t n, uint64_t i, size_t most)
{
	size_t want = length_of(peer, i, most);
	long long bad;

	if (n != want)
		proof_die(PROOF_WRONG,
			  "message %" PRIu64 " has %" PRIu64
			  " bytes instead of %zu",
			  i, n, want);
	bad = proof_check(data, want, seed_of(peer, i));
	if (bad >= 0)
		proof_die(PROOF_WRONG,
			  "message %" PRIu64 ": byte %lld of %zu "
			  "is wrong",
			  i, bad, want);
}

/* ---- sending ---- */

static unsigned char *copy;
static struct snoo_request *pending;

static int begin_copy(uint64_t i, size_t n)
{
	proof_fill(copy, n, seed_of(self, i));
	copied++;
	return snoo_isend(ctx, copy, n, peer, 1, &pending);
}

static int send_one(uint64_t i, size_t most)
{
	size_t n = length_of(self, i, most);
	struct snoo_block loan;
	int ret = from_pool ? -ENOMEM : snoo_loan(ctx, n, &loan);

	if (ret == -ENOMEM || ret == -EAGAIN)
		return begin_copy(i, n);
	proof_must(ret, "snoo_loan");
	if (loan.bytes < n)
		proof_die(PROOF_WRONG, "%zu bytes lent, %zu wanted", loan.bytes,
			  n);
	proof_fill(loan.data, n, seed_of(self, i));
	ret = snoo_send_loan(ctx, &loan, n, peer, 1);
	if (ret)
		proof_must(snoo_drop_loan(ctx, &loan), "snoo_drop_loan");
	else
		counts[2 * self]++;
	lent += ret == 0;
	return ret;
}

static int finish_copy(void)
{
	int ret;

	if (!pending)
		return 0;
	ret = snoo_wait(ctx, &pending, NULL);
	if (ret == 0)
		counts[2 * self]++;
	return ret;
}

/* ---- receiving ---- */

struct open {
	struct snoo_view view;
	uint64_t i;
};

static struct open held[OPEN_MAX_];

static void let_go(struct open *o, size_t most)
{
	if (!o->view.id)
		return;
	verify(o->view.data, o->view.bytes, o->i, most);
	proof_must(snoo_release(ctx, &o->view), "snoo_release");
}

static int receive_one(uint64_t i, size_t most, unsigned int keep)
{
	static unsigned char *in;
	struct open *o = &held[i % keep];
	struct snoo_status st;
	int ret;

	if (!in)
		in = malloc(most);
	if (!in)
		proof_die(PROOF_ERROR, "no memory");
	let_go(o, most);
	if (i % 4 == 3) {
		ret = snoo_recv(ctx, in, most, peer, 1, &st);
		if (ret == 0)
			verify(in, st.count, i, most);
	} else {
		ret = snoo_recv_view(ctx, peer, 1, &o->view);
		o->i = i;
		if (ret == 0)
			verify(o->view.data, o->view.bytes, i, most);
	}
	if (ret == 0)
		counts[2 * self + 1]++;
	return ret;
}

/* The partner is dead: nothing that it had lent us is missing or spoilt. */
static void survive(uint64_t i, size_t most, unsigned int keep)
{
	int ret;

	while ((ret = receive_one(i, most, keep)) == 0)
		i++;
	proof_is(ret, -EOWNERDEAD, "the receive after the last message");
	if (counts[2 * self + 1] < counts[2 * peer])
		proof_die(PROOF_WRONG,
			  "%" PRIu64 " messages received, %" PRIu64
			  " were sent",
			  counts[2 * self + 1], counts[2 * peer]);
	for (unsigned int k = 0; k < keep; k++)
		let_go(&held[k], most);
}

static void turns(uint64_t n, size_t most, unsigned int keep, int killed,
		  useconds_t rest)
{
	for (uint64_t i = 0; i < n; i++) {
		int ret = send_one(i, most);

		if (ret == 0)
			ret = receive_one(i, most, keep);
		if (ret == 0)
			ret = finish_copy();
		else if (pending)
			snoo_cancel(ctx, &pending);
		if (ret == -EOWNERDEAD && killed == peer) {
			survive(counts[2 * self + 1], most, keep);
			return;
		}
		proof_must(ret, "a turn");
		if (rest)
			usleep(rest);
	}
	for (unsigned int k = 0; k < keep; k++)
		let_go(&held[k], most);
}

/* ---- a view that outlives its sender ---- */

static void hold(size_t bytes)
{
	struct snoo_block loan;
	struct snoo_view v;
	sigset_t usr1;
	int sig;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	if (self == 0) {
		proof_must(snoo_loan(ctx, bytes, &loan), "snoo_loan");
		proof_fill(loan.data, bytes, 7);
		proof_must(snoo_send_loan(ctx, &loan, bytes, 1, 1),
			   "snoo_send_loan");
		for (;;)
			pause();
	}
	proof_must(snoo_recv_view(ctx, 0, 1, &v), "snoo_recv_view");
	printf("holds\n");
	fflush(stdout);
	proof_is(snoo_recv(ctx, NULL, 0, 0, 2, NULL), -EOWNERDEAD,
		 "a receive from the dead");
	printf("alone\n");
	fflush(stdout);
	sigwait(&usr1, &sig);
	if (v.bytes != bytes || proof_check(v.data, bytes, 7) >= 0)
		proof_die(PROOF_WRONG, "the view is not what was lent");
	proof_must(snoo_release(ctx, &v), "snoo_release");
	printf("released\n");
	fflush(stdout);
	sigwait(&usr1, &sig);
}

static void map_counts(const char *path)
{
	size_t bytes = WORDS * sizeof(*counts);
	int fd = path ? open(path, O_RDWR | O_CREAT, 0600) : -1;

	if (path && (fd < 0 || ftruncate(fd, (off_t)bytes)))
		proof_die(PROOF_ERROR, "%s: cannot make it", path);
	counts = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		      path ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
	if (counts == MAP_FAILED)
		proof_die(PROOF_ERROR, "no memory");
}

static unsigned char *get_buffer(size_t most)
{
	void *p = NULL;

	if (from_pool)
		proof_must(snoo_alloc(ctx, most, &p), "snoo_alloc");
	else
		p = malloc(most);
	if (!p)
		proof_die(PROOF_ERROR, "no memory");
	return p;
}

int main(int argc, char **argv)
{
	uint64_t n = UINT64_MAX;
	size_t most = 100000, wait_bytes = 0;
	unsigned int keep = 8;
	const char *path = NULL;
	useconds_t rest = 0;
	int killed = -1, c;

	proof_begin("loans");
	while ((c = getopt(argc, argv, "n:l:o:u:p:k:w:a")) != -1) {
		switch (c) {
		case 'n':
			n = (uint64_t)proof_number(optarg);
			break;
		case 'l':
			most = (size_t)proof_number(optarg);
			break;
		case 'o':
			keep = (unsigned int)proof_number(optarg);
			break;
		case 'u':
			rest = (useconds_t)proof_number(optarg);
			break;
		case 'p':
			path = optarg;
			break;
		case 'k':
			killed = (int)proof_number(optarg);
			break;
		case 'a':
			from_pool = true;
			break;
		case 'w':
			wait_bytes = (size_t)proof_number(optarg);
			break;
		default:
			return PROOF_USAGE;
		}
	}
	if (keep < 1 || keep > OPEN_MAX_ || most < 3000)
		return PROOF_USAGE;
	ctx = proof_join("loans");
	self = snoo_rank(ctx);
	peer = 1 - self;
	if (snoo_size(ctx) != 2)
		proof_die(PROOF_USAGE, "two ranks, not %d", snoo_size(ctx));
	map_counts(path);
	copy = get_buffer(most);
	if (wait_bytes)
		hold(wait_bytes);
	else
		turns(n, most, keep, killed, rest);
	if (from_pool)
		proof_must(snoo_free(ctx, copy), "snoo_free");
	printf("%" PRIu64 " lent, %" PRIu64 " copied\n", lent, copied);
	proof_leave(ctx);
	return 0;
}
