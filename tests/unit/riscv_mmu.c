/* SPDX-License-Identifier: Apache-2.0 */
/* The page-table walker and the TLB in front of it. */
#include "tests/unit/test.h"

#include <stdatomic.h>
#include <string.h>

#include "engine/riscv/mem.h"
#include "engine/riscv/mmu.h"
#include "tests/unit/riscv_cpu.h"

enum { V = 1, R = 2, W = 4, X = 8, U = 16, A = 64, D = 128, AD = A | D, RWX = R | W | X };

#define ROOT (RAM_BASE + 0x100000)	/* tables from here on, one page a level */
#define PAGE (RAM_BASE + 0x200000)	/* what they map; 2 MiB aligned */
#define N64K BIT(63)

static struct machine m;

static int setup(void **state)
{
	machine_init(&m);
	m.cpu->priv = PRIV_S;
	pmp_reset(&m.cpu->pmp, true);
	return 0;
}

static int teardown(void **state)
{
	machine_fini(&m);
	return 0;
}

static uint64_t *entry(unsigned levels, unsigned level, uint64_t va)
{
	uint64_t table = ROOT + (uint64_t)(levels - 1 - level) * GMEM_PAGE;

	return (uint64_t *)(m.ram + (table - RAM_BASE)) + bits_get(va, 12 + 9 * level, 9);
}

static uint64_t pte(uint64_t pa, uint64_t bits)
{
	return pa >> 12 << 10 | bits;
}

static void set_satp(unsigned levels, unsigned asid)
{
	m.cpu->satp = (uint64_t)(levels + 5) << 60 | (uint64_t)asid << 44 | ROOT >> 12;
	tlb_switch_space(m.cpu);
}

/* Maps va by a leaf at that level, through tables of the given depth. */
static void map(unsigned levels, unsigned leaf_level, uint64_t va, uint64_t leaf)
{
	memset(m.ram + (ROOT - RAM_BASE), 0, (size_t)levels * GMEM_PAGE);
	for (unsigned level = levels - 1; level > leaf_level; level--)
		*entry(levels, level, va) =
			pte(ROOT + (uint64_t)(levels - level) * GMEM_PAGE, V);
	*entry(levels, leaf_level, va) = leaf;
	tlb_flush(m.cpu);
}

/* The fault an access gives, 0 for none. */
static uint64_t fault_of(uint64_t va, unsigned access, unsigned priv)
{
	struct mmu_page page;

	if (mmu_translate(m.cpu, va, access, priv, &page))
		return 0;
	assert_int_equal(m.cpu->trap.tval, va);
	return m.cpu->trap.cause;
}

static void test_levels(void **state)
{
	for (unsigned levels = 3; levels <= 5; levels++) {
		uint64_t top = ~UINT64_C(0) << (12 + 9 * levels - 1);

		set_satp(levels, 0);
		for (unsigned leaf = 0; leaf < 2; leaf++) {
			uint64_t va = top | UINT64_C(0x40201000) | 0x678;
			struct mmu_page page;

			va &= leaf ? ~UINT64_C(0x1ff000) : ~UINT64_C(0);
			map(levels, leaf, va, pte(PAGE, V | RWX | AD));
			assert_true(mmu_translate(m.cpu, va, ACCESS_READ, PRIV_S, &page));
			assert_int_equal(page.pa, PAGE + 0x678);
			assert_int_equal(page.size, leaf ? 2 * MIB : 4 * KIB);
			assert_true(page.dirty_write);
			/* Another page, and an address that is not sign-extended */
			assert_int_equal(fault_of(va ^ 0x800000, ACCESS_READ, PRIV_S),
					 CAUSE_LOAD_PAGE);
			assert_int_equal(fault_of(va ^ BIT(12 + 9 * levels), ACCESS_WRITE, PRIV_S),
					 CAUSE_STORE_PAGE);
		}
	}
}

