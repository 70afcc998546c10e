/* SPDX-License-Identifier: MIT */
/*
 * snoorun_input.h - our standard input for rank 0
 *
 * A file or a pipe is handed to rank 0 as it is.  A terminal is not: ranks
 * are in process groups of their own, and a terminal stops whoever reads it
 * from the background.  So we read it and pass it on through a pipe.  For a
 * rank 0 in a VM we read whatever it is, and the caller passes it on.
 */
#ifndef TOOLS_SNOORUN_INPUT_H
#define TOOLS_SNOORUN_INPUT_H

#include <stdbool.h>
#include <stddef.h>

struct input {
	int rank_fd;		/* what rank 0 shall read */
	int from, to;		/* what we read, our end of the pipe; -1 */
	bool remote;		/* rank 0 is in a VM: to is not used */
	bool tty;
	char buf[4096];
	size_t start, used;
};

/* 0 or -errno of pipe2(2). */
int input_open(struct input *in, bool remote);
/* Rank 0 has its end. */
void input_started(struct input *in);
void input_close(struct input *in);

/* Is there room, and are we in the foreground? */
bool input_wants(const struct input *in);
bool input_has(const struct input *in);

void input_read(struct input *in);
void input_write(struct input *in);
/* @n bytes of in->buf + in->start were passed on. */
void input_passed(struct input *in, size_t n);

#endif
