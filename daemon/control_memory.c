/* SPDX-License-Identifier: MIT */
/*
 * control_memory.c - the memory of a VM's control device: make, check, map
 */
#include "daemon/control_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <snoo/control.h>

#define SEALS		(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int control_memory_make(void)
{
	int fd = memfd_create("snoo-control", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int ret;

	if (fd < 0)
		return -errno;
	/* Its pages now: later there may be none. */
	if (ftruncate(fd, SNOO_CTL_BYTES) == 0 &&
	    fallocate(fd, 0, 0, SNOO_CTL_BYTES) == 0 &&
	    fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

int control_memory_map(int fd, void **out)
{
	struct stat st;
	void *mem;

	*out = NULL;
	if (fstat(fd, &st))
		return -errno;
	if (st.st_size != SNOO_CTL_BYTES ||
	    (fcntl(fd, F_GET_SEALS) & SEALS) != SEALS)
		return -EBADMSG;
	mem = mmap(NULL, SNOO_CTL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		   fd, 0);
	if (mem == MAP_FAILED)
		return -errno;
	madvise(mem, SNOO_CTL_BYTES, MADV_DONTFORK);
	*out = mem;
	return 0;
}
