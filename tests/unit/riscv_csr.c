/* SPDX-License-Identifier: Apache-2.0 */
/* CSRs: legal values, who may access what, counters. */
#include "tests/unit/test.h"

#include <stdatomic.h>
#include <string.h>

#include "engine/riscv/csr.h"
#include "tests/unit/riscv_cpu.h"

enum {
	FCSR = 0x003, SSTATUS = 0x100, SIE = 0x104, STVEC = 0x105, SEPC = 0x141, SIP = 0x144,
	STIMECMP = 0x14d, SATP = 0x180, MSTATUS = 0x300, MISA = 0x301, MEDELEG = 0x302,
	MIDELEG = 0x303, MIE = 0x304, MTVEC = 0x305, MCOUNTEREN = 0x306, MENVCFG = 0x30a,
	MCOUNTINHIBIT = 0x320, MEPC = 0x341, MIP = 0x344, PMPCFG0 = 0x3a0, PMPADDR0 = 0x3b0,
	MCYCLE = 0xb00, MINSTRET = 0xb02, CYCLE = 0xc00, TIME = 0xc01, MHARTID = 0xf14,
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

static bool can_read(unsigned csr)
{
	uint64_t v;

	return csr_access(m.cpu, csr, true, &v, false, 0, 0);
}

static uint64_t get(unsigned csr)
{
	uint64_t v = 0;

	assert_true(csr_access(m.cpu, csr, true, &v, false, 0, 0));
	return v;
}

static void set(unsigned csr, uint64_t value)
{
	assert_true(csr_access(m.cpu, csr, false, NULL, true, value, ~UINT64_C(0)));
}

static void test_warl(void **state)
{
	static const struct {
		unsigned csr;
		uint64_t before, write, after;
	} cases[] = {
		{ MISA, 0, 0, UINT64_C(0x800000000014112f) },
		{ MSTATUS, 0, ~UINT64_C(0), UINT64_C(0x8000000a007e79aa) },
		{ MSTATUS, 0x1800, 0x1000, UINT64_C(0xa00001800) },	/* MPP 2: stays */
		{ MSTATUS, 0, 0x0800, UINT64_C(0xa00000800) },
		{ MEDELEG, 0, ~UINT64_C(0), 0xb3ff },
		{ MIDELEG, 0, ~UINT64_C(0), 0x222 },
		{ MIE, 0, ~UINT64_C(0), 0xaaa },
		{ MTVEC, 0, 0x80000101, 0x80000101 },
		{ MTVEC, 0x80000000, 0x80000102, 0x80000000 },	/* reserved mode */
		{ STVEC, 0x80000000, 0x80000103, 0x80000000 },
		{ MEPC, 0, 0x80000003, 0x80000002 },
		{ SEPC, 0, ~UINT64_C(0), ~UINT64_C(1) },
		{ MCOUNTINHIBIT, 0, ~UINT64_C(0), 5 },
		{ MENVCFG, 0, ~UINT64_C(0), UINT64_C(0xe0000000000000f1) },
		{ MENVCFG, 0x10, 0x21, 0x11 },			/* CBIE 2: stays */
		{ SATP, 0, UINT64_C(0xaffff00000000001), UINT64_C(0xaffff00000000001) },
		{ SATP, 0, UINT64_C(0xb000000000000001), 0 },	/* no such mode: no effect */
		{ SATP, 0, UINT64_C(0x1000000000000001), 0 },
		{ PMPADDR0, 0, ~UINT64_C(0), BIT(54) - 1 },
		{ PMPCFG0, 0, 0x60, 0 },
		{ PMPCFG0, 0x1f, 0x1e, 0x1f },			/* W without R */
		{ FCSR, 0, ~UINT64_C(0), 0xff },
		{ 0xb03, 0, 1, 0 },				/* mhpmcounter3 */
		{ 0x323, 0, 1, 0 },				/* mhpmevent3 */
		{ 0x7a0, 0, 1, 0 },				/* tselect */
	};

	m.cpu->fs = FS_INITIAL;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		set(cases[i].csr, cases[i].before);
		set(cases[i].csr, cases[i].write);
		if (get(cases[i].csr) != cases[i].after)
			fail_msg("CSR %#x: %#lx written, %#lx read", cases[i].csr,
				 (unsigned long)cases[i].write, (unsigned long)get(cases[i].csr));
		m.cpu->fs = FS_INITIAL;
	}
}

