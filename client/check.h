/* SPDX-License-Identifier: MIT */
/* check.h - arguments of public calls */
#ifndef CLIENT_CHECK_H
#define CLIENT_CHECK_H

#include "client/engine.h"

/** check_alive() - Are we the process that joined, not a fork of it? */
static inline bool check_alive(const struct snoo *ctx)
{
	/* Relaxed: only the kernel writes it, in the child, at fork. */
	return atomic_load_explicit(ctx->alive, memory_order_relaxed) == 1;
}

static inline int check_context(const struct snoo *ctx)
{
	if (!ctx)
		return -EINVAL;
	return check_alive(ctx) ? 0 : -ESTALE;
}

static inline bool check_rank(const struct snoo *ctx, int rank)
{
	return rank >= 0 && (ctx->size ? (uint32_t)rank < ctx->size :
			     rank < snoo_size(ctx));
}

static inline int check_send(const struct snoo *ctx, const void *buf,
			     size_t len, int dst, int tag)
{
	int ret = check_context(ctx);

	if (ret)
		return ret;
	if ((!buf && len > 0) || len > INT64_MAX || tag < 0 ||
	    !check_rank(ctx, dst))
		return -EINVAL;
	return 0;
}

static inline int check_recv(const struct snoo *ctx, const void *buf,
			     size_t capacity, int src, int tag)
{
	int ret = check_context(ctx);

	if (ret)
		return ret;
	if ((!buf && capacity > 0) || capacity > INT64_MAX ||
	    tag < SNOO_ANY_TAG ||
	    (src != SNOO_ANY_SOURCE && !check_rank(ctx, src)))
		return -EINVAL;
	return 0;
}

/** check_room() - Elements of @size bytes at @buf, one after the other */
static inline int check_room(const void *buf, size_t count, size_t size)
{
	if (size == 0 || count > INT64_MAX / SNOO_ABI_JOB_RANKS / size)
		return -EINVAL;
	return count > 0 && (!buf || (uintptr_t)buf % size != 0) ? -EINVAL : 0;
}

#endif /* CLIENT_CHECK_H */
