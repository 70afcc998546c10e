/* SPDX-License-Identifier: MIT */
/*
 * fakevm.c - a VM with a guest daemon and ranks, without QEMU and guest
 */
#include "tests/lib/fakevm.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <snoo/abi.h>

#include "tests/lib/fakerank.h"

#define PATIENCE_MS	20000	/* then the daemon hangs: a failure */
#define PUMPS		2000

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)ts.tv_nsec;
}

void fakevm_init(struct fakevm *v, void (*pump)(void *arg), void *arg)
{
	memset(v, 0, sizeof(*v));
	v->pump = pump;
	v->arg = arg;
	fakeqemu_init(&v->pool, FAKEVM_VECTORS);
	fakeqemu_init(&v->control, 1);
}

void fakevm_close(struct fakevm *v)
{
	fakeqemu_close(&v->pool);
	fakeqemu_close(&v->control);
}

static int dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

int fakevm_plug(struct fakevm *v, struct fakeqemu *q, const char *path)
{
	int fd = dial(path);

	if (fd < 0)
		return fd;
	/* It says all in one go, into the socket. */
	for (int i = 0; v->pump && i < 20; i++)
		v->pump(v->arg);
	return fakeqemu_handshake(q, fd, v->pump ? 1000 : PATIENCE_MS);
}

static void fill_hello(struct fakevm *v)
{
	struct snoo_ctl_hello *h = &v->hello;
	size_t bytes = 0;

	memset(h, 0, sizeof(*h));
	h->major = SNOO_CTL_MAJOR;
	h->minor = SNOO_CTL_MINOR;
	h->abi_major = SNOO_ABI_MAJOR;
	h->wire_minor = SNOO_WIRE_MINOR;
	memset(h->boot_id, 0xb0, sizeof(h->boot_id));
	h->slot = v->pool.id;
	h->vectors = v->pool.want;
	if (fakeqemu_map(&v->pool, &bytes))
		h->pool_bytes = bytes;
	h->bells = SNOO_CTL_BELLS_EVENTFD;
	h->memory = SNOO_CTL_MAP_BAR;
	h->vcpus = 4;
	strcpy(h->host, "guest");
	strcpy(h->kernel, "6.1");
}

int fakevm_attach(struct fakevm *v, const char *pool_path,
		  const char *control_path)
{
	size_t bytes;
	void *mem;
	int ret;

	/* QEMU has the vectors that the domain has. */
	ret = fakevm_plug(v, &v->pool, pool_path);
	if (ret == 0)
		ret = fakevm_plug(v, &v->control, control_path);
	if (ret)
		return ret;
	mem = fakeqemu_map(&v->control, &bytes);
	if (!mem)
		return -ENODEV;
	fill_hello(v);
	return shm_link_open(&v->link, mem, bytes, SHM_LINK_GUEST);
}

/* ---- frames ---- */

void fakevm_ring(struct fakevm *v)
{
	fakeqemu_ring(&v->control, 0, 0);
}

int fakevm_put(struct fakevm *v, uint32_t type, uint32_t sid,
	       const void *body, size_t bytes)
{
	struct snoo_ctl_frame f = {
		.type = type, .sid = sid, .slot = SNOO_CTL_NO_SLOT,
	};
	int ret = shm_link_put(&v->link, &f, body, bytes);

	for (int i = 0; ret == -EAGAIN && v->pump && i < PUMPS; i++) {
		fakevm_ring(v);
		v->pump(v->arg);
		ret = shm_link_put(&v->link, &f, body, bytes);
	}
	return ret;
}

int fakevm_send(struct fakevm *v, uint32_t type, uint32_t sid,
		const void *body, size_t bytes)
{
	int ret = fakevm_put(v, type, sid, body, bytes);

	fakevm_ring(v);
	return ret;
}

/* Let some time pass for the daemon: false if that was long enough. */
static bool wait_a_bit(struct fakevm *v, unsigned int *turns)
{
	if (v->pump) {
		v->pump(v->arg);
		/* Nothing comes by itself: it may be a matter of time. */
		if (*turns > 50)
			usleep(200);
		return ++*turns < PUMPS;
	}
	if (fakeqemu_wait(&v->control, 0, 50) < 0)
		*turns += 50;
	return *turns < PATIENCE_MS;
}

static void answer_resumed(struct fakevm *v, uint32_t sid,
			   const struct snoo_wire_resumed *m)
{
	struct snoo_wire_state s = {
		.head = { SNOO_WIRE_STATE, sizeof(s) },
		.epoch = m->epoch,
		.need = { .head = { SNOO_WIRE_NEED, sizeof(s.need) } },
	};

	s.seen_gone = s.gone = v->rank[sid].gone.gone;
	if (!v->mute)
		fakevm_say(v, sid, &s, sizeof(s));
}

static void book_msg(struct fakevm *v, struct fakevm_rank *r, uint32_t sid)
{
	const void *m = v->in.bytes + sizeof(v->in.f);
	const struct snoo_wire_head *head = m;

	r->news_slot = v->in.f.slot;
	switch (head->type) {
	case SNOO_WIRE_WELCOME:
		memcpy(&r->welcome, m, sizeof(r->welcome));
		r->welcomes++;
		break;
	case SNOO_WIRE_ERROR:
		memcpy(&r->error, m, sizeof(r->error));
		break;
	case SNOO_WIRE_START:
		r->started = true;
		break;
	case SNOO_WIRE_RINGS:
		r->rings += ((const struct snoo_wire_rings *)m)->count;
		break;
	case SNOO_WIRE_GRANT:
		r->blocks += ((const struct snoo_wire_grant *)m)->count;
		break;
	case SNOO_WIRE_GONE:
		memcpy(&r->gone, m, sizeof(r->gone));
		r->gones++;
		break;
	case SNOO_WIRE_RESUMED:
		r->resumed++;
		answer_resumed(v, sid, m);
		break;
	case SNOO_WIRE_BYE:
		r->bye = true;
		break;
	default:
		break;
	}
}