static void test_privilege(void **state)
{
	m.cpu->priv = PRIV_S;
	assert_false(can_read(MSTATUS));
	assert_true(can_read(SSTATUS));
	assert_true(can_read(SATP));
	m.cpu->mstatus |= MSTATUS_TVM;
	assert_false(can_read(SATP));
	assert_false(can_read(STIMECMP));
	m.cpu->menvcfg = ENVCFG_STCE;
	assert_false(can_read(STIMECMP));
	m.cpu->mcounteren = 2;
	assert_true(can_read(STIMECMP));
	assert_true(can_read(TIME));
	assert_false(can_read(CYCLE));
	m.cpu->priv = PRIV_U;
	assert_false(can_read(TIME));
	assert_false(can_read(SSTATUS));
	m.cpu->scounteren = 7;
	assert_true(can_read(TIME));
	assert_false(can_read(CYCLE));
	m.cpu->priv = PRIV_M;
	assert_true(can_read(CYCLE));
	/* read-only, absent, and no floating-point unit */
	assert_false(csr_access(m.cpu, MHARTID, false, NULL, true, 0, 0));
	assert_false(can_read(0x34a));		/* mtinst */
	assert_false(can_read(0x30c));		/* mstateen0 */
	assert_false(can_read(0x3a1));		/* pmpcfg1 is RV32's */
	assert_false(can_read(0x3c0));		/* pmpaddr16 */
	assert_false(can_read(FCSR));
}

static void test_interrupts(void **state)
{
	set(MIDELEG, MIP_SSIP | MIP_SEIP);
	set(MIE, ~UINT64_C(0));
	assert_int_equal(get(SIE), MIP_SSIP | MIP_SEIP);
	set(SIE, 0);
	assert_int_equal(get(MIE), 0xaaa & ~(MIP_SSIP | MIP_SEIP));
	/* The line shows in SEIP, but set and clear act on software's bit only. */
	atomic_store(&m.vm.cpus[0].lines, MIP_SEIP);
	assert_int_equal(get(MIP), MIP_SEIP);
	assert_true(csr_access(m.cpu, MIP, false, NULL, true, ~UINT64_C(0), MIP_SSIP));
	atomic_store(&m.vm.cpus[0].lines, 0);
	assert_int_equal(get(MIP), MIP_SSIP);
	/* sip: only SSIP can be written */
	set(SIP, MIP_SEIP);
	assert_int_equal(get(MIP), 0);
	/* An edge arrives once and can be cleared. */
	atomic_store(&m.vm.cpus[0].latched, MIP_SSIP);
	set(MIP, 0);
	assert_int_equal(get(MIP), 0);
	assert_int_equal(atomic_load(&m.vm.cpus[0].latched), 0);
}

static void test_timers(void **state)
{
	timebase_write(&m.vm.tb, 1000);
	atomic_store(&m.vm.cpus[0].timer, 1001);
	assert_int_equal(get(MIP), 0);
	timebase_write(&m.vm.tb, 1001);
	assert_int_equal(get(MIP), MIP_MTIP);
	/* stimecmp counts once STCE is set, and then STIP is its alone */
	set(STIMECMP, 1001);
	set(MIP, MIP_STIP);
	assert_int_equal(get(MIP), MIP_MTIP | MIP_STIP);
	set(STIMECMP, 1002);
	set(MENVCFG, ENVCFG_STCE);
	assert_int_equal(get(MIP), MIP_MTIP);
	set(MIP, MIP_STIP);
	assert_int_equal(get(MIP), MIP_MTIP);
	timebase_write(&m.vm.tb, 1002);
	assert_int_equal(get(MIP), MIP_MTIP | MIP_STIP);
}

static void test_wait_over(void **state)
{
	struct vcpu *v = &m.vm.cpus[0];
	uint64_t deadline;

	set(MENVCFG, ENVCFG_STCE);
	set(MIE, MIP_STIP | MIP_SEIP);
	assert_false(riscv_interp_engine.wait_over(v, &deadline));
	assert_true(deadline == VCPU_NO_DEADLINE);
	atomic_store(&v->timer, 500);
	set(STIMECMP, 400);
	assert_false(riscv_interp_engine.wait_over(v, &deadline));
	assert_int_equal(deadline, 400);
	timebase_write(&m.vm.tb, 400);
	assert_true(riscv_interp_engine.wait_over(v, &deadline));
	set(STIMECMP, UINT64_MAX);
	assert_false(riscv_interp_engine.wait_over(v, &deadline));
	assert_int_equal(deadline, 500);
	atomic_store(&v->lines, MIP_SEIP);
	assert_true(riscv_interp_engine.wait_over(v, &deadline));
}

