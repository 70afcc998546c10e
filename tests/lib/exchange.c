/* SPDX-License-Identifier: MIT */
/* exchange.c - ranks in threads: messages of all sizes, all pairs, barriers */

#include "tests/lib/exchange.h"
#include "tests/lib/rounds.h"

#include <pthread.h>
#include <stdlib.h>

#define BYTES	400000

struct job {
	struct snoo *ctx;
	uint32_t rounds;
	bool failed;
};

static size_t size_of(uint32_t x)
{
	static const size_t sizes[] = {
		0, 4, 56, 57, 700, 9000, 16384, 20000, 70000, BYTES,
	};

	return sizes[(x * 2654435761u >> 8) % 10];
}

static bool exchange(struct snoo *ctx, uint32_t round, unsigned char *out,
		     unsigned char *in)
{
	uint32_t n = (uint32_t)snoo_size(ctx), me = (uint32_t)snoo_rank(ctx);
	uint32_t to = (me + 1 + round % (n - 1)) % n;
	uint32_t from = (me + n - 1 - round % (n - 1)) % n;
	size_t len = size_of(me * 1000 + round);
	size_t want = size_of(from * 1000 + round);
	struct snoo_status st;
	int ret;

	world_pattern(out, len, me * 1000 + round);
	ret = snoo_sendrecv(ctx, out, len, (int)to, 3, in, BYTES, (int)from, 3,
			    &st);
	return ret == 0 && st.count == want &&
	       world_matches(in, want, from * 1000 + round);
}

static void *run(void *arg)
{
	struct job *j = arg;
	unsigned char *out = malloc(BYTES), *in = malloc(BYTES);

	for (uint32_t i = 0; i < j->rounds && !j->failed; i++) {
		j->failed = !exchange(j->ctx, i, out, in);
		if (i % 16 == 0 && snoo_barrier(j->ctx))
			j->failed = true;
	}
	free(out);
	free(in);
	return NULL;
}

bool exchange_run(struct world *w, uint32_t times)
{
	pthread_t thread[WORLD_RANKS];
	struct job job[WORLD_RANKS] = { { 0 } };
	bool good = true;

	for (uint32_t i = 0; i < w->p.ranks; i++) {
		job[i].ctx = w->ctx[i];
		job[i].rounds = rounds(times);
		if (pthread_create(&thread[i], NULL, run, &job[i]))
			abort();
	}
	for (uint32_t i = 0; i < w->p.ranks; i++)
		pthread_join(thread[i], NULL);
	for (uint32_t i = 0; i < w->p.ranks; i++)
		good = good && !job[i].failed &&
		       shm_counter(w->ctx[i]->me, SHM_COUNT_missed_bells) == 0;
	return good;
}
