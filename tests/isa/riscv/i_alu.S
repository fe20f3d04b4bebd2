/* SPDX-License-Identifier: Apache-2.0 */
/* RV64I: integer computation (Unprivileged ISA 2.4, 4.2) */
#include "test.h"

#define MAX64 0x7fffffffffffffff
#define MIN64 0x8000000000000000
#define MIN32 0xffffffff80000000

	.globl test_main
test_main:
	RR(add, 0, 0, 0)
	RR(add, 3, 1, 2)
	RR(add, MIN64, MAX64, 1)
	RR(add, MAX64, MIN64, -1)
	RR(add, 0x80000000, 0x7fffffff, 1)
	RR(add, -2, -1, -1)
	RR(add, -2, 0xffffffff00000000, 0xfffffffe)
	RR(sub, 0, 5, 5)
	RR(sub, -1, 0, 1)
	RR(sub, MAX64, MIN64, 1)
	RR(sub, MIN64, MAX64, -1)
	RR(sub, MIN64, 0, MIN64)
	RR(and, 0x0f000f000f000f00, 0xff00ff00ff00ff00, 0x0f0f0f0f0f0f0f0f)
	RR(or, 0xff0fff0fff0fff0f, 0xff00ff00ff00ff00, 0x0f0f0f0f0f0f0f0f)
	RR(xor, 0xf00ff00ff00ff00f, 0xff00ff00ff00ff00, 0x0f0f0f0f0f0f0f0f)
	RR(and, 0, MIN64, MAX64)
	RR(or, -1, MIN64, MAX64)
	RR(xor, 0, -1, -1)
	RR(slt, 1, -1, 0)
	RR(slt, 0, 0, -1)
	RR(slt, 0, 7, 7)
	RR(slt, 1, MIN64, MAX64)
	RR(slt, 0, MAX64, MIN64)
	RR(slt, 0, 0x80000000, 1)
	RR(sltu, 0, -1, 0)
	RR(sltu, 1, 0, -1)
	RR(sltu, 0, MIN64, MAX64)
	RR(sltu, 1, MAX64, MIN64)
	RR(sltu, 0, 7, 7)
	/* Shifts take the low six bits of rs2 */
	RR(sll, 1, 1, 0)
	RR(sll, MIN64, 1, 63)
	RR(sll, 1, 1, 64)
	RR(sll, 2, 1, 65)
	RR(sll, 0xfffffffffffffff8, -1, 0xffffffffffffffc3)
	RR(sll, 0x2468acf13579bde0, 0x123456789abcdef0, 1)
	RR(srl, 1, MIN64, 63)
	RR(srl, MIN64, MIN64, 64)
	RR(srl, 0x7fffffffffffffff, -1, 1)
	RR(srl, 0x0123456789abcdef, 0x123456789abcdef0, 4)
	RR(sra, -1, MIN64, 63)
	RR(sra, 0, MAX64, 63)
	RR(sra, MIN64, MIN64, 64)
	RR(sra, 0xf876543210fedcba, 0x876543210fedcba9, 4)
	RR(sra, 0x0765432100fedcba, 0x765432100fedcba9, 4)

	RI(addi, 0, 0, 0)
	RI(addi, 2047, 0, 2047)
	RI(addi, -2048, 0, -2048)
	RI(addi, 0x80000000000007fe, MAX64, 2047)
	RI(addi, 0x7ffffffffffff800, MIN64, -2048)
	RI(addi, 0x800007fe, 0x7fffffff, 2047)
	RI(andi, 0x1234567812345000, 0x1234567812345678, -2048)
	RI(andi, 0x678, 0x1234567812345678, 2047)
	RI(ori, -1, 0x7ff, -2048)
	RI(ori, 0x12345678123457ff, 0x1234567812345678, 2047)
	RI(xori, 0, -1, -1)
	RI(xori, 0xedcba987edcba987, 0x1234567812345678, -1)
	RI(xori, 0x1234567812345187, 0x1234567812345678, 0x7ff)
	RI(slti, 1, -2049, -2048)
	RI(slti, 0, -2048, -2048)
	RI(slti, 1, MIN64, 2047)
	RI(slti, 0, MAX64, -1)
	RI(sltiu, 1, 0, 1)
	RI(sltiu, 0, 1, 1)
	RI(sltiu, 1, MAX64, -1)	/* the immediate is sign-extended, then unsigned */
	RI(sltiu, 0, -1, -1)
	RI(sltiu, 1, 0x7ff, -2048)
	RI(slli, 1, 1, 0)
	RI(slli, MIN64, 1, 63)
	RI(slli, 0x100000000, 1, 32)
	RI(slli, 0xffffffff80000000, -1, 31)
	RI(srli, 1, MIN64, 63)
	RI(srli, 0xffffffff, -1, 32)
	RI(srli, -1, -1, 0)
	RI(srai, -1, MIN64, 63)
	RI(srai, MIN32, MIN64, 32)
	RI(srai, 0x7fffffff, MAX64, 32)

	/* W forms: 32-bit results, sign-extended; the upper half of the sources is ignored */
	RR(addw, 3, 1, 2)
	RR(addw, MIN32, 0x7fffffff, 1)
	RR(addw, 0, 0xffffffff, 1)
	RR(addw, -1, 0xdeadbeef7fffffff, 0xcafebabe80000000)
	RR(addw, 0x7fffffff, MIN32, 0xffffffffffffffff)
	RR(subw, -1, 0, 1)
	RR(subw, 0x7fffffff, 0x80000000, 1)
	RR(subw, MIN32, 0x7fffffff, -1)
	RR(subw, 0, 0x1234567800000005, 5)
	RR(sllw, MIN32, 1, 31)
	RR(sllw, 1, 1, 32)
	RR(sllw, -16, 0xffffffff, 4)
	RR(sllw, 0x23456780, 0xffffffff12345678, 4)
	RR(srlw, 1, 0x80000000, 31)
	RR(srlw, MIN32, 0x80000000, 32)
	RR(srlw, 0x0fffffff, 0x00000000ffffffff, 4)
	RR(srlw, MIN32, 0xffffffff80000000, 0)
	RR(srlw, 0x01234567, 0xffffffff12345678, 4)
	RR(sraw, -1, 0x80000000, 31)
	RR(sraw, -8, 0x0000000080000000, 28)
	RR(sraw, 0x01234567, 0xffffffff12345678, 4)
	RR(sraw, MIN32, 0x80000000, 32)
	RI(addiw, 0, 0xffffffff, 1)
	RI(addiw, MIN32, 0x7fffffff, 1)
	RI(addiw, 0x7ffff800, 0x80000000, -2048)
	RI(addiw, MIN32, 0x1234567880000000, 0)	/* sext.w */
	RI(slliw, MIN32, 1, 31)
	RI(slliw, -2, -1, 1)
	RI(slliw, 0x23456780, 0xffffffff12345678, 4)
	RI(srliw, 1, 0x80000000, 31)
	RI(srliw, -1, 0xffffffff, 0)
	RI(srliw, 0x7fffffff, -1, 1)
	RI(sraiw, -1, 0x80000000, 31)
	RI(sraiw, 0x3fffffff, 0xffffffff7fffffff, 1)
	RI(sraiw, MIN32, 0x80000000, 0)

	/* lui and auipc: 20 bits, sign-extended from bit 31 */
	lui a0, 0
	CHECK(a0, 0)
	lui a0, 1
	CHECK(a0, 0x1000)
	lui a0, 0x7ffff
	CHECK(a0, 0x7ffff000)
	lui a0, 0x80000
	CHECK(a0, MIN32)
	lui a0, 0xfffff
	CHECK(a0, -4096)
	lui zero, 0xfffff
	CHECK(zero, 0)
