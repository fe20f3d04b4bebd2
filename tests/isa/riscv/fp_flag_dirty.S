/* SPDX-License-Identifier: Apache-2.0 */
/*
 * F: an instruction that writes no f register but raises a flag changes fcsr, so it makes
 * mstatus.FS dirty (Privileged ISA 3.1.6.6). QEMU 7.2 leaves FS as it was.
 */
#include "test.h"

	.globl test_main
test_main:
	li a0, 3 << 13
	csrs mstatus, a0
	li a0, 0x7ff0000000000001	/* a signalling NaN */
	fmv.d.x fa1, a0
	fmv.d.x fa2, zero
	.irp insn, "feq.d a0, fa1, fa2", "flt.d a0, fa1, fa2", "fcvt.w.d a0, fa1", "fcvt.lu.s a0, fa1"
	csrw fflags, zero
	li a0, 1 << 13
	csrc mstatus, a0		/* clean */
	\insn
	csrr a0, mstatus
	srli a0, a0, 13
	andi a0, a0, 3
	CHECK(a0, 3)
	csrr a0, fflags
	CHECK(a0, 16)
	.endr
	PASS
