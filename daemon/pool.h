/* SPDX-License-Identifier: MIT */
/*
 * pool.h - the memory of one domain: create it, or take it over again
 *
 * A pool is a memfd of huge pages (or ordinary ones, with a warning), sealed
 * against resizing, populated before anybody gets it, and formatted by
 * shm/region.h.  With a path it is a file there (pool_file.h), which cannot be
 * sealed.  All that is believed about it afterwards comes from the
 * ledger: nothing is read back from the pool.
 *
 * Touch it inside guard_run(&pool->guard, ...) only.
 *
 * One thread.
 */
#ifndef DAEMON_POOL_H
#define DAEMON_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf.h"
#include "daemon/guard.h"
#include "daemon/pool_file.h"
#include "daemon/topo.h"
#include "shm/region.h"

#define POOL_SIZE_MIN	(UINT64_C(4) << 20)	/* bytes */
#define POOL_HUGE_BYTES	POOL_FILE_HUGE	/* bytes of one huge page */
#define POOL_ZONES_MAX	64u			/* NUMA nodes used, at most */
#define POOL_TEXT	POOL_FILE_TEXT	/* bytes of a sentence */
#define POOL_PATH	POOL_FILE_PATH	/* bytes of a path, with NUL */

/**
 * struct pool_zone - A part of the arena that lies on one NUMA node
 *
 * Zones are in order, without gaps, and cover the arena.
 */
struct pool_zone {
	uint32_t first;			/* unit of the arena */
	uint32_t units;
	uint32_t node;			/* as in topo.h */
};

struct pool_params {
	const char *name;		/* the domain's, for memfd and texts */
	uint64_t size;			/* bytes: a power of two */
	uint32_t nranks;		/* rank slots */
	enum conf_huge huge;
	const struct topo *topo;	/* NULL: one node, nothing is bound */
	bool vms;			/* guests get it: nvdimm.h */
	const char *path;		/* of a file; NULL, "": a memfd */
	uint32_t mode;			/* of the file */
	uint32_t gid;			/* the same; CONF_NO_GID */
};

/** struct pool - A mapped pool; the daemon's own view, nothing shared */
struct pool {
	struct shm_region region;	/* base, offsets, head */
	struct guard guard;		/* the whole mapping */
	int fd;				/* memfd or file; -1: closed */
	int lock_fd;			/* of the file; -1: none */
	bool huge;			/* 2 MiB pages */
	bool sealed;			/* nobody can resize it */
	char path[POOL_PATH];		/* of the file; "": a memfd */
	struct pool_zone zone[POOL_ZONES_MAX];
	uint32_t nzones;		/* 1 .. POOL_ZONES_MAX */
	char name[CONF_NAME_MAX + 1];
	char warning[POOL_TEXT];	/* "": none; status repeats it */
};

/**
 * pool_create() - Make, bind, populate, seal and format a fresh pool
 * @p:		Filled; p->fd is -1 on failure
 * @why:	A sentence on failure: how much there is and what to do
 *
 * guard_open() comes first.  Head epoch and state are 0: the caller sets
 * them (region.head->epoch, ->state) before anybody gets the fd.
 *
 * Return: 0 on success, negative error code otherwise
 *	-EINVAL	 the size is no power of two, or ranks out of range
 *	-ENOSPC	 too small for that many ranks
 *	-ENOMEM	 not enough (huge) pages are free
 *	-EFAULT	 pages vanished while the pool was formatted
 *	or -errno of memfd_create(2), ftruncate(2), fcntl(2), mmap(2), or as
 *	pool_file_create()
 */
int pool_create(struct pool *p, const struct pool_params *params,
		char why[POOL_TEXT]);

/**
 * pool_adopt() - Take over the pool of a daemon that died
 * @params:	Size and nranks from the ledger; huge, path, mode and gid are
 *		not used
 * @fd:		From the keeper; ours to close either way
 * @sealed:	From the ledger: it is a memfd, and not a file
 *
 * It must have that size, and a memfd its seals.  What a daemon says in the
 * head is written again; epoch, state, ranks and everything else are left as
 * they are, for the caller to write from the ledger.
 *
 * Return: 0 on success, negative error code otherwise
 *	-EBADMSG not the memfd of this ledger: wrong size or seals, impossible
 *		 plan
 *	-EFAULT	 pages of the pool are gone
 *	or -errno of fstat(2), mmap(2)
 */
int pool_adopt(struct pool *p, const struct pool_params *params, int fd,
	       bool sealed, char why[POOL_TEXT]);

/* Unmap and close; the memory lives on while peers map it.  Twice is allowed,
 * and so is a zeroed struct whose fd is -1. */
void pool_close(struct pool *p);

/* The domain ends: before pool_close(), remove the file, if it is one. */
void pool_remove(struct pool *p);

/**
 * pool_write_info() - Write the info block for guests again (nvdimm.h)
 *
 * Any guest can spoil it, and the next one that boots needs it.
 *
 * Return: 0, or -EFAULT: pages of the pool are gone
 */
int pool_write_info(struct pool *p);

/* Bytes of a page: 2 MiB or 4 KiB (the kernel's own page size). */
uint64_t pool_page_bytes(const struct pool *p);

/* Offset in the pool of a unit of the arena, and back.  -EINVAL for an offset
 * that is no unit's start. */
uint64_t pool_offset(const struct pool *p, uint32_t unit);
int64_t pool_unit(const struct pool *p, uint64_t offset);

#endif
