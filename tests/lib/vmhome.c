/* SPDX-License-Identifier: MIT */
/*
 * vmhome.c - a VM's daemon in the test's own process, and its host by hand
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/vmhome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/guest.h"
#include "daemon/log.h"

#define PATIENCE_MS	3000

static void configure(struct vmhome *v, const char *const *sets)
{
	char data[192], control[192];
	const char *all[32] = { data, control };
	struct conf_overrides ov = {
		.runtime_dir = v->dir, .sets = all, .nsets = 2,
		.log_level = "error",
	};
	char *errors = NULL;

	snprintf(data, sizeof(data), "guest.data_device=%s",
		 v->host.path[FAKEHOST_POOL]);
	snprintf(control, sizeof(control), "guest.control_device=%s",
		 v->host.path[FAKEHOST_CONTROL]);
	for (; sets && *sets; sets++)
		all[ov.nsets++] = *sets;
	if (conf_load(&v->sh.conf, NULL, &ov, &errors))
		fail_msg("%s", errors);
	free(errors);
}

static void format(struct vmhome *v)
{
	shm_region_plan(&v->region, FAKEHOST_POOL_BYTES, VMHOME_RANKS);
	shm_region_format(&v->region, v->host.mem[FAKEHOST_POOL]);
	memset(v->host.mem[FAKEHOST_CONTROL], 0, SNOO_CTL_BYTES);
	shm_link_format(v->host.mem[FAKEHOST_CONTROL]);
	assert_int_equal(shm_link_open(&v->link,
				       v->host.mem[FAKEHOST_CONTROL],
				       SNOO_CTL_BYTES, SHM_LINK_HOST), 0);
}

void vmhome_open(struct vmhome *v, const char *const *sets)
{
	char why[DOMAIN_TEXT] = "";
	int lock;

	memset(v, 0, sizeof(*v));
	log_open(getenv("V") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	strcpy(v->dir, "/tmp/snoo-vm-XXXXXX");
	assert_non_null(mkdtemp(v->dir));
	fakehost_open(&v->host);
	format(v);
	configure(v, sets);
	snprintf(v->path, sizeof(v->path), "%s",
		 v->sh.conf->domains[0].socket.path);
	assert_int_equal(topo_open(&v->sh.topo), 0);
	assert_int_equal(place_open(&v->sh.place, v->sh.topo, &place_compact),
			 0);
	assert_int_equal(loop_open(&v->sh.loop), 0);
	assert_int_equal(keeper_open(&v->sh.keeper, NULL), 0);
	v->sh.started_ns = loop_now_ns();
	assert_int_equal(domain_lock(&lock, v->dir, "default", why), 0);
	if (guest_open(&v->g, &v->sh, lock, why))
		fail_msg("%s", why);
	assert_int_equal(guest_start(v->g), 0);
}

void vmhome_close(struct vmhome *v)
{
	char path[128];

	guest_close(v->g, DOMAIN_STOP);
	loop_close(v->sh.loop);
	keeper_close(v->sh.keeper);
	place_close(v->sh.place);
	topo_close(v->sh.topo);
	conf_close(v->sh.conf);
	fakehost_close(&v->host);
	snprintf(path, sizeof(path), "%s/default.lock", v->dir);
	unlink(path);
	rmdir(v->dir);
}

void vmhome_step(void *vm)
{
	struct vmhome *v = vm;

	loop_step(v->sh.loop);
}

void vmhome_settle(struct vmhome *v)
{
	for (int i = 0; i < 20; i++)
		loop_step(v->sh.loop);
}

void vmhome_rank(struct vmhome *v, struct fakerank *r)
{
	fakerank_init(r, vmhome_step, v);
}

/* ---- frames ---- */

void vmhome_bell(struct vmhome *v)
{
	const uint64_t one = 1;

	assert_int_equal(write(fakehost_bell(&v->host, FAKEHOST_CONTROL,
					     FAKEHOST_SLOT, 0), &one,
			       sizeof(one)), sizeof(one));
}

uint32_t vmhome_hear(struct vmhome *v, bool wait)
{
	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		int n;

		loop_step(v->sh.loop);
		n = shm_link_peek(&v->link, &v->f);
		assert_true(n >= 0);
		if (n > 0) {
			if (shm_link_pop(&v->link, &v->f))
				vmhome_bell(v);
			return v->f.head.type;
		}
		if (!wait && ms > 20)
			break;
		usleep(1000);
	}
	return 0;
}

