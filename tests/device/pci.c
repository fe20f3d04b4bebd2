/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration space, BARs that move, INTx lines and MSI-X, good use and bad. */
#include "tests/device/harness.h"

#include <string.h>

#include "base/bits.h"

enum {
	BAR_MSIX = 1, BAR_REGS = 4, BAR0 = 0x10, REGS_BYTES = 0x4000, MSIX_BYTES = 0x1000,
	CAP_VENDOR = 9, CAP_MSIX = 0x11, STATUS_INTX = 1 << 3,
	MSIX_ENABLE = 1 << 15, MSIX_MASK_ALL = 1 << 14, MSIX_PBA = 0x800,
};

static bool answers(struct rig *r, gpa_t gpa)
{
	uint64_t value;

	return bus_read(&r->vm.bus, gpa, 4, &value);
}

/* ---- configuration space -------------------------------------------------------------------- */

static void absent_functions(void **state)
{
	struct rig *r = *state;
	const gpa_t absent[] = {
		pci_fn(9), pci_fn(31), pci_fn(PCI_RNG) + (1 << 12), pci_fn(PCI_RNG) + (7 << 12),
		ECAM_BASE + (1 << 20), ECAM_BASE + (255 << 20) + (31 << 15),
	};

	for (unsigned i = 0; i < ARRAY_LEN(absent); i++) {
		rig_write(r, absent[i] + 4, 4, 0);
		assert_int_equal(rig_read(r, absent[i], 1), 0xff);
		assert_int_equal(rig_read(r, absent[i], 2), 0xffff);
		assert_int_equal(rig_read(r, absent[i], 4), UINT32_MAX);
		assert_true(rig_read(r, absent[i] + 0xff8, 8) == UINT64_MAX);
	}
}

static void identities(void **state)
{
	static const struct {
		unsigned slot;
		uint32_t id, class;
	} expected[] = {
		{ 0, 0x00081b36, 0x060000 }, { PCI_RNG, 0x10441af4, 0x00ff00 },
		{ PCI_INPUT, 0x10521af4, 0x090000 }, { PCI_CONSOLE, 0x10431af4, 0x078000 },
	};
	struct rig *r = *state;

	for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
		const gpa_t fn = pci_fn(expected[i].slot);

		assert_int_equal(rig_read(r, fn, 4), expected[i].id);
		assert_int_equal(rig_read(r, fn + 8, 4) >> 8, expected[i].class);
		assert_int_equal(rig_read(r, fn + 0xe, 1), 0);
		assert_int_equal(rig_read(r, fn + 0x3d, 1), expected[i].slot ? 1 : 0);
		assert_int_equal(rig_read(r, fn, 8) & UINT32_MAX, expected[i].id);
		/* None of it can be written. */
		rig_write(r, fn, 4, 0);
		rig_write(r, fn + 8, 4, 0);
		rig_write(r, fn + 0x34, 1, 0);
		assert_int_equal(rig_read(r, fn, 4), expected[i].id);
		assert_int_equal(rig_read(r, fn + 8, 4) >> 8, expected[i].class);
	}
	assert_int_equal(rig_read(r, pci_fn(PCI_RNG) + 8, 1), 1);
	assert_true(pci_find_cap(r, PCI_RNG, CAP_MSIX, 0));
	assert_true(pci_find_cap(r, PCI_CONSOLE, CAP_VENDOR, 4));
	assert_false(pci_find_cap(r, PCI_CONSOLE, CAP_VENDOR, 5));
	/* The entropy device has no configuration, so no structure for it. */
	assert_false(pci_find_cap(r, PCI_RNG, CAP_VENDOR, 4));
}

/* Whatever is written, what a driver relies on stays as it is. */
static void all_of_config_written(void **state)
{
	static const uint64_t patterns[] = { UINT64_MAX, 0, 0x5aa55aa55aa55aa5 };
	struct rig *r = *state;
	struct driver d;

	for (unsigned slot = 0; slot < 4; slot++) {
		uint8_t before[4096];

		for (unsigned off = 0; off < 4096; off++)
			before[off] = (uint8_t)rig_read(r, pci_fn(slot) + off, 1);
		for (unsigned size = 1; size <= 8; size *= 2)
			for (unsigned off = 0; off < 4096; off += size)
				for (unsigned i = 0; i < ARRAY_LEN(patterns); i++) {
					rig_write(r, pci_fn(slot) + off, size, patterns[i]);
					rig_read(r, pci_fn(slot) + off, size);
				}
		for (unsigned off = 0; off < 4096; off += 8)
			rig_write(r, pci_fn(slot) + off, 8, 0);
		for (unsigned off = 0; off < 4096; off++)
			assert_int_equal(rig_read(r, pci_fn(slot) + off, 1), before[off]);
	}
	driver_open(&d, r, PCI_RNG);
	rng_works(&d);
}

