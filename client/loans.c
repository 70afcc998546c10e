/* SPDX-License-Identifier: MIT */
/* loans.c - public functions: memory of the pool in the application's hands */

#include "client/alloc.h"
#include "client/check.h"
#include "client/lend.h"
#include "client/loan.h"
#include "client/news.h"
#include "client/recv.h"
#include "client/send.h"
#include "client/wait.h"

#define LOANS_TRIES 4 /* blocks that are recalled before we hold them */

/* Ask the daemon for a block, and wait for its answer. */
static int ask(struct snoo *ctx, uint64_t bytes)
{
	struct idle idle;
	int ret = 0, error = 0;

	loan_ask(ctx, bytes);
	wait_begin(&idle);
	while (ret == 0 && !loan_answered(ctx, &error)) {
		if (ctx->session.lost)
			ret = ctx->session.lost_error == -ENODEV ? -ENODEV
								 : -ENOTCONN;
		else
			ret = wait_step(ctx, &idle, SNOO_ABI_CALL_LOAN);
	}
	wait_end(ctx, &idle);
	if (ret)
		loan_withdraw(ctx);
	return ret ? ret : error;
}

static int hold(struct snoo *ctx, uint64_t bytes, struct loan **out)
{
	int ret = 0;

	*out = NULL;
	for (int i = 0; i < LOANS_TRIES && ret == 0; i++) {
		*out = loan_hold(ctx, bytes);
		if (*out)
			return 0;
		ret = ask(ctx, bytes);
	}
	if (ret == -ESTALE || ret == -ENODEV)
		return ret;
	*out = loan_hold_larger(ctx, bytes);
	if (*out)
		return 0;
	return ret ? ret : -ENOMEM;
}

int snoo_loan(struct snoo *ctx, size_t bytes, struct snoo_block *loan)
{
	int ret = check_context(ctx);
	struct loan *b;

	if (ret)
		return ret;
	if (!loan)
		return -EINVAL;
	*loan = (struct snoo_block){ 0 };
	ret = loan_open(ctx);
	if (ret)
		return ret;
	if (!lend_allowed(ctx, 1))
		return -EAGAIN;
	ret = hold(ctx, bytes ? bytes : 1, &b);
	if (ret)
		return ret;
	*loan = (struct snoo_block){
		.data = b->data,
		.bytes = b->bytes,
		.id = b->id,
	};
	return 0;
}

int snoo_drop_loan(struct snoo *ctx, struct snoo_block *loan)
{
	int ret = check_context(ctx);
	struct loan *b;

	if (ret)
		return ret;
	if (!loan)
		return -EINVAL;
	if (loan->id != 0) {
		b = loan_held(ctx, loan->id);
		if (!b)
			return -EINVAL;
		loan_drop(ctx, b);
	}
	*loan = (struct snoo_block){ 0 };
	return 0;
}

int snoo_send_loan(struct snoo *ctx, struct snoo_block *loan, size_t len,
		   int dst, int tag)
{
	int ret = check_send(ctx, NULL, 0, dst, tag);
	struct snoo_request req;
	struct loan *b;

	if (ret)
		return ret;
	b = loan ? loan_held(ctx, loan->id) : NULL;
	if (!b || len > b->bytes)
		return -EINVAL;

	request_init(&req, REQUEST_SEND);
	req.buf = b->data;
	req.len = len;
	req.peer = (uint32_t)dst;
	req.tag = (uint32_t)tag;
	req.context = ENGINE_CONTEXT_USER;
	req.loan = b;
	ret = send_start(ctx, &req, true);
	if (ret)
		return ret;
	ret = wait_request(ctx, &req, SNOO_ABI_CALL_SEND);
	if (!req.done)
		send_cancel(ctx, &req, ret);
	if (req.error)
		return req.error;
	/* A receiver that knows no loans has got a copy. */
	b = loan_held(ctx, loan->id);
	if (b)
		loan_drop(ctx, b);
	*loan = (struct snoo_block){ 0 };
	return 0;
}

static void show(const struct snoo_request *req, const struct view *v,
		 struct snoo_view *view)
{
	*view = (struct snoo_view){
		.data = v->data,
		.bytes = req->message,
		.source = (int)req->from,
		.tag = (int)req->mark,
		.id = v->id,
	};
}

int snoo_recv_view(struct snoo *ctx, int src, int tag, struct snoo_view *view)
{
	int ret = check_recv(ctx, NULL, 0, src, tag);
	struct snoo_request req;
	struct view *v;

	if (ret)
		return ret;
	if (!view)
		return -EINVAL;
	*view = (struct snoo_view){ 0 };
	ret = loan_open(ctx);
	v = ret ? NULL : view_new(ctx);
	if (!v)
		return -ENOMEM;

	request_init(&req, REQUEST_RECV);
	req.peer = (uint32_t)src;
	req.tag = (uint32_t)tag;
	req.context = ENGINE_CONTEXT_USER;
	req.view = v;
	ret = recv_start(ctx, &req);
	if (ret == 0) {
		ret = wait_request(ctx, &req, SNOO_ABI_CALL_RECV);
		if (!req.done)
			recv_cancel(ctx, &req, ret);
		ret = req.error;
	}
	if (ret == 0) {
		show(&req, v, view);
		return 0;
	}
	view->source = (int)req.from;
	view_free(ctx, v);
	return ret;
}

int snoo_release(struct snoo *ctx, struct snoo_view *view)
{
	int ret = check_context(ctx);
	struct view *v;

	if (ret)
		return ret;
	if (!view)
		return -EINVAL;
	if (view->id != 0) {
		v = view_find(ctx, view->id);
		if (!v)
			return -EINVAL;
		view_free(ctx, v);
	}
	*view = (struct snoo_view){ 0 };
	if (ctx->released)
		news_released(ctx);
	return 0;
}

int snoo_alloc(struct snoo *ctx, size_t bytes, void **buf)
{
	int ret = check_context(ctx);
	struct loan *b;

	if (ret)
		return ret;
	if (!buf)
		return -EINVAL;
	*buf = NULL;
	ret = loan_open(ctx);
	if (ret == 0)
		ret = hold(ctx, bytes ? bytes : 1, &b);
	if (ret)
		return ret;
	alloc_keep(ctx, b);
	*buf = b->data;
	return 0;
}

int snoo_free(struct snoo *ctx, void *buf)
{
	int ret = check_context(ctx);
	struct loan *b;

	if (ret || !buf)
		return ret;
	b = alloc_find(ctx, buf);
	return b ? alloc_drop(ctx, b) : -EINVAL;
}
