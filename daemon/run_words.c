/* SPDX-License-Identifier: MIT */
/*
 * run_words.c - arguments and environment of a program, as they are sent
 */
#include "daemon/run_words.h"

#include <snoo/control.h>
#include <snoo/wire.h>

#include <string.h>

_Static_assert(SNOO_WIRE_WORDS == RUN_WORDS_MAX, "as many on either way");
_Static_assert(SNOO_WIRE_WORDS_MAX <= SNOO_CTL_WORDS_MAX,
	       "what comes by a socket must fit a frame");

size_t run_words_name(const char *entry)
{
	size_t n = strspn(entry, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz_0123456789");

	return entry[n] == '=' && (*entry < '0' || *entry > '9') ? n : 0;
}

const char *run_words_wrong(const struct run_words *w)
{
	uint32_t n = 0;

	if (w->argc < 1 || w->argc > RUN_WORDS_MAX)
		return "it has no arguments, or more than 64";
	if (w->envc > RUN_WORDS_MAX)
		return "it has more than 64 variables";
	if (w->bytes < 1 || w->bytes > SNOO_CTL_WORDS_MAX ||
	    w->text[w->bytes - 1] != '\0')
		return "its arguments have no end";
	for (uint32_t at = 0; at < w->bytes; n++) {
		const char *entry = w->text + at;

		if (n >= w->argc && n < w->argc + w->envc &&
		    run_words_name(entry) == 0)
			return "a variable is not NAME=VALUE";
		at += (uint32_t)strlen(entry) + 1;
	}
	return n == w->argc + w->envc ? NULL :
	       "its arguments are more or fewer than it says";
}

void run_words_split(const struct run_words *w,
		     const char *argv[RUN_WORDS_MAX + 1],
		     const char *env[RUN_WORDS_MAX + 1])
{
	const char *p = w->text;

	for (uint32_t i = 0; i < w->argc; i++, p += strlen(p) + 1)
		argv[i] = p;
	argv[w->argc] = NULL;
	for (uint32_t i = 0; i < w->envc; i++, p += strlen(p) + 1)
		env[i] = p;
	env[w->envc] = NULL;
}
