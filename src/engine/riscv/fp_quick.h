/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quick paths of fp.h: one host instruction where that gives the same bits and the same
 * flags, the integer layer everywhere else.
 *
 * What is asked of the host: float and double are binary32 and binary64 evaluated in their own
 * precision, and the default floating-point environment (to nearest even, no traps, subnormals
 * neither flushed nor taken for zero), which no code of ours changes. Its exception flags are
 * never read; they do get set, as by any C code. Only in FP_RNE is the host's result used,
 * except where the result is exact and so the same in every mode.
 *
 * The result. IEEE 754 determines it wholly unless it is a NaN, and so every path drops out
 * when the exponent field of the host's result is all ones: overflow, infinite operands, NaNs.
 * That also excludes NV, DZ and OF, which leaves UF and NX.
 *
 * UF needs a tiny result. A sum or difference is exact when it is tiny, because both
 * operands are multiples of the least subnormal. For the others a path is taken only
 * when the result is at least twice the least normal number (or, where the exact value
 * is at hand in double, when that is at least the least normal one), or when it is
 * an exact zero because of a zero operand. A square root is never tiny.
 *
 * NX is sticky. Once it is set, as nearly always in a program that uses real numbers, there is
 * nothing left to find out. While it is clear, inexactness is computed:
 *  - s = a + b (Dekker's Fast2Sum). When |a| >= |b| and s does not overflow, s - a is computed
 *    without error, so the sum is exact if and only if s - a == b. When it is exact, s - b == a
 *    as well. So testing both needs no ordering of a and b.
 *  - binary32 products, and quotients and roots multiplied back, are exact in binary64: two
 *    significands of 24 bits make 48, and the exponents fit. They can be compared.
 *  - binary64 products are p = x * y of the 53-bit integer significands. p has 105 or 106
 *    bits, and 53 stay: exact if p's lowest 53 bits are zero, inexact if the lowest 52 are not;
 *    between the two the integer layer decides.
 *  - binary64 quotients and roots: with integer significands, r * b = a means
 *    xr * xb == xa << k for the k that the exponents give. As r is correctly rounded, the two
 *    sides differ by less than 2^54, so they are equal if they are equal modulo 2^64.
 *
 * binary32 multiply-add in binary64: the product is exact, the sum is not. Its error is found by
 * Knuth's TwoSum (exact, nothing being near overflow), and an inexact sum with an even
 * significand is moved to its neighbour on the side of the error: round-to-odd. From 53
 * bits rounded to odd, rounding to 24 <= 53 - 2 gives what rounding once would (Boldo and
 * Melquiond, "Emulation of a FMA and correctly rounded sums", IEEE Trans. Computers, 2008).
 *
 * Contraction of a * b + c by the compiler would change nothing: the products above are exact.
 */
#ifndef ENGINE_RISCV_FP_QUICK_H
#define ENGINE_RISCV_FP_QUICK_H

#include <assert.h>
#include <float.h>
#include <math.h>

#include "base/bits.h"
#include "engine/riscv/fp.h"
#include "engine/riscv/fp_soft.h"

static_assert(FLT_RADIX == 2 && FLT_MANT_DIG == 24 && FLT_MAX_EXP == 128, "binary32 float");
static_assert(DBL_MANT_DIG == 53 && DBL_MAX_EXP == 1024, "binary64 double");
static_assert(FLT_EVAL_METHOD == 0, "float and double are evaluated in their own precision");

static inline float fp_host32(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static inline double fp_host64(uint64_t bits)
{
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static inline uint32_t fp_bits32(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static inline uint64_t fp_bits64(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static inline unsigned fp_exp32(uint32_t a)
{
	return a >> 23 & 0xff;
}

static inline unsigned fp_exp64(uint64_t a)
{
	return a >> 52 & 0x7ff;
}

/* At least twice the least normal number, and finite. */
static inline bool fp_ordinary32(uint32_t a)
{
	return fp_exp32(a) - 2 <= 0xfe - 2;
}

static inline bool fp_ordinary64(uint64_t a)
{
	return fp_exp64(a) - 2 <= 0x7fe - 2;
}

static inline bool fp_normal64(uint64_t a)
{
	return fp_exp64(a) - 1 <= 0x7fe - 1;
}

static inline bool fp_zero64(uint64_t a)
{
	return !(a << 1);
}

/* A normal number's significand as an integer of 53 bits. */
static inline uint64_t fp_sig64(uint64_t a)
{
	return bits_get(a, 0, 52) | BIT(52);
}

static inline uint32_t fp_add32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags)
{
	float x = fp_host32(a), y = fp_host32(b), sum = x + y;

	if (rm != FP_RNE || fp_exp32(fp_bits32(sum)) == 0xff)
		return fp_soft_add32(a, b, rm, flags);
	if (!(*flags & FP_NX) && !(sum - x == y && sum - y == x))
		*flags |= FP_NX;
	return fp_bits32(sum);
}

static inline uint64_t fp_add64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags)
{
	double x = fp_host64(a), y = fp_host64(b), sum = x + y;

	if (rm != FP_RNE || fp_exp64(fp_bits64(sum)) == 0x7ff)
		return fp_soft_add64(a, b, rm, flags);
	if (!(*flags & FP_NX) && !(sum - x == y && sum - y == x))
		*flags |= FP_NX;
	return fp_bits64(sum);
}

static inline uint16_t fp_sub16(uint16_t a, uint16_t b, unsigned rm, uint8_t *flags)
{
	return fp_add16(a, b ^ UINT16_C(1) << 15, rm, flags);
}

static inline uint32_t fp_sub32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags)
{
	return fp_add32(a, b ^ UINT32_C(1) << 31, rm, flags);
}

static inline uint64_t fp_sub64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags)
{
	return fp_add64(a, b ^ BIT(63), rm, flags);
}

/*
 * Rounds to binary32 a double that is the exact result, or the exact one rounded to odd (that
 * never fits 24 bits, so it shows as inexact). False when the integer layer has to do it.
 */
static inline bool fp_quick_narrow(double exact, uint32_t *out, uint8_t *flags)
{
	float rounded = (float)exact;

	*out = fp_bits32(rounded);
	if (fp_exp32(*out) == 0xff || (fabs(exact) < (double)FLT_MIN && exact != 0))
		return false;
	if ((double)rounded != exact)
		*flags |= FP_NX;
	return true;
}

static inline uint32_t fp_mul32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags)
{
	uint32_t r;

	if (rm == FP_RNE && fp_quick_narrow((double)fp_host32(a) * (double)fp_host32(b), &r, flags))
		return r;
	return fp_soft_mul32(a, b, rm, flags);
}

