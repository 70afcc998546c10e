/* SPDX-License-Identifier: MIT */
/*
 * rundir.c - the folder of our sockets and locks
 */
#include "daemon/rundir.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_dir(const char *path)
{
	mode_t mode = geteuid() == 0 ? 0755 : 0700;
	char part[4096];

	if (strlen(path) >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; path[i - 1]; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, mode) == 0) {
			/* The umask is not what decides here. */
			if (chmod(part, mode))
				return -errno;
		} else if (errno != EEXIST) {
			return -errno;
		}
	}
	return 0;
}

int rundir_prepare(const char *path)
{
	struct stat st;
	int ret = make_dir(path);

	if (ret == 0 && stat(path, &st))
		ret = -errno;
	if (ret == 0 && !S_ISDIR(st.st_mode))
		ret = -ENOTDIR;
	if (ret == 0 && st.st_uid != geteuid() && st.st_uid != 0)
		ret = -EPERM;
	return ret;
}
