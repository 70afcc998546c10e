/* SPDX-License-Identifier: MIT */
/*
 * run_link.c - programs in VMs: what is said to a guest daemon, and by it
 *
 * control_post() says nothing to a VM that is not live.  Nothing is lost by
 * that: when it is live again, live() says all that the guest may not know.
 */
#include "daemon/run_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control.h"
#include "daemon/log.h"

/* ---- to the guest ---- */

/* @msg begins with a frame's head, whose type is set. */
static void post(struct vm *vm, uint32_t sid, void *msg, size_t bytes)
{
	struct snoo_ctl_frame *f = msg;

	f->sid = sid;
	f->slot = SNOO_CTL_NO_SLOT;
	control_post(vm, f, f + 1, bytes - sizeof(*f));
}

void run_link_start(const struct run *r)
{
	struct {
		struct snoo_ctl_run run;
		char words[SNOO_CTL_WORDS_MAX];
	} m = {
		.run = {
			.frame.type = SNOO_CTL_RUN,
			.uid = r->who.uid,
			.argc = r->said.argc,
			.envc = r->said.envc,
			.bytes = r->said.bytes,
		},
	};

	memcpy(m.words, r->said.text, r->said.bytes);
	post(r->vm, r->sid, &m, sizeof(m.run) + r->said.bytes);
}

void run_link_credit(const struct run *r, uint32_t stream)
{
	struct snoo_ctl_credit m = {
		.frame.type = SNOO_CTL_CREDIT,
		.stream = stream,
		.total = r->passed[stream],
	};

	post(r->vm, r->sid, &m, sizeof(m));
}

void run_link_unread(const struct run *r, uint32_t stream)
{
	struct snoo_ctl_data m = {
		.frame.type = SNOO_CTL_DATA, .stream = stream,
	};

	post(r->vm, r->sid, &m, sizeof(m));
}

/* A piece that lies in the ring as one, or the end. */
static uint32_t post_piece(const struct run *r, uint32_t offset)
{
	struct {
		struct snoo_ctl_data data;
		char bytes[SNOO_CTL_DATA_MAX];
	} m = {
		.data = {
			.frame.type = SNOO_CTL_DATA,
			.stream = SNOO_CTL_IN,
			.offset = offset,
		},
	};
	uint32_t at = offset % SNOO_CTL_CREDIT_MAX;
	uint32_t n = r->in_got - offset;

	if (n > SNOO_CTL_CREDIT_MAX - at)
		n = SNOO_CTL_CREDIT_MAX - at;
	if (n > SNOO_CTL_DATA_MAX)
		n = SNOO_CTL_DATA_MAX;
	if (n)
		memcpy(m.bytes, r->input + at, n);
	m.data.bytes = n;
	post(r->vm, r->sid, &m, sizeof(m.data) + n);
	return n;
}

void run_link_input(struct run *r)
{
	while (r->in_said != r->in_got && !control_busy(r->vm))
		r->in_said += post_piece(r, r->in_said);
	if (!r->in_eof || r->eof_said || r->in_said != r->in_got ||
	    control_busy(r->vm))
		return;
	post_piece(r, r->in_said);
	r->eof_said = true;
}

void run_link_signal(const struct run *r, uint32_t number)
{
	struct snoo_ctl_signal m = {
		.frame.type = SNOO_CTL_SIGNAL,
		.signal = r->signal[number % RUN_SIGNALS],
		.number = number,
	};

	post(r->vm, r->sid, &m, sizeof(m));
}

void run_link_runs(struct vm *vm)
{
	struct {
		struct snoo_ctl_runs runs;
		uint32_t sid[SNOO_CTL_RUNS_MAX];
	} m = { .runs = { .frame.type = SNOO_CTL_RUNS } };
	uint32_t n = 0;

	for (const struct run *r = vm->dom->runs; r; r = r->next)
		if (r->vm == vm && n < SNOO_CTL_RUNS_MAX)
			m.sid[n++] = r->sid;
	m.runs.count = n;
	post(vm, 0, &m, sizeof(m.runs) + n * sizeof(m.sid[0]));
}

/* ---- from the guest ---- */

static struct run *find(const struct vm *vm, uint32_t sid)
{
	for (struct run *r = vm->dom->runs; r; r = r->next)
		if (r->vm == vm && r->sid == sid)
			return r;
	return NULL;
}

static void on_started(struct run *r, const struct snoo_ctl_run_pid *f)
{
	struct snoo_wire_started m = {
		.head = { SNOO_WIRE_STARTED, sizeof(m) },
		.pid = f->pid,
		.uid = f->uid,
	};

	if (r->started)
		return;
	r->started = true;
	free(r->words);
	r->words = NULL;
	run_tell(r, &m, sizeof(m));
}