static void test_permissions(void **state)
{
	const uint64_t va = 0x1000;
	static const struct {
		uint64_t bits, status;
		unsigned access, priv;
		bool ok;
	} cases[] = {
		{ R | AD, 0, ACCESS_READ, PRIV_S, true },
		{ R | AD, 0, ACCESS_WRITE, PRIV_S, false },
		{ R | AD, 0, ACCESS_EXEC, PRIV_S, false },
		{ X | AD, 0, ACCESS_EXEC, PRIV_S, true },
		{ X | AD, 0, ACCESS_READ, PRIV_S, false },
		{ X | AD, MSTATUS_MXR, ACCESS_READ, PRIV_S, true },
		{ W | AD, 0, ACCESS_WRITE, PRIV_S, false },	/* reserved */
		{ RWX | AD, 0, ACCESS_READ, PRIV_U, false },
		{ RWX | U | AD, 0, ACCESS_READ, PRIV_U, true },
		{ RWX | U | AD, 0, ACCESS_EXEC, PRIV_U, true },
		{ RWX | U | AD, 0, ACCESS_READ, PRIV_S, false },
		{ RWX | U | AD, MSTATUS_SUM, ACCESS_WRITE, PRIV_S, true },
		{ RWX | U | AD, MSTATUS_SUM, ACCESS_EXEC, PRIV_S, false },
		{ RWX | BIT(54) | AD, 0, ACCESS_READ, PRIV_S, false },
		{ RWX | BIT(60) | AD, 0, ACCESS_READ, PRIV_S, false },
		{ RWX | BIT(61) | AD, 0, ACCESS_READ, PRIV_S, false },	/* PBMTE is off */
		{ RWX | N64K | AD, 0, ACCESS_READ, PRIV_S, false },	/* not 64 KiB's encoding */
	};
	static const uint64_t causes[] = { CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE };

	set_satp(3, 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t want = cases[i].ok ? 0 : causes[cases[i].access];

		m.cpu->mstatus = cases[i].status;
		map(3, 0, va, pte(PAGE, V) | cases[i].bits);
		assert_int_equal(fault_of(va, cases[i].access, cases[i].priv), want);
		*entry(3, 0, va) &= ~(uint64_t)V;
		assert_int_not_equal(fault_of(va, cases[i].access, cases[i].priv), 0);
	}
}

static void test_attributes(void **state)
{
	const uint64_t va = 0x12345000;
	struct mmu_page page;

	set_satp(3, 0);
	/* Svpbmt: 1 and 2 are memory types, 3 is reserved; tables have none */
	m.cpu->menvcfg = ENVCFG_PBMTE;
	map(3, 0, va, pte(PAGE, V | RWX | AD) | BIT(61));
	assert_int_equal(fault_of(va, ACCESS_READ, PRIV_S), 0);
	*entry(3, 0, va) |= BIT(62);
	assert_int_equal(fault_of(va, ACCESS_READ, PRIV_S), CAUSE_LOAD_PAGE);
	*entry(3, 0, va) = pte(PAGE, V | RWX | AD);
	*entry(3, 1, va) |= BIT(61);
	assert_int_equal(fault_of(va, ACCESS_READ, PRIV_S), CAUSE_LOAD_PAGE);
	/* Svnapot: the low four bits of the address come from va */
	map(3, 0, va, pte(PAGE + 0x8000, V | RWX | AD) | N64K);
	assert_true(mmu_translate(m.cpu, va + 0x89, ACCESS_READ, PRIV_S, &page));
	assert_int_equal(page.pa, PAGE + 0x5089);
	assert_int_equal(page.size, 64 * KIB);
	/* A superpage must be aligned, and has no N */
	map(3, 1, va, pte(PAGE + 0x1000, V | RWX | AD));
	assert_int_equal(fault_of(va, ACCESS_READ, PRIV_S), CAUSE_LOAD_PAGE);
	map(3, 1, va, pte(PAGE + 0x8000, V | RWX | AD) | N64K);
	assert_int_equal(fault_of(va, ACCESS_READ, PRIV_S), CAUSE_LOAD_PAGE);
	/* A pointer at the lowest level; a table that is no memory */
	map(3, 0, va, pte(PAGE, V));
	assert_int_equal(fault_of(va, ACCESS_READ, PRIV_S), CAUSE_LOAD_PAGE);
	map(3, 0, va, 0);
	*entry(3, 1, va) = pte(0x1000, V);
	assert_int_equal(fault_of(va, ACCESS_EXEC, PRIV_S), CAUSE_FETCH_ACCESS);
}

