/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions among the three formats and to and from integers, in integers. */
#include "engine/riscv/fp_num.h"

#include "engine/riscv/fp_soft.h"

static uint64_t convert(struct fp_fmt to, struct fp_fmt from, uint64_t a, unsigned rm,
			uint8_t *flags)
{
	struct fp_num x = fp_unpack(from, a);

	if (fp_is_nan(x))
		return fp_nan_result(to, x, x, flags);
	if (x.kind == FP_KIND_INF)
		return fp_pack_inf(to, x.sign);
	if (x.kind == FP_KIND_ZERO)
		return fp_pack_zero(to, x.sign);
	return fp_round(to, x.sign, x.exp, x.sig, rm, flags);
}

/*
 * To an integer of the given least and greatest value; negative numbers are returned as two's
 * complement. `below` is the magnitude of the least one.
 */
static uint64_t to_int(struct fp_fmt f, uint64_t a, uint64_t below, uint64_t above, unsigned rm,
		       uint8_t *flags)
{
	struct fp_num x = fp_unpack(f, a);
	uint64_t whole, rest;
	fp_u128 fixed;

	if (x.kind == FP_KIND_ZERO)
		return 0;
	if (fp_is_nan(x)) {
		x.sign = false;
	} else if (x.kind == FP_KIND_FINITE && x.exp < 64) {
		/* 64 bits of integer, 64 of fraction */
		fixed = x.exp >= -1 ? (fp_u128)x.sig << (x.exp + 1)
				    : fp_shift_jam(x.sig, -(x.exp + 1));
		whole = (uint64_t)(fixed >> 64);
		rest = (uint64_t)fixed;
		/* No carry out: where whole has 64 bits, rest is zero. */
		whole += fp_rounds_up(rm, x.sign, whole & 1, rest, BIT(63));
		if (whole <= (x.sign ? below : above)) {
			if (rest)
				*flags |= FP_NX;
			return x.sign ? -whole : whole;
		}
	}
	*flags |= FP_NV;
	return x.sign ? -below : above;
}

static int32_t to_i32(struct fp_fmt f, uint64_t a, unsigned rm, uint8_t *flags)
{
	return (int32_t)to_int(f, a, BIT(31), INT32_MAX, rm, flags);
}

static uint32_t to_u32(struct fp_fmt f, uint64_t a, unsigned rm, uint8_t *flags)
{
	return (uint32_t)to_int(f, a, 0, UINT32_MAX, rm, flags);
}

static int64_t to_i64(struct fp_fmt f, uint64_t a, unsigned rm, uint8_t *flags)
{
	return (int64_t)to_int(f, a, BIT(63), INT64_MAX, rm, flags);
}

static uint64_t to_u64(struct fp_fmt f, uint64_t a, unsigned rm, uint8_t *flags)
{
	return to_int(f, a, 0, UINT64_MAX, rm, flags);
}

static uint64_t from_u64(struct fp_fmt f, bool sign, uint64_t magnitude, unsigned rm,
			 uint8_t *flags)
{
	int lead;

	if (!magnitude)
		return fp_pack_zero(f, false);
	lead = __builtin_clzll(magnitude);
	return fp_round(f, sign, 63 - lead, magnitude << lead, rm, flags);
}

static uint64_t from_i64(struct fp_fmt f, int64_t a, unsigned rm, uint8_t *flags)
{
	return from_u64(f, a < 0, a < 0 ? -(uint64_t)a : (uint64_t)a, rm, flags);
}

uint32_t fp_f16_to_f32(uint16_t a, unsigned rm, uint8_t *flags)
{
	return (uint32_t)convert(FP_F32, FP_F16, a, rm, flags);
}

uint64_t fp_f16_to_f64(uint16_t a, unsigned rm, uint8_t *flags)
{
	return convert(FP_F64, FP_F16, a, rm, flags);
}

uint16_t fp_f32_to_f16(uint32_t a, unsigned rm, uint8_t *flags)
{
	return (uint16_t)convert(FP_F16, FP_F32, a, rm, flags);
}