static inline uint64_t fp_mul64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags)
{
	uint64_t r = fp_bits64(fp_host64(a) * fp_host64(b)), low;

	if (rm != FP_RNE)
		return fp_soft_mul64(a, b, rm, flags);
	if (fp_ordinary64(r)) {
		if (*flags & FP_NX)
			return r;
		low = fp_sig64(a) * fp_sig64(b);
		if (fp_normal64(a) && fp_normal64(b) && (low << 12 || !(low << 11))) {
			if (low << 12)
				*flags |= FP_NX;
			return r;
		}
	} else if (fp_zero64(r) && (fp_zero64(a) || fp_zero64(b))) {
		return r;
	}
	return fp_soft_mul64(a, b, rm, flags);
}

static inline uint32_t fp_div32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags)
{
	float x = fp_host32(a), y = fp_host32(b), quot = x / y;

	if (rm != FP_RNE || !fp_ordinary32(fp_bits32(quot)))
		return fp_soft_div32(a, b, rm, flags);
	if ((double)quot * (double)y != (double)x)
		*flags |= FP_NX;
	return fp_bits32(quot);
}

static inline uint64_t fp_div64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags)
{
	uint64_t r = fp_bits64(fp_host64(a) / fp_host64(b));
	unsigned shift;

	if (rm != FP_RNE || !fp_ordinary64(r))
		return fp_soft_div64(a, b, rm, flags);
	if (*flags & FP_NX)
		return r;
	if (!fp_normal64(a) || !fp_normal64(b))
		return fp_soft_div64(a, b, rm, flags);
	/* The biases leave 1023; shift is 52 or 53. */
	shift = fp_exp64(a) - fp_exp64(r) - fp_exp64(b) + 1023 + 52;
	if (fp_sig64(r) * fp_sig64(b) != fp_sig64(a) << shift)
		*flags |= FP_NX;
	return r;
}

