/* SPDX-License-Identifier: MIT */
/*
 * chips.c - the table of chips.h
 *
 * MIPS kernels print the processor's revision, "ICT Loongson-3 V0.5": the low
 * byte of PRID in two digits (arch/mips/include/asm/cpu.h).  Bases: Linux 6.1,
 * arch/mips/loongson64/smp.c and env.c; user manuals of 3A2000 and 3A3000,
 * tables 6-2 to 6-5; of 3A5000, "Inter-Processor Interrupts".
 *
 * Not here: 3A6000, whose memory-mapped alias no manual at hand confirms.
 */
#include "hal/loongson/chips.h"

const struct chip loongson_chips[] = {
	{ "3A1000", "cpu model",  "Loongson-3 V0.5 ",  0x3ff01000, 0 },
	{ "3B1000", "cpu model",  "Loongson-3 V0.6 ",  0x3ff01000, 0x4000 },
	{ "3B1500", "cpu model",  "Loongson-3 V0.7 ",  0x3ff01000, 0x4000 },
	{ "3A2000", "cpu model",  "Loongson-3 V0.8 ",  0x3ff01000, 0 },
	{ "3A3000", "cpu model",  "Loongson-3 V0.9 ",  0x3ff01000, 0 },
	{ "3A2000", "cpu model",  "Loongson-3 V0.12 ", 0x3ff01000, 0 },
	{ "3A3000", "cpu model",  "Loongson-3 V0.13 ", 0x3ff01000, 0 },
	{ "3A4000", "cpu model",  "Loongson-3 V0.0 ",  0x3ff01000, 0 },
	{ "3A4000", "cpu model",  "Loongson-3 V0.1 ",  0x3ff01000, 0 },
	{ "3A5000", "model name", "Loongson-3A5000",   0x1fe01000, 0 },
};

const size_t loongson_nchips = sizeof(loongson_chips) /
			       sizeof(loongson_chips[0]);
