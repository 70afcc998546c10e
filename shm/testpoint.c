/* SPDX-License-Identifier: MIT */
/* testpoint.c - dies at a named step, in test builds */

#include "shm/testpoint.h"

#ifdef SNOO_TESTPOINTS

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void shm_testpoint(const char *name)
{
	static const char *wish;
	static size_t length;
	static long left = -1;
	const char *once;

	if (left < 0) {
		const char *colon;

		wish = getenv("SNOO_TESTPOINT");
		if (!wish)
			wish = "";
		colon = strchr(wish, ':');
		length = colon ? (size_t)(colon - wish) : strlen(wish);
		left = colon ? atol(colon + 1) : 1;
	}
	if (length == 0 || strlen(name) != length ||
	    strncmp(name, wish, length) != 0)
		return;
	if (--left != 0)
		return;
	/* Whoever takes the token away dies; a successor finds none. */
	once = getenv("SNOO_TESTPOINT_ONCE");
	if (once && unlink(once))
		return;
	kill(getpid(), SIGKILL);
}

#else

/* A translation unit may not be empty. */
typedef int shm_testpoint_unused;

#endif
