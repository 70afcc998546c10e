/* SPDX-License-Identifier: MIT */
/*
 * peer.h - who is at the other end of a socket
 */
#ifndef DAEMON_PEER_H
#define DAEMON_PEER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** struct who - The process at the other end of a socket */
struct who {
	pid_t pid;			/* in our PID namespace */
	uid_t uid;
	gid_t gid;
	int pidfd;			/* -1: not asked for yet */
	uint64_t start_time;		/* field 22 of /proc/PID/stat */
};

/** peer_credentials() - Without the pidfd: 0 or -errno */
int peer_credentials(int fd, struct who *who);

/* Its groups, @gid first: how many, @max at most. */
unsigned int peer_groups(int fd, gid_t gid, gid_t *out, unsigned int max);

/**
 * peer_identify() - Add pidfd and start time
 * @why:	On failure a sentence
 *
 * SO_PEERPIDFD where the kernel has it: it names the process that connected,
 * whoever has its number now.  Else pidfd_open(2) between two looks at the
 * start time.
 *
 * Return: 0 on success, negative error code otherwise
 *	-EPERM	the peer has no number here: it lives in a PID namespace that
 *		is not below ours, and the kernel gives no pidfd
 *	-ESRCH	the peer has ended
 *	-errno	of pidfd_open(2)
 */
int peer_identify(int fd, struct who *who, char *why, size_t why_len);

/* Start time of @pid in clock ticks since boot; 0: no such process. */
uint64_t peer_start_time(pid_t pid);

/* Has that process ended? */
int peer_ended(int pidfd);

/* How many messages of @least bytes or more a SEQPACKET socket can hold now,
 * and one more: who has ended has said no more than that, whoever else has its
 * end of the socket and goes on. */
uint32_t peer_unread(int fd, size_t least);

#endif /* DAEMON_PEER_H */
