/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "tests/unit/fp_case.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bits.h"
#include "engine/riscv/fp.h"
#include "engine/riscv/fp_soft.h"

#define DEFINE1(fn, in, out)                                                                       \
	static uint64_t call_##fn(const uint64_t v[3], unsigned rm, uint8_t *flags)                \
	{                                                                                          \
		return (out)fn((in)v[0], rm, flags);                                               \
	}
#define DEFINE2(fn, in, out)                                                                       \
	static uint64_t call_##fn(const uint64_t v[3], unsigned rm, uint8_t *flags)                \
	{                                                                                          \
		return (out)fn((in)v[0], (in)v[1], rm, flags);                                     \
	}
#define DEFINE3(fn, in, out)                                                                       \
	static uint64_t call_##fn(const uint64_t v[3], unsigned rm, uint8_t *flags)                \
	{                                                                                          \
		return (out)fn((in)v[0], (in)v[1], (in)v[2], rm, flags);                           \
	}
#define DEFINE_COMPARE(fn, in, out)                                                                \
	static uint64_t call_##fn(const uint64_t v[3], unsigned rm, uint8_t *flags)                \
	{                                                                                          \
		return fn((in)v[0], (in)v[1], flags);                                              \
	}
#define DEFINE_CLASS(fn, in, out)                                                                  \
	static uint64_t call_##fn(const uint64_t v[3], unsigned rm, uint8_t *flags)                \
	{                                                                                          \
		return fn((in)v[0]);                                                               \
	}

typedef uint16_t F16;
typedef uint32_t F32, U32, I32;
typedef uint64_t F64, U64, I64;

/*
 * SOFT: one layer. BOTH: quick and soft. Each row: shape of the function, what follows fp_ in its
 * name, operation, types.
 */
