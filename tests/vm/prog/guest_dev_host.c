/* SPDX-License-Identifier: MIT */
/*
 * guest_dev_host.c - the host of guest_dev: two sockets, a pool, answers
 *
 *     guest_dev_host FOLDER MIB
 *
 * Makes FOLDER/default.ivshmem.sock, default.control.sock and default.pool (for
 * an nvdimm), says "ready", and answers until it is killed.
 */

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/fakehost.h"
#include "tests/vm/prog/guest_dev.h"

static struct fakehost host;

static void link_as(const char *folder, const char *name, const char *target)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/default.%s", folder, name);
	if (symlink(target, path) < 0) {
		perror(path);
		exit(1);
	}
}

static _Atomic uint64_t *word(uint64_t at)
{
	return (_Atomic uint64_t *)(void *)(host.mem[FAKEHOST_POOL] + at);
}

static void ring(int device, uint32_t vector)
{
	uint64_t one = 1;

	(void)!write(fakehost_bell(&host, device, FAKEHOST_SLOT, vector), &one,
		     sizeof(one));
}

static void answer(uint32_t v)
{
	uint64_t n;

	if (read(fakehost_bell(&host, FAKEHOST_POOL, 0, v), &n, sizeof(n)) !=
	    sizeof(n))
		return;
	atomic_store(word(ECHO_TO), atomic_load(word(ECHO_FROM)));
	atomic_fetch_add(word(COUNT + 8 * v), n);
	ring(FAKEHOST_POOL, v);
}

int main(int argc, char **argv)
{
	struct pollfd p[FAKEHOST_VECTORS + 1];
	char pool[64];
	uint64_t n;

	if (argc != 3)
		return 2;
	fakehost_open_of(&host, strtoull(argv[2], NULL, 10) << 20);
	snprintf(pool, sizeof(pool), "/proc/%d/fd/%d", getpid(),
		 host.memory[FAKEHOST_POOL]);
	link_as(argv[1], "ivshmem.sock", host.path[FAKEHOST_POOL]);
	link_as(argv[1], "control.sock", host.path[FAKEHOST_CONTROL]);
	link_as(argv[1], "pool", pool);
	for (uint32_t v = 0; v < FAKEHOST_VECTORS; v++)
		p[v] = (struct pollfd){ .fd = fakehost_bell(&host, 0, 0, v),
					.events = POLLIN };
	p[FAKEHOST_VECTORS] = (struct pollfd){
		.fd = fakehost_bell(&host, 1, 0, 0), .events = POLLIN
	};
	puts("ready");
	fflush(stdout);
	while (poll(p, FAKEHOST_VECTORS + 1, -1) >= 0) {
		for (uint32_t v = 0; v < FAKEHOST_VECTORS; v++)
			if (p[v].revents)
				answer(v);
		if (p[FAKEHOST_VECTORS].revents &&
		    read(p[FAKEHOST_VECTORS].fd, &n, sizeof(n)) == sizeof(n))
			ring(FAKEHOST_CONTROL, 0);
	}
	return 1;
}
