/* SPDX-License-Identifier: MIT */
/*
 * guest.c - the daemon in a VM, from beginning to end: open, start, close
 */
#include "daemon/guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/bells.h"
#include "daemon/guest_adopt.h"
#include "daemon/guest_link.h"
#include "daemon/guest_relay.h"
#include "daemon/toll.h"
#include "daemon/guest_run.h"
#include "daemon/guest_session.h"
#include "daemon/log.h"
#include "shm/testpoint.h"

#define KEEP_LISTENER	"guest/listener"

/* ---- programs that the host starts ---- */

static int put_frame(void *arg, const struct snoo_ctl_frame *f,
		     const void *body, size_t bytes)
{
	return guest_link_put(arg, f, body, bytes);
}

static int on_program(struct guest *g, const struct snoo_ctl_frame *f,
		      size_t bytes)
{
	return guest_run_frame(g->sh->programs, f, bytes);
}

static void on_room(struct guest *g)
{
	guest_run_room(g->sh->programs);
}

/* The host says which runs it knows when the next session begins. */
static void on_session_end(struct guest *g, int error, const char *why)
{
	(void)g;
	(void)error;
	(void)why;
}

static int start_programs(struct guest *g)
{
	static const uint32_t types[] = {
		SNOO_CTL_RUN, SNOO_CTL_SIGNAL, SNOO_CTL_DATA, SNOO_CTL_CREDIT,
		SNOO_CTL_RUNS,
	};
	static const struct guest_user user = {
		.room = on_room, .ended = on_session_end,
	};

	if (!g->sh->programs)
		return 0;
	g->runs = guest_run_allows(g->sh->programs);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		guest_link_handle(g, types[i], on_program);
	guest_link_use(g, &user);
	return guest_run_start(g->sh->programs, g->sh->loop, put_frame, g);
}

/* ---- beginning and end ---- */

static int fail(char why[DOMAIN_TEXT], int ret, const char *what)
{
	snprintf(why, DOMAIN_TEXT, "%s: %s", what, strerror(-ret));
	return ret;
}

static int open_ring(struct guest *g, char why[DOMAIN_TEXT])
{
	uint32_t n = guest_dev_vectors(g->dev);
	int fd[BELLS_VECTORS_MAX], ret;

	/* Who polls may not be able to see them (0), and needs none. */
	if ((n < 2 && guest_dev_has_bells(g->dev)) || n > BELLS_VECTORS_MAX) {
		snprintf(why, DOMAIN_TEXT, "the pool device has %u vectors: "
			 "QEMU's vectors= must be the domain's, 2 to %u", n,
			 BELLS_VECTORS_MAX);
		return -EINVAL;
	}
	for (uint32_t v = 0; v < n; v++)
		fd[v] = guest_dev_vector(g->dev, v);
	ret = toll_open(&g->ring, fd, n);
	return ret ? fail(why, ret, "the bell thread") : 0;
}

static int open_parts(struct guest *g, char why[DOMAIN_TEXT])
{
	int ret;

	ret = guard_open();
	if (ret)
		return fail(why, ret, "SIGBUS");
	g->guarded = true;
	ret = guest_dev_open(&g->dev, g->sh->conf, g->sh->keeper, why);
	if (ret == 0)
		ret = open_ring(g, why);
	if (ret == 0)
		ret = guest_link_open(g, why);
	if (ret)
		return ret;
	guest_relay_init(g);
	SNOO_TESTPOINT("guest_devices_open");
	guest_adopt(g);
	SNOO_TESTPOINT("guest_adopted");
	return listen_kept(&g->listener, SOCK_SEQPACKET, &g->conf->socket,
			   g->sh->keeper, KEEP_LISTENER, why);
}

int guest_open(struct guest **out, struct shared *sh, int lock_fd,
	       char why[DOMAIN_TEXT])
{
	struct guest *g = calloc(1, sizeof(*g));
	int ret;

	*out = NULL;
	if (!g) {
		close(lock_fd);
		return fail(why, -ENOMEM, "guest");
	}
	g->sh = sh;
	g->conf = &sh->conf->domains[0];
	g->lock_fd = lock_fd;
	g->listener.fd = g->listener.spare = -1;
	sh->guest = g;
	if (sh->conf->ndomains > 1)
		log_warn("a VM's daemon serves the one domain of its devices: "
			 "only the first that is configured counts domain=%s",
			 g->conf->name);
	/* Sids of two daemons of one boot shall not meet. */
	if (getrandom(&g->last_sid, sizeof(g->last_sid), 0) !=
	    sizeof(g->last_sid))
		g->last_sid = (uint32_t)loop_now_ns();
	ret = open_parts(g, why);
	if (ret) {
		guest_close(g, DOMAIN_HAND_OVER);
		return ret;
	}
	if (g->adopted)
		log_always(LOG_LEVEL_INFO, "sessions adopted sessions=%u",
			   g->adopted);
	*out = g;
	return 0;
}

static int on_client(void *arg, int fd)
{
	return guest_session_open(arg, fd);
}

int guest_start(struct guest *g)
{
	int ret = start_programs(g);

	if (ret == 0)
		ret = guest_link_start(g);
	if (ret == 0)
		ret = listen_start(&g->listener, g->sh->loop, on_client, g);
	return ret;
}

void guest_close(struct guest *g, enum domain_end end)
{
	enum listen_end file = LISTEN_UNLINK;

	if (!g)
		return;
	if (end == DOMAIN_HAND_OVER && keeper_has_store(g->sh->keeper))
		file = LISTEN_KEEP_FILE;
	/* Nobody comes in while we say good-bye. */
	listen_close(&g->listener, file);
	if (file == LISTEN_UNLINK) {
		keeper_forget(g->sh->keeper, KEEP_LISTENER);
		guest_session_stop(g);
		if (guest_link_live(g))
			guest_dev_control_ring(g->dev);
	} else {
		guest_session_let_go(g);
	}
	guest_link_close(g);
	toll_close(g->ring);
	guest_dev_close(g->dev);
	if (g->guarded)
		guard_close();
	g->sh->guest = NULL;
	if (g->lock_fd >= 0)
		close(g->lock_fd);
	free(g);
}
