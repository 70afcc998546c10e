/* SPDX-License-Identifier: MIT */
/*
 * snoorun_input.c - our standard input for rank 0
 */
#include "tools/snoorun_input.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int input_open(struct input *in, bool remote)
{
	int fd[2];

	in->from = in->to = -1;
	in->start = in->used = 0;
	in->rank_fd = STDIN_FILENO;
	in->remote = remote;
	in->tty = isatty(STDIN_FILENO);
	if (remote) {
		in->from = STDIN_FILENO;
		return 0;
	}
	if (!in->tty)
		return 0;
	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	in->from = STDIN_FILENO;
	in->rank_fd = fd[0];
	in->to = fd[1];
	return 0;
}

void input_started(struct input *in)
{
	if (in->rank_fd != STDIN_FILENO)
		close(in->rank_fd);
	in->rank_fd = -1;
}

void input_close(struct input *in)
{
	if (in->to >= 0)
		close(in->to);
	in->from = in->to = -1;
	in->used = 0;
}

bool input_wants(const struct input *in)
{
	return in->from >= 0 && in->used == 0 &&
	       (!in->tty || tcgetpgrp(in->from) == getpgrp());
}

bool input_has(const struct input *in)
{
	return in->to >= 0 && in->used > 0;
}

void input_read(struct input *in)
{
	ssize_t n = read(in->from, in->buf, sizeof(in->buf));

	if (n > 0) {
		in->start = 0;
		in->used = (size_t)n;
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		input_close(in);	/* ^D: rank 0 sees the end as well */
	}
}

void input_passed(struct input *in, size_t n)
{
	in->start += n;
	in->used -= n;
}

void input_write(struct input *in)
{
	ssize_t n = write(in->to, in->buf + in->start, in->used);

	if (n >= 0) {
		input_passed(in, (size_t)n);
	} else if (errno != EINTR && errno != EAGAIN) {
		input_close(in);	/* rank 0 reads no more */
	}
}
