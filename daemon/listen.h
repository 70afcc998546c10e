/* SPDX-License-Identifier: MIT */
/*
 * listen.h - sockets that wait for connections: make, accept, unlink
 */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include <stddef.h>

#include "daemon/conf.h"
#include "daemon/keeper.h"
#include "daemon/loop.h"

#define LISTEN_TEXT	256

/** struct listener - A socket that waits for connections */
struct listener {
	int fd;				/* -1: none */
	struct loop_watch *watch;
	char *path;			/* NULL: nothing to unlink */
	int spare;			/* fd kept for when there are no more */
	int (*open)(void *arg, int fd);	/* takes over each new connection */
	void *arg;
};

/**
 * listen_open() - Bind and listen
 * @type:	SOCK_SEQPACKET or SOCK_STREAM
 * @why:	LISTEN_TEXT bytes: on failure a sentence
 *
 * A socket file that nobody serves is removed; anything else of that name is
 * left alone.
 *
 * Return: 0 on success, negative error code otherwise
 *	-ENAMETOOLONG	the path does not fit a socket address
 *	-EEXIST		something that is no socket has that name
 *	-EADDRINUSE	another process serves it
 *	-errno of socket(2), bind(2), chmod(2), chown(2), listen(2)
 */
int listen_open(struct listener *l, int type, const struct conf_socket *conf,
		char why[LISTEN_TEXT]);

/* A socket that listens already: ours from now on. */
int listen_adopt(struct listener *l, int fd, const struct conf_socket *conf,
		 char why[LISTEN_TEXT]);

/**
 * listen_kept() - The socket that the keeper has under @name, or a new one
 *
 * A new one is stored with the keeper.  One at another path is given up.
 *
 * Return: as listen_open(), or -errno of keeper_store()
 */
int listen_kept(struct listener *l, int type, const struct conf_socket *conf,
		struct keeper *k, const char *name, char why[LISTEN_TEXT]);

/* Accept from now on. */
int listen_start(struct listener *l, struct loop *loop,
		 int (*open)(void *arg, int fd), void *arg);

/* Close; @unlink_path: remove the file too. */
enum listen_end { LISTEN_KEEP_FILE, LISTEN_UNLINK };
void listen_close(struct listener *l, enum listen_end end);

#endif /* DAEMON_LISTEN_H */
