/* SPDX-License-Identifier: MIT */
/*
 * loongson.c - the inter-core registers of a Loongson 3: probe, open, hotplug
 *
 * Theory of operation
 * ===================
 *
 * The registers could do all that hal.h describes; the kernel uses them for its
 * own interrupts and leaves us the mailboxes (map.c says what is never written
 * and why).  So there are mailboxes and no bells (HAL_CAP_MAIL alone): the
 * receiver polls while there is traffic, and sleeps on a bell of another kind.
 *
 * A core that is offline is out of reach: bringing it online puts its stack
 * pointer into MailBox1, its global pointer into 2 and 0 into 3, and a word of
 * ours in between would be where it starts to run.  refresh() looks at the
 * kernel's list; whoever uses the handle calls it often.
 *
 * The kernel writes these before it lists the core as online, and the core has
 * read them by then.  So the danger is the time between a core's end and our
 * next look, in which we think it is there: it must not come back within that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "hal/loongson/loongson.h"
#include "hal/loongson/mailbox.h"
#include "hal/loongson/map.h"

/* The guest last: what else is missing is of use to one that is allowed. */
int loongson_probe_on(const struct loongson_sys *sys, char why[HAL_TEXT])
{
	struct loongson_machine m;
	struct loongson_map *map;
	int ret = loongson_look(&m, sys, why);

	if (ret)
		return ret;
	if (m.guest && m.chip->arch == CHIP_LOONGARCH)
		return loongson_guest(&m, 0, why);
	ret = loongson_map_open(&map, sys, &m, why);
	if (ret)
		return ret;
	loongson_map_close(map);
	return loongson_guest(&m, 0, why);
}

static int loongson_probe(char why[HAL_TEXT])
{
	return loongson_probe_on(loongson_sys(), why);
}

static void loongson_close(struct hal *h)
{
	struct loongson *l = (struct loongson *)h;

	loongson_map_close(l->map);
	if (l->online >= 0)
		close(l->online);
	free(l);
}

static int check_self(const struct loongson *l, uint32_t self)
{
	if (self == HAL_SELF_NONE)
		return 0;
	if (self >= l->machine.ncpus)
		return -EINVAL;
	return l->machine.cpu[self].online ? 0 : -ENODEV;
}

int loongson_open_on(struct hal **out, const struct hal_params *p,
		     const struct loongson_sys *sys)
{
	struct loongson *l = calloc(1, sizeof(*l));
	char why[HAL_TEXT];
	int ret;

	*out = NULL;
	if (!l)
		return -ENOMEM;
	l->base.ops = &hal_loongson;
	l->base.caps = HAL_CAP_MAIL;
	l->base.self = p->self;
	l->sys = sys;
	/* Before cpuinfo: what changes in between, refresh() finds. */
	l->online = open(sys->online, O_RDONLY | O_CLOEXEC);
	ret = loongson_look(&l->machine, sys, why);
	if (ret == 0)
		ret = loongson_guest(&l->machine, p->flags, why);
	if (ret == 0)
		ret = check_self(l, p->self);
	if (ret == 0)
		ret = loongson_map_open(&l->map, sys, &l->machine, why);
	if (ret == 0 && l->online < 0)
		ret = -ENODEV;
	if (ret)
		goto out_close;
	l->base.ncores = l->machine.ncpus;
	if (p->self != HAL_SELF_NONE && !(p->flags & HAL_KEEP_MAIL)) {
		ret = loongson_reset_mail(l);
		if (ret)
			goto out_close;
	}
	*out = &l->base;
	return 0;

out_close:
	loongson_close(&l->base);
	return ret;
}

static int loongson_open(struct hal **out, const struct hal_params *p)
{
	return loongson_open_on(out, p, loongson_sys());
}

/*
 * Where a core is that was offline when we last read that.  False: not known
 * now, and a guess might be another core's mailboxes.
 */
static bool place(struct loongson *l, uint32_t cpu)
{
	struct loongson_cpu *c = &l->machine.cpu[cpu];
	struct loongson_machine now;
	char why[HAL_TEXT];

	if (c->placed)
		return true;
	if (loongson_look(&now, l->sys, why) || !now.cpu[cpu].online)
		return false;
	*c = now.cpu[cpu];
	return true;
}

/* A list that cannot be read has no core: each of them may be starting. */
static int loongson_refresh(struct hal *h)
{
	struct loongson *l = (struct loongson *)h;
	uint64_t mask = 0;
	int changed = 0, ret;

	ret = loongson_online(l->online, &mask);
	if (ret)
		mask = 0;
	for (uint32_t i = 0; i < h->ncores; i++) {
		struct loongson_cpu *c = &l->machine.cpu[i];
		bool was = c->online, now = mask >> i & 1;

		if (now && !was) {
			c->online = place(l, i) &&
				    loongson_map_show(l->map, i, c);
		} else if (!now && was) {
			loongson_map_hide(l->map, i);
			c->online = false;
		}
		changed += c->online != was;
	}
	return ret ? ret : changed;
}

static void loongson_where(struct hal *h, uint32_t core, struct hal_where *out)
{
	const struct loongson *l = (const struct loongson *)h;
	const struct loongson_cpu *c = &l->machine.cpu[core];

	out->online = c->online;
	/* One that was never online is not anywhere yet: hal_where()'s guess. */
	if (!c->placed)
		return;
	out->node = c->node;
	out->core = c->core;
}

const struct hal_ops hal_loongson = {
	.name = "loongson",
	.probe = loongson_probe,
	.open = loongson_open,
	.close = loongson_close,
	.mail_send = loongson_mail_send,
	.mail_recv = loongson_mail_recv,
	.regs = loongson_regs,
	.refresh = loongson_refresh,
	.where = loongson_where,
};
