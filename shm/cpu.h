/* SPDX-License-Identifier: MIT */
/*
 * cpu.h - the two things that C11 cannot say: pause, and "look once"
 *
 * The only header outside hal/ that names a processor.
 */
#ifndef SHM_CPU_H
#define SHM_CPU_H

#include <stdatomic.h>

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
	__asm__ __volatile__("sync");
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
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

#endif /* SHM_CPU_H */
