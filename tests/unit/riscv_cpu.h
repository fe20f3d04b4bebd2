/* SPDX-License-Identifier: Apache-2.0 */
/* One hart with RAM and nothing else, for tests that look at its insides. */
#ifndef TESTS_UNIT_RISCV_CPU_H
#define TESTS_UNIT_RISCV_CPU_H

#include "engine/riscv/cpu.h"
#include "engine/riscv/riscv.h"

#define RAM_BASE UINT64_C(0x80000000)
#define RAM_SIZE (4 * MIB)

struct machine {
	struct vm vm;
	struct riscv_cpu *cpu;
	uint8_t *ram;
};

static inline void machine_init(struct machine *m)
{
	struct err err;
	struct vcpu *v = &m->vm.cpus[0];

	memset(m, 0, sizeof(*m));
	bus_init(&m->vm.bus);
	clock_init(&m->vm.clock);
	timebase_init(&m->vm.tb, &m->vm.clock, 10000000);
	m->vm.engine = &riscv_interp_engine;
	m->vm.cpu_count = 1;
	v->vm = &m->vm;
	atomic_store(&v->timer, VCPU_NO_DEADLINE);
	assert_int_equal(gmem_add(&m->vm.mem, RAM_BASE, RAM_SIZE, GMEM_RAM, "ram",
				  &m->ram, &err), 0);
	assert_int_equal(riscv_interp_engine.vcpu_init(v, &err), 0);
	m->cpu = riscv_cpu_of(v);
	riscv_interp_engine.vcpu_reset(v, RAM_BASE, 0, 0);
}

static inline void machine_fini(struct machine *m)
{
	riscv_interp_engine.vcpu_fini(&m->vm.cpus[0]);
	gmem_fini(&m->vm.mem);
	bus_fini(&m->vm.bus);
}

#endif
