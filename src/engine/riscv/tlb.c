/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/riscv/tlb.h"

#include <string.h>

#include "engine/riscv/block.h"
#include "engine/riscv/cpu.h"

static void forget_all(struct tlb *t)
{
	memset(t->data, 0, sizeof(t->data));
	memset(t->fetch, 0, sizeof(t->fetch));
	memset(t->space, 0, sizeof(t->space));
	t->next_ctx = 1;
	t->large = false;
}

/* A context number nothing carries yet. */
static uint64_t fresh_ctx(struct riscv_cpu *cpu)
{
	struct tlb *t = cpu->tlbs;

	if (t->next_ctx == 0 || t->next_ctx >= TLB_CTX_END) {
		forget_all(t);
		/* Jump cache keys hold context numbers, which now begin again. */
		block_forget_jumps(cpu);
	}
	return (uint64_t)t->next_ctx++ << TLB_CTX_SHIFT;
}

void tlb_switch_space(struct riscv_cpu *cpu)
{
	struct tlb *t = cpu->tlbs;
	struct tlb_space *s;
	uint64_t ctx;

	for (unsigned i = 0; i < TLB_SPACES; i++) {
		if (t->space[i].ctx && t->space[i].satp == cpu->satp) {
			cpu->ctx = t->space[i].ctx;
			riscv_mode_changed(cpu);
			return;
		}
	}
	ctx = fresh_ctx(cpu);
	s = &t->space[t->next_space++ % TLB_SPACES];
	s->satp = cpu->satp;
	s->ctx = ctx;
	cpu->ctx = ctx;
	riscv_mode_changed(cpu);
}

void tlb_flush(struct riscv_cpu *cpu)
{
	memset(cpu->tlbs->space, 0, sizeof(cpu->tlbs->space));
	cpu->tlbs->large = false;
	tlb_switch_space(cpu);
}

void tlb_flush_asid(struct riscv_cpu *cpu, uint64_t asid)
{
	struct tlb *t = cpu->tlbs;

	for (unsigned i = 0; i < TLB_SPACES; i++)
		if (bits_get(t->space[i].satp, 44, 16) == asid)
			t->space[i].ctx = 0;
	tlb_switch_space(cpu);
}

void tlb_flush_page(struct riscv_cpu *cpu, uint64_t va)
{
	struct tlb *t = cpu->tlbs;

	if (t->large && (va & t->large_mask) == t->large_base) {
		tlb_flush(cpu);
		return;
	}
	for (unsigned b = 0; b < TLB_BANKS; b++) {
		struct tlb_entry *e = tlb_slot(t->data[b], va);

		e->tag[0] = e->tag[1] = 0;
	}
	tlb_fetch_slot(t, va)->tag = 0;
	block_forget_page(cpu, va);
}

void tlb_note_large(struct tlb *t, uint64_t va, uint64_t size)
{
	uint64_t mask = ~(size - 1);

	if (t->large) {
		mask &= t->large_mask;
		while ((va ^ t->large_base) & mask)
			mask <<= 1;
	}
	t->large = true;
	t->large_mask = mask;
	t->large_base = va & mask;
}
