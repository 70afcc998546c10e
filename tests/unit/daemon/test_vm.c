/* SPDX-License-Identifier: MIT */
/* test_vm.c - VM slots: pairs, names, refusals, ends, reuse */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/bells.h"
#include "daemon/toll.h"
#include "daemon/control.h"
#include "daemon/ivshmem.h"
#include "daemon/nvdimm.h"
#include "daemon/vm.h"
#include "daemon/vm_cpu.h"
#include "daemon/vm_name.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/home.h"

static const char *const sets[] = {
	"domains.default.ivshmem.slots=3",
	"domains.default.ivshmem.vectors=4",
	NULL,
};

static int setup(void **state)
{
	struct home *h = malloc(sizeof(*h));

	*state = h;
	return home_open(h, sets);
}

static int teardown(void **state)
{
	home_close(*state);
	free(*state);
	return 0;
}

static const char *pool_path(const struct home *h)
{
	return h->d->conf->ivshmem.socket.path;
}

static const char *control_path(const struct home *h)
{
	return h->d->conf->ivshmem.control_path;
}

static void attach(struct home *h, struct fakevm *v)
{
	fakevm_init(v, home_step, h);
	assert_int_equal(fakevm_attach(v, pool_path(h), control_path(h)), 0);
}

static void live(struct home *h, struct fakevm *v)
{
	attach(h, v);
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
}

static uint32_t state_of(const struct home *h, uint32_t slot)
{
	struct ledger_vm led;

	/* As the next daemon would read it. */
	ledger_get_vm(h->d->ledger, slot - 1, &led);
	assert_memory_equal(&led, &h->d->vm[slot]->led, sizeof(led));
	return led.state;
}

static void test_a_domain_without_vms_has_no_sockets(void **state)
{
	static const char *const none[] = {
		"domains.default.ivshmem.slots=1", NULL,
	};
	struct home h;

	(void)state;
	assert_int_equal(home_open(&h, none), 0);
	assert_null(h.d->bells);
	assert_int_equal(h.d->slots, 1);
	assert_int_not_equal(access(pool_path(&h), F_OK), 0);
	assert_int_not_equal(access(control_path(&h), F_OK), 0);
	home_close(&h);
}

static void test_both_sockets_have_the_mode_of_the_file(void **state)
{
	struct home *h = *state;
	struct stat a, b;

	assert_int_equal(stat(pool_path(h), &a), 0);
	assert_int_equal(stat(control_path(h), &b), 0);
	assert_int_equal(a.st_mode & 07777, 0660);
	assert_int_equal(b.st_mode & 07777, 0660);
}

static void test_two_connections_of_a_process_are_one_vm(void **state)
{
	struct home *h = *state;
	struct fakevm v;
	size_t bytes;

	fakevm_init(&v, home_step, h);
	assert_int_equal(fakevm_plug(&v, &v.pool, pool_path(h)), 0);
	assert_int_equal(v.pool.id, 1);
	assert_int_equal(state_of(h, 1), LEDGER_VM_HALF);
	assert_int_equal(fakevm_plug(&v, &v.control, control_path(h)), 0);
	assert_int_equal(v.control.id, 1);
	assert_int_equal(state_of(h, 1), LEDGER_VM_ATTACHED);
	assert_int_equal(state_of(h, 2), LEDGER_VM_FREE);
	/* The pool is the domain's, control memory is its own. */
	assert_non_null(fakeqemu_map(&v.pool, &bytes));
	assert_int_equal(bytes, h->d->pool.region.size);
	assert_non_null(fakeqemu_map(&v.control, &bytes));
	assert_int_equal(bytes, SNOO_CTL_BYTES);
	/* Of control it knows itself and the host. */
	assert_int_equal(v.control.bells[0], 1);
	assert_int_equal(v.control.bells[1], 1);
	assert_int_equal(v.control.bells[2], 0);
	fakevm_close(&v);
	home_settle(h);
	assert_int_equal(state_of(h, 1), LEDGER_VM_FREE);
}

