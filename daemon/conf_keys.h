/* SPDX-License-Identifier: MIT */
/*
 * conf_keys.h - the table of keys, for the conf files and their tests only
 */
#ifndef DAEMON_CONF_KEYS_H
#define DAEMON_CONF_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf.h"

/* What a value may be, and the C type of its field. */
enum conf_type {
	CONF_STRING,	/* char *: any text */
	CONF_PATH,	/* char *: "" or an absolute path */
	CONF_GROUP,	/* char * in a struct conf_socket, gid beside it */
	CONF_OWNER,	/* struct conf_owner: "user" or "user:group" */
	CONF_BOOL,	/* bool */
	CONF_INT,	/* uint32_t */
	CONF_INT_AUTO,	/* uint32_t, or "auto": CONF_AUTO */
	CONF_SIZE32,	/* uint32_t: 65536 or "64K" */
	CONF_SIZE64,	/* uint64_t: the same */
	CONF_MODE,	/* uint32_t: "0660" */
	CONF_ENUM,	/* uint32_t: one of names */
	CONF_WEIGHTS,	/* struct conf_rules: glob to integer */
	CONF_RATES,	/* struct conf_rules: glob to bytes per second */
	CONF_UIDS,	/* struct conf_ids: numbers or names of users */
	CONF_GIDS,	/* struct conf_ids: numbers or names of groups */
	CONF_PROGRAMS,	/* struct conf_strings: absolute paths */
	CONF_ENV,	/* struct conf_strings: NAME or NAME=VALUE */
};

struct conf_word {
	const char *word;	/* NULL ends the list */
	uint32_t value;
};

/**
 * struct conf_key - One key
 */
struct conf_key {
	const char *path;	/* "limits.handshake_ms" */
	enum conf_type type;
	size_t offset;		/* in struct conf or struct conf_domain */
	const char *def;	/* JSON; "" in a path: derived */
	uint64_t min, max;	/* of numbers, and of values in rules */
	bool pow2;		/* must be a power of two */
	bool live;		/* can change while the daemon runs */
	const struct conf_word *words;	/* CONF_ENUM */
};

extern const struct conf_key conf_keys[];		/* path NULL ends */
extern const struct conf_key conf_domain_keys[];

#endif
