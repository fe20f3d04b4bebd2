/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/riscv/mem.h"

#include "base/bits.h"
#include "engine/riscv/cpu.h"
#include "engine/riscv/mmu.h"
#include "engine/riscv/riscv.h"

/* Physical place of an access within one page. */
struct place {
	uint64_t va, pa;
	unsigned len;
};

/* Enters the page in the TLB when all of it is memory that the mode may access. */
static void fill(struct riscv_cpu *cpu, uint64_t va, unsigned access, unsigned priv,
		 const struct mmu_page *page)
{
	const struct gmem *mem = &cpu->v->vm->mem;
	uint64_t pa = page->pa & TLB_PAGE_MASK, tag = (va & TLB_PAGE_MASK) | cpu->ctx;
	struct tlb_entry *e = tlb_slot(cpu->tlb, va);
	struct gmem_region *region;
	uint8_t *host;
	bool write;

	host = gmem_ptr(mem, pa, GMEM_PAGE, access == ACCESS_WRITE);
	if (!host || !pmp_page_uniform(&cpu->pmp, pa))
		return;
	region = gmem_find(mem, pa);
	if (region->kind == GMEM_ROMD)
		return;		/* may turn into a device at any time */
	if (page->size > GMEM_PAGE && page->size < BIT(56))
		tlb_note_large(cpu->tlbs, va, page->size);
	write = access == ACCESS_WRITE ||
		(page->dirty_write && region->kind == GMEM_RAM &&
		 pmp_allows(&cpu->pmp, pa, GMEM_PAGE, ACCESS_WRITE, priv));
	/* What the other kind's tag promised does not hold for a new addend. */
	if (e->addend != (uintptr_t)host - (va & TLB_PAGE_MASK)) {
		e->tag[ACCESS_READ] = e->tag[ACCESS_WRITE] = 0;
		e->addend = (uintptr_t)host - (va & TLB_PAGE_MASK);
	}
	if (access == ACCESS_READ)
		e->tag[ACCESS_READ] = tag;
	else if (e->tag[ACCESS_READ] != tag)
		e->tag[ACCESS_READ] = 0;
	if (write)
		e->tag[ACCESS_WRITE] = tag;
	else if (e->tag[ACCESS_WRITE] != tag)
		e->tag[ACCESS_WRITE] = 0;
}

/* Translates and checks len bytes at va that lie in one page. */
static bool locate(struct riscv_cpu *cpu, uint64_t va, unsigned len, unsigned access,
		   struct place *out)
{
	unsigned priv = riscv_data_priv(cpu);
	struct mmu_page page;

	if (!mmu_translate(cpu, va, access, priv, &page))
		return false;
	if (!pmp_allows(&cpu->pmp, page.pa, len, access, priv))
		return mmu_access_fault(cpu, va, access);
	fill(cpu, va, access, priv, &page);
	*out = (struct place){ .va = va, .pa = page.pa, .len = len };
	return true;
}

/*
 * Little-endian value of len bytes at p, which lie in one page: one access when naturally
 * aligned, else taken out of the aligned words that hold them.
 */
static uint64_t ram_load(const uint8_t *p, unsigned len)
{
	unsigned shift = 8 * (unsigned)((uintptr_t)p & 7);
	const uint8_t *word = p - ((uintptr_t)p & 7);
	uint64_t v;

	if (len == 8 && shift == 0)
		return ram_ld64(p);
	if (len == 4 && !((uintptr_t)p & 3))
		return ram_ld32(p);
	if (len == 2 && !((uintptr_t)p & 1))
		return ram_ld16(p);
	v = ram_ld64(word) >> shift;
	if (shift + 8 * len > 64)
		v |= ram_ld64(word + 8) << (64 - shift);
	return bits_get(v, 0, 8 * len);
}

/* The same for stores: in pieces that are aligned. */
static void ram_store(uint8_t *p, unsigned len, uint64_t v)
{
	while (len) {
		unsigned n = len >= 8 ? 8 : len >= 4 ? 4 : len >= 2 ? 2 : 1;

		while ((uintptr_t)p & (n - 1))
			n /= 2;
		if (n == 8)
			ram_st64(p, v);
		else if (n == 4)
			ram_st32(p, (uint32_t)v);
		else if (n == 2)
			ram_st16(p, (uint16_t)v);
		else
			ram_st8(p, (uint8_t)v);
		p += n;
		len -= n;
		v = n < 8 ? v >> (8 * n) : 0;
	}
}

