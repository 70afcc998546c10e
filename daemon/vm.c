/* SPDX-License-Identifier: MIT */
/*
 * vm.c - the VM slots of a domain: who comes, who is who, who is gone
 */
#include "daemon/vm.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/bells.h"
#include "daemon/control.h"
#include "daemon/ivshmem.h"
#include "daemon/listen.h"
#include "daemon/log.h"
#include "shm/testpoint.h"

#define KEEPER_WAIT_MS	2000

static const char *const line_name[VM_LINES] = {
	[VM_POOL] = "pool", [VM_CONTROL] = "control",
};

/* Of the listeners, for the keeper. */
static const char *const listener_name[VM_LINES] = {
	[VM_POOL] = "ivshmem", [VM_CONTROL] = "control",
};

const char *vm_state_name(const struct vm *vm)
{
	switch (vm->led.state) {
	case LEDGER_VM_HALF:
		return "half";
	case LEDGER_VM_ATTACHED:
		return "attached";
	case LEDGER_VM_LIVE:
		return "live";
	case LEDGER_VM_CUT:
		return "cut";
	default:
		return "free";
	}
}

void vm_put(struct vm *vm)
{
	ledger_put_vm(vm->dom->ledger, vm->slot - 1, &vm->led);
}

struct vm *vm_find(struct domain *d, const char *name)
{
	char number[16];

	for (uint32_t i = 1; i < d->slots; i++) {
		struct vm *vm = d->vm[i];

		snprintf(number, sizeof(number), "%u", i);
		if (vm->control && (strcmp(name, vm->led.name) == 0 ||
				    strcmp(name, number) == 0))
			return vm;
	}
	return NULL;
}

/* ---- what the keeper has ---- */

static const char *kept(char buf[STATE_KEEP_MAX], const struct vm *vm,
			const char *what)
{
	snprintf(buf, STATE_KEEP_MAX, "%s/vm/%u/%u/%s", vm->dom->name,
		 vm->slot, vm->led.instance, what);
	return buf;
}

static int keep(const struct vm *vm, const char *what, int fd)
{
	char name[STATE_KEEP_MAX];

	if (fd < 0)
		return 0;
	return keeper_store(vm->dom->sh->keeper, kept(name, vm, what), fd,
			    false);
}

static void forget(const struct vm *vm, const char *what)
{
	char name[STATE_KEEP_MAX];

	keeper_forget(vm->dom->sh->keeper, kept(name, vm, what));
}

static int take(const struct vm *vm, const char *what)
{
	char name[STATE_KEEP_MAX];

	return keeper_take(vm->dom->sh->keeper, kept(name, vm, what));
}

/* ---- the end ---- */

static void on_work(void *arg)
{
	struct vm *vm = arg;

	if (vm->broken[0])
		vm_end(vm, vm->broken);
}

void vm_break(struct vm *vm, const char *fmt, ...)
{
	va_list ap;

	if (vm->broken[0] || !vm->control)
		return;
	va_start(ap, fmt);
	vsnprintf(vm->broken, sizeof(vm->broken), fmt, ap);
	va_end(ap);
	loop_defer(vm->dom->sh->loop, &vm->work);
}

static void close_line(struct vm *vm, enum vm_line_kind kind, bool let_go)
{
	struct vm_line *l = &vm->line[kind];

	if (l->fd < 0)
		return;
	loop_unwatch(l->watch);
	l->watch = NULL;
	if (!let_go) {
		/* The keeper's copy would keep the connection open. */
		shutdown(l->fd, SHUT_RDWR);
		forget(vm, line_name[kind]);
	}
	close(l->fd);
	l->fd = -1;
}

static void drop_pidfd(struct vm *vm, bool let_go)
{
	if (vm->pidfd < 0)
		return;
	loop_unwatch(vm->death);
	vm->death = NULL;
	if (!let_go)
		forget(vm, "pidfd");
	close(vm->pidfd);
	vm->pidfd = -1;
}

/* Our side of it; @let_go: the next daemon's too. */
static void close_vm(struct vm *vm, bool let_go)
{
	loop_undefer(&vm->work);
	vm_cpu_forget(vm);
	if (!let_go && vm->memory >= 0)
		forget(vm, "memory");
	control_close(vm, let_go);
	close_line(vm, VM_POOL, let_go);
	close_line(vm, VM_CONTROL, let_go);
	drop_pidfd(vm, let_go);
	vm->broken[0] = '\0';
}

