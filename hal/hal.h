/* SPDX-License-Identifier: MIT */
/*
 * hal.h - how one core reaches another: the contract of a back end
 *
 * Theory of operation
 * ===================
 *
 * A core has 32 doorbell bits and three mailboxes of one 64-bit word each
 * (hal/regs.h).  Ringing ORs bits into the other core's STATUS; ENABLE says
 * which bits may end its sleep; taking reads STATUS and clears it.  A mailbox
 * carries one word at a time: 0 is empty, and the receiver's write of 0 is the
 * sender's permission to write again.  There is no lock and no
 * compare-and-swap, so each mailbox of a core has one sender at a time: that
 * is the callers' agreement.
 *
 * Not every back end can do everything: hal_caps() says what it can.  A
 * missing operation answers -EOPNOTSUPP.
 *
 * Sleeping
 * ========
 *
 *	sleeper				ringer
 *	hal_arm(mask)			write the work
 *	look for work			hal_ring(core, bit)
 *	hal_wait(timeout)
 *	hal_arm(0), hal_take()
 *
 * Edge SLEEP: hal_arm() orders the store of ENABLE before every later load of
 * its caller, so work that the look misses was written after the arming, and
 * its ring will end the wait.  The look is the caller's duty: a ring that came
 * before arming woke nobody.  Its bit is still pending, so hal_wait() returns
 * at once; but work whose writer saw no reason to ring has no bit at all.
 *
 * Common rules, checked by the suite in tests/hal/ against every back end:
 *
 *  - 0 or a count on success, -errno on failure; never log
 *  - only open(), close() and refresh() allocate; only wait() sleeps
 *  - ring, nudge, mail_send and regs: any thread.  arm, take, wait,
 *    mail_recv, refresh and where: one thread for each handle, and one handle
 *    for each core.  Nobody else uses the handle during refresh
 *  - nothing that a peer writes into the registers makes a call fault, loop
 *    without end or touch another core's block
 */
#ifndef HAL_HAL_H
#define HAL_HAL_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/regs.h"

struct hal;

/* What a handle can do: hal_caps(). */
#define HAL_CAP_BELL	0x1u	/* ring, nudge, arm, take */
#define HAL_CAP_WAIT	0x2u	/* wait: a ring ends a sleep */
#define HAL_CAP_MAIL	0x4u	/* mail_send, mail_recv */
#define HAL_CAP_STICKY	0x8u	/* a pending bit stays until it is taken;
				 * without: look for work, not for bits */

#define HAL_TEXT	256u	/* bytes of a sentence, NUL included */

/* struct hal_params.flags */
#define HAL_FAULT_WIPE	0x1u	/* emul: "the kernel" clears STATUS behind
				 * each ring, as Linux does on Loongson */
#define HAL_FAULT_OFFLINE 0x8u	/* emul: cores go offline by emul_offline() */
#define HAL_ALLOW_GUEST	0x2u	/* loongson: also inside a virtual machine */
#define HAL_KEEP_MAIL	0x4u	/* loongson: leave our mailboxes as they are,
				 * for whoever takes over from a dead process */

#define HAL_SELF_NONE	UINT32_MAX	/* a handle that only sends */
#define HAL_FOREVER	INT64_C(-1)	/* hal_wait(): no time limit */

/**
 * struct hal_params - What a back end needs to know
 * @regs:	emul: the first register block, in memory that all peers share,
 *		aligned to HAL_REG_STRIDE; the caller maps it and keeps it
 *		mapped while the handle is open.  loongson: NULL
 * @ncores:	emul: blocks in @regs.  loongson: 0
 * @self:	our own core, or HAL_SELF_NONE
 * @flags:	HAL_FAULT_*, HAL_ALLOW_*, HAL_KEEP_*
 */
struct hal_params {
	void *regs;
	uint32_t ncores;
	uint32_t self;
	uint32_t flags;
};

/** struct hal_where - Where a core of the kernel's numbering is */
struct hal_where {
	bool online;			/* when last looked */
	uint32_t node;
	uint32_t core;			/* within the node, 0..3 */
};

/**
 * struct hal_ops - What a back end promises
 *
 * Optional operations are NULL; callers go through the functions below, which
 * check that and the arguments, so an operation may rely on them.
 */
