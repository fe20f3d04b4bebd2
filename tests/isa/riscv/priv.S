/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Privilege modes: traps, their stacks in mstatus, delegation, mret and sret, TVM, TW, TSR
 * (Privileged ISA 3.1.6 to 3.1.8, 3.3, 4.1).
 */
#include "test.h"

#define CHECK_STATUS(mask, want) t_status __LINE__, mask, want

	/* mstatus (sstatus, when S-mode took it) as the handler of the last trap saw it */
	.macro t_status line, mask, want
	csrr t4, mscratch
	ld a7, CTX_STATUS(t4)
	li a6, \mask
	and a7, a7, a6
	t_check \line, a7, \want
	.endm

	.macro status clear, set
	li a7, \clear
	csrc mstatus, a7
	li a7, \set
	csrs mstatus, a7
	.endm

	.globl test_main
test_main:
	SETUP_S
	/* ecall from each mode; the trap value is 0 */
	TRAP(CAUSE_ECALL_M, 0, ecall)
	IN_TRAP(PRV_S, PRV_M, CAUSE_ECALL_S, 0, ecall)
	IN_TRAP(PRV_U, PRV_M, CAUSE_ECALL_U, 0, ecall)
	IN_TRAP(PRV_S, PRV_M, CAUSE_BREAKPOINT, ANY, ebreak)
	IN_TRAP(PRV_U, PRV_M, CAUSE_BREAKPOINT, ANY, ebreak)
	IN_TRAP(PRV_U, PRV_M, CAUSE_ILLEGAL, ANY, .word 0)

	/* A trap into M-mode: MPP is the mode it came from, MPIE is MIE, MIE is 0 */
	status MSTATUS_MPIE, 0
	TRAP(CAUSE_ECALL_M, 0, ecall)
	CHECK_STATUS(MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE, MSTATUS_MPP)
	csrw mie, zero
	status 0, MSTATUS_MIE
	TRAP(CAUSE_ECALL_M, 0, ecall)
	CHECK_STATUS(MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE, MSTATUS_MPP | MSTATUS_MPIE)
	IN_TRAP(PRV_S, PRV_M, CAUSE_ECALL_S, 0, ecall)
	CHECK_STATUS(MSTATUS_MPP, PRV_S << 11)
	IN_TRAP(PRV_U, PRV_M, CAUSE_ECALL_U, 0, ecall)
	CHECK_STATUS(MSTATUS_MPP, PRV_U << 11)
	/* mret made MIE of MPIE, the trap makes MPIE of MIE */
	status MSTATUS_MPIE, 0
	IN_TRAP(PRV_U, PRV_M, CAUSE_ECALL_U, 0, ecall)
	CHECK_STATUS(MSTATUS_MPIE | MSTATUS_MIE, 0)
	status 0, MSTATUS_MPIE
	IN_TRAP(PRV_U, PRV_M, CAUSE_ECALL_U, 0, ecall)
	CHECK_STATUS(MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE, MSTATUS_MPIE)

	/* mret: MIE is MPIE, MPIE is 1, MPP is U; MPRV stays when it returns to M */
	la a0, 1f
	csrw mepc, a0
	status MSTATUS_MIE, MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MPRV
	mret
	j test_fail
1:	csrr a1, mstatus
	status MSTATUS_MPRV | MSTATUS_MIE, 0
	li a0, MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE | MSTATUS_MPRV
	and a1, a1, a0
	CHECK(a1, MSTATUS_MPIE | MSTATUS_MIE | MSTATUS_MPRV)
	la a0, 1f
	csrw mepc, a0
	status MSTATUS_MIE | MSTATUS_MPIE, MSTATUS_MPP
	mret
	j test_fail
1:	csrr a1, mstatus
	li a0, MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE
	and a1, a1, a0
	CHECK(a1, MSTATUS_MPIE)

	/* sret in M-mode: SIE is SPIE, SPIE is 1, SPP is U */
	t_arm 2f
	la a0, 1f
	csrw sepc, a0
	status MSTATUS_SIE, MSTATUS_SPP | MSTATUS_SPIE
	sret
	j test_fail
