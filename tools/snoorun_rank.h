/* SPDX-License-Identifier: MIT */
/*
 * snoorun_rank.h - start one rank: environment, streams, process group
 */
#ifndef TOOLS_SNOORUN_RANK_H
#define TOOLS_SNOORUN_RANK_H

#include "tools/snoorun_common.h"
#include "tools/snoorun_lines.h"

struct rank {
	pid_t pid;		/* also its process group; 0: ended */
	struct source out, err;	/* fd -1: not through us */
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
 * rank_start() - Fork and exec rank @i
 *
 * The child dies with us, whatever kills us.
 *
 * Return: 0 on success, negative error code otherwise
 *	-errno of exec(2): the program cannot be run
 *	*@stage is "exec" then, else names the call that failed
 */
int rank_start(struct rank *r, unsigned int i, const struct rank_common *c,
	       const char **stage);

/* To the rank and all that it started; nothing if it has ended. */
void rank_signal(const struct rank *r, int sig);

/* Raise the limit of open files for the pipes of @n ranks; the ranks keep
 * the old one.  0, or -EMFILE: even the hard limit is too low. */
int rank_limits(unsigned int n);

#endif
