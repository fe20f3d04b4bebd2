/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IEEE 754-2019 binary16, binary32 and binary64 arithmetic as RISC-V has it.
 *
 * RISC-V Unprivileged ISA, chapters "F", "D" and "Zfh"; section names in comments below are
 * those of "F", which the other two repeat for their widths. Every function works on raw bits:
 * the interchange encoding of its format, not NaN-boxed (boxing belongs to the register file).
 *
 * All of them, unless their comment says otherwise:
 *  - round as `rm` says, an enum fp_rm; the reserved encodings 5 and 6 and the dynamic mode
 *    7 are the caller's to resolve and must not come here;
 *  - OR the exceptions they raise into *flags (enum fp_flag, laid out as fcsr.fflags) and
 *    clear none; underflow is detected after rounding and raised only with inexact;
 *  - return the canonical NaN (positive, quiet, payload zero) whenever the result is a NaN,
 *    and raise NV when an operand is a signalling NaN;
 *  - are pure but for *flags: any thread may call them, they never fail.
 *
 * There are two layers. The soft layer (fp_soft.h) does everything in integers, once for
 * the three formats. The quick layer (fp_quick.h, inline) uses the host's FPU where the
 * result and all five flags are provably the same and calls the soft layer elsewhere; which
 * layer answers is never visible. Callers use the names in this file only.
 */
#ifndef ENGINE_RISCV_FP_H
#define ENGINE_RISCV_FP_H

#include <stdbool.h>
#include <stdint.h>

/* "Floating-Point Control and Status Register": rm of an instruction, and fcsr.frm. */
enum fp_rm {
	FP_RNE, /* to nearest, ties to even */
	FP_RTZ, /* towards zero */
	FP_RDN, /* down, towards minus infinity */
	FP_RUP, /* up, towards plus infinity */
	FP_RMM, /* to nearest, ties away from zero */
};

/* Same section: accrued exceptions, fcsr.fflags. */
enum fp_flag {
	FP_NX = 1 << 0, /* inexact */
	FP_UF = 1 << 1, /* underflow */
	FP_OF = 1 << 2, /* overflow */
	FP_DZ = 1 << 3, /* division by zero */
	FP_NV = 1 << 4, /* invalid operation */
};

/* "NaN Generation and Propagation": the canonical NaNs. */
#define FP_NAN16 UINT16_C(0x7e00)
#define FP_NAN32 UINT32_C(0x7fc00000)
#define FP_NAN64 UINT64_C(0x7ff8000000000000)

/* a + b. Opposite infinities are invalid; x + -x is +0, but -0 under FP_RDN. */
uint16_t fp_add16(uint16_t a, uint16_t b, unsigned rm, uint8_t *flags);
static inline uint32_t fp_add32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags);
static inline uint64_t fp_add64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags);

/* a - b, that is a + -b. */
static inline uint16_t fp_sub16(uint16_t a, uint16_t b, unsigned rm, uint8_t *flags);
static inline uint32_t fp_sub32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags);
static inline uint64_t fp_sub64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags);

/* a * b. Zero times infinity is invalid. */
uint16_t fp_mul16(uint16_t a, uint16_t b, unsigned rm, uint8_t *flags);
static inline uint32_t fp_mul32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags);
static inline uint64_t fp_mul64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags);

/* a / b. 0/0 and inf/inf are invalid; a finite number but zero over zero raises DZ. */
uint16_t fp_div16(uint16_t a, uint16_t b, unsigned rm, uint8_t *flags);
static inline uint32_t fp_div32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags);
static inline uint64_t fp_div64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags);

/* The square root. Below zero it is invalid; that of -0 is -0. */
uint16_t fp_sqrt16(uint16_t a, unsigned rm, uint8_t *flags);
static inline uint32_t fp_sqrt32(uint32_t a, unsigned rm, uint8_t *flags);
static inline uint64_t fp_sqrt64(uint64_t a, unsigned rm, uint8_t *flags);

/*
 * a * b + c, rounded once. FMSUB, FNMSUB and FNMADD are this with the
 * sign bits of c, of a, or of both flipped by the caller. Zero times infinity raises NV even
 * when c is a quiet NaN.
 */
uint16_t fp_fma16(uint16_t a, uint16_t b, uint16_t c, unsigned rm, uint8_t *flags);
static inline uint32_t fp_fma32(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint8_t *flags);
static inline uint64_t fp_fma64(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint8_t *flags);

/*
 * IEEE 754-2019 minimumNumber and maximumNumber (as from "F" version 2.2): -0 is less than +0, one
 * NaN operand gives the other operand, two give the canonical NaN; only signalling NaNs raise NV.
 */
static inline uint16_t fp_min16(uint16_t a, uint16_t b, uint8_t *flags);
static inline uint32_t fp_min32(uint32_t a, uint32_t b, uint8_t *flags);
static inline uint64_t fp_min64(uint64_t a, uint64_t b, uint8_t *flags);
static inline uint16_t fp_max16(uint16_t a, uint16_t b, uint8_t *flags);
static inline uint32_t fp_max32(uint32_t a, uint32_t b, uint8_t *flags);
static inline uint64_t fp_max64(uint64_t a, uint64_t b, uint8_t *flags);

