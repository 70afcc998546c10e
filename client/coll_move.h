/* SPDX-License-Identifier: MIT */
/*
 * coll_move.h - collectives that move bytes: how, by size
 *
 * @len:	Bytes that one rank has for another, the same at all
 * Arguments are checked.  A buffer that is the caller's own place in the other
 * one is not copied.
 */
#ifndef CLIENT_COLL_MOVE_H
#define CLIENT_COLL_MOVE_H

#include "client/engine.h"

int coll_bcast(struct snoo *ctx, unsigned char *buf, size_t len,
	       enum snoo_type type, uint32_t root);

/** coll_gather() - @send of all into @to of @root, by rank */
int coll_gather(struct snoo *ctx, const unsigned char *send,
		unsigned char *to, size_t len, enum snoo_type type,
		uint32_t root);

/** coll_scatter() - Of @root's @send each rank its part */
int coll_scatter(struct snoo *ctx, const unsigned char *send,
		 unsigned char *to, size_t len, enum snoo_type type,
		 uint32_t root);

/** coll_allgather() - @send of all into @to of all, by rank */
int coll_allgather(struct snoo *ctx, const unsigned char *send,
		   unsigned char *to, size_t len, enum snoo_type type);

/** coll_alltoall() - Of each rank's @send to each rank its part; may be @to */
int coll_alltoall(struct snoo *ctx, const unsigned char *send,
		  unsigned char *to, size_t len, enum snoo_type type);

#endif /* CLIENT_COLL_MOVE_H */
