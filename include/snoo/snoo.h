/* SPDX-License-Identifier: MIT */
/*
 * snoo.h - message passing between the ranks of a job on one host
 *
 * A program joins a job by name with snoo_init() and gets a context: one rank
 * of that job.  A process may hold several.  One thread at a time may use a
 * context; different contexts are independent.  No function may be called
 * from a signal handler.  The library starts no thread: transfers move on
 * inside calls, and every blocking call moves on all that is outstanding.
 *
 * All functions return 0 (or a count) on success and a negative errno on
 * failure; <snoo/error.h> has the list.  The library never prints and never
 * ends the process.
 */
#ifndef SNOO_SNOO_H
#define SNOO_SNOO_H

#include <stddef.h>
#include <stdint.h>

#include <snoo/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNOO_VERSION_MAJOR	0
#define SNOO_VERSION_MINOR	1
#define SNOO_VERSION_PATCH	0

#define SNOO_ANY_SOURCE		(-1)
#define SNOO_ANY_TAG		(-1)
#define SNOO_TAG_MAX		INT32_MAX
#define SNOO_NAME_MAX		63	/* characters of a job's name */

#if defined(__GNUC__)
#define SNOO_PUBLIC __attribute__((visibility("default")))
#else
#define SNOO_PUBLIC
#endif

/** struct snoo - A context: one rank of a job */
struct snoo;

/** struct snoo_request - A send or receive that may not be complete yet */
struct snoo_request;

/** struct snoo_status - What was received */
struct snoo_status {
	int source;		/* rank */
	int tag;
	int error;		/* 0, or a negative errno */
	int reserved;
	uint64_t count;		/* bytes in the buffer; of a probe: bytes of
				 * the whole message */
};

/**
 * struct snoo_options - How to join; zero means "as the environment says"
 *
 * Set all of it with SNOO_OPTIONS_INIT, then what you want otherwise.
 */
struct snoo_options {
	size_t bytes;		/* sizeof(struct snoo_options) */
	const char *socket;	/* client socket, or NULL */
	const char *domain;	/* name of the domain, or NULL: "default" */
	int rank;		/* -1: from the environment or the daemon */
	int size;		/* ranks of the job; 0: environment, or open */
	int core;		/* -1: the daemon places us; -2: do not pin */
	uint64_t launch;	/* 0: environment */
	int64_t timeout_ns;	/* for joining and for blocking calls; 0: none */
};

#define SNOO_OPTIONS_INIT						\
	{ sizeof(struct snoo_options), NULL, NULL, -1, 0, -1, 0, 0 }

/**
 * snoo_init() - Join a job
 * @out:	The context on success, NULL otherwise
 * @name:	Job, 1..SNOO_NAME_MAX characters of A-Z a-z 0-9 . _ -
 * @options:	NULL: all from the environment
 *
 * Rank and size come from @options, else from SNOO_RANK and SNOO_SIZE, else
 * from what mpiexec, mpirun or srun set (PMI_RANK/PMI_SIZE,
 * OMPI_COMM_WORLD_RANK/SIZE, SLURM_PROCID/NTASKS), else the daemon numbers
 * ranks as they come.  With a size known the call returns when all ranks are
 * there; otherwise at once, and snoo_size() grows.
 *
 * The calling thread is pinned to the core that the daemon chose, inside its
 * own affinity mask, until snoo_finalize().
 *
 * Threads:	any
 *
 * Return: 0 on success, negative error code otherwise; snoo_last_error() says
 * more.  -EINVAL, -ENOENT, -ECONNREFUSED, -EACCES, -EEXIST, -EADDRINUSE,
 * -ERANGE, -ENOSPC, -EISCONN, -EPERM, -ESHUTDOWN, -ECONNABORTED, -ENODEV,
 * -EPROTONOSUPPORT, -ETIMEDOUT, -ENOMEM.
 *
 * Source: MPI 4.1, section 11.2 (initialization); SNOO_MPI_Init of the paper.
 */
SNOO_PUBLIC int snoo_init(struct snoo **out, const char *name,
			  const struct snoo_options *options);

/**
 * snoo_finalize() - Leave the job
 * @ctx:	Context, not usable afterwards; NULL is allowed
 *
 * Does not wait for receivers: what has been sent stays until they have read
 * it.  Only if the daemon has ended for good with messages that it was to carry
 * does it wait for room to send them itself, as long as receivers make some.
 * Requests that are not complete are given up; views and loans end.
 *
 * Return: 0, or -ESTALE in a forked child (the memory is released)
 */