static bool load_part(struct riscv_cpu *cpu, const struct place *at, uint64_t *out)
{
	struct vm *vm = cpu->v->vm;
	const uint8_t *host = gmem_ptr(&vm->mem, at->pa, at->len, false);

	if (host) {
		*out = ram_load(host, at->len);
		return true;
	}
	if (is_pow2(at->len) && bus_read(&vm->bus, at->pa, at->len, out))
		return true;
	return mmu_access_fault(cpu, at->va, ACCESS_READ);
}

static bool store_part(struct riscv_cpu *cpu, const struct place *at, uint64_t value)
{
	struct vm *vm = cpu->v->vm;
	uint8_t *host = gmem_ptr(&vm->mem, at->pa, at->len, true);

	if (host) {
		ram_store(host, at->len, value);
		return true;
	}
	if (is_pow2(at->len) && bus_write(&vm->bus, at->pa, at->len, value))
		return true;
	return mmu_access_fault(cpu, at->va, ACCESS_WRITE);
}

/* The bytes of an access of size at va that lie in va's page. */
static unsigned in_page(uint64_t va, unsigned size)
{
	uint64_t left = GMEM_PAGE - (va & (GMEM_PAGE - 1));

	return left < size ? (unsigned)left : size;
}

/* Where the TLB says va's page is, or NULL: for what is misaligned within it. */
static uint8_t *tlb_host(struct riscv_cpu *cpu, uint64_t va, unsigned access)
{
	const struct tlb_entry *e = tlb_slot(cpu->tlb, va);

	return e->tag[access] == tlb_tag(va, 1, cpu->ctx) ? (uint8_t *)(va + e->addend) : NULL;
}

bool riscv_load(struct riscv_cpu *cpu, uint64_t va, unsigned size, uint64_t *out)
{
	unsigned first = in_page(va, size);
	const uint8_t *host = tlb_host(cpu, va, ACCESS_READ);
	struct place low, high;
	uint64_t v, rest;

	if (host && first == size) {
		*out = ram_load(host, size);
		return true;
	}
	if (!locate(cpu, va, first, ACCESS_READ, &low))
		return false;
	if (first == size)
		return load_part(cpu, &low, out);
	if (!locate(cpu, va + first, size - first, ACCESS_READ, &high) ||
	    !load_part(cpu, &low, &v) || !load_part(cpu, &high, &rest))
		return false;
	*out = v | rest << (8 * first);
	return true;
}

/* A store into two pages: all of it or none, so both ends must be RAM. */
static bool store_across(struct riscv_cpu *cpu, const struct place *low, const struct place *high,
			 uint64_t value)
{
	const struct gmem *mem = &cpu->v->vm->mem;

	if (!gmem_ptr(mem, low->pa, low->len, true))
		return mmu_access_fault(cpu, low->va, ACCESS_WRITE);
	if (!gmem_ptr(mem, high->pa, high->len, true))
		return mmu_access_fault(cpu, high->va, ACCESS_WRITE);
	return store_part(cpu, low, value) && store_part(cpu, high, value >> (8 * low->len));
}

bool riscv_store(struct riscv_cpu *cpu, uint64_t va, unsigned size, uint64_t value)
{
	unsigned first = in_page(va, size);
	uint8_t *host = tlb_host(cpu, va, ACCESS_WRITE);
	struct place low, high;

	if (host && first == size) {
		ram_store(host, size, value);
		return true;
	}
	if (!locate(cpu, va, first, ACCESS_WRITE, &low))
		return false;
	if (first == size)
		return store_part(cpu, &low, value);
	if (!locate(cpu, va + first, size - first, ACCESS_WRITE, &high))
		return false;
	return store_across(cpu, &low, &high, value);
}

/* ---- atomics -------------------------------------------------------------------------- */

void *riscv_atomic_ptr(struct riscv_cpu *cpu, uint64_t va, unsigned size, unsigned access)
{
	struct tlb_entry *e = tlb_slot(cpu->tlb, va);
	struct place at;
	void *host;

	if (e->tag[access] == tlb_tag(va, size, cpu->ctx))
		return (void *)(uintptr_t)(va + e->addend);
	if (va & (size - 1)) {
		riscv_fault(cpu, access == ACCESS_WRITE ? CAUSE_STORE_MISALIGNED :
							  CAUSE_LOAD_MISALIGNED, va);
		return NULL;
	}
	if (!locate(cpu, va, size, access, &at))
		return NULL;
	host = gmem_ptr(&cpu->v->vm->mem, at.pa, size, access == ACCESS_WRITE);
	if (!host)
		mmu_access_fault(cpu, va, access);
	return host;
}

