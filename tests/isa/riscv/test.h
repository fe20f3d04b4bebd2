/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a bare-metal instruction test is written with.
 *
 * A test is one .S file with a `test_main` that hart 0 runs in M-mode, traps on, interrupts
 * off; it ends with PASS. A case stands on one line, the expected value beside the
 * instruction; its number is that line. A failing case prints
 *
 *	FAIL line 42: got 0000000000000001 want 0000000000000002
 *
 * on the UART and ends the program with code min(line, 255) through `tohost` (1 = pass,
 * code << 1 | 1 = fail) and through the sifive_test device, so that the same ELF reports
 * under any machine with the virt board's memory map.
 *
 * Registers: gp holds the line of the case; t4, t5, t6 belong to the macros; the rest is the
 * test's. mscratch points at the hart's trap record (CTX_*); a trap is recorded there and
 * execution resumes in M-mode, interrupts off, at the address the case left in CTX_RESUME.
 * A trap that no case announced is a failure and prints its cause, pc and value.
 *
 * Code in S- or U-mode runs from RUN until its first trap, which brings it back: a trap
 * delegated to S-mode (stvec = trap_s, sscratch = mscratch: SETUP_S) is recorded there with
 * CTX_MODE 1 and comes back the same way.
 */
#ifndef TESTS_ISA_RISCV_TEST_H
#define TESTS_ISA_RISCV_TEST_H

/* The trap record of a hart */
#define CTX_T0 0
#define CTX_T1 8
#define CTX_CAUSE 16
#define CTX_EPC 24
#define CTX_TVAL 32
#define CTX_STATUS 40
#define CTX_MODE 48 /* the mode that took it: 3 or 1 */
#define CTX_RESUME 56
#define CTX_ENDING 64 /* set once the verdict is being printed */
#define CTX_SIZE 128

#define NO_TRAP -1
#define ANY 0x5a5a5a5a5a5a5a5a /* a trap value that is not looked at */

#define PRV_U 0
#define PRV_S 1
#define PRV_M 3

#define MSTATUS_SIE 0x2
#define MSTATUS_MIE 0x8
#define MSTATUS_SPIE 0x20
#define MSTATUS_MPIE 0x80
#define MSTATUS_SPP 0x100
#define MSTATUS_MPP 0x1800
#define MSTATUS_FS 0x6000
#define MSTATUS_MPRV 0x20000
#define MSTATUS_SUM 0x40000
#define MSTATUS_MXR 0x80000
#define MSTATUS_TVM 0x100000
#define MSTATUS_TW 0x200000
#define MSTATUS_TSR 0x400000

#define CAUSE_FETCH_MISALIGNED 0
#define CAUSE_FETCH_ACCESS 1
#define CAUSE_ILLEGAL 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_LOAD_MISALIGNED 4
#define CAUSE_LOAD_ACCESS 5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS 7
#define CAUSE_ECALL_U 8
#define CAUSE_ECALL_S 9
#define CAUSE_ECALL_M 11
#define CAUSE_FETCH_PAGE 12
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15
#define CAUSE_INTERRUPT 0x8000000000000000

/* One case, for checks that stand on their own */
#define CASE li gp, __LINE__

/* The register holds the value */
#define CHECK(reg, want) t_check __LINE__, reg, want
/* The register holds the address of the symbol */
#define CHECK_ADDR(reg, sym) t_check_addr __LINE__, reg, sym
/* op rd, rs1, rs2 in every register overlap, rd = x0 included */
#define RR(op, want, a, b) t_rr __LINE__, op, want, a, b
/* op rd, rs1, imm */
#define RI(op, want, a, imm) t_ri __LINE__, op, want, a, imm
/* op rd, rs1 */
#define R1(op, want, a) t_r1 __LINE__, op, want, a
/* The instruction takes this trap, with mepc on it; tval may be ANY */
#define TRAP(cause, tval, ...) t_trap __LINE__, cause, tval, #__VA_ARGS__
/* Its trap value is the address of the symbol */
#define TRAP_ADDR(cause, sym, ...) t_trap_addr __LINE__, cause, sym, #__VA_ARGS__
/* The instruction is illegal */
#define ILLEGAL(...) t_trap __LINE__, CAUSE_ILLEGAL, ANY, #__VA_ARGS__
/* The instruction takes no trap */
#define LEGAL(...) t_trap __LINE__, NO_TRAP, ANY, #__VA_ARGS__
/* Run the code at a symbol in a lower mode until it traps */
#define RUN(mode, sym) t_run __LINE__, mode, sym
/* What the last RUN recorded: who took the trap (3 or 1), cause, pc symbol, value */
#define RAN(by, cause, epc, tval) t_ran __LINE__, by, cause, epc, tval
/* One instruction in a lower mode: it traps with this cause, taken by `by` (3 or 1) ... */
#define IN_TRAP(mode, by, cause, tval, ...) t_in __LINE__, mode, by, cause, tval, 1, #__VA_ARGS__
/* ... is illegal there ... */
#define IN_ILLEGAL(mode, ...) t_in __LINE__, mode, PRV_M, CAUSE_ILLEGAL, ANY, 1, #__VA_ARGS__
/* ... or runs, so that the ecall after it traps into M-mode */
#define IN_LEGAL(mode, ...) \
	t_in __LINE__, mode, PRV_M, CAUSE_ECALL_U + mode, 0, 0, #__VA_ARGS__
