/* SPDX-License-Identifier: MIT */
/*
 * pool_file.h - a pool that is a file with a path, on hugetlbfs or tmpfs
 *
 * For a QEMU that can't open another process's fd (holder.h): it opens the
 * path, by the file's mode and group.  Such a file can't be sealed, because
 * the kernel seals memfds only: whoever may write it may cut it short, and the
 * daemon's next touch ends the domain (guard.h).
 *
 * The path must end in ".pool".  A file of such a name is the daemon's to
 * replace, unless another daemon serves it: that one holds a lock on it, by an
 * open file of its own, so that the lock goes with the daemon and not with the
 * ranks that map the pool.
 *
 * One thread.
 */
#ifndef DAEMON_POOL_FILE_H
#define DAEMON_POOL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/conf.h"

#define POOL_FILE_PATH	256u		/* bytes of a path, with NUL */
#define POOL_FILE_TEXT	256u		/* bytes of a sentence */
#define POOL_FILE_HUGE	(UINT64_C(2) << 20)	/* bytes of a huge page */

/**
 * pool_file_system() - Can a pool be there, and with which pages?
 * @huge:	Out: it is hugetlbfs with pages of 2 MiB
 *
 * Return: 0 on success, negative error code otherwise, with a sentence
 *	-EINVAL	 another file system, another size of pages, not what @want
 *		 says, or a name that does not end in ".pool"
 *	or -errno of statfs(2)
 */
int pool_file_system(const char *path, enum conf_huge want, bool *huge,
		     char why[POOL_FILE_TEXT]);

/**
 * pool_file_create() - Make the file, empty
 * @gid:	CONF_NO_GID: leave the group alone
 * @lock_fd:	Out: what to close when the daemon gives it up; -1 on failure
 *
 * Removes one that no daemon serves any more.
 *
 * Return: the file, or a negative error code, with a sentence
 *	-EEXIST		something that is no regular file has that name
 *	-EADDRINUSE	another daemon serves it
 *	or -errno of open(2), unlink(2), fchown(2), fchmod(2)
 */
int pool_file_create(const char *path, uint32_t mode, uint32_t gid,
		     int *lock_fd, char why[POOL_FILE_TEXT]);

/**
 * pool_file_adopt() - Lock a file of a daemon that died
 * @path:	Out: where it is; "": it has no name any more
 * @lock_fd:	As above
 *
 * Return: 0, or -EADDRINUSE with a sentence
 */
int pool_file_adopt(int fd, char path[POOL_FILE_PATH], int *lock_fd,
		    char why[POOL_FILE_TEXT]);

/* Remove the file, if the path still leads to it. */
void pool_file_remove(int fd, const char *path);

#endif /* DAEMON_POOL_FILE_H */
