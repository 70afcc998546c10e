/* SPDX-License-Identifier: MIT */
/*
 * snooctl_verb.h - what snooctl knows about verbs beyond what the daemon says
 */
#ifndef TOOLS_SNOOCTL_VERB_H
#define TOOLS_SNOOCTL_VERB_H

#include <jansson.h>

#include "tools/snooctl_link.h"

/* The columns that people want to see, for struct table_style. */
const char *const *verb_columns(const char *path);

/**
 * verb_args() - Turn words behind a verb into its arguments
 * @l:		Asked for the verb's description only if a word needs it
 * @args:	New reference, NULL if there are no words
 *
 * "key=value" is an argument by name; the value may be JSON, else it is a
 * string.  A bare word goes to the verb's arguments in their order.
 *
 * Return: 0, -EINVAL (told on stderr), or as link_ask()
 */
int verb_args(struct link *l, const char *verb, char **words, int n,
	      json_t **args);

#endif
