/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two harts and one another's code and page tables: fence.i and sfence.vma on the hart that
 * runs make visible what the other wrote; hardware sets A and D without losing another hart's
 * change of the same entry (Unprivileged ISA 5; Privileged ISA 4.2.1, 4.3.1).
 */
#include "vm.h"

#define VA 0x1000000000ull
#define ROUNDS 1000
#define RSW (1ull << 8)

static uint32_t patch[16] __attribute__((aligned(64))) = {0x00000513, 0x00008067};
static uint64_t pages[2][PAGE / 8] __attribute__((aligned(4096)));
static volatile uint64_t *entry;
static volatile uint64_t turn, root_of_both, stop;

void test_secondary(uint64_t hart);

/* Whose turn it is: odd values are hart 1's */
static void await(uint64_t t)
{
	while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != t)
		;
}

static void pass(uint64_t t)
{
	__atomic_store_n(&turn, t + 1, __ATOMIC_RELEASE);
}

static uint64_t call_patch(void)
{
	register uint64_t a0 __asm__("a0");

	__asm__ volatile("jalr ra, %1" : "=r"(a0) : "r"(patch) : "ra", "memory");
	return a0;
}

void test_secondary(uint64_t hart)
{
	if (hart != 1)
		for (;;)
			__asm__ volatile("wfi");
	csr_write(pmpaddr0, -1);
	csr_write(pmpcfg0, 0x1f);
	csr_write(0x30a, MENVCFG_ADUE);
	uint64_t t = 1;

	for (unsigned i = 0; i < ROUNDS; i++, t += 2) {
		await(t);
		__asm__ volatile("fence.i");
		CHECK(call_patch(), i & 0x7ff);
		pass(t);
	}
	await(t);
	csr_write(satp, root_of_both);
	sfence();
	pass(t);
	t += 2;
	for (unsigned i = 0; i < ROUNDS; i++, t += 2) {
		await(t);
		sfence();
		CHECK(access_mprv(MODE_S, OP_LD, VA, 0), NONE);
		CHECK(last.value, 5 + (i & 1));
		pass(t);
	}
	await(t);
	while (!stop) {
		__asm__ volatile("sfence.vma %0" :: "r"(VA) : "memory");
		access_mprv(MODE_S, OP_SD, VA, 1);
	}
	pass(t);
	for (;;)
		__asm__ volatile("wfi");
}

void test_main(void)
{
	uint64_t t = 0, was;

	for (unsigned i = 0; i < ROUNDS; i++, t += 2) {
		await(t);
		((volatile uint32_t *)patch)[0] = 0x00000513 | (i & 0x7ff) << 20; /* li a0, i */
		pass(t);
	}
	await(t);
	vm_init(&schemes[0]);
	pages[0][0] = 5;
	pages[1][0] = 6;
	entry = vm_map(VA, (uint64_t)pages[0], RW | AD, 0);
	root_of_both = csr_read(satp);
	pass(t);
	t += 2;
	for (unsigned i = 0; i < ROUNDS; i++, t += 2) {
		await(t);
		*entry = PTE_PPN(pages[i & 1]) | RW | AD | V;
		pass(t);
	}
	await(t);
	pass(t);
	was = *entry & RSW;
	for (unsigned i = 0; i < 20 * ROUNDS; i++) {
		__atomic_fetch_and(entry, ~(uint64_t)AD, __ATOMIC_ACQ_REL);
		CHECK(__atomic_fetch_xor(entry, RSW, __ATOMIC_ACQ_REL) & RSW, was);
		was ^= RSW;
	}
	stop = 1;
	await(t + 2);
	test_pass();
}
