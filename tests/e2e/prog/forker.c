/* SPDX-License-Identifier: MIT */
/*
 * forker.c - a rank forks, with requests under way
 *
 * The child may do nothing with the context: every call says -ESTALE, nothing
 * of the pool is mapped, the socket is not used.  It may join a job anew.
 * Afterwards the parent's stream goes on as if nothing had happened.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/proof.h"

#define BYTES 100000

static void stale(struct snoo *ctx, struct snoo_request *r)
{
	struct proof_pool pool;
	int done;
	char c = 0;

	proof_is(proof_pool(&pool), -ENOENT, "the pool in a child");
	proof_is(snoo_send(ctx, &c, 1, 0, 1), -ESTALE, "send");
	proof_is(snoo_recv(ctx, &c, 1, 0, 1, NULL), -ESTALE, "recv");
	proof_is(snoo_isend(ctx, &c, 1, 1, 1, &(struct snoo_request *){ NULL }),
		 -ESTALE, "isend");
	proof_is(snoo_test(ctx, &r, &done, NULL), -ESTALE, "test");
	proof_is(snoo_wait(ctx, &r, NULL), -ESTALE, "wait");
	proof_is(snoo_waitall(ctx, 1, &r, NULL), -ESTALE, "waitall");
	proof_is(snoo_waitany(ctx, 1, &r, &done, NULL), -ESTALE, "waitany");
	proof_is(snoo_cancel(ctx, &r), -ESTALE, "cancel");
	proof_is(snoo_probe(ctx, 0, 1, NULL), -ESTALE, "probe");
	proof_is(snoo_iprobe(ctx, 0, 1, &done, NULL), -ESTALE, "iprobe");
	proof_is(snoo_barrier(ctx), -ESTALE, "barrier");
	proof_is(snoo_finalize(ctx), -ESTALE, "finalize");
}

/* A job of the child's own. */
static void anew(void)
{
	struct snoo_options o = SNOO_OPTIONS_INIT;
	struct snoo *ctx;
	int y = 7, z = 0;

	o.rank = 0;
	o.size = 1;
	if (snoo_init(&ctx, "forked", &o))
		proof_die(PROOF_ERROR, "the child joins: %s",
			  snoo_last_error());
	proof_must(snoo_send(ctx, &y, sizeof(y), 0, 1), "send");
	proof_must(snoo_recv(ctx, &z, sizeof(z), 0, 1, NULL), "recv");
	proof_is(z, 7, "a message");
	proof_must(snoo_finalize(ctx), "finalize");
}

static void fork_once(struct snoo *ctx, struct snoo_request *r)
{
	pid_t pid;
	int st = 0;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(30);
		stale(ctx, r);
		anew();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &st, 0) != pid || st != 0)
		proof_die(PROOF_WRONG, "the child ended with %#x", st);
}

int main(void)
{
	static unsigned char out[BYTES], in[BYTES];
	struct snoo_request *req[2];
	struct snoo *ctx;
	int other;

	proof_begin("forker");
	ctx = proof_join("forker");
	other = snoo_rank(ctx) ^ 1;
	for (int i = 0; i < 5; i++) {
		uint64_t ours = (uint64_t)(i * 2 + snoo_rank(ctx));
		uint64_t theirs = (uint64_t)(i * 2 + other);

		proof_fill(out, BYTES, ours);
		proof_must(snoo_irecv(ctx, in, BYTES, other, i, &req[0]),
			   "irecv");
		proof_must(snoo_isend(ctx, out, BYTES, other, i, &req[1]),
			   "isend");
		fork_once(ctx, req[0]);
		proof_must(snoo_waitall(ctx, 2, req, NULL), "waitall");
		if (proof_check(in, BYTES, theirs) >= 0)
			proof_die(PROOF_WRONG, "message %d is spoilt", i);
	}
	proof_leave(ctx);
	printf("forker: done\n");
	return 0;
}