1:	auipc a0, 0
	CHECK_ADDR(a0, 1b)
1:	auipc a0, 0x7ffff
	la a1, 1b
	sub a0, a0, a1
	CHECK(a0, 0x7ffff000)
1:	auipc a0, 0x80000
	la a1, 1b
	sub a0, a0, a1
	CHECK(a0, MIN32)

	/* x0 is zero as a source and as a destination */
	li a1, 0x1234
	add a0, a1, zero
	CHECK(a0, 0x1234)
	sub a0, zero, a1
	CHECK(a0, -0x1234)
	addi zero, a1, 5
	CHECK(zero, 0)
	slt a0, zero, a1
	CHECK(a0, 1)

	/* HINTs do nothing: x0 as destination of lui, auipc, op-imm, op; fence with any fields */
	slli zero, zero, 31
	slti zero, a1, 5
	fence
	fence r, w
	fence.tso
	.word 0x0000000f	/* fence with empty sets */
	.word 0xfff0800f	/* reserved fm, treated as a normal fence */
	.word 0x0ff5850f	/* reserved rs1, rd: ignored */
	.word 0x0100000f	/* pause */
	CHECK(a1, 0x1234)
	CHECK(zero, 0)

	/* Every register keeps its own value */
	.irp r, 1,2,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	li x\r, 0x1111111100000000 + \r
	.endr
	li a0, 0
	.irp r, 1,2,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	slli a0, a0, 1
	add a0, a0, x\r
	.endr
	CHECK(a0, 0x0eeeeeef481fffdf)

	/* Shift amounts with bit 5 set are reserved in the W forms; so are the funct7 beside them */
	ILLEGAL(.word 0x0205951b)	/* slliw a0, a1, 32 */
	ILLEGAL(.word 0x0205d51b)	/* srliw a0, a1, 32 */
	ILLEGAL(.word 0x4205d51b)	/* sraiw a0, a1, 32 */
	ILLEGAL(.word 0x0405951b)	/* slliw with funct7 2 */
	ILLEGAL(.word 0x8005d513)	/* srli with bit 31 */
	ILLEGAL(.word 0x04059513)	/* slli with bit 26 */
	ILLEGAL(.word 0x40059513)	/* slli with bit 30 */
	ILLEGAL(.word 0x80c58533)	/* add with bit 31 */
	ILLEGAL(.word 0x0000203b)	/* OP-32 with funct3 2 */
	PASS
