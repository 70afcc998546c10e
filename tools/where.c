/* SPDX-License-Identifier: MIT */
/*
 * where.c - where the daemon's sockets and the other programs are
 */
#include "tools/where.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int runnable(char *buf, size_t len, size_t dir_len, const char *dir,
		    const char *name)
{
	int n = snprintf(buf, len, "%.*s/%s", (int)dir_len, dir, name);

	if (n < 0 || (size_t)n >= len)
		return -ENAMETOOLONG;
	return access(buf, X_OK) ? -ENOENT : 0;
}

int where_program(const char *name, char *buf, size_t len)
{
	const char *path = getenv("PATH");
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		char *slash;

		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash && runnable(buf, len, (size_t)(slash - self), self,
				      name) == 0)
			return 0;
	}
	while (path && *path) {
		size_t dir = strcspn(path, ":");

		/* An empty member means the working directory to a shell;
		 * starting a daemon from there is nobody's wish. */
		if (dir && runnable(buf, len, dir, path, name) == 0)
			return 0;
		path += dir + (path[dir] == ':');
	}
	return -ENOENT;
}

/* Made by us and by nobody else: /tmp is open to all. */
static bool own_dir(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid();
}

bool where_socket(const char *file, unsigned int i, char *buf, size_t len)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	char dir[64];

	buf[0] = '\0';
	switch (i) {
	case 0:
		if (xdg && *xdg == '/')
			snprintf(buf, len, "%s/snoo/%s", xdg, file);
		return true;
	case 1:
		snprintf(buf, len, "/run/snoo/%s", file);
		return true;
	case 2:
		snprintf(dir, sizeof(dir), "/tmp/snoo-%u",
			 (unsigned int)geteuid());
		if (own_dir(dir))
			snprintf(buf, len, "%s/%s", dir, file);
		return true;
	}
	return false;
}

int where_connect(const char *path, int type)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd, ret;

	if (len >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, len);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}
