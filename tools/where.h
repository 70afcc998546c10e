/* SPDX-License-Identifier: MIT */
/*
 * where.h - where the daemon's sockets and the other programs are
 */
#ifndef TOOLS_WHERE_H
#define TOOLS_WHERE_H

#include <stdbool.h>
#include <stddef.h>

/**
 * where_program() - Path of one of our programs
 * @name:	"snoo-daemon"
 *
 * Beside the running program first, so that a build folder and an unpacked
 * archive use what belongs to them; then along PATH.
 *
 * Return: 0, -ENOENT, or -ENAMETOOLONG
 */
int where_program(const char *name, char *buf, size_t len);

/**
 * where_socket() - The @i-th place where a socket of that name may be
 * @file:	"admin.sock"
 * @i:		0, 1, ...
 *
 * $XDG_RUNTIME_DIR/snoo, /run/snoo, /tmp/snoo-UID.  The last only if the
 * directory is ours: anybody could have made it.
 *
 * Return: true with the path in @buf, "" for a place that does not count
 * here; false behind the last
 */
bool where_socket(const char *file, unsigned int i, char *buf, size_t len);

/**
 * where_connect() - Connect to a socket in the file system
 * @type:	SOCK_STREAM, SOCK_SEQPACKET
 *
 * Return: the fd (CLOEXEC), or -errno of socket(2) and connect(2);
 *	-ENAMETOOLONG: the path does not fit a socket address
 */
int where_connect(const char *path, int type);

#endif