#define PASS j test_pass
/* stvec and sscratch as trap_s wants them; every address open to S and U through PMP */
#define SETUP_S setup_s

#ifdef __ASSEMBLER__
	.macro t_same
	beq t5, t6, 9990f
	j test_fail
9990:
	.endm

	.macro t_check line, reg, want
	mv t5, \reg
	li gp, \line
	li t6, \want
	t_same
	.endm

	.macro t_check_addr line, reg, sym
	mv t5, \reg
	li gp, \line
	la t6, \sym
	t_same
	.endm

	.macro t_rr line, op, want, a, b
	li gp, \line
	li a1, \a
	li a2, \b
	li a0, 0x5555
	\op a0, a1, a2
	t_check \line, a0, \want
	mv a0, a1
	\op a0, a0, a2
	t_check \line, a0, \want
	mv a0, a2
	\op a0, a1, a0
	t_check \line, a0, \want
	\op zero, a1, a2
	t_check \line, zero, 0
	t_check \line, a1, \a
	t_check \line, a2, \b
	.endm

	.macro t_ri line, op, want, a, imm
	li gp, \line
	li a1, \a
	li a0, 0x5555
	\op a0, a1, \imm
	t_check \line, a0, \want
	mv a0, a1
	\op a0, a0, \imm
	t_check \line, a0, \want
	\op zero, a1, \imm
	t_check \line, zero, 0
	t_check \line, a1, \a
	.endm

	.macro t_r1 line, op, want, a
	li gp, \line
	li a1, \a
	li a0, 0x5555
	\op a0, a1
	t_check \line, a0, \want
	mv a0, a1
	\op a0, a0
	t_check \line, a0, \want
	\op zero, a1
	t_check \line, zero, 0
	.endm

	/* Announce a trap: resume at the symbol, nothing recorded yet */
	.macro t_arm resume
	csrr t4, mscratch
	la t5, \resume
	sd t5, CTX_RESUME(t4)
	li t5, NO_TRAP
	sd t5, CTX_CAUSE(t4)
	.endm

	.macro t_disarm line, cause
	csrr t4, mscratch
	sd zero, CTX_RESUME(t4)
	ld t5, CTX_CAUSE(t4)
	li t6, \cause
	li gp, \line
	t_same
	.endm

	.macro t_trap line, cause, tval, insn
	t_arm 9992f
	li gp, \line
9991:
	\insn
9992:
	t_disarm \line, \cause
	.if (\cause) != NO_TRAP
	ld t5, CTX_EPC(t4)
	la t6, 9991b
	t_same
	.if (\tval) != ANY
	ld t5, CTX_TVAL(t4)
	li t6, \tval
	t_same
	.endif
	.endif
	.endm

	.macro t_trap_addr line, cause, sym, insn
	t_trap \line, \cause, ANY, "\insn"
	ld t5, CTX_TVAL(t4)
	la t6, \sym
	t_same
	.endm

	.macro t_run line, mode, sym
	t_arm 9993f
	li gp, \line
	la t5, \sym
	csrw mepc, t5
	li t5, MSTATUS_MPP
	csrc mstatus, t5
	li t5, \mode << 11
	csrs mstatus, t5
	mret
9993:
	.endm

	.macro t_ran line, by, cause, epc, tval
	csrr t4, mscratch
	li gp, \line
	ld t5, CTX_CAUSE(t4)
	li t6, \cause
	t_same
	ld t5, CTX_EPC(t4)
	la t6, \epc
	t_same
	.if (\tval) != ANY
	ld t5, CTX_TVAL(t4)
	li t6, \tval
	t_same
	.endif
	ld t5, CTX_MODE(t4)
	li t6, \by
	t_same
	.endm

	.macro t_in line, mode, by, cause, tval, at_insn, insn
	j 9996f
	.balign 4
9994:	\insn
9995:	ecall
9996:	t_run \line, \mode, 9994b
	.if \at_insn
	t_ran \line, \by, \cause, 9994b, \tval
	.else
	t_ran \line, \by, \cause, 9995b, \tval
	.endif
	.endm

	.macro setup_s
	li t4, -1
	csrw pmpaddr0, t4
	li t4, 0x1f
	csrw pmpcfg0, t4
	la t4, trap_s
	csrw stvec, t4
	csrr t4, mscratch
	csrw sscratch, t4
	.endm
#endif

#endif
