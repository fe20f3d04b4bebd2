/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floating point against the reference in fp_ref.c, all formats, modes and flags; and its quick
 * paths against its integer layer. riscv_fp_host.c has the host's FPU as a second judge.
 */
#include "tests/unit/test.h"

#include "base/bits.h"
#include "engine/riscv/fp.h"
#include "tests/unit/fp_case.h"

/* All that the interpreter may find in fflags; what is there already must stay. */
static const uint8_t before[] = {0, FP_NX, FP_NX | FP_UF | FP_OF | FP_DZ | FP_NV, FP_NV | FP_DZ};

static struct ref_result run(fp_call *call, const uint64_t v[3], unsigned rm, uint8_t flags)
{
	struct ref_result r = {0, flags};

	r.bits = call(v, rm, &r.flags);
	return r;
}

static void check_all_modes(const struct fp_case *c, const uint64_t v[3])
{
	struct ref_result want[REF_MODES], sticky;
	unsigned rm, i;

	ref_compute(c->op, c->from, c->to, v, want);
	for (rm = 0; rm < REF_MODES; rm++) {
		for (i = 0; i < ARRAY_LEN(before); i++) {
			sticky = want[rm];
			sticky.flags |= before[i];
			fp_case_check(c, "the reference", v, rm, run(c->call, v, rm, before[i]),
				      sticky);
			if (c->soft)
				fp_case_check(c, "the reference (soft)", v, rm,
					      run(c->soft, v, rm, before[i]), sticky);
		}
	}
}

static void random_operands(void **state)
{
	struct fp_rand r = fp_rand_start();
	unsigned i, n, count;
	uint64_t v[3];

	for (i = 0; i < fp_case_count; i++) {
		/* The host is no judge of binary16, and the reference quicker. */
		count = fp_cases[i].from == REF_F16 ? 120000 : 30000;
		for (n = 0; n < count; n++) {
			fp_rand_operands(&r, &fp_cases[i], v);
			check_all_modes(&fp_cases[i], v);
		}
	}
}

/* Every encoding of binary16 through everything that takes one operand. */
static void binary16_exhaustive(void **state)
{
	uint64_t v[3] = {0};
	unsigned i;

	for (i = 0; i < fp_case_count; i++) {
		if (fp_cases[i].from != REF_F16 || fp_case_arity(&fp_cases[i]) != 1)
			continue;
		for (v[0] = 0; v[0] <= UINT16_MAX; v[0]++)
			check_all_modes(&fp_cases[i], v);
	}
}

/* Encodings where something changes, of any type. */
static unsigned corners(enum ref_type t, uint64_t *out)
{
	unsigned width = ref_width(t), n = 0, i, s;
	unsigned frac = t == REF_F16 ? 10 : t == REF_F32 ? 23 : 52;
	uint64_t top = BIT(width - 1 - frac) - 1, one = top >> 1;
	uint64_t base[] = {0,
			   1,
			   2,
			   BIT(frac - 1),
			   BIT(frac) - 1,
			   BIT(frac),
			   BIT(frac) + 1,
			   UINT64_C(2) << frac,
			   (one - 1) << frac,
			   (one << frac) - 1,
			   one << frac,
			   (one << frac) + 1,
			   (one << frac) + BIT(frac - 1),
			   (one + 1) << frac,
			   (top << frac) - 1,
			   top << frac,
			   (top << frac) + 1,
			   (top << frac) + BIT(frac - 1),
			   (top << frac) + BIT(frac) - 1};

	for (i = 0; i < ARRAY_LEN(base); i++)
		for (s = 0; s < 2; s++)
			out[n++] = base[i] | (uint64_t)s << (width - 1);
	return n;
}

static void corner_operands(void **state)
{
	uint64_t at[64], v[3] = {0};
	unsigned i, n, x, y, z;

	for (i = 0; i < fp_case_count; i++) {
		const struct fp_case *c = &fp_cases[i];
		unsigned arity = fp_case_arity(c);

		if (c->from >= REF_I32)
			continue;
		n = corners(c->from, at);
		for (x = 0; x < n; x++) {
			for (y = 0; y < (arity > 1 ? n : 1); y++) {
				for (z = 0; z < (arity > 2 ? n : 1); z += 1 + (x + y) % 4) {
					v[0] = at[x];
					v[1] = at[y];
					v[2] = at[z];
					check_all_modes(c, v);
				}
			}
		}
	}
}

/* d as an operand of type t; what it cannot hold is rounded. */
static uint64_t operand(enum ref_type t, double d)
{
	uint8_t ignored = 0;

	if (t == REF_F16)
		return fp_f64_to_f16(fp_bits64(d), FP_RNE, &ignored);
	return t == REF_F32 ? fp_bits32((float)d) : fp_bits64(d);
}

/*
 * Each power of two that an integer conversion may stop at: as a float to all integers, with
 * quarters and neighbouring encodings around it, and as an integer to all floats.
 */
