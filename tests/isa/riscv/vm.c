/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sv39, Sv48, Sv57: walks, permissions, superpages, faults, fences (Privileged ISA 4.3 to 4.6).
 * Accessed and dirty bits are set by hardware here (Svadu on); svadu.c has the other way.
 */
#include "vm.h"

#define VA 0x1000000000ull
#define FREE_RAM 0x80400000ull		/* far behind the program */
#define MEGAPAGE 0x200000ull

static uint32_t page[PAGE / 4] __attribute__((aligned(4096)));
static uint64_t other[PAGE / 8] __attribute__((aligned(4096)));
static uint64_t pair[2 * PAGE / 8] __attribute__((aligned(8192)));

static uint64_t level_size(unsigned level)
{
	return PAGE << 9 * level;
}

/* What the specification says of an access to a leaf with these flags (4.3.2, step 6 on) */
static bool allowed(uint64_t flags, enum mode mode, enum op op, bool sum, bool mxr)
{
	if (flags & U ? mode == MODE_S && (!sum || op == OP_FETCH) : mode == MODE_U)
		return false;
	if (op == OP_FETCH)
		return flags & X;
	if (op == OP_LD || op == OP_LR)
		return flags & R || (mxr && flags & X);
	return flags & W;
}

static void permissions(void)
{
	static const uint64_t flags[] = {R, RW, X, RX, RWX};
	static const enum op ops[] = {OP_LD, OP_SD, OP_LR, OP_AMO, OP_FETCH};

	for (unsigned f = 0; f < 10; f++)
		for (unsigned sm = 0; sm < 4; sm++) {
			uint64_t fl = flags[f % 5] | (f < 5 ? 0 : U);

			vm_map(VA, (uint64_t)page, fl | AD, 0);
			csr_clear(mstatus, MSTATUS_SUM | MSTATUS_MXR);
			csr_set(mstatus, (sm & 1 ? MSTATUS_SUM : 0) | (sm & 2 ? MSTATUS_MXR : 0));
			for (unsigned o = 0; o < 5; o++)
				for (int m = MODE_U; m <= MODE_S; m++) {
					bool ok = allowed(fl, m, ops[o], sm & 1, sm & 2);

					page[0] = ECALL;
					page[1] = 0;
					CHECK(vm_access(m, ops[o], VA, ECALL),
					      ok ? NONE : page_fault(ops[o]));
				}
		}
	csr_clear(mstatus, MSTATUS_SUM | MSTATUS_MXR);
}

static void reserved(const struct scheme *s)
{
	volatile uint64_t *e = vm_map(VA, (uint64_t)page, RWX | AD, 0);
	uint64_t good = *e;

	page[0] = ECALL;
	CHECK(vm_access(MODE_S, OP_FETCH, VA, 0), NONE);
	*e = good & ~(uint64_t)V, sfence();
	ALL_FAULT(MODE_S, VA);
	*e = good & ~(uint64_t)R, sfence();		/* W without R */
	ALL_FAULT(MODE_S, VA);
	*e = good & ~(uint64_t)RX, sfence();
	ALL_FAULT(MODE_S, VA);
	*e = good & ~(uint64_t)RWX, sfence();		/* a pointer where no level is left */
	ALL_FAULT(MODE_S, VA);
	*e = good, sfence();
	CHECK(vm_access(MODE_S, OP_LD, VA, 0), NONE);
	for (unsigned level = 1; level < s->levels; level++) {
		volatile uint64_t *up = vm_entry(VA, level);
		uint64_t pointer = *up;
		static const uint64_t bad[] = {A, D, U, PTE_PBMT(1), PTE_N};

		for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			*up = pointer | bad[i], sfence();
			ALL_FAULT(MODE_S, VA);
		}
		*up = pointer & ~(uint64_t)V, sfence();
		ALL_FAULT(MODE_S, VA);
		*up = pointer | G, sfence();		/* a global subtree is fine */
		CHECK(vm_access(MODE_S, OP_LD, VA, 0), NONE);
		*up = pointer, sfence();
	}
	CHECK(vm_access(MODE_S, OP_FETCH, VA, 0), NONE);
}