SNOO_PUBLIC int snoo_finalize(struct snoo *ctx);

/** snoo_rank() - Our rank, 0 .. size - 1 */
SNOO_PUBLIC int snoo_rank(const struct snoo *ctx);

/** snoo_size() - Ranks of the job; of a job without stated size: so far */
SNOO_PUBLIC int snoo_size(const struct snoo *ctx);

/** snoo_core() - Core that we are pinned to (kernel's number), or -1 */
SNOO_PUBLIC int snoo_core(const struct snoo *ctx);

/**
 * snoo_send() - Send one message; return when @buf may be reused
 * @ctx:	Context
 * @buf:	First byte, @len bytes, read only during the call; may be NULL
 *		if @len is 0.  No alignment needed; 64 bytes is fastest.
 * @len:	Bytes, any number
 * @dst:	Destination rank; may be our own
 * @tag:	0 .. SNOO_TAG_MAX
 *
 * Messages to one @dst with matching tags arrive in the order sent.  Small
 * messages return once they are copied, even if no receive is posted; large
 * ones wait for the receiver.
 *
 * Progress:	lock-free for small messages; a dead receiver ends the wait
 *		with -EOWNERDEAD within a second
 * Threads:	one per context; not async-signal-safe
 *
 * Return: 0, or -EINVAL, -EOWNERDEAD, -EPIPE, -EPROTO, -ETIMEDOUT, -EDEADLK,
 * -ESTALE, -ENOTCONN, -ENODEV, -ENOMEM
 *
 * Source: MPI 4.1, section 3.4, standard mode, without derived datatypes.
 */
SNOO_PUBLIC int snoo_send(struct snoo *ctx, const void *buf, size_t len,
			  int dst, int tag);

/**
 * snoo_recv() - Receive one message
 * @buf:	@capacity bytes to fill; may be NULL if @capacity is 0
 * @src:	Source rank, or SNOO_ANY_SOURCE
 * @tag:	0 .. SNOO_TAG_MAX, or SNOO_ANY_TAG
 * @status:	Filled also on -EMSGSIZE; may be NULL
 *
 * With SNOO_ANY_SOURCE each death of a rank of the job ends one receive, the
 * oldest, with -EOWNERDEAD and the dead rank in status->source; a receive
 * posted again goes on with the others.
 *
 * Return: 0, or -EINVAL, -EMSGSIZE, -EOWNERDEAD, -EPIPE, -EPROTO, -ETIMEDOUT,
 * -ECANCELED, -ESTALE, -ENOTCONN, -ENODEV, -ENOMEM
 *
 * Source: MPI 4.1, section 3.2.4.
 */
SNOO_PUBLIC int snoo_recv(struct snoo *ctx, void *buf, size_t capacity,
			  int src, int tag, struct snoo_status *status);

/**
 * snoo_sendrecv() - Send and receive at once, without deadlock
 *
 * Buffers must not overlap.  Return: the receive's error if there is one,
 * else the send's.  Source: MPI 4.1, section 3.10.
 */
SNOO_PUBLIC int snoo_sendrecv(struct snoo *ctx,
			      const void *sendbuf, size_t len, int dst,
			      int sendtag,
			      void *recvbuf, size_t capacity, int src,
			      int recvtag, struct snoo_status *status);

/**
 * snoo_isend() - Begin to send; @buf belongs to the library until complete
 * @request:	Complete it with snoo_test(), snoo_wait() or one of the other
 *		wait functions; NULL on failure
 *
 * Return: 0, or as snoo_send() for what is known at once
 *
 * Source: MPI 4.1, section 3.7.2.
 */
SNOO_PUBLIC int snoo_isend(struct snoo *ctx, const void *buf, size_t len,
			   int dst, int tag, struct snoo_request **request);

/** snoo_irecv() - Begin to receive; as snoo_isend() */
SNOO_PUBLIC int snoo_irecv(struct snoo *ctx, void *buf, size_t capacity,
			   int src, int tag, struct snoo_request **request);

/**
 * snoo_test() - Is it complete?
 * @request:	Released and set to NULL when complete; *@request NULL counts
 *		as complete
 * @done:	1 or 0
 * @status:	May be NULL
 *
 * Return: 0, or the request's error (then *@done is 1)
 *
 * Source: MPI 4.1, section 3.7.3.
 */
SNOO_PUBLIC int snoo_test(struct snoo *ctx, struct snoo_request **request,
			  int *done, struct snoo_status *status);

/**
 * snoo_wait() - Wait until it is complete, and release it
 *
 * After -ETIMEDOUT the request stays valid.
 *
 * Return: 0, -ETIMEDOUT, or the request's error
 */
