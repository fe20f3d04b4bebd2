/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine without CPUs, and a driver that is as good or as bad as the test wants.
 *
 * The rig has RAM, ROM, a PCI host and virtio devices on both transports; its loop runs on
 * its own thread as in a monitor. The test plays the guest: it reaches devices through the
 * bus only, and waits for interrupts. Guest-physical addresses throughout; every function
 * runs on the test's thread and fails the test when the machine does not behave.
 */
#ifndef TESTS_DEVICE_HARNESS_H
#define TESTS_DEVICE_HARNESS_H

#include "tests/unit/test.h"

#include "dev/pci/pci.h"
#include "dev/virtio/virtio.h"

#define RAM_BASE UINT64_C(0x80000000)
#define RAM_BYTES (UINT64_C(16) << 20)
#define ROM_BASE UINT64_C(0x1000)
#define ROM_BYTES UINT64_C(0x1000)
#define MMIO_BASE UINT64_C(0x10001000)
#define ECAM_BASE UINT64_C(0x30000000)
#define MEM32_BASE UINT64_C(0x40000000)
#define MEM32_BYTES UINT64_C(0x40000000)
#define MEM64_BASE UINT64_C(0x400000000)
#define MEM64_BYTES UINT64_C(0x400000000)

/* Which device: PCI slots, then virtio-mmio slots. */
enum rig_place {
	PCI_RNG = 1,
	PCI_INPUT = 2,
	PCI_CONSOLE = 3,
	PCI_NEIGHBOUR = 4,		/* a second rng; shares no line with the first */
	PCI_SHARER = 5,			/* a third; shares PCI_RNG's line */
	PCI_SLOW = 6,			/* holds requests until told: slow.h */
	PCI_BLK = 7,
	PCI_NET = 8,
	PCI_END,
	PCI_TESTED = 16,		/* what rig_new_with() is told to make */
	MMIO_SLOTS = 32,		/* from here on: slot 0 */
	MMIO_RNG = MMIO_SLOTS,
	MMIO_INPUT,
	MMIO_CONSOLE,
	MMIO_NEIGHBOUR,
	MMIO_SLOW,
	MMIO_BLK,
	MMIO_NET,
	MMIO_EMPTY,
	RIG_PLACES,
};

enum { RIG_DISK_BYTES = 1 << 20, RIG_MSGS = 64, PORT_CONSOLE = 0, PORT_AGENT = 1 };

struct rig {
	struct vm vm;
	struct pci_host *host;
	uint8_t *ram;
	gpa_t next_free;		/* RAM handed out by rig_alloc() */
	gpa_t next32, next64;		/* window space handed out to BARs */
	struct virtio *devices[RIG_PLACES];
	int peers[RIG_PLACES][2];	/* far ends of console ports; [0]: of a network */

	pthread_mutex_t lock;		/* the fields below */
	pthread_cond_t changed;
	unsigned events;		/* interrupts that have come: rising lines and messages */
	bool level[4 + RIG_PLACES];	/* INTx lines, then those of MMIO slots by place */
	struct {
		uint64_t address;
		uint32_t data;
	} msgs[RIG_MSGS];
	unsigned msg_count;
};

struct rig *rig_new(void);

/* With one more device, which make() returns before the VM starts, at PCI_TESTED. */
struct rig *rig_new_with(struct virtio *(*make)(struct rig *r, void *arg), void *arg);

void rig_free(struct rig *r);

/* cmocka fixtures: *state is a rig. */
int rig_setup(void **state);
int rig_teardown(void **state);

/* Zeroed RAM. */
gpa_t rig_alloc(struct rig *r, uint64_t size, uint64_t align);

/* The loop has done all that was asked of it before. */
void rig_settle(struct rig *r);

/* Accesses that a device must answer. */
uint64_t rig_read(struct rig *r, gpa_t gpa, unsigned size);
void rig_write(struct rig *r, gpa_t gpa, unsigned size, uint64_t value);

/* Host address of RAM; NULL outside. */
uint8_t *rig_ram(struct rig *r, gpa_t gpa);

