/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/riscv/mmu.h"

#include "base/bits.h"
#include "engine/riscv/cpu.h"

#define PTE_V BIT(0)
#define PTE_R BIT(1)
#define PTE_W BIT(2)
#define PTE_X BIT(3)
#define PTE_U BIT(4)
#define PTE_A BIT(6)
#define PTE_D BIT(7)
#define PTE_PBMT (BIT(61) | BIT(62))
#define PTE_N BIT(63)
#define PTE_RESERVED (BIT(54) | BIT(55) | BIT(56) | BIT(57) | BIT(58) | BIT(59) | BIT(60))

enum { PTE_PPN_SHIFT = 10, PTE_PPN_BITS = 44, PTE_PBMT_SHIFT = 61, NAPOT_64K = 8 };

/* One walk. */
struct walk {
	struct riscv_cpu *cpu;
	uint64_t va;
	unsigned access, priv;
	uint64_t *pte_host;	/* where the PTE was read, */
	uint64_t pte_pa;
	uint64_t pte;		/* and what it was */
	unsigned level;
};

static const uint8_t page_causes[] = {
	[ACCESS_READ] = CAUSE_LOAD_PAGE,
	[ACCESS_WRITE] = CAUSE_STORE_PAGE,
	[ACCESS_EXEC] = CAUSE_FETCH_PAGE,
};

static const uint8_t access_causes[] = {
	[ACCESS_READ] = CAUSE_LOAD_ACCESS,
	[ACCESS_WRITE] = CAUSE_STORE_ACCESS,
	[ACCESS_EXEC] = CAUSE_FETCH_ACCESS,
};

bool mmu_access_fault(struct riscv_cpu *cpu, uint64_t va, unsigned access)
{
	return riscv_fault(cpu, access_causes[access], va);
}

static bool page_fault(const struct walk *w)
{
	return riscv_fault(w->cpu, page_causes[w->access], w->va);
}

/* Reads the PTE at pa; page tables are accessed as by S-mode. */
static bool read_pte(struct walk *w, uint64_t pa)
{
	const struct gmem *mem = &w->cpu->v->vm->mem;

	w->pte_pa = pa;
	w->pte_host = gmem_ptr(mem, pa, sizeof(uint64_t), false);
	if (!w->pte_host || !pmp_allows(&w->cpu->pmp, pa, 8, ACCESS_READ, PRIV_S))
		return mmu_access_fault(w->cpu, w->va, w->access);
	w->pte = ram_ld64(w->pte_host);
	return true;
}

/* Goes down from the root to a leaf. */
static bool find_leaf(struct walk *w, unsigned levels)
{
	uint64_t table = bits_get(w->cpu->satp, 0, PTE_PPN_BITS) << 12;
	bool pbmt = w->cpu->menvcfg & ENVCFG_PBMTE;

	for (w->level = levels - 1;; w->level--) {
		unsigned index = (unsigned)bits_get(w->va, 12 + 9 * w->level, 9);

		if (!read_pte(w, table + 8 * index))
			return false;
		if (!(w->pte & PTE_V) || (w->pte & (PTE_R | PTE_W)) == PTE_W ||
		    (w->pte & PTE_RESERVED) || (!pbmt && (w->pte & PTE_PBMT)))
			return page_fault(w);
		if (w->pte & (PTE_R | PTE_X))
			return true;
		if (w->level == 0 || (w->pte & (PTE_A | PTE_D | PTE_U | PTE_PBMT | PTE_N)))
			return page_fault(w);
		table = bits_get(w->pte, PTE_PPN_SHIFT, PTE_PPN_BITS) << 12;
	}
}

/* Do the leaf's permission bits allow the access? */
static bool permitted(const struct walk *w, unsigned access)
{
	uint64_t status = w->cpu->mstatus;

	if (w->pte & PTE_U) {
		if (w->priv == PRIV_S && (access == ACCESS_EXEC || !(status & MSTATUS_SUM)))
			return false;
	} else if (w->priv == PRIV_U) {
		return false;
	}
	switch (access) {
	case ACCESS_READ:
		return w->pte & (status & MSTATUS_MXR ? PTE_R | PTE_X : PTE_R);
	case ACCESS_WRITE:
		return w->pte & PTE_W;
	default:
		return w->pte & PTE_X;
	}
}

/* Is the leaf one that its level allows, aligned, with known attributes? */
static bool well_formed(const struct walk *w, uint64_t *size)
{
	uint64_t ppn = bits_get(w->pte, PTE_PPN_SHIFT, PTE_PPN_BITS);

	*size = BIT(12 + 9 * w->level);
	if (bits_get(w->pte, PTE_PBMT_SHIFT, 2) == 3)
		return false;
	if (w->pte & PTE_N) {
		*size = 64 * KIB;
		return w->level == 0 && bits_get(ppn, 0, 4) == NAPOT_64K;
	}
	return !(ppn << 12 & (*size - 1));
}

/* Sets the bits in the PTE in memory. -1: fault noted; 0: it had changed, walk again; 1: done */
static int set_bits(struct walk *w, uint64_t bits)
{
	struct riscv_cpu *cpu = w->cpu;
	uint64_t expected = w->pte;

	if (!(cpu->menvcfg & ENVCFG_ADUE))
		return page_fault(w) ? 0 : -1;
	if (!gmem_ptr(&cpu->v->vm->mem, w->pte_pa, 8, true) ||
	    !pmp_allows(&cpu->pmp, w->pte_pa, 8, ACCESS_WRITE, PRIV_S))
		return mmu_access_fault(cpu, w->va, w->access) ? 0 : -1;
	/* Orders this against other harts' walks and software's own atomics on PTEs. */
	if (!__atomic_compare_exchange_n(w->pte_host, &expected, expected | bits, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return 0;
	w->pte |= bits;
	return 1;
}

static unsigned satp_levels(uint64_t satp)
{
	switch (satp >> 60) {
	case SATP_SV39:
		return 3;
	case SATP_SV48:
		return 4;
	case SATP_SV57:
		return 5;
	default:
		return 0;
	}
}

bool mmu_translate(struct riscv_cpu *cpu, uint64_t va, unsigned access, unsigned priv,
		   struct mmu_page *out)
{
	struct walk w = { .cpu = cpu, .va = va, .access = access, .priv = priv };
	unsigned levels = satp_levels(cpu->satp);
	uint64_t want;

	if (priv == PRIV_M || levels == 0) {
		/* Physical addresses have 56 bits. */
		if (va >> 56)
			return mmu_access_fault(cpu, va, access);
		*out = (struct mmu_page){ .pa = va, .size = BIT(56), .dirty_write = true };
		return true;
	}
	if ((uint64_t)bits_sext(va, 12 + 9 * levels) != va)
		return page_fault(&w);
	for (;;) {
		int rc;

		if (!find_leaf(&w, levels))
			return false;
		if (!permitted(&w, access) || !well_formed(&w, &out->size))
			return page_fault(&w);
		want = PTE_A | (access == ACCESS_WRITE ? PTE_D : 0);
		if ((w.pte & want) == want)
			break;
		rc = set_bits(&w, want);
		if (rc < 0)
			return false;
		if (rc > 0)
			break;
	}
	out->pa = (bits_get(w.pte, PTE_PPN_SHIFT, PTE_PPN_BITS) << 12 & ~(out->size - 1)) |
		  (va & (out->size - 1));
	out->dirty_write = (w.pte & PTE_D) && permitted(&w, ACCESS_WRITE);
	return true;
}
