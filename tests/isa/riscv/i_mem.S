/* SPDX-License-Identifier: Apache-2.0 */
/* RV64I: loads and stores (Unprivileged ISA 2.6, 4.3), misaligned ones across pages included */
#include "test.h"

/* Load from OFF bytes past `pattern` with a zero offset, and with offsets at both edges */
#define LD(op, want, off) t_load __LINE__, op, want, off
/* Store at OFF bytes past a cleared area; the area's two doublewords hold lo, hi after */
#define ST(op, value, off, lo, hi) t_store __LINE__, op, value, off, lo, hi

	.macro t_load line, op, want, off
	la a1, pattern + \off
	\op a0, 0(a1)
	t_check \line, a0, \want
	addi a2, a1, 1024
	addi a2, a2, 1024
	\op a0, -2048(a2)
	t_check \line, a0, \want
	addi a2, a1, -2047
	\op a0, 2047(a2)
	t_check \line, a0, \want
	\op a1, 0(a1)		/* destination is the base */
	t_check \line, a1, \want
	la a1, pattern + \off
	\op zero, 0(a1)
	t_check \line, zero, 0
	.endm

	.macro t_store line, op, value, off, lo, hi
	.irp o, 0, 2047, -2048
	la a1, area
	sd zero, 0(a1)
	sd zero, 8(a1)
	la a2, area + (\off) - (\o)
	li a3, \value
	\op a3, \o(a2)
	ld a4, 0(a1)
	ld a5, 8(a1)
	t_check \line, a4, \lo
	t_check \line, a5, \hi
	.endr
	.endm

	.globl test_main
