/* SPDX-License-Identifier: MIT */
/* keeper_shelf.c - FDSTORE, FDSTOREREMOVE, BARRIER, and handing fds on */

#include "daemon/keeper_shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "daemon/log.h"

#define MESSAGE_FDS	253u		/* of one message: the kernel's limit */

void keeper_shelf_init(struct keeper_shelf *s, int epoll)
{
	memset(s, 0, sizeof(*s));
	s->epoll = epoll;
}

static void drop(struct keeper_shelf *s, size_t i)
{
	struct keeper_kept *k = &s->kept[i];

	/*
	 * By hand: the daemon has the same open file, so that closing ours
	 * would leave it in the set.
	 */
	if (k->watched)
		epoll_ctl(s->epoll, EPOLL_CTL_DEL, k->fd, NULL);
	close(k->fd);
	s->name_bytes -= strlen(k->name) + 1;
	free(k->name);
	s->n--;
	memmove(k, k + 1, (s->n - i) * sizeof(*k));
}

void keeper_shelf_fini(struct keeper_shelf *s)
{
	while (s->n > 0)
		drop(s, s->n - 1);
	free(s->kept);
	s->kept = NULL;
}

static void drop_if_ended(struct keeper_shelf *s, size_t i)
{
	struct pollfd p = { .fd = s->kept[i].fd };

	if (poll(&p, 1, 0) <= 0)
		return;
	log_debug("keeper: %s has ended", s->kept[i].name);
	drop(s, i);
}

void keeper_shelf_hangup(struct keeper_shelf *s, int fd)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->kept[i].fd != fd)
			continue;
		/* The event may be older than what has this number now. */
		drop_if_ended(s, i);
		return;
	}
}

void keeper_shelf_ended(struct keeper_shelf *s)
{
	for (size_t i = s->n; i-- > 0;)
		if (s->kept[i].watched)
			drop_if_ended(s, i);
}

static void forget(struct keeper_shelf *s, const char *name)
{
	for (size_t i = s->n; i-- > 0;)
		if (strcmp(s->kept[i].name, name) == 0)
			drop(s, i);
}

static bool same_file(int a, int b)
{
	/* Where the kernel cannot tell, they count as two. */
	return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE,
		       (unsigned long)a, (unsigned long)b) == 0;
}

static bool kept_already(const struct keeper_shelf *s, const char *name,
			 int fd)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->kept[i].name, name) == 0 &&
		    same_file(s->kept[i].fd, fd))
			return true;
	return false;
}

/* Takes @fd over: kept, or closed and a negative error code. */
static int keep(struct keeper_shelf *s, const char *name, int fd, bool watch)
{
	struct epoll_event ev = { .events = 0, .data.fd = fd };
	struct keeper_kept *more;
	char *copy;

	if (kept_already(s, name, fd)) {
		close(fd);
		return 0;
	}
	if (s->n >= KEEPER_FDS_MAX ||
	    s->name_bytes + strlen(name) + 1 > KEEPER_SHELF_NAMES) {
		close(fd);
		return -ENOSPC;
	}
	more = realloc(s->kept, (s->n + 1) * sizeof(*more));
	if (more)
		s->kept = more;
	copy = strdup(name);
	if (!more || !copy) {
		free(copy);
		close(fd);
		return -ENOMEM;
	}
	s->kept[s->n].fd = fd;
	s->kept[s->n].name = copy;
	/* Files without an end (memfds) cannot be watched: as with systemd. */
	s->kept[s->n].watched = watch && epoll_ctl(s->epoll, EPOLL_CTL_ADD,
						   fd, &ev) == 0;
	s->name_bytes += strlen(copy) + 1;
	s->n++;
	return 0;
}

/* ---- messages ---- */

struct message {
	char text[4096];
	size_t bytes;
	int fd[MESSAGE_FDS];
	size_t nfds;
	pid_t pid;
};

static void close_fds(struct message *m)
{
	while (m->nfds > 0)
		close(m->fd[--m->nfds]);
}

static void read_control(struct msghdr *hdr, struct message *m)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS) {
			size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

			if (n > MESSAGE_FDS - m->nfds)
				n = MESSAGE_FDS - m->nfds;
			memcpy(m->fd + m->nfds, CMSG_DATA(c),
			       n * sizeof(int));
			m->nfds += n;
		} else if (c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred cred;

			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			m->pid = cred.pid;
		}
	}
}

