/* SPDX-License-Identifier: Apache-2.0 */
/*
 * minstret counts instructions, exactly: those that trap do not retire, a write replaces the
 * count of its own instruction (Unprivileged ISA 7.1, Privileged ISA 3.1.10). QEMU 7.2 counts
 * time unless told to count instructions.
 */
#include "test.h"

	.globl test_main
test_main:
	csrw mcountinhibit, zero
	csrr a0, minstret
	csrr a1, minstret
	sub a1, a1, a0
	CHECK(a1, 1)
	csrw minstret, zero
	csrr a0, minstret
	CHECK(a0, 0)
	csrw minstret, zero
	nop
	nop
	nop
	csrr a0, minstret
	CHECK(a0, 3)
	/* A loop of three instructions, a thousand times, and branches taken or not */
	li a1, 1000
	csrw minstret, zero
1:	nop
	addi a1, a1, -1
	bnez a1, 1b
	csrr a0, minstret
	CHECK(a0, 3000)
	li a1, 5
	csrr a2, minstret
	beqz a1, 1f
	j 1f
	nop
1:	csrr a0, minstret
	sub a0, a0, a2
	CHECK(a0, 3)
	/* The two counters and a write in between */
	li a1, -2
	csrw minstret, a1
	nop
	nop
	csrr a0, minstret
	CHECK(a0, 0)
	/* An instruction that traps does not count; csrw and mret of the handler do */
	la s1, 1f
	la a0, handler
	csrrw s0, mtvec, a0
	csrw minstret, zero
	ecall
1:	csrr a0, minstret
	csrw mtvec, s0
	CHECK(a0, 2)
	/* Stopped by mcountinhibit */
	csrw minstret, zero
	nop
	csrwi mcountinhibit, 4
	nop
	nop
	csrr a0, minstret
	csrw mcountinhibit, zero
	sltiu a0, a0, 3		/* the nop, and csrwi by either reading of the text */
	CHECK(a0, 1)
	PASS

	.balign 4
handler:
	csrw mepc, s1
	mret