test_main:
	LD(lb, 0x01, 0)
	LD(lb, -0x7f, 7)
	LD(lb, -1, 8)
	LD(lb, 0x7f, 9)
	LD(lbu, 0x81, 7)
	LD(lbu, 0xff, 8)
	LD(lh, 0x2301, 0)
	LD(lh, 0xffffffffffff81ef, 6)
	LD(lhu, 0x81ef, 6)
	LD(lhu, 0x7fff, 8)
	LD(lw, 0x67452301, 0)
	LD(lw, 0xffffffff81efab89, 4)
	LD(lwu, 0x81efab89, 4)
	LD(lwu, 0x67452301, 0)
	LD(ld, 0x81efab8967452301, 0)
	LD(ld, 0x7ffefdfc80007fff, 8)

	ST(sb, 0x1122334455667788, 0, 0x88, 0)
	ST(sb, 0x1122334455667788, 7, 0x8800000000000000, 0)
	ST(sb, -1, 8, 0, 0xff)
	ST(sh, 0x1122334455667788, 0, 0x7788, 0)
	ST(sh, 0x1122334455667788, 6, 0x7788000000000000, 0)
	ST(sw, 0x1122334455667788, 0, 0x55667788, 0)
	ST(sw, 0x1122334455667788, 4, 0x5566778800000000, 0)
	ST(sd, 0x1122334455667788, 0, 0x1122334455667788, 0)
	ST(sd, 0x1122334455667788, 8, 0, 0x1122334455667788)

	/* Misaligned accesses work (main memory), with every offset in a doubleword */
	LD(lh, 0x4523, 1)
	LD(lh, 0xffffffffffffff81, 7)
	LD(lhu, 0xff81, 7)
	LD(lw, 0xffffffff89674523, 1)
	LD(lwu, 0xab896745, 2)
	LD(lw, 0xffffffffefab8967, 3)
	LD(lw, 0xffffffffff81efab, 5)
	LD(lw, 0x7fff81ef, 6)
	LD(lw, 0x007fff81, 7)
	LD(ld, 0xff81efab89674523, 1)
	LD(ld, 0x7fff81efab896745, 2)
	LD(ld, 0x007fff81efab8967, 3)
	LD(ld, 0x80007fff81efab89, 4)
	LD(ld, 0xfc80007fff81efab, 5)
	LD(ld, 0xfdfc80007fff81ef, 6)
	LD(ld, 0xfefdfc80007fff81, 7)
	ST(sh, 0x7788, 1, 0x778800, 0)
	ST(sh, 0x7788, 7, 0x8800000000000000, 0x77)
	ST(sw, 0x55667788, 3, 0x55667788000000, 0)
	ST(sw, 0x55667788, 5, 0x6677880000000000, 0x55)
	ST(sw, 0x55667788, 7, 0x8800000000000000, 0x556677)
	ST(sd, 0x1122334455667788, 1, 0x2233445566778800, 0x11)
	ST(sd, 0x1122334455667788, 4, 0x5566778800000000, 0x11223344)
	ST(sd, 0x1122334455667788, 7, 0x8800000000000000, 0x11223344556677)

	/* Across a page boundary: the store, byte by byte, and the load of what it wrote */
	.irp off, 1, 2, 3, 4, 5, 6, 7
	la a1, page - \off
	sd zero, 0(a1)
	li a2, 0x8877665544332211
	sd a2, 0(a1)
	ld a3, 0(a1)
	t_check __LINE__, a3, 0x8877665544332211
	lbu a3, 0(a1)
	t_check __LINE__, a3, 0x11
	lbu a3, (\off - 1)(a1)
	t_check __LINE__, a3, 0x11 * \off
	lbu a3, \off(a1)
	t_check __LINE__, a3, 0x11 * (\off + 1)
	lbu a3, 7(a1)
	t_check __LINE__, a3, 0x88
	.endr
	.irp off, 1, 2, 3
	la a1, page - \off
	li a2, 0xffffffff84838281
	sw a2, 0(a1)
	lw a3, 0(a1)
	t_check __LINE__, a3, 0xffffffff84838281
	lwu a3, 0(a1)
	t_check __LINE__, a3, 0x84838281
	lbu a3, \off(a1)
	t_check __LINE__, a3, 0x81 + \off
	.endr
	la a1, page - 1
	li a2, 0x8281
	sh a2, 0(a1)
	lh a3, 0(a1)
	CHECK(a3, 0xffffffffffff8281)
	lhu a3, 0(a1)
	CHECK(a3, 0x8281)
	lbu a3, 1(a1)
	CHECK(a3, 0x82)

	/* A store is seen by later loads of any width and overlap */
	la a1, area
	li a2, 0x1122334455667788
	sd a2, 0(a1)
	li a3, 0xaa
	sb a3, 3(a1)
	ld a4, 0(a1)
	CHECK(a4, 0x11223344aa667788)
	sh a3, 4(a1)
	lw a4, 2(a1)
	CHECK(a4, 0xaaaa66)
	/* The value stored may be the base itself */
	sd a1, 0(a1)
	ld a4, 0(a1)
	CHECK_ADDR(a4, area)
	sd zero, 0(a1)
	ld a4, 0(a1)
	CHECK(a4, 0)

	/* No memory and no device there: access faults, with the address */
	li a1, 0x7ff0000000000000
	TRAP(CAUSE_LOAD_ACCESS, 0x7ff0000000000000, ld a0, 0(a1))
	TRAP(CAUSE_STORE_ACCESS, 0x7ff0000000000008, sd a0, 8(a1))
	li a1, 0x60
	li a0, 0x1234
	TRAP(CAUSE_LOAD_ACCESS, 0x5f, lb a0, -1(a1))
	CHECK(a0, 0x1234)	/* a faulting load leaves its destination alone */
	TRAP(CAUSE_STORE_ACCESS, 0x67, sb a0, 7(a1))

	/* Reserved widths */
	ILLEGAL(.word 0x0005f503)	/* load with funct3 7 */
	ILLEGAL(.word 0x00a5c023)	/* store with funct3 4 */
	ILLEGAL(.word 0x00a5d023)
	ILLEGAL(.word 0x00a5e023)
	ILLEGAL(.word 0x00a5f023)
	PASS

	.data
	.balign 4096
area:	.dword 0, 0
	.balign 64
pattern:
	.byte 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xef, 0x81
	.byte 0xff, 0x7f, 0x00, 0x80, 0xfc, 0xfd, 0xfe, 0x7f
	.balign 4096
page:	.skip 64
