/* SPDX-License-Identifier: MIT */
/*
 * peer.c - who is at the other end of a socket
 */
#include "daemon/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77	/* Linux 6.5 */
#endif

int peer_credentials(int fd, struct who *who)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	memset(who, 0, sizeof(*who));
	who->pidfd = -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	who->pid = cred.pid;
	who->uid = cred.uid;
	who->gid = cred.gid;
	return 0;
}

unsigned int peer_groups(int fd, gid_t gid, gid_t *out, unsigned int max)
{
	socklen_t len = (max - 1) * (socklen_t)sizeof(gid_t);

	out[0] = gid;
#ifdef SO_PEERGROUPS
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, out + 1, &len) == 0)
		return 1 + (unsigned int)(len / sizeof(gid_t));
#else
	(void)len;
	(void)fd;
#endif
	return 1;
}

uint64_t peer_start_time(pid_t pid)
{
	char path[40], text[1024], *p;
	uint64_t ticks = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* The name, field 2, may hold anything; the last ')' ends it. */
	p = strrchr(text, ')');
	for (int field = 3; p && field <= 22; field++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, " %" SCNu64, &ticks) != 1)
		return 0;
	return ticks;
}

int peer_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return pidfd < 0 || poll(&p, 1, 0) > 0;
}

uint32_t peer_unread(int fd, size_t least)
{
	int bytes = 0;

	if (ioctl(fd, FIONREAD, &bytes) || bytes < 0)
		return 1;
	return (uint32_t)((size_t)bytes / least) + 1;
}

static int by_number(struct who *who, char *why, size_t why_len)
{
	uint64_t before = peer_start_time(who->pid);
	long fd = syscall(SYS_pidfd_open, who->pid, 0);

	if (fd < 0) {
		int error = errno;

		snprintf(why, why_len, "pidfd_open of process %d: %s",
			 (int)who->pid, strerror(error));
		return -error;
	}
	who->pidfd = (int)fd;
	who->start_time = peer_start_time(who->pid);
	if (before && before == who->start_time && !peer_ended(who->pidfd))
		return 0;
	close(who->pidfd);
	who->pidfd = -1;
	snprintf(why, why_len, "process %d has ended", (int)who->pid);
	return -ESRCH;
}

int peer_identify(int fd, struct who *who, char *why, size_t why_len)
{
	int pidfd;
	socklen_t len = sizeof(pidfd);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0) {
		fcntl(pidfd, F_SETFD, FD_CLOEXEC);
		who->pidfd = pidfd;
		who->start_time = who->pid ? peer_start_time(who->pid) : 0;
		return 0;
	}
	if (who->pid == 0) {
		snprintf(why, why_len, "the daemon can't see this process: it "
			 "is in a PID namespace that is not below the "
			 "daemon's; share the host's PID namespace, or run a "
			 "daemon inside");
		return -EPERM;
	}
	return by_number(who, why, why_len);
}
