/* SPDX-License-Identifier: MIT */
/* hello.c - rank 0 greets all others: snoorun -n 4 hello */
#include <snoo/snoo_mpi.h>
#include <stdio.h>

int main(void)
{
	int rank, size, number = 42;

	SNOO_MPI_Init("hello");
	SNOO_MPI_Comm_rank(&rank);
	SNOO_MPI_Comm_size(&size);
	for (int to = 1; rank == 0 && to < size; to++)
		SNOO_MPI_Send(&number, 1, to, 0, MPI_INT, MPI_COMM_WORLD);
	if (rank > 0) {
		SNOO_MPI_Recv(&number, 1, 0, MPI_INT, 0, MPI_COMM_WORLD);
		printf("rank %d of %d: got %d\n", rank, size, number);
	}
	SNOO_MPI_Finalize();
}
