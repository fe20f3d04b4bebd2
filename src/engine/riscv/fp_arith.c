/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounding, addition, multiplication and the fused multiply-add in integers.
 *
 * The last three share one exact intermediate form of 128 bits: a product has it by nature, and
 * an addend is widened to it. So addition is the second half of a fused multiply-add.
 */
#include "engine/riscv/fp_num.h"

#include "engine/riscv/fp_soft.h"

/* As struct fp_num but sig * 2^(exp - 127); never a NaN. */
struct wide {
	fp_u128 sig;
	int exp;
	bool sign;
	enum fp_kind kind;
};

/* sig without its lowest drop (1 to 63) bits, rounded; *inexact when they were not all zero. */
static uint64_t round_off(uint64_t sig, unsigned drop, bool sign, unsigned rm, bool *inexact)
{
	uint64_t rest = bits_get(sig, 0, drop);

	sig >>= drop;
	*inexact = rest != 0;
	return sig + fp_rounds_up(rm, sign, sig & 1, rest, BIT(drop - 1));
}

static uint64_t overflow(struct fp_fmt f, bool sign, unsigned rm, uint8_t *flags)
{
	uint64_t inf = fp_pack_inf(f, sign);

	*flags |= FP_OF | FP_NX;
	/* Between the last number and infinity: far past half way. */
	return fp_rounds_up(rm, sign, true, 2, 1) ? inf : inf - 1;
}

uint64_t fp_round(struct fp_fmt f, bool sign, int exp, uint64_t sig, unsigned rm, uint8_t *flags)
{
	unsigned drop = 63 - f.frac;
	bool inexact;
	uint64_t bits;

	if (exp > fp_emax(f))
		return overflow(f, sign, rm, flags);
	if (exp >= fp_emin(f)) {
		/* The leading one adds one to the exponent field, and so does a carry. */
		bits = round_off(sig, drop, sign, rm, &inexact);
		bits += (uint64_t)(exp - fp_emin(f)) << f.frac;
		if (bits >= fp_pack_inf(f, false))
			return overflow(f, sign, rm, flags);
	} else {
		/* Tiny, unless with an unbounded exponent it would round up to the least normal. */
		bool tiny = exp < fp_emin(f) - 1 ||
			    !(round_off(sig, drop, sign, rm, &inexact) >> (f.frac + 1));

		bits = round_off(fp_shift_jam(sig, fp_emin(f) - exp), drop, sign, rm, &inexact);
		if (tiny && inexact)
			*flags |= FP_UF;
	}
	if (inexact)
		*flags |= FP_NX;
	return fp_pack_zero(f, sign) | bits;
}

static struct wide widen(struct fp_num n)
{
	return (struct wide){(fp_u128)n.sig << 64, n.exp, n.sign, n.kind};
}

/* a * b exactly; neither is a NaN, and not zero times infinity. */
static struct wide product(struct fp_num a, struct fp_num b)
{
	struct wide p = {.exp = a.exp + b.exp + 1, .sign = a.sign != b.sign};

	if (a.kind == FP_KIND_INF || b.kind == FP_KIND_INF) {
		p.kind = FP_KIND_INF;
	} else if (a.kind == FP_KIND_ZERO || b.kind == FP_KIND_ZERO) {
		p.kind = FP_KIND_ZERO;
	} else {
		p.kind = FP_KIND_FINITE;
		p.sig = (fp_u128)a.sig * b.sig;
		if (!(p.sig >> 127)) {
			p.sig <<= 1;
			p.exp--;
		}
	}
	return p;
}

static bool zero_times_inf(struct fp_num a, struct fp_num b)
{
	return (a.kind == FP_KIND_ZERO && b.kind == FP_KIND_INF) ||
	       (a.kind == FP_KIND_INF && b.kind == FP_KIND_ZERO);
}

static uint64_t wide_round(struct fp_fmt f, struct wide x, unsigned rm, uint8_t *flags)
{
	if (x.kind == FP_KIND_ZERO)
		return fp_pack_zero(f, x.sign);
	if (x.kind == FP_KIND_INF)
		return fp_pack_inf(f, x.sign);
	return fp_round(f, x.sign, x.exp, fp_jam128(x.sig), rm, flags);
}

/*
 * x + y, both finite and not zero. Operands have at most 106 significant bits, so the lowest 22
 * are clear and giving one up for the carry costs nothing. An alignment by one place loses
 * nothing either; one by more jams, but then the difference loses at most one leading bit.
 */
