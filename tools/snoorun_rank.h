/* SPDX-License-Identifier: MIT */
/*
 * snoorun_rank.h - one rank: what the loop needs of it, and a process of ours
 */
#ifndef TOOLS_SNOORUN_RANK_H
#define TOOLS_SNOORUN_RANK_H

#include <poll.h>

#include "tools/snoorun_common.h"
#include "tools/snoorun_lines.h"

struct rank;
struct remote;

/**
 * struct rank_ops - A process of ours, or one in a VM (snoorun_remote.h)
 *
 * @watch: fill in two entries for poll(2), all zero before.  @serve: look at
 * them.  @signal: to the rank and all that it started; nothing if it has
 * ended.  @drain: it has ended: take its last words.  @give_up: do not wait
 * for its end.  @close: nobody will look again.
 */
struct rank_ops {
	void (*watch)(struct rank *r, struct pollfd p[2]);
	void (*serve)(struct rank *r, const struct pollfd p[2]);
	void (*signal)(const struct rank *r, int sig);
	void (*drain)(struct rank *r);
	void (*give_up)(struct rank *r);
	void (*close)(struct rank *r);
};

struct rank {
	const struct rank_ops *ops;	/* NULL: it was never started */
	bool alive;		/* the loop waits for its end */
	struct source out, err;	/* fd -1: not through us */

	pid_t pid;		/* also its process group; 0: none of ours */

	const char *vm;		/* NULL: the host */
	struct remote *remote;
	bool started;		/* it runs there */
	bool ended;		/* said by serve(): */
	int error;		/* errno: no status, text says why */
	int status;		/* of waitpid(2) */
	char text[256];
};

/**
 * struct rank_common - What all ranks of one launch share
 */
struct rank_common {
	const struct snoorun_opts *opts;
	char launch[17];	/* 64 random bits: job and launch name a run */
	const char *socket;	/* client socket of the daemon */
	struct sink *out, *err;
	int stdin_fd;		/* for rank 0; the others read nothing */
};

/* New launch number: 0 or -errno of getrandom(2). */
int rank_launch(struct rank_common *c);

/**
 * rank_start() - Fork and exec rank @i on this host
 *
 * The child dies with us, whatever kills us.
 *
 * Return: 0 on success, negative error code otherwise
 *	-errno of exec(2): the program cannot be run
 *	*@stage is "exec" then, else names the call that failed
 */
int rank_start(struct rank *r, unsigned int i, const struct rank_common *c,
	       const char **stage);

/* Raise the limit of open files for the pipes of @n ranks; the ranks keep
 * the old one.  0, or -EMFILE: even the hard limit is too low. */
int rank_limits(unsigned int n);

#endif
