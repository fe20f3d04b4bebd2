/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What menvcfg says of translation (Privileged ISA 3.1.18, 4.3.1, 6). Svadu: ADUE chooses
 * whether hardware sets A and D or their absence is a page fault. Svpbmt: without PBMTE its bits
 * are reserved, with it type 3 is. QEMU 7.2 sets A and D always, and takes any type.
 */
#include "vm.h"

#define VA 0x1000000000ull

static uint32_t page[PAGE / 4] __attribute__((aligned(4096)));

static void software(void)
{
	volatile uint64_t *e = vm_map(VA, (uint64_t)page, RWX, 0);
	uint64_t bare = *e;

	csr_write(0x30a, 0);
	sfence();
	CHECK(csr_read(0x30a) & MENVCFG_ADUE, 0);
	ALL_FAULT(MODE_S, VA);
	CHECK(vm_access(MODE_S, OP_LR, VA, 0), LOAD_PAGE);
	CHECK(*e, bare);
	*e = bare | D, sfence();		/* D without A */
	ALL_FAULT(MODE_S, VA);
	CHECK(*e, bare | D);
	*e = bare | A, sfence();
	CHECK(vm_access(MODE_S, OP_LD, VA, 0), NONE);
	CHECK(vm_access(MODE_S, OP_FETCH, VA, 0), NONE);
	CHECK(vm_access(MODE_S, OP_SD, VA, 0), STORE_PAGE);
	CHECK(vm_access(MODE_S, OP_AMO, VA, 0), STORE_PAGE);
	CHECK(*e, bare | A);
	*e = bare | AD, sfence();
	CHECK(vm_access(MODE_S, OP_SW, VA + 4, 0), NONE);
	CHECK(vm_access(MODE_S, OP_LD, VA, 0), NONE);
}

static void hardware(void)
{
	volatile uint64_t *e;

	csr_write(0x30a, MENVCFG_ADUE);
	CHECK(csr_read(0x30a) & MENVCFG_ADUE, MENVCFG_ADUE);
	e = vm_map(VA, (uint64_t)page, RWX, 0);
	CHECK(vm_access(MODE_S, OP_LD, VA, 0), NONE);
	CHECK(*e & AD, A);
	CHECK(vm_access(MODE_S, OP_SW, VA + 4, 0), NONE);
	CHECK(*e & AD, AD);
}

/* The update of an entry is a store of S-mode's: PMP may refuse it, by the kind of the access */
static void guarded(void)
{
	volatile uint64_t *e = vm_map(VA, (uint64_t)page, RWX, 0);

	csr_write(pmpaddr1, -1);
	csr_write(pmpaddr0, ((uint64_t)e & -PAGE) >> 2 | (PAGE / 8 - 1));
	csr_write(pmpcfg0, 0x1f19);		/* the table: read only; the rest: everything */
	sfence();
	CHECK(vm_access(MODE_S, OP_LD, VA, 0), LOAD_ACCESS);
	CHECK(vm_access(MODE_S, OP_FETCH, VA, 0), FETCH_ACCESS);
	CHECK(vm_access(MODE_S, OP_SD, VA, 0), STORE_ACCESS);
	CHECK(*e & AD, 0);
	*e |= A, sfence();
	CHECK(vm_access(MODE_S, OP_LD, VA, 0), NONE);
	CHECK(vm_access(MODE_S, OP_SD, VA, 0), STORE_ACCESS);
	*e |= D, sfence();
	CHECK(vm_access(MODE_S, OP_SW, VA + 4, 0), NONE);
	csr_write(pmpcfg0, 0x1f1f);
	sfence();
}

static void memory_types(void)
{
	csr_write(0x30a, 0);
	for (unsigned type = 1; type < 4; type++) {
		vm_map(VA, (uint64_t)page, RWX | AD | PTE_PBMT(type), 0);
		ALL_FAULT(MODE_S, VA);
	}
	csr_write(0x30a, MENVCFG_PBMTE);
	vm_map(VA, (uint64_t)page, RWX | AD | PTE_PBMT(3), 0);
	ALL_FAULT(MODE_S, VA);
}

void test_main(void)
{
	page[0] = ECALL;
	for (unsigned i = 0; i < 3; i++) {
		vm_init(&schemes[i]);
		software();
		hardware();
		software();
		hardware();
		guarded();
		memory_types();
	}
	test_pass();
}
