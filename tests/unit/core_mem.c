/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "core/bus.h"
#include "core/clock.h"
#include "core/gmem.h"

static void gmem_bounds(void **state)
{
	struct gmem m = { 0 };
	struct err err;
	uint8_t *ram, *rom;
	uint64_t v = 0x1122334455667788;

	assert_int_equal(gmem_add(&m, 0x80000000, 0x10000, GMEM_RAM, "ram", &ram, &err), 0);
	assert_int_equal(gmem_add(&m, 0x1000, 0x1000, GMEM_ROM, "rom", &rom, &err), 0);
	assert_int_equal(gmem_add(&m, 0x20000000, 0x1000, GMEM_ROMD, "flash", NULL, &err), 0);
	assert_int_equal(gmem_add(&m, 0x8000f000, 0x2000, GMEM_RAM, "x", NULL, &err), -EEXIST);
	assert_string_equal(err.msg, "x: 0x8000f000 is taken by ram");
	assert_int_equal(gmem_add(&m, 0x800, 0x1000, GMEM_RAM, "x", NULL, &err), -EINVAL);
	assert_int_equal(gmem_add(&m, UINT64_MAX - 0xfff, 0x1000, GMEM_RAM, "x", NULL, &err), -EINVAL);

	assert_ptr_equal(gmem_ptr(&m, 0x80000000, 0x10000, true), ram);
	assert_null(gmem_ptr(&m, 0x80000000, 0x10001, true));
	assert_null(gmem_ptr(&m, 0x8000ffff, 2, false));
	assert_ptr_equal(gmem_ptr(&m, 0x8000ffff, 1, false), ram + 0xffff);
	assert_null(gmem_ptr(&m, 0x80000000, 0, false));
	assert_null(gmem_ptr(&m, 0x80000008, UINT64_MAX, false));
	assert_null(gmem_ptr(&m, 0x7fffffff, 1, false));
	assert_null(gmem_ptr(&m, 0x1000, 4, true));
	assert_ptr_equal(gmem_ptr(&m, 0x1000, 4, false), rom);
	assert_int_equal(gmem_write(&m, 0x1000, &v, 8), -EFAULT);
	assert_int_equal(gmem_load(&m, 0x1000, &v, 8), 0);
	assert_memory_equal(rom, &v, 8);

	assert_non_null(gmem_ptr(&m, 0x20000000, 4, false));
	assert_null(gmem_ptr(&m, 0x20000000, 4, true));
	atomic_store(&gmem_find(&m, 0x20000010)->direct, false);
	assert_null(gmem_ptr(&m, 0x20000000, 4, false));
	gmem_fini(&m);
	assert_null(gmem_find(&m, 0x80000000));
}

struct probe {
	uint64_t base;
	uint64_t last;
};

static bool probe_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	struct probe *p = opaque;

	*value = p->base + off;
	return true;
}

static bool probe_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct probe *p = opaque;

	p->last = value;
	return off != 8;
}

static const struct bus_ops probe_ops = { probe_read, probe_write };

