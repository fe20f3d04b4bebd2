/* SPDX-License-Identifier: Apache-2.0 */
/* Division and square root in integers. */
#include "engine/riscv/fp_num.h"

#include "engine/riscv/fp_soft.h"

static uint64_t div_finite(struct fp_fmt f, bool sign, struct fp_num x, struct fp_num y,
			   unsigned rm, uint8_t *flags)
{
	/* Scaled so that the quotient lies in [2^63, 2^64). */
	unsigned scale = x.sig < y.sig ? 64 : 63;
	fp_u128 num = (fp_u128)x.sig << scale;
	uint64_t quot = (uint64_t)(num / y.sig);

	quot |= (uint64_t)num != quot * y.sig;
	return fp_round(f, sign, x.exp - y.exp + 63 - (int)scale, quot, rm, flags);
}

static uint64_t divide(struct fp_fmt f, uint64_t a, uint64_t b, unsigned rm, uint8_t *flags)
{
	struct fp_num x = fp_unpack(f, a), y = fp_unpack(f, b);
	bool sign = x.sign != y.sign;

	if (fp_is_nan(x) || fp_is_nan(y))
		return fp_nan_result(f, x, y, flags);
	if (x.kind == y.kind && x.kind != FP_KIND_FINITE)
		return fp_invalid(f, flags);
	if (x.kind == FP_KIND_INF)
		return fp_pack_inf(f, sign);
	if (x.kind == FP_KIND_ZERO || y.kind == FP_KIND_INF)
		return fp_pack_zero(f, sign);
	if (y.kind == FP_KIND_ZERO) {
		*flags |= FP_DZ;
		return fp_pack_inf(f, sign);
	}
	return div_finite(f, sign, x, y, rm, flags);
}

/*
 * The root of sig * 2^(exp - 63), one bit after the other. With exp made even, the radicand is
 * radix / 2^126 in [1, 4) and its root, scaled by 2^63, lies in [2^63, 2^64). Bits below
 * the guard bit (weight half a unit) need no computing: what is left over is jammed.
 */
static uint64_t sqrt_finite(struct fp_fmt f, struct fp_num x, unsigned rm, uint8_t *flags)
{
	fp_u128 left = (fp_u128)x.sig << (63 + (x.exp & 1));
	fp_u128 root = 0;
	unsigned pos;

	for (pos = 63; pos >= 62 - f.frac; pos--) {
		/* (root + 2^pos)^2 - root^2 */
		fp_u128 step = (root << (pos + 1)) + ((fp_u128)1 << (2 * pos));

		if (left >= step) {
			left -= step;
			root |= (fp_u128)1 << pos;
		}
	}
	return fp_round(f, false, (x.exp - (x.exp & 1)) / 2, (uint64_t)root | (left != 0), rm,
			flags);
}

static uint64_t square_root(struct fp_fmt f, uint64_t a, unsigned rm, uint8_t *flags)
{
	struct fp_num x = fp_unpack(f, a);

	if (fp_is_nan(x))
		return fp_nan_result(f, x, x, flags);
	if (x.kind == FP_KIND_ZERO)
		return a;
	if (x.sign)
		return fp_invalid(f, flags);
	if (x.kind == FP_KIND_INF)
		return a;
	return sqrt_finite(f, x, rm, flags);
}

uint16_t fp_div16(uint16_t a, uint16_t b, unsigned rm, uint8_t *flags)
{
	return (uint16_t)divide(FP_F16, a, b, rm, flags);
}

uint32_t fp_soft_div32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags)
{
	return (uint32_t)divide(FP_F32, a, b, rm, flags);
}

uint64_t fp_soft_div64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags)
{
	return divide(FP_F64, a, b, rm, flags);
}

uint16_t fp_sqrt16(uint16_t a, unsigned rm, uint8_t *flags)
{
	return (uint16_t)square_root(FP_F16, a, rm, flags);
}

uint32_t fp_soft_sqrt32(uint32_t a, unsigned rm, uint8_t *flags)
{
	return (uint32_t)square_root(FP_F32, a, rm, flags);
}

uint64_t fp_soft_sqrt64(uint64_t a, unsigned rm, uint8_t *flags)
{
	return square_root(FP_F64, a, rm, flags);
}
