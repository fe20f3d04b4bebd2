/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floating point against the host's FPU, which other people designed: binary32 and binary64 in
 * the four rounding modes it has, with its exception flags. It must detect tininess after
 * rounding, as x86-64 and RISC-V do. NaN results are made canonical here.
 *
 * Two rules are the specification's and not the host's: zero times infinity plus a quiet
 * NaN raises NV, and conversions to integers that do not fit (left to riscv_fp.c).
 */
#include "tests/unit/test.h"

#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "engine/riscv/fp.h"
#include "tests/unit/fp_case.h"

static const int host_modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};

static uint8_t raised(void)
{
	int e = fetestexcept(FE_ALL_EXCEPT);

	return (uint8_t)((e & FE_INEXACT ? FP_NX : 0) | (e & FE_UNDERFLOW ? FP_UF : 0) |
			 (e & FE_OVERFLOW ? FP_OF : 0) | (e & FE_DIVBYZERO ? FP_DZ : 0) |
			 (e & FE_INVALID ? FP_NV : 0));
}

/*
 * Volatile, so that each operation is done at run time, once, between the calls around it. The
 * file is compiled for a changing environment, for clang compares quietly otherwise.
 */
static float op32(enum ref_op op, volatile float a, volatile float b, volatile float c)
{
	switch (op) {
	case REF_ADD:
		return a + b;
	case REF_SUB:
		return a - b;
	case REF_MUL:
		return a * b;
	case REF_DIV:
		return a / b;
	case REF_SQRT:
		return sqrtf(a);
	default:
		return fmaf(a, b, c);
	}
}

static double op64(enum ref_op op, volatile double a, volatile double b, volatile double c)
{
	switch (op) {
	case REF_ADD:
		return a + b;
	case REF_SUB:
		return a - b;
	case REF_MUL:
		return a * b;
	case REF_DIV:
		return a / b;
	case REF_SQRT:
		return sqrt(a);
	default:
		return fma(a, b, c);
	}
}

static uint64_t result32(float x)
{
	return isnan(x) ? FP_NAN32 : fp_bits32(x);
}

static uint64_t result64(double x)
{
	return isnan(x) ? FP_NAN64 : fp_bits64(x);
}

static uint64_t compare(enum ref_op op, volatile double a, volatile double b)
{
	return op == REF_EQ ? a == b : op == REF_LT ? a < b : a <= b;
}

static uint64_t to_integer(enum ref_type to, volatile double a)
{
	return to == REF_I32 || to == REF_U32 ? (uint32_t)llrint(a) : (uint64_t)llrint(a);
}

/* Whether a rounds to an integer of type t in every mode. */
static bool fits(enum ref_type t, double a)
{
	switch (t) {
	case REF_I32:
		return a >= -0x1p31 && a <= 0x1p31 - 1;
	case REF_U32:
		return a >= 0 && a <= 0x1p32 - 1;
	case REF_I64:
		return a >= -0x1p63 && a < 0x1p63;
	default:
		return a >= 0 && a < 0x1p63;
	}
}

static double from_integer(enum ref_type from, volatile uint64_t v)
{
	switch (from) {
	case REF_I32:
		return (int32_t)v;
	case REF_U32:
		return (uint32_t)v;
	case REF_I64:
		return (double)(int64_t)v;
	default:
		return (double)v;
	}
}

static float from_integer32(enum ref_type from, volatile uint64_t v)
{
	switch (from) {
	case REF_I32:
		return (float)(int32_t)v;
	case REF_U32:
		return (float)(uint32_t)v;
	case REF_I64:
		return (float)(int64_t)v;
	default:
		return (float)v;
	}
}

static uint64_t convert(const struct fp_case *c, const uint64_t v[3])
{
	volatile double d = fp_host64(v[0]);

	if (c->from >= REF_I32)
		return c->to == REF_F32 ? result32(from_integer32(c->from, v[0]))
					: result64(from_integer(c->from, v[0]));
	if (c->to >= REF_I32)
		return to_integer(c->to,
				  c->from == REF_F32 ? (double)fp_host32((uint32_t)v[0]) : d);
	if (c->from == REF_F32)
		return result64((double)fp_host32((uint32_t)v[0]));
	return result32((float)d);
}

static uint64_t on_host(const struct fp_case *c, const uint64_t v[3])
{
	float x = fp_host32((uint32_t)v[0]), y = fp_host32((uint32_t)v[1]);
	double a = fp_host64(v[0]), b = fp_host64(v[1]);

	switch (c->op) {
	case REF_CONVERT:
		return convert(c, v);
	case REF_EQ:
	case REF_LT:
	case REF_LE:
		return c->from == REF_F32 ? compare(c->op, (double)x, (double)y)
					  : compare(c->op, a, b);
	default:
		if (c->from == REF_F32)
			return result32(op32(c->op, x, y, fp_host32((uint32_t)v[2])));
		return result64(op64(c->op, a, b, fp_host64(v[2])));
	}
}

/* What the host can judge. */
static bool judged(const struct fp_case *c)
{
	return c->from != REF_F16 && c->to != REF_F16 && c->op != REF_MIN && c->op != REF_MAX &&
	       c->op != REF_CLASS;
}

static bool judged_operands(const struct fp_case *c, const uint64_t v[3])
{
	uint8_t ignored = 0;

	if (c->op == REF_CONVERT && c->from < REF_I32 && c->to >= REF_I32)
		return fits(c->to, c->from == REF_F64 ? fp_host64(v[0])
						      : (double)fp_host32((uint32_t)v[0]));
	if (c->op != REF_FMA)
		return true;
	/* The first of the two rules: a product that is invalid by itself */
	if (c->from == REF_F32)
		fp_mul32((uint32_t)v[0], (uint32_t)v[1], FP_RNE, &ignored);
	else
		fp_mul64(v[0], v[1], FP_RNE, &ignored);
	return !(ignored & FP_NV);
}

static void host_agrees(void **state)
{
	struct fp_rand r = fp_rand_start();
	struct ref_result want, got;
	unsigned i, n, rm;
	uint64_t v[3];

	for (i = 0; i < fp_case_count; i++) {
		const struct fp_case *c = &fp_cases[i];
		unsigned compared = 0;

		for (n = 0; n < 100000 && judged(c); n++) {
			fp_rand_operands(&r, c, v);
			if (!judged_operands(c, v))
				continue;
			for (rm = FP_RNE; rm <= FP_RUP; rm++) {
				fesetround(host_modes[rm]);
				feclearexcept(FE_ALL_EXCEPT);
				want.bits = on_host(c, v);
				want.flags = raised();
				fesetround(FE_TONEAREST);
				got.flags = 0;
				got.bits = c->call(v, rm, &got.flags);
				fp_case_check(c, "the host", v, rm, got, want);
			}
			compared++;
		}
		/* Conversions to integers skip what is out of range; never most of it. */
		if (judged(c))
			assert_true(compared > 10000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_agrees),
	};

	return cmocka_run_group_tests_name("riscv_fp_host", tests, NULL, NULL);
}