static void integer_boundaries(void **state)
{
	uint64_t v[3] = {0};
	unsigned i, bit;
	int quarter, near;

	for (i = 0; i < fp_case_count; i++) {
		const struct fp_case *c = &fp_cases[i];

		if (c->op != REF_CONVERT)
			continue;
		for (bit = 0; bit <= 64; bit++) {
			for (near = -3; near <= 3 && c->from >= REF_I32; near++) {
				v[0] = (bit < 64 ? BIT(bit) : 0) + (uint64_t)near;
				v[0] = bits_get(v[0], 0, ref_width(c->from));
				check_all_modes(c, v);
			}
			for (quarter = -9; quarter <= 9 && c->from < REF_I32; quarter++) {
				double d = ldexp(1, (int)bit) + quarter / 4.0;

				for (near = -1; near <= 1; near++) {
					v[0] = operand(c->from, d) + (uint64_t)near;
					v[0] = bits_get(v[0], 0, ref_width(c->from));
					check_all_modes(c, v);
					v[0] ^= BIT(ref_width(c->from) - 1);
					check_all_modes(c, v);
				}
			}
		}
	}
}

/* The quick paths against the integer layer alone, which is cheap, so on many more operands. */
static void quick_is_soft(void **state)
{
	struct fp_rand r = fp_rand_start();
	unsigned i, n, rm;
	uint64_t v[3];
	uint8_t flags;

	for (i = 0; i < fp_case_count; i++) {
		const struct fp_case *c = &fp_cases[i];

		for (n = 0; n < 300000 && c->soft; n++) {
			/* Mostly the mode that the quick paths are for. */
			rm = n % 8 < REF_MODES ? n % 8 : FP_RNE;
			flags = before[n / 8 % ARRAY_LEN(before)];
			fp_rand_operands(&r, c, v);
			fp_case_check(c, "the integer layer", v, rm, run(c->call, v, rm, flags),
				      run(c->soft, v, rm, flags));
		}
	}
}

