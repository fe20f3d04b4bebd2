/* SPDX-License-Identifier: Apache-2.0 */
/* The devices a RISC-V board needs, driven by their registers; the vCPUs never run. */
#include "tests/unit/test.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dev/misc/goldfish_rtc.h"
#include "dev/misc/syscon.h"
#include "dev/riscv/aclint.h"
#include "dev/riscv/plic.h"
#include "dev/uart/uart16550.h"

static int no_init(struct vcpu *v, struct err *err)
{
	return 0;
}

static void no_fini(struct vcpu *v)
{
}

static const struct engine_ops fake = { .name = "fake", .vcpu_init = no_init, .vcpu_fini = no_fini };

static struct vm *new_vm(void)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	struct err err;

	assert_int_equal(vm_init(vm, &fake, 10000000, &err), 0);
	assert_int_equal(vm_add_cpus(vm, 2, &err), 0);
	return vm;
}

static void free_vm(struct vm *vm)
{
	vm_fini(vm);
	free(vm);
}

static uint64_t rd(struct vm *vm, gpa_t gpa, unsigned size)
{
	uint64_t v;

	assert_true(bus_read(&vm->bus, gpa, size, &v));
	return v;
}

static void wr(struct vm *vm, gpa_t gpa, unsigned size, uint64_t v)
{
	assert_true(bus_write(&vm->bus, gpa, size, v));
}

static bool line(struct vm *vm, unsigned cpu, unsigned n)
{
	return atomic_load(&vm->cpus[cpu].lines) >> n & 1;
}

static void plic_gateways(void **state)
{
	struct vm *vm = new_vm();
	struct plic *p;
	struct irq_line a, b;

	assert_int_equal(plic_new(vm, &(struct plic_cfg){ 0x1000000, 0x600000, "plic" }, &p, NULL), 0);
	a = plic_line(p, 10);
	b = plic_line(p, 33);
	wr(vm, 0x1000000 + 4 * 10, 4, 1);
	wr(vm, 0x1000000 + 4 * 33, 4, 0xf);
	assert_int_equal(rd(vm, 0x1000000 + 4 * 33, 4), 7);
	wr(vm, 0x1002000 + 0x80, 4, 0xffffffff);	/* context 1: hart 0, S-mode */
	wr(vm, 0x1002000 + 0x84, 4, 0xffffffff);
	assert_int_equal(rd(vm, 0x1002080, 4), 0xfffffffe);
	irq_set(&a, true);
	assert_true(line(vm, 0, 9));
	assert_false(line(vm, 0, 11));
	assert_false(line(vm, 1, 9));
	irq_set(&b, true);
	assert_int_equal(rd(vm, 0x1001000, 4), 1 << 10);
	assert_int_equal(rd(vm, 0x1001004, 4), 1 << 1);
	/* the higher priority first, then the other, then none */
	assert_int_equal(rd(vm, 0x1201004, 4), 33);
	assert_int_equal(rd(vm, 0x1201004, 4), 10);
	assert_int_equal(rd(vm, 0x1201004, 4), 0);
	assert_false(line(vm, 0, 9));
	/* still high at completion: pending again; lowered before: not */
	irq_set(&b, false);
	wr(vm, 0x1201004, 4, 33);
	assert_false(line(vm, 0, 9));
	wr(vm, 0x1201004, 4, 10);
	assert_true(line(vm, 0, 9));
	/* the threshold masks priorities up to its own, but not in claims */
	wr(vm, 0x1201000, 4, 1);
	assert_false(line(vm, 0, 9));
	wr(vm, 0x1201000, 4, 0);
	assert_true(line(vm, 0, 9));
	wr(vm, 0x1201000, 4, 7);
	assert_false(line(vm, 0, 9));
	assert_int_equal(rd(vm, 0x1201004, 4), 10);
	/* nonsense does nothing */
	wr(vm, 0x1201004, 4, 96);
	wr(vm, 0x1201004, 4, 0xffffffff);
	wr(vm, 0x1000000, 4, 7);
	assert_int_equal(rd(vm, 0x1000000, 4), 0);
	for (gpa_t off = 0; off < 0x600000; off += 0x7c)
		wr(vm, 0x1000000 + off, 4, 0xffffffff);
	assert_false(bus_write(&vm->bus, 0x1000000, 8, 0));
	free_vm(vm);
}

