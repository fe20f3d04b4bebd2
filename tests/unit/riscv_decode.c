/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder against its tables: every line of insn.def, every word of 16 bits. */
#include "tests/unit/test.h"

#include <string.h>

#include "base/bits.h"
#include "engine/riscv/insn.h"

struct line {
	const char *name;
	uint32_t match, mask;
	uint8_t format;
	uint8_t props;
};

static const struct line lines[] = {
#define INSN(name, m, k, fmt, ext, p) { #name, m, k, FMT_##fmt, p },
#include "engine/riscv/insn.def"
#undef INSN
};

static struct insn_decoder decoder;

static int setup(void **state)
{
	insn_decoder_init(&decoder);
	return 0;
}

/* xorshift: the same words in every run */
static uint32_t next_random(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

static bool reserved_rounding(const struct line *l, uint32_t word)
{
	unsigned rm = (unsigned)bits_get(word, 12, 3);

	return (l->format == FMT_R4 || l->format == FMT_RM || l->format == FMT_R1M) &&
	       (rm == 5 || rm == 6);
}

static void test_round_trip(void **state)
{
	uint32_t seed = 0x12345678;

	for (unsigned op = 0; op < ARRAY_LEN(lines); op++) {
		const struct line *l = &lines[op];

		assert_int_equal(l->match & ~l->mask, 0);
		assert_int_equal(l->match & 3, 3);
		for (unsigned i = 0; i < 500; i++) {
			uint32_t word = l->match | (next_random(&seed) & ~l->mask);
			struct insn in;

			insn_decode(&decoder, word, &in);
			if (reserved_rounding(l, word)) {
				assert_int_equal(in.op, OP_illegal);
				assert_int_equal((uint32_t)in.imm, word);
				continue;
			}
			if (word != 0x0100000f)		/* PAUSE is a FENCE */
				assert_string_equal(insn_name(in.op), l->name);
			assert_int_equal(in.size, 4);
		}
	}
}

static void test_disjoint(void **state)
{
	for (unsigned a = 0; a < ARRAY_LEN(lines); a++)
		for (unsigned b = a + 1; b < ARRAY_LEN(lines); b++) {
			uint32_t common = lines[a].mask & lines[b].mask;

			/* A hint is one word of the instruction behind it. */
			if (lines[a].mask == UINT32_MAX && common == lines[b].mask &&
			    !strcmp(lines[a].name, "pause") && !strcmp(lines[b].name, "fence"))
				continue;
			if ((lines[a].match & common) == (lines[b].match & common))
				fail_msg("%s and %s overlap", lines[a].name, lines[b].name);
		}
}

static void test_operands(void **state)
{
	static const struct {
		uint32_t word;
		const char *name;
		uint8_t rd, rs1, rs2, rs3, rm;
		int32_t imm;
	} cases[] = {
		{ 0xfff00513, "addi", 10, 0, 0, 0, 0, -1 },		/* li a0, -1 */
		{ 0x00000013, "addi", INSN_X0_SINK, 0, 0, 0, 0, 0 },	/* nop */
		{ 0xfea43c23, "sd", 32, 8, 10, 0, 0, -8 },		/* sd a0, -8(s0) */
		{ 0x800000b7, "lui", 1, 0, 0, 0, 0, INT32_MIN },
		{ 0xfe209ee3, "bne", 32, 1, 2, 0, 0, -4 },
		{ 0x800000ef, "jal", 1, 0, 0, 0, 0, -1048576 },
		{ 0x43f0d093, "srai", 1, 1, 0, 0, 0, 63 },
		{ 0x0230f1c7, "fmsub_d", 3, 1, 3, 0, 7, 0 },
		{ 0x3002b073, "csrrc", 32, 5, 0, 0, 0, 0x300 },
		{ 0xc0102573, "csrrs", 10, 0, 0, 0, 0, 0xc01 },
		{ 0x3403d073, "csrrwi", 32, 7, 0, 0, 0, 0x340 },
		{ 0x0ff0000f, "fence", 32, 0, 0, 0, 0, 0xff },
		{ 0x0100000f, "pause", 32, 0, 0, 0, 0, 0 },
		{ 0x00052007, "flw", 0, 10, 0, 0, 0, 0 },		/* f0 is a register */
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct insn in;

		insn_decode(&decoder, cases[i].word, &in);
		assert_string_equal(insn_name(in.op), cases[i].name);
		assert_int_equal(in.rd, cases[i].rd);
		assert_int_equal(in.rs1, cases[i].rs1);
		assert_int_equal(in.rs2, cases[i].rs2);
		assert_int_equal(in.rs3, cases[i].rs3);
		assert_int_equal(in.rm, cases[i].rm);
		assert_int_equal(in.imm, cases[i].imm);
	}
}

/* Compressed instructions beside what the assembler says they abbreviate. */
static void test_compressed(void **state)
{
	static const struct {
		uint16_t half;
		uint32_t word;
	} pairs[] = {
		{ 0x0001, 0x00000013 },		/* c.nop: addi x0, x0, 0 */
		{ 0x1141, 0xff010113 },		/* c.addi sp, -16 */
		{ 0x7139, 0xfc010113 },		/* c.addi16sp sp, -64 */
		{ 0x0808, 0x01010513 },		/* c.addi4spn a0, sp, 16 */
		{ 0x4501, 0x00000513 },		/* c.li a0, 0 */
		{ 0x6785, 0x000017b7 },		/* c.lui a5, 1 */
		{ 0x77fd, 0xfffff7b7 },		/* c.lui a5, 0xfffff */
		{ 0x852e, 0x00b00533 },		/* c.mv a0, a1: add a0, x0, a1 */
		{ 0x952e, 0x00b50533 },		/* c.add a0, a1 */
		{ 0x8d0d, 0x40b50533 },		/* c.sub a0, a1 */
		{ 0x9d2d, 0x00b5053b },		/* c.addw a0, a1 */
		{ 0x2505, 0x0015051b },		/* c.addiw a0, 1 */
		{ 0x0506, 0x00151513 },		/* c.slli a0, 1 */
		{ 0x957d, 0x43f55513 },		/* c.srai a0, 63 */
		{ 0x8905, 0x00157513 },		/* c.andi a0, 1 */
		{ 0x6108, 0x00053503 },		/* c.ld a0, 0(a0) */
		{ 0x4148, 0x00452503 },		/* c.lw a0, 4(a0) */
		{ 0xe188, 0x00a5b023 },		/* c.sd a0, 0(a1) */
		{ 0xc1c8, 0x00a5a223 },		/* c.sw a0, 4(a1) */
		{ 0x2108, 0x00053507 },		/* c.fld fa0, 0(a0) */
		{ 0x60a2, 0x00813083 },		/* c.ldsp ra, 8(sp) */
		{ 0xe406, 0x00113423 },		/* c.sdsp ra, 8(sp) */
		{ 0x4522, 0x00812503 },		/* c.lwsp a0, 8(sp) */
		{ 0xc42a, 0x00a12423 },		/* c.swsp a0, 8(sp) */
		{ 0xa001, 0x0000006f },		/* c.j . */
		{ 0xc101, 0x00050063 },		/* c.beqz a0, . */
		{ 0xfd7d, 0xfe051fe3 },		/* c.bnez a0, .-2 */
		{ 0x8082, 0x00008067 },		/* ret */
		{ 0x9502, 0x000500e7 },		/* c.jalr a0 */
		{ 0x9002, 0x00100073 },		/* c.ebreak */
	};

	for (unsigned i = 0; i < ARRAY_LEN(pairs); i++) {
		struct insn c, full;

		insn_decode(&decoder, pairs[i].half, &c);
		insn_decode(&decoder, pairs[i].word, &full);
		assert_int_equal(c.size, 2);
		c.size = 4;
		if (memcmp(&c, &full, sizeof(c)))
			fail_msg("%04x is not %08x but %s", pairs[i].half, pairs[i].word,
				 insn_name(c.op));
	}
}

/* "C": what is reserved decodes to nothing. */
static void test_reserved(void **state)
{
	static const uint32_t words[] = {
		0x0000,		/* all zeros */
		0x0008,		/* c.addi4spn with 0 */
		0x2001,		/* c.addiw x0 */
		0x6101,		/* c.addi16sp with 0 */
		0x6781,		/* c.lui with 0 */
		0x4002,		/* c.lwsp x0 */
		0x6002,		/* c.ldsp x0 */
		0x8002,		/* c.jr x0 */
		0x8000,		/* quadrant 0, funct3 100 */
		0x9c41,		/* quadrant 1, 100 1 11 .. 10 */
		0xffffffff,
		0x00000073 | 2u << 20,	/* uret */
		0x04005013,		/* srli with bit 26 of funct6 */
		0x0200101b,		/* slliw by 32 */
		0x1010202f,		/* lr.w with rs2 */
	};

	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		struct insn in;

		insn_decode(&decoder, words[i], &in);
		if (in.op != OP_illegal)
			fail_msg("%08x decodes as %s", words[i], insn_name(in.op));
		assert_int_equal((uint32_t)in.imm, words[i]);
	}
}

/* No halfword confuses the decoder, and what it gives fits the base instruction's format. */
static void test_all_halfwords(void **state)
{
	for (uint32_t h = 0; h < 0x10000; h++) {
		struct insn in;

		if ((h & 3) == 3)
			continue;
		insn_decode(&decoder, h | 0xabcd0000, &in);
		assert_in_range(in.op, 0, OP_illegal);
		assert_int_equal(in.size, 2);
		assert_in_range(in.rd, 0, INSN_X0_SINK);
		assert_in_range(in.rs1, 0, 31);
		assert_in_range(in.rs2, 0, 31);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_disjoint),
		cmocka_unit_test(test_operands), cmocka_unit_test(test_compressed),
		cmocka_unit_test(test_reserved), cmocka_unit_test(test_all_halfwords),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
