/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts on one hart: CLINT software and timer, mip/sip injection, enables, delegation,
 * priority, vectored mode (Privileged ISA 3.1.7 to 3.1.9, 3.2.1, 4.1.3).
 */
#include "irq.h"

	.globl test_main
test_main:
	SETUP_S
	csrw mie, zero
	csrw mideleg, zero
	li s0, CLINT_MSIP
	li s1, CLINT_MTIMECMP
	li s2, CLINT_MTIME
	li a0, -1
	sd a0, 0(s1)

	/* msip: writes of bit 0 make MSIP; the other bits read 0; mip cannot change it */
	wait_mip BIT(MSI), 0
	li a0, -1
	sw a0, 0(s0)
	wait_mip BIT(MSI), 1
	lw a1, 0(s0)
	CHECK(a1, 1)
	DROP(BIT(MSI))
	csrr a0, mip
	andi a0, a0, BIT(MSI)
	CHECK(a0, BIT(MSI))
	TAKES_NONE		/* not enabled */
	SET(mie, BIT(MSI))
	TAKES(MSI)
	/* MIE is off in M-mode: pending, not taken; below M always taken */
	LEGAL(nop)
	IN_TAKES(PRV_S, PRV_M, MSI)
	IN_TAKES(PRV_U, PRV_M, MSI)
	sw zero, 0(s0)
	wait_mip BIT(MSI), 0
	TAKES_NONE

	/* Timer: MTIP is mtime >= mtimecmp; mtimecmp reads back; mtime moves */
	ld a0, 0(s1)
	CHECK(a0, -1)
	SET(mie, BIT(MTI))
	TAKES_NONE
	sd zero, 0(s1)
	wait_mip BIT(MTI), 1
	TAKES(MTI)
	IN_TAKES(PRV_U, PRV_M, MTI)
	DROP(BIT(MTI))
	TAKES(MTI)
	ld a0, 0(s2)
1:	ld a1, 0(s2)
	beq a0, a1, 1b
	sltu a0, a0, a1
	CHECK(a0, 1)
	/* A moment ahead: wfi sleeps until then, with MIE off */
6:	ld a0, 0(s2)
	li a1, 20000		/* 2 ms of the board's 10 MHz */
	add s3, a0, a1
	sd s3, 0(s1)
7:	csrr a0, mip
	andi a0, a0, BIT(MTI)
	beqz a0, 8f
	/* Pending still, or again because this hart was held up: then from the beginning. */
	ld a0, 0(s2)
	bltu a0, s3, 7b
	j 6b
8:	wfi
	csrr a0, mip
	andi a0, a0, BIT(MTI)
	beqz a0, 8b
	ld a0, 0(s2)
	sltu a0, a0, s3
	CHECK(a0, 0)
	TAKES(MTI)
	/* The halves of mtimecmp are registers too */
	li a0, -1
	sw a0, 4(s1)
	wait_mip BIT(MTI), 0
	sw zero, 0(s1)
	ld a0, 0(s1)
	CHECK(a0, 0xffffffff00000000)
	li a0, -1
	sd a0, 0(s1)
	csrw mie, zero

	/* S-mode interrupts by injection: without delegation they are M's */
	RAISE(BIT(SSI))
	TAKES_NONE
	SET(mie, BIT(SSI))
	TAKES(SSI)
	IN_TAKES(PRV_S, PRV_M, SSI)
	DROP(BIT(SSI))
	SET(mie, BIT(STI))
	RAISE(BIT(STI))
	TAKES(STI)
	DROP(BIT(STI))
	SET(mie, BIT(SEI))
	RAISE(BIT(SEI))
	TAKES(SEI)
	DROP(BIT(SEI))
	TAKES_NONE

	/* Delegated: never in M, in S as SIE says, in U always */
	SET(mideleg, BIT(SSI) | BIT(STI) | BIT(SEI))
	csrr a0, mideleg
	CHECK(a0, BIT(SSI) | BIT(STI) | BIT(SEI))
	.irp n, SSI, STI, SEI
	SET(mie, BIT(\n))
	RAISE(BIT(\n))
	TAKES_NONE
	sie 0
	IN_TAKES_NONE(PRV_S)
	IN_TAKES(PRV_U, PRV_S, \n)
	sie 1
	IN_TAKES(PRV_S, PRV_S, \n)
	csrw mie, zero
	IN_TAKES_NONE(PRV_U)
	DROP(BIT(\n))
	.endr
	sie 0

	/* sip and sie show what is delegated only; SSIP is writable through sip, STIP, SEIP not */
	li a0, BIT(SSI) | BIT(STI) | BIT(SEI)
	csrs mip, a0
	csrs mie, a0
	csrr a1, sip
	CHECK(a1, BIT(SSI) | BIT(STI) | BIT(SEI))
	csrr a1, sie
	CHECK(a1, BIT(SSI) | BIT(STI) | BIT(SEI))
	csrw sip, zero
	csrr a1, sip
	CHECK(a1, BIT(STI) | BIT(SEI))
	csrsi sip, BIT(SSI)
	csrr a1, mip
	and a1, a1, a0
	CHECK(a1, BIT(SSI) | BIT(STI) | BIT(SEI))
	csrw sie, zero
	csrr a1, mie
	CHECK(a1, 0)
	csrw mideleg, zero
	csrr a1, sip
	CHECK(a1, 0)
	csrs sie, a0
	csrr a1, mie
	CHECK(a1, 0)
	csrc mip, a0
	/* M's own are not in sip, sie */
	SET(mideleg, BIT(SSI) | BIT(STI) | BIT(SEI))
	SET(mie, BIT(MSI) | BIT(MTI) | BIT(MEI))
	csrr a1, sie
	CHECK(a1, 0)
	csrw mie, zero

	/* What goes to M comes before what goes to S, whatever the kind */
	sd zero, 0(s1)
	wait_mip BIT(MTI), 1
	RAISE(BIT(SSI) | BIT(STI) | BIT(SEI))
	SET(mideleg, BIT(SEI) | BIT(SSI))
	SET(mie, BIT(STI) | BIT(SEI) | BIT(SSI))
	IN_TAKES(PRV_U, PRV_M, STI)
	SET(mideleg, BIT(SEI) | BIT(SSI) | BIT(STI))
	SET(mie, BIT(SEI) | BIT(MTI))
	IN_TAKES(PRV_U, PRV_M, MTI)
	csrw mie, zero
	li a0, -1
	sd a0, 0(s1)
	DROP(BIT(SSI) | BIT(STI) | BIT(SEI))
	csrw mideleg, zero

	/* An interrupt becomes visible when its enable is written, and on mret */
	RAISE(BIT(SSI))
	csrsi mstatus, MSTATUS_MIE
	t_arm 2f
	li gp, __LINE__
	csrwi mie, BIT(SSI)
