/* SPDX-License-Identifier: MIT */
/*
 * calls.c - the paper's six calls: every pair of ranks, every byte checked
 *
 * usage: calls ROUNDS [FILE]
 *
 * In each round each pair exchanges, one after the other, a burst of messages
 * of 0 to 56 bytes and one that is larger, in both directions.  Says "done"
 * with the number of both that it has sent, and with FILE waits until that is
 * gone before it leaves, so that somebody can look.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snoo/snoo_mpi.h>

#include "tests/lib/proof.h"

#define BURST	8
#define SMALL	56 /* bytes, at most */
#define LARGEST 300000
#define BEYOND	16 /* bytes behind the message, which nobody may write */

static int rank;
static unsigned char *buf;
static unsigned long small, large;

static int size_of(int round, int i)
{
	static const int sizes[] = { 57, 700, 4096, 20000, 70000, LARGEST };

	if (i < BURST)
		return (round * BURST + i) % (SMALL + 1);
	return sizes[round % 6];
}

static uint64_t seed_of(int from, int to, int round, int i)
{
	return proof_mix((uint64_t)from << 48 ^ (uint64_t)to << 32 ^
			 (uint64_t)round << 8 ^ (uint64_t)i);
}

static void give(int to, int round)
{
	for (int i = 0; i <= BURST; i++) {
		int n = size_of(round, i);

		proof_fill(buf, (size_t)n, seed_of(rank, to, round, i));
		SNOO_MPI_Send(buf, n, to, round << 4 | i, MPI_BYTE,
			      MPI_COMM_WORLD);
		*(n <= SMALL ? &small : &large) += 1;
	}
}

static void take(int from, int round)
{
	for (int i = 0; i <= BURST; i++) {
		int n = size_of(round, i);
		long long bad;

		memset(buf, 0xee, (size_t)n + BEYOND);
		SNOO_MPI_Recv(buf, n, from, MPI_BYTE, round << 4 | i,
			      MPI_COMM_WORLD);
		bad = proof_check(buf, (size_t)n,
				  seed_of(from, rank, round, i));
		for (int k = 0; k < BEYOND && bad < 0; k++)
			if (buf[n + k] != 0xee)
				bad = n + k;
		if (bad >= 0)
			proof_die(PROOF_WRONG,
				  "round %d, message %d from %d: byte %lld of "
				  "%d is wrong",
				  round, i, from, bad, n);
	}
}

int main(int argc, char **argv)
{
	int size, rounds;

	proof_begin("calls");
	if (argc < 2)
		proof_die(PROOF_USAGE, "usage: calls ROUNDS [FILE]");
	rounds = (int)proof_number(argv[1]);
	buf = malloc(LARGEST + BEYOND);
	if (!buf)
		proof_die(PROOF_ERROR, "no memory");
	SNOO_MPI_Init("calls");
	SNOO_MPI_Comm_rank(&rank);
	SNOO_MPI_Comm_size(&size);
	proof_rank(rank);

	/* All ranks meet the pairs in one order, so that nobody waits in a
	 * circle. */
	for (int round = 0; round < rounds; round++) {
		for (int peer = 0; peer < size; peer++) {
			if (peer > rank) {
				give(peer, round);
				take(peer, round);
			} else if (peer < rank) {
				take(peer, round);
				give(peer, round);
			}
		}
	}
	printf("done: %lu small and %lu large messages\n", small, large);
	while (argc > 2 && access(argv[2], F_OK) == 0)
		usleep(10000);
	SNOO_MPI_Finalize();
	return 0;
}
