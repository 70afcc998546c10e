/* SPDX-License-Identifier: MIT */
/*
 * vm.c - the VM slots of a domain: who comes, who is who, who is gone
 */
#include "daemon/vm.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/bells.h"
#include "daemon/control.h"
#include "daemon/ivshmem.h"
#include "daemon/log.h"
#include "daemon/vm_cpu.h"
#include "daemon/vm_name.h"
#include "shm/testpoint.h"

#define KEEPER_WAIT_MS	2000

const char *const vm_line_name[VM_LINES] = {
	[VM_POOL] = "pool", [VM_CONTROL] = "control",
};

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

int vm_take_kept(const struct vm *vm, const char *what)
{
	char name[STATE_KEEP_MAX];

	return keeper_take(vm->dom->sh->keeper, kept(name, vm, what));
}

/* ---- the end ---- */

void vm_on_work(void *arg)
{
	struct vm *vm = arg;

	if (vm->broken[0])
		vm_end(vm, vm->broken);
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
		forget(vm, vm_line_name[kind]);
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

void vm_hang_up(struct vm *vm, bool let_go)
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
	vm_hang_up(vm, false);
	bells_drain(vm->dom->bells, vm->slot);
	vm->led = free_cell;
	vm_put(vm);
	SNOO_TESTPOINT("daemon_vm_freed");
}

/* ---- watching ---- */

/*
 * QEMU never says a word: this is its end.  Somebody who does talk, and faster
 * than we read, has a piece read in each turn and no more.
 */
static void on_line(void *arg, unsigned int events)
{
	struct vm_line *l = arg;
	char rest[4096];
	ssize_t n = recv(l->fd, rest, sizeof(rest), MSG_DONTWAIT);

	(void)events;
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
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

int vm_watch_line(struct vm *vm, enum vm_line_kind kind, int fd)
{
	struct vm_line *l = &vm->line[kind];
	int ret = loop_watch(&l->watch, vm->dom->sh->loop, fd, LOOP_READ,
			     on_line, l);

	if (ret == 0)
		l->fd = fd;
	return ret;
}

int vm_watch_process(struct vm *vm)
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

/*
 * Slots are few, and half a VM is no VM: the oldest that has been one for
 * longer than a handshake may last gives its slot up.
 */
static void make_room(struct domain *d)
{
	uint64_t since = (uint64_t)d->sh->conf->limits.handshake_ms * 1000000;
	uint64_t now = wall_ns();
	struct vm *oldest = NULL;

	for (uint32_t i = 1; i < d->slots; i++) {
		struct vm *vm = d->vm[i];

		if (vm->led.state == LEDGER_VM_HALF && !vm->broken[0] &&
		    now - vm->led.attached_ns > since &&
		    (!oldest || vm->led.serial < oldest->led.serial))
			oldest = vm;
	}
	if (oldest)
		vm_end(oldest, "only one of its two devices has come, and "
			       "another VM needs the slot");
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
	int ret = keep(vm, vm_line_name[kind], fd);

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

	forget(vm, vm_line_name[kind]);
	if (vm->led.state != LEDGER_VM_FREE)
		return;
	vm_hang_up(vm, false);
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
		ret = vm_watch_line(vm, kind, fd);
	if (ret == 0 && fresh)
		ret = vm_watch_process(vm);
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
		 vm->led.pid, vm->led.uid, vm_line_name[kind]);
	return 0;
}

static int not_this_one(const struct domain *d, const struct who *who,
			enum vm_line_kind kind, const char *why)
{
	log_warn("VM refused domain=%s device=%s pid=%d uid=%u reason=\"%s\"",
		 d->name, vm_line_name[kind], (int)who->pid, who->uid, why);
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

int vm_connected(struct domain *d, int fd, enum vm_line_kind kind)
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
			make_room(d);
			vm = pick(d, &who, kind);
		}
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
