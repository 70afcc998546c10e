/* SPDX-License-Identifier: MIT */
/*
 * snoorun_remote.h - one rank in a VM, started through the daemon
 *
 * A connection of its own to the daemon's client socket, on which RUN is the
 * first message (include/snoo/wire.h).
 */
#ifndef TOOLS_SNOORUN_REMOTE_H
#define TOOLS_SNOORUN_REMOTE_H

#include "tools/snoorun_rank.h"

/**
 * remote_start() - Ask for rank @i in @vm
 *
 * Whether it starts is told later: rank_ops.serve() ends the rank then.
 *
 * Return: 0, or a negative error code; *@stage as of rank_start()
 */
int remote_start(struct rank *r, unsigned int i, const char *vm,
		 const struct rank_common *c, const char **stage);

/* Input: how much it takes now; give it that much; no more follows. */
size_t remote_room(const struct rank *r);
void remote_input(struct rank *r, const char *bytes, size_t len);
void remote_input_end(struct rank *r);

#endif
