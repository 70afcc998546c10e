/* SPDX-License-Identifier: MIT */
/*
 * stamps.c - the page by which others see whether our offers still stand
 *
 * Theory of operation
 * ===================
 *
 * Who has read an offer's bytes with process_vm_readv(2) must know two things: that
 * the offer stood all the while, and that the process was the sender's and not
 * another one that has its pid by now.  The stamp in the sender's memory says both,
 * but to read it there costs as much as the call itself (0.75 us one way, of 3.3 for
 * 16 KiB, on a server Xeon).  So the page that the stamps are in is shared, read-only,
 * with those who may read the process's memory anyhow, and two words in it say the
 * same, as long as nothing happens, without a line going from core to core:
 *
 *   revoked  is raised before the buffer of an offer that was given up is given
 *            back.  The OFFER says what it was: is it that still, after the bytes
 *            have been read, no offer of that time has been given up.
 *   life     is the word of a robust mutex that the thread which has joined holds
 *            for its life.  When a thread ends, or its process by whatever way, or
 *            calls exec, the kernel marks the word before the memory goes, and so
 *            before the pid can be another's.  Is it unmarked after the bytes have
 *            been read, they were the sender's.
 *
 * Is one of them not as it was, the stamp is read as before.
 *
 * The kernel does not mark it where it cannot read the thread's list any more: if
 * the memory of a process that is stuck was taken for want of memory, or if one that
 * holds other robust mutexes has unmapped them.  Then a process of the same user
 * that has got its pid, and memory at that address, would be read, until the daemon
 * has told of the death.
 *
 * The page is a file of memory (memfd) that nobody can map to write any more, not
 * even one of the same user, since the mutex in it is in a list of our C library's,
 * with pointers.  A forked child, whose list is empty, does not get it.  It is found by
 * the number of its fd, which stands in the page as it is read in the sender's memory,
 * under /proc/PID/fd: the kernel gives it to those who may trace the process, as it
 * does its memory.
 */
#include "client/stamps.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* musl's child of a fork goes on with the parent's list, which leads to the page. */
#ifdef __GLIBC__
#define LISTS_END_AT_FORK 1
#else
#define LISTS_END_AT_FORK 0
#endif

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

_Static_assert(sizeof(pthread_mutex_t) <=
	       sizeof(((struct snoo_abi_stamps *)0)->owner),
	       "the mutex has no room in the page");

static pthread_mutex_t *mutex_of(struct snoo_abi_stamps *page)
{
	return (pthread_mutex_t *)(void *)page->owner;
}

/*
 * Where is the word that the kernel will mark?  Our mutex is the last one that was
 * locked, so it is the first in the list that the kernel has of this thread.
 * Return: its offset; 0: there is no such word
 */
static uint32_t find_life(struct snoo_abi_stamps *page)
{
	struct robust_list_head *head = NULL;
	size_t len = 0;
	uintptr_t at;

	if (syscall(SYS_get_robust_list, 0, &head, &len) != 0 || !head ||
	    len != sizeof(*head))
		return 0;
	at = (uintptr_t)head->list.next + (uintptr_t)head->futex_offset -
	     (uintptr_t)page;
	if (at < offsetof(struct snoo_abi_stamps, owner) ||
	    at > sizeof(*page) - sizeof(uint32_t) || at % sizeof(uint32_t) != 0)
		return 0;
	return (uint32_t)at;
}

static bool live(struct snoo_abi_stamps *page)
{
	pthread_mutexattr_t attr;
	int ret;

	if (pthread_mutexattr_init(&attr))
		return false;
	ret = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (ret == 0)
		ret = pthread_mutexattr_setpshared(&attr,
						   PTHREAD_PROCESS_SHARED);
	if (ret == 0)
		ret = pthread_mutex_init(mutex_of(page), &attr);
	pthread_mutexattr_destroy(&attr);
	if (ret || pthread_mutex_lock(mutex_of(page)))
		return false;
	page->life_at = find_life(page);
	if (page->life_at)
		return true;
	pthread_mutex_unlock(mutex_of(page));
	return false;
}

static struct snoo_abi_stamps *map(int fd, int prot)
{
	void *page = mmap(NULL, sizeof(struct snoo_abi_stamps), prot,
			  fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED,
			  fd, 0);

	return page == MAP_FAILED ? NULL : page;
}

static struct snoo_abi_stamps *open_shared(void)
{
	int fd = memfd_create("snoo-stamps", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct snoo_abi_stamps *page = NULL;

	if (fd < 0)
		return NULL;
	if (LISTS_END_AT_FORK && ftruncate(fd, sizeof(*page)) == 0)
		page = map(fd, PROT_READ | PROT_WRITE);
	if (page && madvise(page, sizeof(*page), MADV_DONTFORK) == 0 &&
	    fcntl(fd, F_ADD_SEALS, SEALS) == 0 && live(page)) {
		page->file = (uint32_t)fd + 1;
		return page;
	}
	if (page)
		munmap(page, sizeof(*page));
	close(fd);
	return NULL;
}

struct snoo_abi_stamps *stamps_open(uint64_t nonce)
{
	struct snoo_abi_stamps *page = open_shared();