struct hal_ops {
	const char *name;		/* "emul", "loongson" */

	/* Can this back end drive this machine?  Changes nothing.
	 * -ENODEV: other hardware.  -EACCES: right hardware, no permission.
	 * On failure @why says what is missing and what to do about it. */
	int (*probe)(char why[HAL_TEXT]);

	/* On failure *@out is NULL and nothing is left mapped. */
	int (*open)(struct hal **out, const struct hal_params *p);

	void (*close)(struct hal *h);

	int (*ring)(struct hal *h, uint32_t core, uint32_t bits);
	int (*nudge)(struct hal *h, uint32_t core, uint32_t bits);
	void (*arm)(struct hal *h, uint32_t mask);
	uint32_t (*take)(struct hal *h);
	int (*wait)(struct hal *h, int64_t timeout_ns);
	int (*mail_send)(struct hal *h, uint32_t core, uint32_t box,
			 uint64_t word);
	int (*mail_recv)(struct hal *h, uint32_t box, uint64_t *word);
	int (*regs)(struct hal *h, uint32_t core, struct hal_regs *snapshot);

	/* Optional: without, every core is online for ever. */
	int (*refresh)(struct hal *h);
	void (*where)(struct hal *h, uint32_t core, struct hal_where *out);
};

/* A back end's handle begins with this; only back ends and hal.c look in. */
struct hal {
	const struct hal_ops *ops;
	uint32_t caps;
	uint32_t ncores;
	uint32_t self;
};

extern const struct hal_ops hal_emul;
extern const struct hal_ops hal_loongson;

/**
 * hal_find() - Choose a back end
 * @name:	"emul", "loongson", or "auto": the hardware if it can be driven
 *		here, else the emulation
 *
 * Return: its operations, or NULL if there is no such back end
 */
const struct hal_ops *hal_find(const char *name);

/**
 * hal_probe() - Can a back end drive this machine?  Changes nothing
 * @why:	On failure a sentence: what is missing, and what to do about it
 *
 * Return: 0 on success, negative error code otherwise
 *	-ENODEV	 other hardware, or a virtual machine
 *	-EACCES	 the right hardware, but the system does not let us
 */
int hal_probe(const struct hal_ops *ops, char why[HAL_TEXT]);

/**
 * hal_open() - Open a back end
 * @out:	The handle on success, NULL otherwise
 * @ops:	From hal_find(), or one of the tables above
 * @p:		Copied; the memory at @p->regs is not
 *
 * Opening rings nobody and changes no other core's registers.
 *
 * Return: 0 on success, negative error code otherwise
 *	-EINVAL	 a parameter is out of range, or @p->regs is misaligned
 *	-ENODEV	 this machine has no such hardware, or the core is offline
 *	-EACCES	 it has, and we may not map it
 *	-EIO	 a mailbox does not keep what is written to it
 *	-ENOMEM	 no memory
 */
int hal_open(struct hal **out, const struct hal_ops *ops,
	     const struct hal_params *p);

/** hal_close() - Release everything; NULL is allowed */
void hal_close(struct hal *h);

/** hal_name() - "emul", "loongson" */
const char *hal_name(const struct hal *h);

/** hal_caps() - HAL_CAP_* bits of an open handle */
uint32_t hal_caps(const struct hal *h);

/** hal_ncores() - How many cores the handle knows: 0 .. hal_ncores() - 1 */
uint32_t hal_ncores(const struct hal *h);

/**
 * hal_ring() - Raise doorbells on a core: IPI_Set
 * @h:		Handle
 * @core:	Whose; our own is allowed
 * @bits:	Mask of doorbells, not 0
 *
 * What the caller wrote before is visible to @core before the bits are (edge
 * BELL).  Costs one atomic operation, and a system call only if a bit is new
 * and enabled: ringing a pending bell again is free of it.
 *
 * Any thread.  Wait-free but for that system call, which does not block.
 *
 * Return: 0 on success, negative error code otherwise
 *	-EINVAL		@core or @bits is out of range; nothing was rung
 *	-EOPNOTSUPP	the back end has no bells; or, with the bits raised all
 *			the same, nobody can be woken through this memory
 */
int hal_ring(struct hal *h, uint32_t core, uint32_t bits);

