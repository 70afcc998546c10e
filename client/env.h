/* SPDX-License-Identifier: MIT */
/* env.h - how to join: options, then the environment, then defaults */
#ifndef CLIENT_ENV_H
#define CLIENT_ENV_H

#include "client/session.h"

/**
 * env_join() - Settle how to join
 * @join:	Filled
 * @name:	As given to snoo_init()
 * @options:	Or NULL
 * @why:	A sentence on failure
 *
 * Return: 0, or -EINVAL: name, options or a variable cannot be meant
 */
int env_join(struct session_join *join, const char *name,
	     const struct snoo_options *options, struct session_text *why);

#endif /* CLIENT_ENV_H */
