/* SPDX-License-Identifier: MIT */
/*
 * kick.c - raise an eventfd that others hold too, and never wait
 *
 * Source: io_submit(2), IOCB_FLAG_RESFD; eventfd_signal() in the kernel.
 */

#include "daemon/kick.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct kick {
	aio_context_t context;
	int file; /* is read, no bytes of it */
};

int kick_open(struct kick **out)
{
	struct kick *k = calloc(1, sizeof(*k));

	*out = NULL;
	if (!k)
		return -ENOMEM;
	k->file = memfd_create("kick", MFD_CLOEXEC);
	if (k->file < 0 || syscall(SYS_io_setup, 1, &k->context) < 0) {
		if (k->file >= 0)
			close(k->file);
		free(k);
		return -ENOSYS;
	}
	*out = k;
	return 0;
}

void kick_close(struct kick *k)
{
	if (!k)
		return;
	syscall(SYS_io_destroy, k->context);
	close(k->file);
	free(k);
}

static void try_write(int eventfd)
{
	struct pollfd ready = { .fd = eventfd, .events = POLLOUT };
	uint64_t one = 1;

	if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT))
		(void)!write(eventfd, &one, sizeof(one));
}

void kick(struct kick *k, int eventfd)
{
	struct iocb read = { .aio_lio_opcode = IOCB_CMD_PREAD,
			     .aio_flags = IOCB_FLAG_RESFD };
	struct iocb *list[1] = { &read };
	struct io_event done;

	if (!k) {
		try_write(eventfd);
		return;
	}
	read.aio_fildes = (uint32_t)k->file;
	read.aio_resfd = (uint32_t)eventfd;
	/* A read of a memfd has ended when it is submitted: collect it. */
	if (syscall(SYS_io_submit, k->context, 1, list) == 1)
		syscall(SYS_io_getevents, k->context, 0, 1, &done, NULL);
	else
		try_write(eventfd);
}
