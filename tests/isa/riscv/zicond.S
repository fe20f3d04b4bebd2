/* SPDX-License-Identifier: Apache-2.0 */
/* Zicond: conditional zero. Neither binutils 2.40 nor QEMU 7.2 knows it. */
#include "test.h"

	.macro czero.eqz rd, rs1, rs2
	.insn r 0x33, 5, 7, \rd, \rs1, \rs2
	.endm
	.macro czero.nez rd, rs1, rs2
	.insn r 0x33, 7, 7, \rd, \rs1, \rs2
	.endm

	.globl test_main
test_main:
	RR(czero.eqz, 0, 0x123456789abcdef0, 0)
	RR(czero.eqz, 0x123456789abcdef0, 0x123456789abcdef0, 1)
	RR(czero.eqz, -1, -1, -1)
	RR(czero.eqz, -1, -1, 0x8000000000000000)
	RR(czero.eqz, 7, 7, 0x100000000)	/* all 64 bits of rs2 count */
	RR(czero.eqz, 0, -1, 0)
	RR(czero.eqz, 0, 0, 5)
	RR(czero.nez, 0x123456789abcdef0, 0x123456789abcdef0, 0)
	RR(czero.nez, 0, 0x123456789abcdef0, 1)
	RR(czero.nez, 0, -1, -1)
	RR(czero.nez, 0, -1, 0x8000000000000000)
	RR(czero.nez, 0, 7, 0x100000000)
	RR(czero.nez, -1, -1, 0)
	RR(czero.nez, 0, 0, 0)
	/* A selection of two: (c ? a : b) */
	li a0, 111
	li a1, 222
	.irp c, 0, 1
	li a2, \c
	czero.eqz a3, a0, a2
	czero.nez a4, a1, a2
	or a3, a3, a4
	CHECK(a3, 222 - 111 * \c)
	.endr
	/* Neighbours that are not instructions */
	ILLEGAL(.word 0x0ec58533)	/* funct3 0 */
	ILLEGAL(.word 0x0ec5c533)	/* funct3 4 */
	ILLEGAL(.word 0x0ec5e533)	/* funct3 6 */
	ILLEGAL(.word 0x0ec5d53b)	/* no W form */
	ILLEGAL(.word 0x0ec5f53b)
	PASS
