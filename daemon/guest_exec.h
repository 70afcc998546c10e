/* SPDX-License-Identifier: MIT */
/*
 * guest_exec.h - may this program be started here, and how it is started
 *
 * The list of programs is worth as much as the way from "/" to each of them:
 * whoever can write a folder on it decides what is started.  So the path is
 * walked, no link is followed, each folder and the program itself must be
 * root's and nobody else's to write (a sticky folder may hold a folder of
 * root's, but not a program), and what is executed is the file that was looked
 * at, by its descriptor.
 */
#ifndef DAEMON_GUEST_EXEC_H
#define DAEMON_GUEST_EXEC_H

#include <sys/types.h>

#include "daemon/guest_rules.h"
#include "daemon/run_words.h"

#define GUEST_EXEC_TEXT	256u
#define GUEST_EXEC_ENV	(2 * GUEST_RULES_LIST + 8)

/**
 * guest_exec_open() - Find a program that is allowed
 * @why:	On failure a sentence
 *
 * Return: an fd, or a negative error code
 *	-EACCES	 it is not in the list, or not as a program must be
 *	-ELOOP	 a symbolic link is on the way
 *	-ENOEXEC a script
 *	-errno	 of openat(2): -ENOENT and the like
 */
int guest_exec_open(const struct guest_rules *r, const char *path,
		    char why[GUEST_EXEC_TEXT]);

/**
 * guest_exec_env() - The environment that a program gets
 * @asked:	What the request has, ended by NULL
 * @out:	Ended by NULL; points into @asked, @r and @own
 * @own:	Room for what is ours
 *
 * Of two values of one name the first counts.
 */
void guest_exec_env(const struct guest_rules *r, const char *const *asked,
		    const char *out[GUEST_EXEC_ENV], char own[256]);

/** struct guest_child - A program that runs, and our ends of its pipes */
struct guest_child {
	pid_t pid;			/* leads a session of its own */
	int in, out, err;		/* non-blocking */
};

/**
 * guest_exec_start() - Start it
 * @w:		Well formed
 * @why:	On failure a sentence
 *
 * Return: 0, or a negative error code: as guest_exec_open(), or -errno of
 * what kept it from running
 */
int guest_exec_start(struct guest_child *c, const struct guest_rules *r,
		     const struct run_words *w, char why[GUEST_EXEC_TEXT]);

#endif /* DAEMON_GUEST_EXEC_H */