/* a == b: false for a NaN; quiet, so only a signalling NaN raises NV. */
static inline bool fp_eq16(uint16_t a, uint16_t b, uint8_t *flags);
static inline bool fp_eq32(uint32_t a, uint32_t b, uint8_t *flags);
static inline bool fp_eq64(uint64_t a, uint64_t b, uint8_t *flags);

/* a < b and a <= b: false for a NaN; signalling, so any NaN raises NV. */
static inline bool fp_lt16(uint16_t a, uint16_t b, uint8_t *flags);
static inline bool fp_lt32(uint32_t a, uint32_t b, uint8_t *flags);
static inline bool fp_lt64(uint64_t a, uint64_t b, uint8_t *flags);
static inline bool fp_le16(uint16_t a, uint16_t b, uint8_t *flags);
static inline bool fp_le32(uint32_t a, uint32_t b, uint8_t *flags);
static inline bool fp_le64(uint64_t a, uint64_t b, uint8_t *flags);

/* "Floating-Point Classify Instruction": exactly one of ten bits set; raises nothing. */
static inline unsigned fp_class16(uint16_t a);
static inline unsigned fp_class32(uint32_t a);
static inline unsigned fp_class64(uint64_t a);

/* Between formats. Widening is exact whatever rm is. */
uint32_t fp_f16_to_f32(uint16_t a, unsigned rm, uint8_t *flags);
uint64_t fp_f16_to_f64(uint16_t a, unsigned rm, uint8_t *flags);
uint16_t fp_f32_to_f16(uint32_t a, unsigned rm, uint8_t *flags);
uint16_t fp_f64_to_f16(uint64_t a, unsigned rm, uint8_t *flags);
static inline uint64_t fp_f32_to_f64(uint32_t a, unsigned rm, uint8_t *flags);
static inline uint32_t fp_f64_to_f32(uint64_t a, unsigned rm, uint8_t *flags);

/*
 * To an integer ("Conversion and Move Instructions", domains of conversions). When the rounded
 * value does not fit, the nearest integer that does, with NV and without NX; a NaN gives the
 * greatest. The result of fp_*_to_u32 is the plain number: FCVT.WU sign-extends it in the register.
 */
int32_t fp_f16_to_i32(uint16_t a, unsigned rm, uint8_t *flags);
uint32_t fp_f16_to_u32(uint16_t a, unsigned rm, uint8_t *flags);
int64_t fp_f16_to_i64(uint16_t a, unsigned rm, uint8_t *flags);
uint64_t fp_f16_to_u64(uint16_t a, unsigned rm, uint8_t *flags);
static inline int32_t fp_f32_to_i32(uint32_t a, unsigned rm, uint8_t *flags);
static inline uint32_t fp_f32_to_u32(uint32_t a, unsigned rm, uint8_t *flags);
static inline int64_t fp_f32_to_i64(uint32_t a, unsigned rm, uint8_t *flags);
static inline uint64_t fp_f32_to_u64(uint32_t a, unsigned rm, uint8_t *flags);
static inline int32_t fp_f64_to_i32(uint64_t a, unsigned rm, uint8_t *flags);
static inline uint32_t fp_f64_to_u32(uint64_t a, unsigned rm, uint8_t *flags);
static inline int64_t fp_f64_to_i64(uint64_t a, unsigned rm, uint8_t *flags);
static inline uint64_t fp_f64_to_u64(uint64_t a, unsigned rm, uint8_t *flags);

/* From an integer. Zero gives +0. Out of binary16's range they overflow. */
uint16_t fp_i32_to_f16(int32_t a, unsigned rm, uint8_t *flags);
uint16_t fp_u32_to_f16(uint32_t a, unsigned rm, uint8_t *flags);
uint16_t fp_i64_to_f16(int64_t a, unsigned rm, uint8_t *flags);
uint16_t fp_u64_to_f16(uint64_t a, unsigned rm, uint8_t *flags);
static inline uint32_t fp_i32_to_f32(int32_t a, unsigned rm, uint8_t *flags);
static inline uint32_t fp_u32_to_f32(uint32_t a, unsigned rm, uint8_t *flags);
static inline uint32_t fp_i64_to_f32(int64_t a, unsigned rm, uint8_t *flags);
uint32_t fp_u64_to_f32(uint64_t a, unsigned rm, uint8_t *flags);
static inline uint64_t fp_i32_to_f64(int32_t a, unsigned rm, uint8_t *flags);
static inline uint64_t fp_u32_to_f64(uint32_t a, unsigned rm, uint8_t *flags);
static inline uint64_t fp_i64_to_f64(int64_t a, unsigned rm, uint8_t *flags);
uint64_t fp_u64_to_f64(uint64_t a, unsigned rm, uint8_t *flags);

#include "engine/riscv/fp_cmp.h"
#include "engine/riscv/fp_quick.h"

#endif
