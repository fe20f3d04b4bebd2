/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instruction tests in C, for what is a matter of tables in memory rather than of one
 * instruction: address translation, PMP. test.h's runtime beneath; access.S makes the
 * accesses whose traps are asked about.
 */
#ifndef TESTS_ISA_RISCV_TESTC_H
#define TESTS_ISA_RISCV_TESTC_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE 4096ull

enum mode { MODE_U = 0, MODE_S = 1, MODE_M = 3 };

enum cause {
	NONE = -1,
	FETCH_ACCESS = 1, ILLEGAL = 2, LOAD_ACCESS = 5, STORE_ACCESS = 7,
	ECALL_U = 8, ECALL_S = 9, FETCH_PAGE = 12, LOAD_PAGE = 13, STORE_PAGE = 15,
};

/* How to touch memory; the order is that of the stubs in access.S. */
enum op {
	OP_LB, OP_LH, OP_LW, OP_LD, OP_SB, OP_SH, OP_SW, OP_SD,
	OP_LR, OP_SC, OP_AMO, OP_CBO_ZERO, OP_CBO_CLEAN, OP_CBO_FLUSH, OP_CBO_INVAL, OP_FETCH,
};

/* What the last access trapped with, and read. */
struct outcome {
	int64_t cause;
	uint64_t epc, tval, value;
};

extern struct outcome last;
extern const char *test_note;

/*
 * One access by an instruction in M-mode with MPRV set and MPP naming the mode (M: as M-mode
 * itself). Returns the cause of its trap or NONE. Fetches are not for this.
 */
int access_mprv(enum mode mode, enum op op, uint64_t va, uint64_t value);

/*
 * Run at `pc` in that mode with a1 = va, a2 = value until the first trap (all of which go to
 * M-mode) and return its cause.
 */
int run_at(enum mode mode, uint64_t pc, uint64_t va, uint64_t value);

/* The stubs, 16 bytes each: the access of an enum op, then ecall. */
extern const uint32_t access_stubs[];
#define STUB_SIZE 16

void test_pass(void) __attribute__((noreturn));
void check_failed(uint64_t got, uint64_t want) __attribute__((noreturn));

#define CASE() __asm__ volatile("li gp, %0" :: "i"(__LINE__))
#define CHECK(got, want) do { \
	uint64_t got_ = (uint64_t)(got), want_ = (uint64_t)(want); \
	CASE(); \
	if (got_ != want_) \
		check_failed(got_, want_); \
} while (0)

#define csr_read(csr) ({ uint64_t v_; __asm__ volatile("csrr %0, " #csr : "=r"(v_)); v_; })
#define csr_write(csr, v) __asm__ volatile("csrw " #csr ", %0" :: "r"((uint64_t)(v)) : "memory")
#define csr_set(csr, v) __asm__ volatile("csrs " #csr ", %0" :: "r"((uint64_t)(v)) : "memory")
#define csr_clear(csr, v) __asm__ volatile("csrc " #csr ", %0" :: "r"((uint64_t)(v)) : "memory")

#define MSTATUS_SUM (1ull << 18)
#define MSTATUS_MXR (1ull << 19)

#endif
