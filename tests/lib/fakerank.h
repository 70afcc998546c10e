/* SPDX-License-Identifier: MIT */
/*
 * fakerank.h - a rank made of bare wire.h messages, without the client library
 *
 * For tests of the daemon: it can say anything at any time, also what no
 * decent client would.  In a test that has the daemon's loop in its own
 * process, `pump` is called while waiting.
 */
#ifndef TESTS_FAKERANK_H
#define TESTS_FAKERANK_H

#include <stdbool.h>
#include <stdint.h>

#include <snoo/abi.h>
#include <snoo/wire.h>

#include "shm/region.h"

#define FAKERANK_HOLD	64	/* rings, and blocks, that it remembers */

struct fakerank {
	int fd;				/* -1: not connected */
	int memfd;			/* -1: no WELCOME yet */
	void (*pump)(void *arg);	/* one turn of the daemon's loop */
	void *arg;

	struct snoo_wire_welcome welcome;
	struct shm_region region;	/* valid once `slot` is not NULL */
	struct snoo_abi_rank *slot;
	struct snoo_wire_ring ring[FAKERANK_HOLD];
	unsigned int rings;
	struct snoo_wire_block block[FAKERANK_HOLD];
	unsigned int blocks;
	bool started;
	uint32_t seen_gone;		/* highest epoch of a GONE */
	uint32_t acked;			/* as last said in ACK */
	uint32_t asked[2];		/* blocks, small and large, not got */
	unsigned int resumed;		/* RESUMED seen, each answered */
	struct snoo_wire_gone gone;	/* the last one */
	struct snoo_wire_error error;	/* the last one */
	struct snoo_wire_registers registers;	/* the last one */
	unsigned int registers_said;

	/* the last message, whole, and the fds that came with it (but for the
	 * pool's); they are closed when the next one is read */
	int fds[SNOO_WIRE_FDS];
	unsigned int nfds;
	union {
		struct snoo_wire_head head;
		uint64_t align;
		unsigned char bytes[SNOO_WIRE_MAX];
	} msg;
};

void fakerank_init(struct fakerank *f, void (*pump)(void *arg), void *arg);
/* Unmap and close without LEAVE: to the daemon it is a death. */
void fakerank_close(struct fakerank *f);

/* 0 or -errno */
int fakerank_connect(struct fakerank *f, const char *path);

/* A HELLO with everything in order, to be spoilt by the caller. */
void fakerank_hello_init(struct snoo_wire_hello *h, const char *name,
			 uint64_t launch, int32_t rank, uint32_t size);

/* Send any bytes as one message: 0 or -errno. */
int fakerank_send(struct fakerank *f, const void *msg, size_t bytes);
int fakerank_send_plain(struct fakerank *f, uint32_t type);
int fakerank_need(struct fakerank *f, uint32_t rings, uint32_t small,
		  uint32_t large);
int fakerank_ack(struct fakerank *f, uint32_t gone);
int fakerank_pinned(struct fakerank *f);

/**
 * fakerank_recv() - Next message, into @f->msg; books what it says
 *
 * Return: its type, 0: end of file, -EAGAIN: nothing came for a long time
 * (or, with @wait false, now), or -errno
 */
int fakerank_recv(struct fakerank *f, bool wait);

/**
 * fakerank_until() - Read until a message of @type, booking the others
 *
 * Return: @type, 0: end of file came first, or -errno; after an ERROR that
 * was not asked for, SNOO_WIRE_ERROR
 */
int fakerank_until(struct fakerank *f, int type);

/**
 * fakerank_attach() - Connect, HELLO, WELCOME, PINNED
 *
 * Return: 0, -EREMOTEIO: refused (see @f->error), or -errno
 */
int fakerank_attach(struct fakerank *f, const char *path, const char *name,
		    uint64_t launch, int32_t rank, uint32_t size);

/* LEAVE (again, if a new daemon takes over), and read up to BYE or the end of
 * file: 0 or -errno */
int fakerank_leave(struct fakerank *f);

#endif /* TESTS_FAKERANK_H */
