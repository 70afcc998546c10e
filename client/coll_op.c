/* SPDX-License-Identifier: MIT */
/*
 * coll_op.c - operations of reductions, on types
 *
 * One loop for each operation and width, so that the compiler can vectorize it.
 * Integers are added, multiplied and combined as unsigned ones: what wraps is
 * defined then, and the bits are the same.  Only order needs the sign.
 */

#include "client/coll_op.h"

#include <stdint.h>

static void fold_u32(uint32_t *a, const uint32_t *b, size_t n, enum snoo_op op)
{
	switch (op) {
	case SNOO_SUM:
		for (size_t i = 0; i < n; i++)
			a[i] += b[i];
		break;
	case SNOO_PROD:
		for (size_t i = 0; i < n; i++)
			a[i] *= b[i];
		break;
	case SNOO_MIN:
		for (size_t i = 0; i < n; i++)
			a[i] = b[i] < a[i] ? b[i] : a[i];
		break;
	case SNOO_MAX:
		for (size_t i = 0; i < n; i++)
			a[i] = b[i] > a[i] ? b[i] : a[i];
		break;
	case SNOO_BAND:
		for (size_t i = 0; i < n; i++)
			a[i] &= b[i];
		break;
	case SNOO_BOR:
		for (size_t i = 0; i < n; i++)
			a[i] |= b[i];
		break;
	case SNOO_BXOR:
		for (size_t i = 0; i < n; i++)
			a[i] ^= b[i];
		break;
	case SNOO_LAND:
		for (size_t i = 0; i < n; i++)
			a[i] = a[i] && b[i];
		break;
	case SNOO_LOR:
		for (size_t i = 0; i < n; i++)
			a[i] = a[i] || b[i];
		break;
	}
}

static void fold_u64(uint64_t *a, const uint64_t *b, size_t n, enum snoo_op op)
{
	switch (op) {
	case SNOO_SUM:
		for (size_t i = 0; i < n; i++)
			a[i] += b[i];
		break;
	case SNOO_PROD:
		for (size_t i = 0; i < n; i++)
			a[i] *= b[i];
		break;
	case SNOO_MIN:
		for (size_t i = 0; i < n; i++)
			a[i] = b[i] < a[i] ? b[i] : a[i];
		break;
	case SNOO_MAX:
		for (size_t i = 0; i < n; i++)
			a[i] = b[i] > a[i] ? b[i] : a[i];
		break;
	case SNOO_BAND:
		for (size_t i = 0; i < n; i++)
			a[i] &= b[i];
		break;
	case SNOO_BOR:
		for (size_t i = 0; i < n; i++)
			a[i] |= b[i];
		break;
	case SNOO_BXOR:
		for (size_t i = 0; i < n; i++)
			a[i] ^= b[i];
		break;
	case SNOO_LAND:
		for (size_t i = 0; i < n; i++)
			a[i] = a[i] && b[i];
		break;
	case SNOO_LOR:
		for (size_t i = 0; i < n; i++)
			a[i] = a[i] || b[i];
		break;
	}
}

static void fold_i32(int32_t *a, const int32_t *b, size_t n, enum snoo_op op)
{
	switch (op) {
	case SNOO_MIN:
		for (size_t i = 0; i < n; i++)
			a[i] = b[i] < a[i] ? b[i] : a[i];
		break;
	case SNOO_MAX:
		for (size_t i = 0; i < n; i++)
			a[i] = b[i] > a[i] ? b[i] : a[i];
		break;
	default:
		fold_u32((uint32_t *)a, (const uint32_t *)b, n, op);
		break;
	}
}

static void fold_i64(int64_t *a, const int64_t *b, size_t n, enum snoo_op op)
{
	switch (op) {
	case SNOO_MIN:
		for (size_t i = 0; i < n; i++)
			a[i] = b[i] < a[i] ? b[i] : a[i];
		break;
	case SNOO_MAX:
		for (size_t i = 0; i < n; i++)
			a[i] = b[i] > a[i] ? b[i] : a[i];
		break;
	default:
		fold_u64((uint64_t *)a, (const uint64_t *)b, n, op);
		break;
	}
}

