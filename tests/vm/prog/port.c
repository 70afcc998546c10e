/* SPDX-License-Identifier: MIT */
/* port.c - lines and words between a guest's agent and the host */
#include "tests/vm/prog/port.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void port_die(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(125);
}

bool port_fill(struct port *p)
{
	ssize_t n;

	memmove(p->bytes, p->bytes + p->taken, p->used - p->taken);
	p->used -= p->taken;
	p->taken = 0;
	/* A line without an end is no line. */
	if (p->used == sizeof(p->bytes))
		p->used = 0;
	n = read(p->fd, p->bytes + p->used, sizeof(p->bytes) - p->used);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	p->used += (size_t)n;
	return true;
}

char *port_line(struct port *p)
{
	char *line = p->bytes + p->taken;
	char *end = memchr(line, '\n', p->used - p->taken);

	if (!end)
		return NULL;
	*end = '\0';
	p->taken = (size_t)(end + 1 - p->bytes);
	return line;
}

int port_split(char *line, char *words[PORT_WORDS])
{
	int n = 0;

	for (;;) {
		char *space = strchr(line, ' ');

		words[n++] = line;
		if (!space || n == PORT_WORDS)
			return n;
		*space = '\0';
		line = space + 1;
	}
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t port_plain(char *word)
{
	char *from = word, *to = word;

	while (*from) {
		int high, low;

		if (*from != '\\') {
			*to++ = *from++;
			continue;
		}
		high = digit(from[1]);
		low = high < 0 ? -1 : digit(from[2]);
		if (low < 0)
			break;
		*to++ = (char)(high * 16 + low);
		from += 3;
	}
	*to = '\0';
	return (size_t)(to - word);
}

bool port_put(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t done = write(fd, p, n);
		struct pollfd wait = { .fd = fd, .events = POLLOUT };

		if (done < 0 && errno == EAGAIN) {
			(void)poll(&wait, 1, -1);
			continue;
		}
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

bool port_say(int fd, const char *format, ...)
{
	va_list args;
	char *line = NULL;
	bool said;
	int n;

	va_start(args, format);
	n = vasprintf(&line, format, args);
	va_end(args);
	if (n < 0)
		port_die("no memory");
	line[n] = '\n';
	said = port_put(fd, line, (size_t)n + 1);
	free(line);
	return said;
}

char *port_word(char *out, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++) {
		if (p[i] > ' ' && p[i] < 0x7f && p[i] != '\\')
			*out++ = (char)p[i];
		else
			out += sprintf(out, "\\%02x", p[i]);
	}
	*out = '\0';
	return out;
}

static int unix_socket(struct sockaddr_un *at, const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		port_die("socket: %s", strerror(errno));
	if (strlen(path) >= sizeof(at->sun_path))
		port_die("%s: too long for a socket", path);
	memset(at, 0, sizeof(*at));
	at->sun_family = AF_UNIX;
	strcpy(at->sun_path, path);
	return fd;
}

int port_listen(const char *path)
{
	struct sockaddr_un at;
	int fd = unix_socket(&at, path);

	unlink(path);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 64))
		port_die("%s: %s", path, strerror(errno));
	return fd;
}

int port_dial(const char *path)
{
	struct sockaddr_un at;
	int fd = unix_socket(&at, path);

	if (connect(fd, (struct sockaddr *)&at, sizeof(at))) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}
