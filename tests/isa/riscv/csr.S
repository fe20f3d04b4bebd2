/* SPDX-License-Identifier: Apache-2.0 */
/* Zicsr (Unprivileged ISA 6) and which CSRs exist for whom (Privileged ISA 2) */
#include "test.h"

/* The CSR instruction reads `old`, and the register holds `new` afterwards */
#define CSR(op, old, new, src) t_csr __LINE__, op, old, new, src
#define CSRI(op, old, new, imm) t_csri __LINE__, op, old, new, imm

	.macro t_csr line, op, old, new, src
	li a1, \old
	csrw sscratch, a1
	li a1, \src
	\op a0, sscratch, a1
	t_check \line, a0, \old
	csrr a0, sscratch
	t_check \line, a0, \new
	li a0, \old
	csrw sscratch, a0
	\op a1, sscratch, a1	/* source and destination in one */
	t_check \line, a1, \old
	csrr a0, sscratch
	t_check \line, a0, \new
	li a0, \old
	csrw sscratch, a0
	li a1, \src
	\op zero, sscratch, a1
	csrr a0, sscratch
	t_check \line, a0, \new
	.endm

	.macro t_csri line, op, old, new, imm
	li a1, \old
	csrw sscratch, a1
	\op a0, sscratch, \imm
	t_check \line, a0, \old
	csrr a0, sscratch
	t_check \line, a0, \new
	.endm

	.globl test_main
