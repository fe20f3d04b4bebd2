/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Physical memory protection: sixteen entries, OFF, TOR, NA4 and NAPOT, permissions, priority,
 * partial matches, page-table walks, locks (Privileged ISA 3.7). Entry 15 lets S and U run
 * everything; the cases stand before it. A granularity of four bytes is assumed.
 */
#include "vm.h"

enum cfg { PR = 1, PW = 2, PX = 4, TOR = 8, NA4 = 16, NAPOT = 24, LOCK = 128,
	   PRW = PR | PW, PRX = PR | PX, PRWX = PR | PW | PX };

static uint64_t area[2 * PAGE / 8] __attribute__((aligned(8192)));

static void set_addr(unsigned n, uint64_t v)
{
	switch (n) {
#define ONE(i) case i: csr_write(pmpaddr##i, v); break;
	ONE(0) ONE(1) ONE(2) ONE(3) ONE(4) ONE(5) ONE(6) ONE(7)
	ONE(8) ONE(9) ONE(10) ONE(11) ONE(12) ONE(13) ONE(14) ONE(15)
	}
}
#undef ONE

static uint64_t get_addr(unsigned n)
{
	switch (n) {
#define ONE(i) case i: return csr_read(pmpaddr##i);
	ONE(0) ONE(1) ONE(2) ONE(3) ONE(4) ONE(5) ONE(6) ONE(7)
	ONE(8) ONE(9) ONE(10) ONE(11) ONE(12) ONE(13) ONE(14) ONE(15)
	}
	return 0;
}

static uint8_t get_cfg(unsigned n)
{
	uint64_t all = n < 8 ? csr_read(pmpcfg0) : csr_read(pmpcfg2);

	return (uint8_t)(all >> 8 * (n % 8));
}

static void set_cfg(unsigned n, uint8_t cfg)
{
	uint64_t all = n < 8 ? csr_read(pmpcfg0) : csr_read(pmpcfg2);

	all = (all & ~(0xffull << 8 * (n % 8))) | (uint64_t)cfg << 8 * (n % 8);
	if (n < 8)
		csr_write(pmpcfg0, all);
	else
		csr_write(pmpcfg2, all);
	sfence();
}

static void entry(unsigned n, uint8_t cfg, uint64_t addr)
{
	set_addr(n, addr);
	set_cfg(n, cfg);
}

/* The address register of a naturally aligned power of two, 8 bytes or more */
static uint64_t napot(const void *at, uint64_t size)
{
	return (uint64_t)at >> 2 | (size / 8 - 1);
}

static void reset(void)
{
	csr_write(pmpcfg0, 0);
	csr_write(pmpcfg2, 0);
	entry(15, NAPOT | PRWX, -1);
}

/* The access by code in the mode, and through MPRV: both have the same outcome */
static int touch(enum mode mode, enum op op, const void *at, uint64_t value)
{
	uint64_t pa = (uint64_t)at, pc = (uint64_t)access_stubs + op * STUB_SIZE;
	int real, mprv;

	if (op == OP_FETCH)
		pc = pa;
	real = run_at(mode, pc, pa, value);
	if (real == (mode == MODE_U ? ECALL_U : ECALL_S))
		real = NONE;
	else if (last.tval != pa)
		check_failed(last.tval, pa);
	if (op == OP_FETCH || op == OP_AMO)
		return real;
	mprv = access_mprv(mode, op, pa, value);
	if (mprv != real)
		check_failed(mprv, real);
	return real;
}

#define OK(op, at) CHECK(touch(MODE_S, op, at, ECALL), NONE)
#define DENIED(op, at) CHECK(touch(MODE_S, op, at, ECALL), access_fault(op))

static int access_fault(enum op op)
{
	return op == OP_FETCH ? FETCH_ACCESS :
	       op <= OP_LD || op == OP_LR ? LOAD_ACCESS : STORE_ACCESS;
}

