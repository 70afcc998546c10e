/* SPDX-License-Identifier: MIT */
/*
 * guest_program.c - one program that the host has started, and its streams
 */
#include "daemon/guest_program.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/loop.h"

/* As much as a pipe can hold: who took the stream with it when the program
 * ended may write for ever. */
#define AFTER_MAX	(1u << 20)

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int guest_program_start(struct program **out, uint32_t sid, uint32_t uid,
			const struct guest_rules *r, const struct run_words *w,
			char why[GUEST_EXEC_TEXT])
{
	struct program *p = calloc(1, sizeof(*p));
	struct guest_child c;
	int ret;

	*out = NULL;
	if (!p) {
		snprintf(why, GUEST_EXEC_TEXT, "this VM is out of memory");
		return -ENOMEM;
	}
	ret = guest_exec_start(&c, r, w, why);
	if (ret) {
		free(p);
		return ret;
	}
	p->sid = sid;
	p->uid = uid;
	p->as = r->uid;
	p->pid = p->told_pid = c.pid;
	p->in = c.in;
	p->out[0].fd = c.out;
	p->out[1].fd = c.err;
	p->started_due = true;
	*out = p;
	return 0;
}

void guest_program_free(struct program *p)
{
	close_fd(&p->in);
	close_fd(&p->out[0].fd);
	close_fd(&p->out[1].fd);
	free(p->input);
	free(p);
}

void guest_program_signal(const struct program *p, int sig)
{
	if (p->pid > 0)
		kill(-p->pid, sig);
}

void guest_program_orphan(struct program *p)
{
	if (p->orphan)
		return;
	p->orphan = true;
	if (p->pid == 0)
		return;
	guest_program_signal(p, SIGTERM);
	guest_program_signal(p, SIGCONT);	/* a stopped one can't end */
	p->kill_ns = loop_now_ns() +
		     GUEST_PROGRAM_GRACE_MS * UINT64_C(1000000);
}

void guest_program_ended(struct program *p, int status)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	log_always(LOG_LEVEL_INFO, "program ended run=%u uid=%u pid=%d %s=%d%s",
		   p->sid, p->uid, (int)p->pid, sig ? "signal" : "code",
		   sig ? sig : WEXITSTATUS(status), p->orphan ?
		   " reason=\"the host no longer waits for it\"" : "");
	p->pid = 0;
	p->status = status;
	p->kill_ns = 0;
	close_fd(&p->in);
}

/* ---- what the host says ---- */

static void on_input(struct program *p, const struct snoo_ctl_data *m,
		     const char *bytes)
{
	if (m->offset != p->in_got || p->in_eof)
		return;			/* known, or it will be said again */
	if (m->bytes == 0) {
		p->in_eof = true;
		return;
	}
	/* More than the credit: somebody has lost count, and so it stays. */
	if (m->bytes > SNOO_CTL_CREDIT_MAX - (p->in_got - p->in_done))
		return;
	if (p->in < 0) {		/* nobody reads it */
		p->in_got += m->bytes;
		return;
	}
	if (!p->input)
		p->input = malloc(SNOO_CTL_CREDIT_MAX);
	if (!p->input)
		return;
	for (uint32_t i = 0; i < m->bytes; i++, p->in_got++)
		p->input[p->in_got % SNOO_CTL_CREDIT_MAX] = bytes[i];
}

void guest_program_on_data(struct program *p, const struct snoo_ctl_data *m,
			   const void *bytes)
{
	if (m->stream == SNOO_CTL_IN)
		on_input(p, m, bytes);
	else if (m->bytes == 0)
		close_fd(&p->out[m->stream - SNOO_CTL_OUT].fd);
}

void guest_program_on_credit(struct program *p,
			     const struct snoo_ctl_credit *m)
{
	struct output *o;

	if (m->stream != SNOO_CTL_OUT && m->stream != SNOO_CTL_ERR)
		return;
	o = &p->out[m->stream - SNOO_CTL_OUT];
	/* Never beyond what was sent, never back. */
	if (m->total - o->passed_on <= o->sent - o->passed_on)
		o->passed_on = m->total;
}

void guest_program_on_signal(struct program *p,
			     const struct snoo_ctl_signal *m)
{
	p->signals_due = true;
	if (m->number != p->signals)
		return;			/* known, or it will be said again */
	p->signals++;
	if (m->signal >= 1 && m->signal < NSIG)
		guest_program_signal(p, (int)m->signal);
}

/* ---- streams ---- */

void guest_program_write(struct program *p)
{
	while (p->in >= 0 && p->in_done != p->in_got) {
		uint32_t at = p->in_done % SNOO_CTL_CREDIT_MAX;
		uint32_t n = p->in_got - p->in_done;
		ssize_t done;

		if (n > SNOO_CTL_CREDIT_MAX - at)
			n = SNOO_CTL_CREDIT_MAX - at;
		done = write(p->in, p->input + at, n);
		if (done < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (done < 0)
			close_fd(&p->in);	/* it reads no more */
		else
			p->in_done += (uint32_t)done;
	}
	if (p->in < 0)
		p->in_done = p->in_got;
	else if (p->in_eof)
		close_fd(&p->in);
}

uint32_t guest_program_room(const struct program *p, unsigned int i)
{
	const struct output *o = &p->out[i];
	uint32_t room = SNOO_CTL_CREDIT_MAX - (o->sent - o->passed_on);

	if (o->fd < 0)
		return 0;
	return p->orphan || room > SNOO_CTL_DATA_MAX ? SNOO_CTL_DATA_MAX :
	       room;
}

uint32_t guest_program_read(struct program *p, unsigned int i, void *buf)
{
	struct output *o = &p->out[i];
	uint32_t room = guest_program_room(p, i);
	ssize_t n;

	if (room == 0)
		return 0;
	do
		n = read(o->fd, buf, room);
	while (n < 0 && errno == EINTR);
	/* Who took the stream with it and lives on is not waited for. */
	if (n < 0 && errno == EAGAIN && p->pid)
		return 0;
	if (n <= 0) {
		close_fd(&o->fd);
		return 0;
	}
	o->sent += (uint32_t)n;
	if (p->pid)
		return (uint32_t)n;
	o->after += (uint32_t)n;
	if (o->after > AFTER_MAX)
		close_fd(&o->fd);
	return (uint32_t)n;
}
