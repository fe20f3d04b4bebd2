/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry, trap handlers and verdict of every instruction test; see test.h.
 * Hart 0 runs test_main; the others run test_secondary (a0 = hart id) where the test has
 * one and sleep otherwise.
 */
#include "test.h"

#define UART 0x10000000
#define UART_LSR 5
#define UART_LSR_THRE 0x20
#define SIFIVE_TEST 0x100000
#define MAX_HARTS 8

	.section .text.start, "ax"
	.globl _start
_start:
	.option push
	.option norelax
	la t0, trap_m
	csrw mtvec, t0
	csrr a0, mhartid
	li t0, MAX_HARTS
	bgeu a0, t0, sleep
	la t1, ctx
	slli t0, a0, 7		/* CTX_SIZE */
	add t0, t0, t1
	csrw mscratch, t0
	la sp, stacks
	addi t0, a0, 1
	slli t0, t0, 12
	add sp, sp, t0
	.option pop
	bnez a0, 1f
	li gp, 1		/* before the first case */
	j test_main
1:	la t0, test_secondary
	beqz t0, sleep
	jr t0
sleep:
	wfi
	j sleep

	.weak test_secondary

	.text
	/* Record a trap taken in M-mode and resume where the case said */
	.balign 4
	.globl trap_m
trap_m:
	csrrw tp, mscratch, tp
	sd t0, CTX_T0(tp)
	sd t1, CTX_T1(tp)
	ld t0, CTX_ENDING(tp)
	bnez t0, end
	ld t0, CTX_RESUME(tp)
	beqz t0, unexpected
	csrr t0, mcause
	li t1, CAUSE_ECALL_S
	bne t0, t1, 1f
	csrr t0, mepc
	la t1, s_forward
	beq t0, t1, 2f
1:	csrr t0, mcause
	sd t0, CTX_CAUSE(tp)
	csrr t0, mepc
	sd t0, CTX_EPC(tp)
	csrr t0, mtval
	sd t0, CTX_TVAL(tp)
	csrr t0, mstatus
	sd t0, CTX_STATUS(tp)
	li t0, PRV_M
	sd t0, CTX_MODE(tp)
2:	ld t0, CTX_RESUME(tp)
	sd zero, CTX_RESUME(tp)
	csrw mepc, t0
	li t0, MSTATUS_MPIE | MSTATUS_MPRV
	csrc mstatus, t0
	li t0, MSTATUS_MPP
	csrs mstatus, t0
	ld t0, CTX_T0(tp)
	ld t1, CTX_T1(tp)
	csrrw tp, mscratch, tp
	mret

	/* Record a trap taken in S-mode; the ecall hands it to trap_m to resume in M-mode */
	.balign 4
	.globl trap_s
	.globl s_forward
trap_s:
	csrrw tp, sscratch, tp
	sd t0, CTX_T0(tp)
	sd t1, CTX_T1(tp)
	csrr t0, scause
	sd t0, CTX_CAUSE(tp)
	csrr t0, sepc
	sd t0, CTX_EPC(tp)
	csrr t0, stval
	sd t0, CTX_TVAL(tp)
	csrr t0, sstatus
	sd t0, CTX_STATUS(tp)
	li t0, PRV_S
	sd t0, CTX_MODE(tp)
	ld t0, CTX_T0(tp)
	ld t1, CTX_T1(tp)
	csrrw tp, sscratch, tp
s_forward:
	ecall

unexpected:
	li t0, 1
	sd t0, CTX_ENDING(tp)
	csrw mscratch, tp
	la a0, str_fail
	jal puts
	mv a0, gp
	jal putdec
	la a0, str_cause
	jal puts
	csrr a0, mcause
	jal puthex
	la a0, str_epc
	jal puts
	csrr a0, mepc
	jal puthex
	la a0, str_tval
	jal puts
	csrr a0, mtval
	jal puthex
	la a0, str_nl
	jal puts
	j end

	/* The case at line gp saw t5 where it wants t6 */
	.globl test_fail
test_fail:
	csrr t4, mscratch
	li t0, 1
	sd t0, CTX_ENDING(t4)
	la a0, str_fail
	jal puts
	mv a0, gp
	jal putdec
	la a0, str_got
	jal puts
	mv a0, t5
	jal puthex
	la a0, str_want
	jal puts
	mv a0, t6
	jal puthex
	ld a0, test_note
	beqz a0, 1f
	la a0, str_note
	jal puts
	ld a0, test_note
	jal puts
1:	la a0, str_nl
	jal puts
	j end

	.globl test_pass
test_pass:
	csrr t4, mscratch
	li t0, 1
	sd t0, CTX_ENDING(t4)
	li gp, 0
	la a0, str_pass
	jal puts
end:
	li t0, 255
	bleu gp, t0, 1f
	mv gp, t0
1:	slli t0, gp, 1
	ori t0, t0, 1
	la t1, tohost
	sd t0, (t1)
	li t0, 0x5555
	beqz gp, 2f
	slli t0, gp, 16
	li t2, 0x3333
	or t0, t0, t2
2:	li t1, SIFIVE_TEST
	sw t0, (t1)
3:	wfi
	j 3b

	/* a0: a string, through t0-t2 */
	.globl puts
puts:
	li t1, UART
1:	lbu t0, (a0)
	beqz t0, 3f
2:	lbu t2, UART_LSR(t1)
	andi t2, t2, UART_LSR_THRE
	beqz t2, 2b
	sb t0, (t1)
	addi a0, a0, 1
	j 1b
3:	ret

	/* a0: a number in 16 hexadecimal digits, through t0-t2, a1, a2 */
	.globl puthex
puthex:
	la a1, numbuf + 16
	li a2, 16
1:	andi t0, a0, 15
	sltiu t1, t0, 10
	addi t0, t0, '0'
	bnez t1, 2f
	addi t0, t0, 'a' - '0' - 10
2:	addi a1, a1, -1
	sb t0, (a1)
	srli a0, a0, 4
	addi a2, a2, -1
	bnez a2, 1b
	mv a0, a1
	j puts

	/* a0: a small number in decimal, without division; through t0-t2, a1, a2 */
putdec:
	la a1, numbuf + 16
1:	li t0, 0		/* quotient */
2:	li t1, 10
	bltu a0, t1, 3f
	addi a0, a0, -10
	addi t0, t0, 1
	j 2b
3:	addi a0, a0, '0'
	addi a1, a1, -1
	sb a0, (a1)
	mv a0, t0
	bnez a0, 1b
	mv a0, a1
	j puts

	.section .rodata
str_pass: .asciz "PASS\n"
str_fail: .asciz "FAIL line "
str_got: .asciz ": got "
str_want: .asciz " want "
str_cause: .asciz ": trap "
str_epc: .asciz " at "
str_tval: .asciz " value "
str_note: .asciz ", "
str_nl: .asciz "\n"

	.data
	.balign 8
	/* What a failing case adds, for cases that run several times: a string or null */
	.globl test_note
test_note: .dword 0
numbuf: .skip 17
	.balign 128
ctx:	.skip CTX_SIZE * MAX_HARTS

	.section .tohost, "aw"
	.balign 64
	.globl tohost
tohost: .dword 0
	.balign 64
	.globl fromhost
fromhost: .dword 0

	.bss
	.balign 16
stacks:	.skip 4096 * MAX_HARTS
