/* SPDX-License-Identifier: MIT */
/*
 * qmp.c - commands of QEMU's machine protocol, over one connection
 *
 * usage: qmp SOCKET COMMAND ARGUMENTS [COMMAND ARGUMENTS ...]
 *
 * ARGUMENTS is a JSON object, {} if there are none.  Prints the answers; ends
 * with status 1 at the first that is an error.  device_del waits until the
 * device is gone.  No answer may take 60 s.  Two commands are ours: "hold" waits
 * until the file ARGUMENTS is gone; "fill" gives QEMU that many descriptors on
 * which nothing ever happens, so that they take the lowest free numbers.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/vm/prog/port.h"

#define LIMIT_S 60

static struct port port;
static bool device_deleted;

static bool is_event(const char *line)
{
	if (!strstr(line, "\"event\""))
		return false;
	device_deleted |= strstr(line, "DEVICE_DELETED") != NULL &&
			  strstr(line, "\"device\"") != NULL;
	return true;
}

/* The next line that has @key as a member and is no event. */
static char *await(const char *key)
{
	char *line;

	for (;;) {
		while ((line = port_line(&port)))
			if (!is_event(line) &&
			    (strstr(line, key) || strstr(line, "\"error\"")))
				return line;
		if (!port_fill(&port))
			port_die("QEMU has hung up");
	}
}

static void await_deletion(void)
{
	char *line;

	while (!device_deleted) {
		while ((line = port_line(&port)))
			is_event(line);
		if (!device_deleted && !port_fill(&port))
			port_die("QEMU has hung up");
	}
}

static void hold(const char *path)
{
	alarm(0);
	while (access(path, F_OK) == 0)
		poll(NULL, 0, 20);
}

static void fill(int n)
{
	static char line[] = "{\"execute\":\"add-fd\"}\n";
	int fd = eventfd(0, EFD_CLOEXEC);
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec io = { line, sizeof(line) - 1 };
	struct msghdr m = { .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	while (n-- > 0) {
		if (sendmsg(port.fd, &m, MSG_NOSIGNAL) < 0)
			port_die("add-fd: %s", strerror(errno));
		if (strstr(await("\"return\""), "\"error\""))
			port_die("QEMU takes no descriptor");
	}
	close(fd);
}

static void execute(const char *command, const char *arguments)
{
	const char *line;

	device_deleted = false;
	port_say(port.fd, "{\"execute\":\"%s\",\"arguments\":%s}", command,
		 arguments);
	line = await("\"return\"");
	puts(line);
	fflush(stdout);
	if (strstr(line, "\"error\""))
		exit(1);
	if (strcmp(command, "device_del") == 0)
		await_deletion();
}

int main(int argc, char **argv)
{
	if (argc < 4 || argc % 2)
		port_die("usage: qmp SOCKET COMMAND ARGUMENTS ...");
	alarm(LIMIT_S);
	port.fd = port_dial(argv[1]);
	if (port.fd < 0)
		port_die("%s: %s", argv[1], strerror(-port.fd));
	await("\"QMP\"");
	port_say(port.fd, "{\"execute\":\"qmp_capabilities\"}");
	await("\"return\"");
	for (int i = 2; i < argc; i += 2) {
		alarm(LIMIT_S);
		if (strcmp(argv[i], "hold") == 0)
			hold(argv[i + 1]);
		else if (strcmp(argv[i], "fill") == 0)
			fill(atoi(argv[i + 1]));
		else
			execute(argv[i], argv[i + 1]);
	}
	return 0;
}
