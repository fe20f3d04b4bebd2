/* SPDX-License-Identifier: Apache-2.0 */
/* Bare-metal programs in M-mode: what they share. Hart 0 goes on behind BEGIN, others sleep. */
#define UART 0x10000000
#define UART_LSR 5
#define TEST_DEVICE 0x100000
#define TEST_PASS 0x5555
#define TEST_FAIL 0x3333
#define TEST_RESET 0x7777

.macro BEGIN
	.section .text.start, "ax"
	.globl _start
_start:
	csrr	t0, mhartid
	beqz	t0, 1f
0:	wfi
	j	0b
1:	li	s0, UART
	li	s1, TEST_DEVICE
.endm

/* Prints a string of the program. */
.macro PRINT text
	la	t0, 10f
8:	lbu	t1, 0(t0)
	beqz	t1, 11f
	sb	t1, 0(s0)
	addi	t0, t0, 1
	j	8b
10:	.asciz	"\text"
	.balign	4
11:
.endm

/* Ends the VM: \value goes to the test device. */
.macro FINISH value
	li	t0, \value
	sw	t0, 0(s1)
0:	wfi
	j	0b
.endm
