/* SPDX-License-Identifier: MIT */
/*
 * listen.c - sockets that wait for connections: make, accept, unlink
 */
#include "daemon/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/log.h"

#define BACKLOG		4096	/* cut to net.core.somaxconn */
#define ACCEPTS_A_TURN	64

static int fail(char why[LISTEN_TEXT], const char *path, const char *what,
		int error)
{
	snprintf(why, LISTEN_TEXT, "socket %s: %s: %s", path, what,
		 strerror(error));
	return -error;
}

/* Does anybody accept there?  Only a refusal says that nobody does. */
static bool is_served(const struct sockaddr_un *addr, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served;

	if (fd < 0)
		return true;
	served = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0
		 || (errno != ECONNREFUSED && errno != ENOENT);
	close(fd);
	return served;
}

static int remove_stale(const struct sockaddr_un *addr, int type,
			char why[LISTEN_TEXT])
{
	const char *path = addr->sun_path;
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : fail(why, path, "stat", errno);
	if (!S_ISSOCK(st.st_mode))
		return fail(why, path, "something else has that name", EEXIST);
	if (is_served(addr, type))
		return fail(why, path, "another process serves it", EADDRINUSE);
	if (unlink(path) && errno != ENOENT)
		return fail(why, path, "unlink", errno);
	return 0;
}

static int set_owner(const struct conf_socket *conf, char why[LISTEN_TEXT])
{
	if (conf->gid != CONF_NO_GID &&
	    chown(conf->path, (uid_t)-1, conf->gid))
		return fail(why, conf->path, "chown", errno);
	if (chmod(conf->path, conf->mode))
		return fail(why, conf->path, "chmod", errno);
	return 0;
}

int listen_open(struct listener *l, int type, const struct conf_socket *conf,
		char why[LISTEN_TEXT])
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(conf->path);
	int fd, ret;

	memset(l, 0, sizeof(*l));
	l->fd = l->spare = -1;
	if (len >= sizeof(addr.sun_path)) {
		snprintf(why, LISTEN_TEXT, "socket %.120s%s: the path has %zu "
			 "characters, and at most %zu fit: choose a shorter "
			 "runtime_dir", conf->path, len > 120 ? "..." : "",
			 len, sizeof(addr.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(addr.sun_path, conf->path, len + 1);
	ret = remove_stale(&addr, type, why);
	if (ret)
		return ret;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(why, conf->path, "socket", errno);
	/* Until listen() nobody can connect: mode and group come first. */
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		ret = fail(why, conf->path, "bind", errno);
		goto err_close;
	}
	ret = set_owner(conf, why);
	if (ret)
		goto err_unlink;
	if (listen(fd, BACKLOG)) {
		ret = fail(why, conf->path, "listen", errno);
		goto err_unlink;
	}
	return listen_adopt(l, fd, conf, why);

err_unlink:
	unlink(conf->path);
err_close:
	close(fd);
	return ret;
}

int listen_adopt(struct listener *l, int fd, const struct conf_socket *conf,
		 char why[LISTEN_TEXT])
{
	memset(l, 0, sizeof(*l));
	l->fd = fd;
	l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	l->path = strdup(conf->path);
	if (!l->path || l->spare < 0) {
		listen_close(l, LISTEN_KEEP_FILE);
		return fail(why, conf->path, "preparing it", ENOMEM);
	}
	return 0;
}

/* Is it the socket at that path still? */
static bool listens_at(int fd, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof(addr);
	struct stat st;

	return getsockname(fd, (struct sockaddr *)&addr, &len) == 0 &&
	       addr.sun_family == AF_UNIX &&
	       strncmp(addr.sun_path, path, sizeof(addr.sun_path)) == 0 &&
	       stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

int listen_kept(struct listener *l, int type, const struct conf_socket *conf,
		struct keeper *k, const char *name, char why[LISTEN_TEXT])
{
	int fd = keeper_take(k, name), ret;

	if (fd >= 0 && listens_at(fd, conf->path))
		return listen_adopt(l, fd, conf, why);
	if (fd >= 0) {
		close(fd);
		keeper_forget(k, name);
	}
	ret = listen_open(l, type, conf, why);
	if (ret)
		return ret;
	ret = keeper_store(k, name, l->fd, false);
	if (ret)
		snprintf(why, LISTEN_TEXT, "the keeper does not take the "
			 "socket %.150s: %s", conf->path, strerror(-ret));
	return ret;
}

/* No fd is left: take one connection and hang up, or it would wait for ever
 * and the loop would not sleep. */
static void hang_up(struct listener *l)
{
	int fd;

	log_err("no file descriptor is left: a connection is refused "
		"socket=%s; raise LimitNOFILE", l->path);
	close(l->spare);
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_connection(void *arg, unsigned int events)
{
	struct listener *l = arg;

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(l->fd, NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE)
				hang_up(l);
			else if (errno != EAGAIN && errno != EINTR &&
				 errno != ECONNABORTED)
				log_err("accept socket=%s error=\"%s\"",
					l->path, strerror(errno));
			return;
		}
		l->open(l->arg, fd);
	}
}

int listen_start(struct listener *l, struct loop *loop,
		 int (*open)(void *arg, int fd), void *arg)
{
	l->open = open;
	l->arg = arg;
	return loop_watch(&l->watch, loop, l->fd, LOOP_READ, on_connection, l);
}

void listen_close(struct listener *l, enum listen_end end)
{
	loop_unwatch(l->watch);
	if (l->fd >= 0)
		close(l->fd);
	if (l->spare >= 0)
		close(l->spare);
	if (l->path && end == LISTEN_UNLINK)
		unlink(l->path);
	free(l->path);
	memset(l, 0, sizeof(*l));
	l->fd = l->spare = -1;
}