/* ---- BARs ----------------------------------------------------------------------------------- */

static void place(struct rig *r, unsigned slot, unsigned n, uint64_t at)
{
	rig_write(r, pci_fn(slot) + BAR0 + 4 * n, 4, (uint32_t)at);
	if (n == BAR_REGS)
		rig_write(r, pci_fn(slot) + BAR0 + 4 * n + 4, 4, at >> 32);
}

static void decoding_and_moving(void **state)
{
	struct rig *r = *state;
	struct driver d;
	gpa_t old;

	driver_open(&d, r, PCI_RNG);
	old = d.regs;
	assert_true(answers(r, old));
	assert_true(answers(r, old + REGS_BYTES - 4));
	pci_set_command(r, PCI_RNG, CMD_MASTER);
	assert_false(answers(r, old));
	assert_false(answers(r, d.msix));
	pci_set_command(r, PCI_RNG, CMD_MASTER | CMD_MEMORY);
	assert_true(answers(r, old));

	/* Elsewhere: the old place is empty, the device the same. */
	place(r, PCI_RNG, BAR_REGS, MEM64_BASE + MEM64_BYTES - REGS_BYTES);
	assert_false(answers(r, old));
	d.regs += MEM64_BASE + MEM64_BYTES - REGS_BYTES - old;
	d.isr += MEM64_BASE + MEM64_BYTES - REGS_BYTES - old;
	d.notify += MEM64_BASE + MEM64_BYTES - REGS_BYTES - old;
	rng_works(&d);

	/* A 64-bit BAR may lie in the 32-bit window. */
	place(r, PCI_RNG, BAR_REGS, MEM32_BASE + 0x100000);
	assert_true(answers(r, MEM32_BASE + 0x100000));
}

/* Nothing answers there, what was there answers as before, and the BAR comes back. */
static void bad_places(void **state)
{
	static const uint64_t bad[] = {
		0, RAM_BASE, RAM_BASE + RAM_BYTES - REGS_BYTES, ROM_BASE, ECAM_BASE,
		ECAM_BASE + 0x8000, MMIO_BASE & ~(REGS_BYTES - UINT64_C(1)),
		MEM32_BASE - REGS_BYTES, MEM32_BASE + MEM32_BYTES, MEM64_BASE - REGS_BYTES,
		MEM64_BASE + MEM64_BYTES, UINT64_MAX - 4095, UINT64_MAX - REGS_BYTES + 1,
		UINT64_MAX, UINT64_C(1) << 56, UINT64_C(1) << 63,
	};
	struct rig *r = *state;
	struct driver d;

	driver_open(&d, r, PCI_RNG);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		const uint64_t at = bad[i] & ~(uint64_t)(REGS_BYTES - 1);
		const bool before = answers(r, at);

		place(r, PCI_RNG, BAR_REGS, bad[i]);
		place(r, PCI_RNG, BAR_MSIX, bad[i]);
		assert_false(answers(r, d.regs));
		assert_int_equal(answers(r, at), before);
		assert_int_equal(rig_read(r, pci_fn(PCI_INPUT), 2), 0x1af4);
		neighbour_works(&d);
	}
	driver_open(&d, r, PCI_RNG);
	rng_works(&d);
}

