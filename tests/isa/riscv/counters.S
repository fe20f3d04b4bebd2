/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters: mcycle, minstret, time, mcountinhibit, mcounteren and scounteren (Privileged ISA
 * 3.1.10 to 3.1.12, 4.1.5; Zicntr, Zihpm).
 */
#include "test.h"

#define MTIME 0x200bff8

/* The instruction sets a0 lower than its second run sets a1 */
#define GROWS(...) t_grows __LINE__, #__VA_ARGS__

	.macro t_grows line, read
	\read
	mv a1, a0
	li a2, 1000
9991:	addi a2, a2, -1
	bnez a2, 9991b
	\read
	sltu a0, a1, a0
	t_check \line, a0, 1
	.endm

	.globl test_main
test_main:
	SETUP_S
	csrw mcountinhibit, zero
	GROWS(csrr a0, mcycle)
	GROWS(csrr a0, minstret)
	GROWS(csrr a0, cycle)
	GROWS(csrr a0, instret)
	/* time is the board's mtime */
	csrr a0, time
1:	csrr a1, time
	beq a0, a1, 1b
	sltu a0, a0, a1
	CHECK(a0, 1)
	li a3, MTIME
	csrr a0, time
	ld a1, (a3)
	csrr a2, time
	sltu a0, a1, a0
	CHECK(a0, 0)
	sltu a0, a2, a1
	CHECK(a0, 0)

	/* Writable, all 64 bits */
	li a0, 0x7fffffff00000000
	csrw mcycle, a0
	csrw minstret, a0
	csrr a1, mcycle
	srli a1, a1, 32
	CHECK(a1, 0x7fffffff)
	csrr a1, cycle
	srli a1, a1, 32
	CHECK(a1, 0x7fffffff)
	csrr a1, minstret
	srli a1, a1, 32
	CHECK(a1, 0x7fffffff)
	csrr a1, instret
	srli a1, a1, 32
	CHECK(a1, 0x7fffffff)

	/* mcountinhibit has a bit for each; counting goes on when it is cleared */
	li a0, -1
	csrw mcountinhibit, a0
	csrr a0, mcountinhibit
	andi a0, a0, 5
	CHECK(a0, 5)
	csrw mcountinhibit, zero
	GROWS(csrr a0, mcycle)
	GROWS(csrr a0, minstret)

	/* mcounteren opens the user counters to S and, with scounteren, to U */
	csrw mcounteren, zero
	csrw scounteren, zero
	.irp r, cycle, time, instret, hpmcounter3, hpmcounter31
	LEGAL(csrr a0, \r)
	IN_ILLEGAL(PRV_S, csrr a0, \r)
	IN_ILLEGAL(PRV_U, csrr a0, \r)
	.endr
	li a0, -1
	csrw scounteren, a0
	.irp r, cycle, time, instret
	IN_ILLEGAL(PRV_S, csrr a0, \r)
	IN_ILLEGAL(PRV_U, csrr a0, \r)
	.endr
	li a0, -1
	csrw mcounteren, a0
	csrr a0, mcounteren
	andi a0, a0, 7
	CHECK(a0, 7)
	csrr a0, scounteren
	andi a0, a0, 7
	CHECK(a0, 7)
	csrw scounteren, zero
	.irp r, cycle, time, instret
	IN_LEGAL(PRV_S, csrr a0, \r)
	IN_ILLEGAL(PRV_U, csrr a0, \r)
	.endr
	/* Each has its own bit */
	csrwi mcounteren, 2
	csrwi scounteren, 2
	IN_LEGAL(PRV_U, csrr a0, time)
	IN_ILLEGAL(PRV_S, csrr a0, cycle)
	IN_ILLEGAL(PRV_U, csrr a0, instret)
	csrwi mcounteren, 5
	csrwi scounteren, 4
	IN_ILLEGAL(PRV_S, csrr a0, time)
	IN_LEGAL(PRV_S, csrr a0, cycle)
	IN_ILLEGAL(PRV_U, csrr a0, cycle)
	IN_LEGAL(PRV_U, csrr a0, instret)
	/* Reading in U gives the counter */
	csrw mcountinhibit, zero
	li a0, 0x1234567800000000
	csrw minstret, a0
	li a0, 0
	RUN(PRV_U, read_instret)
	RAN(PRV_M, CAUSE_ECALL_U, read_instret + 4, 0)
	srli a0, a0, 32
	CHECK(a0, 0x12345678)
	PASS

read_instret:
	csrr a0, instret
	ecall