#define ARITHMETIC(ROW, t, w)                                                                      \
	ROW(DEFINE2, add##w, ADD, t, t)                                                            \
	ROW(DEFINE2, mul##w, MUL, t, t)                                                            \
	ROW(DEFINE2, div##w, DIV, t, t)                                                            \
	ROW(DEFINE1, sqrt##w, SQRT, t, t)                                                          \
	ROW(DEFINE3, fma##w, FMA, t, t)
#define EXACT(ROW, t, w)                                                                           \
	ROW(DEFINE2, sub##w, SUB, t, t)                                                            \
	ROW(DEFINE_COMPARE, min##w, MIN, t, t)                                                     \
	ROW(DEFINE_COMPARE, max##w, MAX, t, t)                                                     \
	ROW(DEFINE_COMPARE, eq##w, EQ, t, t)                                                       \
	ROW(DEFINE_COMPARE, lt##w, LT, t, t)                                                       \
	ROW(DEFINE_COMPARE, le##w, LE, t, t)                                                       \
	ROW(DEFINE_CLASS, class##w, CLASS, t, t)
#define TO_INT(ROW, t, n)                                                                          \
	ROW(DEFINE1, n##_to_i32, CONVERT, t, I32)                                                  \
	ROW(DEFINE1, n##_to_u32, CONVERT, t, U32)                                                  \
	ROW(DEFINE1, n##_to_i64, CONVERT, t, I64)                                                  \
	ROW(DEFINE1, n##_to_u64, CONVERT, t, U64)
#define SOFT(ROW)                                                                                  \
	ARITHMETIC(ROW, F16, 16)                                                                   \
	EXACT(ROW, F16, 16)                                                                        \
	EXACT(ROW, F32, 32)                                                                        \
	EXACT(ROW, F64, 64)                                                                        \
	TO_INT(ROW, F16, f16)                                                                      \
	ROW(DEFINE1, f16_to_f32, CONVERT, F16, F32)                                                \
	ROW(DEFINE1, f16_to_f64, CONVERT, F16, F64)                                                \
	ROW(DEFINE1, f32_to_f16, CONVERT, F32, F16)                                                \
	ROW(DEFINE1, f64_to_f16, CONVERT, F64, F16)                                                \
	ROW(DEFINE1, i32_to_f16, CONVERT, I32, F16)                                                \
	ROW(DEFINE1, u32_to_f16, CONVERT, U32, F16)                                                \
	ROW(DEFINE1, i64_to_f16, CONVERT, I64, F16)                                                \
	ROW(DEFINE1, u64_to_f16, CONVERT, U64, F16)                                                \
	ROW(DEFINE1, i32_to_f32, CONVERT, I32, F32)                                                \
	ROW(DEFINE1, u32_to_f32, CONVERT, U32, F32)                                                \
	ROW(DEFINE1, u64_to_f32, CONVERT, U64, F32)                                                \
	ROW(DEFINE1, i32_to_f64, CONVERT, I32, F64)                                                \
	ROW(DEFINE1, u32_to_f64, CONVERT, U32, F64)                                                \
	ROW(DEFINE1, u64_to_f64, CONVERT, U64, F64)
#define BOTH(ROW)                                                                                  \
	ARITHMETIC(ROW, F32, 32)                                                                   \
	ARITHMETIC(ROW, F64, 64)                                                                   \
	TO_INT(ROW, F32, f32)                                                                      \
	TO_INT(ROW, F64, f64)                                                                      \
	ROW(DEFINE1, f32_to_f64, CONVERT, F32, F64)                                                \
	ROW(DEFINE1, f64_to_f32, CONVERT, F64, F32)                                                \
	ROW(DEFINE1, i64_to_f32, CONVERT, I64, F32)                                                \
	ROW(DEFINE1, i64_to_f64, CONVERT, I64, F64)

#define CALL(define, fn, op, from, to) define(fp_##fn, from, to)
#define CALL_SOFT(define, fn, op, from, to) define(fp_soft_##fn, from, to)
SOFT(CALL)
BOTH(CALL)
BOTH(CALL_SOFT)

#define ONE(define, fn, op, from, to) {#fn, REF_##op, REF_##from, REF_##to, call_fp_##fn, NULL},
#define TWO(define, fn, op, from, to)                                                              \
	{#fn, REF_##op, REF_##from, REF_##to, call_fp_##fn, call_fp_soft_##fn},

const struct fp_case fp_cases[] = {SOFT(ONE) BOTH(TWO)};
const unsigned fp_case_count = ARRAY_LEN(fp_cases);

unsigned fp_case_arity(const struct fp_case *c)
{
	switch (c->op) {
	case REF_SQRT:
	case REF_CLASS:
	case REF_CONVERT:
		return 1;
	case REF_FMA:
		return 3;
	default:
		return 2;
	}
}

struct fp_rand fp_rand_start(void)
{
	const char *given = getenv("FP_SEED");
	struct fp_rand r = {given ? strtoull(given, NULL, 0) : UINT64_C(0x20260214)};

	fprintf(stderr, "FP_SEED=%#" PRIx64 "\n", r.state);
	return r;
}

/* Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators": SplitMix64. */
uint64_t fp_rand_next(struct fp_rand *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static unsigned below(struct fp_rand *r, unsigned n)
{
	return (unsigned)((fp_rand_next(r) >> 32) * n >> 32);
}

static unsigned frac_bits(enum ref_type t)
{
	return t == REF_F16 ? 10 : t == REF_F32 ? 23 : 52;
}

/* A fraction that is few runs of ones, so that carries, ties and sticky bits occur. */
static uint64_t pattern(struct fp_rand *r, unsigned bits)
{
	uint64_t v = 0;
	unsigned runs = below(r, 3);

	if (!below(r, 3))
		return bits_get(fp_rand_next(r), 0, bits);
	while (runs--)
		v ^= bits_get(~UINT64_C(0), 0, 1 + below(r, bits)) << below(r, bits);
	v += below(r, 5) - UINT64_C(2);
	return bits_get(v, 0, bits);
}

static uint64_t random_float(struct fp_rand *r, enum ref_type t)
{
	unsigned frac = frac_bits(t), width = ref_width(t), exp_bits = width - 1 - frac;
	/* Exponents where binary16 and binary32 begin and end */
	static const int64_t ends[] = {-150, -25, 15, 127};
	uint64_t top = BIT(exp_bits) - 1, bias = top >> 1, exp;

	switch (below(r, 8)) {
	case 0:
		exp = 0;
		break;
	case 1:
		exp = top - below(r, 3);
		break;
	case 2:
		exp = below(r, frac + 4);
		break;
	case 3:
	case 4:
		/* around one, and as far as integers reach */
		exp = bias - 4 + below(r, t == REF_F16 ? 20 : 72);
		break;
	case 5:
		exp = bias + ends[below(r, ARRAY_LEN(ends))] + below(r, 30) - 4;
		break;
	default:
		exp = fp_rand_next(r);
		break;
	}
	return bits_get(fp_rand_next(r), 0, 1) << (width - 1) | bits_get(exp, 0, exp_bits) << frac |
	       pattern(r, frac);
}

static uint64_t random_int(struct fp_rand *r, enum ref_type t)
{
	unsigned width = ref_width(t);
	uint64_t v = pattern(r, width) >> below(r, width);

	return bits_get(below(r, 2) ? v : -v, 0, width);
}

/* A number close to v, perhaps of the other sign: they cancel or nearly do. */
static uint64_t close_to(struct fp_rand *r, enum ref_type t, uint64_t v)
{
	v += below(r, 7) - UINT64_C(3);
	v += (uint64_t)(below(r, 5) - 2) << frac_bits(t);
	v ^= bits_get(fp_rand_next(r), 0, 1) << (ref_width(t) - 1);
	return bits_get(v, 0, ref_width(t));
}

static uint64_t product_of(enum ref_type t, uint64_t a, uint64_t b)
{
	struct ref_result p[REF_MODES];
	uint64_t v[3] = {a, b};

	ref_compute(REF_MUL, t, t, v, p);
	return p[FP_RNE].bits;
}

/* An exponent such that the product with v, or the quotient, lies at an end of the range. */
static uint64_t at_the_end(struct fp_rand *r, enum ref_type t, uint64_t v, bool quotient)
{
	unsigned frac = frac_bits(t), exp_bits = ref_width(t) - 1 - frac;
	uint64_t top = BIT(exp_bits) - 1, bias = top >> 1;
	uint64_t exp = bits_get(v, frac, exp_bits);
	uint64_t end = below(r, 2) ? top : below(r, frac + 3) - (uint64_t)frac;

	exp = quotient ? exp + bias - end : end + bias - exp;
	exp += below(r, 5) - UINT64_C(2);
	return bits_get(random_float(r, t), frac + exp_bits, 1) << (frac + exp_bits) |
	       bits_get(exp, 0, exp_bits) << frac | pattern(r, frac);
}

void fp_rand_operands(struct fp_rand *r, const struct fp_case *c, uint64_t v[3])
{
	enum ref_type t = c->from;
	bool product = c->op == REF_MUL || c->op == REF_FMA;
	unsigned i, way = below(r, 4);

	for (i = 0; i < 3; i++)
		v[i] = t >= REF_I32 ? random_int(r, t) : random_float(r, t);
	if (t >= REF_I32)
		return;
	if (way == 0 && c->op == REF_DIV)
		v[0] = close_to(r, t, product_of(t, v[0], v[1]));
	else if (way == 0 && c->op == REF_SQRT)
		v[0] = product_of(t, v[0], v[0]) + below(r, 3) - 1;
	else if (way == 0 && !product)
		v[1] = close_to(r, t, v[0]);
	else if (way <= 1 && (product || c->op == REF_DIV))
		v[1] = at_the_end(r, t, v[0], c->op == REF_DIV);
	if (c->op == REF_FMA && below(r, 2))
		v[2] = close_to(r, t, product_of(t, v[0], v[1]));
	for (i = 0; i < 3; i++)
		v[i] = bits_get(v[i], 0, ref_width(t));
}

void fp_case_check(const struct fp_case *c, const char *against, const uint64_t v[3], unsigned rm,
		   struct ref_result got, struct ref_result want)
{
	static const char *const modes[] = {"RNE", "RTZ", "RDN", "RUP", "RMM"};

	if (got.bits == want.bits && got.flags == want.flags)
		return;
	fail_msg("%s %s, operands %#" PRIx64 " %#" PRIx64 " %#" PRIx64 ": got %#" PRIx64
		 " flags %#x, %s has %#" PRIx64 " flags %#x",
		 c->name, modes[rm], v[0], v[1], v[2], got.bits, got.flags, against, want.bits,
		 want.flags);
}
