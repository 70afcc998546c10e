/* SPDX-License-Identifier: MIT */
/* context.h - a context in memory, before it joins and after it has left */
#ifndef CLIENT_CONTEXT_H
#define CLIENT_CONTEXT_H

#include "client/engine.h"

/** context_new() - An empty context; 0, or -ENOMEM or what madvise() says */
int context_new(struct snoo **out);

/** context_free() - Release all private memory; the session is closed */
void context_free(struct snoo *ctx);

#endif /* CLIENT_CONTEXT_H */