static void superpages(const struct scheme *s)
{
	page[0] = ECALL;
	for (unsigned level = 1; level < s->levels; level++) {
		uint64_t size = level_size(level), va = size * 3;
		uint64_t pa = (uint64_t)page & ~(size - 1), at = va + ((uint64_t)page & (size - 1));
		volatile uint64_t *e = vm_map(va, pa, RWX | AD, level);

		CHECK(vm_access(MODE_S, OP_FETCH, at, 0), NONE);
		CHECK(vm_access(MODE_S, OP_SW, at + 4, 0x1234 + level), NONE);
		CHECK(page[1], 0x1234 + level);
		CHECK(vm_access(MODE_S, OP_LW, at + 4, 0), NONE);
		CHECK(last.value, 0x1234 + level);
		ALL_FAULT(MODE_U, at);
		/* Physical address bits below the page size must be zero */
		for (unsigned l = 0; l < level; l++) {
			*e = PTE_PPN(pa) | PTE_PPN(level_size(l)) | RWX | AD | V, sfence();
			ALL_FAULT(MODE_S, at);
		}
		*e = 0, sfence();
	}
}

static void addresses(const struct scheme *s)
{
	unsigned bits = 12 + 9 * s->levels;
	uint64_t high = -1ull << (bits - 1);

	/* The upper half of the address space is there; what lies between is not */
	vm_map(high, (uint64_t)page, RWX | AD, 0);
	vm_map(-PAGE, (uint64_t)page, RWX | AD, 0);
	page[0] = ECALL;
	CHECK(vm_access(MODE_S, OP_FETCH, high, 0), NONE);
	CHECK(vm_access(MODE_S, OP_LD, high, 0), NONE);
	CHECK(vm_access(MODE_S, OP_LD, -8ull, 0), NONE);
	CHECK(vm_access(MODE_S, OP_LB, -1ull, 0), NONE);
	vm_map(VA, (uint64_t)page, RWX | AD, 0);
	ALL_FAULT(MODE_S, VA | 1ull << 63);
	ALL_FAULT(MODE_S, VA | 1ull << bits);
	ALL_FAULT(MODE_S, VA | 1ull << (bits - 1));
	ALL_FAULT(MODE_S, high ^ 1ull << 63);
	ALL_FAULT(MODE_S, high ^ 1ull << bits);
}

static void no_memory(void)
{
	/* A page where nothing is: access faults with the virtual address */
	vm_map(VA, NOWHERE, RWX | AD, 0);
	CHECK(vm_access(MODE_S, OP_LD, VA, 0), LOAD_ACCESS);
	CHECK(vm_access(MODE_S, OP_SD, VA, 0), STORE_ACCESS);
	CHECK(vm_access(MODE_S, OP_FETCH, VA, 0), FETCH_ACCESS);
	vm_map(VA, 0xfffffffffff000, RWX | AD, 0);	/* the last page of 56 bits */
	CHECK(vm_access(MODE_S, OP_LD, VA, 0), LOAD_ACCESS);
}

/* Hardware sets A on any access and D on a write, and only those */
static void accessed_dirty(void)
{
	static const struct {
		enum op op;
		uint64_t sets;
	} t[] = {{OP_LD, A}, {OP_LR, A}, {OP_FETCH, A}, {OP_SD, AD}, {OP_AMO, AD}};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		volatile uint64_t *e = vm_map(VA, (uint64_t)page, RWX, 0);
		uint64_t before = *e;

		page[0] = ECALL;
		page[1] = 0;
		CHECK(vm_access(MODE_S, t[i].op, VA, ECALL), NONE);
		CHECK(*e, before | t[i].sets);
		/* A read first must not hide the write after it */
		CHECK(vm_access(MODE_S, OP_SD, VA, ECALL), NONE);
		CHECK(*e, before | AD);
	}
	/* An access that faults changes nothing */
	volatile uint64_t *e = vm_map(VA, (uint64_t)page, R, 0);
	uint64_t before = *e;

	CHECK(vm_access(MODE_S, OP_SD, VA, 0), STORE_PAGE);
	CHECK(vm_access(MODE_U, OP_LD, VA, 0), LOAD_PAGE);
	CHECK(*e, before);
}

