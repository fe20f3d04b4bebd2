/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Physical memory protection where QEMU 7.2 is not strict (Privileged ISA 3.7.1): address bits
 * above 53 and configuration bits 5 and 6 read zero; W without R is reserved and not held; the
 * lower bound of TOR follows a write of the address register before it; S and U may do nothing
 * where no entry matches, all of them OFF included. Without translation a change counts from the
 * next access on, with no fence (3.7.2).
 */
#include "testc.h"

static uint64_t area[8] __attribute__((aligned(64)));

void test_main(void)
{
	uint64_t base = (uint64_t)area >> 2, ld = (uint64_t)&access_stubs[OP_LD * STUB_SIZE / 4];

	csr_write(medeleg, 0);
	csr_write(pmpaddr3, -1);
	CHECK(csr_read(pmpaddr3), (1ull << 54) - 1);
	csr_write(pmpcfg0, 0x60);
	CHECK(csr_read(pmpcfg0), 0);
	csr_write(pmpcfg0, 0x02);
	CHECK((csr_read(pmpcfg0) & 3) != 2, true);
	csr_write(pmpcfg0, 0x06);
	CHECK((csr_read(pmpcfg0) & 3) != 2, true);

	csr_write(pmpcfg0, 0);
	csr_write(pmpcfg2, 0);
	CHECK(run_at(MODE_S, ld, (uint64_t)area, 0), FETCH_ACCESS);
	CHECK(last.epc, ld);
	CHECK(last.tval, ld);
	CHECK(access_mprv(MODE_U, OP_LD, (uint64_t)area, 0), LOAD_ACCESS);
	CHECK(access_mprv(MODE_M, OP_LD, (uint64_t)area, 0), NONE);

	/* Entry 1: TOR, no permission, up to the end of the area; entry 2: everything */
	csr_write(pmpaddr0, base);
	csr_write(pmpaddr1, base + 16);
	csr_write(pmpaddr2, -1);
	csr_write(pmpcfg0, 0x1f0800);
	CHECK(access_mprv(MODE_S, OP_LD, (uint64_t)area, 0), LOAD_ACCESS);
	csr_write(pmpaddr0, base + 2);
	CHECK(access_mprv(MODE_S, OP_LD, (uint64_t)area, 0), NONE);
	CHECK(access_mprv(MODE_S, OP_LD, (uint64_t)&area[1], 0), LOAD_ACCESS);
	csr_write(pmpaddr0, base + 16);
	CHECK(access_mprv(MODE_S, OP_LD, (uint64_t)&area[1], 0), NONE);
	test_pass();
}