static void test_a_vm_that_comes_finds_the_info_block_whole(void **state)
{
	struct home *h = *state;
	struct nvdimm_info want, got;
	struct fakevm v;
	int fd = h->d->pool.fd;

	nvdimm_fill(&want, "default", h->d->pool.region.size);
	assert_int_equal(pread(fd, &got, sizeof(got), NVDIMM_OFFSET),
			 sizeof(got));
	assert_memory_equal(&got, &want, sizeof(got));
	assert_int_equal(pwrite(fd, "spoilt", 6, NVDIMM_OFFSET + 100), 6);
	attach(h, &v);
	assert_int_equal(pread(fd, &got, sizeof(got), NVDIMM_OFFSET),
			 sizeof(got));
	assert_memory_equal(&got, &want, sizeof(got));
	fakevm_close(&v);
}

static void test_control_may_come_first(void **state)
{
	struct home *h = *state;
	struct fakevm v;

	fakevm_init(&v, home_step, h);
	assert_int_equal(fakevm_plug(&v, &v.control, control_path(h)), 0);
	assert_int_equal(state_of(h, 1), LEDGER_VM_HALF);
	assert_int_equal(fakevm_plug(&v, &v.pool, pool_path(h)), 0);
	assert_int_equal(v.pool.id, v.control.id);
	assert_int_equal(state_of(h, 1), LEDGER_VM_ATTACHED);
	fakevm_close(&v);
}

/* A launcher's VMs are its own process, one after the other. */
static void test_a_complete_pair_begins_another_vm(void **state)
{
	struct home *h = *state;
	struct fakevm a, b;

	attach(h, &a);
	attach(h, &b);
	assert_int_equal(a.pool.id, 1);
	assert_int_equal(b.pool.id, 2);
	assert_int_equal(b.control.id, 2);
	assert_int_not_equal(h->d->vm[1]->memory, h->d->vm[2]->memory);
	fakevm_close(&a);
	fakevm_close(&b);
}

/* What a second process does must not complete the first one's half. */
static void test_halves_of_two_processes_do_not_meet(void **state)
{
	struct home *h = *state;
	struct fakevm a, b;
	int up[2], down[2], status;
	uint32_t id = 0;
	pid_t pid;

	fakevm_init(&a, home_step, h);
	assert_int_equal(fakevm_plug(&a, &a.pool, pool_path(h)), 0);
	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fakevm_init(&b, NULL, NULL);
		if (fakevm_plug(&b, &b.control, control_path(h)))
			_exit(1);
		if (write(up[1], &b.control.id, 4) != 4)
			_exit(2);
		(void)!read(down[0], &id, 1);
		_exit(0);
	}
	for (int i = 0; i < 500 && state_of(h, 2) == LEDGER_VM_FREE; i++) {
		usleep(2000);
		home_step(h);
	}
	assert_int_equal(read(up[0], &id, 4), 4);
	assert_int_equal(id, 2);
	assert_int_equal(state_of(h, 1), LEDGER_VM_HALF);
	assert_int_equal(state_of(h, 2), LEDGER_VM_HALF);
	/* Its end is seen, by the socket or the pidfd. */
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	home_settle(h);
	assert_int_equal(state_of(h, 2), LEDGER_VM_FREE);
	assert_int_equal(state_of(h, 1), LEDGER_VM_HALF);
	fakevm_close(&a);
	close(up[0]);
	close(up[1]);
	close(down[0]);
	close(down[1]);
}