	/* Of nobody but those who read it by the call. */
	if (!page) {
		page = map(-1, PROT_READ | PROT_WRITE);
		if (page)
			madvise(page, sizeof(*page), MADV_DONTFORK);
	}
	if (page)
		atomic_store_explicit(&page->stamp[0], nonce,
				      memory_order_relaxed);
	return page;
}

static const _Atomic uint32_t *life_of(const struct snoo_abi_stamps *page,
				       uint32_t at)
{
	return (const _Atomic uint32_t *)(const void *)
	       ((const unsigned char *)page + at);
}

/* Does no thread's list of mutexes lead through the page any more? */
static bool let_go(struct snoo_abi_stamps *page)
{
	uint32_t word = atomic_load_explicit(life_of(page, page->life_at),
					     memory_order_relaxed);

	if (word & FUTEX_OWNER_DIED)
		return true;
	/* Another thread has joined, and lives. */
	if ((word & FUTEX_TID_MASK) != (uint32_t)syscall(SYS_gettid))
		return false;
	return pthread_mutex_unlock(mutex_of(page)) == 0;
}

void stamps_revoke(struct snoo_abi_stamps *page)
{
	uint32_t n = atomic_load_explicit(&page->revoked, memory_order_relaxed);

	atomic_store_explicit(&page->revoked, n + 1, memory_order_relaxed);
	/* REVOKE: what the application writes from now on comes after that. */
	atomic_thread_fence(memory_order_release);
}

void stamps_close(struct snoo_abi_stamps *page)
{
	bool shared = page->file != 0;

	atomic_store_explicit(&page->stamp[0], 0, memory_order_relaxed);
	stamps_revoke(page);
	if (shared)
		close((int)page->file - 1);
	/* A page more is a small price for a list that leads nowhere. */
	if (!shared || let_go(page))
		munmap(page, sizeof(*page));
}

/* ---- those of others ---- */

/*
 * A file of memory, which nobody can cut short or punch holes into: touching what is
 * missing would be a SIGBUS.  Not of huge pages either, by its size.
 */
static bool is_sealed(int fd)
{
	const int either = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && (seals & F_SEAL_SHRINK) && (seals & either) &&
	       fstat(fd, &st) == 0 &&
	       st.st_size == (off_t)sizeof(struct snoo_abi_stamps);
}

/* Opening some files waits, or does something: first, what is it? */
static int open_file(pid_t pid, uint32_t number)
{
	char path[64];
	struct statfs fs;
	int at, fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd/%u", (int)pid, number);
	at = open(path, O_PATH | O_CLOEXEC);
	if (at < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", at);
	if (fstatfs(at, &fs) == 0 && fs.f_type == TMPFS_MAGIC)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	close(at);
	if (fd >= 0 && is_sealed(fd))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

void stamps_map(struct peer *p, const struct snoo_abi_stamps *copy)
{
	uint32_t at = copy->life_at;
	struct snoo_abi_stamps *page;
	int fd;

	stamps_unmap(p);
	if (copy->file == 0 || at % sizeof(uint32_t) != 0 ||
	    at < offsetof(struct snoo_abi_stamps, owner) ||
	    at > sizeof(*copy) - sizeof(uint32_t))
		return;
	fd = open_file(p->reach.pid, copy->file - 1);
	if (fd < 0)
		return;
	page = map(fd, PROT_READ);
	close(fd);
	if (!page)
		return;
	p->reach.page = page;
	p->reach.life_at = at;
	p->reach.life = atomic_load_explicit(life_of(page, at),
					     memory_order_relaxed);
	if (p->reach.life == 0 || (p->reach.life & FUTEX_OWNER_DIED) ||
	    atomic_load_explicit(&page->stamp[0], memory_order_relaxed) !=
		    p->reach.nonce)
		stamps_unmap(p);
}

void stamps_unmap(struct peer *p)
{
	if (p->reach.page)
		munmap((void *)(uintptr_t)p->reach.page,
		       sizeof(*p->reach.page));
	p->reach.page = NULL;
}

bool stamps_stand(const struct peer *p, uint32_t revoked)
{
	const struct snoo_abi_stamps *page = p->reach.page;

	/* Both are looked at after the bytes: our caller has seen to that. */
	return page &&
	       atomic_load_explicit(&page->revoked, memory_order_relaxed) ==
		       revoked &&
	       atomic_load_explicit(life_of(page, p->reach.life_at),
				    memory_order_relaxed) == p->reach.life;
}
