/* SPDX-License-Identifier: MIT */
/*
 * chips.c - the table of chips.h
 *
 * MIPS kernels print the processor's revision, "ICT Loongson-3 V0.5": the low
 * byte of PRID in two digits (arch/mips/include/asm/cpu.h).  Bases: Linux 6.1,
 * arch/mips/loongson64/smp.c and env.c; user manuals of 3A2000 and 3A3000,
 * tables 6-2 to 6-5; of 3A5000, "Inter-Processor Interrupts".
 *
 * The page of the 3A5000's block also holds its serial port, which Linux
 * claims: kernels with strict /dev/mem do not map it.  They do map the place
 * where older chips had it, and where the 3A5000 shows it too, unless the bit
 * `disable_0x3ff0` of its routing register is set (same manual).
 *
 * 3A6000: Linux reaches the registers by instructions for kernels (IOCSR); no
 * manual at hand gives them an address.
 */
#include "hal/loongson/chips.h"

/* clang-format off */
#define MIPS(name, revision, skew, cores)				\
	{ name, "cpu model", "Loongson-3 " revision " ", CHIP_MIPS,	\
	  0x3ff01000, 0, skew, cores }
#define LOONG(name, base, alias)					\
	{ name, "model name", "Loongson-" name, CHIP_LOONGARCH,		\
	  base, alias, 0, 4 }

const struct chip loongson_chips[] = {
	MIPS("3A1000", "V0.5",  0, 4),
	MIPS("3B1000", "V0.6",  0x4000, 8),
	MIPS("3B1500", "V0.7",  0x4000, 8),
	MIPS("3A2000", "V0.8",  0, 4),
	MIPS("3A3000", "V0.9",  0, 4),
	MIPS("3A2000", "V0.12", 0, 4),
	MIPS("3A3000", "V0.13", 0, 4),
	MIPS("3A4000", "V0.0",  0, 4),
	MIPS("3A4000", "V0.1",  0, 4),
	LOONG("3A5000", 0x1fe01000, 0x3ff01000),
	LOONG("3A6000", 0, 0),
};
/* clang-format on */

const size_t loongson_nchips = sizeof(loongson_chips) /
			       sizeof(loongson_chips[0]);