/* The level of a line, and how many interrupts have come. */
bool rig_line(struct rig *r, unsigned line);
unsigned rig_events(struct rig *r);

/* ---- PCI ------------------------------------------------------------------------------- */

static inline gpa_t pci_fn(unsigned slot)
{
	return ECAM_BASE + ((gpa_t)slot << 15);
}

/* Offset of the n-th (from 0) capability with that id; 0: there is none. */
unsigned pci_find_cap(struct rig *r, unsigned slot, uint8_t id, unsigned n);

/* Sizes BAR n as a driver does and places it into the window; returns where (0: there is none). */
gpa_t pci_place_bar(struct rig *r, unsigned slot, unsigned n);

void pci_set_command(struct rig *r, unsigned slot, uint16_t command);

enum { CMD_MEMORY = 2, CMD_MASTER = 4, CMD_INTX_OFF = 1 << 10 };

/* ---- a driver --------------------------------------------------------------------------- */

enum { DRIVER_QUEUES = 6, D_NEXT = 1, D_WRITE = 2, D_INDIRECT = 4 };

struct dqueue {
	uint16_t size;
	gpa_t desc, avail, used;
	uint16_t avail_idx, last_used;
};

struct driver {
	struct rig *r;
	enum rig_place place;
	bool mmio;
	struct driver *sharer;		/* another on the same interrupt line, or NULL */
	gpa_t regs;			/* MMIO registers, or the common configuration */
	gpa_t isr, config, notify;	/* PCI; config: MMIO too */
	gpa_t msix;			/* PCI: the table */
	uint32_t notify_multiplier;
	struct dqueue queues[DRIVER_QUEUES];
};

/* Finds the device's registers; on PCI places its BARs and enables it. Nothing else is touched. */
void driver_open(struct driver *d, struct rig *r, enum rig_place place);

uint8_t driver_status(struct driver *d);
void driver_set_status(struct driver *d, uint8_t status);

/* Writes 0 and waits until it reads 0. */
void driver_reset(struct driver *d);

uint64_t driver_offered(struct driver *d);
void driver_accept(struct driver *d, uint64_t features);

/* Reset to FEATURES_OK with those of the offered features that are in mask. */
void driver_negotiate(struct driver *d, uint64_t mask);

void queue_select(struct driver *d, unsigned n);
/* The largest size of queue n, which it selects; before the queue is set up. */
uint16_t queue_max(struct driver *d, unsigned n);
/* Programs addresses and size as they stand in d->queues[n], then enables. */
void queue_program(struct driver *d, unsigned n);
/* Allocates rings and programs them. */
void queue_setup(struct driver *d, unsigned n, uint16_t size);

/* Reset, all offered features in mask, queues 0 to count - 1 of that size, DRIVER_OK. */
void driver_start(struct driver *d, uint64_t mask, unsigned count, uint16_t size);

/* Ring contents. */
void ring_desc(struct driver *d, unsigned n, unsigned i, gpa_t addr, uint32_t len, uint16_t flags,
	       uint16_t next);
void table_desc(struct rig *r, gpa_t table, unsigned i, gpa_t addr, uint32_t len, uint16_t flags,
		uint16_t next);
void ring_avail(struct driver *d, unsigned n, uint16_t head);
void ring_kick(struct driver *d, unsigned n);

/* Waits for an interrupt that brings the next used element. */
void ring_wait(struct driver *d, unsigned n, uint32_t *id, uint32_t *len);
bool ring_has_used(struct driver *d, unsigned n);

/* Waits for an interrupt after which the status has DEVICE_NEEDS_RESET. */
void driver_wait_broken(struct driver *d);

/* Waits until cond(arg); it is tried again after each interrupt. */
void driver_wait(struct driver *d, bool (*cond)(void *arg), void *arg);

/* ---- whole flows ------------------------------------------------------------------------- */

/* A correct driver takes the entropy device from reset, gets bytes, and checks them. */
void rng_works(struct driver *d);

/* The rng next to it on the same transport works; it is opened anew each time. */
void neighbour_works(struct driver *d);

#endif
