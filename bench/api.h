/* SPDX-License-Identifier: MIT */
/*
 * api.h - the benchmarks' calls, by SNOO or an MPI
 *
 * With BENCH_MPI by an MPI, else by SNOO.
 * The same functions with the same meaning in both; an error ends the program.
 *
 *	api_start(), api_stop()		join and leave
 *	api_rank(), api_size()
 *	api_send(), api_recv()		blocking
 *	api_isend(), api_irecv()	fill an api_request
 *	api_waitall()
 *	api_barrier()
 *	api_sum()			of all ranks' numbers, at each of them
 *	API_NAME
 *	API_SUM_BY			what api_sum() calls
 */
#ifndef BENCH_API_H
#define BENCH_API_H

#ifdef BENCH_MPI
#include "bench/api_mpi.h"
#else
#include "bench/api_snoo.h"
#endif

#endif /* BENCH_API_H */
