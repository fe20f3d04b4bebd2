/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reference for the floating-point tests: slow, and sharing no idea with the code under test.
 *
 * It never rounds a significand. The exact result is held as a fixed-point number of
 * 4608 bits (sums and products) or as an inequality (quotients: a <=> x * b; roots: a <=> x * x),
 * the two representable neighbours are found by binary search over the encodings, whose
 * order is that of the numbers, and the rounding mode chooses between them by
 * the definition in IEEE 754-2019 clause 4.3.
 */
#ifndef TESTS_UNIT_FP_REF_H
#define TESTS_UNIT_FP_REF_H

#include <stdbool.h>
#include <stdint.h>

enum ref_type { REF_F16, REF_F32, REF_F64, REF_I32, REF_U32, REF_I64, REF_U64 };

enum ref_op {
	REF_ADD,
	REF_SUB,
	REF_MUL,
	REF_DIV,
	REF_SQRT,
	REF_FMA,
	REF_MIN,
	REF_MAX,
	REF_EQ,
	REF_LT,
	REF_LE,
	REF_CLASS,
	REF_CONVERT,
};

enum { REF_MODES = 5 };

struct ref_result {
	uint64_t bits; /* zero-extended */
	uint8_t flags; /* those raised */
};

/* Size of a type in bits. */
unsigned ref_width(enum ref_type type);

/*
 * op on the operands v, which are of type `from`, with the result of type `to` (for operations
 * that give a number and are not REF_CONVERT the same; not used for the others): out[rm] for
 * each rounding mode as RISC-V encodes it. Any thread.
 */
void ref_compute(enum ref_op op, enum ref_type from, enum ref_type to, const uint64_t v[3],
		 struct ref_result out[REF_MODES]);

#endif
