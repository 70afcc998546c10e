/* SPDX-License-Identifier: MIT */
/*
 * join.c - connect to the daemon, say HELLO, map the pool, wait for START
 *
 * The only part of the library that blocks on the socket.  What the daemon
 * says in WELCOME is believed as far as it is the daemon's to say, but every
 * offset and number is checked against the mapped pool all the same.
 */

#include "client/session.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/lend.h"
#include "client/map.h"
#include "client/member.h"
#include "client/news.h"
#include "client/reach.h"

#define JOIN_TRIES	20	/* daemons that may die over our HELLO */

static int fail(struct session_text *why, int error, const char *what)
{
	snprintf(why->text, sizeof(why->text), "%s: %s", what,
		 strerror(-error));
	return error;
}

static int open_socket(const struct session_join *join,
		       struct session_text *why)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd, error;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(why, -errno, "socket");
	memcpy(to.sun_path, join->socket, strlen(join->socket) + 1);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	error = errno;
	close(fd);
	if (error == ENOENT || error == ECONNREFUSED)
		snprintf(why->text, sizeof(why->text),
			 "no snoo-daemon at %s: start snoo-daemon, or start this program with `snoorun -n N PROGRAM`",
			 join->socket);
	else if (error == EACCES)
		snprintf(why->text, sizeof(why->text),
			 "no permission for %s: this user must be in the group of the domain's socket",
			 join->socket);
	else
		snprintf(why->text, sizeof(why->text), "%s: %s", join->socket,
			 strerror(error));
	return -error;
}

static int say_hello(int fd, const struct session_join *join,
		     struct session_text *why)
{
	struct snoo_wire_hello hello = {
		.head = { SNOO_WIRE_HELLO, sizeof(hello) },
		.magic = SNOO_WIRE_MAGIC,
		.major = SNOO_WIRE_MAJOR,
		.minor = SNOO_WIRE_MINOR,
		.launch = join->launch,
		.rank = join->rank,
		.size = join->size,
		.core = join->core,
		.pid = (uint32_t)getpid(),
	};

	memcpy(hello.name, join->name, strlen(join->name) + 1);
	/* Too many CPUs for the mask: say none, the daemon does not pin. */
	if (sched_getaffinity(0, sizeof(hello.mask), (void *)hello.mask))
		hello.core = -2;
	/* EPIPE: the daemon has hung up already; its reason is there to read. */
	if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 &&
	    errno != EPIPE)
		return fail(why, -errno, "HELLO");
	return 0;
}

static int wait_readable(int fd, uint64_t deadline_ns,
			 struct session_text *why)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		int ms = -1, ret;

		if (deadline_ns) {
			uint64_t now = clock_ns();

			if (now >= deadline_ns) {
				snprintf(why->text, sizeof(why->text),
					 "not all ranks of the job joined within the time limit");
				return -ETIMEDOUT;
			}
			ms = (int)((deadline_ns - now) / 1000000 % 1000000) + 1;
		}
		ret = poll(&p, 1, ms);
		if (ret > 0)
			return 0;
		if (ret < 0 && errno != EINTR)
			return fail(why, -errno, "poll");
	}
}

/* One message and, with WELCOME, the pool. */
static ssize_t hear(int fd, void *buf, size_t size, int *pool)
{
	struct session_fds fds;
	ssize_t n = session_hear(fd, buf, size, 0, &fds);

	*pool = -1;
	if (n > 0 && fds.n > 0) {
		*pool = fds.fd[0];
		fds.fd[0] = -1;
	}
	session_drop_fds(&fds);
	return n;
}

static int hear_welcome(int fd, struct snoo_wire_welcome *w, int *pool,
			struct session_text *why)
{
	_Alignas(8) unsigned char buf[SNOO_WIRE_MAX] = { 0 };
	struct snoo_wire_error *e = (void *)buf;
	ssize_t n = hear(fd, buf, sizeof(buf), pool);

	if (n == sizeof(*w) && e->head.type == SNOO_WIRE_WELCOME && *pool >= 0) {
		memcpy(w, buf, sizeof(*w));
		return 0;
	}
	if (*pool >= 0)
		close(*pool);
	*pool = -1;
	if (n == sizeof(*e) && e->head.type == SNOO_WIRE_ERROR) {
		snprintf(why->text, sizeof(why->text), "%.*s",
			 (int)sizeof(e->text) - 1, e->text);
		return e->error > 0 ? -e->error : -EPROTO;
	}
	if (n < 0 && n != -ECONNRESET)
		return fail(why, (int)n, "waiting for the daemon's answer");
	snprintf(why->text, sizeof(why->text), n <= 0 ?
		 "the daemon closed the connection without an answer" :
		 "the daemon's answer was not understood");
	return n <= 0 ? -EAGAIN : -EPROTO;
}

static int believe(struct snoo *ctx, const struct snoo_wire_welcome *w,
		   struct session_text *why)
{
	int ret;

