/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio over PCI (virtio 1.2 §4.1), modern devices only. One 64-bit BAR holds the four
 * structures that vendor capabilities point at, each in a page of its own:
 *
 *	0x0000	common configuration (§4.1.4.3)
 *	0x1000	interrupt status (§4.1.4.5)
 *	0x2000	device configuration (§4.1.4.6)
 *	0x3000	doorbells, 4 bytes a queue (§4.1.4.4)
 *
 * A fifth capability gives access to the BAR through configuration space (§4.1.4.9). MSI-X
 * has a BAR of its own. Queues are processed only while bus mastering is on.
 */
#include "dev/virtio/pci_transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/overflow.h"

enum {
	VENDOR = 0x1af4,
	DEVICE_BASE = 0x1040,		/* plus the virtio device id */
	SUBDEVICE = 0x1100,		/* transitional drivers look below 0x40 */
	BAR_MSIX = 1,
	BAR_REGS = 4,
	BAR_BYTES = 0x4000,
	PAGE = 0x1000,
	NOTIFY_MULTIPLIER = 4,
	COMMON_BYTES = 0x38,
	NO_VECTOR = 0xffff,
	ISR_QUEUE = 1,
	ISR_CONFIG = 2,
};

/* Where each structure lies in the BAR. */
enum { AT_COMMON = 0, AT_ISR = PAGE, AT_DEVICE = 2 * PAGE, AT_NOTIFY = 3 * PAGE };

/* struct virtio_pci_cap (§4.1.4), offsets within the capability. */
enum {
	CAP_VENDOR = 0x09,
	CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4, CAP_PCI_CFG = 5,
	CAP_LEN = 2, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12,
	CAP_BYTES = 16,
	CAP_EXTRA = 16,			/* notify: multiplier; PCI_CFG: the data */
	CAP_LONG_BYTES = 20,
	CAP_HEADER = 2,			/* id and next, which the PCI room writes */
};

/* struct virtio_pci_common_cfg (§4.1.4.3). */
enum {
	COMMON_OFFERED_SEL = 0x00,
	COMMON_OFFERED = 0x04,
	COMMON_ACCEPTED_SEL = 0x08,
	COMMON_ACCEPTED = 0x0c,
	COMMON_CONFIG_VECTOR = 0x10,
	COMMON_QUEUE_COUNT = 0x12,
	COMMON_STATUS = 0x14,
	COMMON_GENERATION = 0x15,
	COMMON_QUEUE_SEL = 0x16,
	COMMON_QUEUE_SIZE = 0x18,
	COMMON_QUEUE_VECTOR = 0x1a,
	COMMON_QUEUE_ENABLE = 0x1c,
	COMMON_QUEUE_NOTIFY = 0x1e,
	COMMON_QUEUE_DESC = 0x20,
	COMMON_QUEUE_AVAIL = 0x28,
	COMMON_QUEUE_USED = 0x30,
};

struct virtio_pci {
	struct pci_dev pci;
	struct virtio *v;
	struct dev dev;
	unsigned cfg_cap;		/* offset of the capability for access to the BAR */

	/* under v->lock */
	uint32_t offered_sel, accepted_sel;
	uint16_t queue_sel;
	uint16_t config_vector;
	uint16_t queue_vector[VIRTIO_MAX_QUEUES];
	uint8_t isr;
};

/* ---- common configuration -------------------------------------------------------------- */

/* The transport's own registers as they were at one moment. */
struct regs {
	uint32_t offered_sel, accepted_sel, generation;
	uint16_t queue_sel, config_vector, queue_vector;
};

static struct regs regs_get(struct virtio_pci *p)
{
	struct regs r;

	pthread_mutex_lock(&p->v->lock);
	r = (struct regs){
		.offered_sel = p->offered_sel,
		.accepted_sel = p->accepted_sel,
		.generation = p->v->config_generation,
		.queue_sel = p->queue_sel,
		.config_vector = p->config_vector,
		.queue_vector = p->queue_sel < p->v->queue_count ? p->queue_vector[p->queue_sel]
								 : NO_VECTOR,
	};
	pthread_mutex_unlock(&p->v->lock);
	return r;
}

static uint32_t pack16(uint32_t low, uint32_t high)
{
	return (low & 0xffff) | high << 16;
}

/* The half of a ring's address that lies at off, from COMMON_QUEUE_DESC on. */
static enum virtq_reg ring_reg(uint64_t off)
{
	return (enum virtq_reg)(VIRTQ_REG_DESC_LO + (off - COMMON_QUEUE_DESC) / 4);
}

