/* SPDX-License-Identifier: Apache-2.0 */
/* Svinval: who may use its instructions (Privileged ISA 7); what they do is in vm_ext.c */
#include "test.h"
	.option arch, +svinval

	.globl test_main
test_main:
	SETUP_S
	LEGAL(sinval.vma a0, a1)
	LEGAL(sinval.vma zero, zero)
	LEGAL(sfence.w.inval)
	LEGAL(sfence.inval.ir)
	IN_LEGAL(PRV_S, sinval.vma a0, a1)
	IN_LEGAL(PRV_S, sfence.w.inval)
	IN_LEGAL(PRV_S, sfence.inval.ir)
	IN_ILLEGAL(PRV_U, sinval.vma a0, a1)
	li a0, MSTATUS_TVM
	csrs mstatus, a0
	IN_ILLEGAL(PRV_S, sinval.vma a0, a1)
	IN_LEGAL(PRV_S, sfence.w.inval)
	IN_LEGAL(PRV_S, sfence.inval.ir)
	LEGAL(sinval.vma a0, a1)
	ILLEGAL(.word 0x16b50073 | 1 << 7)
	ILLEGAL(.word 0x18250073)	/* 0x18 with rs2 above 1 */
	PASS
