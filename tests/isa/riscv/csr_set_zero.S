/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zicsr: csrrs and csrrc with a register other than x0 write, even where it holds 0, so they
 * trap on what is read-only (Unprivileged ISA 6.1: "if rs1=x0 ... does not write"; "other than
 * x0 ... holds a zero value ... still attempt to write"). QEMU 7.2 looks at the value.
 */
#include "test.h"

	.globl test_main
test_main:
	li a1, 0
	ILLEGAL(csrrs a0, mhartid, a1)
	ILLEGAL(csrrc a0, mhartid, a1)
	ILLEGAL(csrrs a0, mvendorid, a1)
	ILLEGAL(csrrs a0, cycle, a1)
	ILLEGAL(csrrc zero, time, a1)
	LEGAL(csrrs a0, mscratch, a1)
	PASS