uint16_t fp_f64_to_f16(uint64_t a, unsigned rm, uint8_t *flags)
{
	return (uint16_t)convert(FP_F16, FP_F64, a, rm, flags);
}

uint64_t fp_soft_f32_to_f64(uint32_t a, unsigned rm, uint8_t *flags)
{
	return convert(FP_F64, FP_F32, a, rm, flags);
}

uint32_t fp_soft_f64_to_f32(uint64_t a, unsigned rm, uint8_t *flags)
{
	return (uint32_t)convert(FP_F32, FP_F64, a, rm, flags);
}

int32_t fp_f16_to_i32(uint16_t a, unsigned rm, uint8_t *flags)
{
	return to_i32(FP_F16, a, rm, flags);
}

uint32_t fp_f16_to_u32(uint16_t a, unsigned rm, uint8_t *flags)
{
	return to_u32(FP_F16, a, rm, flags);
}

int64_t fp_f16_to_i64(uint16_t a, unsigned rm, uint8_t *flags)
{
	return to_i64(FP_F16, a, rm, flags);
}

uint64_t fp_f16_to_u64(uint16_t a, unsigned rm, uint8_t *flags)
{
	return to_u64(FP_F16, a, rm, flags);
}

int32_t fp_soft_f32_to_i32(uint32_t a, unsigned rm, uint8_t *flags)
{
	return to_i32(FP_F32, a, rm, flags);
}

uint32_t fp_soft_f32_to_u32(uint32_t a, unsigned rm, uint8_t *flags)
{
	return to_u32(FP_F32, a, rm, flags);
}

int64_t fp_soft_f32_to_i64(uint32_t a, unsigned rm, uint8_t *flags)
{
	return to_i64(FP_F32, a, rm, flags);
}

uint64_t fp_soft_f32_to_u64(uint32_t a, unsigned rm, uint8_t *flags)
{
	return to_u64(FP_F32, a, rm, flags);
}

int32_t fp_soft_f64_to_i32(uint64_t a, unsigned rm, uint8_t *flags)
{
	return to_i32(FP_F64, a, rm, flags);
}

uint32_t fp_soft_f64_to_u32(uint64_t a, unsigned rm, uint8_t *flags)
{
	return to_u32(FP_F64, a, rm, flags);
}

int64_t fp_soft_f64_to_i64(uint64_t a, unsigned rm, uint8_t *flags)
{
	return to_i64(FP_F64, a, rm, flags);
}

uint64_t fp_soft_f64_to_u64(uint64_t a, unsigned rm, uint8_t *flags)
{
	return to_u64(FP_F64, a, rm, flags);
}

uint16_t fp_i32_to_f16(int32_t a, unsigned rm, uint8_t *flags)
{
	return (uint16_t)from_i64(FP_F16, a, rm, flags);
}

uint16_t fp_u32_to_f16(uint32_t a, unsigned rm, uint8_t *flags)
{
	return (uint16_t)from_u64(FP_F16, false, a, rm, flags);
}

uint16_t fp_i64_to_f16(int64_t a, unsigned rm, uint8_t *flags)
{
	return (uint16_t)from_i64(FP_F16, a, rm, flags);
}

uint16_t fp_u64_to_f16(uint64_t a, unsigned rm, uint8_t *flags)
{
	return (uint16_t)from_u64(FP_F16, false, a, rm, flags);
}

uint32_t fp_soft_i64_to_f32(int64_t a, unsigned rm, uint8_t *flags)
{
	return (uint32_t)from_i64(FP_F32, a, rm, flags);
}

uint32_t fp_u64_to_f32(uint64_t a, unsigned rm, uint8_t *flags)
{
	return (uint32_t)from_u64(FP_F32, false, a, rm, flags);
}

uint64_t fp_soft_i64_to_f64(int64_t a, unsigned rm, uint8_t *flags)
{
	return from_i64(FP_F64, a, rm, flags);
}

uint64_t fp_u64_to_f64(uint64_t a, unsigned rm, uint8_t *flags)
{
	return from_u64(FP_F64, false, a, rm, flags);
}
