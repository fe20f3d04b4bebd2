/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers used against the rules: the status machine, features, queues, doorbells, every
 * offset with every size, resets and safepoints while requests are in flight.
 */
#include "tests/device/harness.h"

#include <string.h>

#include "base/bits.h"
#include "tests/device/slow.h"

enum { ACK_DRIVER = VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER };

static const enum rig_place rngs[] = { PCI_RNG, MMIO_RNG };
static const enum rig_place slows[] = { PCI_SLOW, MMIO_SLOW };

/* ---- status and features -------------------------------------------------------------------- */

static void no_start_without_features(void **state)
{
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(rngs); i++) {
		driver_open(&d, *state, rngs[i]);
		driver_reset(&d);
		driver_set_status(&d, ACK_DRIVER);
		queue_setup(&d, 0, 8);
		driver_set_status(&d, ACK_DRIVER | VIRTIO_S_DRIVER_OK);
		assert_int_equal(driver_status(&d), ACK_DRIVER);
		ring_desc(&d, 0, 0, rig_alloc(d.r, 16, 1), 16, D_WRITE, 0);
		ring_avail(&d, 0, 0);
		ring_kick(&d, 0);
		rig_settle(d.r);
		assert_false(ring_has_used(&d, 0));
		rng_works(&d);
	}
}

static void features_never_offered(void **state)
{
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(rngs); i++) {
		driver_open(&d, *state, rngs[i]);
		for (unsigned bit = 0; bit < 64; bit++) {
			const bool offered = driver_offered(&d) >> bit & 1;

			driver_reset(&d);
			driver_set_status(&d, ACK_DRIVER);
			driver_accept(&d, BIT(VIRTIO_F_VERSION_1) | BIT(bit));
			driver_set_status(&d, ACK_DRIVER | VIRTIO_S_FEATURES_OK);
			assert_int_equal(driver_status(&d),
					 ACK_DRIVER | (offered ? VIRTIO_S_FEATURES_OK : 0));
			driver_set_status(&d, driver_status(&d) | VIRTIO_S_DRIVER_OK);
			assert_int_equal(driver_status(&d) >> 2 & 1, offered);
		}
		rng_works(&d);
	}
}

/* A driver cannot take bits back, nor set DEVICE_NEEDS_RESET, nor change features once agreed. */
static void status_bits_stay(void **state)
{
	struct driver d;
	const unsigned accepted_sel[] = { 0x08, 0x24 }, accepted[] = { 0x0c, 0x20 };

	for (unsigned i = 0; i < ARRAY_LEN(rngs); i++) {
		driver_open(&d, *state, rngs[i]);
		driver_negotiate(&d, UINT64_MAX);
		driver_set_status(&d, VIRTIO_S_ACKNOWLEDGE);
		assert_int_equal(driver_status(&d), ACK_DRIVER | VIRTIO_S_FEATURES_OK);
		driver_set_status(&d, VIRTIO_S_NEEDS_RESET | 0x30);
		assert_int_equal(driver_status(&d), ACK_DRIVER | VIRTIO_S_FEATURES_OK);
		rig_write(d.r, d.regs + accepted_sel[i], 4, 0);
		rig_write(d.r, d.regs + accepted[i], 4, UINT32_MAX);
		if (!d.mmio)
			assert_int_equal(rig_read(d.r, d.regs + accepted[i], 4),
					 (uint32_t)driver_offered(&d));
		queue_setup(&d, 0, 8);
		driver_set_status(&d, VIRTIO_S_DRIVER_OK);
		driver_set_status(&d, VIRTIO_S_FAILED);
		assert_int_equal(driver_status(&d), ACK_DRIVER | VIRTIO_S_FEATURES_OK |
							    VIRTIO_S_DRIVER_OK | VIRTIO_S_FAILED);
		rng_works(&d);
	}
}

