/* SPDX-License-Identifier: Apache-2.0 */
/* What a correct driver gets: entropy, the power key, status and features, on both transports. */
#include "tests/device/harness.h"

#include <string.h>

#include "base/bits.h"
#include "dev/virtio/input.h"

static const enum rig_place rngs[] = { PCI_RNG, MMIO_RNG };
static const enum rig_place inputs[] = { PCI_INPUT, MMIO_INPUT };

static void rng_gives_bytes(void **state)
{
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(rngs); i++) {
		driver_open(&d, *state, rngs[i]);
		rng_works(&d);
		rng_works(&d);
	}
}

/* No optional feature: no event index, no indirect tables, not even VERSION_1. */
static void plain_driver(void **state)
{
	struct driver d;
	uint32_t id, len;
	gpa_t buf;

	for (unsigned i = 0; i < ARRAY_LEN(rngs); i++) {
		driver_open(&d, *state, rngs[i]);
		driver_start(&d, 0, 1, 4);
		buf = rig_alloc(d.r, 16, 1);
		for (unsigned k = 0; k < 9; k++) {
			ring_desc(&d, 0, k % 4, buf, 16, D_WRITE, 0);
			ring_avail(&d, 0, k % 4);
			ring_kick(&d, 0);
			ring_wait(&d, 0, &id, &len);
			assert_int_equal(id, k % 4);
			assert_int_equal(len, 16);
		}
	}
}

static void one_request_is_bounded(void **state)
{
	const uint32_t huge = 1 << 20;
	struct driver d;
	uint32_t id, len;
	gpa_t buf;

	driver_open(&d, *state, PCI_RNG);
	driver_start(&d, UINT64_MAX, 1, 8);
	buf = rig_alloc(d.r, huge, 1);
	ring_desc(&d, 0, 0, buf, huge, D_WRITE, 0);
	ring_avail(&d, 0, 0);
	ring_kick(&d, 0);
	ring_wait(&d, 0, &id, &len);
	assert_in_range(len, 1, huge / 16);
	assert_int_equal(ld_le64(rig_ram(d.r, buf + len)), 0);
}

/* A full ring of requests with one doorbell, through indirect tables at odd addresses. */
static void indirect_and_full_ring(void **state)
{
	struct driver d;
	bool seen[64] = { false };
	uint32_t id, len;
	gpa_t table, buf;

	for (unsigned i = 0; i < ARRAY_LEN(rngs); i++) {
		driver_open(&d, *state, rngs[i]);
		driver_start(&d, UINT64_MAX, 1, 64);
		table = rig_alloc(d.r, 16 * 3, 16) + 1;
		rig_alloc(d.r, 16, 1);
		buf = rig_alloc(d.r, 48, 1);
		table_desc(d.r, table, 0, buf, 16, D_WRITE | D_NEXT, 2);
		table_desc(d.r, table, 2, buf + 16, 16, D_WRITE | D_NEXT, 1);
		table_desc(d.r, table, 1, buf + 32, 16, D_WRITE, 0);
		for (uint16_t k = 0; k < 64; k++) {
			ring_desc(&d, 0, k, table, 48, D_INDIRECT, 0);
			ring_avail(&d, 0, k);
		}
		ring_kick(&d, 0);
		memset(seen, 0, sizeof(seen));
		for (unsigned k = 0; k < 64; k++) {
			ring_wait(&d, 0, &id, &len);
			assert_true(id < 64 && !seen[id]);
			seen[id] = true;
			assert_int_equal(len, 48);
		}
	}
}