static void fold_float(float *a, const float *b, size_t n, enum snoo_op op)
{
	switch (op) {
	case SNOO_SUM:
		for (size_t i = 0; i < n; i++)
			a[i] += b[i];
		break;
	case SNOO_PROD:
		for (size_t i = 0; i < n; i++)
			a[i] *= b[i];
		break;
	case SNOO_MIN:
		for (size_t i = 0; i < n; i++)
			a[i] = b[i] < a[i] ? b[i] : a[i];
		break;
	case SNOO_MAX:
		for (size_t i = 0; i < n; i++)
			a[i] = b[i] > a[i] ? b[i] : a[i];
		break;
	default:
		break;			/* coll_op_fits() said no */
	}
}

static void fold_double(double *a, const double *b, size_t n, enum snoo_op op)
{
	switch (op) {
	case SNOO_SUM:
		for (size_t i = 0; i < n; i++)
			a[i] += b[i];
		break;
	case SNOO_PROD:
		for (size_t i = 0; i < n; i++)
			a[i] *= b[i];
		break;
	case SNOO_MIN:
		for (size_t i = 0; i < n; i++)
			a[i] = b[i] < a[i] ? b[i] : a[i];
		break;
	case SNOO_MAX:
		for (size_t i = 0; i < n; i++)
			a[i] = b[i] > a[i] ? b[i] : a[i];
		break;
	default:
		break;			/* coll_op_fits() said no */
	}
}

static void fold_byte(unsigned char *a, const unsigned char *b, size_t n,
		      enum snoo_op op)
{
	switch (op) {
	case SNOO_BAND:
		for (size_t i = 0; i < n; i++)
			a[i] &= b[i];
		break;
	case SNOO_BOR:
		for (size_t i = 0; i < n; i++)
			a[i] |= b[i];
		break;
	case SNOO_BXOR:
		for (size_t i = 0; i < n; i++)
			a[i] ^= b[i];
		break;
	default:
		break;			/* coll_op_fits() said no */
	}
}

size_t coll_op_size(enum snoo_type type)
{
	switch (type) {
	case SNOO_BYTE:
		return 1;
	case SNOO_INT32:
	case SNOO_UINT32:
		return sizeof(uint32_t);
	case SNOO_INT64:
	case SNOO_UINT64:
		return sizeof(uint64_t);
	case SNOO_FLOAT:
		return sizeof(float);
	case SNOO_DOUBLE:
		return sizeof(double);
	}
	return 0;
}

bool coll_op_fits(enum snoo_op op, enum snoo_type type)
{
	switch (op) {
	case SNOO_SUM:
	case SNOO_PROD:
	case SNOO_MIN:
	case SNOO_MAX:
		return type != SNOO_BYTE;
	case SNOO_BAND:
	case SNOO_BOR:
	case SNOO_BXOR:
		return type != SNOO_FLOAT && type != SNOO_DOUBLE;
	case SNOO_LAND:
	case SNOO_LOR:
		return type != SNOO_FLOAT && type != SNOO_DOUBLE &&
		       type != SNOO_BYTE;
	}
	return false;
}

void coll_op_fold(void *acc, const void *in, const struct coll_op *op)
{
	switch (op->type) {
	case SNOO_BYTE:
		fold_byte(acc, in, op->count, op->op);
		break;
	case SNOO_INT32:
		fold_i32(acc, in, op->count, op->op);
		break;
	case SNOO_UINT32:
		fold_u32(acc, in, op->count, op->op);
		break;
	case SNOO_INT64:
		fold_i64(acc, in, op->count, op->op);
		break;
	case SNOO_UINT64:
		fold_u64(acc, in, op->count, op->op);
		break;
	case SNOO_FLOAT:
		fold_float(acc, in, op->count, op->op);
		break;
	case SNOO_DOUBLE:
		fold_double(acc, in, op->count, op->op);
		break;
	}
}
