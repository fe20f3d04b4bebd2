/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Minimum, maximum, comparison and classification of fp.h. These never round, so they need
 * neither an FPU nor a number taken apart: without their sign, encodings order as the numbers
 * do, with the NaNs above infinity. Each is written once, for an encoding of `width` bits
 * (a constant) with the infinity `inf`.
 */
#ifndef ENGINE_RISCV_FP_CMP_H
#define ENGINE_RISCV_FP_CMP_H

#include "base/bits.h"
#include "engine/riscv/fp.h"

#define FP_INF16 UINT16_C(0x7c00)
#define FP_INF32 UINT32_C(0x7f800000)
#define FP_INF64 UINT64_C(0x7ff0000000000000)

/* The bit that makes a NaN a quiet one is the highest of the fraction. */
static inline uint64_t fp_quiet_bit(uint64_t inf)
{
	return (inf & -inf) >> 1;
}

static inline bool fp_bits_nan(uint64_t a, unsigned width, uint64_t inf)
{
	return bits_get(a, 0, width - 1) > inf;
}

static inline bool fp_bits_snan(uint64_t a, unsigned width, uint64_t inf)
{
	return fp_bits_nan(a, width, inf) && !(a & fp_quiet_bit(inf));
}

/* An integer that orders as the number; both zeros give 0. */
static inline int64_t fp_order(uint64_t a, unsigned width)
{
	int64_t magnitude = (int64_t)bits_get(a, 0, width - 1);

	return a >> (width - 1) ? -magnitude : magnitude;
}

/* Raises NV for a signalling NaN, or for any NaN; true when one of the two is a NaN. */
static inline bool fp_unordered(uint64_t a, uint64_t b, unsigned width, uint64_t inf, bool any,
				uint8_t *flags)
{
	if (!fp_bits_nan(a, width, inf) && !fp_bits_nan(b, width, inf))
		return false;
	if (any || fp_bits_snan(a, width, inf) || fp_bits_snan(b, width, inf))
		*flags |= FP_NV;
	return true;
}

static inline bool fp_bits_eq(uint64_t a, uint64_t b, unsigned width, uint64_t inf, uint8_t *flags)
{
	return !fp_unordered(a, b, width, inf, false, flags) &&
	       fp_order(a, width) == fp_order(b, width);
}

static inline bool fp_bits_lt(uint64_t a, uint64_t b, unsigned width, uint64_t inf, uint8_t *flags)
{
	return !fp_unordered(a, b, width, inf, true, flags) &&
	       fp_order(a, width) < fp_order(b, width);
}

static inline bool fp_bits_le(uint64_t a, uint64_t b, unsigned width, uint64_t inf, uint8_t *flags)
{
	return !fp_unordered(a, b, width, inf, true, flags) &&
	       fp_order(a, width) <= fp_order(b, width);
}

/* The lesser of a and b, or the greater. */
static inline uint64_t fp_bits_pick(uint64_t a, uint64_t b, unsigned width, uint64_t inf,
				    bool greater, uint8_t *flags)
{
	int64_t x = fp_order(a, width), y = fp_order(b, width);
	bool less;

	if (fp_unordered(a, b, width, inf, false, flags)) {
		if (!fp_bits_nan(a, width, inf))
			return a;
		return fp_bits_nan(b, width, inf) ? inf | fp_quiet_bit(inf) : b;
	}
	/* Among equals only zeros can differ, and the negative one has the sign bit. */
	less = x < y || (x == y && a > b);
	return less != greater ? a : b;
}

static inline unsigned fp_bits_class(uint64_t a, unsigned width, uint64_t inf)
{
	uint64_t magnitude = bits_get(a, 0, width - 1);
	bool sign = a >> (width - 1);
	uint64_t least_normal = inf & -inf;

	if (magnitude > inf)
		return a & fp_quiet_bit(inf) ? 1u << 9 : 1u << 8;
	if (magnitude == inf)
		return sign ? 1u << 0 : 1u << 7;
	if (magnitude >= least_normal)
		return sign ? 1u << 1 : 1u << 6;
	if (magnitude)
		return sign ? 1u << 2 : 1u << 5;
	return sign ? 1u << 3 : 1u << 4;
}

static inline uint16_t fp_min16(uint16_t a, uint16_t b, uint8_t *flags)
{
	return (uint16_t)fp_bits_pick(a, b, 16, FP_INF16, false, flags);
}

static inline uint32_t fp_min32(uint32_t a, uint32_t b, uint8_t *flags)
{
	return (uint32_t)fp_bits_pick(a, b, 32, FP_INF32, false, flags);
}

static inline uint64_t fp_min64(uint64_t a, uint64_t b, uint8_t *flags)
{
	return fp_bits_pick(a, b, 64, FP_INF64, false, flags);
}

static inline uint16_t fp_max16(uint16_t a, uint16_t b, uint8_t *flags)
{
	return (uint16_t)fp_bits_pick(a, b, 16, FP_INF16, true, flags);
}

static inline uint32_t fp_max32(uint32_t a, uint32_t b, uint8_t *flags)
{
	return (uint32_t)fp_bits_pick(a, b, 32, FP_INF32, true, flags);
}

static inline uint64_t fp_max64(uint64_t a, uint64_t b, uint8_t *flags)
{
	return fp_bits_pick(a, b, 64, FP_INF64, true, flags);
}

static inline bool fp_eq16(uint16_t a, uint16_t b, uint8_t *flags)
{
	return fp_bits_eq(a, b, 16, FP_INF16, flags);
}

static inline bool fp_eq32(uint32_t a, uint32_t b, uint8_t *flags)
{
	return fp_bits_eq(a, b, 32, FP_INF32, flags);
}

static inline bool fp_eq64(uint64_t a, uint64_t b, uint8_t *flags)
{
	return fp_bits_eq(a, b, 64, FP_INF64, flags);
}

static inline bool fp_lt16(uint16_t a, uint16_t b, uint8_t *flags)
{
	return fp_bits_lt(a, b, 16, FP_INF16, flags);
}

static inline bool fp_lt32(uint32_t a, uint32_t b, uint8_t *flags)
{
	return fp_bits_lt(a, b, 32, FP_INF32, flags);
}

static inline bool fp_lt64(uint64_t a, uint64_t b, uint8_t *flags)
{
	return fp_bits_lt(a, b, 64, FP_INF64, flags);
}

static inline bool fp_le16(uint16_t a, uint16_t b, uint8_t *flags)
{
	return fp_bits_le(a, b, 16, FP_INF16, flags);
}

static inline bool fp_le32(uint32_t a, uint32_t b, uint8_t *flags)
{
	return fp_bits_le(a, b, 32, FP_INF32, flags);
}

static inline bool fp_le64(uint64_t a, uint64_t b, uint8_t *flags)
{
	return fp_bits_le(a, b, 64, FP_INF64, flags);
}

static inline unsigned fp_class16(uint16_t a)
{
	return fp_bits_class(a, 16, FP_INF16);
}

static inline unsigned fp_class32(uint32_t a)
{
	return fp_bits_class(a, 32, FP_INF32);
}

static inline unsigned fp_class64(uint64_t a)
{
	return fp_bits_class(a, 64, FP_INF64);
}

#endif
