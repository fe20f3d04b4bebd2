/* SPDX-License-Identifier: Apache-2.0 */
/* What the interrupt tests share: the CLINT's addresses, and who takes which interrupt when. */
#ifndef TESTS_ISA_RISCV_IRQ_H
#define TESTS_ISA_RISCV_IRQ_H

#include "test.h"

#define CLINT_MSIP 0x2000000
#define CLINT_MTIMECMP 0x2004000
#define CLINT_MTIME 0x200bff8

#define SSI 1
#define MSI 3
#define STI 5
#define MTI 7
#define SEI 9
#define MEI 11
#define BIT(n) (1 << (n))

/* In M-mode with MIE set: this interrupt is taken, at the next instruction / none is */
#define TAKES(n) t_takes __LINE__, CAUSE_INTERRUPT + n
#define TAKES_NONE t_takes __LINE__, CAUSE_ECALL_M
/* The same in a lower mode, with SIE as it stands; `by` takes it */
#define IN_TAKES(mode, by, n) t_in_takes __LINE__, mode, by, CAUSE_INTERRUPT + n
#define IN_TAKES_NONE(mode) t_in_takes __LINE__, mode, PRV_M, CAUSE_ECALL_U + mode
#define SET(csr, bits) li a7, bits; csrw csr, a7
#define RAISE(bits) li a7, bits; csrs mip, a7
#define DROP(bits) li a7, bits; csrc mip, a7

	.macro t_takes line, cause
	t_arm 9992f
	li gp, \line
9991:	csrsi mstatus, MSTATUS_MIE
	ecall
9992:	csrci mstatus, MSTATUS_MIE
	t_disarm \line, \cause
	ld t5, CTX_EPC(t4)
	la t6, 9991b + 4		/* neither before nor later than the next one */
	t_same
	.endm

	.macro t_in_takes line, mode, by, cause
	j 9996f
9995:	ecall
9996:	t_run \line, \mode, 9995b
	t_ran \line, \by, \cause, 9995b, 0
	.endm

	.macro sie on
	csrci sstatus, MSTATUS_SIE
	.if \on
	csrsi sstatus, MSTATUS_SIE
	.endif
	.endm

	/* Wait until these bits of mip are pending, all or none */
	.macro wait_mip bits, set
	li a7, \bits
9997:	csrr a6, mip
	and a6, a6, a7
	.if \set
	beqz a6, 9997b
	.else
	bnez a6, 9997b
	.endif
	.endm

#endif
