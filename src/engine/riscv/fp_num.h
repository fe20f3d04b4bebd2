/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the integer layer (fp_arith.c, fp_div.c, fp_cvt.c) computes with: numbers taken apart,
 * and the one place where results are rounded, overflow and underflow.
 *
 * Each operation is written once, as a static function of a struct fp_fmt; the public names
 * pass a constant. A finite number is brought to the same form whatever its format, with its
 * leading one in the top bit of `sig`, subnormals too, so that only fp_unpack() and
 * fp_round() know that subnormals exist. Bits that a result cannot hold are jammed: ORed into
 * its lowest bit, where they can still tell exact from inexact and break a tie, and no more.
 * That is sound because at least ten bits (63 - 53) lie below the rounding position.
 */
#ifndef ENGINE_RISCV_FP_NUM_H
#define ENGINE_RISCV_FP_NUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "engine/riscv/fp.h"

typedef unsigned __int128 fp_u128;

/* An interchange format: sign, `exp` bits of biased exponent, `frac` bits of fraction. */
struct fp_fmt {
	unsigned frac;
	unsigned exp;
};

static const struct fp_fmt FP_F16 = {10, 5};
static const struct fp_fmt FP_F32 = {23, 8};
static const struct fp_fmt FP_F64 = {52, 11};

enum fp_kind { FP_KIND_ZERO, FP_KIND_FINITE, FP_KIND_INF, FP_KIND_QNAN, FP_KIND_SNAN };

/* When kind is FINITE: sig * 2^(exp - 63), bit 63 of sig set. */
struct fp_num {
	uint64_t sig;
	int exp;
	bool sign;
	enum fp_kind kind;
};

/* The greatest exponent of a finite number, and the exponent bias. */
static inline int fp_emax(struct fp_fmt f)
{
	return (1 << (f.exp - 1)) - 1;
}

/* The exponent of the least normal number. */
static inline int fp_emin(struct fp_fmt f)
{
	return 1 - fp_emax(f);
}

static inline uint64_t fp_pack_zero(struct fp_fmt f, bool sign)
{
	return (uint64_t)sign << (f.exp + f.frac);
}

static inline uint64_t fp_pack_inf(struct fp_fmt f, bool sign)
{
	return fp_pack_zero(f, sign) | (BIT(f.exp) - 1) << f.frac;
}

static inline uint64_t fp_pack_nan(struct fp_fmt f)
{
	return fp_pack_inf(f, false) | BIT(f.frac - 1);
}

static inline uint64_t fp_invalid(struct fp_fmt f, uint8_t *flags)
{
	*flags |= FP_NV;
	return fp_pack_nan(f);
}

static inline struct fp_num fp_unpack(struct fp_fmt f, uint64_t bits)
{
	uint64_t frac = bits_get(bits, 0, f.frac);
	int biased = (int)bits_get(bits, f.frac, f.exp);
	struct fp_num n = {.sign = bits_get(bits, f.frac + f.exp, 1), .kind = FP_KIND_FINITE};

	if (biased == (1 << f.exp) - 1) {
		if (!frac)
			n.kind = FP_KIND_INF;
		else
			n.kind = frac & BIT(f.frac - 1) ? FP_KIND_QNAN : FP_KIND_SNAN;
	} else if (biased) {
		n.exp = biased - fp_emax(f);
		n.sig = BIT(63) | frac << (63 - f.frac);
	} else if (frac) {
		int lead = __builtin_clzll(frac);

		n.exp = fp_emin(f) + (63 - (int)f.frac) - lead;
		n.sig = frac << lead;
	} else {
		n.kind = FP_KIND_ZERO;
	}
	return n;
}

static inline bool fp_is_nan(struct fp_num n)
{
	return n.kind >= FP_KIND_QNAN;
}

/* The result of an operation with a NaN among its operands; pass the others as they are. */
static inline uint64_t fp_nan_result(struct fp_fmt f, struct fp_num a, struct fp_num b,
				     uint8_t *flags)
{
	if (a.kind == FP_KIND_SNAN || b.kind == FP_KIND_SNAN)
		*flags |= FP_NV;
	return fp_pack_nan(f);
}

/* sig >> count, with what falls off jammed into bit 0. */
static inline uint64_t fp_shift_jam(uint64_t sig, int count)
{
	if (count >= 64)
		return sig != 0;
	return sig >> count | ((sig & (BIT(count) - 1)) != 0);
}

/* All of sig that 64 bits can tell: its upper half, the lower one jammed. */
static inline uint64_t fp_jam128(fp_u128 sig)
{
	return (uint64_t)(sig >> 64) | ((uint64_t)sig != 0);
}

/*
 * Whether a magnitude is rounded up, away from zero, when `rest` of it is cut off; `half` is
 * the weight of half a unit of what stays, `odd` whether that is odd.
 */
static inline bool fp_rounds_up(unsigned rm, bool sign, bool odd, uint64_t rest, uint64_t half)
{
	switch (rm) {
	case FP_RNE:
		return rest > half || (rest == half && odd);
	case FP_RMM:
		return rest >= half;
	case FP_RDN:
		return sign && rest;
	case FP_RUP:
		return !sign && rest;
	default:
		return false;
	}
}

/*
 * The encoding of the finite number sig * 2^(exp - 63) (bit 63 of sig set, bit 0 possibly
 * jammed) rounded to f, raising NX, UF and OF. exp may lie anywhere within an int's half.
 */
uint64_t fp_round(struct fp_fmt f, bool sign, int exp, uint64_t sig, unsigned rm, uint8_t *flags);

#endif
