/* SPDX-License-Identifier: MIT */
/* coll_op.h - operations of reductions, on types */
#ifndef CLIENT_COLL_OP_H
#define CLIENT_COLL_OP_H

#include <stdbool.h>
#include <stddef.h>

#include <snoo/snoo.h>

/** struct coll_op - What a reduction does with its elements */
struct coll_op {
	enum snoo_type type;
	enum snoo_op op;
	size_t count;			/* elements */
};

/** coll_op_size() - Bytes of one element; 0: no such type */
size_t coll_op_size(enum snoo_type type);

/** coll_op_fits() - Is @op defined on @type?  MPI 4.0, section 6.9.2 */
bool coll_op_fits(enum snoo_op op, enum snoo_type type);

/**
 * coll_op_fold() - acc[i] = acc[i] op in[i]
 * @op:		Checked; both buffers are aligned for its type
 *
 * Sums and products of integers wrap around.
 */
void coll_op_fold(void *acc, const void *in, const struct coll_op *op);

#endif /* CLIENT_COLL_OP_H */
