/* SPDX-License-Identifier: MIT */
/*
 * leaver.c - rank 0 sends and is gone; the others read what it has left
 *
 * usage: leaver N FILE [kill]
 *
 * N messages of 0 to 56 bytes to each rank, as fast as it can, then finalize at
 * once; with "kill", SIGKILL to itself once all sends have returned.  The others
 * look at nothing before FILE is there, then receive all of it in order, and
 * after that -EPIPE, or -EOWNERDEAD.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/proof.h"

static size_t size_of(long long i)
{
	return (size_t)(i * 7 % 57);
}

static void leave(struct snoo *ctx, long long n, int die)
{
	unsigned char buf[56];

	for (long long i = 0; i < n; i++) {
		for (int to = 1; to < snoo_size(ctx); to++) {
			proof_fill(buf, size_of(i),
				   (uint64_t)i * 64 + (uint64_t)to);
			proof_must(snoo_send(ctx, buf, size_of(i), to,
					     (int)i % 1000),
				   "snoo_send");
		}
	}
	if (die)
		kill(getpid(), SIGKILL);
	proof_leave(ctx);
}

static void await(const char *file)
{
	const struct timespec nap = { .tv_nsec = 5000000 };

	while (access(file, F_OK))
		nanosleep(&nap, NULL);
}

static void read_all(struct snoo *ctx, long long n, int die)
{
	unsigned char buf[64];
	struct snoo_status st;
	int self = snoo_rank(ctx);

	for (long long i = 0; i < n; i++) {
		proof_must(
			snoo_recv(ctx, buf, sizeof(buf), 0, SNOO_ANY_TAG, &st),
			"snoo_recv");
		if (st.tag != (int)i % 1000 || st.count != size_of(i) ||
		    proof_check(buf, size_of(i),
				(uint64_t)i * 64 + (uint64_t)self) >= 0)
			proof_die(PROOF_WRONG,
				  "message %lld: tag %d, %llu "
				  "bytes",
				  i, st.tag, (unsigned long long)st.count);
	}
	proof_is(snoo_recv(ctx, buf, sizeof(buf), 0, SNOO_ANY_TAG, &st),
		 die ? -EOWNERDEAD : -EPIPE, "a receive from who is gone");
	proof_leave(ctx);
}

int main(int argc, char **argv)
{
	struct snoo *ctx;
	long long n;
	int die = argc == 4 && strcmp(argv[3], "kill") == 0;

	proof_begin("leaver");
	if (argc < 3 || argc > 4 || (argc == 4 && !die))
		proof_die(PROOF_USAGE, "usage: leaver N FILE [kill]");
	n = proof_number(argv[1]);
	ctx = proof_join("leaver");
	proof_rank(snoo_rank(ctx));
	if (snoo_rank(ctx) == 0) {
		leave(ctx, n, die);
	} else {
		await(argv[2]);
		read_all(ctx, n, die);
	}
	return 0;
}