/* An access across two pages: the fault is the second page's where the first is fine */
static void crossing(void)
{
	uint64_t at = VA + PAGE - 4;
	volatile uint8_t *bytes = (volatile uint8_t *)pair;

	vm_map(VA, (uint64_t)pair + PAGE, RWX | AD, 0);	/* in the other order */
	vm_map(VA + PAGE, (uint64_t)pair, RWX | AD, 0);
	for (unsigned i = 0; i < 2 * PAGE; i++)
		bytes[i] = 0;
	CHECK(vm_access(MODE_S, OP_SD, at, 0x8877665544332211), NONE);
	CHECK(bytes[2 * PAGE - 4], 0x11);
	CHECK(bytes[2 * PAGE - 1], 0x44);
	CHECK(bytes[0], 0x55);
	CHECK(bytes[3], 0x88);
	CHECK(vm_access(MODE_S, OP_LD, at, 0), NONE);
	CHECK(last.value, 0x8877665544332211);
	CHECK(vm_access(MODE_S, OP_LH, VA + PAGE - 1, 0), NONE);
	CHECK(last.value, 0x5544);

	vm_map(VA + PAGE, (uint64_t)pair, R | AD, 0);
	CHECK(access_mprv(MODE_S, OP_SD, at, 0), STORE_PAGE);
	CHECK(last.tval, VA + PAGE);
	vm_map(VA + PAGE, NOWHERE, RW | AD, 0);
	CHECK(access_mprv(MODE_S, OP_LD, at, 0), LOAD_ACCESS);
	CHECK(last.tval, VA + PAGE);
	CHECK(access_mprv(MODE_S, OP_SD, at, 0), STORE_ACCESS);
	CHECK(last.tval, VA + PAGE);
	*vm_entry(VA + PAGE, 0) = 0, sfence();
	CHECK(access_mprv(MODE_S, OP_LD, at, 0), LOAD_PAGE);
	CHECK(last.tval, VA + PAGE);
	CHECK(access_mprv(MODE_S, OP_LW, VA + PAGE - 1, 0), LOAD_PAGE);
	CHECK(last.tval, VA + PAGE);
	*vm_entry(VA, 0) = 0, sfence();
	CHECK(access_mprv(MODE_S, OP_LD, at, 0), LOAD_PAGE);
	CHECK(last.tval, at);

	/* An instruction across two pages: the program counter is its own, the value the fault's */
	vm_map(VA, (uint64_t)pair, RX | AD, 0);
	vm_map(VA + PAGE, (uint64_t)pair + PAGE, RX | AD, 0);
	*(volatile uint16_t *)&bytes[PAGE - 2] = 0x0513;	/* li a0, 0x7f */
	*(volatile uint16_t *)&bytes[PAGE] = 0x07f0;
	*(volatile uint16_t *)&bytes[PAGE + 2] = ECALL;
	*(volatile uint16_t *)&bytes[PAGE + 4] = 0;
	__asm__ volatile("fence.i");
	CHECK(run_at(MODE_S, VA + PAGE - 2, 0, 0), ECALL_S);
	CHECK(last.epc, VA + PAGE + 2);
	CHECK(last.value, 0x7f);
	vm_map(VA + PAGE, (uint64_t)pair + PAGE, R | AD, 0);
	CHECK(run_at(MODE_S, VA + PAGE - 2, 0, 0), FETCH_PAGE);
	CHECK(last.epc, VA + PAGE - 2);
	CHECK(last.tval, VA + PAGE);
	/* A compressed one at the end of a page needs no second page */
	*(volatile uint16_t *)&bytes[PAGE - 2] = 0x9002;	/* c.ebreak */
	__asm__ volatile("fence.i");
	CHECK(run_at(MODE_S, VA + PAGE - 2, 0, 0), 3);
	CHECK(last.epc, VA + PAGE - 2);
}

