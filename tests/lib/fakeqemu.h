/* SPDX-License-Identifier: MIT */
/*
 * fakeqemu.h - the ivshmem-doorbell device of a QEMU, without the QEMU
 *
 * It reads what a server says as QEMU does, but where QEMU would spin, crash
 * or corrupt its heap it returns an error or counts.  With the memory and the
 * eventfds in hand a test plays the VM itself: what a guest writes to the
 * doorbell register is fakeqemu_ring(), an MSI-X that arrives is
 * fakeqemu_wait().
 *
 * One thread per device.
 */
#ifndef TESTS_FAKEQEMU_H
#define TESTS_FAKEQEMU_H

#include <stddef.h>
#include <stdint.h>

#define FAKEQEMU_PEERS		64u
#define FAKEQEMU_VECTORS	64u

struct fakeqemu {
	int sock;			/* -1: not connected */
	unsigned int want;		/* -device ivshmem-doorbell,vectors= */
	unsigned int got;		/* messages, whole */

	int64_t version;		/* -1: none came */
	uint32_t id;			/* IVPosition */
	int memory;			/* -1: none came */
	int bell[FAKEQEMU_PEERS][FAKEQEMU_VECTORS];	/* -1: none */
	unsigned int bells[FAKEQEMU_PEERS];		/* announced */

	unsigned int leaves;		/* ids without an fd: each one of them
					 * costs a QEMU its heap */
	void *map;			/* fakeqemu_map() */
	size_t bytes;
};

void fakeqemu_init(struct fakeqemu *q, unsigned int vectors);
/* What QEMU's exit does; may be called twice. */
void fakeqemu_close(struct fakeqemu *q);

/**
 * fakeqemu_connect() - Connect, and read until all own vectors are there
 * @timeout_ms:	For the whole of it; ends what hangs
 *
 * Return: 0 on success, negative error code otherwise
 *	-EPROTONOSUPPORT	refused, by the version in q->version
 *	-EPIPE		the server hung up before all was said (QEMU would
 *			spin, if the memory is missing)
 *	-EPROTO		a message that QEMU rejects
 *	-ETIMEDOUT, or -errno of connecting and reading
 */
int fakeqemu_connect(struct fakeqemu *q, const char *path, int timeout_ms);

/* The same with a connected socket, which becomes the device's. */
int fakeqemu_handshake(struct fakeqemu *q, int sock, int timeout_ms);

/**
 * fakeqemu_pump() - Read what the server has said since
 *
 * A good server says nothing: compare q->got before and after.
 *
 * Return: 0, -EPIPE (it hung up), -EPROTO, -errno
 */
int fakeqemu_pump(struct fakeqemu *q);

/* BAR2; NULL if it can't be mapped. */
void *fakeqemu_map(struct fakeqemu *q, size_t *bytes);

/* A write of peer << 16 | vector to the doorbell: 0; -ENOENT: QEMU ignores it,
 * nobody was announced there; -EAGAIN: the counter is full. */
int fakeqemu_ring(struct fakeqemu *q, uint32_t peer, uint32_t vector);

/* The eventfd of an own vector, for a poll set; -1. */
int fakeqemu_vector(const struct fakeqemu *q, uint32_t vector);

/* Wait until @vector is raised; like QEMU, empty its counter.  The counter,
 * or -ETIMEDOUT, -ENOENT. */
int64_t fakeqemu_wait(struct fakeqemu *q, uint32_t vector, int timeout_ms);

#endif /* TESTS_FAKEQEMU_H */