static void selectors_out_of_range(void **state)
{
	struct driver d;

	driver_open(&d, *state, PCI_RNG);
	driver_reset(&d);
	for (uint32_t sel = 2; sel; sel *= 2) {
		rig_write(d.r, d.regs, 4, sel);
		assert_int_equal(rig_read(d.r, d.regs + 4, 4), 0);
		rig_write(d.r, d.regs + 8, 4, sel);
		rig_write(d.r, d.regs + 12, 4, UINT32_MAX);
		assert_int_equal(rig_read(d.r, d.regs + 12, 4), 0);
	}
	rng_works(&d);
}

/* ---- queues --------------------------------------------------------------------------------- */

static void absent_queues(void **state)
{
	static const unsigned absent[] = { 1, 2, 31, 32, 33, 63, 64, 1023, 0x7fff, 0xffff };
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(rngs); i++) {
		driver_open(&d, *state, rngs[i]);
		driver_negotiate(&d, UINT64_MAX);
		for (unsigned k = 0; k < ARRAY_LEN(absent); k++) {
			assert_int_equal(queue_max(&d, absent[k]), 0);
			d.queues[1] = d.queues[0];
			queue_select(&d, absent[k]);
			if (d.mmio) {
				rig_write(d.r, d.regs + 0x44, 4, 1);
				assert_int_equal(rig_read(d.r, d.regs + 0x44, 4), 0);
				rig_write(d.r, d.regs + 0x50, 4, absent[k]);
			} else {
				rig_write(d.r, d.regs + 0x1c, 2, 1);
				assert_int_equal(rig_read(d.r, d.regs + 0x1c, 2), 0);
				assert_int_equal(rig_read(d.r, d.regs + 0x1a, 2), 0xffff);
				rig_write(d.r, d.regs + 0x1a, 2, 0);
				assert_int_equal(rig_read(d.r, d.regs + 0x1a, 2), 0xffff);
				rig_write(d.r, d.notify + 4 * (absent[k] % 1024), 2, absent[k]);
			}
		}
		rng_works(&d);
		for (unsigned k = 0; k < ARRAY_LEN(absent); k++)
			if (d.mmio)
				rig_write(d.r, d.regs + 0x50, 4, absent[k]);
			else
				rig_write(d.r, d.notify + 4 * (absent[k] % 1024), 4, absent[k]);
		rig_settle(d.r);
		assert_false(driver_status(&d) & VIRTIO_S_NEEDS_RESET);
	}
}

/* Once enabled a queue stays where it is; enabling it again, and all else, changes nothing. */
static void enabled_queues_are_fixed(void **state)
{
	struct driver d;
	struct dqueue good;
	uint32_t id, len;

	for (unsigned i = 0; i < ARRAY_LEN(rngs); i++) {
		driver_open(&d, *state, rngs[i]);
		driver_negotiate(&d, UINT64_MAX);
		queue_setup(&d, 0, 8);
		good = d.queues[0];
		for (unsigned pass = 0; pass < 2; pass++) {
			d.queues[0] = (struct dqueue){
				.size = 3, .desc = 1, .avail = 2, .used = 3,
			};
			queue_program(&d, 0);
			driver_set_status(&d, driver_status(&d) | VIRTIO_S_DRIVER_OK);
		}
		d.queues[0] = good;
		ring_desc(&d, 0, 0, rig_alloc(d.r, 16, 1), 16, D_WRITE, 0);
		ring_avail(&d, 0, 0);
		ring_kick(&d, 0);
		ring_wait(&d, 0, &id, &len);
		assert_int_equal(len, 16);
	}
}

/* A queue left out at the start cannot be added, nor one taken away. */
static void no_change_after_start(void **state)
{
	static const enum rig_place inputs[] = { PCI_INPUT, MMIO_INPUT };
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(inputs); i++) {
		const unsigned enable = inputs[i] == PCI_INPUT ? 0x1c : 0x44;
		const unsigned width = inputs[i] == PCI_INPUT ? 2 : 4;

		driver_open(&d, *state, inputs[i]);
		driver_start(&d, UINT64_MAX, 1, 8);
		queue_setup(&d, 1, 8);
		assert_int_equal(rig_read(d.r, d.regs + enable, width), 0);
		queue_select(&d, 0);
		rig_write(d.r, d.regs + enable, width, 0);
		assert_int_equal(rig_read(d.r, d.regs + enable, width), 1);
		driver_reset(&d);
		queue_select(&d, 0);
		assert_int_equal(rig_read(d.r, d.regs + enable, width), 0);
	}
}

