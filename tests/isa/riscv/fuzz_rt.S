/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the batch of instruction sequences that tests/isa/fuzz lays at BATCH and prints one hash
 * a sequence: of the integer and floating-point registers, fcsr, the scratch memory and every
 * trap on the way. The header chooses one sequence to print in full.
 *
 * Batch: dwords count, index to print in full (or -1), address of the scratch memory's initial
 * contents; then for each sequence state, code, end, mode. State: x0 to x31, f0 to f31, fcsr.
 * Mode: 3 M; 1 S and 0 U under Sv39 with DRAM mapped one to one. The instruction at `end` is an
 * ecall; the first trap at or outside [code, end] ends the sequence, any other is recorded and
 * its instruction skipped.
 */
#define BATCH 0x80100000
#define SCRATCH 0x80080000
#define SCRATCH_BYTES 2048
#define UART 0x10000000
#define SIFIVE_TEST 0x100000
#define TRAPS 64		/* recorded in full; all are hashed */

/* Where the trap handler keeps the registers, and what follows them */
#define SAVED_F 256
#define SAVED_FCSR 512
#define HASH 520
#define TRAP_COUNT 528
#define TRAP_LOG 536

	.section .text.start, "ax"
	.globl _start
_start:
	csrr t0, mhartid
	beqz t0, 2f
1:	wfi
	j 1b
2:	la t0, trap
	csrw mtvec, t0
	la t0, saved
	csrw mscratch, t0
	li t0, -1
	csrw pmpaddr0, t0
	li t0, 0x1f
	csrw pmpcfg0, t0
	csrw medeleg, zero
	csrw mie, zero
	li t0, 0x6000
	csrs mstatus, t0
	la sp, stack_end
	li s0, 0		/* index */
next:
	li s1, BATCH
	ld t0, 0(s1)
	bgeu s0, t0, done
	/* Scratch memory */
	ld t0, 16(s1)
	li t1, SCRATCH
	li t2, SCRATCH_BYTES
	add t2, t2, t1
1:	ld t3, (t0)
	sd t3, (t1)
	addi t0, t0, 8
	addi t1, t1, 8
	bltu t1, t2, 1b
	/* The record */
	slli t0, s0, 5
	add t0, t0, s1
	addi t0, t0, 24
	la t1, current
	sd s0, 0(t1)
	ld s2, 0(t0)		/* state */
	ld t2, 8(t0)		/* code */
	sd t2, 8(t1)
	csrw mepc, t2
	ld t2, 16(t0)		/* end */
	sd t2, 16(t1)
	ld t2, 24(t0)		/* mode */
	li t3, 0x1800
	csrc mstatus, t3
	slli t3, t2, 11
	csrs mstatus, t3
	la t3, root_s
	bnez t2, 2f
	la t3, root_u
2:	srli t3, t3, 12
	li t4, 8 << 60
	or t3, t3, t4
	csrw satp, t3
	sfence.vma
	la t1, saved
	li t2, 0x6a09e667f3bcc909
	sd t2, HASH(t1)
	sd zero, TRAP_COUNT(t1)
	/* An sc ends any reservation of the sequence before */
	sc.d zero, zero, (t1)
	csrw sscratch, zero
	fence.i
	ld t0, SAVED_FCSR(s2)
	csrw fcsr, t0
	.irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fld f\r, (SAVED_F + 8 * \r)(s2)
	.endr
	mv x31, s2
	.irp r, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
	ld x\r, (8 * \r)(x31)
	.endr
	ld x31, (8 * 31)(x31)
	mret

	/* h = (h ^ value) * odd, folded; h in a0, value in a1, the multiplier in a2 */
	.macro mix
	xor a0, a0, a1
	mul a0, a0, a2
	srli a3, a0, 29
	xor a0, a0, a3
	.endm

	.balign 4
trap:
	csrrw x31, mscratch, x31
	.irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
	sd x\r, (8 * \r)(x31)
	.endr
	mv t0, x31
	csrrw t1, mscratch, x31
	sd t1, (8 * 31)(t0)
	la s1, current
	csrr s2, mepc
	csrr s3, mcause
	csrr s4, mtval
	addi t1, s3, -3		/* a breakpoint's value may be its address or 0 */
	bnez t1, 1f
	li s4, 0
