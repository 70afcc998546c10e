/* SPDX-License-Identifier: MIT */
/*
 * snoorun_on.c - which rank runs where: --on host:1,vm-a:2
 */
#include "tools/snoorun_on.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOST	"host"

static int bad(const char *what)
{
	snoorun_say("--on %s; it takes NAME[:RANKS],... where NAME is host or "
		    "a VM, like host:1,vm-a:2", what);
	return -EINVAL;
}

/* ":2", or nothing: 1. */
static int parse_count(const char **text, unsigned int *out)
{
	unsigned int n = 0;

	*out = 1;
	if (**text != ':')
		return 0;
	if (!isdigit((unsigned char)*++*text))
		return -EINVAL;
	for (; isdigit((unsigned char)**text); (*text)++) {
		n = n * 10 + (unsigned int)(**text - '0');
		if (n > SNOORUN_RANKS_MAX)
			return -ERANGE;
	}
	*out = n;
	return n ? 0 : -EINVAL;
}

static int add(struct snoorun_opts *o, const char *name, size_t len,
	       unsigned int ranks)
{
	struct snoorun_place *list;

	list = realloc(o->on, (o->nplaces + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	o->on = list;
	list[o->nplaces] = (struct snoorun_place){ .ranks = ranks };
	memcpy(list[o->nplaces].name, name, len);
	o->nplaces++;
	o->n += ranks;
	return 0;
}

int on_parse(struct snoorun_opts *o, const char *text)
{
	on_free(o);
	o->n = 0;
	for (;;) {
		size_t len = strcspn(text, ":,");
		const char *name = text;
		unsigned int ranks;

		if (len == 0)
			return bad("has a name missing");
		if (len >= sizeof(o->on->name))
			return bad("has a name of more than 63 bytes");
		text += len;
		if (parse_count(&text, &ranks) || (*text && *text != ','))
			return bad("has a number of ranks that is none");
		if (ranks > SNOORUN_RANKS_MAX - o->n)
			return bad("has more than 1024 ranks in all");
		if (add(o, name, len, ranks))
			return bad("needs memory that there is not");
		if (!*text++)
			return 0;
	}
}

void on_free(struct snoorun_opts *o)
{
	free(o->on);
	o->on = NULL;
	o->nplaces = 0;
}

const char *on_vm(const struct snoorun_opts *o, unsigned int i)
{
	for (unsigned int p = 0; p < o->nplaces; p++) {
		if (i < o->on[p].ranks)
			return strcmp(o->on[p].name, HOST) == 0 ? NULL :
			       o->on[p].name;
		i -= o->on[p].ranks;
	}
	return NULL;
}

bool on_any_vm(const struct snoorun_opts *o)
{
	for (unsigned int p = 0; p < o->nplaces; p++)
		if (strcmp(o->on[p].name, HOST) != 0)
			return true;
	return false;
}
