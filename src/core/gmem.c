/* SPDX-License-Identifier: Apache-2.0 */
#include "core/gmem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/overflow.h"

/* Guest-physical addresses have at most 56 bits (RISC-V privileged 1.12 §4.4). */
#define GPA_LIMIT (UINT64_C(1) << 56)

/* Huge pages pay from here on; smaller regions stay in small pages. */
#define HUGE_FROM (UINT64_C(16) << 20)

static uint8_t *map_guarded(uint64_t size)
{
	uint8_t *all = mmap(NULL, size + 2 * GMEM_PAGE, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (all == MAP_FAILED)
		return NULL;
	if (mprotect(all + GMEM_PAGE, size, PROT_READ | PROT_WRITE)) {
		munmap(all, size + 2 * GMEM_PAGE);
		return NULL;
	}
	/* Advice only: older kernels may not know it. */
	madvise(all + GMEM_PAGE, size, MADV_DONTDUMP);
	if (size >= HUGE_FROM)
		madvise(all + GMEM_PAGE, size, MADV_HUGEPAGE);
	return all + GMEM_PAGE;
}

int gmem_add(struct gmem *m, gpa_t base, uint64_t size, enum gmem_kind kind, const char *name,
	     uint8_t **out, struct err *err)
{
	unsigned at = m->count;
	uint8_t *host;

	if (!size || size % GMEM_PAGE || base % GMEM_PAGE || !range_within(base, size, GPA_LIMIT))
		return err_set(err, -EINVAL, "%s: %#" PRIx64 " bytes at %#" PRIx64
			       " are not whole pages below 2^56", name, size, base);
	if (m->count == GMEM_MAX_REGIONS)
		return err_set(err, -ENOSPC, "%s: more than %d memory regions", name,
			       GMEM_MAX_REGIONS);
	for (unsigned i = 0; i < m->count; i++)
		if (ranges_overlap(m->regions[i].base, m->regions[i].size, base, size))
			return err_set(err, -EEXIST, "%s: %#" PRIx64 " is taken by %s", name, base,
				       m->regions[i].name);
	host = map_guarded(size);
	if (!host)
		return err_set(err, -ENOMEM, "%s: the host has no %" PRIu64
			       " MiB of memory left; give the VM less", name, size >> 20);
	while (at > 0 && m->regions[at - 1].base > base) {
		m->regions[at] = m->regions[at - 1];
		at--;
	}
	m->regions[at] = (struct gmem_region){
		.base = base, .size = size, .kind = kind, .direct = true, .host = host, .name = name,
	};
	m->count++;
	if (out)
		*out = host;
	return 0;
}

void gmem_fini(struct gmem *m)
{
	for (unsigned i = 0; i < m->count; i++)
		munmap(m->regions[i].host - GMEM_PAGE, m->regions[i].size + 2 * GMEM_PAGE);
	m->count = 0;
}

struct gmem_region *gmem_find(const struct gmem *m, gpa_t gpa)
{
	for (unsigned i = 0; i < m->count; i++)
		if (gpa - m->regions[i].base < m->regions[i].size)
			return (struct gmem_region *)&m->regions[i];
	return NULL;
}

static uint8_t *find_range(const struct gmem *m, gpa_t gpa, uint64_t len, struct gmem_region **r)
{
	*r = gmem_find(m, gpa);
	if (!*r || !len || !range_within(gpa - (*r)->base, len, (*r)->size))
		return NULL;
	return (*r)->host + (gpa - (*r)->base);
}

void *gmem_ptr(const struct gmem *m, gpa_t gpa, uint64_t len, bool write)
{
	struct gmem_region *r;
	uint8_t *host = find_range(m, gpa, len, &r);

	if (!host)
		return NULL;
	if (write)
		return r->kind == GMEM_RAM ? host : NULL;
	/* Acquire: what the flash wrote into the array before it went back to reading is seen. */
	return atomic_load_explicit(&r->direct, memory_order_acquire) ? host : NULL;
}

int gmem_read(const struct gmem *m, gpa_t gpa, void *buf, uint64_t len)
{
	const void *host = gmem_ptr(m, gpa, len, false);

	if (!host)
		return -EFAULT;
	memcpy(buf, host, len);
	return 0;
}

int gmem_write(const struct gmem *m, gpa_t gpa, const void *buf, uint64_t len)
{
	void *host = gmem_ptr(m, gpa, len, true);

	if (!host)
		return -EFAULT;
	memcpy(host, buf, len);
	return 0;
}

int gmem_load(const struct gmem *m, gpa_t gpa, const void *buf, uint64_t len)
{
	struct gmem_region *r;
	void *host = find_range(m, gpa, len, &r);

	if (!host)
		return -EFAULT;
	memcpy(host, buf, len);
	return 0;
}
