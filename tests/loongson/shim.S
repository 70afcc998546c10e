/* SPDX-License-Identifier: MIT */
/*
 * shim.S - where the second to last core of an emulated Loongson-3 wait
 *
 * QEMU 10.0's loongson3-virt makes its vCPUs last core first: the vCPU whose
 * EBase.CPUNum is k has the register block of core N - 1 - k.  Its boot ROM
 * polls the block of core k, where nobody writes: Linux's start mail for core
 * N - 1 - k is never seen, and the core does not come up.  Here the right
 * block is polled.
 *
 * Between two looks the core sleeps until its own timer: emulated cores take
 * turns on one thread of the host, and the core that boots needs it.
 *
 * machine.sh loads this at physical 0x0f800000, above what Linux is told of,
 * with the number of cores in the word at 0x0f802000, and points the program
 * counters of all vCPUs but the boot core's here.  The mail is Linux's: address
 * in MailBox0, stack, global pointer and argument in MailBox1..3.
 */
	.set	noreorder
	.set	noat
	.set	mips64r2

#define SHIM		0x8f800000	/* this code, cached and unmapped */
#define CORES		0x2000		/* offset of the number of cores, 2..4 */
#define VECTORS		0x1000		/* offset of the exception vectors */
#define BLOCKS		0x900000003ff01000	/* uncached */

#define COUNT		$9
#define COMPARE		$11
#define STATUS		$12
#define CAUSE		$13
#define EBASE		$15, 1

#define STATUS_64BIT	0x000000e0	/* KX, SX, UX */
#define STATUS_BEV	0x00400000
#define STATUS_TIMER	0x00008000	/* IM7 */
#define STATUS_MODE	0x00000007	/* EXL, ERL, IE */
#define TICKS		0x00200000	/* between two looks, some milliseconds */

/*
 * Set the timer.  Count runs on while the host does something else: when it
 * has passed Compare meanwhile, they would not meet before it has gone round.
 */
	.macro	set_timer then, now
1:	mfc0	\then, COUNT
	li	\now, TICKS
	addu	\then, \then, \now
	mtc0	\then, COMPARE
	ehb
	mfc0	\now, COUNT
	subu	\now, \now, \then
	bgez	\now, 1b
	 nop
	.endm

	.globl	__start
__start:
	/* Exceptions come to VECTORS; the base moves only with BEV set. */
	mfc0	$t0, STATUS
	li	$t1, STATUS_BEV | STATUS_64BIT | STATUS_MODE
	or	$t0, $t0, $t1
	xori	$t0, $t0, STATUS_MODE
	mtc0	$t0, STATUS
	mtc0	$zero, CAUSE
	ehb
	li	$t1, SHIM + VECTORS
	mtc0	$t1, EBASE
	ehb
	li	$t1, STATUS_BEV
	xor	$t0, $t0, $t1
	ori	$t0, $t0, STATUS_TIMER
	mtc0	$t0, STATUS
	ehb

	/* s0: the register block that this vCPU has, core N - 1 - k. */
	mfc0	$t0, EBASE
	andi	$t0, $t0, 0xff
	li	$t1, SHIM
	lw	$t1, CORES($t1)
	subu	$t0, $t1, $t0
	addiu	$t0, $t0, -1
	dsll	$t0, $t0, 8
	dli	$s0, BLOCKS
	daddu	$s0, $s0, $t0

	set_timer $t0, $t1
look:
	ld	$s1, 0x20($s0)
	bnez	$s1, mail
	 nop
	ei
	wait
	di
	ehb
	b	look
	 nop

mail:
	ld	$sp, 0x28($s0)
	ld	$gp, 0x30($s0)
	ld	$a1, 0x38($s0)
	mtc0	$zero, COMPARE
	mfc0	$t0, STATUS
	li	$t1, STATUS_TIMER
	or	$t0, $t0, $t1
	xor	$t0, $t0, $t1
	mtc0	$t0, STATUS
	ehb
	jr	$s1
	 nop

	/* The timer's interrupt: if the core is only about to sleep, the next
	 * one ends that sleep. */
	.org	VECTORS + 0x180
	set_timer $k0, $k1
	eret
	 nop