static void plic_after_reset(void **state)
{
	struct vm *vm = new_vm();
	struct irq_line a;
	struct plic *p;

	assert_int_equal(plic_new(vm, &(struct plic_cfg){ 0x1000000, 0x600000, "plic" }, &p, NULL), 0);
	a = plic_line(p, 10);
	irq_set(&a, true);
	assert_int_equal(rd(vm, 0x1001000, 4), 1 << 10);
	/* The controller's reset comes before that of the device, which lowers its wire. */
	vm->devs->ops->reset(vm->devs);
	irq_set(&a, false);
	assert_int_equal(rd(vm, 0x1001000, 4), 0);
	irq_set(&a, true);
	assert_int_equal(rd(vm, 0x1001000, 4), 1 << 10);
	free_vm(vm);
}

static void aclint_parts(void **state)
{
	struct vm *vm = new_vm();
	struct aclint *a;
	struct aclint_cfg cfg = { 0x2000000, 0x2004000, 0x2f00000, "aclint" };

	assert_int_equal(aclint_new(vm, &cfg, &a, NULL), 0);
	wr(vm, 0x2000004, 4, 0xffffffff);
	assert_true(line(vm, 1, 3));
	assert_int_equal(rd(vm, 0x2000004, 4), 1);
	assert_int_equal(rd(vm, 0x2000000, 4), 0);
	wr(vm, 0x2000004, 4, 2);
	assert_false(line(vm, 1, 3));
	wr(vm, 0x2000008, 4, 1);	/* a hart that is not there */
	wr(vm, 0x2f00000, 4, 1);
	assert_int_equal(atomic_load(&vm->cpus[0].latched), 2);
	assert_int_equal(rd(vm, 0x2f00000, 4), 0);
	wr(vm, 0x2004008, 4, 0x11223344);
	wr(vm, 0x200400c, 4, 0x55);
	assert_int_equal(atomic_load(&vm->cpus[1].timer), 0x5511223344);
	assert_int_equal(rd(vm, 0x200400c, 4), 0x55);
	wr(vm, 0x2004000, 8, 77);
	assert_int_equal(atomic_load(&vm->cpus[0].timer), 77);
	wr(vm, 0x200bff8, 8, 0x100000005);
	assert_int_equal(timebase_read(&vm->tb), 0x100000005);
	wr(vm, 0x200bffc, 4, 3);
	assert_int_equal(rd(vm, 0x200bff8, 8), 0x300000005);
	assert_int_equal(rd(vm, 0x200bffc, 4), 3);
	assert_false(bus_read(&vm->bus, 0x2000000, 8, &(uint64_t){ 0 }));
	free_vm(vm);
}

static bool irq_seen;

static void see_irq(void *opaque, unsigned n, bool level)
{
	*(bool *)opaque = level;
}