static inline uint32_t fp_sqrt32(uint32_t a, unsigned rm, uint8_t *flags)
{
	float root;

	/* Positive and finite; subnormals are normal numbers in the product below. */
	if (rm != FP_RNE || a - 1 >= UINT32_C(0x7f800000) - 1)
		return fp_soft_sqrt32(a, rm, flags);
	root = sqrtf(fp_host32(a));
	if ((double)root * (double)root != (double)fp_host32(a))
		*flags |= FP_NX;
	return fp_bits32(root);
}

static inline uint64_t fp_sqrt64(uint64_t a, unsigned rm, uint8_t *flags)
{
	uint64_t r;
	unsigned shift;

	if (rm != FP_RNE || a >> 63 || !fp_normal64(a))
		return fp_soft_sqrt64(a, rm, flags);
	r = fp_bits64(sqrt(fp_host64(a)));
	/* As in fp_div64() */
	shift = fp_exp64(a) - 2 * fp_exp64(r) + 1023 + 52;
	if (fp_sig64(r) * fp_sig64(r) != fp_sig64(a) << shift)
		*flags |= FP_NX;
	return r;
}

static inline uint32_t fp_fma32(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint8_t *flags)
{
	double product = (double)fp_host32(a) * (double)fp_host32(b), addend = fp_host32(c);
	double sum = product + addend;
	double addend_part = sum - product;
	double error = (product - (sum - addend_part)) + (addend - addend_part);
	uint64_t odd = fp_bits64(sum);
	uint32_t r;

	if (rm != FP_RNE || fp_exp64(odd) == 0x7ff)
		return fp_soft_fma32(a, b, c, rm, flags);
	if (error != 0 && !(odd & 1))
		odd += (error > 0) == (sum > 0) ? 1 : -UINT64_C(1);
	if (fp_quick_narrow(fp_host64(odd), &r, flags))
		return r;
	return fp_soft_fma32(a, b, c, rm, flags);
}

/*
 * fma() is one instruction where the host has it (the C library chooses when the program is
 * loaded) and correct but slow elsewhere.
 */
static inline uint64_t fp_fma64(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint8_t *flags)
{
	uint64_t r;

	if (rm == FP_RNE && (*flags & FP_NX)) {
		r = fp_bits64(fma(fp_host64(a), fp_host64(b), fp_host64(c)));
		if (fp_ordinary64(r))
			return r;
	}
	return fp_soft_fma64(a, b, c, rm, flags);
}

/* Exact; a NaN may be a signalling one. */
static inline uint64_t fp_f32_to_f64(uint32_t a, unsigned rm, uint8_t *flags)
{
	if (fp_exp32(a) == 0xff)
		return fp_soft_f32_to_f64(a, rm, flags);
	return fp_bits64((double)fp_host32(a));
}

static inline uint32_t fp_f64_to_f32(uint64_t a, unsigned rm, uint8_t *flags)
{
	uint32_t r;

	if (rm == FP_RNE && fp_quick_narrow(fp_host64(a), &r, flags))
		return r;
	return fp_soft_f64_to_f32(a, rm, flags);
}

/*
 * C's conversion truncates. When the integer equals x, nothing was rounded and rm does not
 * matter; otherwise it is what FP_RTZ asks for. Needs least <= x < bound, both exact and
 * within an int64_t's range, which leaves out NaNs. (x < 2^53 when it has a fraction, so
 * the comparison is exact.)
 */
static inline bool fp_quick_to_int(double x, double least, double bound, unsigned rm, int64_t *out,
				   uint8_t *flags)
{
	if (!(x >= least && x < bound))
		return false;
	*out = (int64_t)x;
	if ((double)*out == x)
		return true;
	if (rm != FP_RTZ)
		return false;
	*flags |= FP_NX;
	return true;
}

