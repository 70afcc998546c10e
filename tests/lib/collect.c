/* SPDX-License-Identifier: MIT */
/*
 * collect.c - all collectives, each byte checked against a serial computation
 *
 * Elements are whole numbers, small for floating point, so that every order of
 * a reduction has one result.  All ranks know all ranks' elements.
 */

#include "tests/lib/collect.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define GUARD	64		/* bytes behind a buffer that stay as they are */
#define SURE	0xa7

struct run {
	struct snoo *ctx;
	uint32_t n, me;
	size_t count, size;
	uint32_t seed;
	enum snoo_type type;
	enum snoo_op op;
	uint32_t root;
	bool in_place;
	struct collect_wrong *wrong;
};

static size_t size_of(enum snoo_type type)
{
	static const size_t size[] = {
		[SNOO_BYTE] = 1,   [SNOO_INT32] = 4,  [SNOO_INT64] = 8,
		[SNOO_UINT32] = 4, [SNOO_UINT64] = 8, [SNOO_FLOAT] = 4,
		[SNOO_DOUBLE] = 8,
	};

	return size[type];
}

/* Element @i that rank @from has for rank @to. */
static int64_t element(const struct run *r, uint32_t from, uint32_t to,
		       size_t i)
{
	uint64_t h = (uint64_t)(i + 1) * UINT64_C(0x9e3779b97f4a7c15) ^
		     (uint64_t)(from * 1031 + to + 1) *
			     UINT64_C(0xbf58476d1ce4e5b9) ^
		     (uint64_t)r->seed * UINT64_C(0x94d049bb133111eb);

	h ^= h >> 29;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 32;
	if ((r->op == SNOO_LAND || r->op == SNOO_LOR) && h % 4 == 0)
		return 0;
	switch (r->type) {
	case SNOO_FLOAT:
	case SNOO_DOUBLE:
		return r->op == SNOO_PROD ? 1 + (int64_t)(h & 1) :
					    (int64_t)(h % 201) - 100;
	case SNOO_BYTE:
		return (int64_t)(h & 0xff);
	case SNOO_INT32:
		return (int32_t)h;
	case SNOO_UINT32:
		return (uint32_t)h;
	case SNOO_INT64:
	case SNOO_UINT64:
		break;
	}
	return (int64_t)h;
}

static void put(const struct run *r, unsigned char *buf, size_t i, int64_t v)
{
	float f = (float)v;
	double d = (double)v;
	uint32_t w = (uint32_t)v;
	unsigned char b = (unsigned char)v;
	const void *from = &v;

	if (r->type == SNOO_FLOAT)
		from = &f;
	else if (r->type == SNOO_DOUBLE)
		from = &d;
	else if (r->type == SNOO_BYTE)
		from = &b;
	else if (r->size == 4)
		from = &w;
	memcpy(buf + i * r->size, from, r->size);
}

static int64_t combine(const struct run *r, int64_t a, int64_t b)
{
	bool less = r->type == SNOO_UINT64 ? (uint64_t)a < (uint64_t)b : a < b;

	switch (r->op) {
	case SNOO_SUM:
		return (int64_t)((uint64_t)a + (uint64_t)b);
	case SNOO_PROD:
		return (int64_t)((uint64_t)a * (uint64_t)b);
	case SNOO_MIN:
		return less ? a : b;
	case SNOO_MAX:
		return less ? b : a;
	case SNOO_BAND:
		return a & b;
	case SNOO_BOR:
		return a | b;
	case SNOO_BXOR:
		return a ^ b;
	case SNOO_LAND:
		return a && b;
	case SNOO_LOR:
		return a || b;
	}
	abort();
}

/* What @from has for @to, @count elements. */
static void fill(const struct run *r, unsigned char *buf, uint32_t from,
		 uint32_t to)
{
	for (size_t i = 0; i < r->count; i++)
		put(r, buf, i, element(r, from, to, i));
}

