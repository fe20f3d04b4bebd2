/* SPDX-License-Identifier: Apache-2.0 */
/* A: LR/SC and AMOs on one hart (Unprivileged ISA 14) */
#include "test.h"

/* amo: memory holds `mem` before and `after` afterwards, rd gets `want`; all four aq/rl forms */
#define AMO(op, w, want, after, mem, rs2) t_amo __LINE__, op, w, want, after, mem, rs2

	.macro t_amo line, op, w, want, after, mem, rs2
	t_amo1 \line, \op\().\w, \want, \after, \mem, \rs2
	t_amo1 \line, \op\().\w\().aq, \want, \after, \mem, \rs2
	t_amo1 \line, \op\().\w\().rl, \want, \after, \mem, \rs2
	t_amo1 \line, \op\().\w\().aqrl, \want, \after, \mem, \rs2
	.endm

	.macro t_amo1 line, op, want, after, mem, rs2
	la a1, cell
	li a2, \mem
	sd a2, (a1)
	li a2, \rs2
	\op a0, a2, (a1)
	t_check \line, a0, \want
	ld a0, (a1)
	t_check \line, a0, \after
	t_check_addr \line, a1, cell
	t_check \line, a2, \rs2
	li a3, \mem
	sd a3, (a1)
	\op a2, a2, (a1)	/* destination is the operand */
	t_check \line, a2, \want
	ld a0, (a1)
	t_check \line, a0, \after
	sd a3, (a1)
	li a2, \rs2
	\op zero, a2, (a1)	/* no destination: still done */
	t_check \line, zero, 0
	ld a0, (a1)
	t_check \line, a0, \after
	sd a3, (a1)
	\op a1, a2, (a1)	/* destination is the address */
	t_check \line, a1, \want
	la a1, cell
	ld a0, (a1)
	t_check \line, a0, \after
	.endm

	.globl test_main