void vm_end(struct vm *vm, const char *why)
{
	struct ledger_vm free_cell = { .instance = vm->led.instance };

	if (vm->led.state == LEDGER_VM_FREE)
		return;
	log_always(LOG_LEVEL_INFO, "VM gone domain=%s vm=%s slot=%u pid=%d "
		   "reason=\"%s\"", vm->dom->name, vm->led.name, vm->slot,
		   vm->led.pid, why);
	/* Nothing more is said to it; the ledger's cell comes last. */
	vm->led.state = LEDGER_VM_CUT;
	control_end_ranks(vm, true);
	if (control_handler() && control_handler()->gone)
		control_handler()->gone(vm);
	SNOO_TESTPOINT("daemon_vm_reaped");
	close_vm(vm, false);
	bells_drain(vm->dom->bells, vm->slot);
	vm->led = free_cell;
	vm_put(vm);
	SNOO_TESTPOINT("daemon_vm_freed");
}

/* ---- watching ---- */

/* QEMU never says a word: this is its end. */
static void on_line(void *arg, unsigned int events)
{
	struct vm_line *l = arg;
	char rest[64];
	ssize_t n;

	(void)events;
	while ((n = recv(l->fd, rest, sizeof(rest), MSG_DONTWAIT)) > 0)
		;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	vm_end(l->vm, l == &l->vm->line[VM_POOL] ?
	       "its pool device was closed" : "its control device was closed");
}

static bool has_hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return fd >= 0 && poll(&p, 1, 0) > 0 &&
	       p.revents & (POLLHUP | POLLRDHUP | POLLERR);
}

static void on_death(void *arg, unsigned int events)
{
	struct vm *vm = arg;

	(void)events;
	/* Files are closed before a process counts as ended. */
	if (has_hung_up(vm->line[VM_POOL].fd) ||
	    has_hung_up(vm->line[VM_CONTROL].fd)) {
		vm_end(vm, "its process has ended");
		return;
	}
	log_info("who connected a VM has ended, its connections live: it had "
		 "passed them on domain=%s vm=%s slot=%u pid=%d",
		 vm->dom->name, vm->led.name, vm->slot, vm->led.pid);
	vm->led.flags |= VM_LAUNCHED;
	vm_put(vm);
	drop_pidfd(vm, false);
}

static int watch_line(struct vm *vm, enum vm_line_kind kind, int fd)
{
	struct vm_line *l = &vm->line[kind];
	int ret = loop_watch(&l->watch, vm->dom->sh->loop, fd, LOOP_READ,
			     on_line, l);

	if (ret == 0)
		l->fd = fd;
	return ret;
}

static int watch_process(struct vm *vm)
{
	if (vm->pidfd < 0)
		return 0;
	return loop_watch(&vm->death, vm->dom->sh->loop, vm->pidfd, LOOP_READ,
			  on_death, vm);
}

/* ---- coming ---- */

static bool same_process(const struct vm *vm, const struct who *who)
{
	return vm->led.pid == who->pid &&
	       vm->led.start_time == who->start_time;
}

/* The half of a VM that this is the other half of, or a free slot. */
static struct vm *pick(struct domain *d, const struct who *who,
		       enum vm_line_kind kind)
{
	struct vm *idle = NULL;

	for (uint32_t i = 1; i < d->slots; i++) {
		struct vm *vm = d->vm[i];

		if (vm->broken[0])
			continue;
		if (vm->led.state == LEDGER_VM_HALF &&
		    vm->line[kind].fd < 0 && same_process(vm, who))
			return vm;
		/* The one that has rested longest. */
		if (vm->led.state == LEDGER_VM_FREE &&
		    (!idle || vm->led.instance < idle->led.instance))
			idle = vm;
	}
	return idle;
}

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)ts.tv_nsec;
}

/* A slot for a new VM: memory of its own.  0 or -errno, and FREE again. */
static int begin(struct vm *vm, struct who *who)
{
	struct domain *d = vm->dom;
	int ret;

	bells_drain(d->bells, vm->slot);
	vm->led.instance++;
	vm->led.pid = who->pid;
	vm->led.uid = who->uid;
	vm->led.gid = who->gid;
	vm->led.start_time = who->start_time;
	vm->led.serial = ++d->vm_serial;
	vm->led.attached_ns = wall_ns();
	vm_take_name(vm);
	ret = control_open(vm, false);
	if (ret)
		return ret;
	vm->pidfd = who->pidfd;
	who->pidfd = -1;
	ret = keep(vm, "memory", vm->memory);
	if (ret == 0)
		ret = keep(vm, "pidfd", vm->pidfd);
	return ret;
}

