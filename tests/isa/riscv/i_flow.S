/* SPDX-License-Identifier: Apache-2.0 */
/* RV64I: jumps, branches, ecall, ebreak (Unprivileged ISA 2.5, 2.8) */
#include "test.h"

/* The branch goes, forward and backward / goes on to the next instruction */
#define TAKEN(op, a, b) t_branch __LINE__, op, a, b, 1
#define NOT_TAKEN(op, a, b) t_branch __LINE__, op, a, b, 0

	.macro t_branch line, op, a, b, taken
	li a1, \a
	li a2, \b
	li a0, 0
	\op a1, a2, 2f
	addi a0, a0, 1
	j 3f
1:	ori a0, a0, 4
	j 4f
2:	addi a0, a0, 2
3:	\op a1, a2, 1b
	ori a0, a0, 8
4:
	.if \taken
	t_check \line, a0, 6
	.else
	t_check \line, a0, 9
	.endif
	.endm

	.globl test_main
test_main:
	TAKEN(beq, 0, 0)
	TAKEN(beq, -1, -1)
	NOT_TAKEN(beq, 0, 1)
	NOT_TAKEN(beq, 0x100000000, 0)
	TAKEN(bne, 0, 1)
	TAKEN(bne, 0x8000000000000000, 0)
	NOT_TAKEN(bne, 7, 7)
	TAKEN(blt, -1, 0)
	TAKEN(blt, 0x8000000000000000, 0x7fffffffffffffff)
	NOT_TAKEN(blt, 0, -1)
	NOT_TAKEN(blt, 5, 5)
	TAKEN(bge, 5, 5)
	TAKEN(bge, 0, -1)
	NOT_TAKEN(bge, -1, 0)
	NOT_TAKEN(bge, 0x8000000000000000, 0x7fffffffffffffff)
	TAKEN(bltu, 0, -1)
	TAKEN(bltu, 0x7fffffffffffffff, 0x8000000000000000)
	NOT_TAKEN(bltu, -1, 0)
	NOT_TAKEN(bltu, 5, 5)
	TAKEN(bgeu, -1, 0)
	TAKEN(bgeu, 5, 5)
	NOT_TAKEN(bgeu, 0, -1)
	NOT_TAKEN(bgeu, 0x7fffffffffffffff, 0x8000000000000000)

	/* The longest branches, both ways */
	li a0, 0
	beq zero, zero, far_fwd
far_back_target:
	addi a0, a0, 2
	j far_done
	.skip 4096 - 12 - 4
far_fwd:				/* at +4092 */
	addi a0, a0, 1
	nop
	.word 0x80000063		/* beq zero, zero, -4096: far_back_target */
far_done:
	CHECK(a0, 3)

	/* jal links, forward and backward */
	li a0, 0
1:	jal a1, 3f
2:	j test_fail
3:	addi a0, a0, 1
	CHECK_ADDR(a1, 2b)
	la a2, 1b
	sub a1, a1, a2
	CHECK(a1, 4)
	jal zero, 5f
4:	addi a0, a0, 2
	j 6f
5:	jal ra, 4b
6:	CHECK(a0, 3)
	CHECK_ADDR(ra, 6b)
	CHECK(zero, 0)

	/* The longest jal */
	li a0, 0
	jal a1, jal_far
jal_ret:
	CHECK(a0, 1)

	/* jalr: target from before the link is written, bit 0 cleared, offset signed */
	la a1, 2f
	jalr a1, 0(a1)
1:	j test_fail
2:	CHECK_ADDR(a1, 1b)
	la a1, 2f + 2047
	jalr a2, -2047(a1)
1:	j test_fail
2:	CHECK_ADDR(a2, 1b)
	la a1, 2f - 2047
	jalr a2, 2047(a1)
1:	j test_fail
2:	CHECK_ADDR(a2, 1b)
	la a1, 2f
	jalr a2, 1(a1)
1:	j test_fail
2:	CHECK_ADDR(a2, 1b)
	la a1, 2f + 1
	jalr zero, 0(a1)
	j test_fail
2:	CHECK(zero, 0)

	/* A loop that runs often enough for a translator */
	li a0, 0
	li a1, 100000
1:	add a0, a0, a1
	addi a1, a1, -1
	bnez a1, 1b
	CHECK(a0, 5000050000)

	/* Calls through a table of targets from one jalr, as an interpreter does */
	li a0, 0
	li s0, 300
	la s1, targets
1:	andi a1, s0, 3
	slli a1, a1, 3
	add a1, a1, s1
	ld a1, (a1)
	jalr a1
	addi s0, s0, -1
	bnez s0, 1b
	CHECK(a0, 75 * 1111)

	TRAP(CAUSE_ECALL_M, 0, ecall)
	TRAP(CAUSE_BREAKPOINT, ANY, ebreak)

	/* A jump to where nothing is faults there, not at the jump */
	t_arm 2f
	li a1, 0x64
1:	jalr a2, 0(a1)
2:	t_disarm __LINE__, CAUSE_FETCH_ACCESS
	ld a0, CTX_EPC(t4)
	CHECK(a0, 0x64)
	ld a0, CTX_TVAL(t4)
	CHECK(a0, 0x64)
	CHECK_ADDR(a2, 2b)

	/* Reserved encodings */
	ILLEGAL(.word 0)
	ILLEGAL(.word 0xffffffff)
	ILLEGAL(.word 0x00002063)	/* branch with funct3 2 */
	ILLEGAL(.word 0x00003063)
	ILLEGAL(.word 0x00001067)	/* jalr with funct3 1 */
	ILLEGAL(.word 0x00100073 | 1 << 7)	/* ebreak with rd */
	ILLEGAL(.word 0x00000073 | 1 << 15)	/* ecall with rs1 */
	ILLEGAL(.word 0x0000006b)	/* a reserved major opcode */
	PASS

	.skip 0xff000 - 0x10000
jal_far:
	addi a0, a0, 1
	jalr zero, 0(a1)

	.balign 4
.macro target n
1:	addi a0, a0, \n
	ret
.endm
t1:	target 1
t10:	target 10
t100:	target 100
t1000:	target 1000

	.data
	.balign 8
targets: .dword t1, t10, t100, t1000
