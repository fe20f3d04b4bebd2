/* SPDX-License-Identifier: Apache-2.0 */
#include "vm.h"

#define POOL 48

const struct scheme schemes[3] = {
	{8, 3, "sv39"}, {9, 4, "sv48"}, {10, 5, "sv57"},
};

static table_t pool[POOL] __attribute__((aligned(4096)));
static unsigned used;
static uint64_t *root;
static const struct scheme *scheme;

static uint64_t *table(void)
{
	uint64_t *t = pool[used++];

	if (used > POOL)
		check_failed(used, POOL);
	for (unsigned i = 0; i < 512; i++)
		t[i] = 0;
	return t;
}

/*
 * Where the stubs are mapped for a mode: under the seventh entry of the root table, which no
 * test uses.
 */
static uint64_t stubs_at(enum mode mode)
{
	return 7ull << (12 + 9 * (scheme->levels - 1)) | (mode == MODE_U ? 0x200000 : 0);
}

static void map_stubs(void)
{
	vm_map(stubs_at(MODE_S), (uint64_t)access_stubs, RX | AD, 0);
	vm_map(stubs_at(MODE_U), (uint64_t)access_stubs, RX | AD | U, 0);
}

void vm_init(const struct scheme *s)
{
	csr_write(pmpaddr0, -1);
	csr_write(pmpcfg0, 0x1f);
	csr_write(medeleg, 0);
	csr_write(0x30a, MENVCFG_ADUE);
	csr_clear(mstatus, MSTATUS_SUM | MSTATUS_MXR);
	used = 0;
	scheme = s;
	test_note = s->name;
	root = table();
	csr_write(satp, (uint64_t)s->mode << 60 | (uint64_t)root >> 12);
	sfence();
	map_stubs();
}

uint64_t *vm_root(unsigned asid, uint64_t *to)
{
	uint64_t *old = root;
	bool fresh = !to;

	root = to ? to : table();
	csr_write(satp, (uint64_t)scheme->mode << 60 | (uint64_t)asid << 44 |
		  (uint64_t)root >> 12);
	if (fresh)
		map_stubs();
	return old;
}

volatile uint64_t *vm_entry(uint64_t va, unsigned level)
{
	uint64_t *t = root;

	for (unsigned l = scheme->levels - 1; l > level; l--) {
		uint64_t *e = &t[va >> (12 + 9 * l) & 511];

		if (!(*e & V))
			*e = PTE_PPN(table()) | V;
		t = (uint64_t *)(*e >> 10 << 12);
	}
	return &t[va >> (12 + 9 * level) & 511];
}

volatile uint64_t *vm_map(uint64_t va, uint64_t pa, uint64_t flags, unsigned level)
{
	volatile uint64_t *e = vm_entry(va, level);

	*e = PTE_PPN(pa) | flags | V;
	__asm__ volatile("sfence.vma %0" :: "r"(va) : "memory");
	return e;
}

int vm_access(enum mode mode, enum op op, uint64_t va, uint64_t value)
{
	int ecall = mode == MODE_U ? ECALL_U : ECALL_S;
	uint64_t code = stubs_at(mode) + op * STUB_SIZE;
	int real, mprv;

	if (op == OP_FETCH)
		code = va;
	real = run_at(mode, code, va, value);
	if (real == ecall)
		real = NONE;
	else if (last.epc != code)
		check_failed(last.epc, code);
	else if (last.tval != va)
		check_failed(last.tval, va);
	if (op == OP_FETCH || op == OP_SC || op == OP_AMO)
		return real;
	mprv = access_mprv(mode, op, va, value);
	if (mprv != real)
		check_failed(mprv, real);
	if (mprv != NONE && last.tval != va)
		check_failed(last.tval, va);
	return real;
}
