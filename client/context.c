/* SPDX-License-Identifier: MIT */
/* context.c - a context in memory, before it joins and after it has left */

#include "client/context.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/alloc.h"
#include "client/bells.h"
#include "client/channel.h"
#include "client/lend.h"
#include "client/loan.h"
#include "client/mates.h"
#include "client/order.h"
#include "client/oncpu.h"
#include "client/reach.h"
#include "client/regs.h"

/* One word that is 1 here and 0 in a forked child. */
static int alive_open(struct snoo *ctx)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	_Atomic uint32_t *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ret;

	if (page == MAP_FAILED)
		return -errno;
	if (madvise(page, bytes, MADV_WIPEONFORK)) {
		ret = -errno;
		munmap(page, bytes);
		return ret;
	}
	atomic_store_explicit(page, 1, memory_order_relaxed);
	ctx->alive = page;
	return 0;
}

void context_free(struct snoo *ctx)
{
	lend_fini(ctx);
	alloc_fini(ctx);
	loan_fini(ctx);
	bells_fini(ctx);
	regs_fini(ctx);
	if (ctx->peers) {
		channel_drop(ctx);
		order_fini(ctx);
	}
	request_fini(ctx);
	token_fini(&ctx->offers);
	token_fini(&ctx->accepts);
	mates_fini(ctx);
	reach_close(ctx);
	oncpu_close(ctx);
	free(ctx->coll_room);
	free(ctx->peers);
	free(ctx->rx);
	if (ctx->old_affinity)
		CPU_FREE(ctx->old_affinity);
	if (ctx->alive)
		munmap((void *)(uintptr_t)ctx->alive,
		       (size_t)sysconf(_SC_PAGESIZE));
	free(ctx);
}

int context_new(struct snoo **out)
{
	struct snoo *ctx = calloc(1, sizeof(*ctx));
	int ret;

	*out = NULL;
	if (!ctx)
		return -ENOMEM;
	ctx->session.fd = -1;
	ctx->bells.epoll = -1;
	list_init(&ctx->busy);
	list_init(&ctx->wild);
	list_init(&ctx->arrivals);
	list_init(&ctx->allocs);
	list_init(&ctx->instead);
	list_init(&ctx->retired);
	list_init(&ctx->request_pool);
	list_init(&ctx->arrival_pool);
	request_init(&ctx->sent, REQUEST_SEND);
	ctx->sent.done = true;
	token_init(&ctx->offers);
	token_init(&ctx->accepts);
	ret = alive_open(ctx);
	if (ret) {
		free(ctx);
		return ret;
	}
	*out = ctx;
	return 0;
}
