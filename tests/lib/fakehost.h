/* SPDX-License-Identifier: MIT */
/*
 * fakehost.h - the host's end of a VM's two ivshmem sockets, in the test
 *
 * A server of static slots in a thread: memory with the heads that a guest
 * looks for, eventfds of all slots.  `script` replaces its greeting on one of
 * the sockets by what the test wants a guest to hear.
 */
#ifndef TESTS_FAKEHOST_H
#define TESTS_FAKEHOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FAKEHOST_POOL		0
#define FAKEHOST_CONTROL	1
#define FAKEHOST_SLOTS		4u	/* announced, with the guest's own */
#define FAKEHOST_VECTORS	3u	/* of the pool device */
#define FAKEHOST_SLOT		2u	/* that a guest gets */
#define FAKEHOST_POOL_BYTES	(UINT64_C(8) << 20)

/* One message of a script. */
struct fakehost_say {
	int64_t value;
	unsigned int fds;		/* eventfds that go with it */
	bool memory;			/* an fd of the memory goes with it */
};

struct fakehost {
	char dir[64];
	char path[2][96];
	int listener[2];
	int memory[2];
	unsigned char *mem[2];
	uint64_t bytes[2];
	int bell[2][FAKEHOST_SLOTS][FAKEHOST_VECTORS];
	pthread_t thread;
	int stop[2];			/* a pipe that ends the thread */

	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t changed;
	unsigned int greeted[2];	/* connections so far */
	int sock[2];			/* the last ones */
	pid_t pid[2];			/* who made them */

	/* Instead of the greeting: fakehost_script(). */
	const struct fakehost_say *script[2];
	size_t nscript[2];
};

void fakehost_open(struct fakehost *h);
/* The same, with a pool of another size. */
void fakehost_open_of(struct fakehost *h, uint64_t pool_bytes);
void fakehost_close(struct fakehost *h);

/* Until so many connections were greeted on both sockets. */
void fakehost_wait(struct fakehost *h, unsigned int n);

/* Who made the last connection; how many there were; hang up on it. */
pid_t fakehost_pid(struct fakehost *h, int device);
unsigned int fakehost_greeted(struct fakehost *h, int device);
void fakehost_hang_up(struct fakehost *h, int device);
/* Does the guest hang up, within ten seconds? */
bool fakehost_ended(struct fakehost *h, int device);

/* What the next guest hears on that device; NULL: the greeting. */
void fakehost_script(struct fakehost *h, int device,
		     const struct fakehost_say *script, size_t n);

/* The guest's slot rings, or is rung: the eventfd. */
int fakehost_bell(const struct fakehost *h, int device, uint32_t slot,
		  uint32_t vector);

#endif /* TESTS_FAKEHOST_H */
