/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/riscv/pmp.h"

#include <string.h>

#include "base/bits.h"
#include "engine/riscv/cpu.h"

/* The bytes that entry i, which is not off, covers; false when there are none. */
static bool entry_range(const struct pmp *p, unsigned i, struct pmp_range *r)
{
	uint64_t addr = p->addr[i], below = i ? p->addr[i - 1] : 0;
	unsigned ones;

	r->cfg = p->cfg[i];
	switch (p->cfg[i] & PMP_A) {
	case PMP_TOR:
		r->first = below << 2;
		r->last = (addr << 2) - 1;
		return below < addr;
	case PMP_NA4:
		r->first = addr << 2;
		r->last = r->first + 3;
		return true;
	default:
		/* addr is 54 bits, so there is a zero: 2^(ones + 3) bytes. */
		ones = (unsigned)__builtin_ctzll(~addr);
		r->first = (addr & ~(BIT(ones) - 1)) << 2;
		r->last = r->first + (BIT(ones + 3) - 1);
		return true;
	}
}

static void rebuild(struct pmp *p)
{
	p->active = 0;
	for (unsigned i = 0; i < PMP_ENTRIES; i++) {
		if ((p->cfg[i] & PMP_A) && entry_range(p, i, &p->range[p->active]))
			p->active++;
	}
}

void pmp_reset(struct pmp *p, bool open)
{
	memset(p, 0, sizeof(*p));
	if (open) {
		p->addr[0] = BIT(54) - 1;
		p->cfg[0] = PMP_R | PMP_W | PMP_X | PMP_NAPOT;
	}
	rebuild(p);
}

void pmp_write_cfg(struct pmp *p, unsigned i, uint8_t cfg)
{
	cfg &= PMP_R | PMP_W | PMP_X | PMP_A | PMP_L;
	/* W without R is reserved: such a write changes nothing. */
	if ((p->cfg[i] & PMP_L) || (cfg & (PMP_R | PMP_W)) == PMP_W)
		return;
	p->cfg[i] = cfg;
	rebuild(p);
}

void pmp_write_addr(struct pmp *p, unsigned i, uint64_t addr)
{
	if (p->cfg[i] & PMP_L)
		return;
	/* A locked TOR entry holds its lower bound as well. */
	if (i + 1 < PMP_ENTRIES && (p->cfg[i + 1] & PMP_L) && (p->cfg[i + 1] & PMP_A) == PMP_TOR)
		return;
	p->addr[i] = addr & (BIT(54) - 1);
	rebuild(p);
}

bool pmp_allows(const struct pmp *p, uint64_t pa, uint64_t len, unsigned access, unsigned priv)
{
	static const uint8_t need[] = {
		[ACCESS_READ] = PMP_R, [ACCESS_WRITE] = PMP_W, [ACCESS_EXEC] = PMP_X,
	};
	uint64_t last = pa + (len - 1);

	for (unsigned i = 0; i < p->active; i++) {
		const struct pmp_range *r = &p->range[i];

		if (last < r->first || pa > r->last)
			continue;
		if (pa < r->first || last > r->last)
			return false;
		if (priv == PRIV_M && !(r->cfg & PMP_L))
			return true;
		return r->cfg & need[access];
	}
	return priv == PRIV_M;
}

bool pmp_page_uniform(const struct pmp *p, uint64_t pa)
{
	uint64_t first = pa & TLB_PAGE_MASK, last = first | ~TLB_PAGE_MASK;

	for (unsigned i = 0; i < p->active; i++) {
		const struct pmp_range *r = &p->range[i];

		if (last < r->first || first > r->last)
			continue;
		return first >= r->first && last <= r->last;
	}
	return true;
}