static void uart_loopback(void **state)
{
	struct vm *vm = new_vm();
	struct uart16550 *u;
	struct uart16550_cfg cfg = { .base = 0x10000000, .irq = { see_irq, &irq_seen, 0 }, .name = "u" };

	assert_int_equal(uart16550_new(vm, &cfg, &u, NULL), 0);
	assert_int_equal(rd(vm, 0x10000005, 1), 0x60);
	assert_int_equal(rd(vm, 0x10000002, 1), 0x01);
	wr(vm, 0x10000002, 1, 0x81);			/* FIFO on, trigger 8 */
	assert_int_equal(rd(vm, 0x10000002, 1), 0xc1);
	wr(vm, 0x10000003, 1, 0x83);
	wr(vm, 0x10000000, 1, 0x12);
	wr(vm, 0x10000001, 1, 0x34);
	assert_int_equal(rd(vm, 0x10000000, 1), 0x12);
	assert_int_equal(rd(vm, 0x10000001, 1), 0x34);
	wr(vm, 0x10000003, 1, 0x03);
	assert_int_equal(rd(vm, 0x10000001, 1), 0);
	wr(vm, 0x10000004, 1, 0x10);			/* loopback */
	assert_int_equal(rd(vm, 0x10000006, 1) & 0xf0, 0);
	wr(vm, 0x10000004, 1, 0x1a);			/* RTS and OUT2 -> CTS and DCD */
	assert_int_equal(rd(vm, 0x10000006, 1), 0x99);
	wr(vm, 0x10000001, 1, 0x01);
	for (int i = 0; i < 7; i++)
		wr(vm, 0x10000000, 1, 'a' + i);
	assert_true(irq_seen);
	assert_int_equal(rd(vm, 0x10000002, 1) & 0x0f, 0x0c);	/* time-out: below the trigger */
	wr(vm, 0x10000000, 1, 'h');
	assert_int_equal(rd(vm, 0x10000002, 1) & 0x0f, 0x04);
	for (int i = 0; i < 8; i++)
		assert_int_equal(rd(vm, 0x10000000, 1), 'a' + i);
	assert_false(irq_seen);
	for (int i = 0; i < 17; i++)
		wr(vm, 0x10000000, 1, 'A' + i);
	wr(vm, 0x10000001, 1, 0x04);
	assert_int_equal(rd(vm, 0x10000002, 1) & 0x0f, 0x06);	/* overrun */
	assert_int_equal(rd(vm, 0x10000005, 1), 0x63);
	assert_int_equal(rd(vm, 0x10000005, 1), 0x61);
	assert_int_equal(rd(vm, 0x10000000, 1), 'A');
	wr(vm, 0x10000002, 1, 0x83);			/* clears the FIFO */
	assert_int_equal(rd(vm, 0x10000005, 1), 0x60);
	/* THR empty: raised by enabling it, acknowledged by reading IIR, raised by a write */
	wr(vm, 0x10000001, 1, 0x02);
	assert_int_equal(rd(vm, 0x10000002, 1) & 0x0f, 0x02);
	assert_int_equal(rd(vm, 0x10000002, 1) & 0x0f, 0x01);
	assert_false(irq_seen);
	wr(vm, 0x10000000, 1, 'x');
	assert_true(irq_seen);
	wr(vm, 0x10000007, 1, 0xa5);
	assert_int_equal(rd(vm, 0x10000007, 1), 0xa5);
	free_vm(vm);
}

static void syscon_events(void **state)
{
	struct vm *vm = new_vm();
	struct syscon *s;
	uint32_t detail;

	assert_int_equal(syscon_new(vm, &(struct syscon_cfg){ 0x100000, "test" }, &s, NULL), 0);
	wr(vm, 0x100000, 4, 0x1234);
	wr(vm, 0x100004, 4, 0x5555);
	wr(vm, 0x100000, 4, 7 << 16 | 0x3333);
	assert_int_equal(vm_wait(vm, &detail), VM_EVENT_FAIL);
	assert_int_equal(detail, 7);
	wr(vm, 0x100000, 4, 0x7777);
	assert_int_equal(vm_wait(vm, &detail), VM_EVENT_RESET);
	wr(vm, 0x100000, 4, 0x5555);
	assert_int_equal(vm_wait(vm, NULL), VM_EVENT_POWEROFF);
	free_vm(vm);
}

static void rtc_time(void **state)
{
	struct vm *vm = new_vm();
	struct goldfish_rtc *r;
	struct goldfish_rtc_cfg cfg = { 0x101000, { see_irq, &irq_seen, 0 }, "rtc" };
	uint64_t t, past;

	assert_int_equal(goldfish_rtc_new(vm, &cfg, &r, NULL), 0);
	t = rd(vm, 0x101000, 4);
	t |= rd(vm, 0x101004, 4) << 32;
	assert_true(t / 1000000000u >= (uint64_t)time(NULL) - 1);
	assert_true(t / 1000000000u <= (uint64_t)time(NULL) + 1);
	past = UINT64_C(1000000000) * 1000000;
	wr(vm, 0x101004, 4, past >> 32);
	wr(vm, 0x101000, 4, (uint32_t)past);
	t = rd(vm, 0x101000, 4);
	t |= rd(vm, 0x101004, 4) << 32;
	assert_true(t >= past && t < past + UINT64_C(60000000000));
	irq_seen = false;
	wr(vm, 0x101010, 4, 1);
	wr(vm, 0x10100c, 4, past >> 32);
	wr(vm, 0x101008, 4, (uint32_t)past);		/* an alarm in the past fires at once */
	assert_int_equal(rd(vm, 0x101018, 4), 1);
	assert_false(bus_read(&vm->bus, 0x101000, 1, &t));
	free_vm(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plic_gateways),
		cmocka_unit_test(plic_after_reset),
		cmocka_unit_test(aclint_parts),
		cmocka_unit_test(uart_loopback),
		cmocka_unit_test(syscon_events),
		cmocka_unit_test(rtc_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