/* Instructions: li a0, n; ecall */
static void put_code(uint32_t *at, unsigned n)
{
	((volatile uint32_t *)at)[0] = 0x00000513 | n << 20;
	((volatile uint32_t *)at)[1] = ECALL;
}

#define RUNS(mode, va, want) do { \
	CHECK(run_at(mode, va, 0, 0), mode == MODE_U ? ECALL_U : ECALL_S); \
	CHECK(last.value, want); \
} while (0)

/*
 * What has been executed once is fetched anew when the mapping, the mode or the address space
 * asks for it; memory that has not changed needs no fence.i.
 */
static void code(const struct scheme *s)
{
	static uint32_t one[PAGE / 4] __attribute__((aligned(4096)));
	static uint32_t two[PAGE / 4] __attribute__((aligned(4096)));
	volatile uint64_t *e;
	uint64_t *a, *b;

	put_code(one, 1);
	put_code(two, 2);
	__asm__ volatile("fence.i");
	vm_init(s);
	for (unsigned i = 0; i < 4; i++) {
		vm_map(VA, (uint64_t)(i & 1 ? two : one), RX | AD, 0);
		for (unsigned again = 0; again < 3; again++)
			RUNS(MODE_S, VA, 1 + (i & 1));
	}
	/* The page turns into the other mode's, or one that holds no instructions, and back */
	e = vm_entry(VA, 0);
	*e |= U, sfence();
	CHECK(run_at(MODE_S, VA, 0, 0), FETCH_PAGE);
	RUNS(MODE_U, VA, 2);
	CHECK(run_at(MODE_S, VA, 0, 0), FETCH_PAGE);
	*e &= ~(uint64_t)U, sfence();
	CHECK(run_at(MODE_U, VA, 0, 0), FETCH_PAGE);
	RUNS(MODE_S, VA, 2);
	*e &= ~(uint64_t)X, sfence();
	CHECK(run_at(MODE_S, VA, 0, 0), FETCH_PAGE);
	*e |= X, sfence();
	RUNS(MODE_S, VA, 2);
	/* Written through one mapping, run through another after fence.i */
	vm_map(VA + PAGE, (uint64_t)two, RW | AD, 0);
	CHECK(vm_access(MODE_S, OP_SW, VA + PAGE, 0x00700513), NONE);
	__asm__ volatile("fence.i");
	RUNS(MODE_S, VA, 7);
	/* Two address spaces with different code at one address */
	put_code(two, 2);
	__asm__ volatile("fence.i");
	vm_init(s);
	vm_root(1, 0);
	vm_map(VA, (uint64_t)one, RX | AD, 0);
	a = vm_root(2, 0);
	vm_map(VA, (uint64_t)two, RX | AD, 0);
	b = vm_root(1, a);
	sfence();
	for (unsigned i = 0; i < 6; i++) {
		vm_root(1 + (i & 1), i & 1 ? b : a);
		if (!(csr_read(satp) >> 44 & 3))
			sfence();
		RUNS(MODE_S, VA, 1 + (i & 1));
	}
}

