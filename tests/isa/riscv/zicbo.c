/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zicbom, Zicboz: cache blocks of 64 bytes; the gates in menvcfg and senvcfg; permissions and
 * faults (Base Cache Management Operations 1.0). QEMU 7.2 lacks them.
 */
#include "vm.h"

#define VA 0x1000000000ull
#define BLOCK 64

#define CBIE(n) ((n) << 4)
#define CBCFE 64
#define CBZE 128

static uint8_t area[PAGE] __attribute__((aligned(4096)));

static void fill(void)
{
	for (unsigned i = 0; i < PAGE; i++)
		((volatile uint8_t *)area)[i] = (uint8_t)(i | 1);
}

static int try(enum mode mode, enum op op, uint64_t at)
{
	int cause = run_at(mode, (uint64_t)access_stubs + op * STUB_SIZE, at, 0);

	return cause == ECALL_U || cause == ECALL_S || cause == 11 ? NONE : cause;
}

/* Exactly the aligned block that holds the address becomes zero */
static void zero(void)
{
	for (unsigned offset = 0; offset < 3 * BLOCK; offset += 13) {
		unsigned first = (PAGE / 2 + offset) & -BLOCK;

		fill();
		CHECK(try(MODE_M, OP_CBO_ZERO, (uint64_t)area + PAGE / 2 + offset), NONE);
		for (unsigned i = 0; i < PAGE; i++)
			CHECK(((volatile uint8_t *)area)[i],
			      i >= first && i < first + BLOCK ? 0 : (uint8_t)(i | 1));
	}
}

/* What the memory holds survives the management of its cache */
static void manage(void)
{
	fill();
	for (enum op op = OP_CBO_CLEAN; op <= OP_CBO_INVAL; op++)
		CHECK(access_mprv(MODE_M, op, (uint64_t)area + 5, 0), NONE);
	for (unsigned i = 0; i < PAGE; i++)
		CHECK(((volatile uint8_t *)area)[i], (uint8_t)(i | 1));
}

static void gates(void)
{
	uint64_t at = (uint64_t)area;

	csr_write(pmpaddr0, -1);
	csr_write(pmpcfg0, 0x1f);
	for (unsigned i = 0; i < 4; i++) {
		bool z = i & 1, c = i & 2;
		uint64_t env = (z ? CBZE : 0) | (c ? CBCFE | CBIE(1) : 0);

		csr_write(0x30a, env);
		CHECK(csr_read(0x30a) & 0xf0, env);
		csr_write(0x10a, -1);
		for (int m = MODE_U; m <= MODE_S; m++) {
			CHECK(try(m, OP_CBO_ZERO, at), z ? NONE : ILLEGAL);
			CHECK(try(m, OP_CBO_CLEAN, at), c ? NONE : ILLEGAL);
			CHECK(try(m, OP_CBO_FLUSH, at), c ? NONE : ILLEGAL);
			CHECK(try(m, OP_CBO_INVAL, at), c ? NONE : ILLEGAL);
		}
		/* M-mode needs no leave */
		CHECK(try(MODE_M, OP_CBO_ZERO, at), NONE);
		CHECK(try(MODE_M, OP_CBO_INVAL, at), NONE);
		/* U-mode needs senvcfg's as well */
		csr_write(0x30a, CBZE | CBCFE | CBIE(3));
		csr_write(0x10a, env);
		CHECK(csr_read(0x10a) & 0xf0, env);
		CHECK(try(MODE_U, OP_CBO_ZERO, at), z ? NONE : ILLEGAL);
		CHECK(try(MODE_U, OP_CBO_CLEAN, at), c ? NONE : ILLEGAL);
		CHECK(try(MODE_U, OP_CBO_INVAL, at), c ? NONE : ILLEGAL);
		CHECK(try(MODE_S, OP_CBO_ZERO, at), NONE);
		CHECK(try(MODE_S, OP_CBO_INVAL, at), NONE);
	}
	/* CBIE 2 is reserved and not held */
	csr_write(0x30a, CBIE(2));
	CHECK((csr_read(0x30a) >> 4 & 3) != 2, true);
	/* An inval that is gated as a flush loses nothing */
	fill();
	csr_write(0x30a, CBIE(1));
	CHECK(try(MODE_S, OP_CBO_INVAL, at), NONE);
	CHECK(((volatile uint8_t *)area)[9], 9);
}

static void faults(void)
{
	volatile uint64_t *e;

	vm_init(&schemes[0]);
	csr_write(0x30a, CBZE | CBCFE | CBIE(3));	/* ADUE off: A and D by software */
	csr_write(0x10a, CBZE | CBCFE | CBIE(3));
	e = vm_map(VA, (uint64_t)area, RW | AD, 0);
	for (enum op op = OP_CBO_ZERO; op <= OP_CBO_INVAL; op++) {
		CHECK(vm_access(MODE_S, op, VA + 77, 0), NONE);
		CHECK(vm_access(MODE_U, op, VA + 77, 0), STORE_PAGE);
	}
	/* Zeroing is a store; managing needs any right to read or write */
	*e = PTE_PPN(area) | R | A | V, sfence();
	CHECK(vm_access(MODE_S, OP_CBO_ZERO, VA + 3, 0), STORE_PAGE);
	CHECK(vm_access(MODE_S, OP_CBO_CLEAN, VA + 3, 0), NONE);
	CHECK(vm_access(MODE_S, OP_CBO_FLUSH, VA + 3, 0), NONE);
	*e = PTE_PPN(area) | RW | A | V, sfence();
	CHECK(vm_access(MODE_S, OP_CBO_ZERO, VA, 0), STORE_PAGE);	/* D */
	*e = 0, sfence();
	for (enum op op = OP_CBO_ZERO; op <= OP_CBO_INVAL; op++)
		CHECK(vm_access(MODE_S, op, VA + 77, 0), STORE_PAGE);
	vm_map(VA, NOWHERE, RW | AD, 0);
	CHECK(vm_access(MODE_S, OP_CBO_ZERO, VA, 0), STORE_ACCESS);
	csr_write(satp, 0);
}

void test_main(void)
{
	csr_write(medeleg, 0);
	zero();
	manage();
	gates();
	faults();
	test_pass();
}
