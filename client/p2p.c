/* SPDX-License-Identifier: MIT */
/* p2p.c - public functions: messages between two ranks */

#include "client/check.h"
#include "client/fast.h"
#include "client/match.h"
#include "client/member.h"
#include "client/progress.h"
#include "client/recv.h"
#include "client/send.h"
#include "client/wait.h"

#define ANY_TURNS 8 /* calls of snoo_waitany() between two looks at the lines */

/* SNOO_ANY_SOURCE and SNOO_ANY_TAG are -1, ours all ones: the same bits. */
_Static_assert((uint32_t)SNOO_ANY_SOURCE == ENGINE_ANY, "one value for any");
_Static_assert((uint32_t)SNOO_ANY_TAG == ENGINE_ANY, "one value for any");

static void fill_send(struct snoo_request *req, const void *buf, size_t len,
		      int dst, int tag)
{
	req->buf = (unsigned char *)(uintptr_t)buf;
	req->len = len;
	req->peer = (uint32_t)dst;
	req->tag = (uint32_t)tag;
	req->context = ENGINE_CONTEXT_USER;
}

static void fill_recv(struct snoo_request *req, void *buf, size_t capacity,
		      int src, int tag)
{
	req->buf = buf;
	req->len = capacity;
	req->peer = (uint32_t)src;
	req->tag = (uint32_t)tag;
	req->context = ENGINE_CONTEXT_USER;
}

static void fill_status(const struct snoo_request *req,
			struct snoo_status *status)
{
	if (!status)
		return;
	*status = (struct snoo_status){ .error = req->error };
	if (req->kind == REQUEST_RECV) {
		status->source = (int)req->from;
		status->tag = (int)req->mark;
		status->count = req->message < req->len ? req->message :
							  req->len;
	}
}

static void give_up(struct snoo *ctx, struct snoo_request *req, int error)
{
	if (req->kind == REQUEST_SEND)
		send_cancel(ctx, req, error);
	else
		recv_cancel(ctx, req, error);
}

int snoo_send(struct snoo *ctx, const void *buf, size_t len, int dst, int tag)
{
	int ret = check_send(ctx, buf, len, dst, tag);
	struct snoo_request req;

	if (ret)
		return ret;
	if (fast_send(ctx, &ctx->peers[dst], buf, len, (uint32_t)tag))
		return 0;

	request_init(&req, REQUEST_SEND);
	fill_send(&req, buf, len, dst, tag);
	ret = send_start(ctx, &req, true);
	if (ret)
		return ret;
	ret = wait_request(ctx, &req, SNOO_ABI_CALL_SEND);
	if (!req.done)
		give_up(ctx, &req, ret);
	return req.error;
}

static void fast_status(struct snoo_status *status, int src, uint32_t mark,
			uint64_t length, size_t capacity)
{
	if (!status)
		return;
	*status = (struct snoo_status){
		.source = src,
		.tag = (int)mark,
		.error = length > capacity ? -EMSGSIZE : 0,
		.count = length < capacity ? length : capacity,
	};
}

int snoo_recv(struct snoo *ctx, void *buf, size_t capacity, int src, int tag,
	      struct snoo_status *status)
{
	int ret = check_recv(ctx, buf, capacity, src, tag);
	struct snoo_request req;
	uint64_t length;
	uint32_t mark;

	if (ret)
		return ret;
	if (src != SNOO_ANY_SOURCE &&
	    fast_recv(ctx, &ctx->peers[src], buf, capacity, (uint32_t)tag,
		      &length, &mark)) {
		fast_status(status, src, mark, length, capacity);
		return length > capacity ? -EMSGSIZE : 0;
	}

	request_init(&req, REQUEST_RECV);
	fill_recv(&req, buf, capacity, src, tag);
	ret = recv_start(ctx, &req);
	if (ret) {
		req.error = ret;
		fill_status(&req, status);
		return ret;
	}
	ret = wait_request(ctx, &req, SNOO_ABI_CALL_RECV);
	if (!req.done)
		give_up(ctx, &req, ret);
	fill_status(&req, status);
	return req.error;
}