static void test_a_full_domain_refuses_by_a_wrong_version(void **state)
{
	struct home *h = *state;
	struct fakevm v[3];

	attach(h, &v[0]);
	attach(h, &v[1]);
	fakevm_init(&v[2], home_step, h);
	assert_int_equal(fakevm_plug(&v[2], &v[2].pool, pool_path(h)),
			 -EPROTONOSUPPORT);
	assert_int_equal(v[2].pool.version, IVSHMEM_REFUSAL);
	assert_int_equal(v[2].pool.memory, -1);
	/* The others do not notice. */
	assert_int_equal(fakevm_hello(&v[0], NULL), SNOO_CTL_WELCOME);
	assert_int_equal(fakevm_hello(&v[1], NULL), SNOO_CTL_WELCOME);
	/* A slot that is free again is given out again. */
	fakevm_close(&v[0]);
	home_settle(h);
	fakevm_close(&v[2]);
	live(h, &v[2]);
	assert_int_equal(v[2].pool.id, 1);
	assert_int_equal(state_of(h, 1), LEDGER_VM_LIVE);
	assert_int_equal(h->d->vm[1]->led.instance, 2);
	fakevm_close(&v[1]);
	fakevm_close(&v[2]);
}

/* Halves that nobody completes do not keep the slots. */
static void test_an_old_half_gives_way_when_slots_are_taken(void **state)
{
	struct home *h = *state;
	struct fakevm half, whole, next;

	h->sh.conf->limits.handshake_ms = 600000;
	live(h, &whole);
	fakevm_init(&half, home_step, h);
	assert_int_equal(fakevm_plug(&half, &half.pool, pool_path(h)), 0);
	fakevm_init(&next, home_step, h);
	assert_int_equal(fakevm_plug(&next, &next.pool, pool_path(h)),
			 -EPROTONOSUPPORT);
	fakevm_close(&next);
	assert_int_equal(state_of(h, 2), LEDGER_VM_HALF);
	/* Its time is up, but only now does somebody want the slot. */
	h->sh.conf->limits.handshake_ms = 0;
	home_settle(h);
	assert_int_equal(state_of(h, 2), LEDGER_VM_HALF);
	live(h, &next);
	assert_int_equal(next.pool.id, 2);
	assert_int_equal(state_of(h, 1), LEDGER_VM_LIVE);
	fakevm_close(&half);
	home_settle(h);
	assert_int_equal(state_of(h, 2), LEDGER_VM_LIVE);
	fakevm_close(&whole);
	fakevm_close(&next);
}

/* QEMU dies of a second word: nothing is ever said after the handshake. */
static void test_others_are_never_told_who_comes_and_goes(void **state)
{
	struct home *h = *state;
	struct fakevm a, b;
	unsigned int said;

	live(h, &a);
	said = a.pool.got;
	for (int i = 0; i < 4; i++) {
		live(h, &b);
		fakevm_close(&b);
		home_settle(h);
	}
	assert_int_equal(fakeqemu_pump(&a.pool), 0);
	assert_int_equal(fakeqemu_pump(&a.control), 0);
	assert_int_equal(a.pool.got, said);
	assert_int_equal(a.pool.leaves, 0);
	fakevm_close(&a);
}

/* What was rung for the last VM of a slot does not wake the next. */
static void test_bells_are_drained_when_a_slot_is_reused(void **state)
{
	struct home *h = *state;
	struct fakevm a, b;

	live(h, &a);
	live(h, &b);
	for (uint32_t v = 0; v < 4; v++) {
		assert_int_equal(fakeqemu_ring(&b.pool, 1, v), 0);
		assert_int_equal(fakeqemu_ring(&a.pool, 0, v), 0);
	}
	fakevm_close(&a);
	home_settle(h);
	live(h, &a);
	assert_int_equal(a.pool.id, 1);
	for (uint32_t v = 0; v < 4; v++) {
		assert_int_equal(fakeqemu_wait(&a.pool, v, 0), -ETIMEDOUT);
		assert_int_equal(toll_take(bells_fd(h->d->bells, 1, 0, v)),
				 0);
	}
	fakevm_close(&a);
	fakevm_close(&b);
}

static void test_either_end_of_a_device_ends_the_vm(void **state)
{
	struct home *h = *state;
	struct fakevm v;

	live(h, &v);
	fakeqemu_close(&v.control);
	home_settle(h);
	assert_int_equal(state_of(h, 1), LEDGER_VM_FREE);
	/* The other device is hung up on. */
	assert_int_equal(fakeqemu_pump(&v.pool), -EPIPE);
	fakevm_close(&v);

	live(h, &v);
	fakeqemu_close(&v.pool);
	home_settle(h);
	assert_int_equal(state_of(h, v.control.id), LEDGER_VM_FREE);
	assert_int_equal(fakeqemu_pump(&v.control), -EPIPE);
	fakevm_close(&v);
}

