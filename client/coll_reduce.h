/* SPDX-License-Identifier: MIT */
/* coll_reduce.h - reductions: how, by size */
#ifndef CLIENT_COLL_REDUCE_H
#define CLIENT_COLL_REDUCE_H

#include "client/coll_op.h"
#include "client/engine.h"

/**
 * coll_allreduce() - The result at all ranks
 * @send:	May be @to
 *
 * Arguments are checked.
 */
int coll_allreduce(struct snoo *ctx, const void *send, void *to,
		   const struct coll_op *op);

/**
 * coll_reduce() - The result at @root
 * @send:	May be @to
 * @to:		Elsewhere than at @root not looked at
 */
int coll_reduce(struct snoo *ctx, const void *send, void *to,
		const struct coll_op *op, uint32_t root);

#endif /* CLIENT_COLL_REDUCE_H */