1:	csrr a1, sstatus		/* in S-mode now */
	csrr a0, mscratch		/* illegal: back */
2:	RAN(PRV_M, CAUSE_ILLEGAL, 1b + 4, ANY)
	CHECK_STATUS(MSTATUS_MPP, PRV_S << 11)
	li a0, MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE
	and a1, a1, a0
	CHECK(a1, MSTATUS_SPIE | MSTATUS_SIE)
	t_arm 2f
	la a0, 1f
	csrw sepc, a0
	status MSTATUS_SPP | MSTATUS_SPIE, MSTATUS_SIE
	sret
1:	csrr a1, sstatus		/* in U-mode: illegal */
2:	RAN(PRV_M, CAUSE_ILLEGAL, 1b, ANY)
	CHECK_STATUS(MSTATUS_MPP | MSTATUS_SPIE | MSTATUS_SIE, MSTATUS_SPIE)

	/* Who may return, and how: mret in M, sret in S and above */
	IN_ILLEGAL(PRV_S, mret)
	IN_ILLEGAL(PRV_U, mret)
	IN_ILLEGAL(PRV_U, sret)
	IN_ILLEGAL(PRV_U, sfence.vma)
	IN_ILLEGAL(PRV_U, sfence.vma a0)
	IN_LEGAL(PRV_S, sfence.vma)
	IN_LEGAL(PRV_S, sfence.vma a0, a1)
	LEGAL(sfence.vma)
	ILLEGAL(.word 0x00200073)	/* uret */
	ILLEGAL(.word 0x7b200073)	/* dret */
	ILLEGAL(.word 0x10200073 | 1 << 7)
	ILLEGAL(.word 0x30200073 | 1 << 15)
	ILLEGAL(.word 0x12000073 | 1 << 7)	/* sfence.vma with rd */
	ILLEGAL(.word 0x62000073)	/* hfence.gvma */

	/* TSR: sret in S is illegal, in M not */
	status 0, MSTATUS_TSR
	IN_ILLEGAL(PRV_S, sret)
	t_arm 2f
	la a0, 1f
	csrw sepc, a0
	status MSTATUS_SPIE | MSTATUS_SIE, MSTATUS_SPP
	sret
	j test_fail
