/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSI-X (PCI Local Bus 3.0 §6.8.2). Table and pending bits share a BAR: the table at its
 * start, the pending bits in its second half.
 *
 *	capability	+2 message control: enable, function mask, table size - 1
 *			+4 table's offset and BAR, +8 pending bits' offset and BAR
 *	table entry	address low, address high, data, vector control (bit 0: masked)
 *
 * A message is a write by the device, so one that comes while bus mastering is off waits
 * as a masked one does.
 */
#include "dev/pci/host.h"

#include <assert.h>
#include <string.h>

#include "base/bits.h"

enum {
	CAP_MSIX = 0x11,
	CAP_BYTES = 10,			/* without the two header bytes */
	CONTROL = 2,
	CONTROL_ENABLE = 1 << 15,
	CONTROL_MASK_ALL = 1 << 14,
	ENTRY_BYTES = 16,
	ENTRY_CONTROL = 3,
	ENTRY_MASKED = 1,
	BAR_BYTES = 4096,
	PBA_OFFSET = BAR_BYTES / 2,
};

_Static_assert(PCI_MAX_VECTORS * ENTRY_BYTES <= PBA_OFFSET && PCI_MAX_VECTORS <= 64,
	       "table and pending bits fit");

static uint16_t control(const struct pci_dev *d)
{
	return d->msix_cap ? ld_le16(d->config + d->msix_cap + CONTROL) : 0;
}

bool pci_msix_on(const struct pci_dev *d)
{
	return control(d) & CONTROL_ENABLE;
}

/* Whether vector n's message may go now. */
static bool may_send(const struct pci_dev *d, unsigned n)
{
	return (control(d) & (CONTROL_ENABLE | CONTROL_MASK_ALL)) == CONTROL_ENABLE &&
	       !(d->msix[n].word[ENTRY_CONTROL] & ENTRY_MASKED) &&
	       ld_le16(d->config + PCI_COMMAND) & PCI_CMD_MASTER;
}

static void send(const struct pci_dev *d, unsigned n)
{
	const uint32_t *word = d->msix[n].word;

	irq_msi(&d->host->vm->msi, word[0] | (uint64_t)word[1] << 32, word[2]);
}

void pci_msix_deliver(struct pci_dev *d)
{
	for (unsigned n = 0; d->msix_pending && n < d->msix_vectors; n++) {
		if (!(d->msix_pending >> n & 1) || !may_send(d, n))
			continue;
		d->msix_pending &= ~BIT(n);
		send(d, n);
	}
}

void pci_msix_notify(struct pci_dev *d, unsigned n)
{
	pthread_mutex_lock(&d->host->lock);
	if (n < d->msix_vectors && pci_msix_on(d)) {
		if (may_send(d, n))
			send(d, n);
		else
			d->msix_pending |= BIT(n);
	}
	pthread_mutex_unlock(&d->host->lock);
}

bool pci_msix_enabled(struct pci_dev *d)
{
	bool on;

	pthread_mutex_lock(&d->host->lock);
	on = pci_msix_on(d);
	pthread_mutex_unlock(&d->host->lock);
	return on;
}

/* ---- table and pending bits, as the guest accesses them ------------------------------------ */

static uint32_t load_word(const struct pci_dev *d, uint64_t off)
{
	if (off / ENTRY_BYTES < d->msix_vectors)
		return d->msix[off / ENTRY_BYTES].word[off % ENTRY_BYTES / 4];
	if (off == PBA_OFFSET)
		return (uint32_t)d->msix_pending;
	if (off == PBA_OFFSET + 4)
		return (uint32_t)(d->msix_pending >> 32);
	return 0;
}

static void store_word(struct pci_dev *d, uint64_t off, uint32_t value)
{
	const unsigned n = (unsigned)(off / ENTRY_BYTES), word = off % ENTRY_BYTES / 4;

	if (n >= d->msix_vectors)
		return;
	d->msix[n].word[word] = word == ENTRY_CONTROL ? value & ENTRY_MASKED : value;
	pci_msix_deliver(d);
}

static bool table_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	struct pci_dev *d = opaque;

	pthread_mutex_lock(&d->host->lock);
	*value = load_word(d, align_down(off, 4)) >> 8 * (off % 4);
	if (size == 8)
		*value |= (uint64_t)load_word(d, off + 4) << 32;
	pthread_mutex_unlock(&d->host->lock);
	return true;
}

/* Whole words only; smaller writes have no defined meaning and are dropped. */
static bool table_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct pci_dev *d = opaque;

	pthread_mutex_lock(&d->host->lock);
	if (size >= 4)
		store_word(d, off, (uint32_t)value);
	if (size == 8)
		store_word(d, off + 4, (uint32_t)(value >> 32));
	pthread_mutex_unlock(&d->host->lock);
	return true;
}

static const struct bus_ops table_ops = { .read = table_read, .write = table_write };

/* ---- life ----------------------------------------------------------------------------------- */

void pci_msix_reset(struct pci_dev *d)
{
	d->msix_pending = 0;
	memset(d->msix, 0, sizeof(d->msix));
	for (unsigned n = 0; n < d->msix_vectors; n++)
		d->msix[n].word[ENTRY_CONTROL] = ENTRY_MASKED;
}

void pci_msix_init(struct pci_dev *d, const struct pci_dev_cfg *cfg)
{
	static const uint8_t writable[CAP_BYTES] = {
		[1] = (CONTROL_ENABLE | CONTROL_MASK_ALL) >> 8,
	};
	uint8_t cap[CAP_BYTES];

	assert(cfg->msix_vectors <= PCI_MAX_VECTORS && !d->bars[cfg->msix_bar].size);
	d->bars[cfg->msix_bar] = (struct pci_bar){
		.size = BAR_BYTES, .ops = &table_ops, .opaque = d,
	};
	st_le16(cap, (uint16_t)(cfg->msix_vectors - 1));
	st_le32(cap + 2, cfg->msix_bar);
	st_le32(cap + 6, PBA_OFFSET | cfg->msix_bar);
	d->msix_cap = (uint8_t)pci_add_capability(d, CAP_MSIX, cap, writable, sizeof(cap));
	d->msix_vectors = cfg->msix_vectors;
	pci_msix_reset(d);
}
