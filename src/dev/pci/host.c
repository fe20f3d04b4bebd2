/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/pci/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

enum {
	ECAM_BYTES = 1 << 28,
	/* The generic host bridge of the boards whose conventions we follow. */
	BRIDGE_VENDOR = 0x1b36,
	BRIDGE_DEVICE = 0x0008,
	BRIDGE_CLASS = 0x060000,
};

/* ---- ECAM ------------------------------------------------------------------------------ */

/* The function an ECAM offset selects, or NULL; *reg gets the register's offset. */
static struct pci_dev *ecam_select(const struct pci_host *h, uint64_t off, unsigned *reg)
{
	const unsigned bus = off >> 20 & 0xff, slot = off >> 15 & 0x1f, fn = off >> 12 & 7;

	*reg = off & (PCI_CONFIG_BYTES - 1);
	return bus || fn ? NULL : h->slots[slot];
}

static uint32_t config_read(struct pci_host *h, uint64_t off, unsigned size)
{
	unsigned reg;
	struct pci_dev *d = ecam_select(h, off, &reg);
	uint32_t value;

	if (!d)
		return UINT32_MAX;
	if (d->config_read && d->config_read(d, reg, size, &value))
		return value;
	return pci_config_get(d, reg, size);
}

static void config_write(struct pci_host *h, uint64_t off, unsigned size, uint32_t value)
{
	unsigned reg;
	struct pci_dev *d = ecam_select(h, off, &reg);

	if (!d)
		return;
	pthread_mutex_lock(&h->lock);
	pci_config_store(d, reg, size, value);
	pthread_mutex_unlock(&h->lock);
	if (d->config_written)
		d->config_written(d, reg, size);
}

static bool ecam_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	struct pci_host *h = opaque;

	if (size == 8)
		*value = config_read(h, off, 4) | (uint64_t)config_read(h, off + 4, 4) << 32;
	else
		*value = config_read(h, off, size);
	return true;
}

static bool ecam_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct pci_host *h = opaque;

	config_write(h, off, size == 8 ? 4 : size, (uint32_t)value);
	if (size == 8)
		config_write(h, off + 4, 4, (uint32_t)(value >> 32));
	return true;
}

static const struct bus_ops ecam_ops = { .read = ecam_read, .write = ecam_write };

/* ---- interrupt lines ---------------------------------------------------------------------- */

static bool raises_line(const struct pci_dev *d)
{
	return d && d->has_intx && d->intx_level && !pci_msix_on(d) &&
	       !(ld_le16(d->config + PCI_COMMAND) & PCI_CMD_INTX_OFF);
}

void pci_update_line(struct pci_host *h, unsigned slot)
{
	const unsigned line = slot % ARRAY_LEN(h->cfg.intx);
	bool level = false;

	for (unsigned s = line; s < PCI_SLOTS; s += ARRAY_LEN(h->cfg.intx))
		level |= raises_line(h->slots[s]);
	if (level == h->line_level[line])
		return;
	h->line_level[line] = level;
	irq_set(&h->cfg.intx[line], level);
}

void pci_set_intx(struct pci_dev *d, bool level)
{
	pthread_mutex_lock(&d->host->lock);
	d->intx_level = level;
	if (level)
		d->config[PCI_STATUS] |= PCI_STATUS_INTX;
	else
		d->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
	pci_update_line(d->host, d->slot);
	pthread_mutex_unlock(&d->host->lock);
}

/* ---- functions ---------------------------------------------------------------------------- */

bool pci_bus_master(struct pci_dev *d)
{
	return pci_config_get(d, PCI_COMMAND, 2) & PCI_CMD_MASTER;
}

uint32_t pci_config_get(struct pci_dev *d, unsigned off, unsigned size)
{
	uint32_t value;

	pthread_mutex_lock(&d->host->lock);
	value = pci_config_load(d, off, size);
	pthread_mutex_unlock(&d->host->lock);
	return value;
}

static int add_function(struct pci_host *h, struct pci_dev *d, unsigned slot, const char *name,
			const struct pci_dev_cfg *cfg, struct err *err)
{
	if (h->slots[slot])
		return err_set(err, -EEXIST, "%s: PCI slot %u is taken by %s; choose another", name,
			       slot, h->slots[slot]->name);
	d->host = h;
	d->slot = slot;
	d->name = name;
	pci_config_init(d, cfg);
	h->slots[slot] = d;
	return 0;
}

int pci_dev_add(struct pci_host *h, struct pci_dev *d, unsigned slot, const char *name,
		const struct pci_dev_cfg *cfg, struct err *err)
{
	if (!slot || slot >= PCI_SLOTS)
		return err_set(err, -EINVAL, "%s: PCI slot %u is out of range (1 to %d)", name,
			       slot, PCI_SLOTS - 1);
	return add_function(h, d, slot, name, cfg, err);
}

/* ---- life --------------------------------------------------------------------------------- */

static void host_reset(struct dev *dev)
{
	struct pci_host *h = container_of(dev, struct pci_host, dev);

	pthread_mutex_lock(&h->lock);
	for (unsigned s = 0; s < PCI_SLOTS; s++) {
		if (h->slots[s])
			pci_config_reset(h->slots[s]);
	}
	pci_place_bars(h);
	for (unsigned line = 0; line < ARRAY_LEN(h->cfg.intx); line++)
		pci_update_line(h, line);
	pthread_mutex_unlock(&h->lock);
}

static void host_fini(struct dev *dev)
{
	struct pci_host *h = container_of(dev, struct pci_host, dev);

	pthread_mutex_destroy(&h->lock);
	free(h);
}

static const struct dev_ops host_dev_ops = { .reset = host_reset, .fini = host_fini };

int pci_host_new(struct pci_host **out, struct vm *vm, const struct pci_host_cfg *cfg,
		 struct err *err)
{
	static const struct pci_dev_cfg bridge = {
		.vendor = BRIDGE_VENDOR, .device = BRIDGE_DEVICE, .class = BRIDGE_CLASS,
	};
	struct pci_host *h = calloc(1, sizeof(*h));
	struct bus_region ecam = {
		.base = cfg->ecam, .size = ECAM_BYTES, .ops = &ecam_ops, .opaque = h,
		.name = "PCI ECAM",
	};
	int rc;

	if (!h)
		return err_sys(err, -ENOMEM, "PCI host bridge");
	rc = bus_map(&vm->bus, &ecam, err);
	if (rc) {
		free(h);
		return rc;
	}
	h->vm = vm;
	h->cfg = *cfg;
	pthread_mutex_init(&h->lock, NULL);
	h->dev.ops = &host_dev_ops;
	h->dev.name = "pci";
	vm_add_dev(vm, &h->dev);
	*out = h;
	return add_function(h, &h->bridge, 0, "PCI host bridge", &bridge, err);
}
