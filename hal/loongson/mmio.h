/* SPDX-License-Identifier: MIT */
/*
 * mmio.h - 64- and 32-bit access to uncached registers, with their barriers
 *
 * C11 atomics order memory that takes part in cache coherence; they say
 * nothing of a device.  Here a load is followed and a store is enclosed by the
 * processor's full barrier, as readq() and writeq() of Linux are on Loongson:
 * what the caller wrote before a store is visible before it, and the store has
 * left the core when the function returns.
 *
 * A mailbox is one 64-bit access, never two halves: a reader would see one
 * half of each word.  So only 64-bit processors can use this back end.
 */
#ifndef HAL_LOONGSON_MMIO_H
#define HAL_LOONGSON_MMIO_H

#include <stdatomic.h>
#include <stdint.h>

#include "hal/loongson/chips.h"

#if defined(__mips__)
#define MMIO_ARCH	CHIP_MIPS
#elif defined(__loongarch__)
#define MMIO_ARCH	CHIP_LOONGARCH
#else
#define MMIO_ARCH	CHIP_OTHER
#endif

_Static_assert(sizeof(void *) == 8 || MMIO_ARCH == CHIP_OTHER,
	       "a 32-bit ABI would tear a mailbox word in two");

static inline void mmio_barrier(void)
{
#if defined(__mips__)
	__asm__ __volatile__("sync" ::: "memory");
#elif defined(__loongarch__)
	__asm__ __volatile__("dbar 0" ::: "memory");
#else
	/* No such device: tests put a page of memory in its place. */
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

/*
 * One access each, of the width of the type.  Where there is no such device it
 * is memory of a test, which threads share.
 */
#if defined(__mips__) || defined(__loongarch__)
#define MMIO_GET(reg)		(*(reg))
#define MMIO_PUT(reg, v)	(*(reg) = (v))
#else
#define MMIO_GET(reg)		__atomic_load_n(reg, __ATOMIC_RELAXED)
#define MMIO_PUT(reg, v)	__atomic_store_n(reg, v, __ATOMIC_RELAXED)
#endif

static inline uint32_t mmio_load32(const volatile uint32_t *reg)
{
	uint32_t v = MMIO_GET(reg);

	mmio_barrier();
	return v;
}

static inline uint64_t mmio_load64(const volatile uint64_t *reg)
{
	uint64_t v = MMIO_GET(reg);

	mmio_barrier();
	return v;
}

static inline void mmio_store64(volatile uint64_t *reg, uint64_t v)
{
	mmio_barrier();
	MMIO_PUT(reg, v);
	mmio_barrier();
}

#endif /* HAL_LOONGSON_MMIO_H */