static void on_data(struct run *r, const struct snoo_ctl_data *f)
{
	struct {
		struct snoo_wire_data data;
		char bytes[SNOO_WIRE_DATA_MAX];
	} m = {
		.data = {
			.head = { SNOO_WIRE_DATA,
				  (uint32_t)(sizeof(m.data) + f->bytes) },
			.stream = f->stream,
			.bytes = f->bytes,
		},
	};
	uint32_t *got;

	if (f->stream != SNOO_CTL_OUT && f->stream != SNOO_CTL_ERR) {
		control_cut(r->vm, "output of a program on stream %u",
			    f->stream);
		return;
	}
	got = &r->got[f->stream];
	/* A guest daemon that came back may say again what the last one did. */
	if (f->bytes == 0 || (f->offset != *got &&
			      *got - f->offset <= SNOO_CTL_CREDIT_MAX))
		return;
	if (f->offset != *got ||
	    f->bytes > SNOO_CTL_CREDIT_MAX - (*got - r->passed[f->stream])) {
		control_cut(r->vm, "output of a program beyond its credit");
		return;
	}
	*got += f->bytes;
	memcpy(m.bytes, f + 1, f->bytes);
	run_tell(r, &m, m.data.head.length);
}

static void on_input_credit(struct run *r, uint32_t total)
{
	struct snoo_wire_credit m = {
		.head = { SNOO_WIRE_CREDIT, sizeof(m) },
		.stream = SNOO_WIRE_IN,
		.bytes = total - r->in_done,
	};

	if (m.bytes == 0)
		return;
	r->in_done = total;
	run_tell(r, &m, sizeof(m));
}

static void on_credit(struct run *r, const struct snoo_ctl_credit *f)
{
	if (f->stream == SNOO_CTL_IN &&
	    f->total - r->in_done <= r->in_got - r->in_done)
		on_input_credit(r, f->total);
	else if (f->stream == SNOO_CTL_SIGNALS &&
		 f->total - r->signals_done <= r->signals - r->signals_done)
		r->signals_done = f->total;
	else
		control_cut(r->vm, "credit of %u on stream %u of a program",
			    f->total, f->stream);
}

/* It goes to a terminal, and is the guest's word. */
static void clean_text(char out[SNOO_CTL_TEXT], const char in[SNOO_CTL_TEXT])
{
	size_t i;

	for (i = 0; i < SNOO_CTL_TEXT - 1 && in[i]; i++)
		out[i] = in[i] >= ' ' && in[i] < 0x7f ? in[i] : '?';
	out[i] = '\0';
}

static void on_finished(struct run *r, const struct snoo_ctl_run_end *f)
{
	char text[SNOO_CTL_TEXT];

	clean_text(text, f->text);
	/* A positive one, says the contract: another is none of errno's. */
	run_end(r, f->error < 0 ? EPROTO : f->error, f->status, text);
}

static void on_frame(struct vm *vm, const struct snoo_ctl_frame *f,
		     bool again)
{
	struct run *r = find(vm, f->sid);
	const void *m = f;

	(void)again;			/* what is known is dropped anyway */
	if (!r)
		return;			/* it ended while this was under way */
	switch (f->type) {
	case SNOO_CTL_STARTED:
		on_started(r, m);
		break;
	case SNOO_CTL_DATA:
		on_data(r, m);
		break;
	case SNOO_CTL_CREDIT:
		on_credit(r, m);
		break;
	case SNOO_CTL_FINISHED:
		on_finished(r, m);
		break;
	default:
		break;
	}
}

/* ---- sessions of the control channel ---- */

/* The last guest daemon may have died with our last frames unread. */
static void say_again(struct run *r)
{
	if (!r->started)
		run_link_start(r);
	for (uint32_t stream = SNOO_CTL_OUT; stream <= SNOO_CTL_ERR;
	     stream++) {
		run_link_credit(r, stream);
		if (r->unread[stream])
			run_link_unread(r, stream);
	}
	r->in_said = r->in_done;
	r->eof_said = false;
	run_link_input(r);
	for (uint32_t n = r->signals_done; n != r->signals; n++)
		run_link_signal(r, n);
}

static void on_room(struct vm *vm)
{
	for (struct run *r = vm->dom->runs; r; r = r->next)
		if (r->vm == vm)
			run_link_input(r);
}

static void on_live(struct vm *vm)
{
	for (struct run *r = vm->dom->runs; r; r = r->next)
		if (r->vm == vm)
			say_again(r);
	run_link_runs(vm);
}

static void on_gone(struct vm *vm)
{
	char text[SNOO_CTL_TEXT];

	snprintf(text, sizeof(text), "VM \"%s\" %s", vm->led.name,
		 vm->led.state == LEDGER_VM_CUT ? "has ended, or was cut off" :
		 "was booted again");
	for (struct run *r = vm->dom->runs; r; r = r->next)
		if (r->vm == vm)
			run_end(r, EOWNERDEAD, 0, text);
}

void run_link_listen(void)
{
	static const struct control_handler handler = {
		.frame = on_frame, .live = on_live, .room = on_room,
		.gone = on_gone,
	};

	control_handle(&handler);
}
