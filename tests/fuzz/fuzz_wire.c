/* SPDX-License-Identifier: MIT */
/*
 * fuzz_wire.c - any messages, from four connections, to a daemon
 *
 * The input is a list of steps: which connection, what it does (connect, hang
 * up, a proper HELLO, PINNED, a message of the input's bytes with or without
 * a proper head), then the bytes.  Afterwards, with everybody gone, no rank,
 * job or byte of the arena may be left, and a decent rank must be able to join.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/home.h"

#define PEERS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct home home;
static uint64_t all_bytes;

/* The fuzzer ends by exit(). */
static void leave_home(void)
{
	home_close(&home);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (home_open(&home, NULL))
		abort();
	atexit(leave_home);
	all_bytes = arena_free_bytes(home.d->arena);
	return 0;
}

enum step {
	STEP_CONNECT,
	STEP_CLOSE,
	STEP_HELLO,
	STEP_PINNED,
	STEP_READ,
	STEP_HEAD,   /* the bytes behind a head that fits them */
	STEP_SPOILT, /* a HELLO with bytes of the input in it */
	STEP_RAW,
};

static void hello(struct fakerank *f, uint8_t how, const uint8_t *data,
		  size_t n, bool spoil)
{
	struct snoo_wire_hello h;

	fakerank_hello_init(&h, how & 1 ? "a" : "b", how >> 4 & 1, -1,
			    how >> 1 & 3);
	if (spoil && n > 1)
		memcpy((unsigned char *)&h + data[0] % (sizeof(h) - 8),
		       data + 1, n - 1 < 8 ? n - 1 : 8);
	fakerank_send(f, &h, sizeof(h));
}

static void with_head(struct fakerank *f, uint8_t type, const uint8_t *data,
		      size_t n)
{
	union {
		struct snoo_wire_head head;
		unsigned char bytes[8 + 255];
	} m = { .head = { type & 15, (uint32_t)(8 + n) } };

	memcpy(m.bytes + 8, data, n);
	fakerank_send(f, &m, 8 + n);
}

static void take(struct fakerank *f, enum step step, uint8_t how,
		 const uint8_t *data, size_t n)
{
	if (step == STEP_CLOSE) {
		fakerank_close(f);
		return;
	}
	if (f->fd < 0 && fakerank_connect(f, home.path))
		abort();
	switch (step) {
	case STEP_CONNECT:
	case STEP_CLOSE:
		break;
	case STEP_HELLO:
		hello(f, how, data, n, false);
		break;
	case STEP_SPOILT:
		hello(f, how, data, n, true);
		break;
	case STEP_PINNED:
		fakerank_pinned(f);
		break;
	case STEP_READ:
		while (fakerank_recv(f, false) > 0)
			;
		break;
	case STEP_HEAD:
		with_head(f, how, data, n);
		break;
	case STEP_RAW:
		fakerank_send(f, data, n);
		break;
	}
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
	struct fakerank peer[PEERS];

	for (int i = 0; i < PEERS; i++)
		home_rank(&home, &peer[i]);
	/* A step: connection and kind, how, length, bytes. */
	for (size_t at = 0; at + 3 <= size;) {
		uint8_t what = data[at], how = data[at + 1];
		size_t n = data[at + 2];

		at += 3;
		if (n > size - at)
			n = size - at;
		take(&peer[what >> 3 & 3], what & 7, how, data + at, n);
		at += n;
		home_step(&home);
	}
	for (int i = 0; i < PEERS; i++)
		fakerank_close(&peer[i]);
	afterwards();
	return 0;
}
