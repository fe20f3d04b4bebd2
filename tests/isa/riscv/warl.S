/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that hold only legal values, and identity registers (Privileged ISA 2.3, 3.1, 4.1) */
#include "test.h"

/* Write all ones, then zeros: these bits of the CSR read one after / are zero always */
#define HOLDS(csr, mask) t_holds __LINE__, csr, mask
#define ZERO(csr, mask) t_zero __LINE__, csr, mask

	.macro t_holds line, csr, mask
	csrr s1, \csr
	li a0, \mask
	csrw \csr, a0
	csrr a1, \csr
	and a1, a1, a0
	t_check \line, a1, \mask
	csrw \csr, zero
	csrr a1, \csr
	and a1, a1, a0
	csrw \csr, s1
	t_check \line, a1, 0
	.endm

	.macro t_zero line, csr, mask
	csrr s1, \csr
	li a0, -1
	csrw \csr, a0
	csrr a1, \csr
	csrw \csr, s1
	li a0, \mask
	and a1, a1, a0
	t_check \line, a1, 0
	.endm

	.globl test_main
test_main:
	/* misa: MXL 64, IMAFDC, S and U */
	csrr a0, misa
	srli a1, a0, 62
	CHECK(a1, 2)
	li a1, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 8 | 1 << 12 | 1 << 18 | 1 << 20
	and a0, a0, a1
	CHECK(a0, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 8 | 1 << 12 | 1 << 18 | 1 << 20)
	/* A write of what it holds changes nothing; E is the complement of I */
	csrr a0, misa
	csrw misa, a0
	csrr a1, misa
	xor a0, a0, a1
	CHECK(a0, 0)
	srli a1, a1, 4
	andi a1, a1, 1
	CHECK(a1, 0)

	/* mstatus: S and U are 64 bits wide, XS and VS are nothing here */
	csrr a0, mstatus
	srli a1, a0, 32
	andi a1, a1, 15
	CHECK(a1, 0xa)
	srli a1, a0, 15
	andi a1, a1, 3
	CHECK(a1, 0)
	HOLDS(mstatus, MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_MPIE | MSTATUS_SPP | MSTATUS_MPP)
	HOLDS(mstatus, MSTATUS_SUM | MSTATUS_MXR | MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR)
	HOLDS(mstatus, MSTATUS_FS)
	/* MPP holds U, S, M */
	.irp m, 0, 1, 3
	li a0, MSTATUS_MPP
	csrc mstatus, a0
	li a0, \m << 11
	csrs mstatus, a0
	csrr a0, mstatus
	srli a0, a0, 11
	andi a0, a0, 3
	CHECK(a0, \m)
	.endr

	/* Exceptions that may be delegated */
	HOLDS(medeleg, 0xb1ff & ~(1 << 0 | 1 << 9))
	HOLDS(medeleg, 1 << 9)
	HOLDS(mideleg, 0x222)
	ZERO(mideleg, 0xc111)
	HOLDS(mie, 0xaaa)
	ZERO(mie, 0xffff & ~0xaaa & ~0x2000 & ~0x1444)
	HOLDS(mip, 0x222)
	HOLDS(mcounteren, 7)
	HOLDS(scounteren, 7)
	HOLDS(mscratch, -1 << 7)
	HOLDS(sscratch, -1)
	HOLDS(mtval, -1)
	HOLDS(stval, -1)

	/* Trap vectors: four-byte aligned, direct and vectored */
	csrr s2, mtvec
	.irp m, 0, 1
	li a0, 0x80001000 + \m
	csrw mtvec, a0
	csrr a1, mtvec
	csrw mtvec, s2
	CHECK(a1, 0x80001000 + \m)
	csrw stvec, a0
	csrr a1, stvec
	CHECK(a1, 0x80001000 + \m)
	.endr

	/* Interrupt-pending bits that the hardware drives do not follow writes */
	csrw mie, zero
	csrw mideleg, zero
	li a0, 0x888
	csrr a2, mip
	csrs mip, a0
	csrr a1, mip
	and a1, a1, a0
	and a2, a2, a0
	xor a1, a1, a2
	CHECK(a1, 0)

	/* satp: all three schemes and Bare, the whole page number */
	.irp mode, 8, 9, 10
	li a0, \mode << 60 | 0xfffffffffff
	csrw satp, a0
	csrr a1, satp
	CHECK(a1, \mode << 60 | 0xfffffffffff)
	.endr
	csrw satp, zero
	csrr a1, satp
	CHECK(a1, 0)

	/* Identity: hart 0, and no vendor's identity without a vendor */
	csrr a0, mhartid
	CHECK(a0, 0)
	csrr a0, mvendorid
	CHECK(a0, 0)
	csrr a0, mconfigptr
	CHECK(a0, 0)
	PASS
