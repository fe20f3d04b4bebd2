/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A: traps of atomics (Unprivileged ISA 14.2, 14.4). Misaligned LR, SC and AMOs trap, as
 * misaligned or as an access fault, SC also where it would fail anyway; nothing is written. An
 * AMO and an SC raise the store kind, LR the load kind.
 */
#include "test.h"

	/* Either of two causes, with the address; op uses a1 */
	.macro t_misaligned line, op, cause1, cause2
	t_arm 9995f
	li gp, \line
9994:	\op
9995:	csrr t4, mscratch
	sd zero, CTX_RESUME(t4)
	ld t5, CTX_CAUSE(t4)
	li t6, \cause1
	beq t5, t6, 9996f
	li t6, \cause2
	t_same
9996:	ld t5, CTX_TVAL(t4)
	mv t6, a1
	t_same
	ld t5, CTX_EPC(t4)
	la t6, 9994b
	t_same
	.endm

	.macro t_misaligned_store line, op
	t_misaligned \line, "\op\().w a0, a3, (a1)", CAUSE_STORE_MISALIGNED, CAUSE_STORE_ACCESS
	t_misaligned \line, "\op\().d a0, a3, (a1)", CAUSE_STORE_MISALIGNED, CAUSE_STORE_ACCESS
	.endm

	.globl test_main
test_main:
	la a2, cell
	li a3, 7
	/* Within an aligned 16 bytes, and across a page boundary */
	.irp off, 2, 4094
	la a1, cell + \off
	t_misaligned __LINE__, "lr.w a0, (a1)", CAUSE_LOAD_MISALIGNED, CAUSE_LOAD_ACCESS
	t_misaligned __LINE__, "lr.d a0, (a1)", CAUSE_LOAD_MISALIGNED, CAUSE_LOAD_ACCESS
	.irp op, amoadd, amoswap, amoand, amoor, amoxor, amomin, amomax, amominu, amomaxu, sc
	t_misaligned_store __LINE__, \op
	.endr
	.endr
	la a1, cell + 4
	t_misaligned __LINE__, "lr.d a0, (a1)", CAUSE_LOAD_MISALIGNED, CAUSE_LOAD_ACCESS
	t_misaligned __LINE__, "amoadd.d a0, a3, (a1)", CAUSE_STORE_MISALIGNED, CAUSE_STORE_ACCESS
	/* With a reservation held on the bytes around */
	lr.d a0, (a2)
	t_misaligned __LINE__, "sc.d a0, a3, (a1)", CAUSE_STORE_MISALIGNED, CAUSE_STORE_ACCESS
	la a1, cell + 1
	lr.w a0, (a2)
	t_misaligned __LINE__, "sc.w a0, a3, (a1)", CAUSE_STORE_MISALIGNED, CAUSE_STORE_ACCESS
	.irp off, 0, 4088, 4096
	la a1, cell + \off
	ld a0, (a1)
	t_check __LINE__, a0, 0x0505050505050505
	.endr

	/* No memory there: the store kind as well */
	li a1, 0x60
	TRAP(CAUSE_STORE_ACCESS, 0x60, amoadd.d a0, a3, (a1))
	TRAP(CAUSE_STORE_ACCESS, 0x60, amoadd.w a0, a3, (a1))
	TRAP(CAUSE_STORE_ACCESS, 0x60, amomaxu.d a0, a3, (a1))
	PASS

	.data
	.balign 4096
cell:	.fill 8192, 1, 5
