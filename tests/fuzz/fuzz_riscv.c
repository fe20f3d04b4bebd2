/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest code of any content, run for a moment by the riscv64 interpreter. The first byte of
 * the input chooses how it starts; the rest is code, which also serves as trap handlers, page
 * tables and data. Whatever it does, it may reach nothing but its own memory, and the run
 * loop must hear of it when the CPU is wanted outside.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/bits.h"
#include "engine/riscv/cpu.h"
#include "engine/riscv/riscv.h"
#include "tests/fuzz/fuzz.h"

#define RAM_BASE UINT64_C(0x80000000)

enum { RAM_BYTES = 64 * 1024, ROOT = 0xf000, MILLISECONDS = 2 };

/* Bits of the first byte; the lowest two are the privilege. */
enum { START_PAGED = 1 << 2, START_FIRMWARE = 1 << 3, START_FP = 1 << 4, START_OPEN = 1 << 5 };

static struct vm vm;

static void on_timer(int sig)
{
	atomic_fetch_or(&vm.cpus[0].requests, VCPU_REQ_PAUSE);
	atomic_store(&vm.cpus[0].attention, 1);
}

static void set_timer(unsigned ms)
{
	struct itimerval t = { .it_value.tv_usec = (suseconds_t)ms * 1000 };

	if (setitimer(ITIMER_VIRTUAL, &t, NULL))
		abort();
}

/* Every access to the device's 16 bytes succeeds but for those past the first eight. */
static bool device_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	*value = off;
	return off < 8;
}

static bool device_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	return off < 8;
}

static const struct bus_ops device_ops = { .read = device_read, .write = device_write };

static void firmware_call(void *opaque, struct vcpu *v)
{
}

static void set_up(uint8_t **ram)
{
	static const struct bus_region device = {
		.base = 0x1000, .size = 16, .ops = &device_ops, .name = "device",
	};
	struct err err;

	bus_init(&vm.bus);
	clock_init(&vm.clock);
	timebase_init(&vm.tb, &vm.clock, 10000000);
	clock_start(&vm.clock);
	vm.engine = &riscv_interp_engine;
	vm.cpu_count = 1;
	vm.cpus[0].vm = &vm;
	atomic_store(&vm.cpus[0].timer, VCPU_NO_DEADLINE);
	if (gmem_add(&vm.mem, RAM_BASE, RAM_BYTES, GMEM_RAM, "ram", ram, &err) ||
	    gmem_add(&vm.mem, 0x10000, GMEM_PAGE, GMEM_ROM, "rom", NULL, &err) ||
	    bus_map(&vm.bus, &device, &err) || riscv_interp_engine.vcpu_init(&vm.cpus[0], &err))
		abort();
	log_setup(2, "fuzz_riscv", LOG_ERROR);
	signal(SIGVTALRM, on_timer);
}

static void start(unsigned how, uint8_t *ram)
{
	struct vcpu *v = &vm.cpus[0];
	struct riscv_cpu *cpu;

	vm.firmware.call = how & START_FIRMWARE ? firmware_call : NULL;
	riscv_interp_engine.vcpu_reset(v, RAM_BASE, RAM_BASE + 0x800, 0x1000);
	cpu = riscv_cpu_of(v);
	for (unsigned i = 12; i < 32; i++)
		cpu->x[i] = RAM_BASE + 0x300 * i;
	cpu->mtvec = RAM_BASE + 0x40;
	cpu->stvec = RAM_BASE + 0x80;
	if (how & START_FP)
		cpu->fs = FS_INITIAL;
	if (!cpu->firmware)
		cpu->priv = (how & 3) == 2 ? PRIV_M : how & 3;
	if (how & START_OPEN)
		pmp_reset(&cpu->pmp, true);
	if (how & START_PAGED) {
		/* One gigapage for user and one for supervisor; the code may add to them. */
		st_le64(ram + ROOT + 8 * 2, RAM_BASE >> 12 << 10 | 0xcf);
		st_le64(ram + ROOT + 8 * 3, RAM_BASE >> 12 << 10 | 0xdf);
		cpu->satp = BIT(63) | (RAM_BASE + ROOT) >> 12;
		if (cpu->priv == PRIV_U)
			cpu->pc += GIB;
	}
	tlb_flush(cpu);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { .data = data, .size = size };
	struct vcpu *v = &vm.cpus[0];
	enum vcpu_exit why = VCPU_EXIT_ATTENTION;
	static uint8_t *ram;
	unsigned how;

	if (!ram)
		set_up(&ram);
	how = (unsigned)fuzz_take(&in, 1);
	memset(ram, 0, RAM_BYTES);
	if (size > 1)
		memcpy(ram, data + 1, size - 1 < RAM_BYTES ? size - 1 : RAM_BYTES);
	start(how, ram);
	atomic_store(&v->requests, 0);
	atomic_store(&v->attention, 0);
	set_timer(MILLISECONDS);
	do
		why = v->vm->engine->run(v);
	while (why == VCPU_EXIT_FIRMWARE && !atomic_load(&v->requests));
	set_timer(0);
	if (riscv_cpu_of(v)->x[0] || (why == VCPU_EXIT_ERROR && !vm.firmware.call))
		abort();
	return 0;
}
