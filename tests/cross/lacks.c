/* SPDX-License-Identifier: MIT */
/*
 * lacks.c - for QEMU's emulator of one process: system calls that it lacks
 *
 * Preloaded into test programs that run under it (setup.sh), and nowhere else.
 * It knows no preadv2, without which no eventfd is read.  Between the look and
 * the reading another process may take what is there: then a reader whose fd
 * is made to wait waits.  The kernel's own does not, and no test here has two
 * readers of one eventfd that waits.
 *
 * Nor process_vm_readv: of ourselves, which is whom tests of one process read, a
 * pipe does the same, and knows what is mapped.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

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

/* Bytes copied, or -1. */
static ssize_t by_pipe(const int fd[2], char *to, const char *from, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t part = n - done < PIPE_BUF ? n - done : PIPE_BUF;
		ssize_t got = write(fd[1], from + done, part);

		if (got > 0)
			got = read(fd[0], to + done, (size_t)got);
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done > 0 ? (ssize_t)done : -1;
}

ssize_t process_vm_readv(pid_t pid, const struct iovec *to, unsigned long nto,
			 const struct iovec *from, unsigned long nfrom,
			 unsigned long flags)
{
	ssize_t sum = 0;
	int fd[2];

	if (pid != getpid() || nto != nfrom || flags) {
		errno = pid != getpid() ? ESRCH : EINVAL;
		return -1;
	}
	if (pipe(fd))
		return -1;
	for (unsigned long i = 0; i < nto; i++) {
		size_t n = from[i].iov_len < to[i].iov_len ? from[i].iov_len :
							     to[i].iov_len;
		ssize_t got = by_pipe(fd, to[i].iov_base, from[i].iov_base, n);

		if (got > 0)
			sum += got;
		if (got < (ssize_t)n)
			break;
	}
	close(fd[0]);
	close(fd[1]);
	if (sum > 0)
		return sum;
	errno = EFAULT;
	return -1;
}
