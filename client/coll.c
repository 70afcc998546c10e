/* SPDX-License-Identifier: MIT */
/* coll.c - public functions: collectives */

#include "client/check.h"
#include "client/coll_barrier.h"
#include "client/coll_move.h"
#include "client/coll_op.h"
#include "client/coll_reduce.h"

static int check_root(const struct snoo *ctx, int root)
{
	return root >= 0 && root < snoo_size(ctx) ? 0 : -EINVAL;
}

/* Two buffers that a call may not be given as one. */
static int check_two(const void *a, const void *b, size_t count)
{
	return count > 0 && a == b ? -EINVAL : 0;
}

static int check_reduction(const struct snoo *ctx, const struct coll_op *op)
{
	int ret = check_context(ctx);

	if (ret)
		return ret;
	return coll_op_fits(op->op, op->type) ? 0 : -EINVAL;
}

int snoo_barrier(struct snoo *ctx)
{
	int ret = check_context(ctx);

	return ret ? ret : coll_barrier(ctx);
}

int snoo_bcast(struct snoo *ctx, void *buf, size_t count, enum snoo_type type,
	       int root)
{
	size_t size = coll_op_size(type);
	int ret = check_context(ctx);

	if (ret == 0)
		ret = check_root(ctx, root);
	if (ret == 0)
		ret = buf == SNOO_IN_PLACE ? -EINVAL :
					     check_room(buf, count, size);
	return ret ? ret : coll_bcast(ctx, buf, count * size, type,
				      (uint32_t)root);
}

int snoo_reduce(struct snoo *ctx, const void *send, void *recv, size_t count,
		enum snoo_type type, enum snoo_op op, int root)
{
	struct coll_op o = { .type = type, .op = op, .count = count };
	int ret = check_reduction(ctx, &o);
	size_t size = coll_op_size(type);
	bool ours;

	if (ret == 0)
		ret = check_root(ctx, root);
	if (ret)
		return ret;
	ours = ctx->rank == (uint32_t)root;
	if (ours && recv == SNOO_IN_PLACE)
		return -EINVAL;
	if (ours)
		ret = check_room(recv, count, size);
	if (ret == 0 && !(ours && send == SNOO_IN_PLACE))
		ret = send == SNOO_IN_PLACE ? -EINVAL :
					      check_room(send, count, size);
	if (ret == 0 && ours)
		ret = check_two(send, recv, count);
	if (ret)
		return ret;
	return coll_reduce(ctx, send == SNOO_IN_PLACE ? recv : send, recv, &o,
			   (uint32_t)root);
}

int snoo_allreduce(struct snoo *ctx, const void *send, void *recv,
		   size_t count, enum snoo_type type, enum snoo_op op)
{
	struct coll_op o = { .type = type, .op = op, .count = count };
	int ret = check_reduction(ctx, &o);
	size_t size = coll_op_size(type);

	if (ret == 0)
		ret = recv == SNOO_IN_PLACE ? -EINVAL :
					      check_room(recv, count, size);
	if (ret == 0 && send != SNOO_IN_PLACE)
		ret = check_room(send, count, size);
	if (ret == 0)
		ret = check_two(send, recv, count);
	if (ret)
		return ret;
	return coll_allreduce(ctx, send == SNOO_IN_PLACE ? recv : send, recv,
			      &o);
}

/* Where the part of @rank lies in a buffer for all. */
static void *part_of(const void *all, uint32_t rank, size_t len)
{
	return (unsigned char *)(uintptr_t)all + rank * len;
}

int snoo_gather(struct snoo *ctx, const void *send, void *recv, size_t count,
		enum snoo_type type, int root)
{
	size_t size = coll_op_size(type);
	int ret = check_context(ctx);
	bool ours;

	if (ret == 0)
		ret = check_root(ctx, root);
	if (ret)
		return ret;
	ours = ctx->rank == (uint32_t)root;
	if (ours)
		ret = recv == SNOO_IN_PLACE ? -EINVAL :
					      check_room(recv, count, size);
	if (ret == 0 && ours && send == SNOO_IN_PLACE)
		send = part_of(recv, ctx->rank, count * size);
	else if (ret == 0)
		ret = send == SNOO_IN_PLACE ? -EINVAL :
					      check_room(send, count, size);
	return ret ? ret : coll_gather(ctx, send, recv, count * size, type,
				       (uint32_t)root);
}

int snoo_scatter(struct snoo *ctx, const void *send, void *recv, size_t count,
		 enum snoo_type type, int root)
{
	size_t size = coll_op_size(type);
	int ret = check_context(ctx);
	bool ours;

	if (ret == 0)
		ret = check_root(ctx, root);
	if (ret)
		return ret;
	ours = ctx->rank == (uint32_t)root;
	if (ours)
		ret = send == SNOO_IN_PLACE ? -EINVAL :
					      check_room(send, count, size);
	if (ret == 0 && ours && recv == SNOO_IN_PLACE)
		recv = part_of(send, ctx->rank, count * size);
	else if (ret == 0)
		ret = recv == SNOO_IN_PLACE ? -EINVAL :
					      check_room(recv, count, size);
	return ret ? ret : coll_scatter(ctx, send, recv, count * size, type,
					(uint32_t)root);
}

int snoo_allgather(struct snoo *ctx, const void *send, void *recv,
		   size_t count, enum snoo_type type)
{
	size_t size = coll_op_size(type);
	int ret = check_context(ctx);

	if (ret == 0)
		ret = recv == SNOO_IN_PLACE ? -EINVAL :
					      check_room(recv, count, size);
	if (ret)
		return ret;
	if (send == SNOO_IN_PLACE)
		send = part_of(recv, ctx->rank, count * size);
	else
		ret = check_room(send, count, size);
	return ret ? ret : coll_allgather(ctx, send, recv, count * size, type);
}

int snoo_alltoall(struct snoo *ctx, const void *send, void *recv, size_t count,
		  enum snoo_type type)
{
	size_t size = coll_op_size(type);
	int ret = check_context(ctx);

	if (ret == 0)
		ret = recv == SNOO_IN_PLACE ? -EINVAL :
					      check_room(recv, count, size);
	if (ret == 0 && send != SNOO_IN_PLACE)
		ret = check_room(send, count, size);
	if (ret == 0)
		ret = check_two(send, recv, count);
	if (ret)
		return ret;
	return coll_alltoall(ctx, send == SNOO_IN_PLACE ? recv : send, recv,
			     count * size, type);
}
