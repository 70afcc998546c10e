/* SPDX-License-Identifier: MIT */
/*
 * lacks.c - for QEMU's emulator of one process: a system call that it lacks
 *
 * Preloaded into test programs that run under it (setup.sh), and nowhere else.
 * It knows no preadv2, without which no eventfd is read.  Between the look and
 * the reading another process may take what is there: then a reader whose fd
 * is made to wait waits.  The kernel's own does not, and no test here has two
 * readers of one eventfd that waits.
 */
#include <errno.h>
#include <poll.h>
#include <sys/types.h>
#include <sys/uio.h>

ssize_t preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	struct pollfd look = { .fd = fd, .events = POLLIN };

	if (at != -1 || (flags & ~RWF_NOWAIT)) {
		errno = ENOTSUP;
		return -1;
	}
	if ((flags & RWF_NOWAIT) && poll(&look, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return readv(fd, iov, n);
}
