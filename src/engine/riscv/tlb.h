/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The software TLB: from a guest-virtual page to host memory, for one hart.
 *
 * Direct-mapped by virtual page number, one bank for each mode that sees pages differently
 * (U; S; S with SUM; M). An entry only ever leads into a RAM page, or a ROM page for reads,
 * that the mode may access wholly; everything else takes the slow path each time.
 *
 * A tag is the page's address with a context in bits 11-3. The context stands for an address
 * space (satp) as it was since the last fence: another satp or a fence of everything takes a
 * fresh number and so forgets without clearing, and going back to a recent satp (an ASID)
 * finds its entries again. Numbers are never 0 (a cleared entry) and never TLB_CTX_END; when
 * they run out, everything is cleared. Bits 2-0 stay 0, so a misaligned address misses.
 */
#ifndef ENGINE_RISCV_TLB_H
#define ENGINE_RISCV_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"

struct riscv_cpu;

enum {
	TLB_PAGE_SHIFT = 12,
	TLB_ENTRIES = 1024,		/* of a bank */
	TLB_FETCH_ENTRIES = 256,
	TLB_CTX_SHIFT = 3,
	TLB_CTX_END = 511,
	TLB_SPACES = 8,
};

#define TLB_PAGE_MASK (~(BIT(TLB_PAGE_SHIFT) - 1))

enum tlb_bank { TLB_BANK_U, TLB_BANK_S, TLB_BANK_S_SUM, TLB_BANK_M, TLB_BANKS };

struct tlb_entry {
	uint64_t tag[2];		/* for ACCESS_READ, ACCESS_WRITE */
	uintptr_t addend;		/* host address - virtual address */
	uint64_t pad;
};

struct tlb_fetch {
	uint64_t tag;			/* page | context | privilege in bits 1-0 */
	uint8_t *host;			/* the page */
	uint64_t pa;
};

struct tlb_space {
	uint64_t satp;
	uint64_t ctx;			/* 0: slot unused */
};

struct tlb {
	struct tlb_entry data[TLB_BANKS][TLB_ENTRIES];
	struct tlb_fetch fetch[TLB_FETCH_ENTRIES];
	struct tlb_space space[TLB_SPACES];
	unsigned next_space;
	unsigned next_ctx;
	/* Where superpages may have entries: addresses with (a & large_mask) == large_base. */
	uint64_t large_mask, large_base;
	bool large;
};

/* The tag that an aligned access of size bytes to va must find. */
static inline uint64_t tlb_tag(uint64_t va, unsigned size, uint64_t ctx)
{
	return (va & (TLB_PAGE_MASK | (size - 1))) | ctx;
}

static inline struct tlb_entry *tlb_slot(struct tlb_entry *bank, uint64_t va)
{
	return &bank[va >> TLB_PAGE_SHIFT & (TLB_ENTRIES - 1)];
}

static inline struct tlb_fetch *tlb_fetch_slot(struct tlb *t, uint64_t va)
{
	return &t->fetch[va >> TLB_PAGE_SHIFT & (TLB_FETCH_ENTRIES - 1)];
}

/* The following run on the hart's own thread and leave keys and banks of *cpu up to date. */

/* satp has changed: enters its context. */
void tlb_switch_space(struct riscv_cpu *cpu);

/* Forgets everything (SFENCE.VMA without operands; changes of PMP, MXR, menvcfg). */
void tlb_flush(struct riscv_cpu *cpu);

/* Forgets the address space of that ASID (SFENCE.VMA with rs2). */
void tlb_flush_asid(struct riscv_cpu *cpu, uint64_t asid);

/* Forgets the page of va in all address spaces (SFENCE.VMA with rs1). */
void tlb_flush_page(struct riscv_cpu *cpu, uint64_t va);

/* Notes that a page of size bytes (more than one TLB page) at va has an entry. */
void tlb_note_large(struct tlb *t, uint64_t va, uint64_t size);

#endif
