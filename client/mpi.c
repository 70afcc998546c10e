/* SPDX-License-Identifier: MIT */
/*
 * mpi.c - the six calls of the paper, thin over the native API
 *
 * The only place in the library that prints or ends the process: in the
 * default error handler, because these calls return nothing.
 */

#include <snoo/snoo_mpi.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static struct snoo *world;
static int finalized;
static SNOO_MPI_Handler *handler;

static void default_handler(int error, const char *call, const char *text)
{
	(void)error;
	fprintf(stderr, "%s: %s\n", call, text);
	exit(EXIT_FAILURE);
}

static void report(int error, const char *call, const char *text)
{
	(handler ? handler : default_handler)(error, call, text);
}

static int ready(const char *call)
{
	if (world)
		return 1;
	report(-EINVAL, call, finalized ?
	       "called after SNOO_MPI_Finalize" :
	       "called before SNOO_MPI_Init");
	return 0;
}

void SNOO_MPI_Set_handler(SNOO_MPI_Handler *h)
{
	handler = h;
}

void SNOO_MPI_Init(char *name)
{
	const char *job = getenv("SNOO_JOB");
	int ret;

	if (world) {
		report(-EINVAL, "SNOO_MPI_Init", "called twice");
		return;
	}
	ret = snoo_init(&world, job && *job ? job : name, NULL);
	if (ret)
		report(ret, "SNOO_MPI_Init", snoo_last_error());
}

void SNOO_MPI_Finalize(void)
{
	if (!ready("SNOO_MPI_Finalize"))
		return;
	snoo_finalize(world);
	world = NULL;
	finalized = 1;
}

void SNOO_MPI_Comm_size(int *size)
{
	if (!ready("SNOO_MPI_Comm_size"))
		return;
	if (!size)
		report(-EINVAL, "SNOO_MPI_Comm_size", "size is NULL");
	else
		*size = snoo_size(world);
}

void SNOO_MPI_Comm_rank(int *rank)
{
	if (!ready("SNOO_MPI_Comm_rank"))
		return;
	if (!rank)
		report(-EINVAL, "SNOO_MPI_Comm_rank", "rank is NULL");
	else
		*rank = snoo_rank(world);
}

static int known(MPI_Datatype datatype)
{
	switch (datatype) {
	case MPI_CHAR:
	case MPI_SIGNED_CHAR:
	case MPI_UNSIGNED_CHAR:
	case MPI_BYTE:
	case MPI_SHORT:
	case MPI_UNSIGNED_SHORT:
	case MPI_INT:
	case MPI_UNSIGNED:
	case MPI_LONG:
	case MPI_UNSIGNED_LONG:
	case MPI_LONG_LONG:
	case MPI_UNSIGNED_LONG_LONG:
	case MPI_FLOAT:
	case MPI_DOUBLE:
	case MPI_LONG_DOUBLE:
	case MPI_INT8_T:
	case MPI_INT16_T:
	case MPI_INT32_T:
	case MPI_INT64_T:
	case MPI_UINT8_T:
	case MPI_UINT16_T:
	case MPI_UINT32_T:
	case MPI_UINT64_T:
		return 1;
	default:
		return 0;
	}
}

/* Bytes of the message, or -1: told the handler what is wrong. */
static long long bytes_of(const char *call, const void *message, int count,
			  MPI_Datatype datatype, MPI_Comm comm)
{
	char text[96];

	if (comm != MPI_COMM_WORLD) {
		snprintf(text, sizeof(text),
			 "communicator %#x: only MPI_COMM_WORLD exists",
			 (unsigned int)comm);
	} else if (!known(datatype)) {
		snprintf(text, sizeof(text), "unknown datatype %#x",
			 (unsigned int)datatype);
	} else if (count < 0) {
		snprintf(text, sizeof(text), "count %d is negative", count);
	} else if (!message && count > 0) {
		snprintf(text, sizeof(text), "message is NULL, count is %d",
			 count);
	} else {
		return (long long)count * (datatype & 0xff);
	}
	report(-EINVAL, call, text);
	return -1;
}

static int valid(const char *call, int rank, int any, int flag)
{
	char text[96];

	if ((rank < 0 || rank >= snoo_size(world)) &&
	    !(any && rank == MPI_ANY_SOURCE))
		snprintf(text, sizeof(text),
			 "rank %d: the job has ranks 0 to %d", rank,
			 snoo_size(world) - 1);
	else if (flag < 0 && !(any && flag == MPI_ANY_TAG))
		snprintf(text, sizeof(text), "flag %d is negative", flag);
	else
		return 1;
	report(-EINVAL, call, text);
	return 0;
}

void SNOO_MPI_Send(void *message, int count, int dest, int flag,
		   MPI_Datatype datatype, MPI_Comm comm)
{
	long long n;
	int ret;

	if (!ready("SNOO_MPI_Send"))
		return;
	n = bytes_of("SNOO_MPI_Send", message, count, datatype, comm);
	if (n < 0 || !valid("SNOO_MPI_Send", dest, 0, flag))
		return;
	ret = snoo_send(world, message, (size_t)n, dest, flag);
	if (ret)
		report(ret, "SNOO_MPI_Send", snoo_strerror(ret));
}

void SNOO_MPI_Recv(void *message, int count, int source,
		   MPI_Datatype datatype, int flag, MPI_Comm comm)
{
	long long n;
	int ret;

	if (!ready("SNOO_MPI_Recv"))
		return;
	n = bytes_of("SNOO_MPI_Recv", message, count, datatype, comm);
	if (n < 0 || !valid("SNOO_MPI_Recv", source, 1, flag))
		return;
	ret = snoo_recv(world, message, (size_t)n, source, flag, NULL);
	if (ret)
		report(ret, "SNOO_MPI_Recv", snoo_strerror(ret));
}
