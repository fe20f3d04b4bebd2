/* SPDX-License-Identifier: Apache-2.0 */
/*
 * F, D, Zfh beside arithmetic: registers and moves, NaN boxing, loads and stores, fcsr,
 * rounding modes, mstatus.FS (Unprivileged ISA 20 to 22, Privileged ISA 3.1.6.6).
 * The arithmetic itself is in fpvec.S.
 */
#include "test.h"
	.option arch, +zfh

#define FS_OFF(reg) li reg, MSTATUS_FS; csrc mstatus, reg
#define FS_SET(reg, n) li reg, MSTATUS_FS; csrc mstatus, reg; li reg, (n) << 13; csrs mstatus, reg
#define CHECK_FS(n) t_check_fs __LINE__, n
/* The instruction makes FS dirty */
#define DIRTIES(...) t_dirties __LINE__, 3, #__VA_ARGS__
/* Result of an instruction on raw 64-bit register contents */
#define RAW2(op, want, a, b) t_raw2 __LINE__, op, want, a, b
#define RAW1(op, want, a) t_raw1 __LINE__, op, want, a

	.macro t_check_fs line, n
	csrr a7, mstatus
	srli a6, a7, 63			/* SD sums FS up */
	srli a7, a7, 13
	andi a7, a7, 3
	t_check \line, a7, \n
	t_check \line, a6, \n / 3
	.endm

	.macro t_dirties line, n, insn
	FS_SET(a7, 2)
	\insn
	t_check_fs \line, \n
	.endm

	.macro t_raw2 line, op, want, a, b
	li a1, \a
	fmv.d.x fa1, a1
	li a1, \b
	fmv.d.x fa2, a1
	\op fa0, fa1, fa2
	fmv.x.d a0, fa0
	t_check \line, a0, \want
	.endm

	.macro t_raw1 line, op, want, a
	li a1, \a
	fmv.d.x fa1, a1
	\op a0, fa1
	t_check \line, a0, \want
	.endm

	.globl test_main
test_main:
	/* FS off: every access is illegal, CSRs too */
	FS_OFF(a0)
	la a1, area
	ILLEGAL(fadd.s fa0, fa1, fa2)
	ILLEGAL(fadd.d fa0, fa1, fa2)
	ILLEGAL(fadd.h fa0, fa1, fa2)
	ILLEGAL(fmadd.d fa0, fa1, fa2, fa3)
	ILLEGAL(flw fa0, 0(a1))
	ILLEGAL(fld fa0, 0(a1))
	ILLEGAL(flh fa0, 0(a1))
	ILLEGAL(fsw fa0, 0(a1))
	ILLEGAL(fsd fa0, 0(a1))
	ILLEGAL(fsh fa0, 0(a1))
	ILLEGAL(fmv.x.w a0, fa0)
	ILLEGAL(fmv.d.x fa0, a0)
	ILLEGAL(feq.d a0, fa0, fa0)
	ILLEGAL(fclass.s a0, fa0)
	ILLEGAL(fsgnj.d fa0, fa0, fa0)
	ILLEGAL(csrr a0, fcsr)
	ILLEGAL(csrr a0, frm)
	ILLEGAL(csrw fflags, a0)
	.option push
	.option rvc
	ILLEGAL(c.fld fa0, 0(a1))
	ILLEGAL(c.fsdsp fa0, 0(sp))
	.balign 4
	.option pop
	csrr a0, mstatus
	srli a0, a0, 63
	CHECK(a0, 0)

	/* FS holds what is written, and SD follows */
	FS_SET(a0, 1)
	CHECK_FS(1)
	FS_SET(a0, 2)
	CHECK_FS(2)
	FS_SET(a0, 3)
	CHECK_FS(3)

	/* What changes floating-point state makes it dirty; what only reads it need not, and an
	 * implementation may be imprecise there, so nothing is asked of it */
	DIRTIES(fmv.w.x fa0, zero)
	DIRTIES(fmv.d.x fa0, zero)
	DIRTIES(fadd.d fa0, fa0, fa0)
	DIRTIES(flw fa0, 0(a1))
	DIRTIES(fld fa0, 0(a1))
	DIRTIES(flh fa0, 0(a1))
	DIRTIES(fsgnj.s fa0, fa0, fa0)
	DIRTIES(csrw fcsr, zero)
	DIRTIES(csrw frm, zero)
	DIRTIES(csrwi fflags, 31)
	DIRTIES(fcvt.d.w fa0, zero)
	FS_SET(a7, 3)

	/* 32 registers of their own */
	.irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	li a0, 0x4000000000000000 + (\r << 32) + \r
	fmv.d.x f\r, a0
	.endr
	.irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fmv.x.d a0, f\r
	t_check __LINE__, a0, 0x4000000000000000 + (\r << 32) + \r
	.endr

	/* Moves and loads box the narrow ones; moves out and stores do not look at the box */
	li a0, 0x123456789abcdef0
	fmv.w.x fa0, a0
	fmv.x.d a1, fa0
	CHECK(a1, 0xffffffff9abcdef0)
	fmv.h.x fa0, a0
	fmv.x.d a1, fa0
	CHECK(a1, 0xffffffffffffdef0)
	fmv.d.x fa0, a0
	fmv.x.w a1, fa0
	CHECK(a1, 0xffffffff9abcdef0)
	fmv.x.h a1, fa0
	CHECK(a1, 0xffffffffffffdef0)
	li a0, 0x123456781abc5ef0
	fmv.d.x fa0, a0
	fmv.x.w a1, fa0
	CHECK(a1, 0x1abc5ef0)
	fmv.x.h a1, fa0
	CHECK(a1, 0x5ef0)
	la a2, area
	sd a0, 0(a2)
	flw fa1, 0(a2)
	fmv.x.d a1, fa1
	CHECK(a1, 0xffffffff1abc5ef0)
	flh fa1, 2(a2)
	fmv.x.d a1, fa1
	CHECK(a1, 0xffffffffffff1abc)
	fld fa1, 0(a2)
	fmv.x.d a1, fa1
	CHECK(a1, 0x123456781abc5ef0)
	sd zero, 0(a2)
	fsw fa1, 4(a2)
	ld a1, 0(a2)
	CHECK(a1, 0x1abc5ef000000000)
	sd zero, 0(a2)
	fsh fa1, 2(a2)
	ld a1, 0(a2)
	CHECK(a1, 0x5ef00000)
	fsd fa1, 0(a2)
	ld a1, 0(a2)
	CHECK(a1, 0x123456781abc5ef0)
	/* Signalling NaNs pass through loads, moves and stores, no flag */
	csrw fflags, zero
	li a0, 0x7ff0000000000001
	sd a0, 0(a2)
	fld fa1, 0(a2)
	fsd fa1, 8(a2)
	ld a1, 8(a2)
	CHECK(a1, 0x7ff0000000000001)
	li a0, 0x7f800001
	fmv.w.x fa1, a0
	fsw fa1, 8(a2)
	lwu a1, 8(a2)
	CHECK(a1, 0x7f800001)
	csrr a1, fflags
	CHECK(a1, 0)

	/* Offsets at both edges, and misaligned accesses across a page */
	la a2, page + 2040
	li a0, 0x1122334455667788
	sd a0, -2048(a2)
	fld fa0, -2048(a2)
	fmv.x.d a1, fa0
	CHECK(a1, 0x1122334455667788)
	flw fa0, -2046(a2)
	fmv.x.d a1, fa0
	CHECK(a1, 0xffffffff33445566)
	la a2, page - 3
	fmv.d.x fa0, a0
	fsd fa0, 0(a2)
	ld a1, 0(a2)
	CHECK(a1, 0x1122334455667788)
	fld fa1, 0(a2)
	fmv.x.d a1, fa1
	CHECK(a1, 0x1122334455667788)
	fsw fa0, 1(a2)
	flw fa1, 1(a2)
	fmv.x.d a1, fa1
	CHECK(a1, 0x55667788 | 0xffffffff00000000)

	/* Improperly boxed operands count as the canonical NaN of the format */
	csrw fflags, zero
	RAW2(fadd.s, 0xffffffff7fc00000, 0x3f800000, 0xffffffff3f800000)
	RAW2(fadd.s, 0xffffffff40000000, 0xffffffff3f800000, 0xffffffff3f800000)
	RAW2(fsgnj.s, 0xffffffff7fc00000, 0x3f800000, 0xffffffff3f800000)
	RAW2(fsgnj.s, 0xffffffffffc00000, 0x3f800000, 0xffffffffbf800000)
	RAW2(fsgnj.s, 0xffffffff3f800000, 0xffffffffbf800000, 0xbf800000)
	RAW2(fsgnjx.s, 0xffffffffbf800000, 0xffffffffbf800000, 0xbf800000)
	RAW2(fmin.s, 0xffffffffbf800000, 0x0, 0xffffffffbf800000)
	RAW2(fmax.s, 0xffffffff7fc00000, 0x0, 0x7ff0000000000000)
	RAW2(fsgnjn.h, 0xffffffffffffbc00, 0xffffffffffff3c00, 0xffffffffffff0000)
	RAW2(fsgnj.h, 0xffffffffffff7e00, 0xffffffff00003c00, 0xffffffffffff3c00)
	RAW2(fadd.h, 0xffffffffffff7e00, 0xfffffffffff03c00, 0xffffffffffff3c00)
	RAW1(fclass.s, 0x200, 0x3f800000)
	RAW1(fclass.s, 0x040, 0xffffffff3f800000)
	RAW1(fclass.s, 0x200, 0x7fffffff3f800000)
	RAW1(fclass.h, 0x200, 0xffffffff00003c00)
	RAW1(fclass.h, 0x040, 0xffffffffffff3c00)
	RAW1(fclass.d, 0x100, 0xfff0000000000001)
	RAW1(fcvt.w.s, 0x7fffffff, 0x3f800000)
	RAW1(fcvt.lu.h, -1, 0x3c00)
	csrr a0, fflags
	CHECK(a0, 0x10)		/* the two conversions of a NaN */

	/* fcsr, frm and fflags are windows of one register; upper bits read zero */
	li a0, -1
	csrw fcsr, a0
	csrr a1, fcsr
	CHECK(a1, 0xff)
	csrr a1, frm
	CHECK(a1, 7)
	csrr a1, fflags
	CHECK(a1, 31)
	csrw fcsr, zero
	csrwi frm, 3
	csrwi fflags, 0x15
	csrr a1, fcsr
	CHECK(a1, 0x75)
	csrw frm, a0
	csrr a1, fcsr
	CHECK(a1, 0xf5)
	csrrci a1, frm, 2
	CHECK(a1, 7)
	csrrsi a1, fflags, 2
	CHECK(a1, 0x15)
	csrr a1, fcsr
	CHECK(a1, 0xb7)
	csrrw a1, fcsr, zero
	CHECK(a1, 0xb7)
	/* Flags accumulate: each operation adds its own */
	fmv.d.x fa0, zero
	li a0, 0x3ff0000000000000
	fmv.d.x fa1, a0
	li a0, 0x4008000000000000
	fmv.d.x fa2, a0
	fdiv.d fa3, fa1, fa0
	csrr a0, fflags
	CHECK(a0, 8)
	fdiv.d fa3, fa1, fa2
	csrr a0, fflags
	CHECK(a0, 9)
	fdiv.d fa3, fa0, fa0
	csrr a0, fflags
	CHECK(a0, 0x19)
	fadd.d fa3, fa1, fa1
	csrr a0, fflags
	CHECK(a0, 0x19)
	csrw fcsr, zero

	/* Rounding modes 5 and 6 in an instruction are reserved, dynamic with frm above 4 too */
	ILLEGAL(.word 0x02c5d553)	/* fadd.d fa0, fa1, fa2, 5 */
	ILLEGAL(.word 0x02c5e553)
	ILLEGAL(.word 0x00c5d553)	/* fadd.s */
	ILLEGAL(.word 0x5805e553)	/* fsqrt.s */
	ILLEGAL(.word 0xc205d553)	/* fcvt.w.d */
	ILLEGAL(.word 0x6ac5d543)	/* fmadd.d */
	ILLEGAL(.word 0x04c5d553)	/* fadd.h */
	.irp n, 5, 6, 7
	csrwi frm, \n
	ILLEGAL(fadd.d fa0, fa1, fa2, dyn)
	ILLEGAL(fadd.s fa0, fa1, fa2, dyn)
	ILLEGAL(fmul.h fa0, fa1, fa2, dyn)
	ILLEGAL(fsqrt.d fa0, fa1, dyn)
	ILLEGAL(fmadd.s fa0, fa1, fa2, fa3, dyn)
	ILLEGAL(fcvt.w.d a0, fa1, dyn)
	ILLEGAL(fcvt.s.l fa0, a0, dyn)
	ILLEGAL(fcvt.s.d fa0, fa1, dyn)
	/* A mode in the instruction, or none at all: frm does not matter */
	LEGAL(fadd.d fa0, fa1, fa2, rne)
	LEGAL(fcvt.w.d a0, fa1, rtz)
	LEGAL(fsgnj.d fa0, fa1, fa2)
	LEGAL(fmin.s fa0, fa1, fa2)
	LEGAL(feq.d a0, fa1, fa2)
	LEGAL(fclass.d a0, fa1)
	LEGAL(fmv.x.d a0, fa1)
	LEGAL(fld fa0, 0(a2))
	.endr
	csrw fcsr, zero

	/* Reserved encodings */
	ILLEGAL(.word 0x06c58553)	/* fadd of format 3 (Q) */
	ILLEGAL(.word 0xd0458553)	/* fcvt.s with source code 4 */
	ILLEGAL(.word 0x5815f553)	/* fsqrt.s with rs2 */
	ILLEGAL(.word 0x20c5b553)	/* fsgnj.s with funct3 3 */
	ILLEGAL(.word 0x28c5a553)	/* fmin.s with funct3 2 */
	ILLEGAL(.word 0xa0c5b553)	/* feq.s with funct3 3 */
	ILLEGAL(.word 0xe005a553)	/* fclass.s with funct3 2 */
	ILLEGAL(.word 0xf0158553)	/* fmv.w.x with rs2 */
	ILLEGAL(.word 0x0005c507)	/* flq */
	ILLEGAL(.word 0x40058553)	/* fcvt.s.s */
	ILLEGAL(.word 0x42158553)	/* fcvt.d.d */

	/* An access fault of a load leaves its register */
	li a0, 0x1234
	fmv.d.x fa0, a0
	li a1, 0x60
	TRAP(CAUSE_LOAD_ACCESS, 0x60, fld fa0, 0(a1))
	TRAP(CAUSE_STORE_ACCESS, 0x60, fsw fa0, 0(a1))
	fmv.x.d a0, fa0
	CHECK(a0, 0x1234)
	PASS

	.data
	.balign 4096
	.skip 4096
page:	.skip 4096
area:	.dword 0, 0