static void bus_lookup(void **state)
{
	static struct bus b;
	struct probe a = { .base = 0x1000 }, c = { .base = 0x3000 };
	struct bus_region ra = { 0x1000, 0x100, &probe_ops, &a, "a" };
	struct bus_region rc = { 0x3000, 0x10, &probe_ops, &c, "c" };
	struct err err;
	uint64_t v;

	bus_init(&b);
	assert_int_equal(bus_map(&b, &rc, &err), 0);
	assert_int_equal(bus_map(&b, &ra, &err), 0);
	assert_int_equal(bus_map(&b, &ra, &err), -EEXIST);
	assert_true(bus_read(&b, 0x1010, 8, &v));
	assert_int_equal(v, 0x1010);
	assert_true(bus_read(&b, 0x10fe, 2, &v));
	assert_true(bus_read(&b, 0x1010, 1, &v));
	assert_int_equal(v, 0x10);
	assert_false(bus_read(&b, 0x10ff, 2, &v));
	assert_false(bus_read(&b, 0x10fa, 4, &v));
	assert_false(bus_read(&b, 0xfff, 1, &v));
	assert_false(bus_read(&b, 0x3010, 1, &v));
	assert_true(bus_write(&b, 0x3000, 1, 0xabcd));
	assert_int_equal(c.last, 0xcd);
	assert_false(bus_write(&b, 0x3008, 4, 1));
	ra.base = UINT64_MAX - 7;
	ra.size = 9;
	assert_int_equal(bus_map(&b, &ra, &err), -EINVAL);
	ra.size = 8;
	assert_int_equal(bus_map(&b, &ra, &err), 0);
	assert_true(bus_read(&b, UINT64_MAX, 1, &v));
	bus_unmap(&b, 0x1000, &c);
	assert_true(bus_read(&b, 0x1000, 4, &v));
	bus_unmap(&b, 0x1000, &a);
	assert_false(bus_read(&b, 0x1000, 4, &v));
	bus_fini(&b);
}

struct race {
	struct bus bus;
	_Atomic bool end;
	_Atomic uint64_t hits;
};

static void *race_reader(void *arg)
{
	struct race *r = arg;
	uint64_t v;

	/* A region, wherever it moves to, always answers with its own addresses. */
	while (!atomic_load(&r->end))
		for (uint64_t gpa = 0x1000; gpa < 0x9000; gpa += 0x1000)
			if (bus_read(&r->bus, gpa, 4, &v)) {
				assert_int_equal(v & 0xfff, 0);
				atomic_fetch_add(&r->hits, 1);
			}
	return NULL;
}

static void bus_moves_under_readers(void **state)
{
	static struct race r;
	struct probe low = { 0 }, moving = { 0 };
	struct bus_region fixed = { 0x8000, 0x1000, &probe_ops, &low, "fixed" };
	pthread_t readers[2];
	uint64_t v;

	bus_init(&r.bus);
	assert_int_equal(bus_map(&r.bus, &fixed, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, race_reader, &r), 0);
	for (unsigned i = 0; i < 20000 || !atomic_load(&r.hits); i++) {
		struct bus_region m = { 0x1000 + i % 7 * 0x1000, 0x1000, &probe_ops, &moving, "m" };

		assert_int_equal(bus_map(&r.bus, &m, NULL), 0);
		assert_true(bus_read(&r.bus, m.base + 4, 4, &v));
		assert_int_equal(v, 4);
		bus_unmap(&r.bus, m.base, &moving);
		assert_false(bus_read(&r.bus, m.base + 4, 4, &v));
	}
	atomic_store(&r.end, true);
	for (int i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	bus_fini(&r.bus);
}

static void clock_stops(void **state)
{
	struct clock c;
	struct timebase tb;
	uint64_t t;

	clock_init(&c);
	timebase_init(&tb, &c, 10000000);
	assert_int_equal(clock_ns(&c), 0);
	assert_int_equal(timebase_read(&tb), 0);
	clock_start(&c);
	while (timebase_read(&tb) < 10)
		;
	clock_stop(&c);
	t = clock_ns(&c);
	assert_true(t >= 1000);
	assert_int_equal(clock_ns(&c), t);
	timebase_write(&tb, 5000);
	assert_int_equal(timebase_read(&tb), 5000);
	assert_int_equal(timebase_until_ns(&tb, 5010), 1000);
	assert_int_equal(timebase_until_ns(&tb, 4000), 0);
	assert_true(timebase_until_ns(&tb, UINT64_MAX) == UINT64_MAX);
	clock_start(&c);
	assert_true(clock_ns(&c) >= t);
	while (timebase_read(&tb) < 5010)
		;
	clock_stop(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gmem_bounds),
		cmocka_unit_test(bus_lookup),
		cmocka_unit_test(bus_moves_under_readers),
		cmocka_unit_test(clock_stops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
