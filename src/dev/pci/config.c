/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space of a type 0 function and the place of its BARs.
 *
 * The bytes stand in d->config, d->writable says which bits a guest's write changes; what a
 * write means beyond that follows from the bytes afterwards, so the order and the sizes
 * of a guest's accesses do not matter. A BAR answers on the VM's bus while memory decoding
 * is on and it lies wholly in a window of the bridge where nothing else answers. After each
 * change all BARs are looked at again: one that was in another's way may have left.
 */
#include "dev/pci/host.h"

#include <assert.h>
#include <string.h>

#include "base/bits.h"
#include "base/overflow.h"

enum {
	BAR_TYPE_64 = 4,
	BAR_FLAGS = 0xf,
	CAP_END = 0x100,
	CAP_HEADER = 2,
};

static void init_bar(struct pci_dev *d, unsigned n)
{
	const struct pci_bar *b = &d->bars[n];
	const unsigned at = PCI_BAR0 + 4 * n;
	const uint64_t mask = ~(b->size - 1);

	assert(is_pow2(b->size) && b->size > BAR_FLAGS);
	st_le32(d->writable + at, (uint32_t)mask);
	if (!b->is64)
		return;
	assert(n + 1 < PCI_BARS && !d->bars[n + 1].size);
	d->config[at] = BAR_TYPE_64;
	st_le32(d->writable + at + 4, (uint32_t)(mask >> 32));
}

void pci_config_init(struct pci_dev *d, const struct pci_dev_cfg *cfg)
{
	st_le16(d->config + PCI_VENDOR, cfg->vendor);
	st_le16(d->config + PCI_DEVICE, cfg->device);
	d->config[PCI_REVISION] = cfg->revision;
	st_le16(d->config + PCI_CLASS, (uint16_t)cfg->class);
	d->config[PCI_CLASS + 2] = (uint8_t)(cfg->class >> 16);
	st_le16(d->config + PCI_SUBVENDOR, cfg->subvendor);
	st_le16(d->config + PCI_SUBDEVICE, cfg->subdevice);
	st_le16(d->writable + PCI_COMMAND, PCI_CMD_MEMORY | PCI_CMD_MASTER | PCI_CMD_PARITY |
					   PCI_CMD_SERR | PCI_CMD_INTX_OFF);
	d->writable[PCI_CACHE_LINE] = 0xff;
	d->writable[PCI_INT_LINE] = 0xff;
	d->has_intx = cfg->intx;
	d->config[PCI_INT_PIN] = cfg->intx ? 1 : 0;
	d->next_cap = PCI_HEADER_END;
	d->last_cap = PCI_CAP_POINTER - 1;
	if (cfg->msix_vectors)
		pci_msix_init(d, cfg);
	for (unsigned n = 0; n < PCI_BARS; n++) {
		if (d->bars[n].size)
			init_bar(d, n);
	}
}

unsigned pci_add_capability(struct pci_dev *d, uint8_t id, const void *data, const void *writable,
			    unsigned len)
{
	const unsigned at = d->next_cap, end = (unsigned)align_up(at + CAP_HEADER + len, 4);

	assert(end < CAP_END);
	d->config[PCI_STATUS] |= PCI_STATUS_CAPS;
	d->config[d->last_cap + 1] = (uint8_t)at;
	d->config[at] = id;
	memcpy(d->config + at + CAP_HEADER, data, len);
	if (writable)
		memcpy(d->writable + at + CAP_HEADER, writable, len);
	d->last_cap = (uint8_t)at;
	d->next_cap = (uint8_t)end;
	return at;
}

uint32_t pci_config_load(const struct pci_dev *d, unsigned off, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)d->config[off + i] << 8 * i;
	return value;
}

void pci_config_store(struct pci_dev *d, unsigned off, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size; i++) {
		const uint8_t mask = d->writable[off + i], new = (uint8_t)(value >> 8 * i);

		d->config[off + i] = (uint8_t)((d->config[off + i] & ~mask) | (new & mask));
	}
	if (ranges_overlap(off, size, PCI_COMMAND, 2) ||
	    ranges_overlap(off, size, PCI_BAR0, 4 * PCI_BARS))
		pci_place_bars(d->host);
	pci_msix_deliver(d);
	pci_update_line(d->host, d->slot);
}

void pci_config_reset(struct pci_dev *d)
{
	for (unsigned i = 0; i < PCI_CONFIG_BYTES; i++)
		d->config[i] &= (uint8_t)~d->writable[i];
	d->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
	d->intx_level = false;
	pci_msix_reset(d);
}

/* ---- BARs ----------------------------------------------------------------------------------- */

static bool in_window(const struct pci_window *w, gpa_t base, uint64_t size)
{
	return base >= w->base && range_within(base - w->base, size, w->size);
}

/* Whether BAR n should answer now, and where. */
static bool bar_wanted(const struct pci_dev *d, unsigned n, gpa_t *base)
{
	const struct pci_bar *b = &d->bars[n];
	const uint8_t *reg = d->config + PCI_BAR0 + 4 * n;

	if (!b->size || !(ld_le16(d->config + PCI_COMMAND) & PCI_CMD_MEMORY))
		return false;
	*base = ld_le32(reg) & ~(uint32_t)BAR_FLAGS;
	if (b->is64)
		*base |= (uint64_t)ld_le32(reg + 4) << 32;
	return in_window(&d->host->cfg.mem32, *base, b->size) ||
	       in_window(&d->host->cfg.mem64, *base, b->size);
}

static void unmap_moved(struct pci_dev *d, unsigned n)
{
	gpa_t base;

	if (!d->placed[n].mapped || (bar_wanted(d, n, &base) && base == d->placed[n].base))
		return;
	bus_unmap(&d->host->vm->bus, d->placed[n].base, d->bars[n].opaque);
	d->placed[n].mapped = false;
}

static void map_wanted(struct pci_dev *d, unsigned n)
{
	struct bus_region r = {
		.size = d->bars[n].size, .ops = d->bars[n].ops, .opaque = d->bars[n].opaque,
		.name = d->name,
	};

	if (d->placed[n].mapped || !bar_wanted(d, n, &r.base))
		return;
	/* Where something else answers already the BAR stays out of reach. */
	if (bus_map(&d->host->vm->bus, &r, NULL))
		return;
	d->placed[n].base = r.base;
	d->placed[n].mapped = true;
}

static void for_each_bar(struct pci_host *h, void (*fn)(struct pci_dev *d, unsigned n))
{
	for (unsigned s = 0; s < PCI_SLOTS; s++)
		for (unsigned n = 0; h->slots[s] && n < PCI_BARS; n++)
			fn(h->slots[s], n);
}

void pci_place_bars(struct pci_host *h)
{
	for_each_bar(h, unmap_moved);
	for_each_bar(h, map_wanted);
}