/* ---- ranks of a VM that ends ---- */

/* No QEMU says a word; who talks without end must not have the loop. */
static void test_a_qemu_that_talks_is_read_a_piece_at_a_time(void **state)
{
	struct home *h = *state;
	static const char talk[65536];
	struct fakevm v;
	int left;

	attach(h, &v);
	home_settle(h);
	assert_int_equal(send(v.pool.sock, talk, sizeof(talk), MSG_DONTWAIT),
			 sizeof(talk));
	home_step(h);
	assert_int_equal(ioctl(h->d->vm[1]->line[VM_POOL].fd, FIONREAD, &left),
			 0);
	assert_true(left > 0 && left < (int)sizeof(talk));
	home_settle(h);
	assert_int_equal(state_of(h, 1), LEDGER_VM_ATTACHED);
	/* Its end is noticed behind all that. */
	assert_int_equal(send(v.pool.sock, talk, sizeof(talk), MSG_DONTWAIT),
			 sizeof(talk));
	fakevm_close(&v);
	home_settle(h);
	assert_int_equal(state_of(h, 1), LEDGER_VM_FREE);
}

static void test_the_ranks_of_a_vm_die_with_it(void **state)
{
	struct home *h = *state;
	struct fakerank f;
	struct fakevm v;

	live(h, &v);
	home_rank(h, &f);
	assert_int_equal(fakerank_attach(&f, h->path, "mixed", 1, 0, 2), 0);
	assert_int_equal(fakevm_rank(&v, 1, 0, "mixed", 1, 1, 2), 0);
	assert_int_equal(fakerank_until(&f, SNOO_WIRE_START),
			 SNOO_WIRE_START);
	fakevm_close(&v);
	assert_int_equal(fakerank_until(&f, SNOO_WIRE_GONE), SNOO_WIRE_GONE);
	assert_int_equal(f.gone.rank, 1);
	assert_int_equal(f.gone.state, SNOO_ABI_DEAD);
	/* "QEMU" is this process and lives: the slot is kept for that long. */
	assert_int_equal(fakerank_ack(&f, f.seen_gone), 0);
	home_settle(h);
	assert_int_equal(h->d->ranks, 2);
	home_bury(h);
	assert_int_equal(h->d->ranks, 1);
	assert_int_equal(fakerank_leave(&f), 0);
	fakerank_close(&f);
	home_bury(h);
	assert_int_equal(h->d->ranks, 0);
	assert_int_equal(h->d->jobs, 0);
}

