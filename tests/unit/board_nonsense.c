/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virt board and the built-in SBI under a guest that means harm: register accesses and calls
 * with arbitrary arguments, from fixed seeds. Nothing may crash (the sanitizers look on), and a
 * reset must bring every register back to what it was at power-on.
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "machine/machine.h"
#include "machine/virt/sbi_call.h"
#include "machine/virt/virt.h"
#include "tests/unit/fake_engine.h"

struct fixture {
	struct vm vm;
	struct machine_cfg cfg;
	struct err err;
	int fd;
	uint64_t random;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->fd = memfd_create("program", MFD_CLOEXEC);
	assert_true(f->fd >= 0);
	assert_int_equal(pwrite(f->fd, "\x13\x00\x00\x00", 4, 0), 4);
	f->cfg = (struct machine_cfg){
		.machine = "virt-1", .cpus = 3, .ram = 16 * MIB, .kernel.fd = -1,
		.initrd.fd = -1, .firmware.fd = -1, .pflash = { { -1, NULL }, { -1, NULL } },
	};
	assert_int_equal(vm_init(&f->vm, &fake_engine, VIRT_TIMEBASE_HZ, &f->err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vm_fini(&f->vm);
	close(f->fd);
	free(f);
	return 0;
}

static void build_and_boot(struct fixture *f)
{
	if (machine_find("virt-1")->build(&f->vm, &f->cfg, &f->err) ||
	    f->vm.boot(&f->vm, &f->err))
		fail_msg("%s", f->err.msg);
}

/* SplitMix64 */
static uint64_t any(struct fixture *f)
{
	uint64_t z = f->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint64_t below(struct fixture *f, uint64_t n)
{
	return any(f) % n;
}

/* A value of the kind that goes wrong: near a power of two, an address's end, or anything. */
static uint64_t nasty(struct fixture *f)
{
	static const uint64_t places[] = {
		0, VIRT_RAM_BASE, VIRT_RAM_BASE + 16 * MIB, VIRT_ROM_BASE, VIRT_UART_BASE,
		VIRT_FLASH_BASE, VIRT_FLASH_BASE + VIRT_FLASH_SIZE, BIT(56),
	};

	switch (below(f, 4)) {
	case 0: return BIT(below(f, 64)) + below(f, 3) - 1;
	case 1: return places[below(f, ARRAY_LEN(places))] + below(f, 17) - 8;
	case 2: return below(f, 32);
	default: return any(f);
	}
}

/* ---- registers ---------------------------------------------------------------------------- */

/* What software may look at without changing it, and no clock moves. */
static const struct window {
	gpa_t base;
	uint64_t bytes;
} windows[] = {
	{ VIRT_TEST_BASE, 16 },
	{ VIRT_RTC_BASE + 8, 24 },
	{ VIRT_MSWI_BASE, 16 },
	{ VIRT_SSWI_BASE, 16 },
	{ VIRT_PLIC_BASE, 0x400 },
	{ VIRT_PLIC_BASE + 0x1000, 0x80 },
	{ VIRT_PLIC_BASE + 0x2000, 0x400 },
	{ VIRT_PLIC_BASE + 0x200000, 8 },
	{ VIRT_PLIC_BASE + 0x201000, 8 },
	{ VIRT_PLIC_BASE + 0x205000, 8 },
	{ VIRT_MMIO_BASE, 0x100 },
	{ VIRT_FW_CFG_BASE, 4 },
	{ VIRT_ECAM_BASE, 0x100 },
	{ VIRT_ECAM_BASE + (VIRT_SLOT_INPUT << 15), 0x100 },
	{ VIRT_ECAM_BASE + (VIRT_SLOT_RNG << 15), 0x100 },
};

enum { MOST_WORDS = 2048 };

/* Reads all windows, and the UART's registers, as words; returns how many. */
static unsigned look(struct fixture *f, uint64_t words[MOST_WORDS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_LEN(windows); i++)
		for (uint64_t off = 0; off < windows[i].bytes; off += 4) {
			assert_true(n < MOST_WORDS);
			assert_true(bus_read(&f->vm.bus, windows[i].base + off, 4, &words[n++]));
		}
	for (unsigned reg = 0; reg < 8; reg++)
		assert_true(bus_read(&f->vm.bus, VIRT_UART_BASE + reg, 1, &words[n++]));
	return n;
}

static void press(struct fixture *f)
{
	struct bus_region *r = &f->vm.bus.map[below(f, f->vm.bus.count)];
	unsigned size = 1u << below(f, 4);
	uint64_t off = below(f, r->size < 0x4000 || below(f, 4) ? r->size : 0x4000), value;
	gpa_t at = r->base + (below(f, 16) ? align_down(off, size) : off);

	if (below(f, 2))
		bus_read(&f->vm.bus, at, size, &value);
	else
		bus_write(&f->vm.bus, at, size, nasty(f));
}

static void registers(void **state)
{
	struct fixture *f = *state;
	uint64_t first[MOST_WORDS], again[MOST_WORDS];
	unsigned n;

	f->cfg.firmware = (struct machine_file){ f->fd, "firmware" };
	build_and_boot(f);
	n = look(f, first);
	for (unsigned round = 0; round < 20; round++) {
		f->random = round;
		for (unsigned i = 0; i < 5000; i++)
			press(f);
		for (struct dev *d = f->vm.devs; d; d = d->next)
			d->ops->reset(d);
		for (unsigned i = 0; i < f->vm.cpu_count; i++)
			f->vm.cpus[i].lines = 0;	/* as vm_reset() does */
		assert_int_equal(look(f, again), n);
		for (unsigned i = 0; i < n; i++)
			if (first[i] != again[i])
				fail_msg("round %u, word %u: %#lx at power-on, %#lx after a reset",
					 round, i, first[i], again[i]);
	}
}

/* ---- calls -------------------------------------------------------------------------------- */

static void calls(void **state)
{
	static const uint64_t extensions[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, SBI_EXT_BASE, SBI_EXT_TIME, SBI_EXT_IPI, SBI_EXT_RFENCE,
		SBI_EXT_HSM, SBI_EXT_SRST, SBI_EXT_PMU, SBI_EXT_PMU, SBI_EXT_DBCN,
	};
	struct fixture *f = *state;

	f->cfg.kernel = (struct machine_file){ f->fd, "kernel" };
	build_and_boot(f);
	for (unsigned i = 0; i < 100000; i++) {
		struct vcpu *v = &f->vm.cpus[below(f, f->vm.cpu_count)];
		struct fake_cpu *k = v->arch;
		uint64_t eid = below(f, 50) ? extensions[below(f, ARRAY_LEN(extensions))] : any(f);

		for (unsigned a = 0; a < 6; a++)
			k->x[10 + a] = nasty(f);
		k->x[16] = below(f, 50) ? below(f, 9) : any(f);
		k->x[17] = eid;
		f->vm.firmware.call(f->vm.firmware.opaque, v);
		/* Whoever stopped itself would not come back; a suspended one has moved on. */
		f->vm.cpus[v->index].started = true;
		if (eid >= SBI_EXT_BASE && (eid != SBI_EXT_HSM || k->x[16] != 3))
			assert_in_range(k->x[10] + 9, 0, 9);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registers, setup, teardown),
		cmocka_unit_test_setup_teardown(calls, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