/* The fds are kept, then QEMU is told all of it, then it is in the ledger. */
static int serve(struct vm *vm, enum vm_line_kind kind, int fd,
		 char why[IVSHMEM_TEXT])
{
	struct domain *d = vm->dom;
	struct ivshmem_offer offer;
	int ret = keep(vm, line_name[kind], fd);

	if (ret == 0)
		ret = keeper_barrier(d->sh->keeper, KEEPER_WAIT_MS);
	if (ret) {
		snprintf(why, IVSHMEM_TEXT, "the daemon's keeper does not "
			 "take the socket: %s", strerror(-ret));
		ivshmem_refuse(fd);
		return ret;
	}
	SNOO_TESTPOINT("daemon_vm_kept");
	/* Any guest may have spoilt it, and this one is about to boot. */
	if (kind == VM_POOL && pool_write_info(&d->pool))
		state_lose(d, "the first pages of its pool are gone");
	if (kind == VM_POOL)
		ret = ivshmem_offer_pool(&offer, d->bells, vm->slot,
					 d->pool.fd);
	else
		ret = ivshmem_offer_control(&offer, vm->slot, vm->memory,
					    bells_control_in(d->bells,
							     vm->slot),
					    bells_control_out(d->bells,
							      vm->slot));
	if (ret) {
		snprintf(why, IVSHMEM_TEXT, "the daemon is out of memory");
		ivshmem_refuse(fd);
	} else {
		ret = ivshmem_serve(fd, &offer, why);
	}
	ivshmem_offer_fini(&offer);
	SNOO_TESTPOINT("daemon_vm_served");
	return ret;
}

/* Undo what begin() and serve() did; the socket is closed by the caller. */
static void back_out(struct vm *vm, enum vm_line_kind kind)
{
	struct ledger_vm free_cell = { .instance = vm->led.instance };

	forget(vm, line_name[kind]);
	if (vm->led.state != LEDGER_VM_FREE)
		return;
	close_vm(vm, false);
	vm->led = free_cell;
	/* Its number is used up, so that no kept fd is taken for the next. */
	vm_put(vm);
}

/* Return: 0, or -errno with a sentence; who connected was refused then. */
static int admit(struct vm *vm, enum vm_line_kind kind, struct who *who,
		 int fd, char why[IVSHMEM_TEXT])
{
	bool fresh = vm->led.state == LEDGER_VM_FREE;
	int ret = 0;

	if (fresh)
		ret = begin(vm, who);
	if (ret) {
		snprintf(why, IVSHMEM_TEXT, "no memory for its control "
			 "device: %s", strerror(-ret));
		ivshmem_refuse(fd);
	} else {
		ret = serve(vm, kind, fd, why);
	}
	if (ret == 0)
		ret = watch_line(vm, kind, fd);
	if (ret == 0 && fresh)
		ret = watch_process(vm);
	if (ret) {
		if (vm->line[kind].fd >= 0) {
			loop_unwatch(vm->line[kind].watch);
			vm->line[kind].watch = NULL;
			vm->line[kind].fd = -1;
		}
		back_out(vm, kind);
		return ret;
	}
	vm->led.state = fresh ? LEDGER_VM_HALF : LEDGER_VM_ATTACHED;
	vm_put(vm);
	if (!fresh)
		control_kick(vm);
	SNOO_TESTPOINT("daemon_vm_put");
	log_info("VM %s domain=%s vm=%s slot=%u pid=%d uid=%u device=%s",
		 vm_state_name(vm), vm->dom->name, vm->led.name, vm->slot,
		 vm->led.pid, vm->led.uid, line_name[kind]);
	return 0;
}

static int not_this_one(const struct domain *d, const struct who *who,
			enum vm_line_kind kind, const char *why)
{
	log_warn("VM refused domain=%s device=%s pid=%d uid=%u reason=\"%s\"",
		 d->name, line_name[kind], (int)who->pid, who->uid, why);
	return -EPERM;
}

/* Is it somebody who can be served?  @why says why not. */
static int check(struct domain *d, int fd, struct who *who,
		 char why[IVSHMEM_TEXT])
{
	int ret;

	if (d->lost) {
		snprintf(why, IVSHMEM_TEXT, "the domain is lost: %.200s",
			 d->lost);
		return -ENODEV;
	}
	ret = peer_identify(fd, who, why, IVSHMEM_TEXT);
	if (ret)
		return ret;
	if (who->pid == 0) {
		snprintf(why, IVSHMEM_TEXT, "its QEMU is in a PID namespace "
			 "that is not below the daemon's");
		return -EPERM;
	}
	ret = ivshmem_peer_check(who->pid, d->slots, d->vectors, why);
	if (ret == 0 && peer_ended(who->pidfd)) {
		snprintf(why, IVSHMEM_TEXT, "process %d has ended",
			 (int)who->pid);
		ret = -ESRCH;
	}
	return ret;
}

