/* SPDX-License-Identifier: Apache-2.0 */
#include "core/bus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>

#include "base/overflow.h"

/*
 * The sequence lock. A writer makes seq odd, changes the array, makes it even again. Its stores
 * to the array are releases and a reader's loads of it acquires (no fences, which
 * ThreadSanitizer does not know): a reader that saw one of the stores also sees the odd or
 * the new number when it looks at seq again, and starts over.
 */
#define LOAD(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define STORE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)

void bus_init(struct bus *b)
{
	pthread_mutex_init(&b->lock, NULL);
	atomic_store_explicit(&b->seq, 0, memory_order_relaxed);
	b->count = 0;
}

void bus_fini(struct bus *b)
{
	pthread_mutex_destroy(&b->lock);
	b->count = 0;
}

static void change_begin(struct bus *b)
{
	pthread_mutex_lock(&b->lock);
	atomic_fetch_add_explicit(&b->seq, 1, memory_order_relaxed);
}

static void change_end(struct bus *b)
{
	atomic_fetch_add_explicit(&b->seq, 1, memory_order_release);
	pthread_mutex_unlock(&b->lock);
}

static void slot_set(struct bus_region *slot, const struct bus_region *r)
{
	STORE(slot->base, r->base);
	STORE(slot->size, r->size);
	STORE(slot->ops, r->ops);
	STORE(slot->opaque, r->opaque);
	STORE(slot->name, r->name);
}

static int find_conflict(const struct bus *b, const struct bus_region *r, struct err *err)
{
	for (uint32_t i = 0; i < b->count; i++)
		if (ranges_overlap(b->map[i].base, b->map[i].size, r->base, r->size))
			return err_set(err, -EEXIST, "%s: %#" PRIx64 " is taken by %s", r->name,
				       r->base, b->map[i].name);
	if (b->count == BUS_MAX_REGIONS)
		return err_set(err, -ENOSPC, "%s: more than %d device regions", r->name,
			       BUS_MAX_REGIONS);
	return 0;
}

int bus_map(struct bus *b, const struct bus_region *r, struct err *err)
{
	uint32_t at;
	int rc;

	if (!r->size || r->base + (r->size - 1) < r->base)
		return err_set(err, -EINVAL, "%s: %#" PRIx64 " bytes at %#" PRIx64
			       " are no address range", r->name, r->size, r->base);
	change_begin(b);
	rc = find_conflict(b, r, err);
	if (!rc) {
		for (at = b->count; at > 0 && b->map[at - 1].base > r->base; at--)
			slot_set(&b->map[at], &b->map[at - 1]);
		slot_set(&b->map[at], r);
		STORE(b->count, b->count + 1);
	}
	change_end(b);
	return rc;
}

void bus_unmap(struct bus *b, gpa_t base, const void *opaque)
{
	change_begin(b);
	for (uint32_t i = 0; i < b->count; i++)
		if (b->map[i].base == base && b->map[i].opaque == opaque) {
			for (; i + 1 < b->count; i++)
				slot_set(&b->map[i], &b->map[i + 1]);
			STORE(b->count, b->count - 1);
			break;
		}
	change_end(b);
}

static bool search(const struct bus *b, gpa_t gpa, struct bus_region *out)
{
	uint32_t low = 0, high = LOAD(b->count);

	/* The last region whose base is not above gpa; bounds hold even while a writer works. */
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (LOAD(b->map[mid].base) <= gpa)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return false;
	out->base = LOAD(b->map[low - 1].base);
	out->size = LOAD(b->map[low - 1].size);
	out->ops = LOAD(b->map[low - 1].ops);
	out->opaque = LOAD(b->map[low - 1].opaque);
	return gpa - out->base < out->size;
}

static bool lookup(struct bus *b, gpa_t gpa, unsigned size, struct bus_region *out)
{
	uint32_t before, after;
	bool found;

	if (gpa & (size - 1))
		return false;
	do {
		before = atomic_load_explicit(&b->seq, memory_order_acquire);
		found = search(b, gpa, out);
		after = atomic_load_explicit(&b->seq, memory_order_relaxed);
	} while (before != after || (before & 1));
	return found && size <= out->size - (gpa - out->base);
}

bool bus_read(struct bus *b, gpa_t gpa, unsigned size, uint64_t *value)
{
	struct bus_region r;

	*value = 0;
	if (!lookup(b, gpa, size, &r) || !r.ops->read(r.opaque, gpa - r.base, size, value))
		return false;
	if (size < 8)
		*value &= (UINT64_C(1) << 8 * size) - 1;
	return true;
}

bool bus_write(struct bus *b, gpa_t gpa, unsigned size, uint64_t value)
{
	struct bus_region r;

	if (size < 8)
		value &= (UINT64_C(1) << 8 * size) - 1;
	return lookup(b, gpa, size, &r) && r.ops->write(r.opaque, gpa - r.base, size, value);
}
