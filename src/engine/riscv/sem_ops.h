/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of sem_int.def and sem_bit.def that C has no operator for, as functions of values.
 * "M", "Zbb" and "Zbc" of the Unprivileged ISA; see sem_int.def for what each gives.
 */
#ifndef ENGINE_RISCV_SEM_OPS_H
#define ENGINE_RISCV_SEM_OPS_H

#include <stdint.h>

#include "base/bits.h"

static inline uint64_t sem_sext32(uint64_t a)
{
	return (uint64_t)(int64_t)(int32_t)a;
}

static inline uint64_t sem_sar(uint64_t a, uint64_t n)
{
	return (uint64_t)((int64_t)a >> (n & 63));
}

static inline uint64_t sem_shlw(uint64_t a, uint64_t n)
{
	return sem_sext32((uint32_t)a << (n & 31));
}

static inline uint64_t sem_shrw(uint64_t a, uint64_t n)
{
	return sem_sext32((uint32_t)a >> (n & 31));
}

static inline uint64_t sem_sarw(uint64_t a, uint64_t n)
{
	return (uint64_t)(int64_t)((int32_t)a >> (n & 31));
}

static inline uint64_t sem_mulh(uint64_t a, uint64_t b)
{
	return (uint64_t)((__int128)(int64_t)a * (int64_t)b >> 64);
}

static inline uint64_t sem_mulhu(uint64_t a, uint64_t b)
{
	return (uint64_t)((unsigned __int128)a * b >> 64);
}

static inline uint64_t sem_mulhsu(uint64_t a, uint64_t b)
{
	/* As unsigned, a negative a is 2^64 too great. */
	return sem_mulhu(a, b) - ((int64_t)a < 0 ? b : 0);
}

static inline uint64_t sem_div(uint64_t a, uint64_t b)
{
	if (b == 0)
		return UINT64_MAX;
	if (b == UINT64_MAX)
		return 0 - a;		/* also where INT64_MIN / -1 overflows */
	return (uint64_t)((int64_t)a / (int64_t)b);
}

static inline uint64_t sem_divu(uint64_t a, uint64_t b)
{
	return b ? a / b : UINT64_MAX;
}

static inline uint64_t sem_rem(uint64_t a, uint64_t b)
{
	if (b == 0)
		return a;
	if (b == UINT64_MAX)
		return 0;
	return (uint64_t)((int64_t)a % (int64_t)b);
}

static inline uint64_t sem_remu(uint64_t a, uint64_t b)
{
	return b ? a % b : a;
}

/* The 64-bit quotient of 32-bit operands overflows only to 2^31, which wraps as it should. */
static inline uint64_t sem_divw(uint64_t a, uint64_t b)
{
	return sem_sext32(sem_div(sem_sext32(a), sem_sext32(b)));
}

static inline uint64_t sem_divuw(uint64_t a, uint64_t b)
{
	return sem_sext32(sem_divu((uint32_t)a, (uint32_t)b));
}

static inline uint64_t sem_remw(uint64_t a, uint64_t b)
{
	return sem_sext32(sem_rem(sem_sext32(a), sem_sext32(b)));
}

static inline uint64_t sem_remuw(uint64_t a, uint64_t b)
{
	return sem_sext32(sem_remu((uint32_t)a, (uint32_t)b));
}

static inline uint64_t sem_clz(uint64_t a)
{
	return a ? (uint64_t)__builtin_clzll(a) : 64;
}

static inline uint64_t sem_ctz(uint64_t a)
{
	return a ? (uint64_t)__builtin_ctzll(a) : 64;
}

static inline uint64_t sem_cpop(uint64_t a)
{
	return (uint64_t)__builtin_popcountll(a);
}

static inline uint64_t sem_ror(uint64_t a, uint64_t n)
{
	return a >> (n & 63) | a << (-n & 63);
}

static inline uint64_t sem_rorw(uint64_t a, uint64_t n)
{
	return sem_sext32((uint32_t)a >> (n & 31) | (uint32_t)a << (-n & 31));
}

static inline uint64_t sem_orcb(uint64_t a)
{
	const uint64_t low7 = UINT64_C(0x7f7f7f7f7f7f7f7f), top = ~low7;
	/* The top bit of each byte that is not 0. */
	uint64_t some = (((a & low7) + low7) | a) & top;

	return some | (some - (some >> 7));
}

/* Bit i of the product is the parity of a and b's bits that pair up to i. */
static inline uint64_t sem_clmul(uint64_t a, uint64_t b)
{
	uint64_t r = 0;

	for (; b; b &= b - 1)
		r ^= a << __builtin_ctzll(b);
	return r;
}

static inline uint64_t sem_clmulh(uint64_t a, uint64_t b)
{
	uint64_t r = 0;

	for (b &= ~UINT64_C(1); b; b &= b - 1)
		r ^= a >> (64 - __builtin_ctzll(b));
	return r;
}

static inline uint64_t sem_clmulr(uint64_t a, uint64_t b)
{
	uint64_t r = 0;

	for (; b; b &= b - 1)
		r ^= a >> (63 - __builtin_ctzll(b));
	return r;
}

#endif