int snoo_sendrecv(struct snoo *ctx, const void *sendbuf, size_t len, int dst,
		  int sendtag, void *recvbuf, size_t capacity, int src,
		  int recvtag, struct snoo_status *status)
{
	struct snoo_request send, recv;
	int ret = check_send(ctx, sendbuf, len, dst, sendtag);

	if (ret == 0)
		ret = check_recv(ctx, recvbuf, capacity, src, recvtag);
	if (ret)
		return ret;
	request_init(&send, REQUEST_SEND);
	request_init(&recv, REQUEST_RECV);
	fill_send(&send, sendbuf, len, dst, sendtag);
	fill_recv(&recv, recvbuf, capacity, src, recvtag);

	ret = recv_start(ctx, &recv);
	if (ret)
		return ret;
	ret = send_start(ctx, &send, false);
	if (ret) {
		send.error = ret;
		send.done = true;
	}
	ret = wait_request(ctx, &recv, SNOO_ABI_CALL_RECV);
	if (ret == 0)
		ret = wait_request(ctx, &send, SNOO_ABI_CALL_SEND);
	if (!recv.done)
		give_up(ctx, &recv, ret);
	if (!send.done)
		give_up(ctx, &send, ret);
	fill_status(&recv, status);
	return recv.error ? recv.error : send.error;
}

/* Not inline: what it needs is not to be saved on the short way. */
__attribute__((noinline)) static int
isend_long(struct snoo *ctx, const void *buf, size_t len, int dst, int tag,
	   struct snoo_request **request)
{
	struct snoo_request *req = request_take(ctx);
	int ret;

	if (!req)
		return -ENOMEM;
	request_init(req, REQUEST_SEND);
	fill_send(req, buf, len, dst, tag);
	ret = send_start(ctx, req, false);
	if (ret) {
		request_free(ctx, req);
		return ret;
	}
	*request = req;
	return 0;
}

int snoo_isend(struct snoo *ctx, const void *buf, size_t len, int dst,
	       int tag, struct snoo_request **request)
{
	int ret;

	if (!request)
		return -EINVAL;
	*request = NULL;
	ret = check_send(ctx, buf, len, dst, tag);
	if (ret)
		return ret;
	if (!fast_send(ctx, &ctx->peers[dst], buf, len, (uint32_t)tag))
		return isend_long(ctx, buf, len, dst, tag, request);
	*request = &ctx->sent;
	return 0;
}

__attribute__((noinline)) static int
irecv_long(struct snoo *ctx, void *buf, size_t capacity, int src, int tag,
	   struct snoo_request **request)
{
	struct snoo_request *req = request_take(ctx);
	int ret;

	if (!req)
		return -ENOMEM;
	if (ctx->turn_due) {
		ctx->turn_due = false;
		progress(ctx);
	}
	request_init(req, REQUEST_RECV);
	fill_recv(req, buf, capacity, src, tag);
	ret = recv_start(ctx, req);
	if (ret) {
		request_free(ctx, req);
		return ret;
	}
	*request = req;
	return 0;
}

int snoo_irecv(struct snoo *ctx, void *buf, size_t capacity, int src, int tag,
	       struct snoo_request **request)
{
	int ret;

	if (!request)
		return -EINVAL;
	*request = NULL;
	ret = check_recv(ctx, buf, capacity, src, tag);
	if (ret)
		return ret;
	if (src != SNOO_ANY_SOURCE)
		*request = fast_irecv(ctx, &ctx->peers[src], buf, capacity,
				      (uint32_t)tag);
	return *request ? 0 :
			  irecv_long(ctx, buf, capacity, src, tag, request);
}

/* Report and release a complete request. */
static int finish(struct snoo *ctx, struct snoo_request **request,
		  struct snoo_status *status)
{
	struct snoo_request *req = *request;
	int error = req->error;

	fill_status(req, status);
	request_free(ctx, req);
	*request = NULL;
	return error;
}

int snoo_test(struct snoo *ctx, struct snoo_request **request, int *done,
	      struct snoo_status *status)
{
	int ret = check_context(ctx);

	if (ret)
		return ret;
	if (!request || !done)
		return -EINVAL;
	*done = 1;
	if (!*request) {
		if (status)
			*status = (struct snoo_status){ 0 };
		return 0;
	}
	if (!(*request)->done)
		progress(ctx);
	if ((*request)->done)
		return finish(ctx, request, status);
	*done = 0;
	return 0;
}

int snoo_wait(struct snoo *ctx, struct snoo_request **request,
	      struct snoo_status *status)
{
	int ret = check_context(ctx);

	if (ret)
		return ret;
	if (!request)
		return -EINVAL;
	if (!*request) {
		if (status)
			*status = (struct snoo_status){ 0 };
		return 0;
	}
	ret = wait_request(ctx, *request, SNOO_ABI_CALL_WAIT);
	return ret ? ret : finish(ctx, request, status);
}

int snoo_waitall(struct snoo *ctx, size_t count,
		 struct snoo_request **requests, struct snoo_status *statuses)
{
	struct idle idle;
	int first = 0;
	int ret = check_context(ctx);

