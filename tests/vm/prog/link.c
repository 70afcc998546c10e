/* SPDX-License-Identifier: MIT */
/*
 * link.c - the host's end of a guest's port: many commands over one line
 *
 * usage: link PORT COMMANDS
 *
 * PORT is the socket of QEMU's chardev, COMMANDS the socket where vmcmd comes.
 * A client's lines get a number in front on their way to the agent, and lose
 * it on the way back.  At a HELLO, which is a boot, all sessions before it end
 * with the status 254; with QEMU's end, with 253.
 *
 * A client that asks before the guest is up waits.  "boots" is answered with
 * the number of HELLOs so far.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/vm/prog/port.h"

#define CLIENTS	  256
#define REBOOTED  254
#define QEMU_GONE 253

struct client {
	struct port *port; /* NULL: free */
	unsigned long id;  /* 0: it has not asked yet */
	char *held;	   /* what it asks, until the guest is up */
};

static struct port guest;
static struct client clients[CLIENTS];
static unsigned long ids, boots;
static int listener;

static void close_client(struct client *c, bool drop)
{
	if (drop && c->id && boots)
		port_say(guest.fd, "%lu drop", c->id);
	close(c->port->fd);
	free(c->port);
	free(c->held);
	memset(c, 0, sizeof(*c));
}

/* Its session has ended, if it had one that began. */
static void end_client(struct client *c, int status)
{
	port_say(c->port->fd, "end %d", status);
	close_client(c, false);
}

static void forward(struct client *c, const char *line)
{
	if (!c->id)
		c->id = ++ids;
	if (!port_say(guest.fd, "%lu %s", c->id, line))
		port_die("QEMU is gone");
}

static void on_hello(const char *nonce)
{
	boots++;
	for (int i = 0; i < CLIENTS; i++)
		if (clients[i].port && clients[i].id)
			end_client(&clients[i], REBOOTED);
	port_say(guest.fd, "WELCOME %s", nonce);
	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = &clients[i];

		if (c->port && c->held) {
			forward(c, c->held);
			free(c->held);
			c->held = NULL;
		}
	}
}

static void from_guest(char *line)
{
	unsigned long id;
	char *rest;

	if (strncmp(line, "HELLO ", 6) == 0) {
		on_hello(line + 6);
		return;
	}
	id = strtoul(line, &rest, 10);
	if (id == 0 || *rest != ' ')
		return;
	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = &clients[i];

		if (!c->port || c->id != id)
			continue;
		/* A client that has gone is noticed when it is read. */
		port_say(c->port->fd, "%s", rest + 1);
		if (strncmp(rest + 1, "end ", 4) == 0)
			close_client(c, false);
		return;
	}
}

static void from_client(struct client *c, const char *line)
{
	if (strcmp(line, "boots") == 0)
		port_say(c->port->fd, "boots %lu", boots);
	else if (boots)
		forward(c, line);
	else if (!c->held)
		c->held = strdup(line);
}

static void on_listener(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	for (int i = 0; fd >= 0 && i < CLIENTS; i++) {
		if (clients[i].port)
			continue;
		clients[i].port = calloc(1, sizeof(*clients[i].port));
		if (!clients[i].port)
			port_die("no memory");
		clients[i].port->fd = fd;
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void on_client(struct client *c)
{
	char *line;

	if (!port_fill(c->port)) {
		close_client(c, true);
		return;
	}
	while (c->port && (line = port_line(c->port)))
		from_client(c, line);
}

static void serve(void)
{
	struct pollfd p[2 + CLIENTS];
	char *line;

	p[0] = (struct pollfd){ .fd = guest.fd, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = listener, .events = POLLIN };
	for (int i = 0; i < CLIENTS; i++)
		p[2 + i] = (struct pollfd){
			.fd = clients[i].port ? clients[i].port->fd : -1,
			.events = POLLIN,
		};
	if (poll(p, 2 + CLIENTS, -1) < 0)
		return;
	for (int i = 0; i < CLIENTS; i++)
		if (p[2 + i].revents)
			on_client(&clients[i]);
	if (p[1].revents)
		on_listener();
	if (!p[0].revents)
		return;
	if (!port_fill(&guest)) {
		for (int i = 0; i < CLIENTS; i++)
			if (clients[i].port)
				end_client(&clients[i], QEMU_GONE);
		exit(0);
	}
	while ((line = port_line(&guest)))
		from_guest(line);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		port_die("usage: link PORT COMMANDS");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	listener = port_listen(argv[2]);
	/* QEMU makes its socket when it starts. */
	for (int i = 0; (guest.fd = port_dial(argv[1])) < 0; i++) {
		if (i == 1000)
			port_die("%s: %s", argv[1], strerror(-guest.fd));
		poll(NULL, 0, 10);
	}
	for (;;)
		serve();
}
