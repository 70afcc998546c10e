/* SPDX-License-Identifier: MIT */
/*
 * keeper_shelf.h - the fds that the small process keeps, and the messages
 *		    about them
 *
 * One thread, no libuv.
 */
#ifndef DAEMON_KEEPER_SHELF_H
#define DAEMON_KEEPER_SHELF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Bytes of LISTEN_FDNAMES: the kernel takes strings up to 32 pages. */
#define KEEPER_SHELF_NAMES	(120u * 1024u)

/** struct keeper_shelf - Kept fds, in the order in which they came */
struct keeper_shelf {
	struct keeper_kept {
		int fd;
		bool watched;		/* in the epoll set */
		char *name;
	} *kept;
	size_t n;
	size_t name_bytes;		/* of all names, with separators */
	int epoll;			/* end of file and errors; not ours */
};

void keeper_shelf_init(struct keeper_shelf *s, int epoll);
void keeper_shelf_fini(struct keeper_shelf *s);

/** struct keeper_note - One message, as far as it is not about fds */
struct keeper_note {
	bool ready;
	bool stopping;
	size_t text_bytes;		/* to pass on: 0 if it was about fds */
	char text[4096];
};

/**
 * keeper_shelf_receive() - Read one message from @socket and obey it
 * @from:	Only this process is listened to
 *
 * Return: 1: a message was read, 0: none is there (or -errno of recvmsg)
 */
int keeper_shelf_receive(struct keeper_shelf *s, int socket, pid_t from,
			 struct keeper_note *note);

/* A watched fd has come to its end. */
void keeper_shelf_hangup(struct keeper_shelf *s, int fd);

/* The same for all that have, whether or not an event has said so yet. */
void keeper_shelf_ended(struct keeper_shelf *s);

/**
 * keeper_shelf_pass() - In a child about to exec: the fds from 3 on, open
 *			 across exec, and LISTEN_* in the environment
 * @spare:	An fd to keep clear of them; moved, CLOEXEC stays
 *
 * Return: 0 or -errno
 */
int keeper_shelf_pass(struct keeper_shelf *s, int *spare);

#endif
