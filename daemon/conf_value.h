/* SPDX-License-Identifier: MIT */
/*
 * conf_value.h - one value of the configuration: from JSON, to JSON
 */
#ifndef DAEMON_CONF_VALUE_H
#define DAEMON_CONF_VALUE_H

#include <jansson.h>

#include "daemon/conf_keys.h"
#include "daemon/conf_report.h"

/**
 * conf_value_read() - Fill the field of @key in @base
 * @base:	struct conf or struct conf_domain; the field is all zero
 *
 * Return: 0, -EINVAL (reported, field still zero), -ENOMEM
 */
int conf_value_read(void *base, const struct conf_key *key,
		    const json_t *value, const struct conf_at *at,
		    struct conf_report *r);

/* New reference; NULL: no memory. */
json_t *conf_value_write(const void *base, const struct conf_key *key);

void conf_value_free(void *base, const struct conf_key *key);
void conf_value_swap(void *a, void *b, const struct conf_key *key);

#endif
