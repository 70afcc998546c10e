/* SPDX-License-Identifier: MIT */
/*
 * reach.h - which rank may read which other one's memory
 *
 * Large messages between processes that share cores are copied straight out of
 * the sender (client/reach.c).  Which process a rank is says the daemon alone: it
 * knows that by the rank's socket.
 */
#ifndef DAEMON_REACH_H
#define DAEMON_REACH_H

#include "daemon/state.h"

/* REACH has come. */
void reach_said(struct rank *r, const struct snoo_wire_reach *m);

/**
 * reach_where() - WHERE has come: answer it
 *
 * Return: 0, or -EPROTO: the job has no room for such a rank
 */
int reach_where(struct rank *r, const struct snoo_wire_where *m);

#endif /* DAEMON_REACH_H */
