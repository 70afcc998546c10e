/* SPDX-License-Identifier: MIT */
/* coll_tree.h - binomial trees over the ranks, piece by piece */
#ifndef CLIENT_COLL_TREE_H
#define CLIENT_COLL_TREE_H

#include "client/coll_op.h"
#include "client/coll_step.h"

/**
 * tree_bcast() - @len bytes of @root to all
 *
 * Return: 0, or as step_swap()
 */
int tree_bcast(struct coll *c, unsigned char *buf, size_t len, uint32_t root);

/**
 * tree_reduce() - Put together all ranks' @mine at @root
 * @op:		With the count of all elements
 * @to:		The result, at @root; elsewhere NULL, or room that is written to
 * @room:	From step_room()
 *
 * Return: 0, or as step_swap()
 */
int tree_reduce(struct coll *c, const unsigned char *mine, unsigned char *to,
		const struct coll_op *op, uint32_t root, unsigned char *room);

#endif /* CLIENT_COLL_TREE_H */
