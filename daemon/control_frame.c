/* SPDX-License-Identifier: MIT */
/*
 * control_frame.c - what a guest daemon may say when, and what follows
 *
 * Each handler gets a private copy.  It may be the second time for the first
 * frame after an adoption (`again`): then what is done already is left.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/adopt.h"
#include "daemon/control.h"
#include "daemon/log.h"
#include "daemon/post.h"
#include "daemon/reap.h"
#include "daemon/session.h"
#include "daemon/touch.h"
#include "daemon/vm_cpu.h"
#include "shm/testpoint.h"

#define VCPUS_MAX	1024u

/* ---- looking things up ---- */

static struct session *find_session(const struct vm *vm, uint32_t sid)
{
	for (struct session *s = vm->dom->sessions; s; s = s->next)
		if (s->vm == vm && s->sid == sid && s->state != SESSION_ENDED)
			return s;
	return NULL;
}

static uint32_t count_sessions(const struct vm *vm)
{
	uint32_t n = 0;

	for (const struct session *s = vm->dom->sessions; s; s = s->next)
		n += s->vm == vm && s->state != SESSION_ENDED;
	return n;
}

/* Ranks whose session has ended too, as long as they have a slot. */
static struct rank *find_rank(const struct vm *vm, uint32_t sid)
{
	for (uint32_t i = 0; i < vm->dom->nranks; i++) {
		struct rank *r = vm->dom->rank[i];

		if (r && state_rank_vm(r) == vm && r->led.sid == sid)
			return r;
	}
	return NULL;
}

/* ---- the end of all its ranks ---- */

static void drop_session(struct session *s)
{
	/* The other end knows, or is not there to be told. */
	s->closed = true;
	session_end(s);
}

void control_end_ranks(struct vm *vm, bool exited)
{
	struct domain *d = vm->dom;

	for (struct session *s = d->sessions; s; s = s->next)
		if (s->vm == vm)
			drop_session(s);
	if (!exited)
		return;
	for (uint32_t i = 0; i < d->nranks; i++) {
		struct rank *r = d->rank[i];

		if (r && state_rank_vm(r) == vm)
			reap_vm_gone(r, vm->pidfd);
	}
}

/* The kernel under them is another one: their processes are no more. */
static void end_boot(struct vm *vm)
{
	struct domain *d = vm->dom;

	control_end_ranks(vm, false);
	for (uint32_t i = 0; i < d->nranks; i++) {
		struct rank *r = d->rank[i];

		if (r && state_rank_vm(r) == vm)
			reap_vm_gone(r, -1);
	}
	if (control_handler() && control_handler()->gone)
		control_handler()->gone(vm);
}

/* ---- HELLO, KNOWN, READY ---- */