static void bars_over_each_other(void **state)
{
	struct rig *r = *state;
	struct driver a, b;
	gpa_t own;

	driver_open(&a, r, PCI_RNG);
	driver_open(&b, r, PCI_NEIGHBOUR);
	own = b.regs;
	place(r, PCI_NEIGHBOUR, BAR_REGS, a.regs);
	assert_false(answers(r, own));
	rng_works(&a);			/* it was there first */

	/* Once the first moves away the second answers where it was put. */
	place(r, PCI_RNG, BAR_REGS, own);
	b.isr += a.regs - own;
	b.notify += a.regs - own;
	a.isr += own - a.regs;
	a.notify += own - a.regs;
	b.regs = a.regs;
	a.regs = own;
	rng_works(&a);
	rng_works(&b);

	/* The two BARs of one device over each other, half overlapping. */
	place(r, PCI_RNG, BAR_REGS, MEM32_BASE);
	place(r, PCI_RNG, BAR_MSIX, MEM32_BASE + MSIX_BYTES);
	rng_works(&b);
	driver_open(&a, r, PCI_RNG);
	rng_works(&a);
}

/* ---- INTx ----------------------------------------------------------------------------------- */

static unsigned int_status(struct rig *r, unsigned slot)
{
	return (unsigned)rig_read(r, pci_fn(slot) + 6, 2) & STATUS_INTX;
}

/* Starts the driver and gets its line raised by one request. */
static void request(struct driver *d)
{
	const gpa_t buf = rig_alloc(d->r, 16, 1);

	driver_start(d, UINT64_MAX, 1, 8);
	ring_desc(d, 0, 0, buf, 16, D_WRITE, 0);
	ring_avail(d, 0, 0);
	ring_kick(d, 0);
	rig_settle(d->r);
	assert_true(ring_has_used(d, 0));
}

static void shared_line(void **state)
{
	const unsigned line = PCI_RNG % 4;
	struct rig *r = *state;
	struct driver a, b;

	driver_open(&a, r, PCI_RNG);
	driver_open(&b, r, PCI_SHARER);
	request(&a);
	assert_true(rig_line(r, line));
	assert_true(int_status(r, PCI_RNG));
	assert_false(int_status(r, PCI_SHARER));
	request(&b);
	assert_int_equal(rig_read(r, a.isr, 1), 1);
	assert_true(rig_line(r, line));
	assert_int_equal(rig_read(r, a.isr, 1), 0);
	assert_int_equal(rig_read(r, b.isr, 1), 1);
	assert_false(rig_line(r, line));

	/* Disabled, the device keeps its wish and the status bit shows it. */
	pci_set_command(r, PCI_RNG, CMD_MEMORY | CMD_MASTER | CMD_INTX_OFF);
	request(&a);
	assert_false(rig_line(r, line));
	assert_true(int_status(r, PCI_RNG));
	pci_set_command(r, PCI_RNG, CMD_MEMORY | CMD_MASTER);
	assert_true(rig_line(r, line));
	driver_reset(&a);
	assert_false(rig_line(r, line));
	for (unsigned other = 0; other < 4; other++)
		assert_false(rig_line(r, other));
}

static void bus_mastering(void **state)
{
	struct rig *r = *state;
	struct driver d;
	gpa_t buf;

	driver_open(&d, r, PCI_RNG);
	driver_start(&d, UINT64_MAX, 1, 8);
	pci_set_command(r, PCI_RNG, CMD_MEMORY);
	buf = rig_alloc(r, 16, 1);
	ring_desc(&d, 0, 0, buf, 16, D_WRITE, 0);
	ring_avail(&d, 0, 0);
	ring_kick(&d, 0);
	rig_settle(r);
	assert_false(ring_has_used(&d, 0));
	/* The doorbell is not forgotten. */
	pci_set_command(r, PCI_RNG, CMD_MEMORY | CMD_MASTER);
	rig_settle(r);
	assert_true(ring_has_used(&d, 0));
	/* A reset ends without it too. */
	pci_set_command(r, PCI_RNG, CMD_MEMORY);
	driver_reset(&d);
}

/* ---- MSI-X ---------------------------------------------------------------------------------- */

static void vector_set(struct driver *d, unsigned n, uint64_t address, uint32_t data, bool masked)
{
	rig_write(d->r, d->msix + 16 * n, 8, address);
	rig_write(d->r, d->msix + 16 * n + 8, 4, data);
	rig_write(d->r, d->msix + 16 * n + 12, 4, masked);
}

static void msix_control(struct driver *d, uint16_t control)
{
	const unsigned cap = pci_find_cap(d->r, d->place, CAP_MSIX, 0);

	rig_write(d->r, pci_fn(d->place) + cap + 2, 2, control);
}

