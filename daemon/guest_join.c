/* SPDX-License-Identifier: MIT */
/*
 * guest_join.c - from a process's HELLO to its WELCOME, by way of the host
 *
 * The keeper has the socket before JOIN goes out.  A daemon that dies between
 * the two leaves a socket for whose KNOWN the host says END: it ends without
 * an answer, as does one that was not kept yet, and the library tries again.
 * After JOIN the rank is the host's, and WELCOME is said again if need be.
 */
#include "daemon/guest_join.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/guest_link.h"
#include "daemon/guest_post.h"
#include "daemon/guest_seat.h"
#include "daemon/job.h"
#include "daemon/log.h"
#include "shm/testpoint.h"

#define COSTS_MINOR	4u	/* of wire.h: from here on WELCOME has them */

#define KEEPER_WAIT_MS	2000
#define MINOR_OF_MAP	2u	/* the first that knows WELCOME.map_* */

const char *guest_join_keep_name(char buf[STATE_KEEP_MAX],
				 const struct guest_session *s,
				 const char *what)
{
	snprintf(buf, STATE_KEEP_MAX, GUEST_KEEP_PREFIX "%u/%s/%s", s->sid,
		 s->hello.name, what);
	return buf;
}

int guest_join_check(struct guest_session *s, char why[SNOO_WIRE_TEXT])
{
	int ret = job_check(&s->hello, why);

	if (ret)
		return ret;
	if (s->hello.minor < MINOR_OF_MAP) {
		snprintf(why, SNOO_WIRE_TEXT, "the client speaks version "
			 "%u.%u, which knows nothing of virtual machines: use "
			 "a library of this daemon's release", s->hello.major,
			 s->hello.minor);
		return -EPROTONOSUPPORT;
	}
	return peer_identify(s->fd, &s->who, why, SNOO_WIRE_TEXT);
}

/* Random at start, then up: no sid comes twice in a boot. */
static uint32_t next_sid(struct guest *g)
{
	do
		g->last_sid++;
	while (g->last_sid == 0 || guest_session_find(g, g->last_sid));
	return g->last_sid;
}

static int keep_fds(struct guest_session *s)
{
	struct keeper *k = s->g->sh->keeper;
	char name[STATE_KEEP_MAX];
	int ret;

	/* Not watched: what it said before it closed is still to be read. */
	ret = keeper_store(k, guest_join_keep_name(name, s, "socket"), s->fd,
			   false);
	if (ret == 0 && s->who.pidfd >= 0)
		ret = keeper_store(k, guest_join_keep_name(name, s, "pidfd"),
				   s->who.pidfd, false);
	if (ret == 0)
		ret = keeper_barrier(k, KEEPER_WAIT_MS);
	return ret;
}

static int put_join(struct guest_session *s)
{
	struct {
		struct snoo_ctl_join join;
		struct snoo_wire_hello hello;
	} m = {
		.join = {
			.frame = { .type = SNOO_CTL_JOIN, .sid = s->sid,
				   .slot = SNOO_CTL_NO_SLOT },
			.uid = s->who.uid,
			.gid = s->who.gid,
			.pid = (uint32_t)s->who.pid,
			.vcpu = s->seat.cpu,
		},
		.hello = s->hello,
	};
	int ret = guest_link_put(s->g, &m.join.frame, &m.join.frame + 1,
				 sizeof(m) - sizeof(m.join.frame));

	SNOO_TESTPOINT("guest_join_put");
	return ret;
}

/* What does not hang on the ring's room is done once. */
static int prepare(struct guest_session *s, char why[SNOO_WIRE_TEXT])
{
	int ret = s->seated ? 0 : guest_seat_take(s, why);

	if (ret || s->kept)
		return ret;
	s->sid = next_sid(s->g);
	ret = keep_fds(s);
	SNOO_TESTPOINT("guest_join_kept");
	s->kept = true;
	if (ret)
		snprintf(why, SNOO_WIRE_TEXT, "the daemon's keeper does not "
			 "take the socket (%s): try again", strerror(-ret));
	return ret;
}

int guest_join_ask(struct guest_session *s, char why[SNOO_WIRE_TEXT])
{
	int ret = prepare(s, why);

	if (ret)
		return ret == -EAGAIN ? -EIO : ret;
	ret = put_join(s);
	if (ret)
		return ret;
	/* In this session of the channel no KNOWN need name it. */
	s->joined = s->known = true;
	return 0;
}

static bool plausible(const struct guest_session *s,
		      const struct snoo_wire_welcome *w, uint32_t slot)
{
	const struct snoo_ctl_welcome *host = &s->g->link.welcome;

	return w->major == SNOO_WIRE_MAJOR && w->pool_bytes ==
	       host->pool_bytes && w->slot == slot && slot < host->ranks &&
	       w->rank < SNOO_ABI_JOB_RANKS;
}

static void complete(const struct guest_session *s,
		     struct snoo_wire_welcome *w)
{
	const struct guest_dev_map *map = guest_dev_map(s->g->dev);
	const struct costs *c = &s->g->sh->costs;

	w->core = s->seat.cpu;
	w->node = s->seat.node;
	w->cores = topo_cores(s->g->sh->topo);
	w->map_offset = map->offset;
	w->map_skip = map->skip;
	/* To wake who sleeps costs far more in a VM. */
	w->wake_ns = c->wake_ns;
	w->yield_ns = c->yield_ns;
	w->hand_ns = c->hand_ns;
	if (!w->spin_fixed && w->minor >= COSTS_MINOR)
		w->spin_ns = costs_spin_ns(c);
}

int guest_join_welcome(struct guest_session *s, const void *msg, size_t bytes,
		       uint32_t slot)
{
	struct snoo_wire_welcome w;
	struct guest_mail m = {
		.msg = &w, .bytes = sizeof(w), .slot = slot,
		.fd = &guest_dev_map(s->g->dev)->fd, .nfds = 1,
	};

	if (bytes != sizeof(w))
		return -EPROTO;
	memcpy(&w, msg, sizeof(w));
	if (!plausible(s, &w, slot))
		return -EPROTO;
	complete(s, &w);
	s->rank = w.rank;
	s->job = w.job;
	if (s->state == GUEST_SESSION_JOINING) {
		s->state = GUEST_SESSION_WELCOMED;
		s->g->ranks++;
		log_info("rank attached job=%s number=%u rank=%u slot=%u "
			 "sid=%u pid=%d uid=%u vcpu=%d", s->hello.name, w.job,
			 w.rank, slot, s->sid, (int)s->who.pid, s->who.uid,
			 s->seat.cpu);
	}
	guest_post(s, &m);
	SNOO_TESTPOINT("guest_join_welcomed");
	return 0;
}
