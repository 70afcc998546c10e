/* SPDX-License-Identifier: MIT */
/* coll.h - collectives, on sends and receives alone */
#ifndef CLIENT_COLL_H
#define CLIENT_COLL_H

#include "client/engine.h"

/** coll_barrier() - Dissemination barrier over all ranks of the job */
int coll_barrier(struct snoo *ctx);

#endif /* CLIENT_COLL_H */
