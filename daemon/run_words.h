/* SPDX-License-Identifier: MIT */
/*
 * run_words.h - arguments and environment of a program, as they are sent
 */
#ifndef DAEMON_RUN_WORDS_H
#define DAEMON_RUN_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define RUN_WORDS_MAX	64u	/* arguments; and as many variables */

/**
 * struct run_words - Strings one after the other, each with its NUL
 */
struct run_words {
	const char *text;		/* @bytes in all, the last one 0 */
	uint32_t bytes;
	uint32_t argc;			/* 1 .. RUN_WORDS_MAX */
	uint32_t envc;			/* 0 .. RUN_WORDS_MAX */
};

/* NULL: well formed; else what is wrong. */
const char *run_words_wrong(const struct run_words *w);

/**
 * run_words_split() - Pointers to the strings, into @w->text
 * @argv:	argc of them, then NULL
 * @env:	envc of them, then NULL
 *
 * Of words that are well formed.
 */
void run_words_split(const struct run_words *w,
		     const char *argv[RUN_WORDS_MAX + 1],
		     const char *env[RUN_WORDS_MAX + 1]);

/* Bytes of NAME in "NAME=VALUE"; 0: it is none. */
size_t run_words_name(const char *entry);

#endif /* DAEMON_RUN_WORDS_H */
