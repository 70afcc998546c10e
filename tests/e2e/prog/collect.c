/* SPDX-License-Identifier: MIT */
/*
 * collect.c - all collectives in turn, each byte checked
 *
 * usage: collect ROUNDS [MOST] | collect -d
 *
 *   ROUNDS  so many, of up to MOST elements
 *   -d      until a rank dies, which must end a call with EOWNERDEAD; "going" is
 *	     said once all have been through some
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/collect.h"
#include "tests/lib/proof.h"

static void explain(const struct collect_wrong *w)
{
	proof_die(w->error ? PROOF_ERROR : PROOF_WRONG,
		  "%s of %zu elements, type %d, operation %d, root %d: %s",
		  w->call, w->count, w->type, w->op, w->root,
		  w->error ? snoo_strerror(w->error) : "wrong bytes");
}

static void until_a_death(struct snoo *ctx)
{
	struct collect_wrong wrong = { 0 };

	for (uint32_t i = 0;; i++) {
		if (i == 20) {
			printf("going\n");
			fflush(stdout);
		}
		/* Long ones too, so that some die among messages. */
		if (collect_all(ctx, collect_count(i) % 20001, i, &wrong))
			break;
	}
	if (wrong.error != -EOWNERDEAD)
		explain(&wrong);
	/* And it stays so. */
	proof_is(snoo_barrier(ctx), -EOWNERDEAD, "a barrier after that");
	printf("a rank died in %s\n", wrong.call);
}

int main(int argc, char **argv)
{
	struct collect_wrong wrong;
	struct snoo *ctx;
	size_t most = SIZE_MAX;
	uint32_t rounds;

	proof_begin("collect");
	if (argc < 2)
		proof_die(PROOF_USAGE, "usage: collect ROUNDS [MOST] | -d");
	ctx = proof_join("collect");
	proof_rank(snoo_rank(ctx));
	if (strcmp(argv[1], "-d") == 0) {
		until_a_death(ctx);
		proof_leave(ctx);
		return 0;
	}
	rounds = (uint32_t)proof_number(argv[1]);
	if (argc > 2)
		most = (size_t)proof_number(argv[2]);
	for (uint32_t i = 0; i < rounds; i++) {
		size_t n = collect_count(i);

		if (collect_all(ctx, n < most ? n : most, i, &wrong))
			explain(&wrong);
	}
	proof_must(snoo_barrier(ctx), "snoo_barrier");
	proof_leave(ctx);
	return 0;
}