static unsigned char *buffer(size_t bytes)
{
	unsigned char *p = aligned_alloc(64, (bytes + GUARD + 63) / 64 * 64);

	if (!p)
		abort();
	memset(p, SURE, bytes + GUARD);
	return p;
}

static int failed(const struct run *r, const char *call, int error)
{
	*r->wrong = (struct collect_wrong){
		.call = call,
		.error = error,
		.count = r->count,
		.type = (int)r->type,
		.op = (int)r->op,
		.root = (int)r->root,
	};
	return -1;
}

/* @got must be @bytes as in @want, and untouched behind; frees both. */
static int judge(const struct run *r, const char *call, int ret,
		 unsigned char *got, unsigned char *want, size_t bytes)
{
	bool good = memcmp(got, want, bytes) == 0;

	for (size_t i = 0; i < GUARD; i++)
		good = good && got[bytes + i] == SURE;
	free(got);
	free(want);
	return ret == 0 && good ? 0 : failed(r, call, ret);
}

static void result(const struct run *r, unsigned char *want)
{
	for (size_t i = 0; i < r->count; i++) {
		int64_t v = element(r, 0, 0, i);

		for (uint32_t k = 1; k < r->n; k++)
			v = combine(r, v, element(r, k, 0, i));
		put(r, want, i, v);
	}
}

static int reduction(const struct run *r, bool all)
{
	size_t bytes = r->count * r->size;
	unsigned char *mine = buffer(bytes), *got = buffer(bytes);
	unsigned char *want = buffer(bytes);
	bool ours = all || r->me == r->root;
	const void *send = mine;
	int ret;

	fill(r, mine, r->me, 0);
	if (r->in_place && ours) {
		memcpy(got, mine, bytes);
		send = SNOO_IN_PLACE;
	}
	if (ours)
		result(r, want);
	ret = all ? snoo_allreduce(r->ctx, send, got, r->count, r->type,
				   r->op) :
		    snoo_reduce(r->ctx, send, ours ? got : NULL, r->count,
				r->type, r->op, (int)r->root);
	free(mine);
	return judge(r, all ? "allreduce" : "reduce", ret, got, want, bytes);
}

static int bcast(const struct run *r)
{
	size_t bytes = r->count * r->size;
	unsigned char *got = buffer(bytes), *want = buffer(bytes);
	int ret;

	fill(r, want, r->root, 0);
	if (r->me == r->root)
		memcpy(got, want, bytes);
	ret = snoo_bcast(r->ctx, got, r->count, r->type, (int)r->root);
	return judge(r, "bcast", ret, got, want, bytes);
}

static int gather(const struct run *r, bool all)
{
	size_t part = r->count * r->size, bytes = part * r->n;
	unsigned char *mine = buffer(part), *got = buffer(bytes);
	unsigned char *want = buffer(bytes);
	bool ours = all || r->me == r->root;
	const void *send = mine;
	int ret;

	fill(r, mine, r->me, 0);
	if (r->in_place && ours) {
		memcpy(got + r->me * part, mine, part);
		send = SNOO_IN_PLACE;
	}
	for (uint32_t i = 0; ours && i < r->n; i++)
		fill(r, want + i * part, i, 0);
	ret = all ? snoo_allgather(r->ctx, send, got, r->count, r->type) :
		    snoo_gather(r->ctx, send, ours ? got : NULL, r->count,
				r->type, (int)r->root);
	free(mine);
	return judge(r, all ? "allgather" : "gather", ret, got, want, bytes);
}

static int scatter(const struct run *r)
{
	size_t part = r->count * r->size;
	unsigned char *all = buffer(part * r->n), *got = buffer(part);
	unsigned char *want = buffer(part);
	bool ours = r->me == r->root, stays = ours && r->in_place;
	int ret;

	for (uint32_t i = 0; ours && i < r->n; i++)
		fill(r, all + i * part, r->root, i);
	if (!stays)
		fill(r, want, r->root, r->me);
	ret = snoo_scatter(r->ctx, ours ? all : NULL,
			   stays ? SNOO_IN_PLACE : got, r->count, r->type,
			   (int)r->root);
	free(all);
	return judge(r, "scatter", ret, got, want, part);
}

