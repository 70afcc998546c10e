/* SPDX-License-Identifier: MIT */
/*
 * hal.c - choose a back end; check what its operations rely on
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "hal/hal.h"

/* In the order in which "auto" asks them; the emulation drives any machine. */
static const struct hal_ops *const backends[] = { &hal_loongson, &hal_emul };

const struct hal_ops *hal_find(const char *name)
{
	size_t n = sizeof(backends) / sizeof(backends[0]);
	char why[HAL_TEXT];

	for (size_t i = 0; i < n; i++) {
		if (strcmp(name, "auto") == 0) {
			if (backends[i]->probe(why) == 0)
				return backends[i];
		} else if (strcmp(name, backends[i]->name) == 0) {
			return backends[i];
		}
	}
	return NULL;
}

int hal_probe(const struct hal_ops *ops, char why[HAL_TEXT])
{
	why[0] = '\0';
	return ops->probe(why);
}

int hal_open(struct hal **out, const struct hal_ops *ops,
	     const struct hal_params *p)
{
	*out = NULL;
	return ops->open(out, p);
}

void hal_close(struct hal *h)
{
	if (h)
		h->ops->close(h);
}

const char *hal_name(const struct hal *h)
{
	return h->ops->name;
}

uint32_t hal_caps(const struct hal *h)
{
	return h->caps;
}

uint32_t hal_ncores(const struct hal *h)
{
	return h->ncores;
}

int hal_ring(struct hal *h, uint32_t core, uint32_t bits)
{
	if (!h->ops->ring)
		return -EOPNOTSUPP;
	if (core >= h->ncores || bits == 0)
		return -EINVAL;
	return h->ops->ring(h, core, bits);
}

int hal_nudge(struct hal *h, uint32_t core, uint32_t bits)
{
	if (!h->ops->nudge)
		return -EOPNOTSUPP;
	if (core >= h->ncores || bits == 0)
		return -EINVAL;
	return h->ops->nudge(h, core, bits);
}

int hal_arm(struct hal *h, uint32_t mask)
{
	if (!h->ops->arm)
		return -EOPNOTSUPP;
	if (h->self >= h->ncores)
		return -EINVAL;
	h->ops->arm(h, mask);
	return 0;
}

uint32_t hal_take(struct hal *h)
{
	if (!h->ops->take || h->self >= h->ncores)
		return 0;
	return h->ops->take(h);
}

int hal_wait(struct hal *h, int64_t timeout_ns)
{
	if (!h->ops->wait)
		return -EOPNOTSUPP;
	if (h->self >= h->ncores)
		return -EINVAL;
	return h->ops->wait(h, timeout_ns);
}

static bool ours_to_use(uint32_t box)
{
	return box >= HAL_MAIL_FIRST && box <= HAL_MAIL_LAST;
}

int hal_mail_send(struct hal *h, uint32_t core, uint32_t box, uint64_t word)
{
	if (!h->ops->mail_send)
		return -EOPNOTSUPP;
	if (core >= h->ncores || !ours_to_use(box) || word == 0)
		return -EINVAL;
	return h->ops->mail_send(h, core, box, word);
}

int hal_mail_recv(struct hal *h, uint32_t box, uint64_t *word)
{
	*word = 0;
	if (!h->ops->mail_recv)
		return -EOPNOTSUPP;
	if (h->self >= h->ncores || !ours_to_use(box))
		return -EINVAL;
	return h->ops->mail_recv(h, box, word);
}

int hal_read_regs(struct hal *h, uint32_t core, struct hal_regs *snapshot)
{
	memset(snapshot, 0, sizeof(*snapshot));
	if (core >= h->ncores)
		return -EINVAL;
	return h->ops->regs(h, core, snapshot);
}

int hal_refresh(struct hal *h)
{
	return h->ops->refresh ? h->ops->refresh(h) : 0;
}

int hal_where(struct hal *h, uint32_t core, struct hal_where *out)
{
	*out = (struct hal_where){
		.online = true,
		.node = core / HAL_NODE_CORES,
		.core = core % HAL_NODE_CORES,
	};
	if (core >= h->ncores)
		return -EINVAL;
	if (h->ops->where)
		h->ops->where(h, core, out);
	return 0;
}
