/* SPDX-License-Identifier: MIT */
/*
 * peers.c - what we assume of sockets and pidfds: who is it, is it alive
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77
#endif

/* A listener that has no name in the file system. */
static int listener(struct sockaddr_un *sa, socklen_t *len)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	/* Autobind: the kernel chooses an abstract name. */
	assert_int_equal(bind(fd, (struct sockaddr *)sa, sizeof(sa_family_t)),
			 0);
	*len = sizeof(*sa);
	assert_int_equal(getsockname(fd, (struct sockaddr *)sa, len), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* A child that connects and then stays until it is killed. */
static pid_t connected_child(int *peer)
{
	struct sockaddr_un sa;
	socklen_t len;
	int lfd = listener(&sa, &len);
	pid_t pid = fork();

	if (pid == 0) {
		int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

		if (connect(fd, (struct sockaddr *)&sa, len))
			_exit(1);
		for (;;)
			pause();
	}
	*peer = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(*peer >= 0);
	close(lfd);
	return pid;
}

static void kill_and_expect(pid_t pid, int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 0), 0);	/* alive: not readable */
	kill(pid, SIGKILL);
	assert_int_equal(poll(&p, 1, 20000), 1);
	assert_true(p.revents & POLLIN);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_a_socket_tells_who_connected(void **state)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	int peer;
	pid_t pid = connected_child(&peer);

	(void)state;
	assert_int_equal(getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &cred, &len),
			 0);
	assert_int_equal(cred.pid, pid);
	assert_int_equal(cred.uid, geteuid());
	assert_int_equal(cred.gid, getegid());
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(peer);
}

static void test_a_socket_gives_a_pidfd_of_its_peer(void **state)
{
	socklen_t len = sizeof(int);
	int peer, pidfd = -1, ret;
	pid_t pid = connected_child(&peer);

	(void)state;
	ret = getsockopt(peer, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len);
	if (ret && errno == ENOPROTOOPT) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(peer);
		print_message("# SO_PEERPIDFD needs Linux 6.5; pidfd_open is "
			      "used instead\n");
		skip();
	}
	assert_int_equal(ret, 0);
	kill_and_expect(pid, pidfd);
	close(pidfd);
	close(peer);
}

static void test_a_pidfd_becomes_readable_at_death(void **state)
{
	int peer, pidfd;
	pid_t pid = connected_child(&peer);

	(void)state;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(pidfd >= 0);
	kill_and_expect(pid, pidfd);
	/* Reaped: the number is free again, and refused. */
	assert_int_equal(syscall(SYS_pidfd_open, pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	close(pidfd);
	close(peer);
}

static void test_a_message_keeps_its_bounds_and_carries_fds(void **state)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char text[16] = "memory", got[16] = "";
	struct iovec v = { .iov_base = text, .iov_len = 7 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int sv[2], fd, received;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    sv), 0);
	fd = memfd_create("x", MFD_CLOEXEC);
	assert_int_equal(write(fd, "hello", 5), 5);
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	assert_int_equal(sendmsg(sv[0], &m, 0), 7);
	assert_int_equal(send(sv[0], "second", 6, 0), 6);

	memset(&control, 0, sizeof(control));
	v.iov_base = got;
	v.iov_len = sizeof(got);
	m.msg_controllen = sizeof(control);
	assert_int_equal(recvmsg(sv[1], &m, MSG_CMSG_CLOEXEC), 7);
	assert_string_equal(got, "memory");
	c = CMSG_FIRSTHDR(&m);
	assert_non_null(c);
	assert_int_equal(c->cmsg_type, SCM_RIGHTS);
	memcpy(&received, CMSG_DATA(c), sizeof(received));
	assert_true(fcntl(received, F_GETFD) & FD_CLOEXEC);
	memset(got, 0, sizeof(got));
	assert_int_equal(pread(received, got, sizeof(got), 0), 5);
	assert_string_equal(got, "hello");
	assert_int_equal(recv(sv[1], got, sizeof(got), 0), 6);
	close(fd);
	close(received);
	close(sv[0]);
	close(sv[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_socket_tells_who_connected),
		cmocka_unit_test(test_a_socket_gives_a_pidfd_of_its_peer),
		cmocka_unit_test(test_a_pidfd_becomes_readable_at_death),
		cmocka_unit_test(
			test_a_message_keeps_its_bounds_and_carries_fds),
	};

	return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
