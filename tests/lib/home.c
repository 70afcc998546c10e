/* SPDX-License-Identifier: MIT */
/*
 * home.c - a domain of the daemon in the test's own process
 */
#include "tests/lib/home.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/holder.h"
#include "daemon/log.h"
#include "daemon/reap.h"
#include "daemon/regs.h"

/*
 * A domain with VMs has a holder: its own program, run anew, which is the
 * test's here.  Before main(), so that no test need know.
 */
__attribute__((constructor)) static void be_holder(int argc, char **argv)
{
	holder_main(argc, argv);
}

static const char *const quiet[] = {
	"domains.default.pool.huge_pages=never",
	"domains.default.ranks_max=16",
	"domains.default.job_ranks_max=8",
	"telemetry=off",
};

#define QUIET	(sizeof(quiet) / sizeof(quiet[0]))

static int open_conf(struct home *h, const char *const *sets)
{
	const char *all[32];
	struct conf_overrides ov = {
		.runtime_dir = h->dir, .pool_size = "16M", .sets = all,
		.log_level = "error",
	};
	char *errors;
	int ret;

	for (size_t i = 0; i < QUIET; i++)
		all[ov.nsets++] = quiet[i];
	for (; sets && *sets; sets++)
		all[ov.nsets++] = *sets;
	ret = conf_load(&h->sh.conf, NULL, &ov, &errors);
	if (ret)
		fprintf(stderr, "%s\n", errors ? errors : strerror(-ret));
	free(errors);
	return ret;
}

int home_open(struct home *h, const char *const *sets)
{
	return home_open_on(h, sets, &hal_loongson);
}

int home_open_on(struct home *h, const char *const *sets,
		 const struct hal_ops *hardware)
{
	char why[DOMAIN_TEXT > REGS_TEXT ? DOMAIN_TEXT : REGS_TEXT] = "";
	int lock, ret;

	memset(h, 0, sizeof(*h));
	log_open(getenv("V") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	strcpy(h->dir, "/tmp/snoo-home-XXXXXX");
	if (!mkdtemp(h->dir))
		return -errno;
	ret = open_conf(h, sets);
	if (ret)
		return ret;
	snprintf(h->path, sizeof(h->path), "%s",
		 h->sh.conf->domains[0].socket.path);
	if (topo_open(&h->sh.topo) ||
	    place_open(&h->sh.place, h->sh.topo, &place_compact) ||
	    loop_open(&h->sh.loop) || keeper_open(&h->sh.keeper, NULL))
		return -ENOMEM;
	h->sh.started_ns = loop_now_ns();
	ret = regs_open_on(&h->sh.regs, &h->sh, hardware, why);
	if (ret == 0)
		ret = domain_lock(&lock, h->dir, "default", why);
	if (ret == 0)
		ret = domain_open(&h->d, &h->sh, &h->sh.conf->domains[0], lock,
				  why);
	if (ret == 0)
		ret = domain_start(h->d);
	if (ret)
		fprintf(stderr, "home: %s\n", why);
	return ret;
}

void home_close(struct home *h)
{
	char path[128];

	domain_close(h->d, DOMAIN_STOP);
	regs_close(h->sh.regs);
	loop_close(h->sh.loop);
	keeper_close(h->sh.keeper);
	place_close(h->sh.place);
	topo_close(h->sh.topo);
	conf_close(h->sh.conf);
	snprintf(path, sizeof(path), "%s/default.lock", h->dir);
	unlink(path);
	rmdir(h->dir);
}

void home_step(void *home)
{
	struct home *h = home;

	loop_step(h->sh.loop);
}

void home_settle(struct home *h)
{
	/* A message may cause a deferred step, which may cause a message. */
	for (int i = 0; i < 20; i++)
		loop_step(h->sh.loop);
}

void home_bury(struct home *h)
{
	home_settle(h);
	for (uint32_t i = 0; i < h->d->nranks; i++) {
		struct rank *r = h->d->rank[i];

		if (r && !state_rank_alive(r) && !r->exited)
			reap_exited(r);
	}
	home_settle(h);
}

void home_rank(struct home *h, struct fakerank *f)
{
	fakerank_init(f, home_step, h);
}
