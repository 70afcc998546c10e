/* SPDX-License-Identifier: MIT */
/*
 * conf_run.h - guest.run: lists of programs and variables, what goes together
 */
#ifndef DAEMON_CONF_RUN_H
#define DAEMON_CONF_RUN_H

#include <jansson.h>

#include "daemon/conf_keys.h"
#include "daemon/conf_report.h"

#define CONF_RUN_LIST	64u	/* entries of either list */
#define CONF_RUN_BYTES	255u	/* of one entry */

/* An array of strings, each what @key's type says; as conf_value_read(). */
int conf_run_read(struct conf_strings *out, const struct conf_key *key,
		  const json_t *value, const struct conf_at *at,
		  struct conf_report *r);
json_t *conf_run_write(const struct conf_strings *list);
void conf_run_free(struct conf_strings *list);

/* Programs need a user that exists and is not root: 0, -EINVAL, -ENOMEM. */
int conf_run_check(const struct conf *c, struct conf_report *r);

/* NULL, or what is wrong with the path of a program: "must be absolute". */
const char *conf_run_path_wrong(const char *path);

#endif
