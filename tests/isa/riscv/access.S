/* SPDX-License-Identifier: Apache-2.0 */
/* The accesses of testc.h: made so that a trap comes back here with its cause. */
#include "test.h"

	.text
	/* int access_mprv(mode a0, op a1, va a2, value a3) */
	.globl access_mprv
access_mprv:
	addi sp, sp, -16
	sd ra, 0(sp)
	la t3, access_stubs
	slli a1, a1, 4
	add t3, t3, a1
	lw t0, 0(t3)		/* the stub's instruction, then ret, in a place of its own */
	la t3, scratch_code
	sw t0, 0(t3)
	fence.i
	t_arm 1f
	mv a1, a2
	mv a2, a3
	li t0, MSTATUS_MPP
	csrc mstatus, t0
	slli t0, a0, 11
	li t1, MSTATUS_MPRV
	or t0, t0, t1
	csrs mstatus, t0
	jalr t3
1:	li t0, MSTATUS_MPRV
	csrc mstatus, t0
	ld ra, 0(sp)
	addi sp, sp, 16
	j report

	/* int run_at(mode a0, pc a1, va a2, value a3) */
	.globl run_at
run_at:	t_arm report
	csrw mepc, a1
	mv a1, a2
	mv a2, a3
	li t0, MSTATUS_MPP
	csrc mstatus, t0
	slli t0, a0, 11
	csrs mstatus, t0
	mret

	/* Copy the trap record to `last`, return the cause */
report:	csrr t4, mscratch
	sd zero, CTX_RESUME(t4)
	la t5, last
	ld t0, CTX_EPC(t4)
	sd t0, 8(t5)
	ld t0, CTX_TVAL(t4)
	sd t0, 16(t5)
	sd a0, 24(t5)
	ld a0, CTX_CAUSE(t4)
	sd a0, 0(t5)
	ret

	/* void check_failed(got, want) */
	.globl check_failed
check_failed:
	mv t5, a0
	mv t6, a1
	j test_fail

	.balign 4096
	.globl access_stubs
access_stubs:
	.option push
	.option arch, +zicbom, +zicboz
	.macro stub insn:vararg
	.balign 16
	\insn
	ecall
	.endm
	stub lb a0, (a1)
	stub lh a0, (a1)
	stub lw a0, (a1)
	stub ld a0, (a1)
	stub sb a2, (a1)
	stub sh a2, (a1)
	stub sw a2, (a1)
	stub sd a2, (a1)
	stub lr.d a0, (a1)
	stub sc.d a0, a2, (a1)
	stub amoadd.d a0, a2, (a1)
	stub cbo.zero 0(a1)
	stub cbo.clean 0(a1)
	stub cbo.flush 0(a1)
	stub cbo.inval 0(a1)
	.option pop
	.balign 4096

	.section .data
	.balign 8
scratch_code:
	.word 0
	ret
	.balign 8
	.globl last
last:	.dword 0, 0, 0, 0