test_main:
	CSR(csrrw, 0x1111111111111111, 0xfedcba9876543210, 0xfedcba9876543210)
	CSR(csrrw, -1, 0, 0)
	CSR(csrrs, 0xff00ff00ff00ff00, 0xff0fff0fff0fff0f, 0x0f0f0f0f0f0f0f0f)
	CSR(csrrc, 0xff00ff00ff00ff00, 0xf000f000f000f000, 0x0f0f0f0f0f0f0f0f)
	CSR(csrrs, 0x1234, 0x1234, 0)
	CSR(csrrc, 0x1234, 0x1234, 0)
	CSRI(csrrwi, -1, 31, 31)
	CSRI(csrrwi, 5, 0, 0)
	CSRI(csrrsi, 0x100, 0x11f, 31)
	CSRI(csrrci, -1, -32, 31)
	CSRI(csrrsi, 0x100, 0x100, 0)
	CSRI(csrrci, 0x100, 0x100, 0)

	/* Set and clear with x0 or 0 do not write, so they may read what is read-only */
	csrr a0, mhartid
	CHECK(a0, 0)
	LEGAL(csrrs a0, mhartid, zero)
	LEGAL(csrrc a0, mvendorid, zero)
	LEGAL(csrrsi a0, marchid, 0)
	LEGAL(csrrci a0, mimpid, 0)
	LEGAL(csrr a0, mconfigptr)
	/* Every other form writes, a write without a read too */
	ILLEGAL(csrrw a0, mhartid, zero)
	ILLEGAL(csrrw zero, mvendorid, zero)
	ILLEGAL(csrrwi a0, marchid, 0)
	ILLEGAL(csrrsi a0, mimpid, 1)
	ILLEGAL(csrrci a0, mimpid, 1)
	ILLEGAL(csrw cycle, zero)
	ILLEGAL(csrw time, zero)
	ILLEGAL(csrw instret, zero)

	/* CSRs that are not there; an illegal access leaves the destination */
	li a0, 0x55
	ILLEGAL(csrr a0, 0x000)	/* ustatus: no N extension */
	ILLEGAL(csrr a0, 0x005)
	ILLEGAL(csrr a0, 0x041)
	ILLEGAL(csrr a0, 0x102)	/* sedeleg */
	ILLEGAL(csrr a0, 0x200)	/* vsstatus: no hypervisor */
	ILLEGAL(csrr a0, 0x600)
	ILLEGAL(csrr a0, 0x310)	/* mstatush is RV32's */
	ILLEGAL(csrr a0, 0xc80)	/* cycleh too */
	ILLEGAL(csrr a0, 0xb80)
	ILLEGAL(csrr a0, 0x3a1)	/* odd pmpcfg */
	ILLEGAL(csrr a0, 0x3a3)
	ILLEGAL(csrr a0, 0x015)	/* seed: no Zkr */
	ILLEGAL(csrr a0, 0x008)	/* vstart: no vectors */
	ILLEGAL(csrr a0, 0x7c0)	/* custom */
	ILLEGAL(csrr a0, 0x8ff)
	ILLEGAL(csrr a0, 0xcff)
	ILLEGAL(csrr a0, 0xfff)
	ILLEGAL(csrw 0xbff, a1)
	CHECK(a0, 0x55)

	/* What must be there */
	.irp r, 0x300, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306, 0x30a, 0x320, 0x340, 0x341
	LEGAL(csrr a0, \r)
	.endr
	.irp r, 0x342, 0x343, 0x344
	LEGAL(csrr a0, \r)
	.endr
	.irp r, 0x100, 0x104, 0x105, 0x106, 0x10a, 0x140, 0x141, 0x142, 0x143, 0x144, 0x180
	LEGAL(csrr a0, \r)
	.endr
	.irp r, 0x3a0, 0x3a2, 0x3b0, 0x3b7, 0x3bf, 0xb00, 0xb02, 0xb03, 0xb1f, 0x323, 0x33f
	LEGAL(csrr a0, \r)
	.endr
	.irp r, 0xc00, 0xc01, 0xc02, 0xc03, 0xc1f, 0xf11, 0xf12, 0xf13, 0xf14, 0xf15
	LEGAL(csrr a0, \r)
	.endr

	/* Bits 9:8 of the number are the least mode that may touch it */
	SETUP_S
	li a0, 0x55
	.irp r, sstatus, sie, stvec, scounteren, sscratch, sepc, scause, stval, sip, satp, 0x10a
	IN_ILLEGAL(PRV_U, csrr a0, \r)
	IN_ILLEGAL(PRV_U, csrw \r, zero)
	IN_LEGAL(PRV_S, csrr a1, \r)
	.endr
	.irp r, mstatus, misa, medeleg, mideleg, mie, mtvec, mcounteren, 0x30a, mcountinhibit
	IN_ILLEGAL(PRV_U, csrr a0, \r)
	IN_ILLEGAL(PRV_S, csrr a0, \r)
	IN_ILLEGAL(PRV_S, csrw \r, zero)
	.endr
	.irp r, mscratch, mepc, mcause, mtval, mip, pmpcfg0, pmpaddr0, mcycle, minstret, mhartid
	IN_ILLEGAL(PRV_U, csrr a0, \r)
	IN_ILLEGAL(PRV_S, csrr a0, \r)
	.endr
	CHECK(a0, 0x55)
	li a0, MSTATUS_FS
	csrs mstatus, a0
	IN_LEGAL(PRV_U, csrw fcsr, zero)
	IN_LEGAL(PRV_U, csrr a0, frm)

	/* sstatus, sie and sip are windows of mstatus, mie and mip */
	li a0, MSTATUS_SUM | MSTATUS_MXR | MSTATUS_SPP | MSTATUS_SPIE
	csrs sstatus, a0
	csrr a1, mstatus
	and a1, a1, a0
	CHECK(a1, MSTATUS_SUM | MSTATUS_MXR | MSTATUS_SPP | MSTATUS_SPIE)
	csrc mstatus, a0
	csrr a1, sstatus
	and a1, a1, a0
	CHECK(a1, 0)
	/* and show nothing of M-mode's */
	li a0, MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MPRV | MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR
	csrs mstatus, a0
	csrr a1, sstatus
	and a1, a1, a0
	CHECK(a1, 0)
	csrc sstatus, a0
	csrr a1, mstatus
	and a1, a1, a0
	CHECK(a1, MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MPRV | MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR)
	csrc mstatus, a0
	PASS
