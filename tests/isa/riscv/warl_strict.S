/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields that hold only legal values, where QEMU 7.2 is not strict: mstatus.MPP never reads as
 * the reserved mode 2 (Privileged ISA 3.1.6.1); medeleg has no bit for ecall from M (3.1.8);
 * mcountinhibit has no bit for time and holds the counters it names (3.1.12).
 */
#include "test.h"

	.globl test_main
test_main:
	li a0, MSTATUS_MPP
	csrs mstatus, a0
	li a0, 1 << 11
	csrc mstatus, a0
	csrr a0, mstatus
	srli a0, a0, 11
	andi a0, a0, 3
	addi a0, a0, -2
	sltu a0, zero, a0
	CHECK(a0, 1)
	li a0, -1
	csrw mcountinhibit, a0
	csrr a0, mcountinhibit
	andi a0, a0, 2
	CHECK(a0, 0)
	csrr a0, medeleg
	li a1, -1
	csrw medeleg, a1
	csrr a1, medeleg
	csrw medeleg, a0
	li a0, 1 << 11
	and a1, a1, a0
	CHECK(a1, 0)
	/* both inhibited since the write above */
	csrr a0, mcycle
	csrr a1, minstret
	nop
	nop
	csrr a2, mcycle
	csrr a3, minstret
	sub a2, a2, a0
	CHECK(a2, 0)
	sub a3, a3, a1
	CHECK(a3, 0)
	PASS
