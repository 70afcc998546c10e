/* SPDX-License-Identifier: MIT */
/* api_snoo.h - the benchmarks' calls by SNOO's native API */
#ifndef BENCH_API_SNOO_H
#define BENCH_API_SNOO_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <snoo/snoo.h>

#include "bench/bench.h"

#define API_NAME "snoo"

typedef struct snoo_request *api_request;

extern struct snoo *api_ctx;		/* drive.c */

static inline void api_must(int ret, const char *call)
{
	if (ret)
		bench_die("%s: %s", call, snoo_strerror(ret));
}

/* By the name that the starter says, as SNOO_MPI_Init() has it. */
static inline void api_start(void)
{
	const char *job = getenv("SNOO_JOB");

	if (snoo_init(&api_ctx, job && *job ? job : "bench", NULL))
		bench_die("snoo_init: %s", snoo_last_error());
}

static inline void api_stop(void)
{
	api_must(snoo_finalize(api_ctx), "snoo_finalize");
}

static inline int api_rank(void)
{
	return snoo_rank(api_ctx);
}

static inline int api_size(void)
{
	return snoo_size(api_ctx);
}

static inline void api_send(const void *p, size_t n, int to, int tag)
{
	api_must(snoo_send(api_ctx, p, n, to, tag), "snoo_send");
}

static inline void api_recv(void *p, size_t n, int from, int tag)
{
	api_must(snoo_recv(api_ctx, p, n, from, tag, NULL), "snoo_recv");
}

static inline void api_isend(const void *p, size_t n, int to, int tag,
			     api_request *r)
{
	api_must(snoo_isend(api_ctx, p, n, to, tag, r), "snoo_isend");
}

static inline void api_irecv(void *p, size_t n, int from, int tag,
			     api_request *r)
{
	api_must(snoo_irecv(api_ctx, p, n, from, tag, r), "snoo_irecv");
}

static inline void api_waitall(int n, api_request *r)
{
	api_must(snoo_waitall(api_ctx, (size_t)n, r, NULL), "snoo_waitall");
}

static inline void api_barrier(void)
{
	api_must(snoo_barrier(api_ctx), "snoo_barrier");
}

#define API_SUM_BY "snoo_allreduce"

static inline uint64_t api_sum(uint64_t value)
{
	api_must(snoo_allreduce(api_ctx, SNOO_IN_PLACE, &value, 1, SNOO_UINT64,
				SNOO_SUM),
		 "snoo_allreduce");
	return value;
}

#endif /* BENCH_API_SNOO_H */