static void registers(void)
{
	for (unsigned n = 0; n < 16; n++) {
		entry(n, 0, (1ull << 54) - 1);
		CHECK(get_addr(n), (1ull << 54) - 1);
		entry(n, 0, 0x123456789abcdull + n);
		CHECK(get_addr(n), 0x123456789abcdull + n);
	}
	for (unsigned n = 0; n < 16; n++)
		CHECK(get_addr(n), 0x123456789abcdull + n);
	for (unsigned n = 0; n < 15; n++) {
		static const uint8_t cfgs[] = {PR, PX, PRW, PRX, PRWX, PR | TOR, PRW | NA4,
					       PRWX | NAPOT, NAPOT};

		for (unsigned i = 0; i < sizeof(cfgs); i++) {
			set_cfg(n, cfgs[i]);
			CHECK(get_cfg(n), cfgs[i]);
		}
	}
}

static void permissions(void)
{
	static const uint8_t perms[] = {0, PR, PRW, PX, PRX, PRWX};

	for (unsigned n = 0; n < 15; n++)
		for (unsigned i = 0; i < sizeof(perms); i++)
			for (int m = MODE_U; m <= MODE_S; m++) {
				uint8_t p = perms[i];

				reset();
				area[0] = ECALL;
				entry(n, NAPOT | p, napot(area, 64));
				CHECK(touch(m, OP_LD, area, 0), p & PR ? NONE : LOAD_ACCESS);
				CHECK(touch(m, OP_SD, area, ECALL), p & PW ? NONE : STORE_ACCESS);
				CHECK(touch(m, OP_LR, area, 0), p & PR ? NONE : LOAD_ACCESS);
				CHECK(touch(m, OP_AMO, area, 0),
				      (p & PRW) == PRW ? NONE : STORE_ACCESS);
				CHECK(touch(m, OP_FETCH, area, 0), p & PX ? NONE : FETCH_ACCESS);
				/* M-mode is free of an unlocked entry */
				CHECK(access_mprv(MODE_M, OP_SD, (uint64_t)area, ECALL), NONE);
				CHECK(area[0], ECALL);
			}
}

static void ranges(void)
{
	uint64_t base = (uint64_t)area >> 2;

	/* NAPOT: exactly its bytes, from 8 up */
	for (uint64_t size = 8; size <= PAGE; size *= 2) {
		char *at = (char *)area + PAGE;

		reset();
		entry(3, NAPOT | PR, napot(at, size));
		OK(OP_SD, at - 8);
		DENIED(OP_SB, at);
		DENIED(OP_SD, at + size - 8);
		DENIED(OP_SB, at + size - 1);
		if (size < PAGE)
			OK(OP_SB, at + size);
	}
	/* NA4 */
	reset();
	entry(0, NA4 | PR, base + 4);
	OK(OP_SW, &area[1]);
	OK(OP_SW, (char *)area + 12);
	DENIED(OP_SW, &area[2]);
	DENIED(OP_SB, (char *)area + 19);
	OK(OP_SW, (char *)area + 20);
	/* TOR: from the address before (whatever its own entry says) up to its own, exclusive */
	reset();
	set_addr(4, base + 2);
	entry(5, TOR | PR, base + 16);
	OK(OP_SD, area);
	DENIED(OP_SD, &area[1]);
	DENIED(OP_SD, &area[7]);
	OK(OP_SD, &area[8]);
	/* none where the bounds are equal or swapped */
	set_addr(4, base + 16);
	entry(5, TOR | PR, base + 16);
	OK(OP_SD, &area[7]);
	OK(OP_SD, &area[8]);
	set_addr(4, base + 32);
	entry(5, TOR | PR, base + 16);
	OK(OP_SD, &area[7]);
	OK(OP_SD, &area[9]);
	/* The first entry starts at zero */
	reset();
	entry(0, TOR | PRX, base + 2);
	entry(1, NAPOT | PRWX, -1);
	DENIED(OP_SD, area);
	OK(OP_SD, &area[1]);
	/* OFF matches nothing */
	reset();
	entry(2, PR, napot(area, 64));
	OK(OP_SD, area);
}

