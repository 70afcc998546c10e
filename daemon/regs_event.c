/* SPDX-License-Identifier: MIT */
/*
 * regs_event.c - the kernel says that a cpu came or went
 *
 * Writing into the mailboxes of a core that is being brought online breaks its
 * start (hal/mail.h), so it is not enough to look from time to time.  The
 * messages are the kernel's uevents: strings, each with its NUL, the first of
 * them ACTION@DEVPATH.  Anybody in our network namespace may send to this
 * socket, but only the kernel as port 0.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/regs_impl.h"

#define KERNEL_GROUP 1u /* 2: what udev says when it has seen it */
#define READS_A_TURN 64

struct regs_event {
	int fd;
	struct loop_watch *watch;
	void (*fn)(void *arg);
	void *arg;
};

bool regs_event_is_cpu(const char *msg, size_t bytes)
{
	static const char want[] = "SUBSYSTEM=cpu";

	for (size_t at = 0; at < bytes;) {
		size_t n = strnlen(msg + at, bytes - at);

		if (n == sizeof(want) - 1 && memcmp(msg + at, want, n) == 0)
			return true;
		at += n + 1;
	}
	return false;
}

static void on_message(void *arg, unsigned int events)
{
	struct regs_event *e = arg;
	char buf[4096];
	bool cpu = false;

	(void)events;
	for (int i = 0; i < READS_A_TURN; i++) {
		struct sockaddr_nl from = { .nl_family = AF_NETLINK };
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(e->fd, buf, sizeof(buf), MSG_DONTWAIT,
				     (struct sockaddr *)&from, &len);

		if (n > 0 && from.nl_pid == 0)
			cpu |= regs_event_is_cpu(buf, (size_t)n);
		else if (n < 0 && errno == ENOBUFS)
			/* Some were lost: one of a cpu may be among them. */
			cpu = true;
		else if (n < 0)
			break;
	}
	if (cpu)
		e->fn(e->arg);
}

int regs_event_open(struct regs_event **out, struct loop *l,
		    void (*fn)(void *arg), void *arg)
{
	struct sockaddr_nl us = { .nl_family = AF_NETLINK,
				  .nl_groups = KERNEL_GROUP };
	struct regs_event *e = calloc(1, sizeof(*e));
	int ret;

	*out = NULL;
	if (!e)
		return -ENOMEM;
	e->fn = fn;
	e->arg = arg;
	e->fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
		       NETLINK_KOBJECT_UEVENT);
	if (e->fd < 0) {
		ret = -errno;
		goto err_free;
	}
	if (bind(e->fd, (struct sockaddr *)&us, sizeof(us))) {
		ret = -errno;
		goto err_close;
	}
	ret = loop_watch(&e->watch, l, e->fd, LOOP_READ, on_message, e);
	if (ret)
		goto err_close;
	*out = e;
	return 0;

err_close:
	close(e->fd);
err_free:
	free(e);
	return ret;
}

void regs_event_close(struct regs_event *e)
{
	if (!e)
		return;
	loop_unwatch(e->watch);
	close(e->fd);
	free(e);
}
