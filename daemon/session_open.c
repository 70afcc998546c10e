/* SPDX-License-Identifier: MIT */
/*
 * session_open.c - how a session begins: by a socket, in a VM, from the ledger
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/session.h"
#include "daemon/vm_state.h"

/* Without anything that carries its messages. */
static struct session *fresh(struct domain *d)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->dom = d;
	s->fd = -1;
	s->vcpu = PLACE_NO_CPU;
	s->who.pidfd = -1;
	s->serial = ++d->serial;
	s->work.fn = session_on_work;
	s->work.arg = s;
	s->next = d->sessions;
	if (s->next)
		s->next->prev = s;
	d->sessions = s;
	return s;
}

static struct session *fresh_socket(struct domain *d, int fd)
{
	struct session *s = fresh(d);

	if (!s)
		return NULL;
	if (loop_timer_open(&s->deadline, d->sh->loop, session_on_deadline, s))
		goto err_free;
	if (loop_watch(&s->watch, d->sh->loop, fd, LOOP_READ, session_on_ready,
		       s))
		goto err_timer;
	s->fd = fd;
	return s;

err_timer:
	loop_timer_close(s->deadline);
err_free:
	session_free(s);
	return NULL;
}

/* One uid can't keep more than so many silent sockets. */
static void make_room(struct domain *d, uid_t uid)
{
	uint32_t limit = d->nranks > SESSION_NEW_MAX ? d->nranks
						     : SESSION_NEW_MAX;
	struct session *oldest = NULL;
	uint32_t n = 0;

	for (struct session *s = d->sessions; s; s = s->next) {
		if (s->state != SESSION_NEW || s->vm || s->who.uid != uid)
			continue;
		n++;
		if (!oldest || s->serial < oldest->serial)
			oldest = s;
	}
	if (n > limit)
		session_fail(oldest, EAGAIN,
			     "%u connections of uid %u have said "
			     "nothing: the oldest makes room",
			     n, uid);
}

int session_open(struct domain *d, int fd)
{
	struct session *s;
	struct who who;
	int ret = peer_credentials(fd, &who);

	if (ret) {
		close(fd);
		return ret;
	}
	s = fresh_socket(d, fd);
	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	s->who = who;
	if (d->lost) {
		session_fail(s, ENODEV,
			     "domain \"%s\" is lost: %s; restart the "
			     "daemon",
			     d->name, d->lost);
		return 0;
	}
	loop_timer_start(s->deadline, d->sh->conf->limits.handshake_ms, 0);
	make_room(d, who.uid);
	return 0;
}

int session_adopt(struct rank *r, int fd)
{
	struct session *s = fresh_socket(r->dom, fd);

	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	s->who.pid = r->led.pid;
	s->who.uid = r->led.uid;
	s->who.gid = r->led.gid;
	s->who.start_time = r->led.start_time;
	s->rank = r;
	r->session = s;
	/* No deadline: it may be computing, long since. */
	s->state = SESSION_ATTACHED;
	return 0;
}

static struct session *fresh_vm(struct vm *vm, uint32_t sid)
{
	struct session *s = fresh(vm->dom);

	if (!s)
		return NULL;
	s->vm = vm;
	s->vm_slot = vm->slot;
	s->sid = sid;
	return s;
}

int session_open_vm(struct vm *vm, const struct snoo_ctl_join *join,
		    const union session_message *hello, size_t bytes)
{
	struct domain *d = vm->dom;
	struct session *s = fresh_vm(vm, join->frame.sid);

	if (!s)
		return -ENOMEM;
	s->who.pid = (pid_t)join->pid;
	s->who.uid = join->uid;
	s->who.gid = join->gid;
	s->vcpu = join->vcpu;
	if (d->lost)
		session_fail(s, ENODEV,
			     "domain \"%s\" is lost: %s; restart the "
			     "host's daemon",
			     d->name, d->lost);
	else
		session_message(s, hello, bytes);
	return 0;
}

int session_adopt_vm(struct rank *r, struct vm *vm)
{
	struct session *s = fresh_vm(vm, r->led.sid);

	if (!s)
		return -ENOMEM;
	s->who.pid = r->led.pid;
	s->who.uid = r->led.uid;
	s->who.gid = r->led.gid;
	s->vcpu = r->led.vcpu;
	s->known = r->led.flags & STATE_RANK_KNOWN;
	s->rank = r;
	r->session = s;
	s->state = SESSION_ATTACHED;
	return 0;
}
