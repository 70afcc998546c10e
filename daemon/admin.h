/* SPDX-License-Identifier: MIT */
/*
 * admin.h - the admin socket: one JSON object a line, limits, dispatch
 *
 *	{"id":1,"cmd":"status"}
 *	{"id":1,"ok":true,"result":{...}}
 *	{"id":2,"ok":false,"error":{"code":"...","message":"..."}}
 *
 * `id` is any JSON value and comes back unchanged (null if there was none).
 * Arguments are members of "args".  admin.def lists the verbs.
 *
 * A line that is wrong gets an error and the connection goes on; one that is
 * longer than limits.admin_line_bytes ends it.  Codes: see admin_error().
 */
#ifndef DAEMON_ADMIN_H
#define DAEMON_ADMIN_H

#include "daemon/state.h"

struct admin;

/* The socket from the configuration; @why: LISTEN_TEXT bytes. */
int admin_open(struct admin **out, struct shared *sh, char why[LISTEN_TEXT]);
/* NULL is allowed. */
void admin_close(struct admin *a);

#endif /* DAEMON_ADMIN_H */