/* SUM and MXR count from the next access on, without a fence */
static void toggles(void)
{
	vm_map(VA, (uint64_t)page, RW | U | AD, 0);
	vm_map(VA + PAGE, (uint64_t)page, X | AD, 0);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(vm_access(MODE_U, OP_LD, VA, 0), NONE);
		CHECK(vm_access(MODE_S, OP_LD, VA, 0), LOAD_PAGE);
		csr_set(mstatus, MSTATUS_SUM);
		CHECK(vm_access(MODE_S, OP_LD, VA, 0), NONE);
		CHECK(vm_access(MODE_S, OP_SD, VA, 0), NONE);
		csr_clear(mstatus, MSTATUS_SUM);
		CHECK(vm_access(MODE_S, OP_SD, VA, 0), STORE_PAGE);
		CHECK(vm_access(MODE_S, OP_LD, VA + PAGE, 0), LOAD_PAGE);
		csr_set(mstatus, MSTATUS_MXR);
		CHECK(vm_access(MODE_S, OP_LD, VA + PAGE, 0), NONE);
		csr_clear(mstatus, MSTATUS_MXR);
		CHECK(vm_access(MODE_S, OP_LD, VA + PAGE, 0), LOAD_PAGE);
	}
}

#define READS(va, want) do { \
	CHECK(vm_access(MODE_S, OP_LD, va, 0), NONE); \
	CHECK(last.value, want); \
} while (0)

/* A changed mapping holds after each kind of fence that covers it, and after a new satp */
static void fences(void)
{
	uint64_t one[2] = {1, 2};
	volatile uint64_t *e;

	*(volatile uint64_t *)page = one[0];
	other[0] = one[1];
	vm_root(1, 0);
	sfence();
	e = vm_map(VA, (uint64_t)page, RW | AD, 0);
	for (unsigned i = 0; i < 8; i++) {
		uint64_t asid = 1;

		READS(VA, one[i & 1]);
		*e = PTE_PPN(i & 1 ? (uint64_t)page : (uint64_t)other) | RW | AD | V;
		switch (i / 2) {
		case 0:
			sfence();
			break;
		case 1:
			__asm__ volatile("sfence.vma %0" :: "r"(VA + 0x123) : "memory");
			break;
		case 2:
			__asm__ volatile("sfence.vma x0, %0" :: "r"(asid) : "memory");
			break;
		case 3:
			__asm__ volatile("sfence.vma %0, %1" :: "r"(VA), "r"(asid) : "memory");
			break;
		}
	}
	READS(VA, one[0]);
	/* A superpage dissolved by a fence at one address in it */
	volatile uint64_t *up = vm_entry(VA, 1);
	uint64_t pointer = *up, base = (uint64_t)other & -level_size(1);

	READS(VA, one[0]);
	*up = PTE_PPN(base) | RW | AD | V, sfence();
	READS(VA + ((uint64_t)other - base), one[1]);
	*up = pointer;
	__asm__ volatile("sfence.vma %0" :: "r"(VA + ((uint64_t)other - base)) : "memory");
	__asm__ volatile("sfence.vma %0" :: "r"(VA) : "memory");
	READS(VA, one[0]);
	CHECK(vm_access(MODE_S, OP_LD, VA + PAGE, 0), LOAD_PAGE);
}

/* One fence at any address of a superpage is enough for all of it, however many there are */
static void superpage_fences(void)
{
	static const uint64_t offsets[] = {0, 0x1008, 0xff000, 0x1ffff8};
	volatile uint64_t *a = (volatile uint64_t *)FREE_RAM;
	volatile uint64_t *b = (volatile uint64_t *)(FREE_RAM + MEGAPAGE);

	for (unsigned o = 0; o < 4; o++) {
		a[offsets[o] / 8] = 100 + o;
		b[offsets[o] / 8] = 200 + o;
	}
	/* Neighbours, and one far away */
	const uint64_t va[] = {VA, VA + MEGAPAGE, VA + 3 * MEGAPAGE, VA + 512 * MEGAPAGE};
	bool swapped[4] = {false};

	for (unsigned p = 0; p < 4; p++)
		vm_map(va[p], FREE_RAM, RW | AD, 1);
	for (unsigned round = 0; round < 16; round++) {
		unsigned change = round * 7 % 4;
		uint64_t fence_at = va[change] + offsets[round % 4] / 2;

		for (unsigned p = 0; p < 4; p++)
			for (unsigned o = 0; o < 4; o++)
				READS(va[p] + offsets[o], (swapped[p] ? 200 : 100) + o);
		swapped[change] = !swapped[change];
		*vm_entry(va[change], 1) = PTE_PPN(swapped[change] ? b : a) | RW | AD | V;
		__asm__ volatile("sfence.vma %0" :: "r"(fence_at) : "memory");
	}
}