static uint64_t sum_finite(struct fp_fmt f, struct wide x, struct wide y, unsigned rm,
			   uint8_t *flags)
{
	fp_u128 sum, small;
	int gap, lead;

	if (y.exp > x.exp || (y.exp == x.exp && y.sig > x.sig)) {
		struct wide swap = x;

		x = y;
		y = swap;
	}
	gap = x.exp - y.exp;
	small = y.sig >> 1;
	if (gap >= 128)
		small = 1;
	else
		small = small >> gap | ((small & (((fp_u128)1 << gap) - 1)) != 0);
	sum = x.sig >> 1;
	sum = x.sign == y.sign ? sum + small : sum - small;
	if (!sum)
		return fp_pack_zero(f, rm == FP_RDN);
	lead = sum >> 64 ? __builtin_clzll((uint64_t)(sum >> 64))
			 : 64 + __builtin_clzll((uint64_t)sum);
	return fp_round(f, x.sign, x.exp + 1 - lead, fp_jam128(sum << lead), rm, flags);
}

static uint64_t sum(struct fp_fmt f, struct wide x, struct wide y, unsigned rm, uint8_t *flags)
{
	if (x.kind == FP_KIND_INF && y.kind == FP_KIND_INF && x.sign != y.sign)
		return fp_invalid(f, flags);
	if (x.kind == FP_KIND_ZERO && y.kind == FP_KIND_ZERO && x.sign != y.sign)
		return fp_pack_zero(f, rm == FP_RDN);
	if (x.kind == FP_KIND_INF || y.kind == FP_KIND_ZERO)
		return wide_round(f, x, rm, flags);
	if (y.kind == FP_KIND_INF || x.kind == FP_KIND_ZERO)
		return wide_round(f, y, rm, flags);
	return sum_finite(f, x, y, rm, flags);
}

static uint64_t add(struct fp_fmt f, uint64_t a, uint64_t b, unsigned rm, uint8_t *flags)
{
	struct fp_num x = fp_unpack(f, a), y = fp_unpack(f, b);

	if (fp_is_nan(x) || fp_is_nan(y))
		return fp_nan_result(f, x, y, flags);
	return sum(f, widen(x), widen(y), rm, flags);
}

static uint64_t mul(struct fp_fmt f, uint64_t a, uint64_t b, unsigned rm, uint8_t *flags)
{
	struct fp_num x = fp_unpack(f, a), y = fp_unpack(f, b);

	if (fp_is_nan(x) || fp_is_nan(y))
		return fp_nan_result(f, x, y, flags);
	if (zero_times_inf(x, y))
		return fp_invalid(f, flags);
	return wide_round(f, product(x, y), rm, flags);
}

static uint64_t mul_add(struct fp_fmt f, uint64_t a, uint64_t b, uint64_t c, unsigned rm,
			uint8_t *flags)
{
	struct fp_num x = fp_unpack(f, a), y = fp_unpack(f, b), z = fp_unpack(f, c);

	if (zero_times_inf(x, y) || z.kind == FP_KIND_SNAN)
		return fp_invalid(f, flags);
	if (fp_is_nan(x) || fp_is_nan(y) || fp_is_nan(z))
		return fp_nan_result(f, x, y, flags);
	return sum(f, product(x, y), widen(z), rm, flags);
}

uint16_t fp_add16(uint16_t a, uint16_t b, unsigned rm, uint8_t *flags)
{
	return (uint16_t)add(FP_F16, a, b, rm, flags);
}

uint32_t fp_soft_add32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags)
{
	return (uint32_t)add(FP_F32, a, b, rm, flags);
}

uint64_t fp_soft_add64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags)
{
	return add(FP_F64, a, b, rm, flags);
}

uint16_t fp_mul16(uint16_t a, uint16_t b, unsigned rm, uint8_t *flags)
{
	return (uint16_t)mul(FP_F16, a, b, rm, flags);
}

uint32_t fp_soft_mul32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags)
{
	return (uint32_t)mul(FP_F32, a, b, rm, flags);
}

uint64_t fp_soft_mul64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags)
{
	return mul(FP_F64, a, b, rm, flags);
}

uint16_t fp_fma16(uint16_t a, uint16_t b, uint16_t c, unsigned rm, uint8_t *flags)
{
	return (uint16_t)mul_add(FP_F16, a, b, c, rm, flags);
}

uint32_t fp_soft_fma32(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint8_t *flags)
{
	return (uint32_t)mul_add(FP_F32, a, b, c, rm, flags);
}

uint64_t fp_soft_fma64(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint8_t *flags)
{
	return mul_add(FP_F64, a, b, c, rm, flags);
}
