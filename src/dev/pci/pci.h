/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI: one generic ECAM host bridge (bus 0), type 0 functions, BARs that the guest places
 * in the bridge's windows, INTx, MSI-X (PCI Local Bus 3.0, PCI Express Base, PCI Firmware 3.2
 * §4.1.1 for ECAM).
 *
 * Configuration accesses come from vCPU threads under the host's lock. A BAR that moves is
 * remapped on the VM's bus; one placed outside the windows, or over something else, is not
 * mapped, and only that device is out of reach.
 */
#ifndef DEV_PCI_PCI_H
#define DEV_PCI_PCI_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/vm.h"

enum { PCI_SLOTS = 32, PCI_CONFIG_BYTES = 4096, PCI_BARS = 6 };

struct pci_host;
struct pci_dev;

struct pci_window {
	gpa_t base;
	uint64_t size;
};

struct pci_host_cfg {
	gpa_t ecam;			/* 256 MiB: buses 0 to 255, only bus 0 has devices */
	struct pci_window mem32, mem64;
	struct irq_line intx[4];	/* INTA to INTD after the board's swizzle (slot + pin) % 4 */
};

/* Makes the bridge (00:00.0 too), maps the ECAM, adds itself to vm, which owns it. */
int pci_host_new(struct pci_host **out, struct vm *vm, const struct pci_host_cfg *cfg, struct err *err);

struct pci_dev_cfg {
	uint16_t vendor, device, subvendor, subdevice;
	uint32_t class;			/* 24 bits: base class, sub-class, interface */
	uint8_t revision;
	bool intx;			/* has an INTA pin */
	uint16_t msix_vectors;		/* 0: no MSI-X; table and PBA lie in BAR msix_bar at offset 0 */
	uint8_t msix_bar;
};

struct pci_bar {
	uint64_t size;			/* a power of two; 0: none */
	bool is64;			/* takes the next BAR's place too; else 32-bit */
	const struct bus_ops *ops;	/* offsets count from the BAR's start */
	void *opaque;
};

struct pci_dev {
	struct pci_host *host;
	unsigned slot;
	const char *name;
	uint8_t config[PCI_CONFIG_BYTES];
	uint8_t writable[PCI_CONFIG_BYTES];	/* mask of bits the guest may write */
	struct pci_bar bars[PCI_BARS];
	struct {
		gpa_t base;
		bool mapped;
	} placed[PCI_BARS];
	bool intx_level;
	uint16_t msix_vectors;
	uint8_t msix_cap;
	struct msix_entry *msix;	/* under the host's lock */
	uint64_t *msix_pending;		/* likewise: one bit a vector */
	uint8_t next_cap;		/* where the next capability goes */
	uint8_t last_cap;
	/* Configuration reads and writes of capabilities that do more than store; may be NULL. */
	void (*config_read)(struct pci_dev *d, unsigned off, unsigned size);
	void (*config_written)(struct pci_dev *d, unsigned off, unsigned size);
};

/* d is embedded in its owner, zeroed, with bars set; puts it into slot (1 to 31). */
int pci_dev_add(struct pci_host *h, struct pci_dev *d, unsigned slot, const char *name,
		const struct pci_dev_cfg *cfg, struct err *err);

/* Adds a capability of len bytes (data without the two header bytes); returns its offset. */
unsigned pci_add_capability(struct pci_dev *d, uint8_t id, const void *data, unsigned len);

/* To the state after power-on: BARs unmapped, command 0. VM reset. */
void pci_dev_reset(struct pci_dev *d);

/* Any thread: level of INTA (ignored while MSI-X is on or INTx is disabled; remembered). */
void pci_set_intx(struct pci_dev *d, bool level);

/* Any thread: sends vector n if MSI-X is enabled and unmasked, else marks it pending. */
void pci_msix_notify(struct pci_dev *d, unsigned n);

/* True when the guest has enabled MSI-X. Any thread. */
bool pci_msix_enabled(struct pci_dev *d);

/* True when the guest lets the device access memory (bus master). Any thread. */
bool pci_bus_master(const struct pci_dev *d);

#endif