SNOO_PUBLIC int snoo_wait(struct snoo *ctx, struct snoo_request **request,
			  struct snoo_status *status);

/**
 * snoo_waitall() - Wait for all of @count requests
 * @statuses:	@count of them, or NULL
 *
 * Return: 0, -ETIMEDOUT (what is incomplete stays valid), or the first error
 */
SNOO_PUBLIC int snoo_waitall(struct snoo *ctx, size_t count,
			     struct snoo_request **requests,
			     struct snoo_status *statuses);

/**
 * snoo_waitany() - Wait for one of @count requests
 * @index:	Which; -1 if all were NULL
 *
 * Those that are complete take turns: none waits for ever because others are
 * complete at each call.
 *
 * Return: 0, -ETIMEDOUT, or the error of the one at *@index
 */
SNOO_PUBLIC int snoo_waitany(struct snoo *ctx, size_t count,
			     struct snoo_request **requests, int *index,
			     struct snoo_status *status);

/**
 * snoo_cancel() - Give a request up and release it
 *
 * A receive that has not matched is withdrawn; a transfer that runs is ended
 * on both sides with -ECANCELED.  Source: MPI 4.1, section 3.8.4.
 *
 * Return: 0; 1 if it was complete already
 */
SNOO_PUBLIC int snoo_cancel(struct snoo *ctx, struct snoo_request **request);

/**
 * snoo_probe() - Wait until a message could be received
 * @status:	source, tag, and count: bytes of the whole message
 *
 * Source: MPI 4.1, section 3.8.1.
 */
SNOO_PUBLIC int snoo_probe(struct snoo *ctx, int src, int tag,
			   struct snoo_status *status);

/** snoo_iprobe() - As snoo_probe(), at once; @found is 1 or 0 */
SNOO_PUBLIC int snoo_iprobe(struct snoo *ctx, int src, int tag, int *found,
			    struct snoo_status *status);

/** struct snoo_block - A block of the pool, to build a message in */
struct snoo_block {
	void *data;		/* aligned to 4096 bytes; not zeroed */
	size_t bytes;		/* room, at least what was asked for */
	uint64_t id;		/* the library's; 0: none */
};

/** struct snoo_view - A message that is read where it lies */
struct snoo_view {
	const void *data;
	uint64_t bytes;		/* of the message */
	int source;		/* rank */
	int tag;
	uint64_t id;		/* the library's; 0: none */
};

/**
 * snoo_loan() - A block to build a message in
 * @bytes:	At least this many, in one piece
 * @loan:	Filled; all zero on failure
 *
 * The block is ours until snoo_send_loan() or snoo_drop_loan().  One that a
 * receiver has released is used again without asking anybody; else the daemon
 * is asked, which takes some microseconds.
 *
 * A loan may fail: then send a copy, which may wait and does not fail for want
 * of memory.
 *
 * Progress:	lock-free if a block of that size is free; else waits for the
 *		daemon's answer, which does not wait for memory
 *
 * Return: 0 on success, negative error code otherwise
 *	-ENOMEM		no piece that large is to be had now, or none for us
 *	-EAGAIN		our share of the pool's traffic is used up for now
 *	-EINVAL, -ETIMEDOUT, -ESTALE, -ENOTCONN, -ENODEV
 */
SNOO_PUBLIC int snoo_loan(struct snoo *ctx, size_t bytes,
			  struct snoo_block *loan);

/**
 * snoo_send_loan() - Send the message that was built in a block
 * @loan:	From snoo_loan(); on success all zero, and the block must not be
 *		touched any more; on failure it is still ours
 * @len:	Bytes of the message, from the beginning of the block
 *
 * To the receiver it is a message like any other, in its order: snoo_recv()
 * and the like copy it, snoo_recv_view() reads it in place.  The cost does not
 * depend on @len.  Waits for nobody, but for room in a channel that is full.
 *
 * Return: 0, or as snoo_send(); -EINVAL also if @loan is not ours, or is
 * shorter than @len
 */
SNOO_PUBLIC int snoo_send_loan(struct snoo *ctx, struct snoo_block *loan,
			       size_t len, int dst, int tag);

/**
 * snoo_drop_loan() - Give a block up without sending it
 *
 * Return: 0, also if @loan is all zero; -EINVAL if it is not ours; -ESTALE
 */
SNOO_PUBLIC int snoo_drop_loan(struct snoo *ctx, struct snoo_block *loan);

