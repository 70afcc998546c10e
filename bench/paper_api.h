/* SPDX-License-Identifier: MIT */
/*
 * paper_api.h - the paper's six calls, by SNOO or, with PAPER_MPI, by an MPI
 *
 * paper.c is the same text for both; only what these names mean differs.
 */
#ifndef BENCH_PAPER_API_H
#define BENCH_PAPER_API_H

#ifndef PAPER_MPI

#include <snoo/snoo_mpi.h>

#define PAPER_API "snoo"

#else /* PAPER_MPI */

#include <stddef.h>

#include <mpi.h>

#define PAPER_API "mpi"

/* An MPI ends the program itself when a call fails (MPI_ERRORS_ARE_FATAL). */

static inline void SNOO_MPI_Init(char *name)
{
	(void)name;
	MPI_Init(NULL, NULL);
}

static inline void SNOO_MPI_Finalize(void)
{
	MPI_Finalize();
}

static inline void SNOO_MPI_Comm_size(int *size)
{
	MPI_Comm_size(MPI_COMM_WORLD, size);
}

static inline void SNOO_MPI_Comm_rank(int *rank)
{
	MPI_Comm_rank(MPI_COMM_WORLD, rank);
}

static inline void SNOO_MPI_Send(void *message, int count, int dest, int flag,
				 MPI_Datatype datatype, MPI_Comm comm)
{
	MPI_Send(message, count, datatype, dest, flag, comm);
}

static inline void SNOO_MPI_Recv(void *message, int count, int source,
				 MPI_Datatype datatype, int flag,
				 MPI_Comm comm)
{
	MPI_Recv(message, count, datatype, source, flag, comm,
		 MPI_STATUS_IGNORE);
}

#endif /* PAPER_MPI */

#endif /* BENCH_PAPER_API_H */