	ctx->me = shm_region_rank(&ctx->region, w->slot);
	ret = shm_job_open(&ctx->job, &ctx->region, w->job_off, w->capacity);
	if (!ctx->me || ret || w->rank >= w->capacity ||
	    w->size > w->capacity || w->small_bytes > w->large_bytes ||
	    w->small_bytes < SNOO_ABI_UNIT)
		return fail(why, -EPROTO, "WELCOME");
	ctx->rank = w->rank;
	ctx->capacity = w->capacity;
	ctx->size = w->open_job ? 0 : w->size;
	ctx->slot = w->slot;
	ctx->session.minor = w->minor;
	ctx->gone_seen = w->gone_epoch;
	ctx->gone_done = w->gone_epoch;
	ctx->eager_bytes = w->eager_bytes;
	ctx->stream_bytes = w->stream_units ?
			    (uint64_t)w->stream_units * SNOO_ABI_UNIT :
			    ENGINE_STREAM_BYTES;
	patience_init(&ctx->patience, w->spin_ns, w->spin_fixed != 0,
		      w->wake_ns, w->yield_ns, w->hand_ns);
	ctx->core = -1;

	ctx->peers = calloc(w->capacity, sizeof(*ctx->peers));
	ctx->rx = calloc(w->capacity, sizeof(struct peer *));
	if (!ctx->peers || !ctx->rx)
		return fail(why, -ENOMEM, "table of ranks");
	for (uint32_t i = 0; i < w->capacity; i++)
		member_init(&ctx->peers[i], i);
	ret = lend_init(ctx, w->small_bytes, w->large_bytes);
	if (ret)
		return fail(why, ret, "table of blocks");
	return 0;
}

static void pin(struct snoo *ctx, int32_t core)
{
	struct snoo_wire_pinned msg = {
		.head = { SNOO_WIRE_PINNED, sizeof(msg) },
		.core = -1,
	};
	size_t bytes = CPU_ALLOC_SIZE(SNOO_WIRE_CPUS);
	cpu_set_t *set = CPU_ALLOC(SNOO_WIRE_CPUS);
	cpu_set_t *old = CPU_ALLOC(SNOO_WIRE_CPUS);

	if (core >= 0 && set && old &&
	    sched_getaffinity(0, bytes, old) == 0) {
		CPU_ZERO_S(bytes, set);
		CPU_SET_S((size_t)core, bytes, set);
		if (sched_setaffinity(0, bytes, set) == 0) {
			msg.core = core;
			ctx->core = core;
			ctx->old_affinity = old;
			old = NULL;
		} else {
			msg.error = errno;
		}
	}
	CPU_FREE(set);
	CPU_FREE(old);
	/* Only for status: if it cannot be said, nothing is wrong. */
	(void)!send(ctx->session.fd, &msg, sizeof(msg),
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int wait_start(struct snoo *ctx, uint64_t deadline_ns,
		      struct session_text *why)
{
	while (!ctx->started) {
		int ret = wait_readable(ctx->session.fd, deadline_ns, why);

		if (ret)
			return ret;
		news_read(ctx);
		if (ctx->session.lost) {
			snprintf(why->text, sizeof(why->text), "%s",
				 ctx->session.text[0] ? ctx->session.text :
				 "the daemon ended the session");
			return ctx->session.lost_error;
		}
	}
	return 0;
}

int session_enter(struct snoo *ctx, const struct snoo_wire_welcome *w,
		  int pool, struct session_text *why)
{
	struct hal_params params = { 0 };
	const char *what;
	int ret = map_open(ctx, w, pool, &what);

	close(pool);		/* the mapping keeps the memory alive */
	if (ret)
		return fail(why, ret, what);
	ret = believe(ctx, w, why);
	if (ret)
		return ret;
	params.regs = shm_region_regs(&ctx->region);
	params.ncores = ctx->region.nranks;
	params.self = ctx->slot;
	ret = hal_open(&ctx->hal, &hal_emul, &params);
	return ret ? fail(why, ret, "register block") : 0;
}

/*
 * One HELLO and its answer.  -EAGAIN: the daemon died before it answered; the
 * next one listens at the same socket and knows nothing of us.
 */
static int greet(struct snoo *ctx, const struct session_join *join,
		 uint64_t deadline_ns, struct snoo_wire_welcome *w, int *pool,
		 struct session_text *why)
{
	int ret = open_socket(join, why);

	if (ret < 0)
		return ret;
	ctx->session.fd = ret;
	ret = say_hello(ctx->session.fd, join, why);
	if (ret == 0)
		ret = wait_readable(ctx->session.fd, deadline_ns, why);
	if (ret == 0)
		ret = hear_welcome(ctx->session.fd, w, pool, why);
	if (ret == 0)
		return 0;
	close(ctx->session.fd);
	ctx->session.fd = -1;
	return ret;
}

int session_open(struct snoo *ctx, const struct session_join *join,
		 struct session_text *why)
{
	uint64_t deadline_ns = 0;
	struct snoo_wire_welcome w = { 0 };
	int pool = -1;
	int ret = -EAGAIN;

	if (join->timeout_ns)
		deadline_ns = clock_ns() + (uint64_t)join->timeout_ns;
	for (int i = 0; i < JOIN_TRIES && ret == -EAGAIN; i++)
		ret = greet(ctx, join, deadline_ns, &w, &pool, why);
	if (ret)
		return ret == -EAGAIN ? -ECONNREFUSED : ret;

	ret = session_enter(ctx, &w, pool, why);
	if (ret)
		goto out_close;
	pin(ctx, w.core);
	reach_open(ctx);
	ret = wait_start(ctx, deadline_ns, why);
	if (ret)
		goto out_close;
	return 0;

out_close:
	hal_close(ctx->hal);
	ctx->hal = NULL;
	session_close(ctx, true);
	return ret;
}