static int on_connection(struct domain *d, int fd, enum vm_line_kind kind)
{
	char why[IVSHMEM_TEXT] = "";
	struct vm *vm = NULL;
	struct who who;
	int ret = peer_credentials(fd, &who);

	if (ret == 0)
		ret = check(d, fd, &who, why);
	else
		snprintf(why, sizeof(why), "%s", strerror(-ret));
	if (ret == 0) {
		vm = pick(d, &who, kind);
		if (!vm) {
			snprintf(why, sizeof(why), "all %u VM slots of the "
				 "domain are in use: raise ivshmem.slots",
				 d->slots - 1);
			ret = -ENOSPC;
		}
	}
	/* Else admit() refuses by itself: it may have begun to say things. */
	if (vm)
		ret = admit(vm, kind, &who, fd, why);
	else
		ivshmem_refuse(fd);
	if (who.pidfd >= 0)
		close(who.pidfd);
	if (ret) {
		not_this_one(d, &who, kind, why);
		close(fd);
	}
	return ret;
}

static int on_pool(void *arg, int fd)
{
	return on_connection(arg, fd, VM_POOL);
}

static int on_control(void *arg, int fd)
{
	return on_connection(arg, fd, VM_CONTROL);
}

/* ---- slots and sockets ---- */

static int make_slots(struct domain *d)
{
	d->vm = calloc(d->slots, sizeof(struct vm *));
	if (!d->vm)
		return -ENOMEM;
	for (uint32_t i = 1; i < d->slots; i++) {
		struct vm *vm = calloc(1, sizeof(*vm));

		if (!vm)
			return -ENOMEM;
		d->vm[i] = vm;
		vm->dom = d;
		vm->slot = i;
		vm->line[VM_POOL] = (struct vm_line){ .vm = vm, .fd = -1 };
		vm->line[VM_CONTROL] = (struct vm_line){ .vm = vm, .fd = -1 };
		vm->pidfd = vm->memory = -1;
		vm->work.fn = on_work;
		vm->work.arg = vm;
	}
	return 0;
}

static int open_bells(struct domain *d, char why[VM_TEXT])
{
	struct bells_params p = {
		.domain = d->name,
		.slots = d->slots,
		.vectors = d->vectors,
		.keeper = d->sh->keeper,
	};
	int ret = bells_open(&d->bells, &p);

	if (ret == -EMFILE)
		snprintf(why, VM_TEXT, "%u VM slots with %u vectors take %u "
			 "file descriptors: raise LimitNOFILE", d->slots - 1,
			 d->vectors, bells_count(d->slots, d->vectors));
	else if (ret)
		snprintf(why, VM_TEXT, "bells of VM slots: %s",
			 strerror(-ret));
	return ret;
}

static int open_listener(struct domain *d, enum vm_line_kind kind,
			 char why[VM_TEXT])
{
	struct conf_socket conf = d->conf->ivshmem.socket;
	char name[STATE_KEEP_MAX];

	_Static_assert(VM_TEXT >= LISTEN_TEXT, "a reason must fit");
	if (kind == VM_CONTROL)
		conf.path = d->conf->ivshmem.control_path;
	return listen_kept(&d->vm_listener[kind], SOCK_STREAM, &conf,
			   d->sh->keeper,
			   state_keep_name(name, d, listener_name[kind]),
			   why);
}

uint32_t vm_slots(const struct conf_domain *conf)
{
	if (conf->ivshmem.slots > 1)
		return conf->ivshmem.slots;
	return conf->ivshmem.host_bells ? 2 : 1;
}

static void to_guest(struct domain *d, uint32_t slot,
		     const struct snoo_ctl_frame *f, const void *body,
		     size_t bytes)
{
	if (d->vm && slot > 0 && slot < d->slots)
		control_post(d->vm[slot], f, body, bytes);
}

