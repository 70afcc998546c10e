/* SPDX-License-Identifier: MIT */
/*
 * vm_slots.c - the VM slots and sockets of a domain: make, adopt, close
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/bells.h"
#include "daemon/control.h"
#include "daemon/ivshmem.h"
#include "daemon/listen.h"
#include "daemon/log.h"
#include "daemon/vm.h"
#include "daemon/vm_cpu.h"
#include "shm/testpoint.h"

/* Of the listeners, for the keeper. */
static const char *const listener_name[VM_LINES] = {
	[VM_POOL] = "ivshmem", [VM_CONTROL] = "control",
};

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
		vm->work.fn = vm_on_work;
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

static int on_pool(void *arg, int fd)
{
	return vm_connected(arg, fd, VM_POOL);
}

static int on_control(void *arg, int fd)
{
	return vm_connected(arg, fd, VM_CONTROL);
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
		vm_hang_up(d->vm[i], let_go);
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

	vm->pidfd = vm_take_kept(vm, "pidfd");
	vm->memory = vm_take_kept(vm, "memory");
	if (vm->memory >= 0)
		ret = control_open(vm, true);
	if (!vm->control) {
		/* Without it nothing can be said, and nobody holds it. */
		struct ledger_vm free_cell = { .instance = vm->led.instance };

		log_err("VM lost: its control memory can't be taken over "
			"domain=%s slot=%u error=\"%s\"", vm->dom->name,
			vm->slot, strerror(vm->memory < 0 ? ENOENT : -ret));
		for (int kind = 0; kind < VM_LINES; kind++)
			vm->line[kind].fd = vm_take_kept(vm, vm_line_name[kind]);
		vm_hang_up(vm, false);
		vm->led = free_cell;
		vm_put(vm);
		return;
	}
	for (int kind = 0; kind < VM_LINES; kind++) {
		fd = vm_take_kept(vm, vm_line_name[kind]);
		if (fd < 0 && !control)
			continue;
		if (fd < 0 || vm_watch_line(vm, (enum vm_line_kind)kind, fd))
			vm_break(vm, "the keeper has lost its %s socket",
				 vm_line_name[kind]);
	}
	/* Its QEMU was answered, or will never be: nobody answers it again. */
	if (!control && vm->line[VM_POOL].fd >= 0 &&
	    vm->line[VM_CONTROL].fd >= 0) {
		vm->led.state = LEDGER_VM_ATTACHED;
		vm_put(vm);
	}
	if (vm->line[VM_POOL].fd < 0 && vm->line[VM_CONTROL].fd < 0)
		vm_break(vm, "it had not come in when the daemon died");
	if (vm->pidfd < 0 && !(vm->led.flags & VM_LAUNCHED))
		vm_break(vm, "the keeper has lost its pidfd");
	else if (vm_watch_process(vm))
		vm_break(vm, "its process can't be watched");
	if (!bells_adopted(vm->dom->bells))
		vm_break(vm, "the keeper has lost the bells of the domain");
	vm_cpu_find(vm);
	log_info("VM adopted domain=%s vm=%s slot=%u pid=%d state=%s",
		 vm->dom->name, vm->led.name, vm->slot, vm->led.pid,
		 vm_state_name(vm));
}

/*
 * Sockets that were kept, and no VM of the ledger's has.  keeper_drop_rest()
 * closes them; a QEMU that was told nothing yet would spin at that, and one
 * that was told everything finds this to be nobody's id.
 */
static void refuse_rest(const struct domain *d)
{
	const struct keeper_fd *list;
	char prefix[STATE_KEEP_MAX];
	size_t n = keeper_inherited(d->sh->keeper, &list);

	snprintf(prefix, sizeof(prefix), "%s/vm/", d->name);
	for (size_t i = 0; i < n; i++) {
		const char *what = strrchr(list[i].name, '/');

		if (strncmp(list[i].name, prefix, strlen(prefix)) == 0 &&
		    (strcmp(what + 1, vm_line_name[VM_POOL]) == 0 ||
		     strcmp(what + 1, vm_line_name[VM_CONTROL]) == 0))
			ivshmem_refuse(list[i].fd);
	}
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
	refuse_rest(d);
}
