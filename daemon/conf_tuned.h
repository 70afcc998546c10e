/* SPDX-License-Identifier: MIT */
/*
 * conf_tuned.h - sizes that "snooctl tune" has measured on this machine
 *
 * They stand between the defaults and the configuration: a key that the file
 * or the command line sets is not touched.
 */
#ifndef DAEMON_CONF_TUNED_H
#define DAEMON_CONF_TUNED_H

#include <jansson.h>

#include "daemon/conf.h"
#include "daemon/conf_report.h"

/**
 * conf_tuned_build() - conf_build() with what was measured, if it can be used
 * @tree:	The file's and the command line's values
 * @path:	File of "snooctl tune"; "": none
 *
 * What is wrong with the measured values is no mistake of the configuration:
 * (*@out)->tuned says so, and they are left out.
 *
 * Return: as conf_build()
 */
int conf_tuned_build(struct conf **out, json_t *tree, const char *path,
		     struct conf_report *r);

/**
 * conf_build() - Read the tree, derive, check (conf_load.c)
 * @out:	NULL on failure
 *
 * Return: 0, -EINVAL (reported), -ENOMEM
 */
int conf_build(struct conf **out, json_t *tree, struct conf_report *r);

#endif /* DAEMON_CONF_TUNED_H */
