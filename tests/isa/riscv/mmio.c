/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where there is no memory: atomics, cache-block zeroing and fetches at devices, the boot ROM's
 * and RAM's ends, nothing at all. Devices support no atomics (Privileged ISA 3.6.3, AMONone), so
 * those raise access faults; QEMU 7.2 carries them out. RAM ends at 64 MiB here.
 */
#include "testc.h"

#define UART 0x10000000ull
#define SCRATCH (UART + 7)
#define RTC_ALARM 0x101008ull
#define ROM 0x1000ull
#define GAP 0x10000400ull
#define RAM_END 0x84000000ull

static int touch(enum op op, uint64_t at)
{
	return access_mprv(MODE_M, op, at, 0x5a);
}

/* All kinds of stores at that address fault, and the address is told. */
static void no_store(uint64_t at)
{
	for (enum op op = OP_SB; op <= OP_SD; op++) {
		CHECK(touch(op, at), STORE_ACCESS);
		CHECK(last.tval, at);
	}
}

static void no_atomics(uint64_t at, bool readable)
{
	CHECK(touch(OP_LR, at), readable ? NONE : LOAD_ACCESS);
	CHECK(touch(OP_SC, at), STORE_ACCESS);
	CHECK(last.tval, at);
	CHECK(touch(OP_AMO, at), STORE_ACCESS);
	CHECK(last.tval, at);
	CHECK(touch(OP_CBO_ZERO, at), STORE_ACCESS);
	CHECK(last.tval, at);
}

void test_main(void)
{
	volatile uint64_t *top = (volatile uint64_t *)(RAM_END - 8);

	/* Devices */
	CHECK(touch(OP_SB, SCRATCH), NONE);
	CHECK(touch(OP_LB, SCRATCH), NONE);
	CHECK(last.value, 0x5a);
	no_atomics(UART, false);
	no_atomics(RTC_ALARM, false);
	CHECK(run_at(MODE_M, UART, 0, 0), FETCH_ACCESS);
	CHECK(last.epc, UART);
	CHECK(last.tval, UART);
	CHECK(touch(OP_LB, SCRATCH), NONE);
	CHECK(last.value, 0x5a);
	CHECK(touch(OP_LW, RTC_ALARM + 2), LOAD_ACCESS);
	CHECK(touch(OP_SW, RTC_ALARM + 2), STORE_ACCESS);
	/* Nothing */
	for (enum op op = OP_LB; op <= OP_LD; op++)
		CHECK(touch(op, GAP), LOAD_ACCESS);
	no_store(GAP);
	no_atomics(GAP, false);
	CHECK(run_at(MODE_M, GAP, 0, 0), FETCH_ACCESS);
	/* ROM is read only */
	CHECK(touch(OP_LW, ROM), NONE);
	CHECK(last.value, 0x297);
	no_store(ROM);
	no_atomics(ROM, true);
	CHECK(touch(OP_LW, ROM), NONE);
	CHECK(last.value, 0x297);
	/* Past the end of RAM, and across it: the part outside is told, nothing is stored */
	*top = 0x1122334455667788;
	CHECK(touch(OP_LD, RAM_END), LOAD_ACCESS);
	CHECK(touch(OP_LD, RAM_END - 4), LOAD_ACCESS);
	CHECK(last.tval, RAM_END);
	CHECK(touch(OP_SD, RAM_END - 4), STORE_ACCESS);
	CHECK(last.tval, RAM_END);
	CHECK(*top, 0x1122334455667788);
	CHECK(touch(OP_LD, RAM_END - 8), NONE);
	no_atomics(RAM_END, false);
	/* The ends of the address space */
	CHECK(touch(OP_LD, -8ull), LOAD_ACCESS);
	CHECK(touch(OP_LW, -2ull), LOAD_ACCESS);
	CHECK(touch(OP_SW, -2ull), STORE_ACCESS);
	CHECK(touch(OP_LD, 1ull << 56), LOAD_ACCESS);
	CHECK(run_at(MODE_M, -2ull, 0, 0), FETCH_ACCESS);
	/* An instruction whose second half is outside RAM */
	*(volatile uint16_t *)(RAM_END - 2) = 0x0513;
	__asm__ volatile("fence.i");
	CHECK(run_at(MODE_M, RAM_END - 2, 0, 0), FETCH_ACCESS);
	CHECK(last.epc, RAM_END - 2);
	CHECK(last.tval, RAM_END);
	test_pass();
}
