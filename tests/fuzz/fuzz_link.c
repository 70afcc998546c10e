/* SPDX-License-Identifier: MIT */
/*
 * fuzz_link.c - any frames, and any bytes in the control memory, from a VM
 *
 * A VM attaches; the input is a list of steps: a proper session, a frame of
 * any kind with the input's bytes, a rank's JOIN or message, bytes written
 * anywhere over the memory, the bell, a turn of the daemon's loop.  What comes
 * out of the ring in between is peeked as a guest would.  Nothing may crash;
 * afterwards, with the VM gone, no rank, job or byte of the arena may be left,
 * and a rank of the host must be able to join.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fakevm.h"
#include "tests/lib/home.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const char *const sets[] = {
	"domains.default.ivshmem.slots=2",
	"domains.default.ivshmem.vectors=4",
	NULL,
};

static struct home home;
static uint64_t all_bytes;
static struct fakevm vm;

/* The fuzzer ends by exit(). */
static void leave_home(void)
{
	home_close(&home);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (home_open(&home, sets))
		abort();
	atexit(leave_home);
	all_bytes = arena_free_bytes(home.d->arena);
	return 0;
}

enum step {
	STEP_SESSION,	/* ask, and HELLO and READY as they should be */
	STEP_ASK,
	STEP_FRAME,	/* type from `how`, the bytes behind it */
	STEP_JOIN,
	STEP_MSG,	/* a head that fits, the bytes behind it */
	STEP_ENDS,	/* bytes over the counters */
	STEP_RING,	/* bytes over the ring that the host reads */
	STEP_TURN,
};

/* What is there, without waiting; a hostile guest need not pop. */
static void look(void)
{
	for (int i = 0; i < 4; i++)
		if (fakevm_recv(&vm, false) < 0)
			return;
}

static void session(void)
{
	shm_link_ask(&vm.link);
	fakevm_ring(&vm);
	home_step(&home);
	if (!shm_link_accepted(&vm.link))
		return;
	fakevm_put(&vm, SNOO_CTL_HELLO, 0, &vm.hello.frame + 1,
		   sizeof(vm.hello) - sizeof(vm.hello.frame));
	fakevm_put(&vm, SNOO_CTL_READY, 0, NULL, 0);
}

static void join(uint8_t how, const uint8_t *data, size_t n)
{
	struct snoo_wire_hello h;

	fakerank_hello_init(&h, how & 1 ? "a" : "b", how >> 4 & 1, -1,
			    how >> 1 & 3);
	if (n > 1)
		memcpy((unsigned char *)&h + data[0] % (sizeof(h) - 8),
		       data + 1, n - 1 < 8 ? n - 1 : 8);
	fakevm_join(&vm, how >> 5, how & 3, &h);
}

static void msg(uint8_t how, const uint8_t *data, size_t n)
{
	union {
		struct snoo_wire_head head;
		unsigned char bytes[8 + 255];
	} m = { .head = { how & 15, (uint32_t)(8 + n) } };

	memcpy(m.bytes + 8, data, n);
	fakevm_say(&vm, how >> 5, &m, 8 + n);
}

static void spoil(size_t base, size_t room, uint8_t how, const uint8_t *data,
		  size_t n)
{
	size_t at = base + (size_t)how * 8 % room;

	if (n > SNOO_CTL_BYTES - at)
		n = SNOO_CTL_BYTES - at;
	memcpy((unsigned char *)vm.link.mem + at, data, n);
}

static void take(enum step step, uint8_t how, const uint8_t *data, size_t n)
{
	switch (step) {
	case STEP_SESSION:
		session();
		break;
	case STEP_ASK:
		shm_link_ask(&vm.link);
		break;
	case STEP_FRAME:
		fakevm_put(&vm, how & 0x10 ? how : how & 15u, how >> 5, data,
			   n);
		break;
	case STEP_JOIN:
		join(how, data, n);
		break;
	case STEP_MSG:
		msg(how, data, n);
		break;
	case STEP_ENDS:
		spoil(0x80, 0x100, how, data, n);
		break;
	case STEP_RING:
		spoil(SNOO_CTL_G2H, SNOO_CTL_RING, how, data, n);
		break;
	case STEP_TURN:
		break;
	}
	fakevm_ring(&vm);
	home_step(&home);
	look();
}

static void afterwards(void)
{
	struct fakerank f;

	home_bury(&home);
	if (home.d->lost || home.d->ranks || home.d->jobs ||
	    arena_free_bytes(home.d->arena) != all_bytes) {
		fprintf(stderr, "left behind: %u ranks, %u jobs, %llu bytes\n",
			home.d->ranks, home.d->jobs,
			(unsigned long long)(all_bytes -
					     arena_free_bytes(home.d->arena)));
		abort();
	}
	home_rank(&home, &f);
	if (fakerank_attach(&f, home.path, "decent", 0, 0, 1) ||
	    fakerank_leave(&f))
		abort();
	fakerank_close(&f);
	home_bury(&home);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct conf_domain *c = home.d->conf;

	fakevm_init(&vm, home_step, &home);
	if (fakevm_attach(&vm, c->ivshmem.socket.path,
			  c->ivshmem.control_path))
		abort();
	/* From here on the daemon is not waited for. */
	vm.pump = NULL;
	for (size_t at = 0; at + 3 <= size;) {
		uint8_t what = data[at], how = data[at + 1];
		size_t n = data[at + 2];

		at += 3;
		if (n > size - at)
			n = size - at;
		take(what & 7, how, data + at, n);
		at += n;
	}
	fakevm_close(&vm);
	afterwards();
	return 0;
}
