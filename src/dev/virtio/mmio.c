/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/virtio/mmio.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"

/* Registers (virtio 1.2 §4.2.2), all 32 bits wide. */
enum {
	REG_MAGIC = 0x000,
	REG_VERSION = 0x004,
	REG_DEVICE_ID = 0x008,
	REG_VENDOR_ID = 0x00c,
	REG_OFFERED = 0x010,
	REG_OFFERED_SEL = 0x014,
	REG_ACCEPTED = 0x020,
	REG_ACCEPTED_SEL = 0x024,
	REG_QUEUE_SEL = 0x030,
	REG_QUEUE_MAX = 0x034,
	REG_QUEUE_SIZE = 0x038,
	REG_QUEUE_READY = 0x044,
	REG_QUEUE_NOTIFY = 0x050,
	REG_INTERRUPT = 0x060,
	REG_INTERRUPT_ACK = 0x064,
	REG_STATUS = 0x070,
	REG_QUEUE_DESC_LO = 0x080,
	REG_QUEUE_DESC_HI = 0x084,
	REG_QUEUE_AVAIL_LO = 0x090,
	REG_QUEUE_AVAIL_HI = 0x094,
	REG_QUEUE_USED_LO = 0x0a0,
	REG_QUEUE_USED_HI = 0x0a4,
	REG_SHM_LEN_LO = 0x0b0,
	REG_SHM_BASE_HI = 0x0bc,
	REG_GENERATION = 0x0fc,
	REG_CONFIG = 0x100,
};

enum {
	MAGIC = 0x74726976,		/* "virt" */
	VERSION = 2,
	VENDOR = 0x554d4551,		/* small kernels accept no other */
	INTERRUPT_QUEUE = 1,
	INTERRUPT_CONFIG = 2,
};

struct virtio_mmio {
	struct virtio *v;		/* NULL: an empty slot */
	struct irq_line irq;
	struct dev dev;

	/* under v->lock */
	uint32_t offered_sel, accepted_sel, queue_sel;
	uint32_t interrupt;
};

/* [v->lock] */
static void update_irq(struct virtio_mmio *m)
{
	irq_set(&m->irq, m->interrupt);
}

static void raise(void *opaque, int n)
{
	struct virtio_mmio *m = opaque;

	pthread_mutex_lock(&m->v->lock);
	m->interrupt |= n < 0 ? INTERRUPT_CONFIG : INTERRUPT_QUEUE;
	update_irq(m);
	pthread_mutex_unlock(&m->v->lock);
}

/* [v->lock] */
static void reset_done(void *opaque)
{
	struct virtio_mmio *m = opaque;

	m->offered_sel = m->accepted_sel = m->queue_sel = m->interrupt = 0;
	update_irq(m);
}

/* The queue register at off; false: there is none. */
static bool queue_register(uint64_t off, enum virtq_reg *reg)
{
	static const struct {
		uint16_t off;
		enum virtq_reg reg;
	} map[] = {
		{ REG_QUEUE_MAX, VIRTQ_REG_MAX_SIZE },
		{ REG_QUEUE_SIZE, VIRTQ_REG_SIZE },
		{ REG_QUEUE_READY, VIRTQ_REG_ENABLE },
		{ REG_QUEUE_DESC_LO, VIRTQ_REG_DESC_LO },
		{ REG_QUEUE_DESC_HI, VIRTQ_REG_DESC_HI },
		{ REG_QUEUE_AVAIL_LO, VIRTQ_REG_AVAIL_LO },
		{ REG_QUEUE_AVAIL_HI, VIRTQ_REG_AVAIL_HI },
		{ REG_QUEUE_USED_LO, VIRTQ_REG_USED_LO },
		{ REG_QUEUE_USED_HI, VIRTQ_REG_USED_HI },
	};

	for (unsigned i = 0; i < ARRAY_LEN(map); i++) {
		if (map[i].off == off) {
			*reg = map[i].reg;
			return true;
		}
	}
	return false;
}

/* ---- accesses ------------------------------------------------------------------------------ */

static uint32_t locked_get(struct virtio_mmio *m, const uint32_t *field)
{
	uint32_t value;

	pthread_mutex_lock(&m->v->lock);
	value = *field;
	pthread_mutex_unlock(&m->v->lock);
	return value;
}

static void locked_set(struct virtio_mmio *m, uint32_t *field, uint32_t value)
{
	pthread_mutex_lock(&m->v->lock);
	*field = value;
	pthread_mutex_unlock(&m->v->lock);
}

