/* SPDX-License-Identifier: MIT */
/*
 * snoo_mpi.h - the six calls of the paper, in its argument order
 *
 * Mind the order: Send takes flag, then datatype; Recv takes datatype, then
 * flag.  The calls return nothing; an error goes to the error handler, whose
 * default prints one line and ends the process with status 1.
 *
 * SNOO_TIMEOUT_MS in the environment gives every blocking call a time limit.
 *
 * Source: F. Zhang, J. Huang, inter-VM communication based on inter-core
 * registers, J. Yangtze Univ. (Nat. Sci.) 2012, no. 19.
 */
#ifndef SNOO_SNOO_MPI_H
#define SNOO_SNOO_MPI_H

#include <snoo/snoo.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef MPI_VERSION
#error "snoo_mpi.h and mpi.h define the same names: include one of them"
#endif

typedef int MPI_Datatype;
typedef int MPI_Comm;

#define MPI_COMM_WORLD		0x4d570000
#define MPI_ANY_SOURCE		SNOO_ANY_SOURCE
#define MPI_ANY_TAG		SNOO_ANY_TAG

/* 0x4454, number, size in bytes. */
#define SNOO_MPI_TYPE(number, type)					\
	((MPI_Datatype)(0x44540000 | (number) << 8 | (int)sizeof(type)))

#define MPI_CHAR		SNOO_MPI_TYPE(1, char)
#define MPI_SIGNED_CHAR		SNOO_MPI_TYPE(2, signed char)
#define MPI_UNSIGNED_CHAR	SNOO_MPI_TYPE(3, unsigned char)
#define MPI_BYTE		SNOO_MPI_TYPE(4, unsigned char)
#define MPI_SHORT		SNOO_MPI_TYPE(5, short)
#define MPI_UNSIGNED_SHORT	SNOO_MPI_TYPE(6, unsigned short)
#define MPI_INT			SNOO_MPI_TYPE(7, int)
#define MPI_UNSIGNED		SNOO_MPI_TYPE(8, unsigned int)
#define MPI_LONG		SNOO_MPI_TYPE(9, long)
#define MPI_UNSIGNED_LONG	SNOO_MPI_TYPE(10, unsigned long)
#define MPI_LONG_LONG		SNOO_MPI_TYPE(11, long long)
#define MPI_LONG_LONG_INT	MPI_LONG_LONG
#define MPI_UNSIGNED_LONG_LONG	SNOO_MPI_TYPE(12, unsigned long long)
#define MPI_FLOAT		SNOO_MPI_TYPE(13, float)
#define MPI_DOUBLE		SNOO_MPI_TYPE(14, double)
#define MPI_LONG_DOUBLE		SNOO_MPI_TYPE(15, long double)
#define MPI_INT8_T		SNOO_MPI_TYPE(16, int8_t)
#define MPI_INT16_T		SNOO_MPI_TYPE(17, int16_t)
#define MPI_INT32_T		SNOO_MPI_TYPE(18, int32_t)
#define MPI_INT64_T		SNOO_MPI_TYPE(19, int64_t)
#define MPI_UINT8_T		SNOO_MPI_TYPE(20, uint8_t)
#define MPI_UINT16_T		SNOO_MPI_TYPE(21, uint16_t)
#define MPI_UINT32_T		SNOO_MPI_TYPE(22, uint32_t)
#define MPI_UINT64_T		SNOO_MPI_TYPE(23, uint64_t)

/**
 * SNOO_MPI_Init() - Join the job @name; see snoo_init()
 *
 * SNOO_JOB in the environment takes the place of @name.
 */
SNOO_PUBLIC void SNOO_MPI_Init(char *name);

/** SNOO_MPI_Finalize() - Leave it; see snoo_finalize() */
SNOO_PUBLIC void SNOO_MPI_Finalize(void);

/** SNOO_MPI_Comm_size() - Processes of the job */
SNOO_PUBLIC void SNOO_MPI_Comm_size(int *size);

/** SNOO_MPI_Comm_rank() - Our number, which stands for our core */
SNOO_PUBLIC void SNOO_MPI_Comm_rank(int *rank);

/**
 * SNOO_MPI_Send() - Send @count elements to process @dest; see snoo_send()
 * @flag:	The message's mark (MPI's tag)
 * @comm:	MPI_COMM_WORLD
 */
SNOO_PUBLIC void SNOO_MPI_Send(void *message, int count, int dest, int flag,
			       MPI_Datatype datatype, MPI_Comm comm);

/**
 * SNOO_MPI_Recv() - Receive up to @count elements from @source
 * @source:	A process, or MPI_ANY_SOURCE
 * @flag:	A mark, or MPI_ANY_TAG
 */
SNOO_PUBLIC void SNOO_MPI_Recv(void *message, int count, int source,
			       MPI_Datatype datatype, int flag, MPI_Comm comm);

/**
 * typedef SNOO_MPI_Handler - Told of an error in one of the calls above
 * @error:	Negative errno
 * @call:	Name of the call
 * @text:	A sentence
 *
 * If it returns, the call returns without having done its work.
 */
typedef void SNOO_MPI_Handler(int error, const char *call, const char *text);

/** SNOO_MPI_Set_handler() - Whom to tell; NULL: the default */
SNOO_PUBLIC void SNOO_MPI_Set_handler(SNOO_MPI_Handler *handler);

#ifdef __cplusplus
}
#endif

#endif /* SNOO_SNOO_MPI_H */
