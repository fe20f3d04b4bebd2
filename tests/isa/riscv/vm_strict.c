/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translation where QEMU 7.2 is not strict (Privileged ISA 4.3.2). Reserved bits of an entry
 * fault (step 3); with Svnapot or Svpbmt it ignores bits 54 to 60. A table outside memory is an
 * access fault of the kind of the access (step 2); it says page fault.
 */
#include "vm.h"

#define VA 0x1000000000ull

static uint32_t page[PAGE / 4] __attribute__((aligned(4096)));

void test_main(void)
{
	page[0] = ECALL;
	for (unsigned i = 0; i < 3; i++) {
		vm_init(&schemes[i]);
		vm_map(VA, (uint64_t)page, RWX | AD, 0);
		CHECK(vm_access(MODE_S, OP_FETCH, VA, 0), NONE);
		for (unsigned level = 0; level < schemes[i].levels; level++) {
			volatile uint64_t *e = vm_entry(VA, level);
			uint64_t good = *e;

			for (unsigned bit = 54; bit <= 60; bit++) {
				*e = good | 1ull << bit, sfence();
				ALL_FAULT(MODE_S, VA);
			}
			*e = good, sfence();
		}
		CHECK(vm_access(MODE_S, OP_LD, VA, 0), NONE);
		for (unsigned level = 1; level < schemes[i].levels; level++) {
			volatile uint64_t *e = vm_entry(VA, level);
			uint64_t good = *e;

			*e = PTE_PPN(NOWHERE) | V, sfence();
			CHECK(vm_access(MODE_S, OP_LD, VA, 0), LOAD_ACCESS);
			CHECK(vm_access(MODE_S, OP_SD, VA, 0), STORE_ACCESS);
			CHECK(vm_access(MODE_S, OP_AMO, VA, 0), STORE_ACCESS);
			CHECK(vm_access(MODE_S, OP_FETCH, VA, 0), FETCH_ACCESS);
			*e = good, sfence();
		}
	}
	test_pass();
}
