/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zawrs: another hart's store to the reservation set ends wrs.nto (Zawrs 1.01). Two harts wait
 * for each other by turns. QEMU 7.2 lacks it.
 */
#include "test.h"
	.option arch, +zawrs
#define TURNS 500

	/* Wait until the cell at s0 holds the value in a1 */
	.macro await
9991:	lr.d a0, (s0)
	beq a0, a1, 9992f
	wrs.nto
	j 9991b
9992:
	.endm

	.globl test_main
test_main:
	la s0, turn
	li s1, TURNS
	li a1, 0		/* even values are hart 0's turn */
1:	await
	addi a1, a1, 1
	sd a1, (s0)
	addi a1, a1, 1
	addi s1, s1, -1
	bnez s1, 1b
	await
	CHECK(a0, 2 * TURNS)
	PASS

	.globl test_secondary
test_secondary:
	li a2, 1
	bne a0, a2, 3f
	la s0, turn
	li a1, 1
	li s1, TURNS
2:	await
	addi a1, a1, 1
	sd a1, (s0)
	addi a1, a1, 1
	addi s1, s1, -1
	bnez s1, 2b
3:	wfi
	j 3b

	.data
	.balign 64
turn:	.dword 0
	.skip 56
