/* SPDX-License-Identifier: MIT */
/* coll_barrier.h - return when all ranks of the job have called it */
#ifndef CLIENT_COLL_BARRIER_H
#define CLIENT_COLL_BARRIER_H

#include "client/engine.h"

/** coll_barrier() - Return when all ranks of the job have called it */
int coll_barrier(struct snoo *ctx);

#endif /* CLIENT_COLL_BARRIER_H */
