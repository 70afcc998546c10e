/* SPDX-License-Identifier: MIT */
/*
 * snooctl_table.h - any JSON as text for people
 */
#ifndef TOOLS_SNOOCTL_TABLE_H
#define TOOLS_SNOOCTL_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

/**
 * table_cell() - A scalar as a person reads it
 * @key:	What it is called: "_bytes", "_ns", "_us", "_ms" and "_s" at
 *		its end give the unit; NULL: none
 *
 * Control characters become '?': names come from whoever started a job, and
 * a terminal obeys them.
 */
const char *table_cell(const char *key, const json_t *value, char *buf,
		       size_t len);

/**
 * struct table_style - How to show an answer
 */
struct table_style {
	const char *verb;	/* "scheduler" */
	bool all;		/* show columns that are not named as well */

	/* The columns to show, in order, ended by NULL, for the table at
	 * @path: the verb, or a member of its answer, "scheduler.ranks".
	 * NULL: all, as they come. */
	const char *const *(*columns)(const char *path);
};

/**
 * table_any() - Whatever the daemon answered
 *
 * An array of objects is a table, an object is "key value" lines with what it
 * holds indented below its name, a string is itself, [] is "none".
 */
void table_any(FILE *out, const json_t *value, const struct table_style *s);

#endif
