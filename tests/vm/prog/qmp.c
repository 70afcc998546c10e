/* SPDX-License-Identifier: MIT */
/*
 * qmp.c - commands of QEMU's machine protocol, over one connection
 *
 * usage: qmp SOCKET COMMAND ARGUMENTS [COMMAND ARGUMENTS ...]
 *
 * ARGUMENTS is a JSON object, {} if there are none.  Prints the answers; ends
 * with status 1 at the first that is an error.  device_del waits until the
 * device is gone; the command "hold", which is ours, until the file ARGUMENTS
 * is.  No answer may take 60 s.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
		else
			execute(argv[i], argv[i + 1]);
	}
	return 0;
}
