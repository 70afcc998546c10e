/* SPDX-License-Identifier: MIT */
/*
 * sdnotify_fds.c - inherited fds: LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES
 *
 * The same three variables carry activation sockets and what the keeper kept.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/sdnotify.h"

/* More than any RLIMIT_NOFILE in use; keeps the arithmetic below small. */
#define FDS_MAX		1000000

static int number(const char *text, unsigned long max, unsigned long *out)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*out = strtoul(text, &end, 10);
	return errno || *end || *out > max ? -EINVAL : 0;
}

static int set_cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		return -errno;
	return fcntl(fd, F_SETFD, flags | FD_CLOEXEC) ? -errno : 0;
}

/* The @i-th of the names, or "unknown", which is systemd's own word for it. */
static char *name_at(const char **names)
{
	const char *name = *names;
	size_t len;

	if (!name || !*name)
		return strdup("unknown");
	len = strcspn(name, ":");
	*names = name[len] ? name + len + 1 : NULL;
	return len ? strndup(name, len) : strdup("unknown");
}

static int take(struct sdnotify_fds *out, unsigned long n, const char *names)
{
	struct sdnotify_fds fds = { .n = 0 };
	int ret;

	fds.fd = calloc(n, sizeof(*fds.fd));
	if (!fds.fd)
		return -ENOMEM;
	for (unsigned long i = 0; i < n; i++) {
		struct sdnotify_fd *f = &fds.fd[i];

		f->fd = SDNOTIFY_LISTEN_START + (int)i;
		ret = set_cloexec(f->fd);
		if (ret) {
			ret = -EINVAL;	/* fewer fds than promised */
			goto out_fini;
		}
		f->name = name_at(&names);
		if (!f->name) {
			ret = -ENOMEM;
			goto out_fini;
		}
		fds.n++;
	}
	*out = fds;
	return 0;

out_fini:
	sdnotify_fds_fini(&fds);
	return ret;
}

static int read_env(struct sdnotify_fds *out)
{
	const char *pid_text = getenv("LISTEN_PID");
	const char *n_text = getenv("LISTEN_FDS");
	unsigned long pid, n;

	if (!pid_text || !n_text)
		return 0;
	if (number(pid_text, INT32_MAX, &pid) || number(n_text, FDS_MAX, &n))
		return -EINVAL;
	if (pid != (unsigned long)getpid() || n == 0)
		return 0;
	return take(out, n, getenv("LISTEN_FDNAMES"));
}

int sdnotify_listen_fds(struct sdnotify_fds *out)
{
	int ret;

	*out = (struct sdnotify_fds){ .n = 0 };
	ret = read_env(out);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return ret;
}

void sdnotify_fds_fini(struct sdnotify_fds *fds)
{
	for (unsigned int i = 0; i < fds->n; i++)
		free(fds->fd[i].name);
	free(fds->fd);
	*fds = (struct sdnotify_fds){ .n = 0 };
}