/* 1: whole, 0: nothing there, -errno; a cut message is read and -EMSGSIZE. */
static int receive(int socket, struct message *m)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(MESSAGE_FDS * sizeof(int)) +
			 CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { m->text, sizeof(m->text) - 1 };
	struct msghdr hdr = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t n = recvmsg(socket, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	m->nfds = 0;
	m->pid = 0;
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	read_control(&hdr, m);
	m->bytes = (size_t)n;
	m->text[n] = '\0';
	if ((hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    memchr(m->text, '\0', m->bytes)) {
		close_fds(m);
		return -EMSGSIZE;
	}
	return 1;
}

/* What a message asks for; name points into its text, cut into lines. */
struct wish {
	const char *name;
	bool store;
	bool remove;
	bool barrier;
	bool poll;
	bool ready;
	bool stopping;
};

static void read_wish(char *text, struct wish *w)
{
	char *rest = text;
	char *line;

	memset(w, 0, sizeof(*w));
	w->poll = true;
	while ((line = strsep(&rest, "\n"))) {
		if (strcmp(line, "FDSTORE=1") == 0)
			w->store = true;
		else if (strcmp(line, "FDSTOREREMOVE=1") == 0)
			w->remove = true;
		else if (strcmp(line, "BARRIER=1") == 0)
			w->barrier = true;
		else if (strcmp(line, "FDPOLL=0") == 0)
			w->poll = false;
		else if (strcmp(line, "READY=1") == 0)
			w->ready = true;
		else if (strcmp(line, "STOPPING=1") == 0)
			w->stopping = true;
		else if (strncmp(line, "FDNAME=", 7) == 0)
			w->name = line + 7;
	}
}

static bool name_ok(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (name[i] < ' ' || name[i] > '~' || name[i] == ':')
			return false;
	return n > 0 && n <= SDNOTIFY_NAME_MAX;
}

static void store(struct keeper_shelf *s, struct message *m, bool watch,
		  const char *name)
{
	for (size_t i = 0; i < m->nfds; i++) {
		int ret = keep(s, name, m->fd[i], watch);

		if (ret)
			log_err("keeper: cannot keep %s: %s; after a crash it "
				"will be missing", name, ret == -ENOSPC ?
				"the store is full" : strerror(-ret));
	}
	m->nfds = 0;
}

int keeper_shelf_receive(struct keeper_shelf *s, int socket, pid_t from,
			 struct keeper_note *note)
{
	struct message m;
	struct wish w;
	int ret;

	memset(note, 0, offsetof(struct keeper_note, text));
	ret = receive(socket, &m);
	if (ret == -EMSGSIZE) {
		log_warn("keeper: a message was too long and is left out");
		return 1;
	}
	if (ret <= 0)
		return ret;
	if (from <= 0 || m.pid != from) {
		log_warn("keeper: pid %d is not the daemon and is ignored",
			 (int)m.pid);
		goto out;
	}
	memcpy(note->text, m.text, m.bytes + 1);
	read_wish(m.text, &w);
	if ((w.store || w.remove) && !name_ok(w.name ? w.name : "stored")) {
		log_warn("keeper: an impossible FDNAME is left out");
		goto out;
	}
	if (w.store)
		store(s, &m, w.poll, w.name ? w.name : "stored");
	else if (w.remove && w.name)
		forget(s, w.name);
	note->ready = w.ready;
	note->stopping = w.stopping;
	if (!w.store && !w.remove && !w.barrier)
		note->text_bytes = m.bytes;
out:
	/* A barrier's fd too: that is its answer. */
	close_fds(&m);
	return 1;
}

/* ---- handing on ---- */

static int set_listen(const struct keeper_shelf *s)
{
	char *names = malloc(s->name_bytes + 1);
	char number[24];
	size_t at = 0;
	int ret = 0;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		size_t n = strlen(s->kept[i].name);

		if (i > 0)
			names[at++] = ':';
		memcpy(names + at, s->kept[i].name, n);
		at += n;
	}
	names[at] = '\0';
	snprintf(number, sizeof(number), "%d", (int)getpid());
	if (setenv("LISTEN_PID", number, 1))
		ret = -ENOMEM;
	snprintf(number, sizeof(number), "%zu", s->n);
	if (setenv("LISTEN_FDS", number, 1) ||
	    setenv("LISTEN_FDNAMES", names, 1))
		ret = -ENOMEM;
	free(names);
	return ret;
}

int keeper_shelf_pass(struct keeper_shelf *s, int *spare)
{
	int base = SDNOTIFY_LISTEN_START;
	int end = base + (int)s->n;
	int fd;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (s->n == 0)
		return 0;

	fd = fcntl(*spare, F_DUPFD_CLOEXEC, end);
	if (fd < 0)
		return -errno;
	*spare = fd;
	for (int i = 0; i < (int)s->n; i++) {
		int to = base + i;

		if (s->kept[i].fd == to) {
			if (fcntl(to, F_SETFD, 0))
				return -errno;
			continue;
		}
		/* Is one that comes later in that place?  Then it moves. */
		for (size_t j = (size_t)i + 1; j < s->n; j++) {
			if (s->kept[j].fd != to)
				continue;
			fd = fcntl(to, F_DUPFD_CLOEXEC, end);
			if (fd < 0)
				return -errno;
			s->kept[j].fd = fd;
			break;
		}
		/* Without CLOEXEC, and it closes what else was there. */
		if (dup2(s->kept[i].fd, to) < 0)
			return -errno;
		s->kept[i].fd = to;
	}
	return set_listen(s);
}
