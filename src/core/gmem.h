/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest-physical memory: what a guest address means and where its bytes are.
 *
 * Regions are added while the VM is built and stay until gmem_fini(), so readers need no
 * lock. gmem_ptr() is the only way from a guest-physical address to host memory. Every
 * region lies between guard pages and is left out of core dumps. Guests and devices write
 * it at any time: copy a value once, then validate the copy. Single values go through
 * ram_ld/ram_st (relaxed atomics), so that ThreadSanitizer stays meaningful.
 */
#ifndef CORE_GMEM_H
#define CORE_GMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef uint64_t gpa_t;		/* guest-physical address */

enum gmem_kind {
	GMEM_RAM,		/* read, write, execute */
	GMEM_ROM,		/* read, execute; a guest write is an access fault */
	GMEM_ROMD,		/* reads as memory while direct, writes go to the bus: flash */
};

enum { GMEM_MAX_REGIONS = 16, GMEM_PAGE = 4096 };

struct gmem_region {
	gpa_t base;
	uint64_t size;		/* bytes, a multiple of GMEM_PAGE */
	enum gmem_kind kind;
	_Atomic bool direct;	/* ROMD: false while reads go to the bus as well (flash command mode) */
	uint8_t *host;		/* size bytes, page aligned */
	const char *name;
};

struct gmem {
	struct gmem_region regions[GMEM_MAX_REGIONS];	/* sorted by base */
	unsigned count;
};

/*
 * Adds size zeroed bytes at base; *out (may be NULL) gets their host address.
 * -EINVAL unaligned or empty or past 2^56, -EEXIST overlap, -ENOSPC, -ENOMEM.
 */
int gmem_add(struct gmem *m, gpa_t base, uint64_t size, enum gmem_kind kind, const char *name,
	     uint8_t **out, struct err *err);

/* Unmaps everything; accepts a zeroed object. */
void gmem_fini(struct gmem *m);

/* The region that holds gpa, or NULL. */
struct gmem_region *gmem_find(const struct gmem *m, gpa_t gpa);

/*
 * The host address of [gpa, gpa + len), or NULL unless len > 0 and every byte lies in one
 * region that allows the access: a write only to RAM, a read of ROMD only while direct.
 */
void *gmem_ptr(const struct gmem *m, gpa_t gpa, uint64_t len, bool write);

/* Copies; -EFAULT when gmem_ptr() would refuse (nothing is copied then). */
int gmem_read(const struct gmem *m, gpa_t gpa, void *buf, uint64_t len);
int gmem_write(const struct gmem *m, gpa_t gpa, const void *buf, uint64_t len);

/* For loaders: as gmem_write, but ROM and ROMD too. */
int gmem_load(const struct gmem *m, gpa_t gpa, const void *buf, uint64_t len);

/* ---- single values at naturally aligned host addresses, little-endian -------------- */

static inline uint8_t ram_ld8(const void *p)
{
	return __atomic_load_n((const uint8_t *)p, __ATOMIC_RELAXED);
}

static inline uint16_t ram_ld16(const void *p)
{
	return __atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED);
}

static inline uint32_t ram_ld32(const void *p)
{
	return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
}

static inline uint64_t ram_ld64(const void *p)
{
	return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
}

static inline void ram_st8(void *p, uint8_t v)
{
	__atomic_store_n((uint8_t *)p, v, __ATOMIC_RELAXED);
}

static inline void ram_st16(void *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)p, v, __ATOMIC_RELAXED);
}

static inline void ram_st32(void *p, uint32_t v)
{
	__atomic_store_n((uint32_t *)p, v, __ATOMIC_RELAXED);
}

static inline void ram_st64(void *p, uint64_t v)
{
	__atomic_store_n((uint64_t *)p, v, __ATOMIC_RELAXED);
}

#endif
