/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the PCI room share among themselves: the host, and steps under its lock. */
#ifndef DEV_PCI_HOST_H
#define DEV_PCI_HOST_H

#include "dev/pci/pci.h"

struct pci_host {
	struct vm *vm;
	struct pci_host_cfg cfg;
	struct dev dev;
	struct pci_dev bridge;
	pthread_mutex_t lock;			/* the functions' registers and all below */
	struct pci_dev *slots[PCI_SLOTS];
	bool line_level[4];			/* what cfg.intx was last set to */
};

/* Configuration space, type 0 (PCI Local Bus 3.0 §6.1). */
enum {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_CLASS = 0x09,
	PCI_CACHE_LINE = 0x0c,
	PCI_BAR0 = 0x10,
	PCI_SUBVENDOR = 0x2c,
	PCI_SUBDEVICE = 0x2e,
	PCI_CAP_POINTER = 0x34,
	PCI_INT_LINE = 0x3c,
	PCI_INT_PIN = 0x3d,
	PCI_HEADER_END = 0x40,
};

enum {
	PCI_CMD_MEMORY = 1 << 1,
	PCI_CMD_MASTER = 1 << 2,
	PCI_CMD_PARITY = 1 << 6,
	PCI_CMD_SERR = 1 << 8,
	PCI_CMD_INTX_OFF = 1 << 10,
	PCI_STATUS_INTX = 1 << 3,
	PCI_STATUS_CAPS = 1 << 4,
};

/* ---- all of these: under h->lock, or before the VM starts ------------------------------- */

/* Fills in the header of a function that has just been put into its slot. */
void pci_config_init(struct pci_dev *d, const struct pci_dev_cfg *cfg);

/* A guest's access within one function; size 1, 2 or 4, aligned. */
uint32_t pci_config_load(const struct pci_dev *d, unsigned off, unsigned size);
void pci_config_store(struct pci_dev *d, unsigned off, unsigned size, uint32_t value);

/* To the state after power-on. The bus and the lines are not told: see the next two. */
void pci_config_reset(struct pci_dev *d);

/* Maps and unmaps BARs on the VM's bus as the registers say now. */
void pci_place_bars(struct pci_host *h);

/* Sets the interrupt line of a slot to the OR of the functions that share it. */
void pci_update_line(struct pci_host *h, unsigned slot);

/* Adds the capability and the BAR that holds table and PBA. */
void pci_msix_init(struct pci_dev *d, const struct pci_dev_cfg *cfg);
void pci_msix_reset(struct pci_dev *d);
bool pci_msix_on(const struct pci_dev *d);

/* Sends what is pending and not masked any more. */
void pci_msix_deliver(struct pci_dev *d);

#endif
