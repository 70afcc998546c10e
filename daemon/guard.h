/* SPDX-License-Identifier: MIT */
/*
 * guard.h - a page that vanishes from a pool ends a domain, not the daemon
 *
 * A peer that holds a pool's memfd can punch holes into it; when the machine
 * has no huge page left, the next touch of the hole raises SIGBUS.  (A memory
 * error that the hardware reports raises the same signal.)  Whatever the
 * daemon does in a pool it does inside guard_run() or by one of the copies.
 *
 * What a guarded function may do
 * ==============================
 *
 * It can be left at any load or store of the guarded range, for good.  So it
 * touches the pool and plain memory of its caller, and nothing that needs an
 * end: no allocation, no lock, no open file, no put into the ledger, no log.
 * A local of the caller that the function changes must be reached through
 * @arg.  Guards nest; a fault in an outer guard's range ends the outer call.
 *
 * Threads: any; each has a chain of its own.  No system call on the way.
 */
#ifndef DAEMON_GUARD_H
#define DAEMON_GUARD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/** struct guard - One range of memory that may vanish */
struct guard {
	uintptr_t base;
	size_t size;			/* bytes; 0: guards nothing */
	_Atomic uint64_t hits;		/* faults so far */
	_Atomic uintptr_t where;	/* offset of the last one */
};

/**
 * guard_open() - Install the handler, once for the process
 *
 * May be called again; the handler stays until guard_close() was called as
 * often.  A SIGBUS outside every guard keeps the action that it had before.
 *
 * Return: 0, or -errno of sigaction(2)
 */
int guard_open(void);
void guard_close(void);

/** guard_init() - Guard @size bytes from @base */
void guard_init(struct guard *g, const void *base, size_t size);

/**
 * guard_run() - Call @fn(@arg); come back even if the range vanishes
 *
 * Return: 0, or -EFAULT: a page was not there, and @fn was left half-way.
 * Then the pool is lost: end the domain (its memory is not what it was).
 */
int guard_run(struct guard *g, void (*fn)(void *arg), void *arg);

/*
 * memcpy from the pool, into the pool, memset in the pool.  The pool's side
 * must lie within the guard: else -EINVAL, and nothing is touched.
 * 0, or -EFAULT as above.
 */
int guard_copy_out(struct guard *g, void *dst, const void *pool_src,
		   size_t bytes);
int guard_copy_in(struct guard *g, void *pool_dst, const void *src,
		  size_t bytes);
int guard_zero(struct guard *g, void *pool_dst, size_t bytes);

/* Faults so far, and the offset of the last one in the range. */
uint64_t guard_hits(const struct guard *g);
uint64_t guard_where(const struct guard *g);

#endif
