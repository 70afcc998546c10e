/* SPDX-License-Identifier: MIT */
/*
 * locks.c - the locks of all domains that this daemon serves
 */
#include "daemon/locks.h"

#include <stdlib.h>
#include <unistd.h>

int *locks_new(const struct conf *c)
{
	int *fds = calloc(c->ndomains, sizeof(*fds));

	for (unsigned int i = 0; fds && i < c->ndomains; i++)
		fds[i] = -1;
	return fds;
}

static void give_up(int *fds, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

void locks_free(const struct conf *c, int *fds)
{
	if (!fds)
		return;
	give_up(fds, c->ndomains);
	free(fds);
}

int locks_take(const struct conf *c, unsigned int n, int *fds,
	       char why[DOMAIN_TEXT])
{
	for (unsigned int i = 0; i < n; i++) {
		int ret = domain_lock(&fds[i], c->runtime_dir,
				      c->domains[i].name, why);

		if (ret) {
			give_up(fds, i);
			return ret;
		}
	}
	return 0;
}