/* Negotiates, gives queue 0 and the configuration a vector, starts. */
static void start_msix(struct driver *d, uint16_t config, uint16_t queue)
{
	driver_negotiate(d, UINT64_MAX);
	rig_write(d->r, d->regs + 0x10, 2, config);
	queue_setup(d, 0, 8);
	rig_write(d->r, d->regs + 0x1a, 2, queue);
	driver_set_status(d, driver_status(d) | VIRTIO_S_DRIVER_OK);
}

static void one_request(struct driver *d)
{
	ring_desc(d, 0, 0, rig_alloc(d->r, 16, 1), 16, D_WRITE, 0);
	ring_avail(d, 0, 0);
	/* used_event: for this one, whether the one before was looked at or not */
	ram_st16(rig_ram(d->r, d->queues[0].avail) + 4 + 2 * 8,
		 (uint16_t)(d->queues[0].avail_idx - 1));
	ring_kick(d, 0);
	rig_settle(d->r);
}

static unsigned messages(struct rig *r)
{
	unsigned n;

	pthread_mutex_lock(&r->lock);
	n = r->msg_count;
	pthread_mutex_unlock(&r->lock);
	return n;
}

static void msix_delivers(void **state)
{
	const uint64_t address = 0x123456789abcdef0;
	struct rig *r = *state;
	struct driver d;
	unsigned n;

	driver_open(&d, r, PCI_RNG);
	assert_int_equal(rig_read(r, d.msix + 12, 4), 1);	/* masked at first */
	vector_set(&d, 0, 0x1000, 1, false);
	vector_set(&d, 1, address, 0xfeedbeef, false);
	assert_true(rig_read(r, d.msix + 16, 8) == address);
	assert_int_equal(rig_read(r, d.msix + 26, 2), 0xfeed);
	msix_control(&d, MSIX_ENABLE);
	start_msix(&d, 0, 1);
	assert_int_equal(rig_read(r, d.regs + 0x1a, 2), 1);
	n = messages(r);
	one_request(&d);
	assert_int_equal(messages(r), n + 1);
	assert_true(r->msgs[n].address == address);
	assert_int_equal(r->msgs[n].data, 0xfeedbeef);
	assert_false(rig_line(r, PCI_RNG % 4));

	/* Masked by entry, by function, by bus mastering: each waits, and comes once. */
	rig_write(r, d.msix + 28, 4, 1);
	one_request(&d);
	one_request(&d);
	assert_int_equal(messages(r), n + 1);
	assert_int_equal(rig_read(r, d.msix + MSIX_PBA, 8), 2);
	rig_write(r, d.msix + 28, 4, 0);
	assert_int_equal(messages(r), n + 2);
	assert_int_equal(rig_read(r, d.msix + MSIX_PBA, 8), 0);
	msix_control(&d, MSIX_ENABLE | MSIX_MASK_ALL);
	one_request(&d);
	assert_int_equal(messages(r), n + 2);
	msix_control(&d, MSIX_ENABLE);
	assert_int_equal(messages(r), n + 3);

	/* Without a vector there is no message. */
	driver_reset(&d);
	start_msix(&d, 0xffff, 0xffff);
	one_request(&d);
	assert_int_equal(messages(r), n + 3);
	assert_true(ring_has_used(&d, 0));

	/* Disabled again it falls back to the line. */
	msix_control(&d, 0);
	one_request(&d);
	assert_int_equal(messages(r), n + 3);
	assert_true(rig_line(r, PCI_RNG % 4));
	msix_control(&d, MSIX_ENABLE);
	assert_false(rig_line(r, PCI_RNG % 4));
}

