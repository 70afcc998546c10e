/* SPDX-License-Identifier: MIT */
/*
 * qmp.c - one command of QEMU's machine protocol
 *
 * usage: qmp [-e EVENT] SOCKET COMMAND [ARGUMENTS]
 *
 * ARGUMENTS is a JSON object.  Prints the answer; status 1 if it is an error.
 * -e waits for that event after the answer; 30 s are the limit of all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/vm/prog/port.h"

static struct port port;
static char event_key[128]; /* "": none is waited for */
static bool event_seen;

static bool is_event(const char *line)
{
	if (!strstr(line, "\"event\""))
		return false;
	event_seen |= *event_key && strstr(line, event_key);
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

static void await_event(void)
{
	char *line;

	while (!event_seen) {
		while ((line = port_line(&port)))
			is_event(line);
		if (!event_seen && !port_fill(&port))
			port_die("QEMU has hung up");
	}
}

int main(int argc, char **argv)
{
	const char *line;
	int c;

	while ((c = getopt(argc, argv, "e:")) != -1) {
		if (c != 'e')
			return 125;
		snprintf(event_key, sizeof(event_key), "\"event\": \"%s\"",
			 optarg);
	}
	if (argc - optind < 2)
		port_die("usage: qmp [-e EVENT] SOCKET COMMAND [ARGUMENTS]");
	alarm(30);
	port.fd = port_dial(argv[optind]);
	if (port.fd < 0)
		port_die("%s: %s", argv[optind], strerror(-port.fd));
	await("\"QMP\"");
	port_say(port.fd, "{\"execute\":\"qmp_capabilities\"}");
	await("\"return\"");
	port_say(port.fd, "{\"execute\":\"%s\"%s%s}", argv[optind + 1],
		 argc - optind > 2 ? ",\"arguments\":" : "",
		 argc - optind > 2 ? argv[optind + 2] : "");
	line = await("\"return\"");
	puts(line);
	if (strstr(line, "\"error\""))
		return 1;
	if (*event_key)
		await_event();
	return 0;
}