/* Worked by hand from the text of the specification, with no oracle in between. */
static const struct {
	const char *name;
	uint64_t v[3];
	unsigned rm;
	struct ref_result want;
} book[] = {
	{"class64", {0xfff0000000000000}, 0, {1 << 0, 0}},
	{"class64", {0xbff0000000000000}, 0, {1 << 1, 0}},
	{"class32", {0x80000001}, 0, {1 << 2, 0}},
	{"class16", {0x8000}, 0, {1 << 3, 0}},
	{"class64", {0}, 0, {1 << 4, 0}},
	{"class32", {0x007fffff}, 0, {1 << 5, 0}},
	{"class32", {0x00800000}, 0, {1 << 6, 0}},
	{"class16", {0x7c00}, 0, {1 << 7, 0}},
	{"class64", {0x7ff0000000000001}, 0, {1 << 8, 0}},
	{"class64", {0xfff8000000000000}, 0, {1 << 9, 0}},
	/* NaN boxing aside, any NaN result is the canonical one. */
	{"add32", {0xffc12345, 0x3f800000}, FP_RNE, {0x7fc00000, 0}},
	{"add32", {0xff812345, 0x3f800000}, FP_RNE, {0x7fc00000, FP_NV}},
	{"sub64", {0x7ff0000000000000, 0x7ff0000000000000}, FP_RNE, {0x7ff8000000000000, FP_NV}},
	{"sub64", {0x3ff0000000000000, 0x3ff0000000000000}, FP_RDN, {0x8000000000000000, 0}},
	/* 1 / 0, 0 / 0, and one third in each direction */
	{"div32", {0xbf800000, 0}, FP_RNE, {0xff800000, FP_DZ}},
	{"div32", {0, 0x80000000}, FP_RNE, {0x7fc00000, FP_NV}},
	{"div32", {0x3f800000, 0x40400000}, FP_RNE, {0x3eaaaaab, FP_NX}},
	{"div32", {0x3f800000, 0x40400000}, FP_RTZ, {0x3eaaaaaa, FP_NX}},
	{"sqrt64", {0x8000000000000000}, FP_RNE, {0x8000000000000000, 0}},
	{"sqrt64", {0xc010000000000000}, FP_RNE, {0x7ff8000000000000, FP_NV}},
	/* ties: 1 + 2^-53 and 1 + 3 * 2^-53 */
	{"add64", {0x3ff0000000000000, 0x3ca0000000000000}, FP_RNE, {0x3ff0000000000000, FP_NX}},
	{"add64", {0x3ff0000000000000, 0x3ca0000000000000}, FP_RMM, {0x3ff0000000000001, FP_NX}},
	{"add64", {0x3ff0000000000001, 0x3ca0000000000000}, FP_RNE, {0x3ff0000000000002, FP_NX}},
	/* Overflow goes to infinity or stays, as the direction says. */
	{"mul32", {0x7f7fffff, 0xc0000000}, FP_RTZ, {0xff7fffff, FP_OF | FP_NX}},
	{"mul32", {0x7f7fffff, 0xc0000000}, FP_RDN, {0xff800000, FP_OF | FP_NX}},
	{"mul32", {0x7f7fffff, 0xc0000000}, FP_RMM, {0xff800000, FP_OF | FP_NX}},
	/*
	 * Tininess after rounding: (1 - 2^-24) * 2^-126 is a tie that becomes the least
	 * normal number. With 24 bits of its own it would not, so it underflows; (1 - 2^-25)
	 * would.
	 */
	{"mul32", {0x3f7fffff, 0x00800000}, FP_RNE, {0x00800000, FP_UF | FP_NX}},
	{"f64_to_f32", {0x380fffffe0000000}, FP_RNE, {0x00800000, FP_UF | FP_NX}},
	{"f64_to_f32", {0x380ffffff0000000}, FP_RNE, {0x00800000, FP_NX}},
	{"mul32", {0x00000001, 0x3f000000}, FP_RUP, {0x00000001, FP_UF | FP_NX}},
	/* An exact subnormal is no underflow. */
	{"mul32", {0x00800000, 0x3f000000}, FP_RNE, {0x00400000, 0}},
	{"fma64", {0x7ff0000000000000, 0, 0x7ff8000000000000}, FP_RNE, {0x7ff8000000000000, FP_NV}},
	{"fma64", {0x7ff8000000000000, 0, 0x7ff8000000000000}, FP_RNE, {0x7ff8000000000000, 0}},
	/* (1 + 2^-52) * (1 - 2^-52) - 1 = -2^-104, which two roundings would lose */
	{"fma64",
	 {0x3ff0000000000001, 0x3feffffffffffffe, 0xbff0000000000000},
	 FP_RNE,
	 {0xb970000000000000, 0}},
	{"min32", {0x80000000, 0}, 0, {0x80000000, 0}},
	{"max32", {0x80000000, 0}, 0, {0, 0}},
	{"min32", {0x7fc00000, 0x3f800000}, 0, {0x3f800000, 0}},
	{"max32", {0x3f800000, 0x7f800001}, 0, {0x3f800000, FP_NV}},
	{"min64", {0xfff8000000000001, 0x7ffc000000000000}, 0, {0x7ff8000000000000, 0}},
	{"eq64", {0x8000000000000000, 0}, 0, {1, 0}},
	{"eq32", {0x7fc00000, 0x7fc00000}, 0, {0, 0}},
	{"eq32", {0x7f800001, 0x7fc00000}, 0, {0, FP_NV}},
	{"lt32", {0x7fc00000, 0x3f800000}, 0, {0, FP_NV}},
	{"le16", {0xbc00, 0xbc00}, 0, {1, 0}},
	/* Out of range: the nearest, NV, and no NX. -0.5 rounds to 0 or out of range. */
	{"f32_to_i32", {0x7fc00000}, FP_RTZ, {0x7fffffff, FP_NV}},
	{"f32_to_u64", {0xff800000}, FP_RTZ, {0, FP_NV}},
	{"f64_to_i32", {0x41dfffffffe00000}, FP_RTZ, {0x7fffffff, FP_NX}},
	{"f64_to_i32", {0x41dfffffffe00000}, FP_RNE, {0x7fffffff, FP_NV}},
	{"f64_to_i32", {0xc1e0000000000000}, FP_RNE, {0x80000000, 0}},
	{"f64_to_i64", {0x43e0000000000000}, FP_RNE, {0x7fffffffffffffff, FP_NV}},
	{"f64_to_u32", {0xbfe0000000000000}, FP_RTZ, {0, FP_NX}},
	{"f64_to_u32", {0xbfe0000000000000}, FP_RDN, {0, FP_NV}},
	{"f64_to_u32", {0xbfe0000000000000}, FP_RMM, {0, FP_NV}},
	{"f64_to_u32", {0xbff0000000000000}, FP_RTZ, {0, FP_NV}},
	{"i64_to_f64", {0x7fffffffffffffff}, FP_RNE, {0x43e0000000000000, FP_NX}},
	{"u64_to_f32", {0xffffffffffffffff}, FP_RTZ, {0x5f7fffff, FP_NX}},
	{"u32_to_f16", {65520}, FP_RNE, {0x7c00, FP_OF | FP_NX}},
	{"u32_to_f16", {65519}, FP_RNE, {0x7bff, FP_NX}},
	{"i32_to_f64", {0x80000000}, FP_RNE, {0xc1e0000000000000, 0}},
};

static void by_the_book(void **state)
{
	unsigned i, n;

	for (i = 0; i < ARRAY_LEN(book); i++) {
		const struct fp_case *c = NULL;

		for (n = 0; n < fp_case_count; n++)
			if (!strcmp(fp_cases[n].name, book[i].name))
				c = &fp_cases[n];
		assert_non_null(c);
		fp_case_check(c, "the book", book[i].v, book[i].rm,
			      run(c->call, book[i].v, book[i].rm, 0), book[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_the_book),	   cmocka_unit_test(binary16_exhaustive),
		cmocka_unit_test(corner_operands), cmocka_unit_test(integer_boundaries),
		cmocka_unit_test(random_operands), cmocka_unit_test(quick_is_soft),
	};

	return cmocka_run_group_tests_name("riscv_fp", tests, NULL, NULL);
}