static void refuse(struct vm *vm, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void refuse(struct vm *vm, int error, const char *fmt, ...)
{
	struct snoo_ctl_error m = {
		.frame = { .type = SNOO_CTL_ERROR, .slot = SNOO_CTL_NO_SLOT },
		.error = error,
	};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	control_answer(vm, &m.frame, &m.frame + 1,
		       sizeof(m) - sizeof(m.frame));
	control_cut(vm, "%s", m.text);
}

/* A claim, for people: what is not printable is not shown. */
static bool take_text(char out[LEDGER_NAME], const char in[SNOO_CTL_NAME])
{
	_Static_assert(LEDGER_NAME == SNOO_CTL_NAME, "names of one length");

	if (!memchr(in, 0, SNOO_CTL_NAME))
		return false;
	memset(out, 0, LEDGER_NAME);
	for (size_t i = 0; in[i]; i++)
		out[i] = in[i] >= ' ' && in[i] < 0x7f && in[i] != '"' ?
			 in[i] : '?';
	return true;
}

/* true: it may go on */
static bool hello_ok(struct vm *vm, const struct snoo_ctl_hello *h)
{
	const struct domain *d = vm->dom;
	static const uint8_t none[16];

	if (h->major != SNOO_CTL_MAJOR || h->abi_major != SNOO_ABI_MAJOR)
		refuse(vm, EPROTONOSUPPORT, "the guest daemon speaks version "
		       "%u.%u of the control channel and %u of the pool, this "
		       "host %u.%u and %u: use one release", h->major,
		       h->minor, h->abi_major, SNOO_CTL_MAJOR, SNOO_CTL_MINOR,
		       SNOO_ABI_MAJOR);
	else if (h->slot != vm->slot)
		refuse(vm, EXDEV, "the pool device is in slot %u and the "
		       "control device in slot %u: they were connected by "
		       "different processes, or to different domains, or one "
		       "of them was plugged again; connect both again",
		       h->slot, vm->slot);
	/* Who polls may not be able to see how many its device has. */
	else if (h->vectors != d->vectors &&
		 (h->vectors || h->bells != SNOO_CTL_BELLS_POLL))
		refuse(vm, EINVAL, "QEMU's device has vectors=%u, the domain "
		       "%u: set vectors=%u in QEMU's command line, or "
		       "ivshmem.vectors of domain \"%s\"", h->vectors,
		       d->vectors, d->vectors, d->name);
	else if (h->pool_bytes != d->pool.region.size)
		refuse(vm, EINVAL, "the guest sees a pool of %llu bytes, the "
		       "domain has %llu",
		       (unsigned long long)h->pool_bytes,
		       (unsigned long long)d->pool.region.size);
	else if (memcmp(h->boot_id, none, sizeof(none)) == 0)
		refuse(vm, EINVAL, "HELLO without a boot id");
	else if (h->vcpus == 0 || h->vcpus > VCPUS_MAX)
		refuse(vm, EINVAL, "HELLO with %u vCPUs", h->vcpus);
	else if (h->bells < SNOO_CTL_BELLS_EVENTFD ||
		 h->bells > SNOO_CTL_BELLS_POLL ||
		 h->memory < SNOO_CTL_MAP_DAX ||
		 h->memory > SNOO_CTL_MAP_MEMFD || h->runs > 1)
		refuse(vm, EINVAL, "HELLO with bells %u, memory %u, runs %u",
		       h->bells, h->memory, h->runs);
	else
		return true;
	return false;
}

static void forget_known(struct vm *vm)
{
	for (struct session *s = vm->dom->sessions; s; s = s->next)
		if (s->vm == vm)
			s->known = false;
	for (uint32_t i = 0; i < vm->dom->nranks; i++) {
		struct rank *r = vm->dom->rank[i];

		if (!r || state_rank_vm(r) != vm)
			continue;
		r->led.flags &= ~STATE_RANK_KNOWN;
		state_put_rank(r);
	}
}

static void on_hello(struct vm *vm, const struct snoo_ctl_hello *h)
{
	static const uint8_t none[16];
	struct ledger_vm *led = &vm->led;

	if (!hello_ok(vm, h))
		return;
	if (!take_text(led->host, h->host) ||
	    !take_text(led->kernel, h->kernel)) {
		refuse(vm, EINVAL, "HELLO with a name that has no end");
		return;
	}
	if (memcmp(led->boot_id, none, sizeof(none)) != 0 &&
	    memcmp(led->boot_id, h->boot_id, sizeof(none)) != 0) {
		log_info("guest has booted again domain=%s vm=%s slot=%u",
			 vm->dom->name, led->name, vm->slot);
		end_boot(vm);
	}
	forget_known(vm);
	memcpy(led->boot_id, h->boot_id, sizeof(led->boot_id));
	led->minor = h->minor < SNOO_CTL_MINOR ? h->minor : SNOO_CTL_MINOR;
	led->bells = h->bells;
	led->memory = h->memory;
	led->vcpus = h->vcpus;
	led->runs = h->runs;
	led->clock_ns = (int64_t)(loop_now_ns() - h->clock_ns);
	led->flags = (led->flags & ~VM_ASKED) | VM_GREETED;
	vm_put(vm);
	vm_cpu_find(vm);
}

static void on_known(struct vm *vm, uint32_t sid)
{
	struct session *s = find_session(vm, sid);
	struct rank *r = find_rank(vm, sid);

	if (s)
		s->known = true;
	if (r) {
		r->led.flags |= STATE_RANK_KNOWN;
		state_put_rank(r);
	}
	/* What it still serves, and we do not. */
	if (!s && !control_stray(vm, sid))
		control_cut(vm, "KNOWN of more sessions than there can be");
}

static void say_welcome(struct vm *vm)
{
	const struct domain *d = vm->dom;
	struct snoo_ctl_welcome m = {
		.frame = { .type = SNOO_CTL_WELCOME,
			   .slot = SNOO_CTL_NO_SLOT },
		.major = SNOO_CTL_MAJOR,
		.minor = vm->led.minor,
		.slot = vm->slot,
		.slots = d->slots,
		.vectors = d->vectors,
		.ranks = d->nranks,
		.pool_bytes = d->pool.region.size,
	};

	memcpy(m.domain, d->name, strlen(d->name) + 1);
	memcpy(m.name, vm->led.name, sizeof(m.name));
	control_answer(vm, &m.frame, &m.frame + 1,
		       sizeof(m) - sizeof(m.frame));
}

/*
 * Go on with what the guest has kept, end the rest.  The marks stay until the
 * next HELLO: if we die here, the next daemon does it again.
 */
static void settle(struct vm *vm)
{
	struct domain *d = vm->dom;

	for (struct session *s = d->sessions; s; s = s->next) {
		if (s->vm != vm || s->state == SESSION_ENDED)
			continue;
		if (!s->known)
			drop_session(s);
		else if (s->rank)
			adopt_tell(s->rank);
		else if (s->state == SESSION_LEAVING)
			post_bye(s);
	}
	for (uint32_t i = 0; i < d->nranks; i++) {
		struct rank *r = d->rank[i];

		if (!r || state_rank_vm(r) != vm)
			continue;
		/* Nobody is left who would say that it has ended. */
		if (!(r->led.flags & STATE_RANK_KNOWN))
			reap_exited(r);
	}
}

static void on_ready(struct vm *vm)
{
	struct ledger_vm *led = &vm->led;

	led->state = LEDGER_VM_LIVE;
	led->flags &= ~(VM_ASKED | VM_GREETED);
	vm_put(vm);
	SNOO_TESTPOINT("daemon_control_live");
	log_info("VM live domain=%s vm=%s slot=%u pid=%d host=\"%s\" "
		 "kernel=\"%s\" vcpus=%u", vm->dom->name, led->name, vm->slot,
		 led->pid, led->host, led->kernel, led->vcpus);
	say_welcome(vm);
	settle(vm);
	control_welcomed(vm);
}

/* ---- ranks ---- */

static void refuse_join(struct vm *vm, uint32_t sid, int error,
			const char *text)
{
	struct snoo_ctl_frame f = {
		.type = SNOO_CTL_MSG, .sid = sid, .slot = SNOO_CTL_NO_SLOT,
	};
	struct snoo_wire_error m = {
		.head = { SNOO_WIRE_ERROR, sizeof(m) },
		.error = error,
	};

	snprintf(m.text, sizeof(m.text), "%s", text);
	control_post(vm, &f, &m, sizeof(m));
	f.type = SNOO_CTL_END;
	control_post(vm, &f, NULL, 0);
}

static void on_join(struct vm *vm, const struct snoo_ctl_join *j, bool again)
{
	size_t bytes = j->frame.length - sizeof(*j);
	uint32_t sid = j->frame.sid;

	if (bytes < sizeof(struct snoo_wire_head) || bytes > SNOO_WIRE_MAX) {
		control_cut(vm, "JOIN with a message of %zu bytes", bytes);
		return;
	}
	if (sid == 0 || find_session(vm, sid) || find_rank(vm, sid)) {
		if (!again)
			control_cut(vm, "JOIN with number %u, which is %s", sid,
				    sid ? "in use" : "none");
		return;
	}
	if (j->vcpu < -1 || j->vcpu >= (int32_t)vm->led.vcpus) {
		control_cut(vm, "JOIN of a rank on vCPU %d of %u", j->vcpu,
			    vm->led.vcpus);
		return;
	}
	if (count_sessions(vm) >= vm->dom->nranks) {
		refuse_join(vm, sid, EAGAIN, "this VM has more sessions than "
			    "the domain has ranks: raise ranks_max in its "
			    "configuration");
		return;
	}
	if (session_open_vm(vm, j, (const union session_message *)
			    (const void *)(j + 1), bytes))
		refuse_join(vm, sid, ENOMEM, "the daemon is out of memory");
}

static void on_msg(struct vm *vm, const struct snoo_ctl_frame *f)
{
	struct session *s = find_session(vm, f->sid);
	size_t bytes = f->length - sizeof(*f);

	if (bytes < sizeof(struct snoo_wire_head) || bytes > SNOO_WIRE_MAX) {
		control_cut(vm, "MSG of %zu bytes", bytes);
		return;
	}
	if (s) {
		session_message(s, (const union session_message *)
				(const void *)(f + 1), bytes);
		return;
	}
	/* It may have crossed our END; say it again. */
	control_count_stray(vm);
	control_post(vm, &(struct snoo_ctl_frame){
		     .type = SNOO_CTL_END, .sid = f->sid,
		     .slot = SNOO_CTL_NO_SLOT }, NULL, 0);
}

static void on_closed(struct vm *vm, uint32_t sid)
{
	struct session *s = find_session(vm, sid);

	if (s)
		drop_session(s);
	else
		control_count_stray(vm);
}

static void on_exited(struct vm *vm, uint32_t sid)
{
	struct session *s = find_session(vm, sid);
	struct rank *r = find_rank(vm, sid);

	if (s)
		drop_session(s);
	if (r)
		reap_exited(r);
}

static void on_ring_for(struct vm *vm, const struct snoo_ctl_ring *m)
{
	struct session *s = find_session(vm, m->frame.sid);

	if (!s)
		control_count_stray(vm);
	else if (s->state == SESSION_ATTACHED)
		session_ring(s, m->rank);
}

/* ---- one frame ---- */

static const struct shape {
	const char *name;
	uint32_t least, most;		/* bytes */
} shapes[] = {
	[SNOO_CTL_HELLO]    = { "HELLO", sizeof(struct snoo_ctl_hello),
				sizeof(struct snoo_ctl_hello) },
	[SNOO_CTL_KNOWN]    = { "KNOWN", sizeof(struct snoo_ctl_frame),
				sizeof(struct snoo_ctl_frame) },
	[SNOO_CTL_READY]    = { "READY", sizeof(struct snoo_ctl_frame),
				sizeof(struct snoo_ctl_frame) },
	[SNOO_CTL_JOIN]	    = { "JOIN", sizeof(struct snoo_ctl_join),
				SNOO_CTL_FRAME_MAX },
	[SNOO_CTL_CLOSED]   = { "CLOSED", sizeof(struct snoo_ctl_frame),
				sizeof(struct snoo_ctl_frame) },
	[SNOO_CTL_EXITED]   = { "EXITED", sizeof(struct snoo_ctl_frame),
				sizeof(struct snoo_ctl_frame) },
	[SNOO_CTL_RING_FOR] = { "RING_FOR", sizeof(struct snoo_ctl_ring),
				sizeof(struct snoo_ctl_ring) },
	[SNOO_CTL_STARTED]  = { "STARTED", sizeof(struct snoo_ctl_run_pid),
				sizeof(struct snoo_ctl_run_pid) },
	[SNOO_CTL_FINISHED] = { "FINISHED", sizeof(struct snoo_ctl_run_end),
				sizeof(struct snoo_ctl_run_end) },
	[SNOO_CTL_MSG]	    = { "MSG", sizeof(struct snoo_ctl_frame),
				SNOO_CTL_FRAME_MAX },
	[SNOO_CTL_DATA]	    = { "DATA", sizeof(struct snoo_ctl_data),
				sizeof(struct snoo_ctl_data) +
				SNOO_CTL_DATA_MAX },
	[SNOO_CTL_CREDIT]   = { "CREDIT", sizeof(struct snoo_ctl_credit),
				sizeof(struct snoo_ctl_credit) },
};

static const struct shape *shape_of(uint32_t type)
{
	if (type >= sizeof(shapes) / sizeof(shapes[0]) || !shapes[type].name)
		return NULL;
	return &shapes[type];
}

/* Its place in the session: false if it may not come now. */
static bool in_order(const struct vm *vm, uint32_t type, bool again)
{
	bool greeted = vm->led.flags & VM_GREETED;

	switch (type) {
	case SNOO_CTL_HELLO:
		return vm->led.flags & VM_ASKED || (again && greeted);
	case SNOO_CTL_KNOWN:
		return greeted;
	case SNOO_CTL_READY:
		return greeted ||
		       (again && vm->led.state == LEDGER_VM_LIVE);
	default:
		return vm->led.state == LEDGER_VM_LIVE;
	}
}

static void for_handler(struct vm *vm, const struct snoo_ctl_frame *f,
			bool again)
{
	const struct snoo_ctl_data *data = (const void *)f;
	const struct control_handler *h = control_handler();

	if (f->type == SNOO_CTL_DATA &&
	    data->bytes != f->length - sizeof(*data))
		control_cut(vm, "DATA of %u bytes that says it has %u",
			    f->length - (uint32_t)sizeof(*data), data->bytes);
	else if (h && h->frame)
		h->frame(vm, f, again);
	else
		control_count_stray(vm);
}

void control_frame(struct vm *vm, const struct snoo_ctl_frame *f, bool again)
{
	const struct shape *shape = shape_of(f->type);

	if (!shape) {
		control_cut(vm, "a frame of unknown type %u", f->type);
		return;
	}
	if (f->length < shape->least || f->length > shape->most) {
		control_cut(vm, "%s of %u bytes", shape->name, f->length);
		return;
	}
	if (!in_order(vm, f->type, again)) {
		control_cut(vm, "%s when it is not due", shape->name);
		return;
	}
	switch (f->type) {
	case SNOO_CTL_HELLO:
		on_hello(vm, (const void *)f);
		break;
	case SNOO_CTL_KNOWN:
		on_known(vm, f->sid);
		break;
	case SNOO_CTL_READY:
		on_ready(vm);
		break;
	case SNOO_CTL_JOIN:
		on_join(vm, (const void *)f, again);
		break;
	case SNOO_CTL_MSG:
		on_msg(vm, f);
		break;
	case SNOO_CTL_CLOSED:
		on_closed(vm, f->sid);
		break;
	case SNOO_CTL_EXITED:
		on_exited(vm, f->sid);
		break;
	case SNOO_CTL_RING_FOR:
		on_ring_for(vm, (const void *)f);
		break;
	default:
		for_handler(vm, f, again);
	}
}