static void dial_or_die(int fd, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strcpy(addr.sun_path, path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		_exit(1);
}

/* A child connects both sockets, which are ours too: 0 it ends at @end. */
static pid_t launcher(const struct home *h, const int fd[2], int end)
{
	pid_t pid = fork();
	char c;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dial_or_die(fd[0], pool_path(h));
	dial_or_die(fd[1], control_path(h));
	_exit(read(end, &c, 1) == 1 ? 0 : 1);
}

/* It passes both sockets on and ends: that is no death. */
static void test_a_launcher_that_ends_is_no_death(void **state)
{
	struct home *h = *state;
	struct fakevm v;
	int fd[2], end[2], status;
	struct vm *vm = h->d->vm[1];
	pid_t pid;

	for (int i = 0; i < 2; i++)
		fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(pipe(end), 0);
	fakevm_init(&v, home_step, h);
	pid = launcher(h, fd, end[0]);
	for (int i = 0; i < 500 && vm->led.state != LEDGER_VM_ATTACHED; i++) {
		usleep(2000);
		home_step(h);
	}
	assert_int_equal(vm->led.pid, pid);
	assert_int_equal(fakeqemu_handshake(&v.pool, fd[0], 1000), 0);
	assert_int_equal(fakeqemu_handshake(&v.control, fd[1], 1000), 0);
	assert_int_equal(write(end[1], "y", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	home_settle(h);
	assert_int_equal(state_of(h, 1), LEDGER_VM_ATTACHED);
	assert_true(vm->led.flags & VM_LAUNCHED);
	assert_int_equal(vm->pidfd, -1);
	/* From here on the sockets alone say when it ends. */
	fakevm_close(&v);
	home_settle(h);
	assert_int_equal(state_of(h, 1), LEDGER_VM_FREE);
	close(end[0]);
	close(end[1]);
}

/* ---- names ---- */

static void expect_name(const char *line, size_t len, const char *name)
{
	char got[CONF_NAME_MAX + 1] = "";
	int ret = vm_name_of(line, len, got);

	if (!name) {
		assert_int_equal(ret, -ENOENT);
		return;
	}
	assert_int_equal(ret, 0);
	assert_string_equal(got, name);
}

#define LINE(text)	text, sizeof(text) - 1

static void test_the_name_is_qemus(void **state)
{
	char big[300];

	(void)state;
	expect_name(LINE("qemu\0-m\0" "1G\0-name\0alice\0-S\0"), "alice");
	expect_name(LINE("qemu\0-name\0guest=bob,debug-threads=on\0"), "bob");
	expect_name(LINE("qemu\0-name\0debug-threads=on,guest=eve\0"), "eve");
	expect_name(LINE("qemu\0--name\0carol,process=x\0"), "carol");
	expect_name(LINE("qemu\0-m\0" "1G\0"), NULL);
	expect_name(LINE("qemu\0-name\0"), NULL);
	expect_name(LINE("qemu\0-name\0dave"), NULL);	/* cut off */
	expect_name(LINE("qemu\0-name\0process=x\0"), NULL);
	expect_name(LINE("qemu\0-name\0a b\0"), NULL);
	expect_name(LINE("qemu\0-name\0../x\0"), NULL);
	expect_name(LINE("qemu\0-name\0guest=\0"), NULL);
	expect_name(LINE("qemu\0-name\0\0"), NULL);
	expect_name("", 0, NULL);
	memset(big, 'a', sizeof(big));
	memcpy(big, "q\0-name", 8);
	big[sizeof(big) - 1] = '\0';
	expect_name(big, sizeof(big), NULL);
}

static void test_a_vm_without_a_name_is_called_by_its_slot(void **state)
{
	struct home *h = *state;
	struct fakevm a, b;

	live(h, &a);
	live(h, &b);
	assert_string_equal(a.welcome.name, "vm-1");
	assert_string_equal(b.welcome.name, "vm-2");
	assert_ptr_equal(vm_find(h->d, "vm-2"), h->d->vm[2]);
	assert_ptr_equal(vm_find(h->d, "1"), h->d->vm[1]);
	assert_null(vm_find(h->d, "vm-3"));
	assert_null(vm_find(h->d, "0"));
	assert_null(vm_find(h->d, "3"));
	fakevm_close(&a);
	home_settle(h);
	assert_null(vm_find(h->d, "vm-1"));
	fakevm_close(&b);
}

/* ---- vCPUs ---- */

static int named;			/* a byte for each thread that is */

static void *sleep_as(void *name)
{
	prctl(PR_SET_NAME, name);
	if (write(named, "y", 1) == 1)
		pause();
	return NULL;
}

/* A process with threads of QEMU's names. */
static pid_t threads_of_qemu(void)
{
	static char names[3][16] = { "CPU 0/TCG", "CPU 1/KVM", "CPU 9/KVM" };
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		close(ready[1]);
		for (int i = 0; i < 3; i++)
			assert_int_equal(read(ready[0], &c, 1), 1);
		close(ready[0]);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	named = ready[1];
	for (int i = 0; i < 3; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, sleep_as, names[i]))
			_exit(1);
	}
	pause();
	_exit(0);
}

static void test_a_pinned_vcpu_is_where_its_rank_sits(void **state)
{
#if defined(__SANITIZE_THREAD__)
	print_message("ThreadSanitizer starts no threads after a fork\n");
	skip();
#endif
	struct home *h = *state;
	struct fakevm v;
	struct vm *vm;
	pid_t qemu = threads_of_qemu(), other;
	struct topo_set set;
	unsigned int cpu;
	struct rank *r;

	live(h, &v);
	vm = h->d->vm[1];
	vm->led.pid = qemu;
	((struct conf_domain *)h->d->conf)->ivshmem.pin_vcpus = true;
	vm_cpu_reload(h->d);
	assert_int_equal(vm->nvcpu, 4);
	assert_true(vm->vcpu[0].tid > 0 && vm->vcpu[1].tid > 0);
	assert_int_equal(vm->vcpu[2].tid, 0);
	assert_true(vm->vcpu[0].seated && vm->vcpu[1].seated);
	assert_true(vm->led.flags & VM_PINNED);
	cpu = (unsigned int)vm->vcpu[1].seat.cpu;
	assert_int_equal(place_total(h->sh.place), 2);

	/* Two ranks on one vCPU share it; they take no seat of their own. */
	assert_int_equal(fakevm_rank(&v, 1, 1, "j", 0, 0, 2), 0);
	assert_int_equal(fakevm_rank(&v, 2, 1, "j", 0, 1, 2), 0);
	home_settle(h);
	assert_int_equal(v.rank[1].welcome.core, 1);
	assert_int_equal(v.rank[1].welcome.cores, 4);
	assert_int_equal(place_total(h->sh.place), 2);
	r = h->d->rank[v.rank[2].welcome.slot];
	assert_int_equal(r->led.core, cpu);
	assert_int_equal(r->led.vcpu, 1);
	assert_int_equal(shm_region_rank(&h->d->pool.region, r->slot)->sharers,
			 2);
	fakevm_send(&v, SNOO_CTL_CLOSED, 1, NULL, 0);
	home_settle(h);
	assert_int_equal(shm_region_rank(&h->d->pool.region, r->slot)->sharers,
			 1);

	/* A vCPU was unplugged, and its thread's number is another's now. */
	other = fork();
	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
	}
	assert_int_equal(topo_pin(other, cpu), 0);
	vm->vcpu[1].tid = other;

	((struct conf_domain *)h->d->conf)->ivshmem.pin_vcpus = false;
	vm_cpu_reload(h->d);
	assert_int_equal(place_total(h->sh.place), 0);
	assert_false(vm->led.flags & VM_PINNED);
	assert_int_equal(topo_set_of(&set, other), 0);
	assert_int_equal(topo_set_count(&set), 1);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	kill(qemu, SIGKILL);
	waitpid(qemu, NULL, 0);
	fakevm_close(&v);
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_domain_without_vms_has_no_sockets),
		TEST(test_both_sockets_have_the_mode_of_the_file),
		TEST(test_two_connections_of_a_process_are_one_vm),
		TEST(test_a_vm_that_comes_finds_the_info_block_whole),
		TEST(test_control_may_come_first),
		TEST(test_a_complete_pair_begins_another_vm),
		TEST(test_halves_of_two_processes_do_not_meet),
		TEST(test_a_full_domain_refuses_by_a_wrong_version),
		TEST(test_an_old_half_gives_way_when_slots_are_taken),
		TEST(test_others_are_never_told_who_comes_and_goes),
		TEST(test_bells_are_drained_when_a_slot_is_reused),
		TEST(test_either_end_of_a_device_ends_the_vm),
		TEST(test_a_qemu_that_talks_is_read_a_piece_at_a_time),
		TEST(test_the_ranks_of_a_vm_die_with_it),
		TEST(test_a_launcher_that_ends_is_no_death),
		cmocka_unit_test(test_the_name_is_qemus),
		TEST(test_a_vm_without_a_name_is_called_by_its_slot),
		TEST(test_a_pinned_vcpu_is_where_its_rank_sits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
