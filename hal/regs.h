/* SPDX-License-Identifier: MIT */
/*
 * regs.h - the inter-core registers, one table for hardware and emulation
 *
 * One block for each core, HAL_REG_STRIDE apart:
 *
 *   off   width  name       access  reads            a write
 *   0x00  32     STATUS     R       pending bits     is ignored
 *   0x04  32     ENABLE     RW      what was written masks the interrupt (here:
 *                                                    the wake-up), not STATUS
 *   0x08  32     SET        W       0                ORs into STATUS
 *   0x0c  32     CLEAR      W       0                ANDs its complement in
 *   0x20  64     MAILBOX0   RW      last written     the kernel's: never ours
 *   0x28  64     MAILBOX1   RW      last written     replaces the word
 *   0x30  64     MAILBOX2   RW      last written     replaces the word
 *   0x38  64     MAILBOX3   RW      last written     replaces the word
 *
 * STATUS bits are sticky and not counted.  A mailbox has no full flag, no
 * interrupt and no compare-and-swap; what makes messages of it is the rule of
 * hal.h: 0 is empty, the reader's write of 0 is the acknowledgement.
 *
 * Sources: Linux 6.1, arch/mips/loongson64/smp.h; Loongson 3A3000 user manual,
 * volume 1, tables 6-1 to 6-5; Loongson 3A5000 user manual, "Inter-Processor
 * Interrupts and Communication".
 */
#ifndef HAL_REGS_H
#define HAL_REGS_H

#include <stddef.h>
#include <stdint.h>

#define HAL_REG_STATUS		0x00
#define HAL_REG_ENABLE		0x04
#define HAL_REG_SET		0x08
#define HAL_REG_CLEAR		0x0c
#define HAL_REG_MAILBOX0	0x20
#define HAL_REG_MAILBOX1	0x28
#define HAL_REG_MAILBOX2	0x30
#define HAL_REG_MAILBOX3	0x38
#define HAL_REG_STRIDE		0x100	/* bytes from core to core */

#define HAL_NODE_CORES		4	/* blocks in one page */

#define HAL_MAILBOXES		4
#define HAL_MAIL_FIRST		1	/* mailbox 0 starts cores: not ours */
#define HAL_MAIL_LAST		3

/**
 * struct hal_block - The registers of one core, as the emulation keeps them
 *
 * The block lies in shared memory and every peer can write it: a value read
 * from it is a hint or somebody's message, never authority.  `set` and `clear`
 * are never stored to, so they read 0 as the hardware's do.
 */
struct hal_block {
	_Atomic uint32_t status;	/* any core: OR;  its own: exchange 0 */
	_Atomic uint32_t enable;	/* its own core */
	uint32_t set;			/* 0 */
	uint32_t clear;			/* 0 */
	uint32_t reserved0[4];
	_Atomic uint64_t mail[HAL_MAILBOXES];	/* sender: word;  own: 0 */
	uint32_t reserved1[47];
	_Atomic uint32_t offline;	/* hal/emul, HAL_FAULT_OFFLINE: not 0 */
};

#define HAL_REG_AT(field, off)						\
	_Static_assert(offsetof(struct hal_block, field) == (off),	\
		       "register " #field " moved")

HAL_REG_AT(status,  HAL_REG_STATUS);
HAL_REG_AT(enable,  HAL_REG_ENABLE);
HAL_REG_AT(set,     HAL_REG_SET);
HAL_REG_AT(clear,   HAL_REG_CLEAR);
HAL_REG_AT(mail,    HAL_REG_MAILBOX0);
HAL_REG_AT(mail[1], HAL_REG_MAILBOX1);
HAL_REG_AT(mail[2], HAL_REG_MAILBOX2);
HAL_REG_AT(mail[3], HAL_REG_MAILBOX3);
HAL_REG_AT(offline, HAL_REG_STRIDE - 4);
_Static_assert(sizeof(struct hal_block) == HAL_REG_STRIDE, "block grew");
_Static_assert(sizeof(_Atomic uint32_t) == 4, "atomics must add no bytes");
_Static_assert(sizeof(_Atomic uint64_t) == 8, "atomics must add no bytes");

/**
 * struct hal_regs - What a block showed when somebody looked
 *
 * Read register by register, so the values need not have been there together.
 */
struct hal_regs {
	uint32_t status;
	uint32_t enable;
	uint64_t mail[HAL_MAILBOXES];
};

#endif /* HAL_REGS_H */
