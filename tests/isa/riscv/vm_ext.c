/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Svnapot: 64 KiB pages of sixteen entries; Svpbmt: memory types; Svinval: fences in parts
 * (Privileged ISA 5 to 7)
 */
#include "vm.h"

#define VA 0x1000000000ull
#define NAPOT_64K (1ull << 13)		/* ppn[3:0] = 1000 */

static uint64_t big[16 * PAGE / 8] __attribute__((aligned(65536)));
static uint32_t page[PAGE / 4] __attribute__((aligned(4096)));

static void napot(const struct scheme *s)
{
	uint64_t leaf = PTE_PPN(big) | NAPOT_64K | RWX | AD | V | PTE_N;

	for (unsigned i = 0; i < 16; i++)
		*vm_entry(VA + i * PAGE, 0) = leaf;
	sfence();
	for (unsigned i = 0; i < 16; i++) {
		uint64_t at = VA + i * PAGE + 8 * i;

		CHECK(vm_access(MODE_S, OP_SD, at, 0x1000 + i), NONE);
		CHECK(big[i * PAGE / 8 + i], 0x1000 + i);
		CHECK(vm_access(MODE_S, OP_LD, at, 0), NONE);
		CHECK(last.value, 0x1000 + i);
	}
	CHECK(vm_access(MODE_U, OP_LD, VA, 0), LOAD_PAGE);
	CHECK(vm_access(MODE_S, OP_LD, VA + 16 * PAGE, 0), LOAD_PAGE);
	/* One fence at any address of it ends it */
	for (unsigned i = 0; i < 16; i++)
		*vm_entry(VA + i * PAGE, 0) = 0;
	__asm__ volatile("sfence.vma %0" :: "r"(VA) : "memory");
	sfence();
	CHECK(vm_access(MODE_S, OP_LD, VA + PAGE, 0), LOAD_PAGE);
	/* Hardware sets A and D in the entry it walked, and the encoding stays */
	for (unsigned i = 0; i < 16; i++)
		*vm_entry(VA + i * PAGE, 0) = leaf & ~(uint64_t)AD;
	sfence();
	CHECK(vm_access(MODE_S, OP_SD, VA + 5 * PAGE, 1), NONE);
	CHECK(*vm_entry(VA + 5 * PAGE, 0), leaf);
	/* Other low bits of the number are reserved, at 4 KiB */
	for (unsigned low = 0; low < 16; low++)
		if (low != 8) {
			*vm_entry(VA, 0) = (leaf & ~NAPOT_64K) | (uint64_t)low << 10, sfence();
			ALL_FAULT(MODE_S, VA);
		}
	/* and every N above */
	for (unsigned level = 1; level < s->levels; level++) {
		vm_init(s);
		vm_map(VA, 0, RWX | AD | NAPOT_64K | PTE_N, level);
		ALL_FAULT(MODE_S, VA);
	}
}

static void pbmt(void)
{
	volatile uint64_t *e = vm_map(VA, (uint64_t)page, RWX | AD, 0);
	uint64_t good = *e;

	page[0] = ECALL;
	csr_write(0x30a, MENVCFG_ADUE | MENVCFG_PBMTE);
	CHECK(csr_read(0x30a) & MENVCFG_PBMTE, MENVCFG_PBMTE);
	for (unsigned type = 0; type < 3; type++) {
		*e = good | PTE_PBMT(type), sfence();
		CHECK(vm_access(MODE_S, OP_FETCH, VA, 0), NONE);
		CHECK(vm_access(MODE_S, OP_SW, VA + 4, type + 5), NONE);
		CHECK(page[1], type + 5);
		CHECK(vm_access(MODE_S, OP_LW, VA + 4, 0), NONE);
		CHECK(last.value, type + 5);
	}
	/* A superpage has a type as well; a pointer has none */
	volatile uint64_t *up = vm_entry(VA, 1);
	uint64_t pointer = *up, size = PAGE << 9;

	*up = PTE_PPN((uint64_t)page & -size) | RWX | AD | V | PTE_PBMT(1), sfence();
	CHECK(vm_access(MODE_S, OP_LW, VA + ((uint64_t)page & (size - 1)) + 4, 0), NONE);
	CHECK(last.value, 7);
	*up = pointer | PTE_PBMT(1), sfence();
	ALL_FAULT(MODE_S, VA);
	*up = pointer, sfence();
}

#define SVINVAL(insn, va) \
	__asm__ volatile(".option push; .option arch, +svinval; " insn "; .option pop" \
			 :: "r"(va) : "memory")

static void inval(void)
{
	static uint64_t one[PAGE / 8] __attribute__((aligned(4096)));
	static uint64_t two[PAGE / 8] __attribute__((aligned(4096)));
	volatile uint64_t *e = vm_map(VA, (uint64_t)one, RW | AD, 0);

	one[0] = 1;
	two[0] = 2;
	for (unsigned i = 0; i < 4; i++) {
		CHECK(vm_access(MODE_S, OP_LD, VA, 0), NONE);
		CHECK(last.value, 1 + (i & 1));
		*e = PTE_PPN(i & 1 ? one : two) | RW | AD | V;
		SVINVAL("sfence.w.inval", 0);
		if (i < 2)
			SVINVAL("sinval.vma %0, x0", VA);
		else
			SVINVAL("sinval.vma x0, x0", 0);
		SVINVAL("sfence.inval.ir", 0);
	}
	CHECK(vm_access(MODE_S, OP_LD, VA, 0), NONE);
	CHECK(last.value, 1);
}

void test_main(void)
{
	for (unsigned i = 0; i < 3; i++) {
		vm_init(&schemes[i]);
		napot(&schemes[i]);
		vm_init(&schemes[i]);
		pbmt();
		vm_init(&schemes[i]);
		inval();
	}
	test_pass();
}
