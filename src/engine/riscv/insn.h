/* SPDX-License-Identifier: Apache-2.0 */
/* Decoded instructions, and the decoder that insn.def and rvc.def describe. */
#ifndef ENGINE_RISCV_INSN_H
#define ENGINE_RISCV_INSN_H

#include <stdint.h>

/* Which instruction: the lines of insn.def, then what the decoder and block builder add. */
enum insn_op {
#define INSN(name, match, mask, format, ext, props) OP_##name,
#include "engine/riscv/insn.def"
#undef INSN
	OP_illegal,		/* not an instruction of this CPU; imm holds its bits */
	OP_block_end,		/* no instruction: the block stops here, the next one follows */
	OP_COUNT,
};

/* Properties; see insn.def. */
enum insn_prop {
	INSN_END = 1 << 0,
	INSN_SYS = 1 << 1,
	INSN_MEM = 1 << 2,
	INSN_FP = 1 << 3,
	INSN_FRD = 1 << 4,
};

/* Operands of a 32-bit instruction ("Base Instruction Formats"; immediates sign-extended). */
enum insn_format {
	FMT_NONE,
	FMT_R,			/* rd rs1 rs2 */
	FMT_R1,			/* rd rs1 */
	FMT_R4,			/* rd rs1 rs2 rs3 rm */
	FMT_RM,			/* rd rs1 rs2 rm */
	FMT_R1M,		/* rd rs1 rm */
	FMT_I, FMT_S, FMT_B, FMT_U, FMT_J,
	FMT_SH5, FMT_SH6,	/* rd rs1, imm: the shift amount */
	FMT_CSR,		/* rd rs1, imm: the CSR's number */
	FMT_CSRI,		/* as FMT_CSR; rs1 is the operand itself */
	FMT_FENCE,		/* imm: fm, predecessor and successor sets */
	FMT_CBO,		/* rs1 */
};

/* Operands of a compressed instruction. */
enum insn_cformat {
	CFMT_CNONE,
	CFMT_CIW,		/* rd' = x2 + scaled immediate, which is not 0 */
	CFMT_CL4, CFMT_CL8,	/* rd', rs1', immediate scaled by 4 or 8 */
	CFMT_CS4, CFMT_CS8,	/* rs2', rs1', likewise */
	CFMT_CI,		/* rd = rs1, imm6 */
	CFMT_CI_RD,		/* the same; rd is not x0 */
	CFMT_CLI,		/* rd, imm6, rs1 = x0 */
	CFMT_C16SP,		/* x2 = x2 + 16 * imm6, which is not 0 */
	CFMT_CLUI,		/* rd, imm6 << 12, which is not 0 */
	CFMT_CB_SH, CFMT_CB_I,	/* rd' = rs1', shift amount or imm6 */
	CFMT_CA,		/* rd' = rs1', rs2' */
	CFMT_CJ, CFMT_CB,	/* a jump with rd = x0; rs1' against x0 */
	CFMT_CI_SH,		/* rd = rs1, shift amount */
	CFMT_CLSP8,		/* rd, x2 + immediate scaled by 8 */
	CFMT_CLSP4_RD, CFMT_CLSP8_RD,	/* scaled by 4 or 8; rd is not x0 */
	CFMT_CSSP4, CFMT_CSSP8,	/* rs2, x2 + immediate scaled by 4 or 8 */
	CFMT_CR_J, CFMT_CR_JAL,	/* rs1, which is not x0; rd = x0 or x1 */
	CFMT_CR_MV, CFMT_CR_ADD,	/* rs2, which is not x0; rs1 = x0 or rd */
};

enum { INSN_X0_SINK = 32 };	/* where an integer result for x0 goes */
enum { INSN_RM_DYN = 7 };	/* rm: take fcsr.frm */

/*
 * One decoded instruction. Fields its format lacks are 0. rd is INSN_X0_SINK in place of x0
 * (for integer results), so that writing it needs no test.
 */
struct insn {
	uint16_t op;		/* enum insn_op */
	uint16_t off;		/* of its first byte in its page */
	uint8_t rd, rs1, rs2, rs3;
	uint8_t rm;
	uint8_t size;		/* 2 or 4 bytes */
	uint16_t pad;
	int32_t imm;
};

_Static_assert(sizeof(struct insn) == 16, "four to a cache line");

/*
 * The index over insn.def by major opcode and funct3, and over rvc.def by quadrant and funct3.
 * Constant once made; any thread may decode with it.
 */
struct insn_decoder {
	uint16_t first[257];	/* bucket b: list[first[b]] to list[first[b + 1] - 1] */
	uint16_t list[1024];
	uint8_t cfirst[33];
	uint8_t clist[64];
};

void insn_decoder_init(struct insn_decoder *d);

/*
 * Decodes the instruction that starts with the low bits of word (the upper half is ignored
 * for compressed ones). Always fills *out, with OP_illegal where the word is reserved or of
 * no extension here; out->off is left 0. Reserved rounding modes (5, 6) are illegal.
 */
void insn_decode(const struct insn_decoder *d, uint32_t word, struct insn *out);

/* 2 or 4: bytes of the instruction whose first halfword is h. */
static inline unsigned insn_length(uint16_t h)
{
	return (h & 3) == 3 ? 4 : 2;
}

/* Assembler-like name ("addi", "illegal"), for logs and tests. */
const char *insn_name(unsigned op);

/* INSN_* of op; 0 for the additions behind insn.def. */
unsigned insn_props(unsigned op);

#endif
