/* SPDX-License-Identifier: MIT */
/*
 * sdnotify.c - the service manager's notification protocol
 *
 * Datagrams to one address; what must stay in order does, since a datagram
 * socket keeps the order of one sender.
 */
#include "daemon/sdnotify.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX	1024

struct sdnotify {
	int fd;
	struct sockaddr_un to;
	socklen_t to_len;
	uint64_t watchdog_us;
};

static int address(struct sdnotify *n, const char *path)
{
	size_t len = strlen(path);

	if ((*path != '/' && *path != '@') || len < 2)
		return -EINVAL;
	/* An abstract name may use the byte that ends a path. */
	if (len >= sizeof(n->to.sun_path) + (*path == '@'))
		return -ENAMETOOLONG;
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, path, len);
	n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (*path == '@')
		n->to.sun_path[0] = '\0';
	else
		n->to_len++;		/* with its zero */
	return 0;
}

/* A whole variable as a number; false: not set or no number. */
static bool env_number(const char *name, uint64_t *out)
{
	const char *text = getenv(name);
	char *end;

	if (!text || !isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

static uint64_t watchdog_from_env(void)
{
	uint64_t us, pid;

	if (!env_number("WATCHDOG_USEC", &us))
		return 0;
	if (getenv("WATCHDOG_PID") && (!env_number("WATCHDOG_PID", &pid) ||
				       pid != (uint64_t)getpid()))
		return 0;
	return us;
}

/* "": nobody listens. */
static int path_from_env(char *buf, size_t len)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (path && strlen(path) >= len)
		return -ENAMETOOLONG;
	snprintf(buf, len, "%s", path ? path : "");
	unsetenv("NOTIFY_SOCKET");
	return 0;
}

int sdnotify_open(struct sdnotify **out, const char *path)
{
	char from_env[256] = "";
	struct sdnotify *n;
	uint64_t watchdog_us = 0;
	int ret;

	*out = NULL;
	if (!path) {
		ret = path_from_env(from_env, sizeof(from_env));
		if (ret)
			return ret;
		watchdog_us = watchdog_from_env();
		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (!*from_env)
			return 0;
		path = from_env;
	}

	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->watchdog_us = watchdog_us;
	ret = address(n, path);
	if (ret)
		goto out_free;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd < 0) {
		ret = -errno;
		goto out_free;
	}
	*out = n;
	return 0;

out_free:
	free(n);
	return ret;
}

void sdnotify_close(struct sdnotify *n)
{
	if (!n)
		return;
	close(n->fd);
	free(n);
}