static int alltoall(const struct run *r)
{
	size_t part = r->count * r->size, bytes = part * r->n;
	unsigned char *out = buffer(bytes), *got = buffer(bytes);
	unsigned char *want = buffer(bytes);
	int ret;

	for (uint32_t i = 0; i < r->n; i++) {
		fill(r, (r->in_place ? got : out) + i * part, r->me, i);
		fill(r, want + i * part, i, r->me);
	}
	ret = snoo_alltoall(r->ctx, r->in_place ? SNOO_IN_PLACE : out, got,
			    r->count, r->type);
	free(out);
	return judge(r, "alltoall", ret, got, want, bytes);
}

static const struct {
	enum snoo_type type;
	enum snoo_op op;
} kinds[] = {
	{ SNOO_DOUBLE, SNOO_SUM },   { SNOO_INT32, SNOO_SUM },
	{ SNOO_INT64, SNOO_MIN },    { SNOO_UINT64, SNOO_MAX },
	{ SNOO_UINT32, SNOO_PROD },  { SNOO_FLOAT, SNOO_SUM },
	{ SNOO_BYTE, SNOO_BXOR },    { SNOO_INT32, SNOO_MAX },
	{ SNOO_INT32, SNOO_MIN },    { SNOO_DOUBLE, SNOO_PROD },
	{ SNOO_FLOAT, SNOO_MIN },    { SNOO_DOUBLE, SNOO_MAX },
	{ SNOO_INT64, SNOO_BAND },   { SNOO_UINT32, SNOO_BOR },
	{ SNOO_UINT64, SNOO_BXOR },  { SNOO_INT32, SNOO_LAND },
	{ SNOO_UINT64, SNOO_LOR },   { SNOO_INT64, SNOO_PROD },
	{ SNOO_BYTE, SNOO_BAND },    { SNOO_BYTE, SNOO_BOR },
	{ SNOO_UINT64, SNOO_MIN },   { SNOO_UINT32, SNOO_MAX },
	{ SNOO_FLOAT, SNOO_PROD },   { SNOO_UINT64, SNOO_SUM },
	{ SNOO_INT64, SNOO_LAND },   { SNOO_UINT32, SNOO_LAND },
};

int collect_all(struct snoo *ctx, size_t count, uint32_t seed,
		struct collect_wrong *wrong)
{
	uint32_t kind = seed % (sizeof(kinds) / sizeof(kinds[0]));
	struct run r = {
		.ctx = ctx,
		.n = (uint32_t)snoo_size(ctx),
		.me = (uint32_t)snoo_rank(ctx),
		.count = count,
		.size = size_of(kinds[kind].type),
		.seed = seed,
		.type = kinds[kind].type,
		.op = kinds[kind].op,
		.root = seed / 3 % (uint32_t)snoo_size(ctx),
		.in_place = seed % 5 >= 3,
		.wrong = wrong,
	};
	int ret = snoo_barrier(ctx);

	if (ret)
		return failed(&r, "barrier", ret);
	if (bcast(&r) || reduction(&r, true) || reduction(&r, false) ||
	    gather(&r, false) || scatter(&r) || gather(&r, true) ||
	    alltoall(&r))
		return -1;
	/* Once more what nobody waits for: the next one must not run it over. */
	r.root = (r.root + 1) % r.n;
	return bcast(&r) || reduction(&r, false) || bcast(&r) ? -1 : 0;
}

size_t collect_count(uint32_t i)
{
	static const size_t counts[] = {
		1, 0, 2, 3, 17, 100, 128, 129, 256, 300, 513, 1024, 1025, 3000,
		9000, 20000, 70001,
	};

	return counts[i % (sizeof(counts) / sizeof(counts[0]))];
}
