/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C: compressed instructions (Unprivileged ISA 28). Operands are written as the assembler
 * has them, so that `c.` guarantees the 16-bit form; encodings it refuses stand as .half.
 */
#include "test.h"
	.option norelax		/* sizes matter here */
	.option rvc

/* op reg, imm / op reg, other: the register values before, the wanted one after */
#define C1(op, reg, imm, before, want) t_c1 __LINE__, op, reg, imm, before, want
#define C2(op, reg, other, before, value, want) \
	t_c2 __LINE__, op, reg, other, before, value, want

	.macro t_c1 line, op, reg, imm, before, want
	li \reg, \before
	\op \reg, \imm
	t_check \line, \reg, \want
	.endm

	.macro t_c2 line, op, reg, other, before, value, want
	li \reg, \before
	li \other, \value
	\op \reg, \other
	t_check \line, \reg, \want
	t_check \line, \other, \value
	.endm

	.globl test_main
test_main:
	C1(c.li, a0, 31, 5, 31)
	C1(c.li, a0, -32, 5, -32)
	C1(c.li, s11, -1, 5, -1)
	C1(c.lui, a0, 1, 5, 0x1000)
	C1(c.lui, a0, 31, 5, 0x1f000)
	C1(c.lui, s0, 0xfffe0, 5, -0x20000)
	C1(c.lui, ra, 0xfffff, 5, -0x1000)
	C1(c.addi, a0, 31, 1, 32)
	C1(c.addi, a0, -32, 1, -31)
	C1(c.addi, t3, 1, 0x7fffffffffffffff, 0x8000000000000000)
	C1(c.addiw, a0, 1, 0x7fffffff, 0xffffffff80000000)
	C1(c.addiw, a0, 0, 0x1234567880000000, 0xffffffff80000000)
	C1(c.addiw, a0, -32, 0, -32)
	C1(c.slli, a0, 1, 0x4000000000000001, 0x8000000000000002)
	C1(c.slli, s9, 63, 3, 0x8000000000000000)
	C1(c.slli, a0, 32, 0xff, 0xff00000000)
	C1(c.srli, a0, 1, -1, 0x7fffffffffffffff)
	C1(c.srli, s1, 63, -1, 1)
	C1(c.srai, a5, 63, 0x8000000000000000, -1)
	C1(c.srai, s0, 4, 0x876543210fedcba9, 0xf876543210fedcba)
	C1(c.srai, s0, 32, 0x7fffffffffffffff, 0x7fffffff)
	C1(c.andi, a0, -32, 0x123456789abcdeff, 0x123456789abcdee0)
	C1(c.andi, a3, 31, -1, 31)
	C2(c.mv, a0, s5, 1, 0x123456789abcdef0, 0x123456789abcdef0)
	C2(c.add, a0, s5, 1, -1, 0)
	C2(c.add, t0, a5, 0x7fffffffffffffff, 1, 0x8000000000000000)
	C2(c.sub, a0, a1, 0, 1, -1)
	C2(c.xor, s0, s1, 0xff00, 0x0ff0, 0xf0f0)
	C2(c.or, a2, a3, 0xff00, 0x0ff0, 0xfff0)
	C2(c.and, a4, a5, 0xff00, 0x0ff0, 0x0f00)
	C2(c.subw, a0, a1, 0x80000000, 1, 0x7fffffff)
	C2(c.addw, a0, a1, 0x7fffffff, 1, 0xffffffff80000000)
	C2(c.addw, s1, a5, 0x1234567800000001, 0x1234567800000002, 3)

	/* Stack pointer arithmetic at its edges */
	mv s2, sp
	li sp, 0x1000
	c.addi16sp sp, 496
	mv a0, sp
	c.addi16sp sp, -512
	mv a1, sp
	c.addi16sp sp, 16
	mv a2, sp
	c.addi4spn a3, sp, 4
	c.addi4spn s0, sp, 1020
	c.addi4spn a5, sp, 512
	mv sp, s2
	CHECK(a0, 0x11f0)
	CHECK(a1, 0xff0)
	CHECK(a2, 0x1000)
	CHECK(a3, 0x1004)
	CHECK(s0, 0x13fc)
	CHECK(a5, 0x1200)

	/* Loads and stores through a register, every offset bit */
	la a1, area
	li a0, 0x1111111187654321
	.irp off, 0, 8, 16, 32, 64, 128, 248
	c.sd a0, \off(a1)
	c.ld a2, \off(a1)
	t_check __LINE__, a2, 0x1111111187654321
	ld a2, \off(a1)
	t_check __LINE__, a2, 0x1111111187654321
	.endr
	.irp off, 0, 4, 8, 16, 32, 64, 124
	li a0, 0x5555555587654300 + \off
	c.sw a0, \off(a1)
	c.lw a2, \off(a1)
	t_check __LINE__, a2, 0xffffffff87654300 + \off
	lw a2, \off(a1)
	t_check __LINE__, a2, 0xffffffff87654300 + \off
	.endr
	c.lw a1, 0(a1)
	CHECK(a1, 0xffffffff87654300)

	/* and through the stack pointer */
	la sp, area
	.irp off, 0, 8, 16, 32, 64, 128, 256, 504
	li s7, 0x7777777700000000 + \off
	c.sdsp s7, \off(sp)
	c.ldsp t3, \off(sp)
	t_check __LINE__, t3, 0x7777777700000000 + \off
	ld t3, \off(sp)
	t_check __LINE__, t3, 0x7777777700000000 + \off
	.endr
	.irp off, 0, 4, 8, 16, 32, 64, 128, 252
	li s7, 0x5555555587654300 + \off
	c.swsp s7, \off(sp)
	c.lwsp t3, \off(sp)
	t_check __LINE__, t3, 0xffffffff87654300 + \off
	lw t3, \off(sp)
	t_check __LINE__, t3, 0xffffffff87654300 + \off
	.endr

	/* Floating-point loads and stores: the bits pass through */
	li a0, MSTATUS_FS
	csrs mstatus, a0
	la a1, area
	la sp, area
	.irp off, 0, 8, 16, 32, 64, 128, 248
	li a0, 0x7ff0123400000000 + \off
	sd a0, \off(a1)
	c.fld fa0, \off(a1)
	fmv.x.d a2, fa0
	t_check __LINE__, a2, 0x7ff0123400000000 + \off
	sd zero, \off(a1)
	c.fsd fa0, \off(a1)
	ld a2, \off(a1)
	t_check __LINE__, a2, 0x7ff0123400000000 + \off
	.endr
	.irp off, 0, 8, 16, 32, 64, 128, 256, 504
	li a0, 0xfff0123400000000 + \off
	sd a0, \off(sp)
	c.fldsp ft8, \off(sp)
	fmv.x.d a2, ft8
	t_check __LINE__, a2, 0xfff0123400000000 + \off
	sd zero, \off(sp)
	c.fsdsp ft8, \off(sp)
	ld a2, \off(sp)
	t_check __LINE__, a2, 0xfff0123400000000 + \off
	.endr
	mv sp, s2

	/* Branches and jumps, both ways; links are two bytes on */
	li a0, 0
	li a1, 0
	c.beqz a0, 2f
	j test_fail
