/* SPDX-License-Identifier: MIT */
/*
 * emul.c - the register blocks in shared memory: open, mailboxes, snapshot
 *
 * The memory is laid out as the hardware's registers are (hal/regs.h), and the
 * same rules hold: four last-write-wins cells for each core, STATUS that is
 * ORed into and taken whole, ENABLE that masks the wake-up only.  The doorbells
 * are in doorbell.c.
 *
 * Ordering edges
 * ==============
 *
 *   edge  one end                    other end                 so that
 *   MAIL  send: release store word   recv: acquire load word   what came before
 *                                                              is visible
 *   ACK   recv: release store 0      send: acquire load 0      the word is read
 *                                                              before the next
 *
 * With HAL_FAULT_OFFLINE a word of the block that the hardware has not says
 * that the core is offline; a handle acts by what it saw there last, as the
 * hardware's does.
 *
 * Every word in the block may have been written by a hostile peer.  It can
 * spoil or withhold messages of its own domain; it gives us no address, no
 * length and no loop bound.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "hal/emul/emul.h"

/* The emulation needs shared memory and nothing of the machine. */
static int emul_probe(char why[HAL_TEXT])
{
	(void)why;
	return 0;
}

/* What an online core's mailboxes hold when Linux has started it. */
#define STACK_POINTER  UINT64_C(0x98000000022afeb0)
#define GLOBAL_POINTER UINT64_C(0x98000000022ac000)

void emul_offline(struct hal_block *regs, uint32_t core, bool offline)
{
	struct hal_block *b = &regs[core];

	/* Relaxed, and then release: who sees it online sees what is there. */
	if (!offline) {
		atomic_store_explicit(&b->mail[1], STACK_POINTER,
				      memory_order_relaxed);
		atomic_store_explicit(&b->mail[2], GLOBAL_POINTER,
				      memory_order_relaxed);
		atomic_store_explicit(&b->mail[3], 0, memory_order_relaxed);
	}
	atomic_store_explicit(&b->offline, offline, memory_order_release);
}

static bool is_online(const struct emul *e, uint32_t core)
{
	return !e->online || e->online[core];
}

static int emul_refresh(struct hal *h)
{
	struct emul *e = (struct emul *)h;
	int changed = 0;

	if (!e->online)
		return 0;
	for (uint32_t i = 0; i < h->ncores; i++) {
		bool now = atomic_load_explicit(&e->blocks[i].offline,
						memory_order_acquire) == 0;

		changed += now != e->online[i];
		e->online[i] = now;
	}
	return changed;
}

static void emul_where(struct hal *h, uint32_t core, struct hal_where *out)
{
	/* The rest is as hal_where() has filled it in. */
	out->online = is_online((struct emul *)h, core);
}

static void emul_close(struct hal *h)
{
	struct emul *e = (struct emul *)h;

	free(e->online);
	free(e);
}

static int emul_open(struct hal **out, const struct hal_params *p)
{
	struct emul *e;

	if (!p->regs || (uintptr_t)p->regs % HAL_REG_STRIDE != 0)
		return -EINVAL;
	if (p->ncores == 0 || p->ncores == UINT32_MAX)
		return -EINVAL;
	if (p->self >= p->ncores && p->self != HAL_SELF_NONE)
		return -EINVAL;

	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->base.ops = &hal_emul;
	e->base.caps = HAL_CAP_BELL | HAL_CAP_WAIT | HAL_CAP_MAIL;
	e->base.ncores = p->ncores;
	e->base.self = p->self;
	e->blocks = p->regs;
	e->wipe = (p->flags & HAL_FAULT_WIPE) != 0;
	if (!e->wipe)
		e->base.caps |= HAL_CAP_STICKY;
	if (p->flags & HAL_FAULT_OFFLINE) {
		e->online = calloc(p->ncores, sizeof(*e->online));
		if (!e->online) {
			free(e);
			return -ENOMEM;
		}
		emul_refresh(&e->base);
		if (p->self != HAL_SELF_NONE && !is_online(e, p->self)) {
			emul_close(&e->base);
			return -ENODEV;
		}
	}
	*out = &e->base;
	return 0;
}

static int emul_mail_send(struct hal *h, uint32_t core, uint32_t box,
			  uint64_t word)
{
	struct emul *e = (struct emul *)h;
	_Atomic uint64_t *cell = &e->blocks[core].mail[box];

	if (!is_online(e, core))
		return -ENODEV;
	/*
	 * ACK, sender's side: the receiver has read the last word before it
	 * wrote the 0 that we see, so we cannot overwrite it unread.
	 */
	if (atomic_load_explicit(cell, memory_order_acquire) != 0)
		return -EAGAIN;
	/* MAIL, sender's side: what the word announces is written. */
	atomic_store_explicit(cell, word, memory_order_release);
	return 0;
}

static int emul_mail_recv(struct hal *h, uint32_t box, uint64_t *word)
{
	struct emul *e = (struct emul *)h;
	_Atomic uint64_t *cell = &e->blocks[h->self].mail[box];

	if (!is_online(e, h->self))
		return -ENODEV;
	/* MAIL, receiver's side. */
	*word = atomic_load_explicit(cell, memory_order_acquire);
	if (*word == 0)
		return -EAGAIN;
	/* ACK, receiver's side: our load is done, the cell is free again. */
	atomic_store_explicit(cell, 0, memory_order_release);
	return 0;
}

static int emul_regs(struct hal *h, uint32_t core, struct hal_regs *snapshot)
{
	struct emul *e = (struct emul *)h;
	struct hal_block *b = &e->blocks[core];

	if (!is_online(e, core))
		return -ENODEV;
	/* Relaxed: a look for a person, nothing is concluded from it. */
	snapshot->status = atomic_load_explicit(&b->status,
						memory_order_relaxed);
	snapshot->enable = atomic_load_explicit(&b->enable,
						memory_order_relaxed);
	for (int i = 0; i < HAL_MAILBOXES; i++)
		snapshot->mail[i] = atomic_load_explicit(&b->mail[i],
							 memory_order_relaxed);
	return 0;
}

const struct hal_ops hal_emul = {
	.name = "emul",
	.probe = emul_probe,
	.open = emul_open,
	.close = emul_close,
	.ring = emul_ring,
	.nudge = emul_nudge,
	.arm = emul_arm,
	.take = emul_take,
	.wait = emul_wait,
	.mail_send = emul_mail_send,
	.mail_recv = emul_mail_recv,
	.regs = emul_regs,
	.refresh = emul_refresh,
	.where = emul_where,
};
