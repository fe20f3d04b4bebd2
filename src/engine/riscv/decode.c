/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/riscv/insn.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/bits.h"

struct pattern {
	uint32_t match, mask;
	uint8_t format;
	uint8_t props;
};

static const struct pattern patterns[] = {
#define INSN(name, m, k, fmt, ext, p) \
	[OP_##name] = { .match = (m), .mask = (k), .format = FMT_##fmt, .props = (p) },
#include "engine/riscv/insn.def"
#undef INSN
};

_Static_assert(ARRAY_LEN(patterns) == OP_illegal, "one line an instruction");

static const char *const names[OP_COUNT] = {
#define INSN(name, m, k, fmt, ext, p) [OP_##name] = #name,
#include "engine/riscv/insn.def"
#undef INSN
	[OP_illegal] = "illegal",
	[OP_block_end] = "block_end",
};

struct cpattern {
	uint16_t match, mask;
	uint16_t base;
	uint8_t format;
};

static const struct cpattern cpatterns[] = {
#define RVC(name, m, k, fmt, op) \
	{ .match = (m), .mask = (k), .base = OP_##op, .format = CFMT_##fmt },
#include "engine/riscv/rvc.def"
#undef RVC
};

const char *insn_name(unsigned op)
{
	return op < OP_COUNT ? names[op] : "?";
}

unsigned insn_props(unsigned op)
{
	return op < OP_illegal ? patterns[op].props : 0;
}

/* ---- the index ------------------------------------------------------------------------ */

/* opcode[6:2] and funct3 */
static unsigned bucket_of(uint32_t word)
{
	return (unsigned)(bits_get(word, 2, 5) << 3 | bits_get(word, 12, 3));
}

static unsigned cbucket_of(uint32_t h)
{
	return (unsigned)(bits_get(h, 0, 2) << 3 | bits_get(h, 13, 3));
}

void insn_decoder_init(struct insn_decoder *d)
{
	const uint32_t opcode = 0x7f, funct3 = 0x7000;
	unsigned n = 0, c = 0;

	for (unsigned b = 0; b < 256; b++) {
		uint32_t word = (b >> 3) << 2 | (b & 7) << 12 | 3;

		d->first[b] = (uint16_t)n;
		for (unsigned op = 0; op < ARRAY_LEN(patterns); op++) {
			uint32_t mask = patterns[op].mask & (opcode | funct3);

			if ((word & mask) != (patterns[op].match & mask))
				continue;
			assert(n < ARRAY_LEN(d->list));
			d->list[n++] = (uint16_t)op;
		}
	}
	d->first[256] = (uint16_t)n;
	for (unsigned b = 0; b < 32; b++) {
		d->cfirst[b] = (uint8_t)c;
		for (unsigned i = 0; i < ARRAY_LEN(cpatterns); i++) {
			if (cbucket_of(cpatterns[i].match) != b)
				continue;
			assert(c < ARRAY_LEN(d->clist));
			d->clist[c++] = (uint8_t)i;
		}
	}
	d->cfirst[32] = (uint8_t)c;
}

/* ---- 32-bit instructions -------------------------------------------------------------- */

static int32_t imm_s(uint32_t w)
{
	return (int32_t)bits_sext(bits_get(w, 25, 7) << 5 | bits_get(w, 7, 5), 12);
}

static int32_t imm_b(uint32_t w)
{
	return (int32_t)bits_sext(bits_get(w, 31, 1) << 12 | bits_get(w, 7, 1) << 11 |
				  bits_get(w, 25, 6) << 5 | bits_get(w, 8, 4) << 1, 13);
}

static int32_t imm_j(uint32_t w)
{
	return (int32_t)bits_sext(bits_get(w, 31, 1) << 20 | bits_get(w, 12, 8) << 12 |
				  bits_get(w, 20, 1) << 11 | bits_get(w, 21, 10) << 1, 21);
}

/* Takes the operands of format out of w; false when they are reserved. */
static bool operands(unsigned format, uint32_t w, struct insn *out)
{
	uint8_t rd = (uint8_t)bits_get(w, 7, 5), rs1 = (uint8_t)bits_get(w, 15, 5);
	uint8_t rs2 = (uint8_t)bits_get(w, 20, 5), rm = (uint8_t)bits_get(w, 12, 3);

	if (format != FMT_NONE && format != FMT_S && format != FMT_B && format != FMT_FENCE &&
	    format != FMT_CBO)
		out->rd = rd;
	if (format != FMT_NONE && format != FMT_U && format != FMT_J && format != FMT_FENCE)
		out->rs1 = rs1;
	switch (format) {
	case FMT_R4:
		out->rs3 = (uint8_t)bits_get(w, 27, 5);
		__attribute__((fallthrough));
	case FMT_RM:
		out->rs2 = rs2;
		__attribute__((fallthrough));
	case FMT_R1M:
		out->rm = rm;
		return rm != 5 && rm != 6;
	case FMT_R:
		out->rs2 = rs2;
		return true;
	case FMT_S:
		out->rs2 = rs2;
		out->imm = imm_s(w);
		return true;
	case FMT_B:
		out->rs2 = rs2;
		out->imm = imm_b(w);
		return true;
	case FMT_I:
		out->imm = (int32_t)w >> 20;
		return true;
	case FMT_U:
		out->imm = (int32_t)(w & 0xfffff000);
		return true;
	case FMT_J:
		out->imm = imm_j(w);
		return true;
	case FMT_SH5:
		out->imm = rs2;
		return true;
	case FMT_SH6:
		out->imm = (int32_t)bits_get(w, 20, 6);
		return true;
	case FMT_CSR:
	case FMT_CSRI:
	case FMT_FENCE:
		out->imm = (int32_t)bits_get(w, 20, 12);
		return true;
	default:
		return true;
	}
}

static bool decode_word(const struct insn_decoder *d, uint32_t w, struct insn *out)
{
	unsigned b = bucket_of(w);

	for (unsigned i = d->first[b]; i < d->first[b + 1]; i++) {
		const struct pattern *p = &patterns[d->list[i]];

		if ((w & p->mask) == p->match) {
			out->op = d->list[i];
			return operands(p->format, w, out);
		}
	}
	return false;
}

/* ---- compressed instructions ---------------------------------------------------------- */

/* The six-bit immediate of CI, sign-extended or as a shift amount. */
static int32_t cimm6(uint32_t h)
{
	return (int32_t)bits_sext(bits_get(h, 12, 1) << 5 | bits_get(h, 2, 5), 6);
}

static int32_t cshamt(uint32_t h)
{
	return (int32_t)(bits_get(h, 12, 1) << 5 | bits_get(h, 2, 5));
}

static int32_t cimm_word(uint32_t h)
{
	return (int32_t)(bits_get(h, 5, 1) << 6 | bits_get(h, 10, 3) << 3 | bits_get(h, 6, 1) << 2);
}

static int32_t cimm_double(uint32_t h)
{
	return (int32_t)(bits_get(h, 5, 2) << 6 | bits_get(h, 10, 3) << 3);
}

static int32_t cimm_branch(uint32_t h)
{
	return (int32_t)bits_sext(bits_get(h, 12, 1) << 8 | bits_get(h, 5, 2) << 6 |
				  bits_get(h, 2, 1) << 5 | bits_get(h, 10, 2) << 3 |
				  bits_get(h, 3, 2) << 1, 9);
}

static int32_t cimm_jump(uint32_t h)
{
	return (int32_t)bits_sext(bits_get(h, 12, 1) << 11 | bits_get(h, 8, 1) << 10 |
				  bits_get(h, 9, 2) << 8 | bits_get(h, 6, 1) << 7 |
				  bits_get(h, 7, 1) << 6 | bits_get(h, 2, 1) << 5 |
				  bits_get(h, 11, 1) << 4 | bits_get(h, 3, 3) << 1, 12);
}

/* Loads, stores and x2-relative forms. */
static bool coperands_mem(unsigned format, uint32_t h, struct insn *out)
{
	uint8_t rd = (uint8_t)bits_get(h, 7, 5), rs2 = (uint8_t)bits_get(h, 2, 5);
	uint8_t rd_p = (uint8_t)(bits_get(h, 2, 3) + 8), rs1_p = (uint8_t)(bits_get(h, 7, 3) + 8);

	out->rs1 = 2;
	switch (format) {
	case CFMT_CIW:
		out->rd = rd_p;
		out->imm = (int32_t)(bits_get(h, 7, 4) << 6 | bits_get(h, 11, 2) << 4 |
				     bits_get(h, 5, 1) << 3 | bits_get(h, 6, 1) << 2);
		return out->imm != 0;
	case CFMT_CL4:
	case CFMT_CL8:
		out->rd = rd_p;
		out->rs1 = rs1_p;
		out->imm = format == CFMT_CL4 ? cimm_word(h) : cimm_double(h);
		return true;
	case CFMT_CS4:
	case CFMT_CS8:
		out->rs2 = rd_p;
		out->rs1 = rs1_p;
		out->imm = format == CFMT_CS4 ? cimm_word(h) : cimm_double(h);
		return true;
	case CFMT_CLSP4_RD:
		out->rd = rd;
		out->imm = (int32_t)(bits_get(h, 2, 2) << 6 | bits_get(h, 12, 1) << 5 |
				     bits_get(h, 4, 3) << 2);
		return rd != 0;
	case CFMT_CLSP8:
	case CFMT_CLSP8_RD:
		out->rd = rd;
		out->imm = (int32_t)(bits_get(h, 2, 3) << 6 | bits_get(h, 12, 1) << 5 |
				     bits_get(h, 5, 2) << 3);
		return format == CFMT_CLSP8 || rd != 0;
	case CFMT_CSSP4:
		out->rs2 = rs2;
		out->imm = (int32_t)(bits_get(h, 7, 2) << 6 | bits_get(h, 9, 4) << 2);
		return true;
	default: /* CFMT_CSSP8 */
		out->rs2 = rs2;
		out->imm = (int32_t)(bits_get(h, 7, 3) << 6 | bits_get(h, 10, 3) << 3);
		return true;
	}
}

/* Takes the operands of format out of h; false when its conditions do not hold. */
static bool coperands(unsigned format, uint32_t h, struct insn *out)
{
	uint8_t rd = (uint8_t)bits_get(h, 7, 5), rs2 = (uint8_t)bits_get(h, 2, 5);
	uint8_t rd_p = (uint8_t)(bits_get(h, 7, 3) + 8);

	switch (format) {
	case CFMT_CNONE:
		return true;
	case CFMT_CI:
	case CFMT_CI_RD:
	case CFMT_CI_SH:
		out->rd = out->rs1 = rd;
		out->imm = format == CFMT_CI_SH ? cshamt(h) : cimm6(h);
		return format != CFMT_CI_RD || rd != 0;
	case CFMT_CLI:
		out->rd = rd;
		out->imm = cimm6(h);
		return true;
	case CFMT_C16SP:
		out->rd = out->rs1 = 2;
		out->imm = (int32_t)bits_sext(bits_get(h, 12, 1) << 9 | bits_get(h, 3, 2) << 7 |
					      bits_get(h, 5, 1) << 6 | bits_get(h, 2, 1) << 5 |
					      bits_get(h, 6, 1) << 4, 10);
		return out->imm != 0;
	case CFMT_CLUI:
		out->rd = rd;
		out->imm = cimm6(h) * 4096;
		return out->imm != 0;
	case CFMT_CB_SH:
	case CFMT_CB_I:
		out->rd = out->rs1 = rd_p;
		out->imm = format == CFMT_CB_SH ? cshamt(h) : cimm6(h);
		return true;
	case CFMT_CA:
		out->rd = out->rs1 = rd_p;
		out->rs2 = (uint8_t)(bits_get(h, 2, 3) + 8);
		return true;
	case CFMT_CJ:
		out->imm = cimm_jump(h);
		return true;
	case CFMT_CB:
		out->rs1 = rd_p;
		out->imm = cimm_branch(h);
		return true;
	case CFMT_CR_J:
	case CFMT_CR_JAL:
		out->rs1 = rd;
		out->rd = format == CFMT_CR_JAL;
		return rd != 0;
	case CFMT_CR_MV:
	case CFMT_CR_ADD:
		out->rd = rd;
		out->rs1 = format == CFMT_CR_ADD ? rd : 0;
		out->rs2 = rs2;
		return rs2 != 0;
	default:
		return coperands_mem(format, h, out);
	}
}

static bool decode_half(const struct insn_decoder *d, uint32_t h, struct insn *out)
{
	unsigned b = cbucket_of(h);

	for (unsigned i = d->cfirst[b]; i < d->cfirst[b + 1]; i++) {
		const struct cpattern *p = &cpatterns[d->clist[i]];
		struct insn try = { .op = p->base, .size = 2 };

		if ((h & p->mask) == p->match && coperands(p->format, h, &try)) {
			*out = try;
			return true;
		}
	}
	return false;
}

void insn_decode(const struct insn_decoder *d, uint32_t word, struct insn *out)
{
	unsigned size = insn_length((uint16_t)word);
	bool known;

	memset(out, 0, sizeof(*out));
	out->size = (uint8_t)size;
	known = size == 4 ? decode_word(d, word, out) : decode_half(d, word & 0xffff, out);
	if (!known) {
		memset(out, 0, sizeof(*out));
		out->op = OP_illegal;
		out->size = (uint8_t)size;
		out->imm = (int32_t)(size == 4 ? word : word & 0xffff);
		return;
	}
	if (out->rd == 0 && !(patterns[out->op].props & INSN_FRD))
		out->rd = INSN_X0_SINK;
}
