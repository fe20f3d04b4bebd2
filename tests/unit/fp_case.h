/* SPDX-License-Identifier: Apache-2.0 */
/* What the two floating-point test programs share: the operations as a table, and operands. */
#ifndef TESTS_UNIT_FP_CASE_H
#define TESTS_UNIT_FP_CASE_H

#include "tests/unit/fp_ref.h"

typedef uint64_t fp_call(const uint64_t v[3], unsigned rm, uint8_t *flags);

struct fp_case {
	const char *name;
	enum ref_op op;
	enum ref_type from, to;
	fp_call *call; /* as the interpreter calls it */
	fp_call *soft; /* its integer layer, where there are two; otherwise NULL */
};

extern const struct fp_case fp_cases[];
extern const unsigned fp_case_count;

/* Operands of an operation: 1, 2 or 3. */
unsigned fp_case_arity(const struct fp_case *c);

/* A generator's whole state; any value will do. */
struct fp_rand {
	uint64_t state;
};

/* Seeded from FP_SEED in the environment or by a constant; says so on standard error. */
struct fp_rand fp_rand_start(void);

uint64_t fp_rand_next(struct fp_rand *r);

/* Operands for c: every encoding can come, those where something changes come often. */
void fp_rand_operands(struct fp_rand *r, const struct fp_case *c, uint64_t v[3]);

/* The test fails with c, its operands and both results unless they are the same. */
void fp_case_check(const struct fp_case *c, const char *against, const uint64_t v[3], unsigned rm,
		   struct ref_result got, struct ref_result want);

#endif
