/* SPDX-License-Identifier: MIT */
/*
 * pages.c - for QEMU's emulator of one process: pages of another size
 *
 * Preloaded into test programs, with lacks.c.  The emulator has the pages of
 * the machine that it runs on, 4 KiB; the kernels of these processors have
 * pages of PAGE_BYTES.  As there, no mapping begins at anything else, and none
 * ends before the end of a page.  What the C library does for itself is not
 * seen here.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OWN  4096u
#define HUGE (UINT64_C(2) << 20)

static size_t whole(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

static int begins_a_page(uint64_t at)
{
	if (at % PAGE_BYTES == 0)
		return 1;
	errno = EINVAL;
	return 0;
}

static void *map(void *at, size_t bytes, int prot, int flags, int fd, off_t off)
{
	return (void *)syscall(SYS_mmap, at, bytes, prot, flags, fd, off);
}

/* Addresses from a multiple of @align on. */
static char *reserve(size_t bytes, size_t align)
{
	char *from = map(NULL, bytes + align, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before = -(uintptr_t)from & (align - 1);

	if (from == MAP_FAILED)
		return from;
	if (before)
		syscall(SYS_munmap, from, before);
	syscall(SYS_munmap, from + before + bytes, align - before);
	return from + before;
}

void *mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t off)
{
	void *place, *m;
	int error;

	if (!begins_a_page((uint64_t)off))
		return MAP_FAILED;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
		return begins_a_page((uintptr_t)at)
			       ? map(at, whole(bytes), prot, flags, fd, off)
			       : MAP_FAILED;
	if (bytes == 0 || (flags & MAP_HUGETLB))
		return map(at, bytes, prot, flags, fd, off);
	/* Files on huge pages want a multiple of those. */
	place = reserve(whole(bytes), bytes % HUGE ? PAGE_BYTES : HUGE);
	if (place == MAP_FAILED)
		return MAP_FAILED;
	m = map(place, whole(bytes), prot, flags | MAP_FIXED, fd, off);
	if (m == MAP_FAILED) {
		error = errno;
		syscall(SYS_munmap, place, whole(bytes));
		errno = error;
	}
	return m;
}

int munmap(void *at, size_t bytes)
{
	if (!begins_a_page((uintptr_t)at))
		return -1;
	return (int)syscall(SYS_munmap, at, whole(bytes));
}

int mprotect(void *at, size_t bytes, int prot)
{
	if (!begins_a_page((uintptr_t)at))
		return -1;
	return (int)syscall(SYS_mprotect, at, whole(bytes), prot);
}

int madvise(void *at, size_t bytes, int advice)
{
	if (!begins_a_page((uintptr_t)at))
		return -1;
	return (int)syscall(SYS_madvise, at, whole(bytes), advice);
}

/* One byte says of a page what one of each of its parts says. */
int mincore(void *at, size_t bytes, unsigned char *in)
{
	unsigned char *parts;
	int ret;

	if (!begins_a_page((uintptr_t)at))
		return -1;
	parts = malloc(whole(bytes) / OWN);
	if (!parts)
		return -1;
	ret = (int)syscall(SYS_mincore, at, whole(bytes), parts);
	for (size_t i = 0; ret == 0 && i < whole(bytes) / PAGE_BYTES; i++)
		in[i] = parts[i * (PAGE_BYTES / OWN)];
	free(parts);
	return ret;
}

long sysconf(int name)
{
	extern long __sysconf(int);

	return name == _SC_PAGESIZE ? PAGE_BYTES : __sysconf(name);
}

int getpagesize(void)
{
	return PAGE_BYTES;
}
