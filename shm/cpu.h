/* SPDX-License-Identifier: MIT */
/*
 * cpu.h - what C11 cannot say: pause, a device's order, a line in vectors
 *
 * The only header outside hal/ that names a processor.
 */
#ifndef SHM_CPU_H
#define SHM_CPU_H

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

/* Does a core keep its loads in their order?  Then what the kernel reads for us, one
 * after the other in one call, is read so, too. */
#if defined(__x86_64__) || defined(__i386__)
#define CPU_LOADS_IN_ORDER	1
#else
#define CPU_LOADS_IN_ORDER	0
#endif

/** cpu_pause() - Tell the core that this is a spin loop */
static inline void cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#elif defined(__loongarch__)
	__asm__ __volatile__("dbar 0x700");
#elif defined(__mips__)
	/* Loongson 3 may keep our own stores back for as long as a tight loop
	 * reads; so it does for Linux, whose cpu_relax() is this as well. */
	__asm__ __volatile__("sync");
#elif defined(__riscv)
	/* "pause", a hint that cores without it take for an empty fence. */
	__asm__ __volatile__(".4byte 0x0100000f");
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

/**
 * cpu_device_fence() - Memory that we wrote is visible before a device hears
 *
 * Between stores to memory and the store to a device's register that announces
 * them: C11 orders memory alone.
 */
static inline void cpu_device_fence(void)
{
#if defined(__x86_64__) || defined(__i386__)
	/* Stores are seen in their order, uncached ones too. */
	atomic_signal_fence(memory_order_seq_cst);
#elif defined(__aarch64__)
	__asm__ __volatile__("dmb oshst" ::: "memory");
#elif defined(__loongarch__)
	__asm__ __volatile__("dbar 0" ::: "memory");
#elif defined(__mips__)
	__asm__ __volatile__("sync" ::: "memory");
#elif defined(__riscv)
	__asm__ __volatile__("fence w, ow" ::: "memory");
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

/**
 * cpu_prefetch_write() - We shall soon write this line: let it come now
 *
 * Not to be used on a line that another core is reading in a loop: it would
 * be taken from it.  Any address will do, nothing is accessed.
 */
static inline void cpu_prefetch_write(const void *p)
{
#if defined(__x86_64__)
	/* Compilers know it only where it is asked for by an option; where a
	 * core does not, it does nothing. */
	__asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/** cpu_prefetch_read() - We shall soon read this line; any address will do */
static inline void cpu_prefetch_read(const void *p)
{
	__builtin_prefetch(p, 0);
}

/**
 * cpu_settle() - What was copied out of shared memory stays as it was copied
 *
 * Between this line and the next, the compiler may not read the source again
 * in place of the copy: a peer may have changed it meanwhile.
 */
static inline void cpu_settle(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

/*
 * Is a loop over cpu_copy_line() better than memcpy() for blocks?  On x86 it
 * is: the C library copies more than a few KiB by `rep movsb`, which was seen
 * to run at a tenth of the speed (2 against 25 GB/s) when the lines lie dirty
 * in another core's cache, as those of a block do.
 */
#if defined(__x86_64__)
#define CPU_COPY_BY_LINES	1
#define CPU_STREAM_STORES	1

/** cpu_stream_line() - A line past the caches; @to is aligned to 16 bytes */
static inline void cpu_stream_line(void *to, const void *from)
{
	const __m128i *s = from;
	__m128i *d = to;
	__m128i a = _mm_loadu_si128(s);
	__m128i b = _mm_loadu_si128(s + 1);
	__m128i c = _mm_loadu_si128(s + 2);
	__m128i e = _mm_loadu_si128(s + 3);

	_mm_stream_si128(d, a);
	_mm_stream_si128(d + 1, b);
	_mm_stream_si128(d + 2, c);
	_mm_stream_si128(d + 3, e);
}

/** cpu_stream_fence() - Stores past the caches before all later stores */
static inline void cpu_stream_fence(void)
{
	_mm_sfence();
}

static inline void cpu_copy_line(void *to, const void *from)
{
	const __m128i *s = from;
	__m128i *d = to;
	__m128i a = _mm_loadu_si128(s);
	__m128i b = _mm_loadu_si128(s + 1);
	__m128i c = _mm_loadu_si128(s + 2);
	__m128i e = _mm_loadu_si128(s + 3);

	_mm_storeu_si128(d, a);
	_mm_storeu_si128(d + 1, b);
	_mm_storeu_si128(d + 2, c);
	_mm_storeu_si128(d + 3, e);
}
#else
#define CPU_COPY_BY_LINES	0
#define CPU_STREAM_STORES	0

static inline void cpu_stream_line(void *to, const void *from)
{
	memcpy(to, from, 64);
}

static inline void cpu_stream_fence(void)
{
}

static inline void cpu_copy_line(void *to, const void *from)
{
	memcpy(to, from, 64);
}
#endif

#endif /* SHM_CPU_H */
