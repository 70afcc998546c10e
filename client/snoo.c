/* SPDX-License-Identifier: MIT */
/* snoo.c - public functions of a context: joining, leaving, what it is */

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/alloc.h"
#include "client/channel.h"
#include "client/check.h"
#include "client/context.h"
#include "client/env.h"
#include "client/loan.h"
#include "client/news.h"
#include "client/progress.h"
#include "client/regs.h"
#include "client/session.h"
#include "client/wait.h"

static _Thread_local struct session_text last_error;

int snoo_init(struct snoo **out, const char *name,
	      const struct snoo_options *options)
{
	struct session_join join;
	struct snoo *ctx;
	int ret;

	last_error.text[0] = '\0';
	if (!out)
		return -EINVAL;
	*out = NULL;
	ret = env_join(&join, name, options, &last_error);
	if (ret)
		return ret;

	ret = context_new(&ctx);
	if (ret)
		goto out;
	ret = session_open(ctx, &join, &last_error);
	if (ret) {
		context_free(ctx);
		goto out;
	}
	ctx->timeout_ns = (uint64_t)join.timeout_ns;
	*out = ctx;
	return 0;

out:
	if (last_error.text[0] == '\0')
		snprintf(last_error.text, sizeof(last_error.text), "%s",
			 snoo_strerror(ret));
	return ret;
}

static void unpin(struct snoo *ctx)
{
	if (ctx->old_affinity)
		sched_setaffinity(0, CPU_ALLOC_SIZE(SNOO_WIRE_CPUS),
				  ctx->old_affinity);
}

/* If no daemon is left to carry it, what it has goes by the channels; it ends
 * when a receiver makes no room for long. */
static void send_the_rest(struct snoo *ctx)
{
	struct idle idle;
	int ret = 0;

	if (ctx->registers.count == 0)
		return;
	news_read(ctx);
	progress(ctx);
	wait_begin(&idle);
	while (regs_owes(ctx) && ret == 0)
		ret = wait_step(ctx, &idle, SNOO_ABI_CALL_FINALIZE);
	wait_end(ctx, &idle);
}

int snoo_finalize(struct snoo *ctx)
{
	if (!ctx)
		return 0;
	if (!check_alive(ctx)) {
		/* The pool is not mapped here and the socket is not ours. */
		ctx->region.base = NULL;
		ctx->session.lost = true;
		hal_close(ctx->hal);
		session_close(ctx, false);
		context_free(ctx);
		return -ESTALE;
	}
	loan_leave(ctx);
	alloc_leave(ctx);
	send_the_rest(ctx);
	progress(ctx);
	for (uint32_t i = 0; i < ctx->capacity; i++)
		channel_leave(ctx, &ctx->peers[i]);
	unpin(ctx);
	hal_close(ctx->hal);
	session_close(ctx, true);
	context_free(ctx);
	return 0;
}

int snoo_rank(const struct snoo *ctx)
{
	return ctx ? (int)ctx->rank : -EINVAL;
}

int snoo_size(const struct snoo *ctx)
{
	uint32_t size;

	if (!ctx)
		return -EINVAL;
	if (ctx->size || !check_alive(ctx))
		return (int)ctx->size;
	/* Relaxed: it only grows, and a rank is met through its slot. */
	size = atomic_load_explicit(&ctx->job.abi->size, memory_order_relaxed);
	if (size > ctx->capacity)
		size = ctx->capacity;
	return size > ctx->rank ? (int)size : (int)ctx->rank + 1;
}

int snoo_core(const struct snoo *ctx)
{
	return ctx ? ctx->core : -EINVAL;
}

int snoo_set_timeout(struct snoo *ctx, int64_t ns)
{
	if (!ctx || ns < 0)
		return -EINVAL;
	ctx->timeout_ns = (uint64_t)ns;
	return 0;
}

uint64_t snoo_clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

const char *snoo_last_error(void)
{
	return last_error.text;
}

const char *snoo_version(void)
{
	return SNOO_VERSION;
}

static const struct {
	int error;
	const char *text;
} sentences[] = {
	{ 0, "success" },
	{ EINVAL, "an argument is out of range" },
	{ EMSGSIZE, "the message was longer than the receive buffer" },
	{ EOWNERDEAD, "the peer died" },
	{ EPIPE, "the peer has finalized" },
	{ EPROTO, "the peer broke the protocol" },
	{ ETIMEDOUT, "the time limit passed" },
	{ ECANCELED, "the message was given up" },
	{ EDEADLK, "a blocking send to ourselves with no receive posted would never end" },
	{ ESTALE, "this process is a fork of the one that joined the job" },
	{ ENOTCONN, "the daemon has ended this session" },
	{ ENODEV, "the domain is lost" },
	{ ENOENT, "no daemon at the socket" },
	{ ECONNREFUSED, "no daemon behind the socket" },
	{ EACCES, "no permission for the daemon's socket" },
	{ EISCONN, "the job of this launch is complete" },
	{ EPERM, "the daemon does not permit it" },
	{ ESHUTDOWN, "the daemon is stopping" },
	{ ECONNABORTED, "a rank ended before the job was complete" },
	{ EADDRINUSE, "the rank number is taken" },
	{ EEXIST, "a job of this name is forming with another size" },
	{ ERANGE, "the rank number is not below the size" },
	{ ENOSPC, "more ranks than the domain allows" },
	{ EPROTONOSUPPORT, "daemon and library speak different versions" },
	{ EOPNOTSUPP, "collectives need a job of a stated size, whose daemon and libraries know them" },
	{ ENOMEM, "no memory" },
	{ EBUSY, "a send from that buffer is not complete" },
	{ EAGAIN, "the allowance is used up for now: send a copy, which waits" },
};

const char *snoo_strerror(int error)
{
	for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
		if (sentences[i].error == -error)
			return sentences[i].text;
	}
	return "unknown error";
}
