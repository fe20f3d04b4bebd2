/* SPDX-License-Identifier: Apache-2.0 */
/* The run loop as its vCPU's thread sees it: why it returns, and that it always can. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/bits.h"
#include "tests/unit/riscv_cpu.h"

enum {
	NOP = 0x00000013,
	LOOP = 0x0000006f,		/* j . */
	ECALL = 0x00000073,
	WFI = 0x10500073,
	CLEAR_MIE = 0x30401073,		/* csrw mie, zero */
	FENCE_I = 0x0000100f,
	ILLEGAL = 0xffffffff,
	INC_A0 = 0x00150513,		/* addi a0, a0, 1 */
	INC2_A0 = 0x00250513,		/* addi a0, a0, 2 */
};

static struct machine m;

static int setup(void **state)
{
	machine_init(&m);
	return 0;
}

static int teardown(void **state)
{
	machine_fini(&m);
	return 0;
}

static void put(uint64_t at, const uint32_t *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		st_le32(m.ram + (at - RAM_BASE) + 4 * i, words[i]);
}

static void fence_i(void)
{
	riscv_interp_engine.fence(&m.vm.cpus[0], VCPU_REQ_FENCE_I);
}

#define CODE(at, ...) \
	put(at, (const uint32_t[]){ __VA_ARGS__ }, \
	    ARRAY_LEN(((const uint32_t[]){ __VA_ARGS__ })))

static void no_firmware(void *opaque, struct vcpu *v)
{
}

static enum vcpu_exit run(void)
{
	return riscv_interp_engine.run(&m.vm.cpus[0]);
}

/* Has the running CPU look up a few times, then asks it to stop. */
static void *stopper(void *arg)
{
	struct vcpu *v = &m.vm.cpus[0];

	for (unsigned i = 0; i < 3; i++) {
		vcpu_kick(v);
		while (atomic_load(&v->attention))
			sched_yield();
	}
	atomic_fetch_or(&v->requests, VCPU_REQ_PAUSE);
	vcpu_kick(v);
	return NULL;
}

static void run_until_stopped(void)
{
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, stopper, NULL), 0);
	assert_int_equal(run(), VCPU_EXIT_ATTENTION);
	pthread_join(t, NULL);
	assert_int_equal(atomic_load(&m.vm.cpus[0].attention), 0);
	atomic_store(&m.vm.cpus[0].requests, 0);
}

static void test_stops_in_loops(void **state)
{
	CODE(RAM_BASE, LOOP);
	run_until_stopped();
	/* Handlers that cannot be fetched, and that trap themselves */
	CODE(RAM_BASE, ILLEGAL);
	fence_i();
	m.cpu->mtvec = 0;
	run_until_stopped();
	assert_int_equal(m.cpu->mcause, CAUSE_FETCH_ACCESS);
	m.cpu->pc = m.cpu->mtvec = RAM_BASE;
	run_until_stopped();
	assert_int_equal(m.cpu->mcause, CAUSE_ILLEGAL);
	CODE(RAM_BASE, ECALL);
	fence_i();
	run_until_stopped();
	assert_int_equal(m.cpu->mcause, CAUSE_ECALL_U + PRIV_M);
}

/* The time goes on while S-mode does nothing but trap to itself. */
static void test_interrupt_in_trap_loop(void **state)
{
	static const uint64_t tvecs[] = { RAM_BASE, 0x1000 };

	for (unsigned i = 0; i < ARRAY_LEN(tvecs); i++) {
		riscv_interp_engine.vcpu_reset(&m.vm.cpus[0], tvecs[i], 0, 0);
		CODE(RAM_BASE, ILLEGAL);
		CODE(RAM_BASE + 0x100, CLEAR_MIE, WFI);
		m.cpu->priv = PRIV_S;
		m.cpu->medeleg = BIT(CAUSE_ILLEGAL) | BIT(CAUSE_FETCH_ACCESS);
		m.cpu->stvec = tvecs[i];
		m.cpu->mtvec = RAM_BASE + 0x100;
		m.cpu->mie = MIP_MTIP;
		pmp_reset(&m.cpu->pmp, true);
		riscv_mode_changed(m.cpu);
		/* The interrupt is due a little later. */
		timebase_write(&m.vm.tb, 0);
		atomic_store(&m.vm.cpus[0].timer, 1000);
		clock_start(&m.vm.clock);
		assert_int_equal(run(), VCPU_EXIT_WAIT);
		assert_int_equal(m.cpu->mcause, CAUSE_INTERRUPT | 7);
		clock_stop(&m.vm.clock);
		atomic_store(&m.vm.cpus[0].timer, VCPU_NO_DEADLINE);
	}
}

static void test_wait(void **state)
{
	CODE(RAM_BASE, WFI, INC_A0, WFI);
	assert_int_equal(run(), VCPU_EXIT_WAIT);
	assert_int_equal(m.cpu->pc, RAM_BASE + 4);
	assert_int_equal(run(), VCPU_EXIT_WAIT);
	assert_int_equal(m.cpu->pc, RAM_BASE + 12);
	assert_int_equal(m.cpu->x[10], 1);
	assert_int_equal(m.cpu->icount, 3);
}

