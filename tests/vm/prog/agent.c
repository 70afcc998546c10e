/* SPDX-License-Identifier: MIT */
/*
 * agent.c - the first process of a guest: runs what the host says on a port
 *
 * usage: agent PORT
 *
 * PORT is a device, or - for standard input, a socket.  Speaks port.h.  A
 * command runs as the user it was asked for, in a session of its own; "drop"
 * kills that session, "end" leaves what it put in the background alone.  As
 * process 1 it reaps whatever is orphaned.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/vm/prog/port.h"

#define SESSIONS     64
#define SNOO_GROUP   100 /* of everybody who may open the daemon's socket */
#define FIRST_USER   1000
#define NO_SNOO_USER 2000 /* from here on: not in that group */

struct session {
	unsigned long id; /* 0: free */
	pid_t pid;
	int in, out, err; /* -1: closed */
};

static struct port port;
static struct session sessions[SESSIONS];
static int child_pipe[2];

static void on_child(int sig)
{
	int error = errno;

	(void)sig;
	(void)!write(child_pipe[1], "", 1);
	errno = error;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Pass on what there is; false: its end. */
static bool pass_on(const struct session *s, int fd, const char *what)
{
	char bytes[PORT_CHUNK], word[3 * PORT_CHUNK + 1];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	port_word(word, bytes, (size_t)n);
	port_say(port.fd, "%lu %s %s", s->id, what, word);
	return true;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd >= 0 && poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

static void end(struct session *s, int status)
{
	while (readable(s->out) && pass_on(s, s->out, "out"))
		;
	while (readable(s->err) && pass_on(s, s->err, "err"))
		;
	port_say(port.fd, "%lu end %d", s->id, status);
	shut(&s->in);
	shut(&s->out);
	shut(&s->err);
	s->id = 0;
}

static void reap(void)
{
	char bytes[64];
	int status;
	pid_t pid;

	while (read(child_pipe[0], bytes, sizeof(bytes)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
					       : WEXITSTATUS(status);

		for (int i = 0; i < SESSIONS; i++)
			if (sessions[i].id && sessions[i].pid == pid)
				end(&sessions[i], code);
	}
}

_Noreturn static void become(uid_t uid, const int ends[3], char **argv)
{
	gid_t group = SNOO_GROUP;
	size_t groups = uid >= FIRST_USER && uid < NO_SNOO_USER;

	setsid();
	for (int i = 0; i < 3; i++)
		dup2(ends[i], i);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	if (setgroups(groups, &group) || setgid(uid) || setuid(uid))
		port_die("user %u: %s", uid, strerror(errno));
	execvp(argv[0], argv);
	port_die("%s: %s", argv[0], strerror(errno));
}

static struct session *find(unsigned long id)
{
	for (int i = 0; i < SESSIONS; i++)
		if (sessions[i].id == id)
			return &sessions[i];
	return NULL;
}

static void run(unsigned long id, char **words, int n)
{
	int in[2], out[2], err[2];
	struct session *s = find(0);

	if (!s || n < 2 || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) ||
	    pipe2(err, O_CLOEXEC)) {
		port_say(port.fd, "%lu end 125", id);
		return;
	}
	for (int i = 1; i < n; i++)
		port_plain(words[i]);
	words[n] = NULL;
	s->pid = fork();
	if (s->pid == 0) {
		const int ends[3] = { in[0], out[1], err[1] };

		become((uid_t)strtoul(words[0], NULL, 10), ends, words + 1);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	s->id = id;
	s->in = in[1];
	s->out = out[0];
	s->err = err[0];
	fcntl(s->out, F_SETFL, O_NONBLOCK);
	fcntl(s->err, F_SETFL, O_NONBLOCK);
	port_say(port.fd, "%lu pid %d", id, (int)s->pid);
	if (s->pid < 0)
		end(s, 125);
}

static void obey(char *line)
{
	char *words[PORT_WORDS + 1];
	int n = port_split(line, words);
	unsigned long id = strtoul(words[0], NULL, 10);
	struct session *s;

	if (n < 2 || id == 0)
		return;
	if (strcmp(words[1], "run") == 0) {
		run(id, words + 2, n - 2);
		return;
	}
	s = find(id);
	if (!s)
		return;
	if (strcmp(words[1], "in") == 0 && n > 2 && s->in >= 0) {
		if (!port_put(s->in, words[2], port_plain(words[2])))
			shut(&s->in);
	} else if (strcmp(words[1], "eof") == 0) {
		shut(&s->in);
	} else if (strcmp(words[1], "kill") == 0 && n > 2) {
		kill(s->pid, atoi(words[2]));
	} else if (strcmp(words[1], "drop") == 0) {
		kill(-s->pid, SIGKILL);
	}
}

/* What comes before our WELCOME was meant for the boot before us. */
static void greet(void)
{
	unsigned long long nonce;
	char want[64], *line;

	if (getrandom(&nonce, sizeof(nonce), GRND_INSECURE) != sizeof(nonce))
		port_die("getrandom: %s", strerror(errno));
	snprintf(want, sizeof(want), "WELCOME %llx", nonce);
	port_say(port.fd, "\nHELLO %llx", nonce);
	for (;;) {
		while ((line = port_line(&port)))
			if (strcmp(line, want) == 0)
				return;
		/* Nobody is at the other end yet. */
		if (!port_fill(&port))
			poll(NULL, 0, 10);
	}
}

static void serve(void)
{
	struct pollfd p[2 + 2 * SESSIONS];
	char *line;
	nfds_t n = 2;

	/* First: some may have come together with the WELCOME. */
	while ((line = port_line(&port)))
		obey(line);
	p[0] = (struct pollfd){ .fd = port.fd, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = child_pipe[0], .events = POLLIN };
	for (int i = 0; i < SESSIONS; i++) {
		struct session *s = &sessions[i];

		p[n++] = (struct pollfd){ .fd = s->id ? s->out : -1,
					  .events = POLLIN };
		p[n++] = (struct pollfd){ .fd = s->id ? s->err : -1,
					  .events = POLLIN };
	}
	if (poll(p, n, -1) < 0)
		return;
	for (int i = 0; i < SESSIONS; i++) {
		struct session *s = &sessions[i];

		if (p[2 + 2 * i].revents && !pass_on(s, s->out, "out"))
			shut(&s->out);
		if (p[3 + 2 * i].revents && !pass_on(s, s->err, "err"))
			shut(&s->err);
	}
	if (p[1].revents)
		reap();
	if (p[0].revents && !port_fill(&port))
		port_die("the host is gone");
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_child,
				.sa_flags = SA_NOCLDSTOP | SA_RESTART };

	if (argc != 2)
		port_die("usage: agent PORT");
	if (strcmp(argv[1], "-") == 0)
		port.fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		port.fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (port.fd < 0)
		port_die("%s: %s", argv[1], strerror(errno));
	if (pipe2(child_pipe, O_CLOEXEC | O_NONBLOCK))
		port_die("pipe2: %s", strerror(errno));
	sigaction(SIGCHLD, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	greet();
	for (;;)
		serve();
}