1:
	ld s5, 8(s1)
	ld s6, 16(s1)
	ld a0, HASH(t0)
	li a2, 0x9e3779b97f4a7c15
	mv a1, s3
	mix
	sub a1, s2, s5
	mix
	mv a1, s4
	mix
	sd a0, HASH(t0)
	ld t1, TRAP_COUNT(t0)
	addi t2, t1, 1
	sd t2, TRAP_COUNT(t0)
	li t3, TRAPS
	bgeu t1, t3, 1f
	li t3, 24
	mul t3, t3, t1
	add t3, t3, t0
	sd s3, TRAP_LOG(t3)
	sd s2, (TRAP_LOG + 8)(t3)
	sd s4, (TRAP_LOG + 16)(t3)
1:	bltu s2, s5, finish
	bgeu s2, s6, finish
	/* Skip the instruction */
	lhu t1, (s2)
	addi s2, s2, 2
	andi t1, t1, 3
	addi t1, t1, -3
	bnez t1, 2f
	addi s2, s2, 2
2:	csrw mepc, s2
	mv x31, t0
	.irp r, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
	ld x\r, (8 * \r)(x31)
	.endr
	ld x31, (8 * 31)(x31)
	mret

finish:
	la sp, stack_end
	csrr t1, fcsr
	sd t1, SAVED_FCSR(t0)
	.irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fsd f\r, (SAVED_F + 8 * \r)(t0)
	.endr
	ld a0, HASH(t0)
	li a2, 0x9e3779b97f4a7c15
	mv t1, t0
	addi t2, t0, HASH
1:	ld a1, (t1)
	mix
	addi t1, t1, 8
	bltu t1, t2, 1b
	li t1, SCRATCH
	li t2, SCRATCH_BYTES
	add t2, t2, t1
1:	ld a1, (t1)
	mix
	addi t1, t1, 8
	bltu t1, t2, 1b
	jal puthex
	jal newline
	ld s0, 0(s1)
	li t0, BATCH
	ld t0, 8(t0)
	bne t0, s0, 2f
	/* In full: registers, fcsr, the hash's traps, scratch memory; one number a line */
	la s2, saved
	addi s3, s2, HASH
	jal dump
	la s2, saved + HASH
	addi s3, s2, 16 + 24 * TRAPS
	jal dump
	li s2, SCRATCH
	li s3, SCRATCH_BYTES
	add s3, s3, s2
	jal dump
2:	addi s0, s0, 1
	j next

dump:
	mv s7, ra
1:	ld a0, (s2)
	jal puthex
	jal newline
	addi s2, s2, 8
	bltu s2, s3, 1b
	jr s7

done:
	li t0, SIFIVE_TEST
	li t1, 0x5555
	sw t1, (t0)
3:	wfi
	j 3b

	/* a0 in 16 hexadecimal digits */
puthex:
	li t1, UART
	li t2, 60
1:	srl t3, a0, t2
	andi t3, t3, 15
	sltiu t4, t3, 10
	addi t3, t3, '0'
	bnez t4, 2f
	addi t3, t3, 'a' - '0' - 10
2:	lbu t4, 5(t1)
	andi t4, t4, 0x20
	beqz t4, 2b
	sb t3, (t1)
	addi t2, t2, -4
	bgez t2, 1b
	ret

newline:
	li t1, UART
	li t3, 10
1:	lbu t4, 5(t1)
	andi t4, t4, 0x20
	beqz t4, 1b
	sb t3, (t1)
	ret

	.data
	.balign 4096
root_s:	.dword 0, 0, (0x80000000 >> 12 << 10) | 0xcf
	.balign 4096
root_u:	.dword 0, 0, (0x80000000 >> 12 << 10) | 0xdf
	.balign 4096
current: .dword 0, 0, 0
	.balign 64
saved:	.skip TRAP_LOG + 24 * TRAPS
	.balign 16
	.skip 1024
stack_end:
