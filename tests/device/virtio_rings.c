/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings a hostile driver makes. Each case breaks the device it is made for and nothing else:
 * the neighbour goes on, and after a reset the same device serves a correct driver.
 */
#include "tests/device/harness.h"

#include <string.h>

#include "base/bits.h"

enum { SIZE = 8 };

/* Fills d's queue 0 (SIZE entries, started, empty) and rings it; buf: 4 KiB of RAM. */
struct ring_case {
	const char *name;
	void (*make)(struct driver *d, gpa_t buf);
};

static void loop_of_one(struct driver *d, gpa_t buf)
{
	ring_desc(d, 0, 0, buf, 16, D_WRITE | D_NEXT, 0);
	ring_avail(d, 0, 0);
}

static void loop_of_all(struct driver *d, gpa_t buf)
{
	for (uint16_t i = 0; i < SIZE; i++)
		ring_desc(d, 0, i, buf, 16, D_WRITE | D_NEXT, (uint16_t)((i + 1) % SIZE));
	ring_avail(d, 0, 3);
}

/* What lies behind the tables is in order, so that only the index is to blame. */
static void next_out_of_range(struct driver *d, gpa_t buf)
{
	ring_desc(d, 0, SIZE, buf, 16, D_WRITE, 0);
	ring_desc(d, 0, 0, buf, 16, D_WRITE | D_NEXT, SIZE);
	ring_avail(d, 0, 0);
}

static void next_at_the_end(struct driver *d, gpa_t buf)
{
	ring_desc(d, 0, UINT16_MAX, buf, 16, D_WRITE, 0);
	ring_desc(d, 0, 0, buf, 16, D_WRITE | D_NEXT, UINT16_MAX);
	ring_avail(d, 0, 0);
}

static void head_out_of_range(struct driver *d, gpa_t buf)
{
	ring_desc(d, 0, SIZE, buf, 16, D_WRITE, 0);
	ring_avail(d, 0, SIZE);
}

static void index_jumps(struct driver *d, gpa_t buf)
{
	ring_desc(d, 0, 0, buf, 16, D_WRITE, 0);
	d->queues[0].avail_idx += SIZE;
	ring_avail(d, 0, 0);
}

static void index_goes_back(struct driver *d, gpa_t buf)
{
	ring_desc(d, 0, 0, buf, 16, D_WRITE, 0);
	d->queues[0].avail_idx = UINT16_MAX - 1;
	ring_avail(d, 0, 0);
}

static void buffer(struct driver *d, gpa_t addr, uint32_t len)
{
	ring_desc(d, 0, 0, addr, len, D_WRITE, 0);
	ring_avail(d, 0, 0);
}

static void empty_buffer(struct driver *d, gpa_t buf)
{
	buffer(d, buf, 0);
}

static void null_buffer(struct driver *d, gpa_t buf)
{
	buffer(d, 0, 16);
}

static void buffer_below_ram(struct driver *d, gpa_t buf)
{
	buffer(d, RAM_BASE - 8, 16);
}

static void buffer_past_ram(struct driver *d, gpa_t buf)
{
	buffer(d, RAM_BASE + RAM_BYTES - 8, 16);
}

static void buffer_after_ram(struct driver *d, gpa_t buf)
{
	buffer(d, RAM_BASE + RAM_BYTES, 1);
}

static void buffer_of_4g(struct driver *d, gpa_t buf)
{
	buffer(d, buf, UINT32_MAX);
}

static void buffer_wraps(struct driver *d, gpa_t buf)
{
	buffer(d, UINT64_MAX - 7, 16);
}

static void buffer_at_the_top(struct driver *d, gpa_t buf)
{
	buffer(d, UINT64_MAX, 1);
}

static void buffer_in_rom(struct driver *d, gpa_t buf)
{
	buffer(d, ROM_BASE, 16);
}

static void buffer_in_mmio(struct driver *d, gpa_t buf)
{
	buffer(d, MMIO_BASE, 16);
}

static void buffer_in_ecam(struct driver *d, gpa_t buf)
{
	buffer(d, ECAM_BASE, 16);
}

static void read_after_write(struct driver *d, gpa_t buf)
{
	ring_desc(d, 0, 0, buf, 16, D_WRITE | D_NEXT, 1);
	ring_desc(d, 0, 1, buf, 16, 0, 0);
	ring_avail(d, 0, 0);
}

static void indirect(struct driver *d, gpa_t table, uint32_t len, uint16_t flags)
{
	ring_desc(d, 0, 0, table, len, D_INDIRECT | flags, 1);
	ring_desc(d, 0, 1, table, 16, D_WRITE, 0);
	ring_avail(d, 0, 0);
}

static void indirect_and_next(struct driver *d, gpa_t buf)
{
	table_desc(d->r, buf, 0, buf + 64, 16, D_WRITE, 0);
	indirect(d, buf, 16, D_NEXT);
}

static void indirect_inside_indirect(struct driver *d, gpa_t buf)
{
	table_desc(d->r, buf, 0, buf + 16, 16, D_INDIRECT, 0);
	table_desc(d->r, buf, 1, buf + 64, 16, D_WRITE, 0);
	indirect(d, buf, 16, 0);
}

static void indirect_of_itself(struct driver *d, gpa_t buf)
{
	table_desc(d->r, buf, 0, buf, 16, D_INDIRECT, 0);
	indirect(d, buf, 16, 0);
}

static void indirect_odd_size(struct driver *d, gpa_t buf)
{
	table_desc(d->r, buf, 0, buf + 64, 16, D_WRITE, 0);
	indirect(d, buf, 17, 0);
}

static void indirect_short(struct driver *d, gpa_t buf)
{
	indirect(d, buf, 15, 0);
}

static void indirect_empty(struct driver *d, gpa_t buf)
{
	indirect(d, buf, 0, 0);
}

static void indirect_huge(struct driver *d, gpa_t buf)
{
	indirect(d, buf, UINT32_MAX & ~15U, 0);
}

static void indirect_outside(struct driver *d, gpa_t buf)
{
	indirect(d, MEM64_BASE, 16, 0);
}

static void indirect_crosses_the_end(struct driver *d, gpa_t buf)
{
	indirect(d, RAM_BASE + RAM_BYTES - 16, 32, 0);
}

static void indirect_next_out_of_table(struct driver *d, gpa_t buf)
{
	table_desc(d->r, buf, 0, buf + 64, 16, D_WRITE | D_NEXT, 2);
	table_desc(d->r, buf, 2, buf + 64, 16, D_WRITE, 0);
	indirect(d, buf, 32, 0);
}

static void indirect_loop(struct driver *d, gpa_t buf)
{
	table_desc(d->r, buf, 0, buf + 64, 16, D_WRITE | D_NEXT, 1);
	table_desc(d->r, buf, 1, buf + 64, 16, D_WRITE | D_NEXT, 0);
	indirect(d, buf, 32, 0);
}

/* More buffers than any device takes in one chain; the table itself is in order. */
static void indirect_too_long(struct driver *d, gpa_t buf)
{
	const unsigned entries = VIRTQ_MAX_IOV + 1;
	const gpa_t table = rig_alloc(d->r, 16 * entries, 16);

	for (unsigned i = 0; i < entries; i++)
		table_desc(d->r, table, i, buf, 1, D_WRITE | (i + 1 < entries ? D_NEXT : 0),
			   (uint16_t)(i + 1));
	indirect(d, table, 16 * entries, 0);
}

/* Each buffer is allowed, all together are more than 4 GiB. */
static void chain_past_4g(struct driver *d, gpa_t buf)
{
	const unsigned entries = 4096 / (RAM_BYTES >> 20) + 1;
	const gpa_t table = rig_alloc(d->r, 16 * entries, 16);

	for (unsigned i = 0; i < entries; i++)
		table_desc(d->r, table, i, RAM_BASE, (uint32_t)RAM_BYTES,
			   i + 1 < entries ? D_NEXT : 0, (uint16_t)(i + 1));
	indirect(d, table, 16 * entries, 0);
}

#define CASE(fn) { #fn, fn }

static const struct ring_case cases[] = {
	CASE(loop_of_one), CASE(loop_of_all), CASE(next_out_of_range), CASE(next_at_the_end),
	CASE(head_out_of_range), CASE(index_jumps), CASE(index_goes_back), CASE(empty_buffer),
	CASE(null_buffer), CASE(buffer_below_ram), CASE(buffer_past_ram), CASE(buffer_after_ram),
	CASE(buffer_of_4g), CASE(buffer_wraps), CASE(buffer_at_the_top), CASE(buffer_in_rom),
	CASE(buffer_in_mmio), CASE(buffer_in_ecam), CASE(read_after_write),
	CASE(indirect_and_next), CASE(indirect_inside_indirect), CASE(indirect_of_itself),
	CASE(indirect_odd_size), CASE(indirect_short), CASE(indirect_empty), CASE(indirect_huge),
	CASE(indirect_outside), CASE(indirect_crosses_the_end), CASE(indirect_next_out_of_table),
	CASE(indirect_loop), CASE(indirect_too_long), CASE(chain_past_4g),
};

/* The device is broken: it says so, uses nothing more, and comes back after a reset. */
static void expect_broken_then_mended(struct driver *d)
{
	const uint16_t used = d->queues[0].last_used;

	driver_wait_broken(d);
	ring_kick(d, 0);
	rig_settle(d->r);
	assert_int_equal(d->queues[0].last_used, used);
	assert_false(ring_has_used(d, 0));
	neighbour_works(d);
	driver_reset(d);
	assert_int_equal(driver_status(d), 0);
}

static void run_case(struct rig *r, enum rig_place place, unsigned queues,
		     const struct ring_case *c)
{
	struct driver d;

	r->next_free = RAM_BASE;
	driver_open(&d, r, place);
	driver_start(&d, UINT64_MAX, queues, SIZE);
	c->make(&d, rig_alloc(r, 4096, 16));
	ring_kick(&d, 0);
	expect_broken_then_mended(&d);
}

static void hostile_rng(void **state)
{
	static const enum rig_place places[] = { PCI_RNG, MMIO_RNG };
	struct driver d;

	for (unsigned p = 0; p < ARRAY_LEN(places); p++) {
		for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
			print_message("# %s\n", cases[i].name);
			run_case(*state, places[p], 1, &cases[i]);
			driver_open(&d, *state, places[p]);
			rng_works(&d);
		}
	}
}

/* Two devices at once: each mistake stays with the one that made it. */
static void hostile_neighbours(void **state)
{
	struct rig *r = *state;
	struct driver bad, worse;

	driver_open(&bad, r, PCI_RNG);
	driver_open(&worse, r, PCI_SHARER);
	bad.sharer = &worse;
	worse.sharer = &bad;
	driver_start(&bad, UINT64_MAX, 1, SIZE);
	driver_start(&worse, UINT64_MAX, 1, SIZE);
	loop_of_one(&bad, rig_alloc(r, 64, 16));
	buffer_wraps(&worse, 0);
	ring_kick(&bad, 0);
	ring_kick(&worse, 0);
	driver_wait_broken(&worse);
	driver_wait_broken(&bad);
	neighbour_works(&bad);
	driver_reset(&worse);
	rng_works(&worse);
	assert_true(driver_status(&bad) & VIRTIO_S_NEEDS_RESET);
	driver_reset(&bad);
	rng_works(&bad);
}

/* ---- the rings' own place and size ---------------------------------------------------------- */

struct place_case {
	const char *name;
	uint16_t size;
	gpa_t desc, avail, used;	/* added to three good places in RAM, or absolute */
	bool absolute;
};

static const struct place_case places_of_rings[] = {
	{ "size 0", .size = 0 },
	{ "size 3", .size = 3 },
	{ "size 128, twice the largest", .size = 128 },
	{ "size 32768", .size = 32768 },
	{ "size 65535", .size = 65535 },
	{ "unaligned descriptors", .size = SIZE, .desc = 8 },
	{ "unaligned available ring", .size = SIZE, .avail = 1 },
	{ "unaligned used ring", .size = SIZE, .used = 2 },
	{ "rings at 0", .size = SIZE, .absolute = true },
	{ "rings in ROM", .size = SIZE, .absolute = true, .desc = ROM_BASE,
	  .avail = ROM_BASE + 1024, .used = ROM_BASE + 2048 },
	{ "used ring in ROM", .size = SIZE, .absolute = true, .desc = RAM_BASE,
	  .avail = RAM_BASE + 1024, .used = ROM_BASE + 2048 },
	{ "rings in MMIO", .size = SIZE, .absolute = true, .desc = MMIO_BASE, .avail = MMIO_BASE,
	  .used = MMIO_BASE },
	{ "descriptors across the end of RAM", .size = SIZE, .absolute = true,
	  .desc = RAM_BASE + RAM_BYTES - 16, .avail = RAM_BASE, .used = RAM_BASE + 1024 },
	{ "used ring across the end of RAM", .size = SIZE, .absolute = true, .desc = RAM_BASE,
	  .avail = RAM_BASE + 1024, .used = RAM_BASE + RAM_BYTES - 8 },
	{ "rings that wrap", .size = SIZE, .absolute = true, .desc = UINT64_MAX - 15,
	  .avail = UINT64_MAX - 1, .used = UINT64_MAX - 3 },
};

