/* SPDX-License-Identifier: MIT */
/*
 * guest_holder.c - a small process that stands for the VM where there is none
 *
 *     guest daemon          holder
 *        | fork, fork ------> its own session, no privileges
 *        |                    connect, connect
 *        | <--- two sockets   (SCM_RIGHTS; none of them stays here)
 *        | pipe, write end    read end: wait
 *        | (the keeper too)   end of file: exit
 *
 * Forked twice: it is nobody's child, so that its end is no SIGCHLD of a loop
 * that knows nothing of it.
 */

#include "daemon/guest_holder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/guest_port.h"

#define CONNECT_S 5
#define TALK	  3 /* the holder's fds */
#define LIFE	  4

/* What the holder says: two fds come with error 0. */
struct report {
	int error; /* negative */
	int which; /* of the paths */
};

/* ---- in the holder ---- */

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = CONNECT_S };
	int fd;

	memcpy(a.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A full backlog would hold us up for ever. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		int error = errno == EAGAIN ? ETIMEDOUT : errno;

		close(fd);
		return -error;
	}
	limit.tv_sec = 0;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

static void hand_over(const struct report *r, const int sock[2])
{
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec io = { .iov_base = (void *)(uintptr_t)r,
			    .iov_len = sizeof(*r) };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (!r->error) {
		m.msg_control = control.buf;
		m.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(c), sock, 2 * sizeof(int));
	}
	(void)!sendmsg(TALK, &m, MSG_NOSIGNAL);
}

/* Nothing of the daemon's: no fds, no signal handlers, no capabilities. */
static void become_holder(int talk, int life)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct none[2] = { { 0 } };
	sigset_t all;
	int null;

	for (int s = 1; s < SIGRTMIN; s++)
		signal(s, SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	prctl(PR_SET_NAME, "snoo-vm");
	prctl(PR_SET_PDEATHSIG, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_capset, &head, none);

	/* First out of the way of 0 .. 4. */
	talk = fcntl(talk, F_DUPFD, LIFE + 1);
	life = fcntl(life, F_DUPFD, LIFE + 1);
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < TALK; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	if (talk < 0 || life < 0 || dup2(talk, TALK) < 0 ||
	    dup2(life, LIFE) < 0)
		_exit(1);
	if (syscall(SYS_close_range, LIFE + 1, ~0u, 0) < 0)
		for (int fd = LIFE + 1; fd < 65536; fd++)
			close(fd);
}

static void hold(int talk, int life, const char *const path[2])
	__attribute__((noreturn));

static void hold(int talk, int life, const char *const path[2])
{
	struct report r = { 0, 0 };
	int sock[2] = { -1, -1 };
	char byte;

	become_holder(talk, life);
	for (int i = 0; i < 2 && !r.error; i++) {
		sock[i] = connect_to(path[i]);
		if (sock[i] < 0)
			r = (struct report){ sock[i], i };
	}
	hand_over(&r, sock);
	if (r.error)
		_exit(1);
	close(sock[0]);
	close(sock[1]);
	close(TALK);
	while (read(LIFE, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

/* ---- in the daemon ---- */

static int fork_twice(int talk, int life, const char *const path[2])
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		setsid();
		pid = fork();
		if (pid == 0)
			hold(talk, life, path);
		_exit(pid < 0 ? errno : 0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static int receive(int talk, struct report *r, int sock[2])
{
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct timeval limit = { .tv_sec = 3L * CONNECT_S };
	struct iovec io = { .iov_base = r, .iov_len = sizeof(*r) };
	struct msghdr m = { .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c;
	ssize_t n;

	setsockopt(talk, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	do
		n = recvmsg(talk, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (n != sizeof(*r))
		return -ECHILD;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(2 * sizeof(int)))
		memcpy(sock, CMSG_DATA(c), 2 * sizeof(int));
	else if (!r->error)
		return -EMFILE;
	return 0;
}

int guest_holder_start(const char *const path[2], int sock[2], int *life,
		       char why[GUEST_PORT_TEXT])
{
	int talk[2] = { -1, -1 }, pipes[2] = { -1, -1 };
	struct report r;
	int ret;

	sock[0] = sock[1] = *life = -1;
	for (int i = 0; i < 2; i++)
		if (strlen(path[i]) >=
		    sizeof((struct sockaddr_un){ 0 }.sun_path))
			return guest_fail(-ENAMETOOLONG, why,
					  "%s: longer than "
					  "the path of a socket can be",
					  path[i]);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, talk) < 0 ||
	    pipe2(pipes, O_CLOEXEC) < 0)
		ret = -errno;
	else
		ret = fork_twice(talk[1], pipes[0], path);
	/* Ours alone from here on: the end of the holder is an end of file. */
	if (talk[1] >= 0)
		close(talk[1]);
	if (!ret)
		ret = receive(talk[0], &r, sock);
	if (ret)
		guest_fail(ret, why, "a process for the VM's sockets: %s",
			   strerror(-ret));
	else if (r.error)
		ret = guest_fail(r.error, why, "%s: %s", path[r.which],
				 strerror(-r.error));
	if (talk[0] >= 0)
		close(talk[0]);
	if (pipes[0] >= 0)
		close(pipes[0]);
	if (ret && pipes[1] >= 0)
		close(pipes[1]);
	else
		*life = pipes[1];
	return ret;
}