static void test_accessed_dirty(void **state)
{
	const uint64_t va = 0x7000;
	struct mmu_page page;

	set_satp(3, 0);
	map(3, 0, va, pte(PAGE, V | RWX));
	/* Svade: software sets the bits */
	m.cpu->menvcfg = 0;
	assert_int_equal(fault_of(va, ACCESS_READ, PRIV_S), CAUSE_LOAD_PAGE);
	assert_int_equal(*entry(3, 0, va), pte(PAGE, V | RWX));
	/* Svadu: hardware does, no more than the access needs */
	m.cpu->menvcfg = ENVCFG_ADUE;
	assert_true(mmu_translate(m.cpu, va, ACCESS_READ, PRIV_S, &page));
	assert_false(page.dirty_write);
	assert_int_equal(*entry(3, 0, va), pte(PAGE, V | RWX | A));
	assert_true(mmu_translate(m.cpu, va, ACCESS_WRITE, PRIV_S, &page));
	assert_int_equal(*entry(3, 0, va), pte(PAGE, V | RWX | AD));
	/* A refused access changes nothing */
	map(3, 0, va, pte(PAGE, V | R));
	assert_int_equal(fault_of(va, ACCESS_WRITE, PRIV_S), CAUSE_STORE_PAGE);
	assert_int_equal(*entry(3, 0, va), pte(PAGE, V | R));
	/* Page tables that PMP lets S-mode read but not write */
	map(3, 0, va, pte(PAGE, V | RWX));
	pmp_write_addr(&m.cpu->pmp, 1, BIT(54) - 1);
	pmp_write_cfg(&m.cpu->pmp, 1, PMP_R | PMP_W | PMP_X | PMP_NAPOT);
	pmp_write_addr(&m.cpu->pmp, 0, (ROOT + 0x2000) >> 2 | (0x1000 / 8 - 1));
	pmp_write_cfg(&m.cpu->pmp, 0, PMP_R | PMP_NAPOT);
	assert_int_equal(fault_of(va, ACCESS_READ, PRIV_S), CAUSE_LOAD_ACCESS);
	pmp_write_cfg(&m.cpu->pmp, 0, PMP_NAPOT);
	assert_int_equal(fault_of(va, ACCESS_WRITE, PRIV_S), CAUSE_STORE_ACCESS);
}

static uint64_t load(uint64_t va)
{
	uint64_t v = 0;

	return riscv_load(m.cpu, va, 8, &v) ? v : ~m.cpu->trap.cause;
}

