/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The integer layer of those operations that also have a quick path: the contract of each
 * fp_soft_X is that of fp_X in fp.h. For fp_quick.h and for the test that compares the two;
 * everyone else calls fp_X.
 */
#ifndef ENGINE_RISCV_FP_SOFT_H
#define ENGINE_RISCV_FP_SOFT_H

#include <stdint.h>

uint32_t fp_soft_add32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags);
uint64_t fp_soft_add64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags);
uint32_t fp_soft_mul32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags);
uint64_t fp_soft_mul64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags);
uint32_t fp_soft_div32(uint32_t a, uint32_t b, unsigned rm, uint8_t *flags);
uint64_t fp_soft_div64(uint64_t a, uint64_t b, unsigned rm, uint8_t *flags);
uint32_t fp_soft_sqrt32(uint32_t a, unsigned rm, uint8_t *flags);
uint64_t fp_soft_sqrt64(uint64_t a, unsigned rm, uint8_t *flags);
uint32_t fp_soft_fma32(uint32_t a, uint32_t b, uint32_t c, unsigned rm, uint8_t *flags);
uint64_t fp_soft_fma64(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint8_t *flags);

uint64_t fp_soft_f32_to_f64(uint32_t a, unsigned rm, uint8_t *flags);
uint32_t fp_soft_f64_to_f32(uint64_t a, unsigned rm, uint8_t *flags);

int32_t fp_soft_f32_to_i32(uint32_t a, unsigned rm, uint8_t *flags);
uint32_t fp_soft_f32_to_u32(uint32_t a, unsigned rm, uint8_t *flags);
int64_t fp_soft_f32_to_i64(uint32_t a, unsigned rm, uint8_t *flags);
uint64_t fp_soft_f32_to_u64(uint32_t a, unsigned rm, uint8_t *flags);
int32_t fp_soft_f64_to_i32(uint64_t a, unsigned rm, uint8_t *flags);
uint32_t fp_soft_f64_to_u32(uint64_t a, unsigned rm, uint8_t *flags);
int64_t fp_soft_f64_to_i64(uint64_t a, unsigned rm, uint8_t *flags);
uint64_t fp_soft_f64_to_u64(uint64_t a, unsigned rm, uint8_t *flags);

uint32_t fp_soft_i64_to_f32(int64_t a, unsigned rm, uint8_t *flags);
uint64_t fp_soft_i64_to_f64(int64_t a, unsigned rm, uint8_t *flags);

#endif