void vmhome_greeted(struct vmhome *v)
{
	uint32_t gen = 0, type;

	for (int ms = 0; !gen && ms < PATIENCE_MS; ms++) {
		loop_step(v->sh.loop);
		gen = shm_link_asked(&v->link);
		usleep(1000);
	}
	assert_int_not_equal(gen, 0);
	shm_link_accept(&v->link, gen, true);
	vmhome_bell(v);
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_HELLO);
	assert_int_equal(v->f.head.length, sizeof(v->hello));
	memcpy(&v->hello, v->f.bytes, sizeof(v->hello));
	v->nknown = 0;
	while ((type = vmhome_hear(v, true)) == SNOO_CTL_KNOWN)
		v->known[v->nknown++] = v->f.head.sid;
	assert_int_equal(type, SNOO_CTL_READY);
}

void vmhome_say(struct vmhome *v, uint32_t type, uint32_t sid, uint32_t slot,
		const void *body, size_t bytes)
{
	struct snoo_ctl_frame f = { .type = type, .sid = sid, .slot = slot };

	assert_int_equal(shm_link_put(&v->link, &f, body, bytes), 0);
	vmhome_bell(v);
}

void vmhome_msg(struct vmhome *v, uint32_t sid, uint32_t slot, const void *msg)
{
	const struct snoo_wire_head *head = msg;

	vmhome_say(v, SNOO_CTL_MSG, sid, slot, msg, head->length);
}

void vmhome_welcome(struct vmhome *v)
{
	struct snoo_ctl_welcome w = {
		.major = SNOO_CTL_MAJOR, .minor = SNOO_CTL_MINOR,
		.slot = FAKEHOST_SLOT, .slots = FAKEHOST_SLOTS,
		.vectors = FAKEHOST_VECTORS, .ranks = VMHOME_RANKS,
		.pool_bytes = FAKEHOST_POOL_BYTES,
		.domain = "lab", .name = "vm-a",
	};

	vmhome_say(v, SNOO_CTL_WELCOME, 0, SNOO_CTL_NO_SLOT, &w.frame + 1,
		   sizeof(w) - sizeof(w.frame));
	vmhome_settle(v);
}

void vmhome_live(struct vmhome *v)
{
	vmhome_greeted(v);
	vmhome_welcome(v);
	assert_int_equal(v->g->link.state, GUEST_LINK_LIVE);
}

/* ---- ranks ---- */

void vmhome_wire_welcome(struct snoo_wire_welcome *w, uint32_t rank,
			 uint32_t slot)
{
	memset(w, 0, sizeof(*w));
	w->head.type = SNOO_WIRE_WELCOME;
	w->head.length = sizeof(*w);
	w->major = SNOO_WIRE_MAJOR;
	w->minor = SNOO_WIRE_MINOR;
	w->rank = rank;
	w->size = w->capacity = 2;
	w->slot = slot;
	w->instance = 1;
	w->job = 7;
	w->pool_bytes = FAKEHOST_POOL_BYTES;
	w->core = 77;			/* the guest knows better */
	w->cores = 99;
	w->wake_ns = w->spin_ns = 88;
}

void vmhome_hello(struct vmhome *v, struct fakerank *r, const char *job)
{
	struct snoo_wire_hello h;

	vmhome_rank(v, r);
	assert_int_equal(fakerank_connect(r, v->path), 0);
	fakerank_hello_init(&h, job, 0, -1, 2);
	assert_int_equal(fakerank_send(r, &h, sizeof(h)), 0);
}

uint32_t vmhome_attach(struct vmhome *v, struct fakerank *r, uint32_t slot)
{
	struct snoo_wire_welcome w;
	uint32_t sid;

	vmhome_hello(v, r, "job");
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_JOIN);
	sid = v->f.head.sid;
	vmhome_wire_welcome(&w, slot % 2, slot);
	vmhome_msg(v, sid, slot, &w);
	assert_int_equal(fakerank_until(r, SNOO_WIRE_WELCOME),
			 SNOO_WIRE_WELCOME);
	assert_int_equal(fakerank_pinned(r), 0);
	assert_int_equal(vmhome_hear(v, true), SNOO_CTL_MSG);
	assert_int_equal(v->f.head.sid, sid);
	return sid;
}

uint64_t vmhome_rung(struct vmhome *v, uint32_t slot, uint32_t vector)
{
	int fd = fakehost_bell(&v->host, FAKEHOST_POOL, slot, vector);
	uint64_t n = 0;
	struct iovec io = { .iov_base = &n, .iov_len = sizeof(n) };

	/* The bell thread has its own time. */
	for (int ms = 0; ms < 200; ms++) {
		if (preadv2(fd, &io, 1, -1, RWF_NOWAIT) == sizeof(n))
			return n;
		usleep(1000);
	}
	return 0;
}