/* The aligned word at off. */
static uint32_t common_word(struct virtio_pci *p, uint64_t off)
{
	struct virtio *v = p->v;
	const struct regs r = regs_get(p);
	const uint32_t q = r.queue_sel;

	switch (off) {
	case COMMON_OFFERED_SEL:
		return r.offered_sel;
	case COMMON_OFFERED:
		return virtio_read_offered(v, r.offered_sel);
	case COMMON_ACCEPTED_SEL:
		return r.accepted_sel;
	case COMMON_ACCEPTED:
		return virtio_read_accepted(v, r.accepted_sel);
	case COMMON_CONFIG_VECTOR:
		return pack16(r.config_vector, v->queue_count);
	case COMMON_STATUS:
		return virtio_get_status(v) | (r.generation & 0xff) << 8 | q << 16;
	case COMMON_QUEUE_SIZE:
		return pack16(virtio_queue_read(v, q, VIRTQ_REG_SIZE), r.queue_vector);
	case COMMON_QUEUE_ENABLE:
		return pack16(virtio_queue_read(v, q, VIRTQ_REG_ENABLE),
			      q < v->queue_count ? q : 0);
	default:
		return virtio_queue_read(v, q, ring_reg(off));
	}
}

static uint64_t common_read(struct virtio_pci *p, uint64_t off, unsigned size)
{
	uint64_t value;

	if (!range_within(off, size, COMMON_BYTES))
		return 0;
	value = common_word(p, align_down(off, 4)) >> 8 * (off % 4);
	if (size == 8)
		value |= (uint64_t)common_word(p, off + 4) << 32;
	return value;
}

static uint16_t checked_vector(const struct virtio_pci *p, uint32_t vector)
{
	return vector < p->pci.msix_vectors ? (uint16_t)vector : NO_VECTOR;
}

/* Registers that are the transport's alone; [v->lock]. */
static void store_own(struct virtio_pci *p, uint64_t off, uint32_t value)
{
	switch (off) {
	case COMMON_OFFERED_SEL:
		p->offered_sel = value;
		break;
	case COMMON_ACCEPTED_SEL:
		p->accepted_sel = value;
		break;
	case COMMON_CONFIG_VECTOR:
		p->config_vector = checked_vector(p, value);
		break;
	case COMMON_QUEUE_SEL:
		p->queue_sel = (uint16_t)value;
		break;
	case COMMON_QUEUE_VECTOR:
		if (p->queue_sel < p->v->queue_count)
			p->queue_vector[p->queue_sel] = checked_vector(p, value);
		break;
	}
}

/* One field with a width of size bytes; others than the fields of that width are dropped. */
static void common_store(struct virtio_pci *p, uint64_t off, unsigned size, uint32_t value)
{
	struct virtio *v = p->v;
	const struct regs r = regs_get(p);

	switch (off << 8 | size) {
	case COMMON_OFFERED_SEL << 8 | 4:
	case COMMON_ACCEPTED_SEL << 8 | 4:
	case COMMON_CONFIG_VECTOR << 8 | 2:
	case COMMON_QUEUE_SEL << 8 | 2:
	case COMMON_QUEUE_VECTOR << 8 | 2:
		pthread_mutex_lock(&v->lock);
		store_own(p, off, value);
		pthread_mutex_unlock(&v->lock);
		break;
	case COMMON_ACCEPTED << 8 | 4:
		virtio_write_accepted(v, r.accepted_sel, value);
		break;
	case COMMON_STATUS << 8 | 1:
		virtio_set_status(v, (uint8_t)value);
		break;
	case COMMON_QUEUE_SIZE << 8 | 2:
		virtio_queue_write(v, r.queue_sel, VIRTQ_REG_SIZE, value);
		break;
	case COMMON_QUEUE_ENABLE << 8 | 2:
		/* A driver may not disable a queue (§4.1.4.3.2). */
		if (value == 1)
			virtio_queue_write(v, r.queue_sel, VIRTQ_REG_ENABLE, 1);
		break;
	default:
		if (off >= COMMON_QUEUE_DESC && size == 4)
			virtio_queue_write(v, r.queue_sel,
					   ring_reg(off), value);
		break;
	}
}

static void common_write(struct virtio_pci *p, uint64_t off, unsigned size, uint64_t value)
{
	if (!range_within(off, size, COMMON_BYTES))
		return;
	common_store(p, off, size == 8 ? 4 : size, (uint32_t)value);
	if (size == 8)
		common_store(p, off + 4, 4, (uint32_t)(value >> 32));
}

/* ---- interrupts ---------------------------------------------------------------------------- */

