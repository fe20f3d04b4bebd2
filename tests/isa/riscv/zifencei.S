/* SPDX-License-Identifier: Apache-2.0 */
/* Zifencei: code written by the program runs after fence.i, again and again */
#include "test.h"

	.globl test_main
test_main:
	/* An instruction patched in place, a hundred times: addi a0, zero, n */
	li s0, 100
	la s1, patch
1:	slli a1, s0, 20
	li a2, 0x00000513
	or a1, a1, a2
	sw a1, 0(s1)
	fence.i
	jal ra, patch
	mv a2, s0
	li gp, __LINE__
	mv t5, a0
	mv t6, a2
	t_same
	addi s0, s0, -1
	bnez s0, 1b

	/* The next instruction of the same straight line */
	la s1, 2f
	li a1, 0x02a00513	/* li a0, 42 */
	li a0, 0
	sw a1, 0(s1)
	fence.i
2:	li a0, 7
	CHECK(a0, 42)

	/* A routine copied to data, then another over it */
	la s1, buffer
	la s2, five
	lw a1, 0(s2)
	sw a1, 0(s1)
	lw a1, 4(s2)
	sw a1, 4(s1)
	fence.i
	jalr s1
	CHECK(a0, 5)
	la s2, six
	lw a1, 0(s2)
	sw a1, 0(s1)
	fence.i
	jalr s1
	CHECK(a0, 6)

	/* Half an instruction rewritten: the immediate only */
	li a1, 0x0070
	sh a1, 2(s1)
	fence.i
	jalr s1
	CHECK(a0, 7)

	/* Code that spans two pages, rewritten in the second */
	la s1, straddle - 4
	li a1, 0x00100513	/* li a0, 1 */
	sw a1, 0(s1)
	li a1, 0x00250513	/* addi a0, a0, 2 */
	sw a1, 4(s1)
	li a1, 0x00008067	/* ret */
	sw a1, 8(s1)
	fence.i
	jalr s1
	CHECK(a0, 3)
	li a1, 0x00450513	/* addi a0, a0, 4 */
	sw a1, 4(s1)
	fence.i
	jalr s1
	CHECK(a0, 5)

	/* A loop that rewrites its own body while it runs */
	li s0, 50
	li s3, 0
	la s1, 2f
1:	slli a1, s0, 20
	li a2, 0x00098993	/* addi s3, s3, imm */
	or a1, a1, a2
	sw a1, 0(s1)
	fence.i
2:	nop
	addi s0, s0, -1
	bnez s0, 1b
	CHECK(s3, 1275)

	/* Reserved fields of fence.i are ignored */
	.word 0xfff5958f & ~0x80	/* fence.i with imm, rs1, rd */
	CHECK(s3, 1275)
	PASS

	.balign 4
five:	li a0, 5
	ret
six:	li a0, 6
	ret

	.data
	.balign 4096
patch:	.word 0x00000513, 0x00008067
	.balign 64
buffer:	.skip 64
	.balign 4096
	.skip 4096
straddle: .skip 64
