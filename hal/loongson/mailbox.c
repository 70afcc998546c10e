/* SPDX-License-Identifier: MIT */
/*
 * mailbox.c - words in the mailboxes of a Loongson 3
 *
 * Each mailbox has one sender at a time, by agreement of the callers
 * (hal/mail.h).
 *
 * Ordering edges
 * ==============
 *
 *   edge  one end                           other end
 *   MAIL  send: barrier, store, barrier     recv: load, barrier
 *   ACK   recv: barrier, store 0, barrier   send: load, barrier
 *
 * The barriers are in mmio.h, around each access.
 */
#include "hal/loongson/mailbox.h"

#include <errno.h>

int loongson_mail_send(struct hal *h, uint32_t core, uint32_t box,
		       uint64_t word)
{
	struct loongson *l = (struct loongson *)h;
	uint64_t last;
	int ret;

	/* ACK, sender's side: the last word was read before it became 0. */
	ret = loongson_map_load(l->map, core, (enum loongson_box)box, &last);
	if (ret)
		return ret;
	if (last != 0)
		return -EAGAIN;
	/* MAIL, sender's side: the barrier before the store is inside. */
	return loongson_map_store(l->map, core, (enum loongson_box)box, word);
}

int loongson_mail_recv(struct hal *h, uint32_t box, uint64_t *word)
{
	struct loongson *l = (struct loongson *)h;
	int ret;

	/* MAIL, receiver's side: the barrier after the load is inside. */
	ret = loongson_map_load(l->map, h->self, (enum loongson_box)box, word);
	if (ret)
		return ret;
	if (*word == 0)
		return -EAGAIN;
	/* ACK, receiver's side. */
	return loongson_map_store(l->map, h->self, (enum loongson_box)box, 0);
}

int loongson_regs(struct hal *h, uint32_t core, struct hal_regs *snapshot)
{
	struct loongson *l = (struct loongson *)h;

	return loongson_map_regs(l->map, core, snapshot);
}

#define TRIES 16

/*
 * Does a mailbox keep what is written to it?  Somebody who saw it empty before
 * may write over it once; who comes later sees that it is not.
 */
static int keep(struct loongson *l, enum loongson_box box, uint64_t word)
{
	uint64_t back;

	for (int i = 0; i < TRIES; i++) {
		if (loongson_map_store(l->map, l->base.self, box, word) ||
		    loongson_map_load(l->map, l->base.self, box, &back))
			return -EIO;
		if (back == word)
			return 0;
	}
	return -EIO;
}

/*
 * After boot our mailboxes hold the kernel's stack and global pointer.  The
 * manuals' tables call some of them write-only, its text all of them readable:
 * so write, read back, clear.
 */
int loongson_reset_mail(struct loongson *l)
{
	for (int i = HAL_MAIL_FIRST; i <= HAL_MAIL_LAST; i++) {
		enum loongson_box box = (enum loongson_box)i;
		uint64_t probe = UINT64_C(0x534e4f4f00000000) | (uint64_t)i;

		if (keep(l, box, probe) || keep(l, box, ~probe))
			return -EIO;
		/* Not read back: from now on a word may be there. */
		if (loongson_map_store(l->map, l->base.self, box, 0))
			return -EIO;
	}
	return 0;
}