static void test_firmware_call(void **state)
{
	struct vcpu *v = &m.vm.cpus[0];

	m.vm.firmware.call = no_firmware;
	CODE(RAM_BASE, NOP, ECALL, WFI);
	riscv_interp_engine.vcpu_reset(v, RAM_BASE, 3, 4);
	assert_int_equal(riscv_interp_engine.get_reg(v, 10), 3);
	assert_int_equal(riscv_interp_engine.get_reg(v, 11), 4);
	assert_int_equal(run(), VCPU_EXIT_FIRMWARE);
	assert_int_equal(riscv_interp_engine.get_reg(v, ENGINE_REG_PC), RAM_BASE + 8);
	riscv_interp_engine.set_reg(v, 0, 1);
	assert_int_equal(riscv_interp_engine.get_reg(v, 0), 0);
	assert_int_equal(run(), VCPU_EXIT_WAIT);
	/* SBI's timer is stimecmp. */
	m.cpu->mie = MIP_STIP;
	riscv_interp_engine.set_supervisor_timer(v, 0);
	assert_int_equal(riscv_interp_engine.wait_over(v, &(uint64_t){ 0 }), true);
}

/* Stores to code show after FENCE.I, in this hart's own and in the request of another. */
static void test_fences_of_code(void **state)
{
	CODE(RAM_BASE, INC_A0, WFI);
	assert_int_equal(run(), VCPU_EXIT_WAIT);
	CODE(RAM_BASE, INC2_A0, WFI);
	m.cpu->pc = RAM_BASE;
	fence_i();
	assert_int_equal(run(), VCPU_EXIT_WAIT);
	assert_int_equal(m.cpu->x[10], 3);
	CODE(RAM_BASE + 0x100, FENCE_I, 0xefdff06f);	/* j .-0x104 */
	CODE(RAM_BASE, INC_A0, WFI);
	m.cpu->pc = RAM_BASE + 0x100;
	assert_int_equal(run(), VCPU_EXIT_WAIT);
	assert_int_equal(m.cpu->x[10], 4);
}

/* More code than the cache of blocks holds: it starts over, and all is executed right. */
static void test_much_code(void **state)
{
	const unsigned words = RAM_SIZE / 4 - 1;
	enum { ROUNDS = 8 };

	for (unsigned round = 1; round <= ROUNDS; round++) {
		/* Jumps between: every instruction a block, a different one each round */
		for (unsigned i = 0; i < words; i++)
			st_le32(m.ram + 4 * i, i % 2 == round % 2 ? 0x0040006f : INC_A0);
		st_le32(m.ram + 4 * words, WFI);
		m.cpu->pc = RAM_BASE;
		m.cpu->x[10] = 0;
		fence_i();
		assert_int_equal(run(), VCPU_EXIT_WAIT);
		assert_int_equal(m.cpu->x[10], (words + (round % 2 == 0 ? 0 : 1)) / 2);
	}
}

/* An instruction whose halves lie in pages that are mapped apart and change. */
static void test_across_pages(void **state)
{
	const uint64_t root = RAM_BASE + 0x100000, code = RAM_BASE + 0x200000;
	const uint64_t attr = 0xcf;		/* V R W X A D */
	uint64_t *table = (uint64_t *)(m.ram + (root - RAM_BASE));

	/* One gigapage for everything else, at its own address; code's pages at 4 MiB */
	table[2] = RAM_BASE >> 12 << 10 | attr;
	table[0] = (root + 0x1000) >> 12 << 10 | 1;
	table[512 + 2] = (root + 0x2000) >> 12 << 10 | 1;
	table[1024] = code >> 12 << 10 | attr;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t second = code + 0x1000 * (i + 1);

		st_le16(m.ram + (code - RAM_BASE) + 0xffe, INC_A0 & 0xffff);
		st_le16(m.ram + (second - RAM_BASE), i ? INC2_A0 >> 16 : INC_A0 >> 16);
		st_le32(m.ram + (second - RAM_BASE) + 2, WFI);
	}
	m.cpu->priv = PRIV_S;
	m.cpu->mtvec = m.cpu->stvec = RAM_BASE;
	pmp_reset(&m.cpu->pmp, true);
	m.cpu->satp = BIT(63) | root >> 12;
	for (unsigned i = 0; i < 6; i++) {
		uint64_t before = m.cpu->x[10];

		table[1025] = i % 3 == 2 ? 0 : (code + 0x1000 * (i % 3 + 1)) >> 12 << 10 | attr;
		tlb_flush(m.cpu);
		m.cpu->priv = PRIV_S;
		riscv_mode_changed(m.cpu);
		m.cpu->pc = 0x400ffe;
		CODE(RAM_BASE, WFI);
		assert_int_equal(run(), VCPU_EXIT_WAIT);
		if (i % 3 == 2) {
			assert_int_equal(m.cpu->mcause, CAUSE_FETCH_PAGE);
			assert_int_equal(m.cpu->mepc, 0x400ffe);
			assert_int_equal(m.cpu->mtval, 0x401000);
		} else {
			assert_int_equal(m.cpu->x[10], before + i % 3 + 1);
		}
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_stops_in_loops), TEST(test_interrupt_in_trap_loop), TEST(test_wait),
		TEST(test_firmware_call), TEST(test_fences_of_code), TEST(test_much_code),
		TEST(test_across_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