bool riscv_lr(struct riscv_cpu *cpu, uint64_t va, unsigned size, uint64_t *out)
{
	void *host = riscv_atomic_ptr(cpu, va, size, ACCESS_READ);

	if (!host)
		return false;
	*out = size == 8 ? __atomic_load_n((uint64_t *)host, __ATOMIC_SEQ_CST) :
			   __atomic_load_n((uint32_t *)host, __ATOMIC_SEQ_CST);
	cpu->res_host = (uintptr_t)host;
	cpu->res_value = *out;
	cpu->res_size = size;
	return true;
}

bool riscv_sc(struct riscv_cpu *cpu, uint64_t va, unsigned size, uint64_t value, uint64_t *failed)
{
	void *host = riscv_atomic_ptr(cpu, va, size, ACCESS_WRITE);
	uint64_t expected64 = cpu->res_value;
	uint32_t expected32 = (uint32_t)cpu->res_value;
	bool stands, done;

	if (!host)
		return false;
	/* A comparison of values stands for the reservation: A-B-A goes unnoticed. */
	stands = cpu->res_host == (uintptr_t)host && cpu->res_size == size;
	cpu->res_host = 0;
	if (size == 8)
		done = stands && __atomic_compare_exchange_n((uint64_t *)host, &expected64, value,
							     false, __ATOMIC_SEQ_CST,
							     __ATOMIC_SEQ_CST);
	else
		done = stands && __atomic_compare_exchange_n((uint32_t *)host, &expected32,
							     (uint32_t)value, false,
							     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	*failed = !done;
	return true;
}

/* ---- cache blocks --------------------------------------------------------------------- */

bool riscv_zero_block(struct riscv_cpu *cpu, uint64_t va)
{
	uint64_t block = align_down(va, RISCV_CBO_BLOCK);
	struct place at;
	uint8_t *host;

	if (!locate(cpu, block, RISCV_CBO_BLOCK, ACCESS_WRITE, &at)) {
		cpu->trap.tval = va;
		return false;
	}
	host = gmem_ptr(&cpu->v->vm->mem, at.pa, RISCV_CBO_BLOCK, true);
	if (!host)
		return mmu_access_fault(cpu, va, ACCESS_WRITE);
	for (unsigned i = 0; i < RISCV_CBO_BLOCK; i += 8)
		ram_st64(host + i, 0);
	return true;
}

bool riscv_check_block(struct riscv_cpu *cpu, uint64_t va)
{
	uint64_t block = align_down(va, RISCV_CBO_BLOCK);
	struct place at;

	/* Whoever may load or store may manage; a refusal counts as a store's. */
	if (locate(cpu, block, RISCV_CBO_BLOCK, ACCESS_READ, &at))
		return true;
	if (locate(cpu, block, RISCV_CBO_BLOCK, ACCESS_WRITE, &at))
		return true;
	cpu->trap.tval = va;
	return false;
}

/* ---- instruction fetch ---------------------------------------------------------------- */

bool riscv_fetch_ok(struct riscv_cpu *cpu, uint64_t va, uint64_t pa, unsigned len)
{
	if (pmp_allows(&cpu->pmp, pa, len, ACCESS_EXEC, cpu->priv))
		return true;
	return mmu_access_fault(cpu, va, ACCESS_EXEC);
}

bool riscv_fetch_page(struct riscv_cpu *cpu, uint64_t va, struct fetch_page *out)
{
	struct tlb_fetch *slot = tlb_fetch_slot(cpu->tlbs, va);
	uint64_t tag = (va & TLB_PAGE_MASK) | cpu->ctx | cpu->priv;
	struct mmu_page page;
	uint8_t *host;

	if (slot->tag == tag) {
		*out = (struct fetch_page){ .host = slot->host, .pa = slot->pa, .uniform = true };
		return true;
	}
	if (!mmu_translate(cpu, va, ACCESS_EXEC, cpu->priv, &page))
		return false;
	page.pa &= TLB_PAGE_MASK;
	out->uniform = pmp_page_uniform(&cpu->pmp, page.pa);
	if (out->uniform && !riscv_fetch_ok(cpu, va, page.pa, GMEM_PAGE))
		return false;
	host = gmem_ptr(&cpu->v->vm->mem, page.pa, GMEM_PAGE, false);
	if (!host)
		return mmu_access_fault(cpu, va, ACCESS_EXEC);
	out->host = host;
	out->pa = page.pa;
	if (!out->uniform)
		return true;
	if (page.size > GMEM_PAGE && page.size < BIT(56))
		tlb_note_large(cpu->tlbs, va, page.size);
	*slot = (struct tlb_fetch){ .tag = tag, .host = host, .pa = page.pa };
	return true;
}
