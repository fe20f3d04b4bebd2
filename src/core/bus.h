/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MMIO bus: which device answers at a guest-physical address.
 *
 * The map is a sorted array under a sequence lock: vCPU threads look up without locking;
 * a change (a PCI BAR that moves) is made in place under a mutex. An access that was on
 * its way may still reach a device just unmapped, so devices live until every vCPU has
 * passed a safepoint. Callbacks run on the accessing thread, usually a vCPU's, and take
 * their own device's lock.
 */
#ifndef CORE_BUS_H
#define CORE_BUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/gmem.h"

enum { BUS_MAX_REGIONS = 256 };

struct bus_ops {
	/*
	 * off + size lies within the region; size is 1, 2, 4 or 8 and the address is a
	 * multiple of it. False refuses the access: the guest takes an access fault.
	 */
	bool (*read)(void *opaque, uint64_t off, unsigned size, uint64_t *value);
	bool (*write)(void *opaque, uint64_t off, unsigned size, uint64_t value);
};

struct bus_region {
	gpa_t base;
	uint64_t size;
	const struct bus_ops *ops;
	void *opaque;
	const char *name;
};

struct bus {
	pthread_mutex_t lock;		/* writers */
	_Atomic uint32_t seq;		/* odd while a writer is at work */
	uint32_t count;			/* this and map: read and written under seq, see bus.c */
	struct bus_region map[BUS_MAX_REGIONS];	/* sorted by base, disjoint */
};

void bus_init(struct bus *b);
void bus_fini(struct bus *b);

/* Any thread. -EEXIST when it overlaps another region, -ENOSPC, -EINVAL (empty or wraps). */
int bus_map(struct bus *b, const struct bus_region *r, struct err *err);

/* Any thread; nothing happens when no region of that opaque starts at base. */
void bus_unmap(struct bus *b, gpa_t base, const void *opaque);

/*
 * Any thread that holds no device lock. False: misaligned, no device there, the access
 * leaves the region, or the device refuses. *value is zero-extended.
 */
bool bus_read(struct bus *b, gpa_t gpa, unsigned size, uint64_t *value);
bool bus_write(struct bus *b, gpa_t gpa, unsigned size, uint64_t value);

#endif
