/* SPDX-License-Identifier: MIT */
/*
 * mortal.h - a real daemon with its keeper, which dies at a test point once
 *
 * For the crash tests: the program of the test-point tree, in a directory of
 * its own.  What does not go well fails the test.
 */
#ifndef TESTS_MORTAL_H
#define TESTS_MORTAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct mortal {
	const char *point;		/* "name:passage"; "": it lives */
	char dir[64];
	char path[128];			/* the client socket */
	char once[128];			/* there as long as it has not died */
	pid_t keeper;
};

/* Returns when it is ready.  @sets: as for --set, ended by NULL; may be NULL. */
void mortal_start(struct mortal *m, const char *point,
		  const char *const *sets);

/* DIR/NAME in @buf. */
const char *mortal_path(const struct mortal *m, const char *name, char *buf,
			size_t len);

/* One line to the admin socket: 0, or -EAGAIN: nobody answers now. */
int mortal_ask(const struct mortal *m, const char *request, char *answer,
	       size_t len);
/* Until the answer is an empty list; until jobs and pool are empty. */
void mortal_expect_none(const struct mortal *m, const char *request);
void mortal_expect_empty(const struct mortal *m);

/* SIGKILL to the one that serves now; its keeper starts the next. */
void mortal_kill(const struct mortal *m);

/* It ends well, and the point was passed; nothing is left of it. */
void mortal_stop(struct mortal *m);

/* 2 ms, for others. */
void mortal_nap(void);

/* A test for each of @n points, named after it: cmocka's return value. */
int mortal_run(const char *const *points, size_t n, void (*story)(void **));

#endif /* TESTS_MORTAL_H */
