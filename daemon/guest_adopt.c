/* SPDX-License-Identifier: MIT */
/*
 * guest_adopt.c - take over the sessions of a daemon that died
 *
 * The keeper's names say it all: guest/rank/SID/JOB/socket, and .../pidfd.  A
 * missing socket means that it has ended, a missing pidfd that its process
 * has.  Rank number and slot come back with the host's next message.
 */
#include "daemon/guest_adopt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/guest_join.h"
#include "daemon/guest_session.h"
#include "daemon/log.h"

struct kept {
	uint32_t sid;
	char job[SNOO_WIRE_NAME];
};

static bool parse(const char *name, struct kept *out)
{
	size_t prefix = strlen(GUEST_KEEP_PREFIX), len;
	unsigned long sid;
	char *end;

	if (strncmp(name, GUEST_KEEP_PREFIX, prefix) != 0 ||
	    name[prefix] < '1' || name[prefix] > '9')
		return false;
	sid = strtoul(name + prefix, &end, 10);
	if (sid > UINT32_MAX || *end != '/')
		return false;
	len = strcspn(++end, "/");
	if (len >= sizeof(out->job) || end[len] != '/')
		return false;
	out->sid = (uint32_t)sid;
	snprintf(out->job, sizeof(out->job), "%.*s", (int)len, end);
	return true;
}

static bool find_one(const struct guest *g, struct kept *out)
{
	const struct keeper_fd *list;
	size_t n = keeper_inherited(g->sh->keeper, &list);

	for (size_t i = 0; i < n; i++)
		if (parse(list[i].name, out))
			return true;
	return false;
}

static int take(struct guest *g, const struct kept *k, const char *what)
{
	char name[STATE_KEEP_MAX];

	snprintf(name, sizeof(name), GUEST_KEEP_PREFIX "%u/%s/%s", k->sid,
		 k->job, what);
	return keeper_take(g->sh->keeper, name);
}

void guest_adopt(struct guest *g)
{
	struct kept k;

	while (find_one(g, &k)) {
		int fd = take(g, &k, "socket"), pidfd = take(g, &k, "pidfd");

		/* Another name than ours: keeper_drop_rest() drops it. */
		if (fd < 0 && pidfd < 0)
			return;
		if (guest_session_adopt(g, k.sid, k.job, fd, pidfd))
			log_err("a session is lost for want of memory sid=%u",
				k.sid);
		else
			g->adopted++;
	}
}
