/* SPDX-License-Identifier: MIT */
/* coll.c - public functions: collectives */

#include "client/check.h"
#include "client/coll_barrier.h"

int snoo_barrier(struct snoo *ctx)
{
	int ret = check_context(ctx);

	return ret ? ret : coll_barrier(ctx);
}
