/* SPDX-License-Identifier: Apache-2.0 */
/* Privileged 1.13, "Physical Memory Protection": 16 entries with a grain of 4 bytes. */
#ifndef ENGINE_RISCV_PMP_H
#define ENGINE_RISCV_PMP_H

#include <stdbool.h>
#include <stdint.h>

enum { PMP_ENTRIES = 16 };

enum pmp_cfg {
	PMP_R = 1 << 0,
	PMP_W = 1 << 1,
	PMP_X = 1 << 2,
	PMP_A = 3 << 3,		/* 0 off, else the following */
	PMP_TOR = 1 << 3,
	PMP_NA4 = 2 << 3,
	PMP_NAPOT = 3 << 3,
	PMP_L = 1 << 7,
};

/* An active entry: the bytes first to last. */
struct pmp_range {
	uint64_t first, last;
	uint8_t cfg;
};

struct pmp {
	uint64_t addr[PMP_ENTRIES];	/* CSR values */
	uint8_t cfg[PMP_ENTRIES];
	struct pmp_range range[PMP_ENTRIES];	/* of the active entries, by priority */
	unsigned active;
};

/* All entries off; when open, entry 0 grants S and U everything. */
void pmp_reset(struct pmp *p, bool open);

/* WARL writes; locked entries stay. The caller flushes the TLB. i < PMP_ENTRIES. */
void pmp_write_cfg(struct pmp *p, unsigned i, uint8_t cfg);
void pmp_write_addr(struct pmp *p, unsigned i, uint64_t addr);

/*
 * May privilege priv access the bytes [pa, pa + len) as access (enum riscv_access)? False
 * too when an entry matches only some of them.
 */
bool pmp_allows(const struct pmp *p, uint64_t pa, uint64_t len, unsigned access, unsigned priv);

/* Is the answer the same for every part of the page that holds pa? */
bool pmp_page_uniform(const struct pmp *p, uint64_t pa);

#endif
