/* SPDX-License-Identifier: MIT */
/*
 * cmd.c - run one command in a guest, as if it ran here
 *
 * usage: cmd [-i] COMMANDS UID PROGRAM [ARGUMENT...]
 *	  cmd COMMANDS boots
 *
 * Output and exit status are the command's; TERM, INT, HUP, USR1 and USR2 are
 * passed on, and when this process is killed, so is the command.  -i passes
 * standard input on.  Status 254: the guest booted meanwhile, 253: QEMU ended,
 * 125: no guest.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/vm/prog/port.h"

static struct port port;
static int signal_pipe[2];

static void on_signal(int sig)
{
	unsigned char byte = (unsigned char)sig;
	int error = errno;

	(void)!write(signal_pipe[1], &byte, 1);
	errno = error;
}

static void ask(char **argv)
{
	size_t room = 16;
	char *line, *end;

	for (char **a = argv; *a; a++)
		room += 3 * strlen(*a) + 2;
	line = malloc(room);
	if (!line)
		port_die("no memory");
	end = line + sprintf(line, "run");
	for (char **a = argv; *a; a++) {
		*end++ = ' ';
		end = port_word(end, *a, strlen(*a));
	}
	if (!port_say(port.fd, "%s", line))
		port_die("no guest");
	free(line);
}

static void hear(char *line)
{
	char *word = strchr(line, ' ');

	if (!word)
		return;
	*word++ = '\0';
	if (strcmp(line, "out") == 0)
		port_put(STDOUT_FILENO, word, port_plain(word));
	else if (strcmp(line, "err") == 0)
		port_put(STDERR_FILENO, word, port_plain(word));
	else if (strcmp(line, "end") == 0)
		exit(atoi(word));
}

/* false: its end */
static bool pass_input(void)
{
	char bytes[PORT_CHUNK], word[3 * PORT_CHUNK + 1];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (n <= 0) {
		port_say(port.fd, "eof");
		return false;
	}
	port_word(word, bytes, (size_t)n);
	port_say(port.fd, "in %s", word);
	return true;
}

static void serve(bool input)
{
	for (;;) {
		struct pollfd p[3] = {
			{ .fd = port.fd, .events = POLLIN },
			{ .fd = signal_pipe[0], .events = POLLIN },
			{ .fd = input ? STDIN_FILENO : -1, .events = POLLIN },
		};
		unsigned char sig;
		char *line;

		if (poll(p, 3, -1) < 0)
			continue;
		if (p[1].revents && read(signal_pipe[0], &sig, 1) == 1)
			port_say(port.fd, "kill %d", sig);
		if (p[2].revents)
			input = pass_input();
		if (p[0].revents && !port_fill(&port))
			port_die("no guest");
		while ((line = port_line(&port)))
			hear(line);
	}
}

static int boots(void)
{
	char *line;

	port_say(port.fd, "boots");
	while (port_fill(&port))
		if ((line = port_line(&port)))
			return puts(line + strlen("boots ")) == EOF;
	return 125;
}

int main(int argc, char **argv)
{
	static const int passed[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1,
				      SIGUSR2 };
	struct sigaction sa = { .sa_handler = on_signal };
	bool input = argc > 1 && strcmp(argv[1], "-i") == 0;
	char **a = argv + 1 + input;

	if (argc < 3 + input)
		port_die("usage: cmd [-i] COMMANDS UID PROGRAM ...");
	port.fd = port_dial(a[0]);
	if (port.fd < 0)
		port_die("%s: %s", a[0], strerror(-port.fd));
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(a[1], "boots") == 0)
		return boots();
	if (pipe(signal_pipe))
		port_die("pipe: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(passed) / sizeof(*passed); i++)
		sigaction(passed[i], &sa, NULL);
	ask(a + 1);
	if (!input)
		port_say(port.fd, "eof");
	serve(input);
}