static void misplaced_rings(void **state)
{
	static const enum rig_place places[] = { PCI_RNG, MMIO_RNG };
	struct rig *r = *state;
	struct driver d;

	for (unsigned p = 0; p < ARRAY_LEN(places); p++) {
		for (unsigned i = 0; i < ARRAY_LEN(places_of_rings); i++) {
			const struct place_case *c = &places_of_rings[i];
			const gpa_t ram = c->absolute ? 0 : rig_alloc(r, 4096, 4096);

			print_message("# %s\n", c->name);
			driver_open(&d, r, places[p]);
			driver_negotiate(&d, UINT64_MAX);
			d.queues[0] = (struct dqueue){
				.size = c->size,
				.desc = c->desc + ram,
				.avail = c->avail + ram + (ram ? 1024 : 0),
				.used = c->used + ram + (ram ? 2048 : 0),
			};
			queue_program(&d, 0);
			driver_set_status(&d, driver_status(&d) | VIRTIO_S_DRIVER_OK);
			driver_wait_broken(&d);
			ring_kick(&d, 0);
			neighbour_works(&d);
			driver_reset(&d);
			rng_works(&d);
		}
	}
}

/* Features that were not agreed are mistakes when used. */
static void indirect_not_agreed(void **state)
{
	struct driver d;
	gpa_t buf;

	driver_open(&d, *state, PCI_RNG);
	driver_start(&d, ~BIT(VIRTIO_F_INDIRECT_DESC), 1, SIZE);
	buf = rig_alloc(d.r, 64, 16);
	table_desc(d.r, buf, 0, buf + 32, 16, D_WRITE, 0);
	indirect(&d, buf, 16, 0);
	ring_kick(&d, 0);
	expect_broken_then_mended(&d);
	rng_works(&d);
}

/* The longest that is allowed: a chain through the whole table, an indirect one of 1024. */
static void longest_chains(void **state)
{
	struct driver d;
	uint32_t id, len;
	gpa_t buf, table;

	driver_open(&d, *state, PCI_RNG);
	driver_start(&d, UINT64_MAX, 1, SIZE);
	buf = rig_alloc(d.r, VIRTQ_MAX_IOV, 16);
	table = rig_alloc(d.r, 16 * VIRTQ_MAX_IOV, 16);
	for (uint16_t i = 0; i < SIZE; i++)
		ring_desc(&d, 0, i, buf + i, 1, D_WRITE | (i < SIZE - 1 ? D_NEXT : 0),
			  (uint16_t)(i + 1));
	ring_avail(&d, 0, 0);
	ring_kick(&d, 0);
	ring_wait(&d, 0, &id, &len);
	assert_int_equal(len, SIZE);
	for (uint16_t i = 0; i < VIRTQ_MAX_IOV; i++)
		table_desc(d.r, table, i, buf + i, 1,
			   D_WRITE | (i < VIRTQ_MAX_IOV - 1 ? D_NEXT : 0), (uint16_t)(i + 1));
	ring_desc(&d, 0, 0, table, 16 * VIRTQ_MAX_IOV, D_INDIRECT, 0);
	ring_avail(&d, 0, 0);
	ring_kick(&d, 0);
	ring_wait(&d, 0, &id, &len);
	assert_int_equal(len, VIRTQ_MAX_IOV);
	assert_false(driver_status(&d) & VIRTIO_S_NEEDS_RESET);
}

/* ---- the same to each other model, on the queue that takes something from the driver -------- */

static void hostile_models(void **state)
{
	static const struct {
		enum rig_place place;
		unsigned queues, n;
	} devices[] = {
		{ PCI_INPUT, 2, 1 }, { MMIO_INPUT, 2, 1 }, { PCI_CONSOLE, 6, 3 },
		{ MMIO_CONSOLE, 6, 3 }, { PCI_BLK, 1, 0 }, { MMIO_BLK, 1, 0 },
	};
	struct rig *r = *state;
	struct driver d;

	for (unsigned p = 0; p < ARRAY_LEN(devices); p++) {
		for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
			const unsigned n = devices[p].n;
			struct dqueue swap;

			/* The case is made for queue 0; here another one takes its place. */
			print_message("# %s\n", cases[i].name);
			r->next_free = RAM_BASE;
			driver_open(&d, r, devices[p].place);
			driver_start(&d, UINT64_MAX, devices[p].queues, SIZE);
			swap = d.queues[0];
			d.queues[0] = d.queues[n];
			cases[i].make(&d, rig_alloc(r, 4096, 16));
			d.queues[n] = d.queues[0];
			d.queues[0] = swap;
			ring_kick(&d, n);
			driver_wait_broken(&d);
			neighbour_works(&d);
			driver_reset(&d);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hostile_rng, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(hostile_neighbours, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(misplaced_rings, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(indirect_not_agreed, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(longest_chains, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(hostile_models, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests_name("virtio_rings", tests, NULL, NULL);
}