uint64_t sdnotify_watchdog_us(const struct sdnotify *n)
{
	return n ? n->watchdog_us : 0;
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/*
 * A full queue at the receiver says EAGAIN.  poll() on an unconnected
 * datagram socket can't see that queue, so wait in short steps.
 */
static int retry_later(uint64_t until_us)
{
	static const struct timespec step = { .tv_nsec = 1000000 };

	if (now_us() >= until_us)
		return -ETIMEDOUT;
	nanosleep(&step, NULL);
	return 0;
}

static int send_text(struct sdnotify *n, const char *text, int fd)
{
	uint64_t until_us = now_us() + SDNOTIFY_SEND_MS * 1000;
	struct iovec iov = { (char *)text, strlen(text) };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct msghdr msg = {
		.msg_name = &n->to, .msg_namelen = n->to_len,
		.msg_iov = &iov, .msg_iovlen = 1,
	};
	int ret;

	if (fd >= 0) {
		struct cmsghdr *c;

		memset(control, 0, sizeof(control));
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	while (sendmsg(n->fd, &msg, MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return -errno;
		ret = retry_later(until_us);
		if (ret)
			return ret;
	}
	return 0;
}

/* A line break in a value would start another assignment. */
static void one_line(char *text)
{
	for (; *text; text++)
		if (*text == '\n')
			*text = ' ';
}

static int send_with_status(struct sdnotify *n, const char *what,
			    const char *status)
{
	char text[TEXT_MAX], clean[TEXT_MAX - 32];

	if (!n)
		return 0;
	if (!status)
		return send_text(n, what, -1);
	snprintf(clean, sizeof(clean), "%s", status);
	one_line(clean);
	snprintf(text, sizeof(text), "%s\nSTATUS=%s", what, clean);
	return send_text(n, text, -1);
}

int sdnotify_ready(struct sdnotify *n, const char *status)
{
	return send_with_status(n, "READY=1", status);
}

int sdnotify_stopping(struct sdnotify *n, const char *status)
{
	return send_with_status(n, "STOPPING=1", status);
}

int sdnotify_status(struct sdnotify *n, const char *fmt, ...)
{
	static const char key[] = "STATUS=";
	char text[TEXT_MAX];
	va_list ap;

	if (!n)
		return 0;
	memcpy(text, key, sizeof(key));
	va_start(ap, fmt);
	vsnprintf(text + sizeof(key) - 1, sizeof(text) - sizeof(key) + 1,
		  fmt, ap);
	va_end(ap);
	one_line(text);
	return send_text(n, text, -1);
}

int sdnotify_reloading(struct sdnotify *n)
{
	char text[TEXT_MAX];

	if (!n)
		return 0;
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 now_us());
	return send_text(n, text, -1);
}

int sdnotify_watchdog(struct sdnotify *n)
{
	return n ? send_text(n, "WATCHDOG=1", -1) : 0;
}

int sdnotify_extend(struct sdnotify *n, uint64_t us)
{
	char text[TEXT_MAX];

	if (!n)
		return 0;
	snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%" PRIu64, us);
	return send_text(n, text, -1);
}

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len < 1 || len > SDNOTIFY_NAME_MAX)
		return false;
	for (; *name; name++)
		if (*name < ' ' || *name > '~' || *name == ':')
			return false;
	return true;
}

int sdnotify_store(struct sdnotify *n, const char *name, int fd, bool watch)
{
	char text[TEXT_MAX];

	if (!name_ok(name) || fd < 0)
		return -EINVAL;
	if (!n)
		return 0;
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s%s", name,
		 watch ? "" : "\nFDPOLL=0");
	return send_text(n, text, fd);
}

int sdnotify_remove(struct sdnotify *n, const char *name)
{
	char text[TEXT_MAX];

	if (!name_ok(name))
		return -EINVAL;
	if (!n)
		return 0;
	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	return send_text(n, text, -1);
}

int sdnotify_barrier_start(struct sdnotify *n, int *fd)
{
	int pipefd[2], ret;

	*fd = -1;
	if (!n)
		return 0;
	if (pipe2(pipefd, O_CLOEXEC))
		return -errno;
	ret = send_text(n, "BARRIER=1", pipefd[1]);
	/* Once the manager has closed its copy, no writer is left. */
	close(pipefd[1]);
	if (ret) {
		close(pipefd[0]);
		return ret;
	}
	*fd = pipefd[0];
	return 0;
}

int sdnotify_barrier(struct sdnotify *n, int timeout_ms)
{
	uint64_t until_us = now_us() + (uint64_t)(timeout_ms < 0 ? 0 :
						  timeout_ms) * 1000;
	struct pollfd p = { .events = 0 };	/* POLLHUP always counts */
	int ret = sdnotify_barrier_start(n, &p.fd);

	if (ret || p.fd < 0)
		return ret;
	do {
		uint64_t now = now_us();
		uint64_t left = until_us > now ? until_us - now : 0;

		ret = poll(&p, 1, timeout_ms < 0 ? -1 :
			   (int)((left + 999) / 1000));
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		ret = -errno;
	else
		ret = ret == 0 ? -ETIMEDOUT : 0;
	close(p.fd);
	return ret;
}