/* VMs that are there are served on, whatever the file says now. */
static int open_listeners(struct domain *d, char why[VM_TEXT])
{
	int ret;

	if (d->conf->ivshmem.slots <= 1)
		return 0;
	ret = ivshmem_buffer_check(d->slots, d->vectors, why);
	if (ret == 0)
		ret = open_listener(d, VM_POOL, why);
	if (ret == 0)
		ret = open_listener(d, VM_CONTROL, why);
	return ret;
}

int vm_open(struct domain *d, char why[VM_TEXT])
{
	int ret;

	if (d->slots <= 1)
		return 0;
	d->to_guest = to_guest;
	ret = make_slots(d);
	if (ret)
		snprintf(why, VM_TEXT, "out of memory");
	if (ret == 0)
		ret = open_bells(d, why);
	if (ret == 0)
		ret = open_listeners(d, why);
	return ret;
}

int vm_start(struct domain *d)
{
	int ret;

	if (d->vm_listener[VM_POOL].fd < 0)
		return 0;
	ret = listen_start(&d->vm_listener[VM_POOL], d->sh->loop, on_pool, d);
	if (ret == 0)
		ret = listen_start(&d->vm_listener[VM_CONTROL], d->sh->loop,
				   on_control, d);
	return ret;
}

void vm_close(struct domain *d, enum listen_end end)
{
	bool let_go = end == LISTEN_KEEP_FILE;
	char name[STATE_KEEP_MAX];

	for (uint32_t i = 1; d->vm && i < d->slots; i++) {
		if (!d->vm[i])
			continue;
		close_vm(d->vm[i], let_go);
		free(d->vm[i]);
	}
	free(d->vm);
	d->vm = NULL;
	for (int kind = 0; kind < VM_LINES; kind++) {
		if (d->vm_listener[kind].fd < 0)
			continue;
		listen_close(&d->vm_listener[kind], end);
		if (!let_go)
			keeper_forget(d->sh->keeper,
				      state_keep_name(name, d,
						      listener_name[kind]));
	}
	if (d->bells && !let_go)
		bells_forget(d->bells);
	bells_close(d->bells);
	d->bells = NULL;
}

/* ---- adoption ---- */

static void adopt_one(struct vm *vm)
{
	bool control = vm->led.state != LEDGER_VM_HALF;
	int ret = 0, fd;

	vm->pidfd = take(vm, "pidfd");
	vm->memory = take(vm, "memory");
	if (vm->memory >= 0)
		ret = control_open(vm, true);
	if (!vm->control) {
		/* Without it nothing can be said, and nobody holds it. */
		struct ledger_vm free_cell = { .instance = vm->led.instance };

		log_err("VM lost: its control memory can't be taken over "
			"domain=%s slot=%u error=\"%s\"", vm->dom->name,
			vm->slot, strerror(vm->memory < 0 ? ENOENT : -ret));
		for (int kind = 0; kind < VM_LINES; kind++)
			vm->line[kind].fd = take(vm, line_name[kind]);
		close_vm(vm, false);
		vm->led = free_cell;
		vm_put(vm);
		return;
	}
	for (int kind = 0; kind < VM_LINES; kind++) {
		fd = take(vm, line_name[kind]);
		if (fd < 0 && !control)
			continue;
		if (fd < 0 || watch_line(vm, (enum vm_line_kind)kind, fd))
			vm_break(vm, "the keeper has lost its %s socket",
				 line_name[kind]);
	}
	if (vm->line[VM_POOL].fd < 0 && vm->line[VM_CONTROL].fd < 0)
		vm_break(vm, "it had not come in when the daemon died");
	if (vm->pidfd < 0 && !(vm->led.flags & VM_LAUNCHED))
		vm_break(vm, "the keeper has lost its pidfd");
	else if (watch_process(vm))
		vm_break(vm, "its process can't be watched");
	if (!bells_adopted(vm->dom->bells))
		vm_break(vm, "the keeper has lost the bells of the domain");
	vm_cpu_find(vm);
	log_info("VM adopted domain=%s vm=%s slot=%u pid=%d state=%s",
		 vm->dom->name, vm->led.name, vm->slot, vm->led.pid,
		 vm_state_name(vm));
}

void vm_adopt(struct domain *d)
{
	for (uint32_t i = 1; d->vm && i < d->slots; i++) {
		struct vm *vm = d->vm[i];

		ledger_get_vm(d->ledger, i - 1, &vm->led);
		if (vm->led.serial > d->vm_serial)
			d->vm_serial = vm->led.serial;
		if (vm->led.state != LEDGER_VM_FREE)
			adopt_one(vm);
		SNOO_TESTPOINT("daemon_vm_adopted");
	}
}