/* What the TLB remembers must go when it should, and stay right when it stays. */
static void test_fences(void **state)
{
	const uint64_t va = 0x40000000;
	uint64_t *first = (uint64_t *)(m.ram + (PAGE - RAM_BASE)), *second = first + 512;

	*first = 111;
	*second = 222;
	set_satp(3, 1);
	map(3, 0, va, pte(PAGE, V | RWX | AD));
	riscv_mode_changed(m.cpu);
	assert_int_equal(load(va), 111);
	assert_true(m.cpu->tlb[(va >> 12) % TLB_ENTRIES].tag[ACCESS_READ] ==
		    tlb_tag(va, 8, m.cpu->ctx));
	/* by address */
	*entry(3, 0, va) = pte(PAGE + 0x1000, V | RWX | AD);
	tlb_flush_page(m.cpu, va);
	assert_int_equal(load(va), 222);
	/* by ASID: another's stays */
	set_satp(3, 2);
	assert_int_equal(load(va), 222);
	*entry(3, 0, va) = pte(PAGE, V | RWX | AD);
	tlb_flush_asid(m.cpu, 2);
	assert_int_equal(load(va), 111);
	set_satp(3, 1);
	tlb_flush_asid(m.cpu, 1);
	assert_int_equal(load(va), 111);
	/* all */
	*entry(3, 0, va) = 0;
	tlb_flush(m.cpu);
	assert_int_equal(load(va), ~(uint64_t)CAUSE_LOAD_PAGE);
	/* any address of a superpage */
	map(3, 1, va, pte(PAGE, V | RWX | AD));
	assert_int_equal(load(va), 111);
	assert_int_equal(load(va + 0x1000), 222);
	*entry(3, 1, va) = 0;
	tlb_flush_page(m.cpu, va + 0x123456);
	assert_int_equal(load(va), ~(uint64_t)CAUSE_LOAD_PAGE);
	assert_int_equal(load(va + 0x1000), ~(uint64_t)CAUSE_LOAD_PAGE);
}

/* More fences than there are contexts: none comes back with old entries. */
static void test_context_wrap(void **state)
{
	const uint64_t va = 0x40000000;
	uint64_t *value = (uint64_t *)(m.ram + (PAGE - RAM_BASE));

	set_satp(3, 0);
	map(3, 0, va, pte(PAGE, V | RWX | AD));
	value[0] = 0;
	value[512] = 1;
	for (unsigned i = 0; i < 3 * TLB_CTX_END; i++) {
		*entry(3, 0, va) = pte(PAGE + (i & 1) * GMEM_PAGE, V | RWX | AD);
		tlb_flush(m.cpu);
		assert_int_equal(load(va), i & 1);
	}
}

static uint32_t next_random(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

/* Accesses through the TLB against walks without it, under changing tables and modes. */
static void test_random(void **state)
{
	uint32_t seed = 0x2545f491;

	set_satp(3, 0);
	map(3, 0, 0, 0);
	for (unsigned i = 0; i < GMEM_PAGE * 16; i += 8)
		*(uint64_t *)(m.ram + (PAGE - RAM_BASE) + i) = i;
	for (unsigned i = 0; i < 200000; i++) {
		uint32_t r = next_random(&seed);
		uint64_t va = (r & 15) << 12 | (r >> 4 & 0xff8), got;
		unsigned access = r >> 16 & 1;
		struct mmu_page page;
		bool walk, ok;

		if ((r >> 20 & 15) == 0) {
			*entry(3, 0, va) = pte(PAGE + ((r >> 17 & 15) << 12), V | (r >> 24 & 0xff));
			tlb_flush_page(m.cpu, va);
		} else if ((r >> 20 & 15) == 1) {
			m.cpu->priv = r >> 24 & 1;
			m.cpu->mstatus = (r >> 25 & 1) ? MSTATUS_SUM : 0;
			riscv_mode_changed(m.cpu);
		}
		ok = access ? riscv_store(m.cpu, va, 8, va) : riscv_load(m.cpu, va, 8, &got);
		walk = mmu_translate(m.cpu, va, access, m.cpu->priv, &page);
		assert_int_equal(ok, walk);
		if (!ok)
			continue;
		if (access)
			got = va;
		assert_int_equal(got, ram_ld64(m.ram + (page.pa - RAM_BASE)));
		/* An entry that the quick path would take leads to the same place. */
		if (m.cpu->tlb[va >> 12 & (TLB_ENTRIES - 1)].tag[access] ==
		    tlb_tag(va, 8, m.cpu->ctx))
			assert_ptr_equal(m.ram + (page.pa - RAM_BASE),
					 va + m.cpu->tlb[va >> 12 & (TLB_ENTRIES - 1)].addend);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_levels), TEST(test_permissions), TEST(test_attributes),
		TEST(test_accessed_dirty), TEST(test_fences), TEST(test_context_wrap),
		TEST(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