/**
 * snoo_recv_view() - Receive one message and read it where it is
 * @src:	Source rank, or SNOO_ANY_SOURCE
 * @tag:	0 .. SNOO_TAG_MAX, or SNOO_ANY_TAG
 * @view:	Filled; on failure all zero but for `source`, which says who died
 *
 * A message that was sent by snoo_send_loan() is not copied; any other one is,
 * once, into memory of the view's own.  Never -EMSGSIZE: how much memory that
 * may take is for the caller to say, by snoo_probe() before, if the sender may
 * send anything.
 *
 * The bytes may be read until snoo_release(), also if the sender finalizes or
 * dies meanwhile; its memory stays in quarantine as long.  They are not stable
 * against a hostile member of the domain, who can write all of the pool: what
 * decides something should be copied, then checked, then used.  They must not
 * be written.  snoo_finalize() ends all views; so does the loss of the session
 * (-ENOTCONN): what is read afterwards may be another message.
 *
 * Return: 0, or as snoo_recv(); -ENOMEM: no memory for a copy, and the message
 * is lost
 */
SNOO_PUBLIC int snoo_recv_view(struct snoo *ctx, int src, int tag,
			       struct snoo_view *view);

/**
 * snoo_release() - The message has been read
 * @view:	All zero afterwards
 *
 * Return: 0, also if @view is all zero; -EINVAL if it is not ours; -ESTALE
 */
SNOO_PUBLIC int snoo_release(struct snoo *ctx, struct snoo_view *view);

/**
 * snoo_alloc() - A buffer in the pool
 * @bytes:	At least this many; not zeroed, aligned to 4096 bytes
 * @buf:	The buffer; NULL on failure
 *
 * For any use, any number of times, until snoo_free() or snoo_finalize().  A
 * large message that is sent from it is copied once, by its receiver; a small
 * one as from any other memory.  Like all of the pool it may be written by any
 * member of the domain, and a forked child does not have it.
 *
 * Return: 0, or as snoo_loan(), but never -EAGAIN
 */
SNOO_PUBLIC int snoo_alloc(struct snoo *ctx, size_t bytes, void **buf);

/**
 * snoo_free() - Free a buffer of snoo_alloc()
 * @buf:	Or NULL
 *
 * Return: 0; -EBUSY: a send from it is not complete; -EINVAL: no such buffer;
 * -ESTALE
 */
SNOO_PUBLIC int snoo_free(struct snoo *ctx, void *buf);

/**
 * enum snoo_type - Elements of a collective
 *
 * Sizes and representation are the machine's.  Source: MPI 4.0, section 3.2.2.
 */
enum snoo_type {
	SNOO_BYTE	= 1,	/* 8 bits without meaning */
	SNOO_INT32	= 2,
	SNOO_INT64	= 3,
	SNOO_UINT32	= 4,
	SNOO_UINT64	= 5,
	SNOO_FLOAT	= 6,
	SNOO_DOUBLE	= 7,
};

/**
 * enum snoo_op - What a reduction does with two elements
 *
 * Sums and products of integers wrap around.  Source: MPI 4.0, section 6.9.2,
 * which also says what is defined on what.
 */
enum snoo_op {
	SNOO_SUM	= 1,	/* all but SNOO_BYTE */
	SNOO_PROD	= 2,
	SNOO_MIN	= 3,
	SNOO_MAX	= 4,
	SNOO_BAND	= 5,	/* bit by bit: integers and SNOO_BYTE */
	SNOO_BOR	= 6,
	SNOO_BXOR	= 7,
	SNOO_LAND	= 8,	/* 0 or 1: integers */
	SNOO_LOR	= 9,
};

/** The caller's part lies in the other buffer already: see each call */
#define SNOO_IN_PLACE	((void *)-1)

/*
 * Collectives
 *
 * All ranks of the job take part: each calls the same ones in the same order,
 * with the same count, type, operation and root.  A message of one is never
 * seen by a receive or probe.  Buffers hold elements one after the other,
 * aligned for their type, and do not overlap but for SNOO_IN_PLACE.
 *
 * A call returns when this rank's part is done: others may not have begun, or
 * may still be in it.  Like every blocking call it moves on all that is
 * outstanding, and keeps the context's time limit.
 *
 * Return: 0; -EMSGSIZE: the ranks' counts differ; -EINVAL: an argument is out of
 * range, or the ranks do not call the same: then nobody's buffers mean
 * anything, and the ranks are still in step; -EOWNERDEAD, -EPIPE, -EPROTO: a rank
 * that has not done its part died, finalized, or broke the protocol (-EOWNERDEAD
 * also if it finalized after another one had died);
 * -ETIMEDOUT: call it again, with the same arguments, or no other;
 * -EOPNOTSUPP: a job without a stated size (but for snoo_barrier()), or an older
 * daemon or library; -ESTALE, -ENOTCONN, -ENODEV, -ENOMEM
 */

