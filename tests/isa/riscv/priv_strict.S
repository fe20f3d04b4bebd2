/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Privilege, where QEMU 7.2 is not strict: mret and sret to a mode below M clear MPRV
 * (Privileged ISA 1.12, 3.1.6.3; it keeps it); bit 0 of mepc and sepc is always zero (3.1.14,
 * 4.1.7; it holds it).
 */
#include "test.h"

	.globl test_main
test_main:
	SETUP_S
	li s0, MSTATUS_MPRV
	.irp mode, PRV_S, PRV_U
	csrs mstatus, s0
	IN_TRAP(\mode, PRV_M, CAUSE_ECALL_U + \mode, 0, ecall)
	csrr t4, mscratch
	ld a0, CTX_STATUS(t4)
	and a0, a0, s0
	CHECK(a0, 0)
	.endr

	/* sret always returns below M */
	.irp spp, 0, MSTATUS_SPP
	t_arm 2f
	la a0, 1f
	csrw sepc, a0
	li a0, MSTATUS_SPP
	csrc mstatus, a0
	li a0, \spp | MSTATUS_MPRV
	csrs mstatus, a0
	sret
1:	csrr a0, mstatus
2:	RAN(PRV_M, CAUSE_ILLEGAL, 1b, ANY)
	ld a0, CTX_STATUS(t4)
	and a0, a0, s0
	CHECK(a0, 0)
	.endr

	li a0, -1
	csrw mepc, a0
	csrr a1, mepc
	CHECK(a1, -2)
	csrw sepc, a0
	csrr a1, sepc
	CHECK(a1, -2)
	PASS