static void address_spaces(const struct scheme *s)
{
	uint64_t *a, *b, asid_bits;

	vm_init(s);
	asid_bits = csr_read(satp) | 0xffffull << 44;
	csr_write(satp, asid_bits);
	asid_bits = csr_read(satp) >> 44 & 0xffff;
	CHECK(asid_bits & (asid_bits + 1), 0);		/* all ones from the bottom */
	*(volatile uint64_t *)page = 11;
	other[0] = 22;
	vm_init(s);
	vm_root(1, 0);
	sfence();
	vm_map(VA, (uint64_t)page, RW | AD, 0);
	a = vm_root(2, 0);
	b = vm_root(1, a);
	vm_root(2, b);
	sfence();
	vm_map(VA, (uint64_t)other, RW | AD, 0);
	/* Each keeps its own mapping; without ASIDs a fence stands between them */
	for (unsigned i = 0; i < 6; i++) {
		vm_root(i & 1 ? 2 : 1, i & 1 ? b : a);
		if (asid_bits < 2)
			sfence();
		READS(VA, i & 1 ? 22 : 11);
	}
	/* A fence for one space does not need to reach the other, but must reach its own */
	vm_root(2, b);
	*vm_entry(VA, 0) = PTE_PPN(page) | RW | AD | V;
	__asm__ volatile("sfence.vma x0, %0" :: "r"(2ull) : "memory");
	READS(VA, 11);
	/* A global mapping is everywhere once both say so, and one fence for all ends it */
	vm_map(VA + PAGE, (uint64_t)other, RW | AD | G, 0);
	READS(VA + PAGE, 22);
	*vm_entry(VA + PAGE, 0) = PTE_PPN(page) | RW | AD | G | V;
	__asm__ volatile("sfence.vma %0" :: "r"(VA + PAGE) : "memory");
	READS(VA + PAGE, 11);
}

static void satp_values(void)
{
	uint64_t good = csr_read(satp);

	/* A mode that is not there: the whole write has no effect */
	for (unsigned mode = 1; mode < 16; mode++)
		if (mode < 8 || mode > 10) {
			csr_write(satp, (uint64_t)mode << 60 | 0x12345);
			CHECK(csr_read(satp), good);
		}
	/* Bare: addresses are physical */
	csr_write(satp, 0);
	sfence();
	CHECK(csr_read(satp), 0);
	page[0] = ECALL;
	CHECK(run_at(MODE_S, (uint64_t)page, 0, 0), ECALL_S);
	CHECK(access_mprv(MODE_U, OP_LW, (uint64_t)page, 0), NONE);
	CHECK(last.value, ECALL);
	csr_write(satp, good);
	sfence();
}

void test_main(void)
{
	for (unsigned i = 0; i < 3; i++) {
		const struct scheme *s = &schemes[i];

		vm_init(s);
		CHECK(csr_read(satp) >> 60, s->mode);
		permissions();
		toggles();
		reserved(s);
		vm_init(s);
		superpages(s);
		addresses(s);
		no_memory();
		vm_init(s);
		accessed_dirty();
		crossing();
		fences();
		vm_init(s);
		superpage_fences();
		address_spaces(s);
		satp_values();
		code(s);
	}
	test_pass();
}