static void test_counters(void **state)
{
	m.cpu->icount = 100;
	set(MINSTRET, 7);		/* and the instruction that writes is not counted */
	m.cpu->icount++;
	assert_int_equal(get(MINSTRET), 7);
	m.cpu->icount += 10;
	assert_int_equal(get(MINSTRET), 17);
	set(MCOUNTINHIBIT, 1);		/* of the other counter: this one goes on */
	m.cpu->icount++;
	assert_int_equal(get(MINSTRET), 18);
	set(MCOUNTINHIBIT, 4);		/* the instruction that stops it is its last */
	m.cpu->icount += 10;
	assert_int_equal(get(MINSTRET), 19);
	set(MCYCLE, 1);
	set(MCOUNTINHIBIT, 1);
	m.cpu->icount += 11;
	assert_int_equal(get(MINSTRET), 29);
}

/* Firmware outside the guest sets counters between two instructions. */
static void test_counters_from_outside(void **state)
{
	const struct engine_ops *e = &riscv_interp_engine;
	struct vcpu *v = &m.vm.cpus[0];

	m.cpu->icount = 100;
	e->set_reg(v, ENGINE_REG_CSR + MINSTRET, 0);
	assert_int_equal(get(MINSTRET), 0);
	m.cpu->icount += 3;
	e->set_reg(v, ENGINE_REG_CSR + MCOUNTINHIBIT, 4);
	assert_int_equal(get(MINSTRET), 3);
	m.cpu->icount += 3;
	e->set_reg(v, ENGINE_REG_CSR + MINSTRET, 50);
	e->set_reg(v, ENGINE_REG_CSR + MCOUNTINHIBIT, 0);
	assert_int_equal(get(MINSTRET), 50);
	m.cpu->icount++;
	assert_int_equal(get(MINSTRET), 51);
	assert_int_equal(m.cpu->icount, 107);
}

static void test_pc_is_even(void **state)
{
	const struct engine_ops *e = &riscv_interp_engine;
	struct vcpu *v = &m.vm.cpus[0];

	e->vcpu_reset(v, RAM_BASE + RAM_SIZE - 1, 0, 0);
	assert_int_equal(e->get_reg(v, ENGINE_REG_PC), RAM_BASE + RAM_SIZE - 2);
	e->set_reg(v, ENGINE_REG_PC, RAM_BASE + 1);
	assert_int_equal(e->get_reg(v, ENGINE_REG_PC), RAM_BASE);
	set(MEPC, 7);
	assert_int_equal(get(MEPC), 6);
}

static void test_pmp_lock(void **state)
{
	set(PMPADDR0, 0x1000);
	set(PMPADDR0 + 1, 0x2000);
	set(PMPCFG0, (uint64_t)(PMP_L | PMP_TOR | PMP_R) << 8);
	set(PMPADDR0, 0x1800);		/* the locked entry's lower bound */
	set(PMPADDR0 + 1, 0x3000);
	set(PMPCFG0, 0);
	assert_int_equal(get(PMPADDR0), 0x1000);
	assert_int_equal(get(PMPADDR0 + 1), 0x2000);
	assert_int_equal(get(PMPCFG0), (uint64_t)(PMP_L | PMP_TOR | PMP_R) << 8);
	/* M-mode is bound by a locked entry; an access across its end never fits */
	assert_true(pmp_allows(&m.cpu->pmp, 0x4000, 4, ACCESS_READ, PRIV_M));
	assert_false(pmp_allows(&m.cpu->pmp, 0x4000, 4, ACCESS_WRITE, PRIV_M));
	assert_false(pmp_allows(&m.cpu->pmp, 0x7ffc, 8, ACCESS_READ, PRIV_M));
	assert_true(pmp_allows(&m.cpu->pmp, 0x8000, 8, ACCESS_WRITE, PRIV_M));
	assert_false(pmp_allows(&m.cpu->pmp, 0x8000, 8, ACCESS_READ, PRIV_S));
	assert_true(pmp_page_uniform(&m.cpu->pmp, 0x4000));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_warl), TEST(test_privilege), TEST(test_interrupts), TEST(test_timers),
		TEST(test_wait_over), TEST(test_counters), TEST(test_counters_from_outside),
		TEST(test_pmp_lock), TEST(test_pc_is_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