static void msix_nonsense(void **state)
{
	static const uint64_t patterns[] = { UINT64_MAX, 0, 0xa5a5a5a55a5a5a5a };
	static const uint16_t vectors[] = { 2, 3, 64, 0x7fff, 0xfffe };
	struct rig *r = *state;
	struct driver d;

	driver_open(&d, r, PCI_RNG);
	driver_negotiate(&d, UINT64_MAX);
	queue_select(&d, 0);
	for (unsigned i = 0; i < ARRAY_LEN(vectors); i++) {
		rig_write(r, d.regs + 0x10, 2, vectors[i]);
		rig_write(r, d.regs + 0x1a, 2, vectors[i]);
		assert_int_equal(rig_read(r, d.regs + 0x10, 2), 0xffff);
		assert_int_equal(rig_read(r, d.regs + 0x1a, 2), 0xffff);
	}
	msix_control(&d, UINT16_MAX);
	for (unsigned size = 1; size <= 8; size *= 2)
		for (unsigned off = 0; off < MSIX_BYTES; off += size)
			for (unsigned i = 0; i < ARRAY_LEN(patterns); i++) {
				rig_write(r, d.msix + off, size, patterns[i]);
				rig_read(r, d.msix + off, size);
			}
	/* Two vectors: nothing behind them can be stored, nor the pending bits. */
	assert_true(rig_read(r, d.msix + 24, 8) == (BIT(32) | 0x5a5a5a5a));
	assert_true(rig_read(r, d.msix + 32, 8) == 0);
	assert_true(rig_read(r, d.msix + MSIX_PBA, 8) == 0);
	msix_control(&d, MSIX_ENABLE);
	start_msix(&d, 0, 1);
	one_request(&d);
	neighbour_works(&d);
	msix_control(&d, 0);
	rng_works(&d);
}

/* ---- access to the BAR through configuration space ------------------------------------------ */

static void config_access(void **state)
{
	struct rig *r = *state;
	const unsigned cap = pci_find_cap(r, PCI_CONSOLE, CAP_VENDOR, 4);
	const gpa_t fn = pci_fn(PCI_CONSOLE);

	assert_int_equal(rig_read(r, fn + cap + 3, 1), 5);
	/* No BAR is placed yet. The console has 6 queues and, in its configuration, 2 ports. */
	rig_write(r, fn + cap + 4, 1, BAR_REGS);
	rig_write(r, fn + cap + 8, 4, 0x12);
	rig_write(r, fn + cap + 12, 4, 2);
	assert_int_equal(rig_read(r, fn + cap + 16, 2), 6);
	rig_write(r, fn + cap + 8, 4, 0x2004);
	rig_write(r, fn + cap + 12, 4, 4);
	assert_int_equal(rig_read(r, fn + cap + 16, 4), 2);
	rig_write(r, fn + cap + 8, 4, 0x14);
	rig_write(r, fn + cap + 12, 4, 1);
	rig_write(r, fn + cap + 16, 1, 3);
	assert_int_equal(rig_read(r, fn + cap + 16, 1), 3);
	rig_write(r, fn + cap + 16, 1, 0);
	assert_int_equal(rig_read(r, fn + cap + 16, 1), 0);
}

static void config_access_nonsense(void **state)
{
	static const uint32_t offsets[] = { 0, 1, 3, 0x37, 0x3fff, 0x4000, 0x8000, UINT32_MAX - 3,
					    UINT32_MAX };
	static const uint32_t lengths[] = { 0, 1, 2, 3, 4, 8, 0x4000, UINT32_MAX };
	struct rig *r = *state;
	const unsigned cap = pci_find_cap(r, PCI_CONSOLE, CAP_VENDOR, 4);
	const gpa_t fn = pci_fn(PCI_CONSOLE);
	struct driver d;

	for (unsigned bar = 0; bar < 256; bar += bar < 7 ? 1 : 83)
		for (unsigned i = 0; i < ARRAY_LEN(offsets); i++)
			for (unsigned k = 0; k < ARRAY_LEN(lengths); k++) {
				rig_write(r, fn + cap + 4, 1, bar);
				rig_write(r, fn + cap + 8, 4, offsets[i]);
				rig_write(r, fn + cap + 12, 4, lengths[k]);
				for (unsigned size = 1; size <= 4; size *= 2)
					for (unsigned off = 0; off < 4; off += size) {
						rig_write(r, fn + cap + 16 + off, size, UINT32_MAX);
						rig_read(r, fn + cap + 16 + off, size);
					}
			}
	driver_open(&d, r, PCI_CONSOLE);
	driver_reset(&d);
	assert_int_equal(rig_read(r, d.config + 4, 4), 2);
	neighbour_works(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(absent_functions, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(identities, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(all_of_config_written, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(decoding_and_moving, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(bad_places, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(bars_over_each_other, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(shared_line, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(bus_mastering, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(msix_delivers, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(msix_nonsense, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(config_access, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(config_access_nonsense, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