static void raise(void *opaque, int n)
{
	struct virtio_pci *p = opaque;
	uint16_t vector;
	bool msix;

	pthread_mutex_lock(&p->v->lock);
	msix = pci_msix_enabled(&p->pci);
	vector = n < 0 ? p->config_vector : p->queue_vector[n];
	if (!msix) {
		p->isr |= n < 0 ? ISR_CONFIG : ISR_QUEUE;
		pci_set_intx(&p->pci, true);
	}
	pthread_mutex_unlock(&p->v->lock);
	if (msix && vector != NO_VECTOR)
		pci_msix_notify(&p->pci, vector);
}

/* Reading the status acknowledges it. */
static uint8_t isr_take(struct virtio_pci *p)
{
	uint8_t isr;

	pthread_mutex_lock(&p->v->lock);
	isr = p->isr;
	p->isr = 0;
	pci_set_intx(&p->pci, false);
	pthread_mutex_unlock(&p->v->lock);
	return isr;
}

/* [v->lock] */
static void reset_done(void *opaque)
{
	struct virtio_pci *p = opaque;

	p->offered_sel = p->accepted_sel = 0;
	p->queue_sel = 0;
	p->config_vector = NO_VECTOR;
	for (unsigned n = 0; n < VIRTIO_MAX_QUEUES; n++)
		p->queue_vector[n] = NO_VECTOR;
	p->isr = 0;
	pci_set_intx(&p->pci, false);
}

/* ---- the BAR ------------------------------------------------------------------------------- */

static bool bar_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	struct virtio_pci *p = opaque;
	uint8_t buf[8] = { 0 };

	*value = 0;
	switch (align_down(off, PAGE)) {
	case AT_COMMON:
		*value = common_read(p, off, size);
		break;
	case AT_ISR:
		if (off == AT_ISR)
			*value = isr_take(p);
		break;
	case AT_DEVICE:
		virtio_read_config(p->v, off - AT_DEVICE, buf, size);
		*value = ld_le64(buf);
		break;
	}
	return true;
}

static bool bar_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct virtio_pci *p = opaque;
	uint8_t buf[8];

	switch (align_down(off, PAGE)) {
	case AT_COMMON:
		common_write(p, off, size, value);
		break;
	case AT_DEVICE:
		st_le64(buf, value);
		virtio_write_config(p->v, off - AT_DEVICE, buf, size);
		break;
	case AT_NOTIFY:
		/* The place says which queue; what is written does not matter. */
		if (off % NOTIFY_MULTIPLIER == 0)
			virtio_ring(p->v, (uint32_t)(off - AT_NOTIFY) / NOTIFY_MULTIPLIER);
		break;
	}
	return true;
}

static const struct bus_ops bar_ops = { .read = bar_read, .write = bar_write };

/* ---- configuration space ------------------------------------------------------------------- */

/* What the access capability points at: false when the driver filled it with nonsense. */
static bool window_target(struct virtio_pci *p, uint64_t *off, unsigned *size)
{
	const unsigned at = p->cfg_cap;

	*off = pci_config_get(&p->pci, at + CAP_OFFSET, 4);
	*size = pci_config_get(&p->pci, at + CAP_LENGTH, 4);
	return pci_config_get(&p->pci, at + CAP_BAR, 1) == BAR_REGS &&
	       (*size == 1 || *size == 2 || *size == 4) && *off % *size == 0 &&
	       range_within(*off, *size, BAR_BYTES);
}

static bool is_window_data(const struct virtio_pci *p, unsigned off)
{
	return p->cfg_cap && off >= p->cfg_cap + CAP_EXTRA && off < p->cfg_cap + CAP_LONG_BYTES;
}

static bool config_read(struct pci_dev *d, unsigned off, unsigned size, uint32_t *value)
{
	struct virtio_pci *p = container_of(d, struct virtio_pci, pci);
	uint64_t at, data;
	unsigned width;

	if (!is_window_data(p, off) || !window_target(p, &at, &width))
		return false;
	bar_read(p, at, width, &data);
	*value = (uint32_t)data >> 8 * (off - p->cfg_cap - CAP_EXTRA);
	if (size < 4)
		*value &= (1U << 8 * size) - 1;
	return true;
}

static void config_written(struct pci_dev *d, unsigned off, unsigned size)
{
	struct virtio_pci *p = container_of(d, struct virtio_pci, pci);
	uint64_t at;
	unsigned width;

	if (off < 8)
		virtio_set_dma(p->v, pci_bus_master(d));
	if (is_window_data(p, off) && window_target(p, &at, &width))
		bar_write(p, at, width,
			  pci_config_get(d, p->cfg_cap + CAP_EXTRA, 4) & (BIT(8 * width) - 1));
}