	if (ret)
		return ret;
	if (!requests && count > 0)
		return -EINVAL;
	wait_begin(&idle);
	for (size_t i = 0; i < count; i++) {
		struct snoo_status *st = statuses ? &statuses[i] : NULL;
		int error;

		if (requests[i])
			idle.whom = requests[i]->peer;
		while (requests[i] && !requests[i]->done && ret == 0)
			ret = wait_step(ctx, &idle, SNOO_ABI_CALL_WAIT);
		if (!requests[i] || !requests[i]->done) {
			if (st)
				*st = (struct snoo_status){
					.error = requests[i] ? ret : 0,
				};
			continue;
		}
		error = finish(ctx, &requests[i], st);
		if (first == 0)
			first = error;
	}
	wait_end(ctx, &idle);
	return ret ? ret : first;
}

/* From @first on, and then from the beginning. */
static int find_done(size_t count, size_t first,
		     struct snoo_request **requests, bool *any)
{
	*any = false;
	for (size_t n = 0; n < count; n++) {
		size_t i = first + n < count ? first + n : first + n - count;

		if (!requests[i])
			continue;
		*any = true;
		if (requests[i]->done)
			return (int)i;
	}
	return -1;
}

int snoo_waitany(struct snoo *ctx, size_t count,
		 struct snoo_request **requests, int *index,
		 struct snoo_status *status)
{
	struct idle idle;
	bool any;
	size_t first;
	int ret = check_context(ctx);

	if (ret)
		return ret;
	if (!index || (!requests && count > 0) || count > INT32_MAX)
		return -EINVAL;
	wait_begin(&idle);
	/*
	 * Sends that are complete at once must not keep a receive from being
	 * seen: each has its turn to be the first, and now and then the lines
	 * are looked at although something is complete.
	 */
	if (++ctx->any % ANY_TURNS == 0)
		progress(ctx);
	first = count > 0 ? ctx->any % count : 0;
	while ((*index = find_done(count, first, requests, &any)) < 0 && any &&
	       ret == 0)
		ret = wait_step(ctx, &idle, SNOO_ABI_CALL_WAIT);
	wait_end(ctx, &idle);
	if (*index >= 0)
		return finish(ctx, &requests[*index], status);
	if (status)
		*status = (struct snoo_status){ .error = ret };
	return ret;
}

int snoo_cancel(struct snoo *ctx, struct snoo_request **request)
{
	int ret = check_context(ctx);
	int was_done;

	if (ret)
		return ret;
	if (!request || !*request)
		return -EINVAL;
	was_done = (*request)->done;
	if (!was_done)
		give_up(ctx, *request, -ECANCELED);
	request_free(ctx, *request);
	*request = NULL;
	return was_done;
}

static bool look(struct snoo *ctx, int src, int tag,
		 struct snoo_status *status)
{
	struct arrival *a = match_arrival(ctx, (uint32_t)src,
					  ENGINE_CONTEXT_USER, (uint32_t)tag);

	if (a && status)
		*status = (struct snoo_status){
			.source = (int)a->from,
			.tag = (int)a->tag,
			.count = a->length,
		};
	return a != NULL;
}

static int hopeless(struct snoo *ctx, int src, struct snoo_status *status)
{
	uint32_t from = (uint32_t)src;
	int ret = src == SNOO_ANY_SOURCE ? member_any_error(ctx, &from) :
					   member_error(&ctx->peers[src]);

	if (ret && status)
		*status = (struct snoo_status){ .source = (int)from,
						.error = ret };
	return ret;
}

int snoo_iprobe(struct snoo *ctx, int src, int tag, int *found,
		struct snoo_status *status)
{
	int ret = check_recv(ctx, NULL, 0, src, tag);

	if (ret)
		return ret;
	if (!found)
		return -EINVAL;
	*found = look(ctx, src, tag, status);
	if (!*found) {
		progress(ctx);
		*found = look(ctx, src, tag, status);
	}
	return *found ? 0 : hopeless(ctx, src, status);
}

int snoo_probe(struct snoo *ctx, int src, int tag, struct snoo_status *status)
{
	struct idle idle;
	int ret = check_recv(ctx, NULL, 0, src, tag);
	bool found = false;

	if (ret)
		return ret;
	wait_begin(&idle);
	idle.whom = src < 0 ? ENGINE_ANY : (uint32_t)src;
	while (ret == 0 && !(found = look(ctx, src, tag, status))) {
		ret = hopeless(ctx, src, status);
		if (ret == 0)
			ret = wait_step(ctx, &idle, SNOO_ABI_CALL_PROBE);
	}
	wait_end(ctx, &idle);
	return found ? 0 : ret;
}