/* ---- every offset, every size --------------------------------------------------------------- */

static void sweep(struct rig *r, gpa_t base, uint64_t bytes, uint64_t pattern)
{
	uint64_t value;

	for (unsigned size = 1; size <= 8; size *= 2)
		for (uint64_t off = 0; off < bytes; off += size) {
			bus_read(&r->vm.bus, base + off, size, &value);
			bus_write(&r->vm.bus, base + off, size, pattern);
			/* Not aligned: refused before it reaches a device, whatever it is. */
			if (size > 1)
				assert_false(bus_write(&r->vm.bus, base + off + 1, size, pattern));
		}
}

static void sweep_everything(void **state)
{
	static const uint64_t patterns[] = {
		UINT64_MAX, 0, 0x0f0f0f0f0f0f0f0f, 0x0004000200010008,
	};
	struct rig *r = *state;
	struct driver d;

	for (unsigned p = 0; p < RIG_PLACES; p++) {
		if (!r->devices[p] && p != MMIO_EMPTY)
			continue;
		for (unsigned i = 0; i < ARRAY_LEN(patterns); i++) {
			driver_open(&d, r, p);
			if (d.mmio) {
				sweep(r, d.regs, 0x1000, patterns[i]);
				continue;
			}
			sweep(r, d.regs, 0x4000, patterns[i]);
			sweep(r, pci_fn(p), 4096, patterns[i]);
		}
		rig_settle(r);
	}
	for (unsigned i = 0; i < ARRAY_LEN(rngs); i++) {
		driver_open(&d, r, rngs[i]);
		rng_works(&d);
		neighbour_works(&d);
	}
}

/* ---- requests in flight --------------------------------------------------------------------- */

/* Starts the slow device with count requests of one byte each in flight; returns their buffer. */
static gpa_t hold(struct driver *d, uint16_t count)
{
	gpa_t buf;

	driver_start(d, UINT64_MAX, 1, 8);
	buf = rig_alloc(d->r, count, 1);
	for (uint16_t i = 0; i < count; i++) {
		ring_desc(d, 0, i, buf + i, 1, D_WRITE, 0);
		ring_avail(d, 0, i);
	}
	ring_kick(d, 0);
	rig_settle(d->r);
	assert_int_equal(slow_in_flight(d->r->devices[d->place]), count);
	return buf;
}

/* The status reads nonzero until the last request is done; nothing is used from then on. */
static void reset_waits_pci(void **state)
{
	struct rig *r = *state;
	struct virtio *slow = r->devices[PCI_SLOW];
	struct driver d;

	driver_open(&d, r, PCI_SLOW);
	hold(&d, 3);
	driver_set_status(&d, 0);
	for (unsigned left = 3; left; left--) {
		rig_settle(r);
		assert_true(driver_status(&d) != 0);
		/* What the driver writes meanwhile does not count, another reset neither. */
		driver_set_status(&d, ACK_DRIVER);
		driver_set_status(&d, 0);
		ring_kick(&d, 0);
		neighbour_works(&d);
		slow_complete(slow);
	}
	assert_int_equal(driver_status(&d), 0);
	assert_false(ring_has_used(&d, 0));
	assert_int_equal(slow_in_flight(slow), 0);
	assert_false(rig_line(r, PCI_SLOW % 4));

	/* And again from the start. */
	hold(&d, 1);
	slow_complete(slow);
	assert_true(ring_has_used(&d, 0));
	driver_reset(&d);
}

static void *complete_all(void *arg)
{
	struct virtio *slow = arg;

	while (slow_in_flight(slow))
		slow_complete(slow);
	return NULL;
}

/* On MMIO the write itself waits; drivers look at the status only afterwards. */
static void reset_waits_mmio(void **state)
{
	struct rig *r = *state;
	struct virtio *slow = r->devices[MMIO_SLOW];
	pthread_t helper;
	struct driver d;

	driver_open(&d, r, MMIO_SLOW);
	hold(&d, 5);
	assert_int_equal(pthread_create(&helper, NULL, complete_all, slow), 0);
	driver_set_status(&d, 0);
	assert_int_equal(driver_status(&d), 0);
	assert_int_equal(slow_in_flight(slow), 0);
	pthread_join(helper, NULL);
}

