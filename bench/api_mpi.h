/* SPDX-License-Identifier: MIT */
/*
 * api_mpi.h - the benchmarks' calls by an MPI
 *
 * Empty without BENCH_MPI, so that it compiles where no MPI is installed.
 */
#ifndef BENCH_API_MPI_H
#define BENCH_API_MPI_H

#ifdef BENCH_MPI

#include <stddef.h>
#include <stdint.h>

#include <mpi.h>

#include "bench/bench.h"

#define API_NAME "mpi"

typedef MPI_Request api_request;

/* An MPI ends the program itself when a call fails (MPI_ERRORS_ARE_FATAL). */

static inline void api_start(void)
{
	MPI_Init(NULL, NULL);
}

static inline void api_stop(void)
{
	MPI_Finalize();
}

static inline int api_rank(void)
{
	int rank;

	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	return rank;
}

static inline int api_size(void)
{
	int size;

	MPI_Comm_size(MPI_COMM_WORLD, &size);
	return size;
}

static inline void api_send(const void *p, size_t n, int to, int tag)
{
	MPI_Send(p, (int)n, MPI_BYTE, to, tag, MPI_COMM_WORLD);
}

static inline void api_recv(void *p, size_t n, int from, int tag)
{
	MPI_Recv(p, (int)n, MPI_BYTE, from, tag, MPI_COMM_WORLD,
		 MPI_STATUS_IGNORE);
}

static inline void api_isend(const void *p, size_t n, int to, int tag,
			     api_request *r)
{
	MPI_Isend(p, (int)n, MPI_BYTE, to, tag, MPI_COMM_WORLD, r);
}

static inline void api_irecv(void *p, size_t n, int from, int tag,
			     api_request *r)
{
	MPI_Irecv(p, (int)n, MPI_BYTE, from, tag, MPI_COMM_WORLD, r);
}

static inline void api_waitall(int n, api_request *r)
{
	MPI_Waitall(n, r, MPI_STATUSES_IGNORE);
}

static inline void api_barrier(void)
{
	MPI_Barrier(MPI_COMM_WORLD);
}

#define API_SUM_BY "MPI_Allreduce"

static inline uint64_t api_sum(uint64_t value)
{
	MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_UINT64_T, MPI_SUM,
		      MPI_COMM_WORLD);
	return value;
}

#endif /* BENCH_MPI */

#endif /* BENCH_API_MPI_H */
