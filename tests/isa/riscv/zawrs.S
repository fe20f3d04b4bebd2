/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zawrs: waiting on a reservation set ends (Zawrs 1.01). Here the ends that need no other hart;
 * smp_wrs.S has the rest. QEMU 7.2 lacks it.
 */
#include "irq.h"
	.option arch, +zawrs

	.globl test_main
test_main:
	SETUP_S
	csrw mie, zero
	la s0, cell
	/* Without a reservation there is nothing to wait for */
	sc.d a0, zero, (s0)
	LEGAL(wrs.nto)
	LEGAL(wrs.sto)
	IN_LEGAL(PRV_S, wrs.sto)
	IN_LEGAL(PRV_U, wrs.sto)
	/* The short wait ends by itself */
	lr.d a0, (s0)
	LEGAL(wrs.sto)
	/* A pending interrupt ends both, whatever MIE says: it is not taken */
	RAISE(BIT(SSI))
	SET(mie, BIT(SSI))
	csrci mstatus, MSTATUS_MIE
	lr.d a0, (s0)
	LEGAL(wrs.nto)
	lr.d a0, (s0)
	LEGAL(wrs.sto)
	/* Enabled, it is taken right after */
	lr.d a0, (s0)
	t_arm 2f
	csrsi mstatus, MSTATUS_MIE
1:	wrs.nto
2:	t_disarm __LINE__, CAUSE_INTERRUPT + SSI
	DROP(BIT(SSI))
	/* TW does not concern the short wait */
	csrw mie, zero
	li a0, MSTATUS_TW
	csrs mstatus, a0
	IN_LEGAL(PRV_S, wrs.sto)
	PASS

	.data
	.balign 64
cell:	.dword 0