static void reset_while_broken(void **state)
{
	struct rig *r = *state;
	struct driver d;

	driver_open(&d, r, PCI_SLOW);
	hold(&d, 2);
	ring_avail(&d, 0, 99);
	ring_kick(&d, 0);
	driver_wait_broken(&d);
	driver_set_status(&d, 0);
	rig_settle(r);
	assert_true(driver_status(&d) != 0);
	slow_complete(r->devices[PCI_SLOW]);
	slow_complete(r->devices[PCI_SLOW]);
	assert_int_equal(driver_status(&d), 0);
	hold(&d, 1);
	slow_complete(r->devices[PCI_SLOW]);
}

static void *pause_vm(void *arg)
{
	struct rig *r = arg;

	vm_pause(&r->vm);
	return NULL;
}

static void get_quiesced(void *arg)
{
	struct virtio **v = arg;

	if ((*v)->quiesced)
		*v = NULL;
}

/* Waits until the device knows of the safepoint; returns how many devices are not drained. */
static unsigned wait_quiesced(struct rig *r, struct virtio *v)
{
	unsigned draining;

	while (v)
		loop_call(r->vm.loop, get_quiesced, &v);
	pthread_mutex_lock(&r->vm.lock);
	draining = r->vm.draining;
	pthread_mutex_unlock(&r->vm.lock);
	return draining;
}

/* The safepoint waits for what is in flight, lets it complete, and starts nothing new. */
static void pause_waits(void **state)
{
	struct rig *r = *state;
	pthread_t control;
	struct driver d;
	gpa_t buf;

	for (unsigned i = 0; i < ARRAY_LEN(slows); i++) {
		struct virtio *slow = r->devices[slows[i]];

		driver_open(&d, r, slows[i]);
		buf = hold(&d, 2);
		assert_int_equal(pthread_create(&control, NULL, pause_vm, r), 0);
		assert_int_equal(wait_quiesced(r, slow), 1);
		slow_complete(slow);
		assert_int_equal(wait_quiesced(r, slow), 1);
		slow_complete(slow);
		pthread_join(control, NULL);
		assert_int_equal(*rig_ram(r, buf), 0xa5);
		assert_int_equal(*rig_ram(r, buf + 1), 0xa5);
		assert_int_equal(ram_ld16(rig_ram(r, d.queues[0].used) + 2), 2);
		ring_desc(&d, 0, 2, buf, 1, D_WRITE, 0);
		ring_avail(&d, 0, 2);
		ring_kick(&d, 0);
		rig_settle(r);
		assert_int_equal(slow_in_flight(slow), 0);
		vm_resume(&r->vm);
		rig_settle(r);
		assert_int_equal(slow_in_flight(slow), 1);
		slow_complete(slow);
		assert_int_equal(ram_ld16(rig_ram(r, d.queues[0].used) + 2), 3);
	}
}

/* Started and reset at once, over and over: whatever the loop has seen of it, it ends well. */
static void start_and_reset_race(void **state)
{
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(rngs); i++) {
		driver_open(&d, *state, rngs[i]);
		for (unsigned k = 0; k < 200; k++) {
			d.r->next_free = RAM_BASE;
			driver_start(&d, UINT64_MAX, 1, 8);
			ring_desc(&d, 0, 0, rig_alloc(d.r, 16, 1), 16, D_WRITE, 0);
			for (unsigned n = 0; n < k % 8; n++)
				ring_avail(&d, 0, 0);
			ring_kick(&d, 0);
		}
		rng_works(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_start_without_features, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(features_never_offered, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(status_bits_stay, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(selectors_out_of_range, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(absent_queues, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(enabled_queues_are_fixed, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(no_change_after_start, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(sweep_everything, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(reset_waits_pci, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(reset_waits_mmio, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(reset_while_broken, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(pause_waits, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(start_and_reset_race, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests_name("virtio_regs", tests, NULL, NULL);
}