1:	c.addi a1, 2
	c.j 3f
2:	c.addi a1, 1
	c.j 1b
3:	CHECK(a1, 3)
	li a0, 0x8000000000000000
	c.bnez a0, 2f
	j test_fail
1:	c.addi a1, 2
	c.j 3f
2:	c.addi a1, 1
	c.bnez a0, 1b
3:	CHECK(a1, 6)
	li a0, 0x8000000000000000
	c.beqz a0, 1f
	li a0, 0
	c.bnez a0, 1f
	li a1, 1
1:	CHECK(a1, 1)
	la a0, 2f
	li ra, 0
	c.jr a0
1:	j test_fail
2:	CHECK(ra, 0)
	la a0, 2f
	c.jalr a0
1:	j test_fail
2:	CHECK_ADDR(ra, 1b)
	la ra, 2f		/* the target is read before the link is written */
	c.jalr ra
1:	j test_fail
2:	CHECK_ADDR(ra, 1b)
	/* The longest c.j and c.beqz, both ways */
	li a0, 0
	li a1, 0
	c.j far_j
back_j:	c.addi a1, 2
	.option norvc
	j end_j
	.option rvc
	.skip 2046 - 2 - 6
far_j:	c.addi a1, 1		/* at +2046 */
	c.nop
	.half 0xb001		/* c.j -2048: back_j */
end_j:	CHECK(a1, 3)
	li a1, 0
	c.beqz a0, far_b
back_b:	c.addi a1, 2
	c.j end_b
	.skip 254 - 2 - 4
far_b:	c.addi a1, 1		/* at +254 */
	c.nop
	.half 0xd101		/* c.beqz a0, -256: back_b */
end_b:	CHECK(a1, 3)

	/* A 32-bit instruction at an odd halfword, and one across a page boundary */
	.balign 4
	c.nop
	lui a0, 0x12345
	CHECK(a0, 0x12345000)
	li a0, 0
	jal ra, straddle_sub
1:	CHECK(a0, 30)
	CHECK_ADDR(ra, 1b)

	/* A jump to an odd halfword is fine with C; ebreak is a breakpoint */
	la a0, 2f
	jr a0
	.balign 4
	c.nop
2:	TRAP(CAUSE_BREAKPOINT, ANY, c.ebreak)

	/* HINTs change nothing */
	li a0, 7
	.half 0x0001		/* c.nop */
	.half 0x0005		/* c.nop with an immediate */
	.half 0x0501		/* c.addi a0, 0 */
	.half 0x4005		/* c.li x0 */
	.half 0x6005		/* c.lui x0 */
	.half 0x8006		/* c.mv x0, ra */
	.half 0x9006		/* c.add x0, ra */
	.half 0x0006		/* c.slli x0 */
	.half 0x0502		/* c.slli a0, 0 */
	.half 0x8101		/* c.srli a0, 0 */
	.half 0x8501		/* c.srai a0, 0 */
	CHECK(a0, 7)
	CHECK(zero, 0)

	/* Reserved encodings */
	ILLEGAL(.half 0x0000)	/* defined illegal */
	ILLEGAL(.half 0x0004)	/* c.addi4spn with immediate 0 */
	ILLEGAL(.half 0x2001)	/* c.addiw with rd = x0 */
	ILLEGAL(.half 0x2005)
	ILLEGAL(.half 0x6101)	/* c.addi16sp with immediate 0 */
	ILLEGAL(.half 0x6501)	/* c.lui with immediate 0 */
	ILLEGAL(.half 0x4002)	/* c.lwsp with rd = x0 */
	ILLEGAL(.half 0x6002)	/* c.ldsp with rd = x0 */
	ILLEGAL(.half 0x8002)	/* c.jr x0 */
	ILLEGAL(.half 0x9c41)	/* reserved in the register arithmetic group */
	ILLEGAL(.half 0x9c61)
	ILLEGAL(.half 0x8000)	/* quadrant 0, funct3 4 */
	PASS

	.balign 4096
	.skip 4096 - 4
straddle_sub:
	c.li a0, 15
	.option norvc
	slli a0, a0, 1		/* its second half is in the next page */
	.option rvc
	c.jr ra

	.data
	.balign 4096
area:	.skip 4096
