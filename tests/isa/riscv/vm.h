/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page tables for the translation tests. Tables come from a static pool; a test works at
 * virtual addresses of its own and needs no mapping of its code, since it stays in M-mode:
 * vm_access() reaches memory once through MPRV and once by code in the mode itself.
 */
#ifndef TESTS_ISA_RISCV_VM_H
#define TESTS_ISA_RISCV_VM_H

#include "testc.h"

enum pte {
	V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128,
	RW = R | W, RX = R | X, RWX = R | W | X, AD = A | D,
};
#define PTE_N (1ull << 63)
#define PTE_PBMT(n) ((uint64_t)(n) << 61)
#define PTE_PPN(pa) ((uint64_t)(pa) >> 12 << 10)

#define MENVCFG_ADUE (1ull << 61)
#define MENVCFG_PBMTE (1ull << 62)

typedef uint64_t table_t[512];

/* A translation scheme: satp.MODE, levels, name. */
struct scheme {
	unsigned mode, levels;
	const char *name;
};
extern const struct scheme schemes[3];

/* Start over: an empty root table, satp.MODE by the scheme, everything open through PMP. */
void vm_init(const struct scheme *s);

/* Switch to another empty root with that ASID; returns the old root. */
uint64_t *vm_root(unsigned asid, uint64_t *root);

/* The entry of va at that level (0: 4 KiB), with tables made down to it. */
volatile uint64_t *vm_entry(uint64_t va, unsigned level);

/* Map one page of the level's size, sfence.vma for it; flags | V. */
volatile uint64_t *vm_map(uint64_t va, uint64_t pa, uint64_t flags, unsigned level);

/*
 * The access in that mode through both ways, which must agree (OP_FETCH: by running there;
 * the memory must hold an ecall). Returns the cause of the trap or NONE; a trap's value must
 * be va.
 */
int vm_access(enum mode mode, enum op op, uint64_t va, uint64_t value);

#define ECALL 0x00000073u		/* the instruction */
#define NOWHERE 0x40000000000ull	/* beyond the board's memory */

/* The page fault that an access raises */
static inline int page_fault(enum op op)
{
	return op == OP_FETCH ? FETCH_PAGE : op <= OP_LD || op == OP_LR ? LOAD_PAGE : STORE_PAGE;
}

/* Faults whatever is asked */
#define ALL_FAULT(mode, va) do { \
	CHECK(vm_access(mode, OP_LD, va, 0), LOAD_PAGE); \
	CHECK(vm_access(mode, OP_SD, va, 0), STORE_PAGE); \
	CHECK(vm_access(mode, OP_AMO, va, 0), STORE_PAGE); \
	CHECK(vm_access(mode, OP_FETCH, va, 0), FETCH_PAGE); \
} while (0)

static inline void sfence(void)
{
	__asm__ volatile("sfence.vma" ::: "memory");
}

#endif