static uint32_t register_read(struct virtio_mmio *m, uint64_t off)
{
	struct virtio *v = m->v;
	enum virtq_reg reg;

	if (queue_register(off, &reg)) {
		/* What the driver wrote into the address registers it cannot read back. */
		return reg <= VIRTQ_REG_ENABLE
			       ? virtio_queue_read(v, locked_get(m, &m->queue_sel), reg) : 0;
	}
	switch (off) {
	case REG_OFFERED:
		return virtio_read_offered(v, locked_get(m, &m->offered_sel));
	case REG_INTERRUPT:
		return locked_get(m, &m->interrupt);
	case REG_STATUS:
		return virtio_get_status(v);
	case REG_GENERATION:
		return locked_get(m, &v->config_generation);
	}
	/* There is no shared memory region: its length and place are all ones (§4.2.2). */
	return off >= REG_SHM_LEN_LO && off <= REG_SHM_BASE_HI ? UINT32_MAX : 0;
}

static void register_write(struct virtio_mmio *m, uint64_t off, uint32_t value)
{
	struct virtio *v = m->v;
	enum virtq_reg reg;

	if (queue_register(off, &reg)) {
		virtio_queue_write(v, locked_get(m, &m->queue_sel), reg, value);
		return;
	}
	switch (off) {
	case REG_OFFERED_SEL:
		locked_set(m, &m->offered_sel, value);
		break;
	case REG_ACCEPTED:
		virtio_write_accepted(v, locked_get(m, &m->accepted_sel), value);
		break;
	case REG_ACCEPTED_SEL:
		locked_set(m, &m->accepted_sel, value);
		break;
	case REG_QUEUE_SEL:
		locked_set(m, &m->queue_sel, value);
		break;
	case REG_QUEUE_NOTIFY:
		virtio_ring(v, value);
		break;
	case REG_INTERRUPT_ACK:
		pthread_mutex_lock(&v->lock);
		m->interrupt &= ~value;
		update_irq(m);
		pthread_mutex_unlock(&v->lock);
		break;
	case REG_STATUS:
		virtio_set_status(v, (uint8_t)value);
		if (!(uint8_t)value)
			virtio_wait_reset(v);
		break;
	}
}

/* What a slot says of itself, with or without a device in it. */
static bool identify(const struct virtio_mmio *m, uint64_t off, uint32_t *value)
{
	switch (off) {
	case REG_MAGIC:
		*value = MAGIC;
		return true;
	case REG_VERSION:
		*value = VERSION;
		return true;
	case REG_DEVICE_ID:
		*value = m->v ? m->v->ops->id : 0;
		return true;
	case REG_VENDOR_ID:
		*value = VENDOR;
		return true;
	}
	return false;
}

/* Registers are accessed as words (§4.2.2.2); other sizes read 0 and are dropped. */
static bool mmio_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	struct virtio_mmio *m = opaque;
	uint8_t buf[8] = { 0 };
	uint32_t word = 0;

	if (off < REG_CONFIG) {
		if (size == 4 && !identify(m, off, &word) && m->v)
			word = register_read(m, off);
		*value = word;
	} else {
		if (m->v)
			virtio_read_config(m->v, off - REG_CONFIG, buf, size);
		*value = ld_le64(buf);
	}
	return true;
}

static bool mmio_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct virtio_mmio *m = opaque;
	uint8_t buf[8];

	if (!m->v)
		return true;
	if (off >= REG_CONFIG) {
		st_le64(buf, value);
		virtio_write_config(m->v, off - REG_CONFIG, buf, size);
	} else if (size == 4) {
		register_write(m, off, (uint32_t)value);
	}
	return true;
}

static const struct bus_ops mmio_ops = { .read = mmio_read, .write = mmio_write };

/* ---- life ---------------------------------------------------------------------------------- */

/* The device's own reset clears the registers; an empty slot has none. */
static void dev_reset(struct dev *d)
{
}

static void dev_fini(struct dev *d)
{
	free(container_of(d, struct virtio_mmio, dev));
}

static const struct dev_ops dev_ops = { .reset = dev_reset, .fini = dev_fini };

int virtio_mmio_new(struct vm *vm, gpa_t base, struct irq_line irq, struct virtio *v,
		    struct err *err)
{
	struct virtio_mmio *m = calloc(1, sizeof(*m));
	struct bus_region region = {
		.base = base, .size = VIRTIO_MMIO_BYTES, .ops = &mmio_ops, .opaque = m,
		.name = v ? v->name : "virtio-mmio slot",
	};
	int rc;

	if (!m)
		return err_sys(err, -ENOMEM, "%s", region.name);
	rc = bus_map(&vm->bus, &region, err);
	if (rc) {
		free(m);
		return rc;
	}
	m->v = v;
	m->irq = irq;
	m->dev.ops = &dev_ops;
	m->dev.name = region.name;
	vm_add_dev(vm, &m->dev);
	if (v)
		v->transport = (struct virtio_transport){
			.interrupt = raise, .reset_done = reset_done, .opaque = m,
		};
	return 0;
}