static void book(struct fakevm *v)
{
	uint32_t sid = v->in.f.sid;

	switch (v->in.f.type) {
	case SNOO_CTL_WELCOME:
		memcpy(&v->welcome, &v->in, sizeof(v->welcome));
		v->welcomes++;
		break;
	case SNOO_CTL_ERROR:
		memcpy(&v->error, &v->in, sizeof(v->error));
		break;
	case SNOO_CTL_MSG:
		if (sid < FAKEVM_SIDS)
			book_msg(v, &v->rank[sid], sid);
		break;
	case SNOO_CTL_END:
		if (sid < FAKEVM_SIDS)
			v->rank[sid].ends++;
		break;
	default:
		break;
	}
}

int fakevm_recv(struct fakevm *v, bool wait)
{
	unsigned int turns = 0;
	int n;

	while ((n = shm_link_peek(&v->link, &v->in)) == 0)
		if (!wait || !wait_a_bit(v, &turns))
			return -EAGAIN;
	if (n < 0)
		return n;
	if (shm_link_pop(&v->link, &v->in))
		fakevm_ring(v);
	book(v);
	return (int)v->in.f.type;
}

int fakevm_until(struct fakevm *v, uint32_t type)
{
	int ret;

	do
		ret = fakevm_recv(v, true);
	while (ret >= 0 && ret != (int)type);
	return ret;
}

void fakevm_drain(struct fakevm *v)
{
	for (int i = 0; v->pump && i < 20; i++)
		v->pump(v->arg);
	while (fakevm_recv(v, false) >= 0)
		if (v->pump)
			v->pump(v->arg);
}

bool fakevm_is_cut(struct fakevm *v)
{
	unsigned int turns = v->pump ? PUMPS - 50 : PATIENCE_MS - 500;

	while (!shm_link_is_cut(&v->link))
		if (!wait_a_bit(v, &turns))
			return false;
	return true;
}

/* ---- the session ---- */

int fakevm_ask(struct fakevm *v)
{
	unsigned int turns = 0;

	shm_link_ask(&v->link);
	fakevm_ring(v);
	while (!shm_link_accepted(&v->link))
		if (!wait_a_bit(v, &turns))
			return -ETIMEDOUT;
	return 0;
}

int fakevm_hello(struct fakevm *v, const uint32_t *known)
{
	int ret = fakevm_ask(v);

	if (ret)
		return ret;
	memset(&v->error, 0, sizeof(v->error));
	v->hello.clock_ns = now_ns();
	ret = fakevm_send(v, SNOO_CTL_HELLO, 0, &v->hello.frame + 1,
			  sizeof(v->hello) - sizeof(v->hello.frame));
	for (; ret == 0 && known && *known; known++)
		ret = fakevm_send(v, SNOO_CTL_KNOWN, *known, NULL, 0);
	if (ret == 0)
		ret = fakevm_send(v, SNOO_CTL_READY, 0, NULL, 0);
	if (ret)
		return ret;
	do
		ret = fakevm_recv(v, true);
	while (ret >= 0 && ret != SNOO_CTL_WELCOME && ret != SNOO_CTL_ERROR);
	return ret;
}

/* ---- ranks ---- */

int fakevm_join(struct fakevm *v, uint32_t sid, int32_t vcpu,
		const struct snoo_wire_hello *h)
{
	struct {
		struct snoo_ctl_join join;
		struct snoo_wire_hello hello;
	} m = {
		.join = { .uid = 1000, .gid = 1000, .pid = 100 + sid,
			  .vcpu = vcpu },
		.hello = *h,
	};

	return fakevm_send(v, SNOO_CTL_JOIN, sid, &m.join.frame + 1,
			   sizeof(m) - sizeof(m.join.frame));
}

int fakevm_say(struct fakevm *v, uint32_t sid, const void *msg, size_t bytes)
{
	return fakevm_send(v, SNOO_CTL_MSG, sid, msg, bytes);
}

int fakevm_say_plain(struct fakevm *v, uint32_t sid, uint32_t type)
{
	struct snoo_wire_plain m = { .head = { type, sizeof(m) } };

	return fakevm_say(v, sid, &m, sizeof(m));
}

int fakevm_rank(struct fakevm *v, uint32_t sid, int32_t vcpu,
		const char *name, uint64_t launch, int32_t rank, uint32_t size)
{
	struct snoo_wire_pinned m = {
		.head = { SNOO_WIRE_PINNED, sizeof(m) }, .core = vcpu,
	};
	struct fakevm_rank *r = &v->rank[sid];
	struct snoo_wire_hello h;
	int ret;

	memset(r, 0, sizeof(*r));
	fakerank_hello_init(&h, name, launch, rank, size);
	ret = fakevm_join(v, sid, vcpu, &h);
	while (ret >= 0 && !r->welcomes && !r->error.head.type)
		ret = fakevm_recv(v, true);
	if (ret < 0)
		return ret;
	if (r->error.head.type)
		return -EREMOTEIO;
	return fakevm_say(v, sid, &m, sizeof(m));
}