1:	ecall
2:	t_disarm __LINE__, CAUSE_INTERRUPT + SSI
	ld a0, CTX_EPC(t4)
	CHECK_ADDR(a0, 1b)
	t_arm 2f
	la a0, 1f
	csrw mepc, a0
	li a0, MSTATUS_MPP | MSTATUS_MPIE
	csrs mstatus, a0
	mret
	nop
1:	ecall
2:	t_disarm __LINE__, CAUSE_INTERRUPT + SSI
	ld a0, CTX_EPC(t4)
	CHECK_ADDR(a0, 1b)
	/* and when it is raised */
	DROP(BIT(SSI))
	csrsi mstatus, MSTATUS_MIE
	t_arm 2f
	csrsi mip, BIT(SSI)
1:	ecall
2:	t_disarm __LINE__, CAUSE_INTERRUPT + SSI
	ld a0, CTX_EPC(t4)
	CHECK_ADDR(a0, 1b)
	/* sret in S-mode with SPIE: delegated, taken at its target */
	SET(mideleg, BIT(SSI))
	j 3f
1:	sret
2:	ecall
3:	la a0, 2b
	csrw sepc, a0
	li a0, MSTATUS_SPP | MSTATUS_SPIE
	csrs mstatus, a0
	sie 0
	RUN(PRV_S, 1b)
	RAN(PRV_S, CAUSE_INTERRUPT + SSI, 2b, 0)
	csrw mideleg, zero

	/* The timer ends a loop that does nothing else, in every mode, at its one instruction */
	j 3f
1:	j 1b
2:	j 3f
3:	csrw mie, zero
	li a0, -1
	sd a0, 0(s1)
	SET(mie, BIT(MTI))
	.irp mode, PRV_M, PRV_S, PRV_U
	wait_mip BIT(MTI), 0
	li a0, MSTATUS_MPIE
	csrs mstatus, a0
	ld a0, 0(s2)
	li a1, 10000
	add a0, a0, a1
	sd a0, 0(s1)
	RUN(\mode, 1b)
	RAN(PRV_M, CAUSE_INTERRUPT + MTI, 1b, 0)
	li a0, -1
	sd a0, 0(s1)
	.endr
	csrw mie, zero
	RAISE(BIT(SSI))
	SET(mie, BIT(SSI))

	/* Vectored: interrupts at base + 4 * cause, exceptions at base */
	csrr s4, mtvec
	la a0, vector_m + 1
	csrw mtvec, a0
	csrr a1, mtvec
	la a0, vector_m + 1
	sub a1, a1, a0
	CHECK(a1, 0)
	li a3, 0
	la a4, 1f
	csrsi mstatus, MSTATUS_MIE
	nop
1:	csrci mstatus, MSTATUS_MIE
	CHECK(a3, SSI)
	DROP(BIT(SSI))
	SET(mie, BIT(SEI))
	RAISE(BIT(SEI))
	la a4, 1f
	csrsi mstatus, MSTATUS_MIE
	nop
1:	csrci mstatus, MSTATUS_MIE
	CHECK(a3, SEI)
	DROP(BIT(SEI))
	la a4, 1f
	li a3, 77
	ecall
1:	CHECK(a3, 0)
	csrw mtvec, s4
	/* The same for stvec */
	SET(mideleg, BIT(STI))
	SET(mie, BIT(STI))
	RAISE(BIT(STI))
	la a0, vector_s + 1
	csrw stvec, a0
	la a4, 2f
	sie 1
	t_arm 3f
	la a0, 1f
	csrw mepc, a0
	li a0, MSTATUS_MPP
	csrc mstatus, a0
	mret			/* to U */
1:	j 1b
2:	ecall
3:	RAN(PRV_M, CAUSE_ECALL_S, 2b, 0)
	CHECK(a3, STI)
	PASS

	/* a3: which entry; go on at a4 in the same mode */
	.option push
	.option norelax
	.balign 256
vector_m:
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	j entry_m_\n
	.endr
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
entry_m_\n:
	li a3, \n
	j leave_m
	.endr
leave_m:
	li a5, MSTATUS_MPIE	/* what is pending stays so: do not take it again */
	csrc mstatus, a5
	csrw mepc, a4
	mret
	.balign 256
vector_s:
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	j entry_s_\n
	.endr
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
entry_s_\n:
	li a3, \n
	jr a4
	.endr
	.option pop
