/* SPDX-License-Identifier: Apache-2.0 */
/*
 * F, D, Zfh: every arithmetic instruction over a table of operands, results and flags that
 * fpgen computes exactly. A row runs with its rounding mode in frm (the instruction says
 * dynamic), then again with the mode in the instruction and another one in frm. The number of
 * a failing case is its line in the generated file. A result is compared as 64 register bits,
 * so that NaN boxing is part of it.
 *
 * Groups: stubs (16 bytes each: rne, rtz, rdn, rup, rmm, dynamic), rows, count, first line,
 * whether the instruction has a rounding mode. Rows: three operands, result, frm << 5 | fflags.
 */
#include "test.h"

	.globl test_main
test_main:
	li a0, MSTATUS_FS
	csrs mstatus, a0
	la s0, groups
	la s1, groups_end
group:	ld s2, 0(s0)
	ld s3, 8(s0)
	ld s4, 16(s0)
	ld gp, 24(s0)
	ld s5, 32(s0)
row:	lbu s6, 32(s3)
	srli s7, s6, 5		/* rounding mode */
	andi s8, s6, 31		/* flags */
	csrw frm, s7
	addi a5, s2, 80
	jal ra, check
	beqz s5, next
	addi s9, s7, 2		/* another mode in frm */
	li a0, 5
	bltu s9, a0, 1f
	addi s9, s9, -5
1:	csrw frm, s9
	slli a5, s7, 4
	add a5, a5, s2
	jal ra, check
next:	addi s3, s3, 40
	addi gp, gp, 1
	addi s4, s4, -1
	bnez s4, row
	addi s0, s0, 40
	bne s0, s1, group
	PASS

	/* Call the stub at a5 with the row's operands; compare a0 and the flags */
check:	mv s11, ra
	csrw fflags, zero
	ld a1, 0(s3)
	fld fa1, 0(s3)
	fld fa2, 8(s3)
	fld fa3, 16(s3)
	jalr a5
	mv t5, a0
	ld t6, 24(s3)
	t_same
	csrr t5, fflags
	mv t6, s8
	t_same
	jr s11