1:	ecall
2:	RAN(PRV_M, CAUSE_ECALL_S, 1b, 0)
	status MSTATUS_TSR, 0

	/* TVM: satp and sfence.vma in S are illegal */
	status 0, MSTATUS_TVM
	IN_ILLEGAL(PRV_S, csrr a0, satp)
	IN_ILLEGAL(PRV_S, csrw satp, zero)
	IN_ILLEGAL(PRV_S, sfence.vma)
	LEGAL(csrr a0, satp)
	LEGAL(sfence.vma)
	status MSTATUS_TVM, 0
	IN_LEGAL(PRV_S, csrr a0, satp)

	/* TW: a wfi that nothing would end is illegal below M */
	csrw mie, zero
	status 0, MSTATUS_TW
	IN_ILLEGAL(PRV_S, wfi)
	IN_ILLEGAL(PRV_U, wfi)
	status MSTATUS_TW, 0

	/* wfi ends when an enabled interrupt is pending, though none is taken */
	csrwi mie, 2
	csrsi mip, 2
	LEGAL(wfi)
	csrwi mideleg, 2
	status MSTATUS_SIE, 0
	IN_LEGAL(PRV_S, wfi)
	csrw mideleg, zero
	csrw mie, zero
	csrci mip, 2

	/* The trap value of an illegal instruction is its bits */
	TRAP(CAUSE_ILLEGAL, 0xffffffff, .word 0xffffffff)
	TRAP(CAUSE_ILLEGAL, 0xbff01073, .word 0xbff01073)
	TRAP(CAUSE_ILLEGAL, 0x0205951b, .word 0x0205951b)
	TRAP(CAUSE_ILLEGAL, 0x8002, .word 0x00018002)
	TRAP(CAUSE_ILLEGAL, 0, .word 0xffff0000)
	IN_TRAP(PRV_U, PRV_M, CAUSE_ILLEGAL, 0x10002573, csrr a0, sstatus)

	/* Delegation: what medeleg names goes from S and U to S */
	li a0, 1 << CAUSE_ECALL_U | 1 << CAUSE_BREAKPOINT | 1 << CAUSE_ILLEGAL
	csrw medeleg, a0
	csrr a1, medeleg
	CHECK(a1, 1 << CAUSE_ECALL_U | 1 << CAUSE_BREAKPOINT | 1 << CAUSE_ILLEGAL)
	IN_TRAP(PRV_U, PRV_S, CAUSE_ECALL_U, 0, ecall)
	CHECK_STATUS(MSTATUS_SPP | MSTATUS_SIE, 0)
	IN_TRAP(PRV_U, PRV_S, CAUSE_ILLEGAL, 0x0205951b, .word 0x0205951b)
	IN_TRAP(PRV_S, PRV_S, CAUSE_ILLEGAL, ANY, csrr a0, mscratch)
	CHECK_STATUS(MSTATUS_SPP, MSTATUS_SPP)
	IN_TRAP(PRV_S, PRV_S, CAUSE_BREAKPOINT, ANY, ebreak)
	/* SPIE is SIE, SIE is 0 */
	csrw sie, zero
	status 0, MSTATUS_SIE
	IN_TRAP(PRV_S, PRV_S, CAUSE_BREAKPOINT, ANY, ebreak)
	CHECK_STATUS(MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE, MSTATUS_SPP | MSTATUS_SPIE)
	status MSTATUS_SIE, 0
	IN_TRAP(PRV_U, PRV_S, CAUSE_BREAKPOINT, ANY, ebreak)
	CHECK_STATUS(MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE, 0)
	/* What it does not name, and what happens in M-mode, goes to M */
	IN_TRAP(PRV_S, PRV_M, CAUSE_ECALL_S, 0, ecall)
	TRAP(CAUSE_BREAKPOINT, ANY, ebreak)
	csrr t4, mscratch
	ld a0, CTX_MODE(t4)
	CHECK(a0, PRV_M)
	ILLEGAL(.word 0)
	/* A delegated trap leaves M's registers alone */
	li a0, 0x1234
	csrw mtval, a0
	li a0, 5
	csrw mcause, a0
	t_arm 2f
	la a0, 3f
	csrw stvec, a0
	la a0, 1f
	csrw mepc, a0
	status MSTATUS_MPP, PRV_S << 11
	mret
1:	ebreak
	.balign 4
3:	j 1f
	.balign 4
1:	csrr a0, sepc
	csrr a1, scause
	ecall
2:	CHECK(a1, CAUSE_BREAKPOINT)
	la a2, 1b
	sltu a0, a0, a2
	CHECK(a0, 1)
	la a0, trap_s
	csrw stvec, a0
	csrw medeleg, zero

	/* mepc holds an odd halfword; mtvec no reserved mode */
	li a0, 0x80001002
	csrw mepc, a0
	csrr a1, mepc
	CHECK(a1, 0x80001002)
	csrr a2, mtvec
	la a0, trap_m + 2
	csrw mtvec, a0
	csrr a1, mtvec
	csrw mtvec, a2
	andi a1, a1, 2
	CHECK(a1, 0)

	/* The cause registers hold every standard cause */
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15
	li a0, \n
	csrw mcause, a0
	csrr a1, mcause
	CHECK(a1, \n)
	csrw scause, a0
	csrr a1, scause
	CHECK(a1, \n)
	.endr
	.irp n, 1, 3, 5, 7, 9, 11
	li a0, CAUSE_INTERRUPT + \n
	csrw mcause, a0
	csrr a1, mcause
	CHECK(a1, CAUSE_INTERRUPT + \n)
	.endr
	li a0, 0xfedcba9876543210
	csrw mtval, a0
	csrw stval, a0
	csrr a1, mtval
	CHECK(a1, 0xfedcba9876543210)
	csrr a1, stval
	CHECK(a1, 0xfedcba9876543210)
	PASS