test_main:
	AMO(amoswap, d, 0x1111111111111111, 0x2222222222222222, 0x1111111111111111, 0x2222222222222222)
	AMO(amoadd, d, 0xffffffffffffffff, 0, 0xffffffffffffffff, 1)
	AMO(amoadd, d, 0x7fffffffffffffff, 0x8000000000000000, 0x7fffffffffffffff, 1)
	AMO(amoand, d, 0xff00ff00ff00ff00, 0x0f000f000f000f00, 0xff00ff00ff00ff00, 0x0f0f0f0f0f0f0f0f)
	AMO(amoor, d, 0xff00ff00ff00ff00, 0xff0fff0fff0fff0f, 0xff00ff00ff00ff00, 0x0f0f0f0f0f0f0f0f)
	AMO(amoxor, d, 0xff00ff00ff00ff00, 0xf00ff00ff00ff00f, 0xff00ff00ff00ff00, 0x0f0f0f0f0f0f0f0f)
	AMO(amomin, d, 0x8000000000000000, 0x8000000000000000, 0x8000000000000000, 1)
	AMO(amomin, d, 1, 0x8000000000000000, 1, 0x8000000000000000)
	AMO(amomax, d, 0x8000000000000000, 1, 0x8000000000000000, 1)
	AMO(amomax, d, 1, 1, 1, -1)
	AMO(amominu, d, 0x8000000000000000, 1, 0x8000000000000000, 1)
	AMO(amominu, d, 1, 1, 1, -1)
	AMO(amomaxu, d, 0x8000000000000000, 0x8000000000000000, 0x8000000000000000, 1)
	AMO(amomaxu, d, 1, -1, 1, -1)

	/* Words: rd sign-extended, the upper half of memory and of rs2 untouched and ignored */
	AMO(amoswap, w, 0xffffffff91111111, 0x1234567822222222, 0x1234567891111111, 0x3333333322222222)
	AMO(amoadd, w, -1, 0x1234567800000000, 0x12345678ffffffff, 1)
	AMO(amoadd, w, 0x7fffffff, 0x80000000, 0x7fffffff, 1)
	AMO(amoadd, w, 0x10, 0x5500000030, 0x5500000010, 0xffffffff00000020)
	AMO(amoand, w, 0xffffffffff00ff00, 0xaaaaaaaa0f000f00, 0xaaaaaaaaff00ff00, 0x0f0f0f0f)
	AMO(amoor, w, 0xffffffffff00ff00, 0xaaaaaaaaff0fff0f, 0xaaaaaaaaff00ff00, 0x0f0f0f0f)
	AMO(amoxor, w, 0xffffffffff00ff00, 0xaaaaaaaaf00ff00f, 0xaaaaaaaaff00ff00, 0x0f0f0f0f)
	AMO(amomin, w, 0xffffffff80000000, 0x1180000000, 0x1180000000, 1)
	AMO(amomin, w, 1, 0x1180000000, 0x1100000001, 0x80000000)
	AMO(amomax, w, 0xffffffff80000000, 0x1100000001, 0x1180000000, 1)
	AMO(amomax, w, 1, 0x1100000001, 0x1100000001, 0x77000000ffffffff)
	AMO(amominu, w, 0xffffffff80000000, 0x1100000001, 0x1180000000, 0xffffffff00000001)
	AMO(amominu, w, 1, 0x1100000001, 0x1100000001, -1)
	AMO(amomaxu, w, 0xffffffff80000000, 0x1180000000, 0x1180000000, 0x7fffffff)
	AMO(amomaxu, w, 1, 0x11ffffffff, 0x1100000001, -1)

	/* The upper word of a doubleword is a cell of its own */
	la a1, cell + 4
	la a2, cell
	li a0, 0x1122334455667788
	sd a0, (a2)
	li a0, 1
	amoadd.w a3, a0, (a1)
	CHECK(a3, 0x11223344)
	ld a3, (a2)
	CHECK(a3, 0x1122334555667788)

	/* LR/SC: success writes and gives 0 */
	la a1, cell
	li a2, 0x8000000180000001
	sd a2, (a1)
	lr.d a0, (a1)
	CHECK(a0, 0x8000000180000001)
	.irp aqrl, , .aq, .rl, .aqrl
	la a1, cell
	li a2, 0x8000000180000001
	li a3, 0x55
	sd a2, (a1)
	lr.d\aqrl a0, (a1)
	sc.d\aqrl a4, a3, (a1)
	t_check __LINE__, a4, 0
	ld a4, (a1)
	t_check __LINE__, a4, 0x55
	sd a2, (a1)
	lr.w\aqrl a0, (a1)
	sc.w\aqrl a4, a3, (a1)
	t_check __LINE__, a0, 0xffffffff80000001
	t_check __LINE__, a4, 0
	ld a4, (a1)
	t_check __LINE__, a4, 0x8000000100000055
	.endr

	/* A second sc has no reservation: it fails, whatever the first did, and writes nothing */
	li a3, 0x77
	sc.w a4, a3, (a1)
	sltu a4, zero, a4
	CHECK(a4, 1)
	sc.d a4, a3, (a1)
	sltu a4, zero, a4
	CHECK(a4, 1)
	ld a4, (a1)
	CHECK(a4, 0x8000000100000055)
	/* The code of an ordinary failure is 1 */
	sc.w a4, a3, (a1)
	CHECK(a4, 1)
	/* An sc elsewhere fails (here beyond any reservation set) and drops the reservation */
	la a2, other
	sd zero, (a2)
	lr.d a0, (a1)
	sc.d a4, a3, (a2)
	sltu a4, zero, a4
	CHECK(a4, 1)
	ld a4, (a2)
	CHECK(a4, 0)
	sc.d a4, a3, (a1)
	sltu a4, zero, a4
	CHECK(a4, 1)
	/* A later lr moves the reservation */
	lr.d a0, (a1)
	lr.d a0, (a2)
	sc.d a4, a3, (a1)
	sltu a4, zero, a4
	CHECK(a4, 1)
	/* sc with rd = x0 writes memory when it succeeds */
	lr.d a0, (a2)
	sc.d zero, a3, (a2)
	ld a4, (a2)
	CHECK(a4, 0x77)
	CHECK(zero, 0)
	/* rd may be the operand or the address */
	lr.d a0, (a2)
	li a3, 0x99
	sc.d a3, a3, (a2)
	CHECK(a3, 0)
	ld a4, (a2)
	CHECK(a4, 0x99)
	mv a3, a2
	lr.d a3, (a3)
	CHECK(a3, 0x99)
	mv a3, a2
	sc.d a3, a0, (a3)
	CHECK(a3, 0)

	/* A constrained LR/SC loop ends (forward progress): an increment, a thousand times */
	sd zero, (a1)
	li s0, 1000
1:	lr.d a0, (a1)
	addi a0, a0, 1
	sc.d a4, a0, (a1)
	bnez a4, 1b
	addi s0, s0, -1
	bnez s0, 1b
	ld a0, (a1)
	CHECK(a0, 1000)

	/* A constrained compare-and-swap that leaves without sc, then another that does not */
	li a2, 5
1:	lr.w a0, (a1)
	bne a0, a2, 2f
	sc.w a4, a3, (a1)
	bnez a4, 1b
2:	CHECK(a0, 1000)
	li a2, 1000
	li a3, 2000
1:	lr.w a0, (a1)
	bne a0, a2, 2f
	sc.w a4, a3, (a1)
	bnez a4, 1b
2:	lw a0, (a1)
	CHECK(a0, 2000)

	li a1, 0x60
	TRAP(CAUSE_LOAD_ACCESS, 0x60, lr.d a0, (a1))

	ILLEGAL(.word 0x1015a52f)	/* lr.w with rs2 = x1 */
	ILLEGAL(.word 0x1015b52f)
	ILLEGAL(.word 0x00c5952f)	/* widths 0, 1, 4 to 7 */
	ILLEGAL(.word 0x00c5852f)
	ILLEGAL(.word 0x00c5c52f)
	ILLEGAL(.word 0x00c5d52f)
	ILLEGAL(.word 0x00c5f52f)
	ILLEGAL(.word 0xf8c5a52f)	/* reserved funct5 */
	ILLEGAL(.word 0x38c5b52f)
	PASS

	.data
	.balign 4096
cell:	.dword 0, 0
	.balign 4096
other:	.dword 0