/* A driver that asks for no interrupts gets none, and one that does later gets the next. */
static void suppressed_interrupts(void **state)
{
	struct rig *r = *state;
	struct driver d;
	uint32_t id, len;
	unsigned before;
	gpa_t buf;

	driver_open(&d, r, PCI_RNG);
	driver_start(&d, ~BIT(VIRTIO_F_EVENT_IDX), 1, 8);
	buf = rig_alloc(r, 16, 1);
	ring_desc(&d, 0, 0, buf, 16, D_WRITE, 0);
	ram_st16(rig_ram(r, d.queues[0].avail), 1);
	before = rig_events(r);
	ring_avail(&d, 0, 0);
	ring_kick(&d, 0);
	rig_settle(r);
	assert_true(ring_has_used(&d, 0));
	assert_int_equal(rig_events(r), before);
	/* A doorbell without anything to do interrupts nobody either. */
	ram_st16(rig_ram(r, d.queues[0].avail), 0);
	ring_kick(&d, 0);
	rig_settle(r);
	assert_int_equal(rig_events(r), before);
	ring_avail(&d, 0, 0);
	ring_kick(&d, 0);
	ring_wait(&d, 0, &id, &len);
	ring_wait(&d, 0, &id, &len);
	rig_settle(r);
	assert_int_equal(rig_events(r), before + 1);
}

/* With EVENT_IDX the device interrupts when the element asked for is used, not before. */
static void event_index(void **state)
{
	struct rig *r = *state;
	struct driver d;
	uint8_t *used_event;
	unsigned before;
	gpa_t buf;

	driver_open(&d, r, MMIO_RNG);
	driver_start(&d, UINT64_MAX, 1, 8);
	buf = rig_alloc(r, 16, 1);
	ring_desc(&d, 0, 0, buf, 16, D_WRITE, 0);
	used_event = rig_ram(r, d.queues[0].avail) + 4 + 2 * 8;
	before = rig_events(r);
	for (unsigned k = 0; k < 4; k++) {
		ring_avail(&d, 0, 0);
		ram_st16(used_event, 3);
		ring_kick(&d, 0);
		rig_settle(r);
		assert_int_equal(rig_events(r), before + (k == 3));
	}
	/* avail_event asks for a doorbell at the next request. */
	assert_int_equal(ram_ld16(rig_ram(r, d.queues[0].used) + 4 + 8 * 8), 4);
}

struct press {
	struct rig *r;
	enum rig_place place;
};

static void press_power(void *arg)
{
	const struct press *p = arg;

	virtio_input_press_power(p->r->devices[p->place]);
}

static void expect_press(struct driver *d)
{
	static const struct {
		uint16_t type, code;
		uint32_t value;
	} expected[] = { { 1, 116, 1 }, { 0, 0, 0 }, { 1, 116, 0 }, { 0, 0, 0 } };
	uint32_t id, len;
	const uint8_t *event;

	for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
		ring_wait(d, 0, &id, &len);
		assert_int_equal(len, 8);
		event = rig_ram(d->r, ld_le64(rig_ram(d->r, d->queues[0].desc + 16 * id)));
		assert_int_equal(ld_le16(event), expected[i].type);
		assert_int_equal(ld_le16(event + 2), expected[i].code);
		assert_int_equal(ld_le32(event + 4), expected[i].value);
	}
}

static void post_events(struct driver *d, uint16_t first, uint16_t count)
{
	for (uint16_t i = first; i < first + count; i++) {
		ring_desc(d, 0, i, rig_alloc(d->r, 8, 8), 8, D_WRITE, 0);
		ring_avail(d, 0, i);
	}
	ring_kick(d, 0);
}

static void power_key(void **state)
{
	struct rig *r = *state;
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(inputs); i++) {
		struct press p = { r, inputs[i] };

		driver_open(&d, r, inputs[i]);
		driver_reset(&d);
		loop_call(r->vm.loop, press_power, &p);		/* nobody is there: lost */
		driver_start(&d, UINT64_MAX, 2, 16);
		post_events(&d, 0, 4);
		rig_settle(r);
		assert_false(ring_has_used(&d, 0));
		loop_call(r->vm.loop, press_power, &p);
		expect_press(&d);
		/* Pressed while the driver has one buffer only: the rest comes with the others. */
		post_events(&d, 4, 1);
		rig_settle(r);
		loop_call(r->vm.loop, press_power, &p);
		loop_call(r->vm.loop, press_power, &p);
		post_events(&d, 5, 7);
		expect_press(&d);
		rig_settle(r);
		assert_false(ring_has_used(&d, 0));
	}
}