static inline int32_t fp_f32_to_i32(uint32_t a, unsigned rm, uint8_t *flags)
{
	int64_t n;

	if (fp_quick_to_int(fp_host32(a), -0x1p31, 0x1p31, rm, &n, flags))
		return (int32_t)n;
	return fp_soft_f32_to_i32(a, rm, flags);
}

static inline uint32_t fp_f32_to_u32(uint32_t a, unsigned rm, uint8_t *flags)
{
	int64_t n;

	if (fp_quick_to_int(fp_host32(a), 0, 0x1p32, rm, &n, flags))
		return (uint32_t)n;
	return fp_soft_f32_to_u32(a, rm, flags);
}

static inline int64_t fp_f32_to_i64(uint32_t a, unsigned rm, uint8_t *flags)
{
	int64_t n;

	if (fp_quick_to_int(fp_host32(a), -0x1p63, 0x1p63, rm, &n, flags))
		return n;
	return fp_soft_f32_to_i64(a, rm, flags);
}

static inline uint64_t fp_f32_to_u64(uint32_t a, unsigned rm, uint8_t *flags)
{
	int64_t n;

	if (fp_quick_to_int(fp_host32(a), 0, 0x1p63, rm, &n, flags))
		return (uint64_t)n;
	return fp_soft_f32_to_u64(a, rm, flags);
}

static inline int32_t fp_f64_to_i32(uint64_t a, unsigned rm, uint8_t *flags)
{
	int64_t n;

	if (fp_quick_to_int(fp_host64(a), -0x1p31, 0x1p31, rm, &n, flags))
		return (int32_t)n;
	return fp_soft_f64_to_i32(a, rm, flags);
}

static inline uint32_t fp_f64_to_u32(uint64_t a, unsigned rm, uint8_t *flags)
{
	int64_t n;

	if (fp_quick_to_int(fp_host64(a), 0, 0x1p32, rm, &n, flags))
		return (uint32_t)n;
	return fp_soft_f64_to_u32(a, rm, flags);
}

static inline int64_t fp_f64_to_i64(uint64_t a, unsigned rm, uint8_t *flags)
{
	int64_t n;

	if (fp_quick_to_int(fp_host64(a), -0x1p63, 0x1p63, rm, &n, flags))
		return n;
	return fp_soft_f64_to_i64(a, rm, flags);
}

static inline uint64_t fp_f64_to_u64(uint64_t a, unsigned rm, uint8_t *flags)
{
	int64_t n;

	if (fp_quick_to_int(fp_host64(a), 0, 0x1p63, rm, &n, flags))
		return (uint64_t)n;
	return fp_soft_f64_to_u64(a, rm, flags);
}

static inline uint64_t fp_i32_to_f64(int32_t a, unsigned rm, uint8_t *flags)
{
	return fp_bits64((double)a);
}

static inline uint64_t fp_u32_to_f64(uint32_t a, unsigned rm, uint8_t *flags)
{
	return fp_bits64((double)a);
}

static inline uint64_t fp_i64_to_f64(int64_t a, unsigned rm, uint8_t *flags)
{
	/* Up to 2^53 every integer is exact. */
	if ((uint64_t)a + BIT(53) <= BIT(54) || (rm == FP_RNE && (*flags & FP_NX)))
		return fp_bits64((double)a);
	return fp_soft_i64_to_f64(a, rm, flags);
}

static inline uint32_t fp_i64_to_f32(int64_t a, unsigned rm, uint8_t *flags)
{
	if ((uint64_t)a + BIT(24) <= BIT(25) || (rm == FP_RNE && (*flags & FP_NX)))
		return fp_bits32((float)a);
	return fp_soft_i64_to_f32(a, rm, flags);
}

static inline uint32_t fp_i32_to_f32(int32_t a, unsigned rm, uint8_t *flags)
{
	return fp_i64_to_f32(a, rm, flags);
}

static inline uint32_t fp_u32_to_f32(uint32_t a, unsigned rm, uint8_t *flags)
{
	return fp_i64_to_f32((int64_t)a, rm, flags);
}

#endif