static void add_cap(struct virtio_pci *p, uint8_t type, uint32_t offset, uint32_t length,
		    unsigned bytes, uint32_t extra)
{
	uint8_t cap[CAP_LONG_BYTES] = { [CAP_LEN] = (uint8_t)bytes, [CAP_TYPE] = type,
					[CAP_BAR] = BAR_REGS };

	st_le32(cap + CAP_OFFSET, offset);
	st_le32(cap + CAP_LENGTH, length);
	st_le32(cap + CAP_EXTRA, extra);
	pci_add_capability(&p->pci, CAP_VENDOR, cap + CAP_HEADER, NULL, bytes - CAP_HEADER);
}

static void add_capabilities(struct virtio_pci *p)
{
	const uint32_t notify_bytes = p->v->queue_count * NOTIFY_MULTIPLIER;
	uint8_t window[CAP_LONG_BYTES] = { [CAP_LEN] = CAP_LONG_BYTES, [CAP_TYPE] = CAP_PCI_CFG };
	uint8_t writable[CAP_LONG_BYTES] = { [CAP_BAR] = 0xff };

	add_cap(p, CAP_COMMON, AT_COMMON, COMMON_BYTES, CAP_BYTES, 0);
	add_cap(p, CAP_NOTIFY, AT_NOTIFY, notify_bytes, CAP_LONG_BYTES, NOTIFY_MULTIPLIER);
	add_cap(p, CAP_ISR, AT_ISR, 1, CAP_BYTES, 0);
	if (p->v->ops->config_size)
		add_cap(p, CAP_DEVICE, AT_DEVICE, p->v->ops->config_size, CAP_BYTES, 0);
	memset(writable + CAP_OFFSET, 0xff, CAP_LONG_BYTES - CAP_OFFSET);
	p->cfg_cap = pci_add_capability(&p->pci, CAP_VENDOR, window + CAP_HEADER,
					writable + CAP_HEADER, CAP_LONG_BYTES - CAP_HEADER);
}

/* ---- life ----------------------------------------------------------------------------------- */

/* Base class and sub-class of each kind (PCI Code and ID Assignment 1.11 §1). */
static uint32_t class_of(enum virtio_id id)
{
	switch (id) {
	case VIRTIO_ID_NET:
		return 0x020000;	/* Ethernet controller */
	case VIRTIO_ID_BLOCK:
		return 0x010000;	/* SCSI controller */
	case VIRTIO_ID_CONSOLE:
		return 0x078000;	/* other communication controller */
	case VIRTIO_ID_INPUT:
		return 0x090000;	/* keyboard controller */
	default:
		return 0x00ff00;	/* no class fits */
	}
}

/* The host has reset the command register: no bus mastering. */
static void dev_reset(struct dev *d)
{
	struct virtio_pci *p = container_of(d, struct virtio_pci, dev);

	virtio_set_dma(p->v, pci_bus_master(&p->pci));
}

static void dev_fini(struct dev *d)
{
	free(container_of(d, struct virtio_pci, dev));
}

static const struct dev_ops dev_ops = { .reset = dev_reset, .fini = dev_fini };

int virtio_pci_new(struct vm *vm, struct pci_host *host, unsigned slot, struct virtio *v,
		   struct err *err)
{
	const struct pci_dev_cfg cfg = {
		.vendor = VENDOR, .device = (uint16_t)(DEVICE_BASE + v->ops->id),
		.subvendor = VENDOR, .subdevice = SUBDEVICE,
		.class = class_of(v->ops->id), .revision = 1, .intx = true,
		.msix_vectors = (uint16_t)(v->queue_count + 1), .msix_bar = BAR_MSIX,
	};
	struct virtio_pci *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return err_sys(err, -ENOMEM, "%s", v->name);
	p->v = v;
	p->pci.bars[BAR_REGS] = (struct pci_bar){
		.size = BAR_BYTES, .is64 = true, .ops = &bar_ops, .opaque = p,
	};
	p->pci.config_read = config_read;
	p->pci.config_written = config_written;
	rc = pci_dev_add(host, &p->pci, slot, v->name, &cfg, err);
	if (rc) {
		free(p);
		return rc;
	}
	add_capabilities(p);
	p->dev.ops = &dev_ops;
	p->dev.name = v->name;
	vm_add_dev(vm, &p->dev);
	reset_done(p);
	v->dma_off = true;
	v->transport = (struct virtio_transport){
		.interrupt = raise, .reset_done = reset_done, .opaque = p,
	};
	return 0;
}