/* Selects an item of the configuration and reads it; returns its size. */
static unsigned config_item(struct driver *d, uint8_t select, uint8_t subsel, uint8_t *data)
{
	unsigned size;

	rig_write(d->r, d->config, 1, select);
	rig_write(d->r, d->config + 1, 1, subsel);
	size = (unsigned)rig_read(d->r, d->config + 2, 1);
	assert_true(size <= 128);
	for (unsigned i = 0; i < 128; i++)
		data[i] = (uint8_t)rig_read(d->r, d->config + 8 + i, 1);
	return size;
}

static void input_configuration(void **state)
{
	uint8_t data[128];
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(inputs); i++) {
		driver_open(&d, *state, inputs[i]);
		assert_int_equal(config_item(&d, 0, 0, data), 0);
		assert_int_equal(config_item(&d, 1, 0, data), strlen("hospes power button"));
		assert_memory_equal(data, "hospes power button", strlen("hospes power button") + 1);
		assert_int_equal(config_item(&d, 1, 1, data), 0);
		assert_true(config_item(&d, 2, 0, data) > 0);
		assert_int_equal(config_item(&d, 3, 0, data), 8);
		assert_int_equal(data[0], 6);
		assert_int_equal(config_item(&d, 0x10, 0, data), 0);
		assert_int_equal(config_item(&d, 0x11, 1, data), 15);
		for (unsigned k = 0; k < 128; k++)
			assert_int_equal(data[k], k == 116 / 8 ? 1 << 116 % 8 : 0);
		assert_int_equal(config_item(&d, 0x11, 3, data), 0);
		assert_int_equal(config_item(&d, 0x12, 0, data), 0);
		assert_int_equal(config_item(&d, 0xff, 0xff, data), 0);
	}
}

/* A VM reset takes a running device to its first state; a pause holds requests back. */
static void pause_and_vm_reset(void **state)
{
	struct rig *r = *state;
	struct driver d;
	uint32_t id, len;
	struct err err;
	gpa_t buf;

	for (unsigned i = 0; i < ARRAY_LEN(rngs); i++) {
		driver_open(&d, r, rngs[i]);
		driver_start(&d, UINT64_MAX, 1, 8);
		buf = rig_alloc(r, 16, 1);
		ring_desc(&d, 0, 0, buf, 16, D_WRITE, 0);
		vm_pause(&r->vm);
		ring_avail(&d, 0, 0);
		ring_kick(&d, 0);
		rig_settle(r);
		assert_false(ring_has_used(&d, 0));
		vm_resume(&r->vm);
		ring_wait(&d, 0, &id, &len);
		assert_int_equal(len, 16);
		assert_int_equal(vm_reset(&r->vm, &err), 0);
		if (!d.mmio)
			assert_int_equal(rig_read(r, pci_fn(d.place) + 4, 2), 0);
		driver_open(&d, r, rngs[i]);
		assert_int_equal(driver_status(&d), 0);
		rng_works(&d);
	}
}

static void empty_slot(void **state)
{
	struct driver d;

	driver_open(&d, *state, MMIO_EMPTY);
	assert_int_equal(rig_read(d.r, d.regs + 8, 4), 0);
	for (unsigned off = 0; off < 0x200; off += 4) {
		rig_write(d.r, d.regs + off, 4, UINT32_MAX);
		if (off >= 0x10)
			assert_int_equal(rig_read(d.r, d.regs + off, 4), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rng_gives_bytes, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(plain_driver, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(one_request_is_bounded, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(indirect_and_full_ring, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(suppressed_interrupts, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(event_index, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(power_key, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(input_configuration, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(pause_and_vm_reset, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(empty_slot, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests_name("virtio_flow", tests, NULL, NULL);
}
