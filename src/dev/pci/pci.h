/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI: one generic ECAM host bridge (bus 0), type 0 functions, BARs that the guest places
 * in the bridge's windows, INTx, MSI-X (PCI Local Bus 3.0; PCI Firmware 3.2 §4.1.2 for ECAM).
 *
 * Configuration accesses come from vCPU threads under the host's lock. A BAR that moves is
 * remapped on the VM's bus; one placed outside the windows, or over something else, is not
 * mapped, and only that device is out of reach, until it or what is in its way moves.
 *
 * Lock order: the device's own lock, the host's, the interrupt controller's. So the host
 * never calls a device with its lock held.
 */
#ifndef DEV_PCI_PCI_H
#define DEV_PCI_PCI_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/vm.h"

enum { PCI_SLOTS = 32, PCI_CONFIG_BYTES = 4096, PCI_BARS = 6, PCI_MAX_VECTORS = 64 };

struct pci_host;
struct pci_dev;

struct pci_window {
	gpa_t base;
	uint64_t size;			/* 0: there is none */
};

struct pci_host_cfg {
	gpa_t ecam;			/* 256 MiB: buses 0 to 255, only bus 0 has devices */
	/* Where BARs may go; addresses on the PCI bus are the guest-physical ones. No RAM there. */
	struct pci_window mem32, mem64;
	struct irq_line intx[4];	/* INTA of slot s raises line s % 4 (the boards' swizzle) */
};

/*
 * Makes the bridge (00:00.0 too), maps the ECAM, adds itself to vm, which owns it. -errno with
 * a sentence. Before vm_start().
 */
int pci_host_new(struct pci_host **out, struct vm *vm, const struct pci_host_cfg *cfg,
		 struct err *err);

struct pci_dev_cfg {
	uint16_t vendor, device, subvendor, subdevice;
	uint32_t class;			/* 24 bits: base class, sub-class, interface */
	uint8_t revision;
	bool intx;			/* has an INTA pin */
	uint16_t msix_vectors;		/* at most PCI_MAX_VECTORS; 0: no MSI-X */
	uint8_t msix_bar;		/* for table and PBA alone: left empty by the owner */
};

struct pci_bar {
	uint64_t size;			/* a power of two, at least 4096; 0: none */
	bool is64;			/* takes the next BAR's place too; else 32-bit */
	const struct bus_ops *ops;	/* offsets count from the BAR's start */
	void *opaque;
};

/* An entry of the MSI-X table (PCI Local Bus 3.0 §6.8.2): address, data, vector control. */
struct msix_entry {
	uint32_t word[4];
};

struct pci_dev {
	struct pci_host *host;
	unsigned slot;
	const char *name;
	struct pci_bar bars[PCI_BARS];	/* set by the owner before pci_dev_add() */
	/*
	 * What configuration accesses do beyond loading and storing; set by the owner before
	 * pci_dev_add(), may be NULL. vCPU threads, without the host's lock. read: true when it
	 * gave *value. written: after the bytes were stored.
	 */
	bool (*config_read)(struct pci_dev *d, unsigned off, unsigned size, uint32_t *value);
	void (*config_written)(struct pci_dev *d, unsigned off, unsigned size);

	/* under the host's lock from here on */
	uint8_t config[PCI_CONFIG_BYTES];
	uint8_t writable[PCI_CONFIG_BYTES];	/* mask of bits the guest may write */
	struct {
		gpa_t base;
		bool mapped;
	} placed[PCI_BARS];
	bool has_intx, intx_level;
	uint16_t msix_vectors;
	uint8_t msix_cap;		/* 0: none */
	struct msix_entry msix[PCI_MAX_VECTORS];
	uint64_t msix_pending;		/* one bit a vector */
	uint8_t next_cap;		/* where the next capability goes */
	uint8_t last_cap;
};

/*
 * d is embedded in its owner, zeroed but for what the owner sets, and lives as long as the VM;
 * puts it into slot (1 to 31). -EINVAL, -EEXIST with a sentence. Before vm_start().
 */
int pci_dev_add(struct pci_host *h, struct pci_dev *d, unsigned slot, const char *name,
		const struct pci_dev_cfg *cfg, struct err *err);

/*
 * Adds a capability of len bytes (data without the two header bytes; len counts them not);
 * returns its offset. writable, of the same length, masks what the guest may write; NULL:
 * nothing. Owner, after pci_dev_add(), before vm_start(). There is room for 192 bytes.
 */
unsigned pci_add_capability(struct pci_dev *d, uint8_t id, const void *data, const void *writable,
			    unsigned len);

/*
 * The bytes of the configuration space at off (size 1, 2 or 4, off a multiple of it) as they
 * are stored. For config_read and config_written. Any thread.
 */
uint32_t pci_config_get(struct pci_dev *d, unsigned off, unsigned size);

/* Any thread: level of INTA (not passed on while MSI-X is on or INTx disabled; remembered). */
void pci_set_intx(struct pci_dev *d, bool level);

/*
 * Any thread: sends vector n if MSI-X is enabled and n is not masked, else marks it pending;
 * nothing while MSI-X is off.
 */
void pci_msix_notify(struct pci_dev *d, unsigned n);

/* True when the guest has enabled MSI-X. Any thread. */
bool pci_msix_enabled(struct pci_dev *d);

/* True when the guest lets the device access memory (bus master). Any thread. */
bool pci_bus_master(struct pci_dev *d);

#endif
