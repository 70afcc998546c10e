/* SPDX-License-Identifier: MIT */
/*
 * conf_set.h - put the command line's values into the tree of the file's
 */
#ifndef DAEMON_CONF_SET_H
#define DAEMON_CONF_SET_H

#include <jansson.h>

#include "daemon/conf.h"
#include "daemon/conf_report.h"

/**
 * conf_set_all() - Apply every override to the tree
 * @tree:	An object; changed
 * @r:		Notes each override, so that a mistake found later can name it
 *
 * Return: 0, -EINVAL (reported), -ENOMEM
 */
int conf_set_all(json_t *tree, const struct conf_overrides *ov,
		 struct conf_report *r);

/* Free what conf_set_all() noted. */
void conf_set_fini(struct conf_report *r);

#endif