static void priority(void)
{
	reset();
	entry(2, NAPOT | PRW, napot(area, 16));
	entry(3, NAPOT | PR, napot(area, 64));
	entry(9, NAPOT | 0, napot(area, PAGE));
	OK(OP_SD, &area[1]);
	DENIED(OP_SD, &area[2]);
	OK(OP_LD, &area[2]);
	DENIED(OP_LD, &area[8]);
	OK(OP_SD, (char *)area + PAGE);
	entry(1, NAPOT | 0, napot(area, PAGE));
	DENIED(OP_LD, area);
	/* An entry must cover all bytes of an access */
	reset();
	area[0] = 0;
	entry(4, NA4 | PRWX, (uint64_t)area >> 2);
	DENIED(OP_LD, area);
	DENIED(OP_SD, area);
	OK(OP_LW, area);
	OK(OP_LW, (char *)area + 4);
	entry(4, NA4 | PRWX, ((uint64_t)area >> 2) + 1);
	DENIED(OP_LD, area);
	/* M-mode too */
	CHECK(access_mprv(MODE_M, OP_LD, (uint64_t)area, 0), LOAD_ACCESS);
	reset();
	CHECK(area[0], 0);
}

/* A walk reads the table as S-mode does, and the final address is checked after it */
static void walks(void)
{
	uint64_t va = 0x1000000000ull;
	volatile uint64_t *e;

	vm_init(&schemes[0]);
	reset();
	e = vm_map(va, (uint64_t)area, RWX | AD, 0);
	area[0] = ECALL;
	CHECK(vm_access(MODE_S, OP_LD, va, 0), NONE);
	entry(2, NAPOT | PX, napot(area, PAGE));
	CHECK(vm_access(MODE_S, OP_LD, va, 0), LOAD_ACCESS);
	CHECK(vm_access(MODE_S, OP_SD, va, 0), STORE_ACCESS);
	CHECK(vm_access(MODE_S, OP_FETCH, va, 0), NONE);
	entry(2, NAPOT | 0, napot((void *)((uint64_t)e & -PAGE), PAGE));
	CHECK(vm_access(MODE_S, OP_LD, va, 0), LOAD_ACCESS);
	CHECK(vm_access(MODE_S, OP_SD, va, 0), STORE_ACCESS);
	CHECK(vm_access(MODE_S, OP_FETCH, va, 0), FETCH_ACCESS);
	set_cfg(2, 0);
	CHECK(vm_access(MODE_S, OP_FETCH, va, 0), NONE);
	csr_write(satp, 0);
	sfence();
}

/* Locked entries bind M-mode and hold until reset, so this comes last */
static void locks(void)
{
	uint64_t base = (uint64_t)area >> 2, was;

	reset();
	entry(0, LOCK | NAPOT | PR, napot(area, 64));
	CHECK(access_mprv(MODE_M, OP_LD, (uint64_t)area, 0), NONE);
	CHECK(access_mprv(MODE_M, OP_SD, (uint64_t)area, 0), STORE_ACCESS);
	CHECK(last.tval, area);
	CHECK(run_at(MODE_M, (uint64_t)area, 0, 0), FETCH_ACCESS);
	DENIED(OP_SD, area);
	set_cfg(0, NAPOT | PRWX);
	CHECK(get_cfg(0), LOCK | NAPOT | PR);
	was = get_addr(0);
	set_addr(0, 0);
	CHECK(get_addr(0), was);
	/* A locked TOR holds the address before it as well */
	set_addr(6, base + 32);
	entry(7, LOCK | TOR | PR, base + 64);
	set_addr(6, 0);
	CHECK(get_addr(6), base + 32);
	set_addr(7, 0);
	CHECK(get_addr(7), base + 64);
	set_cfg(6, PR);
	CHECK(get_cfg(6), PR);
	CHECK(access_mprv(MODE_M, OP_SD, (uint64_t)&area[16], 0), STORE_ACCESS);
	CHECK(access_mprv(MODE_M, OP_SD, (uint64_t)&area[32], 0), NONE);
	/* Others stay free */
	entry(8, NAPOT | PR, napot(&area[64], 64));
	CHECK(get_cfg(8), NAPOT | PR);
	set_cfg(8, 0);
	CHECK(get_cfg(8), 0);
	/* A locked entry that is OFF is locked all the same */
	entry(9, LOCK, 0x1234);
	set_addr(9, 5);
	CHECK(get_addr(9), 0x1234);
}

void test_main(void)
{
	csr_write(medeleg, 0);
	registers();
	permissions();
	ranges();
	priority();
	walks();
	locks();
	test_pass();
}