/**
 * hal_nudge() - Raise doorbells and wake @core, pending or not
 *
 * For whoever cleans up after a process that may have died between raising a
 * bit and waking the sleeper: hal_ring() would trust the pending bit.  Always
 * one system call.  Otherwise like hal_ring().
 */
int hal_nudge(struct hal *h, uint32_t core, uint32_t bits);

/**
 * hal_arm() - Say which doorbells may end our sleep: IPI_Enable
 * @h:		Handle
 * @mask:	Bits; 0 before computing on, so that nobody wakes us in vain
 *
 * Edge SLEEP: look for work after this call and before hal_wait().
 *
 * Return: 0 on success, negative error code otherwise
 *	-EINVAL		the handle has no core of its own
 *	-EOPNOTSUPP	the back end has no bells
 */
int hal_arm(struct hal *h, uint32_t mask);

/**
 * hal_take() - Take and clear our pending doorbells
 *
 * What a ringer wrote before ringing is visible after this call.  Wait-free.
 *
 * Return: mask of bits, 0 if none is pending
 */
uint32_t hal_take(struct hal *h);

/**
 * hal_wait() - Sleep until a doorbell that hal_arm() enabled is pending
 * @h:		Handle
 * @timeout_ns:	At most so long; HAL_FOREVER (or any negative value) for no
 *		limit, 0 to look only
 *
 * Takes nothing: hal_take() does.
 *
 * Return: 0 when rung, negative error code otherwise.  Without HAL_CAP_STICKY
 *	   the bit may be gone by then.
 *	-ETIMEDOUT	not rung within @timeout_ns
 *	-EINTR		a signal was handled
 *	-EINVAL		the handle has no core of its own
 *	-EOPNOTSUPP	the back end cannot sleep, or nobody can sleep on this
 *			memory (a mapped PCI BAR): use another bell
 */
int hal_wait(struct hal *h, int64_t timeout_ns);

/**
 * hal_mail_send() - Write a word into a mailbox of another core
 * @h:		Handle
 * @core:	Whose
 * @box:	HAL_MAIL_FIRST .. HAL_MAIL_LAST; one sender at a time
 * @word:	Not 0
 *
 * One 64-bit store; what the caller wrote before is visible first (edge MAIL).
 * Does not ring.  Wait-free.
 *
 * Return: 0 on success, negative error code otherwise
 *	-EAGAIN		the last word was not taken yet; nothing was written
 *	-EINVAL		@core, @box or @word is out of range
 *	-ENODEV		@core was offline when the handle last looked
 *	-EOPNOTSUPP	the back end has no mailboxes
 */
int hal_mail_send(struct hal *h, uint32_t core, uint32_t box, uint64_t word);

/**
 * hal_mail_recv() - Take the word from one of our own mailboxes
 * @h:		Handle
 * @box:	HAL_MAIL_FIRST .. HAL_MAIL_LAST
 * @word:	The word; 0 on failure
 *
 * Acknowledges it: the sender may write the next one (edge ACK).  Wait-free.
 *
 * Return: 0 on success, negative error code otherwise
 *	-EAGAIN		the mailbox is empty
 *	-EINVAL		@box is out of range or the handle has no core
 *	-ENODEV		our core was offline when the handle last looked
 *	-EOPNOTSUPP	the back end has no mailboxes
 */
int hal_mail_recv(struct hal *h, uint32_t box, uint64_t *word);

/**
 * hal_read_regs() - Look at a core's registers without changing them
 *
 * Return: 0 on success, negative error code otherwise
 *	-EINVAL	 @core is out of range
 *	-ENODEV	 @core was offline when the handle last looked
 */
int hal_read_regs(struct hal *h, uint32_t core, struct hal_regs *snapshot);

/**
 * hal_refresh() - Look again which cores are online
 *
 * From then on nothing is written to a core that is offline (-ENODEV), and one
 * that has come back can be reached.  Its mailboxes may hold what the kernel
 * left there.
 *
 * Return: how many cores changed, 0 or more; or negative error code: the
 *	   kernel's list can't be read, and until it can no core is online
 */
int hal_refresh(struct hal *h);

/**
 * hal_where() - Where core @core of the kernel's numbering is
 *
 * Return: 0, or -EINVAL: @core is out of range
 */
int hal_where(struct hal *h, uint32_t core, struct hal_where *out);

#endif /* HAL_HAL_H */
