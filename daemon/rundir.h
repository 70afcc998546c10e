/* SPDX-License-Identifier: MIT */
/*
 * rundir.h - the folder of our sockets and locks
 */
#ifndef DAEMON_RUNDIR_H
#define DAEMON_RUNDIR_H

/**
 * rundir_prepare() - Make it, with all above it; see that it is ours or root's
 *
 * Return: 0 on success, negative error code otherwise
 *	-ENOTDIR	something else has that name
 *	-EPERM		it is somebody else's
 *	-errno		of mkdir(2), chmod(2), stat(2)
 */
int rundir_prepare(const char *path);

#endif /* DAEMON_RUNDIR_H */