/**
 * snoo_barrier() - Return when all ranks of the job have called it
 *
 * Source: MPI 4.0, section 6.3.
 */
SNOO_PUBLIC int snoo_barrier(struct snoo *ctx);

/**
 * snoo_bcast() - @root's elements to all
 * @buf:	@count elements: at @root what is sent, elsewhere what comes
 *
 * Source: MPI 4.0, section 6.4.
 */
SNOO_PUBLIC int snoo_bcast(struct snoo *ctx, void *buf, size_t count,
			   enum snoo_type type, int root);

/**
 * snoo_reduce() - Put all ranks' elements together, at @root
 * @send:	@count elements; at @root SNOO_IN_PLACE: they are in @recv
 * @recv:	@count elements at @root: recv[i] is the result of all ranks'
 *		send[i]; elsewhere not looked at
 *
 * The order is the same in every call with the same number of ranks, count,
 * type and root; it is not the order of the ranks.
 *
 * Source: MPI 4.0, section 6.9.1.
 */
SNOO_PUBLIC int snoo_reduce(struct snoo *ctx, const void *send, void *recv,
			    size_t count, enum snoo_type type, enum snoo_op op,
			    int root);

/**
 * snoo_allreduce() - The same, and all ranks get the result
 *
 * The same bits at all of them, whatever the order.  The result of snoo_reduce()
 * may be another one where the order matters.
 *
 * Source: MPI 4.0, section 6.9.6.
 */
SNOO_PUBLIC int snoo_allreduce(struct snoo *ctx, const void *send, void *recv,
			       size_t count, enum snoo_type type,
			       enum snoo_op op);

/**
 * snoo_gather() - All ranks' elements to @root, in the order of the ranks
 * @send:	@count elements; at @root SNOO_IN_PLACE: they are in their
 *		place in @recv
 * @recv:	At @root size x @count elements; elsewhere not looked at
 *
 * Source: MPI 4.0, section 6.5.
 */
SNOO_PUBLIC int snoo_gather(struct snoo *ctx, const void *send, void *recv,
			    size_t count, enum snoo_type type, int root);

/**
 * snoo_scatter() - Of @root's elements to each rank its part
 * @send:	At @root size x @count elements; elsewhere not looked at
 * @recv:	@count elements; at @root SNOO_IN_PLACE: its part stays in @send
 *
 * Source: MPI 4.0, section 6.6.
 */
SNOO_PUBLIC int snoo_scatter(struct snoo *ctx, const void *send, void *recv,
			     size_t count, enum snoo_type type, int root);

/**
 * snoo_allgather() - As snoo_gather(), and all ranks get all
 * @send:	@count elements; SNOO_IN_PLACE, at all ranks or at some: they
 *		are in their place in @recv
 *
 * Source: MPI 4.0, section 6.7.
 */
SNOO_PUBLIC int snoo_allgather(struct snoo *ctx, const void *send, void *recv,
			       size_t count, enum snoo_type type);

/**
 * snoo_alltoall() - From each rank to each rank @count elements
 * @send:	size x @count elements, by destination; SNOO_IN_PLACE, at all
 *		ranks: they are in @recv
 * @recv:	size x @count elements, by source
 *
 * Source: MPI 4.0, section 6.8.
 */
SNOO_PUBLIC int snoo_alltoall(struct snoo *ctx, const void *send, void *recv,
			      size_t count, enum snoo_type type);

/**
 * snoo_set_timeout() - Time limit of each blocking call from now on
 * @ns:		Nanoseconds; 0: none
 */
SNOO_PUBLIC int snoo_set_timeout(struct snoo *ctx, int64_t ns);

/** snoo_clock_ns() - Monotonic clock of this host, in nanoseconds */
SNOO_PUBLIC uint64_t snoo_clock_ns(void);

/** snoo_strerror() - A sentence for a negative error code */
SNOO_PUBLIC const char *snoo_strerror(int error);

/** snoo_last_error() - What this thread's last failed snoo_init() ran into */
SNOO_PUBLIC const char *snoo_last_error(void);

/** snoo_version() - "0.1.0" */
SNOO_PUBLIC const char *snoo_version(void);

#ifdef __cplusplus
}
#endif

#endif /* SNOO_SNOO_H */
