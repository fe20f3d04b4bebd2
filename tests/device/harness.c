/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/device/harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "block/raw.h"
#include "dev/virtio/blk.h"
#include "dev/virtio/console.h"
#include "dev/virtio/input.h"
#include "dev/virtio/mmio.h"
#include "dev/virtio/net.h"
#include "dev/virtio/pci_transport.h"
#include "dev/virtio/rng.h"
#include "net/user.h"
#include "tests/device/slow.h"

enum { DEADLINE_S = 60 };

/* ---- the machine -------------------------------------------------------------------------- */

static int no_cpu(struct vcpu *v, struct err *err)
{
	return 0;
}

static void no_fini(struct vcpu *v)
{
}

static const struct engine_ops fake = { .name = "none", .vcpu_init = no_cpu, .vcpu_fini = no_fini };

static int no_boot(struct vm *vm, struct err *err)
{
	return 0;
}

static void on_line(void *opaque, unsigned n, bool level)
{
	struct rig *r = opaque;

	pthread_mutex_lock(&r->lock);
	if (level && !r->level[n])
		r->events++;
	r->level[n] = level;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

static void on_message(void *opaque, uint64_t address, uint32_t data)
{
	struct rig *r = opaque;

	pthread_mutex_lock(&r->lock);
	r->msgs[r->msg_count % RIG_MSGS].address = address;
	r->msgs[r->msg_count % RIG_MSGS].data = data;
	r->msg_count++;
	r->events++;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

bool rig_line(struct rig *r, unsigned line)
{
	bool level;

	pthread_mutex_lock(&r->lock);
	level = r->level[line];
	pthread_mutex_unlock(&r->lock);
	return level;
}

unsigned rig_events(struct rig *r)
{
	unsigned events;

	pthread_mutex_lock(&r->lock);
	events = r->events;
	pthread_mutex_unlock(&r->lock);
	return events;
}

static struct chan *port(struct rig *r, enum rig_place place, unsigned n)
{
	struct chan *c;
	struct err err;
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(chan_new(&c, r->vm.loop, s[0], &err), 0);
	r->peers[place][n] = s[1];
	return c;
}

static struct virtio *make_console(struct rig *r, enum rig_place place, const char *name)
{
	const struct virtio_console_cfg cfg = {
		.console = port(r, place, PORT_CONSOLE),
		.ports = { { "org.qemu.guest_agent.0", port(r, place, PORT_AGENT) } },
		.port_count = 1,
	};
	struct virtio *v;
	struct err err;

	assert_int_equal(virtio_console_new(&v, &r->vm, name, &cfg, &err), 0);
	return v;
}

/* A disk of zeroes that no file system knows. */
static struct virtio *make_disk(struct rig *r, const char *name)
{
	const int fd = memfd_create("disk", MFD_CLOEXEC);
	struct virtio *v;
	struct blk *blk;
	struct err err;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, RIG_DISK_BYTES), 0);
	assert_int_equal(blk_raw_open(&blk, r->vm.loop, fd, 0, name, &err), 0);
	assert_int_equal(virtio_blk_new(&v, &r->vm, blk, "disk", 1, name, &err), 0);
	return v;
}

static struct virtio *make_net(struct rig *r, enum rig_place place)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
	struct virtio *v;
	struct net *net;
	struct err err;
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
	r->peers[place][0] = s[1];
	assert_int_equal(net_user_open(&net, r->vm.loop, s[0], &err), 0);
	assert_int_equal(virtio_net_new(&v, &r->vm, net, mac, "net", &err), 0);
	return v;
}

static struct virtio *make_device(struct rig *r, enum rig_place place)
{
	struct virtio *v = NULL;
	struct err err;

	switch (place) {
	case PCI_CONSOLE:
		return make_console(r, place, "console-pci");
	case MMIO_CONSOLE:
		return make_console(r, place, "console-mmio");
	case PCI_INPUT:
		assert_int_equal(virtio_input_new(&v, &r->vm, "power-pci", &err), 0);
		return v;
	case MMIO_INPUT:
		assert_int_equal(virtio_input_new(&v, &r->vm, "power-mmio", &err), 0);
		return v;
	case PCI_SLOW:
	case MMIO_SLOW:
		assert_int_equal(slow_new(&v, &r->vm, "slow", &err), 0);
		return v;
	case PCI_BLK:
		return make_disk(r, "disk-pci");
	case MMIO_BLK:
		return make_disk(r, "disk-mmio");
	case PCI_NET:
	case MMIO_NET:
		return make_net(r, place);
	case MMIO_EMPTY:
		return NULL;
	default:
		assert_int_equal(virtio_rng_new(&v, &r->vm, "rng", &err), 0);
		return v;
	}
}

static void add_devices(struct rig *r)
{
	const struct pci_host_cfg cfg = {
		.ecam = ECAM_BASE,
		.mem32 = { MEM32_BASE, MEM32_BYTES },
		.mem64 = { MEM64_BASE, MEM64_BYTES },
		.intx = {
			{ on_line, r, 0 }, { on_line, r, 1 }, { on_line, r, 2 }, { on_line, r, 3 },
		},
	};
	struct err err;

	assert_int_equal(pci_host_new(&r->host, &r->vm, &cfg, &err), 0);
	for (unsigned p = PCI_RNG; p < PCI_END; p++) {
		r->devices[p] = make_device(r, p);
		assert_int_equal(virtio_pci_new(&r->vm, r->host, p, r->devices[p], &err), 0);
	}
	for (unsigned p = MMIO_SLOTS; p < RIG_PLACES; p++) {
		r->devices[p] = make_device(r, p);
		assert_int_equal(virtio_mmio_new(&r->vm,
						 MMIO_BASE + (p - MMIO_SLOTS) * VIRTIO_MMIO_BYTES,
						 (struct irq_line){ on_line, r, 4 + p },
						 r->devices[p], &err), 0);
	}
}

struct rig *rig_new_with(struct virtio *(*make)(struct rig *r, void *arg), void *arg)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct err err;

	alarm(DEADLINE_S);
	memset(r->peers, 0xff, sizeof(r->peers));
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	assert_int_equal(vm_init(&r->vm, &fake, 10000000, &err), 0);
	assert_int_equal(gmem_add(&r->vm.mem, RAM_BASE, RAM_BYTES, GMEM_RAM, "RAM", &r->ram, &err),
			 0);
	assert_int_equal(gmem_add(&r->vm.mem, ROM_BASE, ROM_BYTES, GMEM_ROM, "ROM", NULL, &err), 0);
	r->next_free = RAM_BASE;
	r->next32 = MEM32_BASE;
	r->next64 = MEM64_BASE;
	r->vm.msi = (struct msi_target){ .send = on_message, .opaque = r };
	r->vm.boot = no_boot;
	add_devices(r);
	if (make) {
		r->devices[PCI_TESTED] = make(r, arg);
		assert_int_equal(virtio_pci_new(&r->vm, r->host, PCI_TESTED, r->devices[PCI_TESTED],
						&err), 0);
	}
	assert_int_equal(vm_start(&r->vm, NULL, &err), 0);
	return r;
}

struct rig *rig_new(void)
{
	return rig_new_with(NULL, NULL);
}

void rig_free(struct rig *r)
{
	vm_fini(&r->vm);
	for (unsigned p = 0; p < RIG_PLACES; p++)
		for (unsigned n = 0; n < 2; n++)
			if (r->peers[p][n] >= 0)
				close(r->peers[p][n]);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
	alarm(0);
}

int rig_setup(void **state)
{
	*state = rig_new();
	return 0;
}

int rig_teardown(void **state)
{
	rig_free(*state);
	return 0;
}

gpa_t rig_alloc(struct rig *r, uint64_t size, uint64_t align)
{
	const gpa_t at = align_up(r->next_free, align);

	assert_true(at + size <= RAM_BASE + RAM_BYTES);
	r->next_free = at + size;
	memset(rig_ram(r, at), 0, size);
	return at;
}

uint8_t *rig_ram(struct rig *r, gpa_t gpa)
{
	return gpa - RAM_BASE < RAM_BYTES ? r->ram + (gpa - RAM_BASE) : NULL;
}

static void nothing(void *arg)
{
}

/* Tasks run in the order they were posted; one that posts itself again needs another round. */
void rig_settle(struct rig *r)
{
	for (unsigned i = 0; i < 4; i++)
		loop_call(r->vm.loop, nothing, NULL);
}

uint64_t rig_read(struct rig *r, gpa_t gpa, unsigned size)
{
	uint64_t value;

	assert_true(bus_read(&r->vm.bus, gpa, size, &value));
	return value;
}

void rig_write(struct rig *r, gpa_t gpa, unsigned size, uint64_t value)
{
	assert_true(bus_write(&r->vm.bus, gpa, size, value));
}

/* ---- PCI ------------------------------------------------------------------------------- */

enum { CAP_POINTER = 0x34, BAR0 = 0x10, COMMAND = 4, CAP_LIMIT = 64 };

unsigned pci_find_cap(struct rig *r, unsigned slot, uint8_t id, unsigned n)
{
	unsigned at = (unsigned)rig_read(r, pci_fn(slot) + CAP_POINTER, 1);

	for (unsigned i = 0; at && i < CAP_LIMIT; i++) {
		if (rig_read(r, pci_fn(slot) + at, 1) == id && !n--)
			return at;
		at = (unsigned)rig_read(r, pci_fn(slot) + at + 1, 1);
	}
	return 0;
}

gpa_t pci_place_bar(struct rig *r, unsigned slot, unsigned n)
{
	const gpa_t reg = pci_fn(slot) + BAR0 + 4 * n;
	uint64_t mask, at;
	bool is64;

	rig_write(r, reg, 4, UINT32_MAX);
	mask = rig_read(r, reg, 4);
	if (!mask)
		return 0;
	is64 = mask & 4;
	if (is64) {
		rig_write(r, reg + 4, 4, UINT32_MAX);
		mask |= rig_read(r, reg + 4, 4) << 32;
	} else {
		mask |= UINT64_C(0xffffffff00000000);
	}
	mask &= ~UINT64_C(15);
	at = align_up(is64 ? r->next64 : r->next32, ~mask + 1);
	if (is64)
		r->next64 = at + ~mask + 1;
	else
		r->next32 = at + ~mask + 1;
	rig_write(r, reg, 4, (uint32_t)at);
	if (is64)
		rig_write(r, reg + 4, 4, at >> 32);
	return at;
}

void pci_set_command(struct rig *r, unsigned slot, uint16_t command)
{
	rig_write(r, pci_fn(slot) + COMMAND, 2, command);
}

/* Reads the vendor capabilities (virtio 1.2 §4.1.4). */
static void open_pci(struct driver *d)
{
	const gpa_t fn = pci_fn(d->place);
	gpa_t bars[6] = { 0 }, *where[] = { [1] = &d->regs, &d->notify, &d->isr, &d->config };

	assert_int_equal(rig_read(d->r, fn, 2), 0x1af4);
	for (unsigned n = 0; n < 6; n++) {
		bars[n] = pci_place_bar(d->r, d->place, n);
		if (bars[n] && rig_read(d->r, fn + BAR0 + 4 * n, 4) & 4)
			n++;
	}
	pci_set_command(d->r, d->place, CMD_MEMORY | CMD_MASTER);
	for (unsigned i = 0, cap; (cap = pci_find_cap(d->r, d->place, 9, i)); i++) {
		const unsigned type = (unsigned)rig_read(d->r, fn + cap + 3, 1);

		if (!type || type >= ARRAY_LEN(where))
			continue;
		*where[type] = bars[rig_read(d->r, fn + cap + 4, 1)] +
			       rig_read(d->r, fn + cap + 8, 4);
		if (type == 2)
			d->notify_multiplier = (uint32_t)rig_read(d->r, fn + cap + 16, 4);
	}
	d->msix = bars[rig_read(d->r, fn + pci_find_cap(d->r, d->place, 0x11, 0) + 4, 4) & 7];
}

/* ---- a driver --------------------------------------------------------------------------- */

void driver_open(struct driver *d, struct rig *r, enum rig_place place)
{
	memset(d, 0, sizeof(*d));
	d->r = r;
	d->place = place;
	d->mmio = place >= MMIO_SLOTS;
	if (!d->mmio) {
		open_pci(d);
		return;
	}
	d->regs = MMIO_BASE + (place - MMIO_SLOTS) * VIRTIO_MMIO_BYTES;
	d->config = d->regs + 0x100;
	assert_int_equal(rig_read(r, d->regs, 4), 0x74726976);
	assert_int_equal(rig_read(r, d->regs + 4, 4), 2);
}

uint8_t driver_status(struct driver *d)
{
	return (uint8_t)(d->mmio ? rig_read(d->r, d->regs + 0x70, 4)
				 : rig_read(d->r, d->regs + 0x14, 1));
}

void driver_set_status(struct driver *d, uint8_t status)
{
	if (d->mmio)
		rig_write(d->r, d->regs + 0x70, 4, status);
	else
		rig_write(d->r, d->regs + 0x14, 1, status);
}

void driver_reset(struct driver *d)
{
	driver_set_status(d, 0);
	if (d->mmio)
		assert_int_equal(driver_status(d), 0);
	while (driver_status(d))
		rig_settle(d->r);
}

static const struct {
	unsigned offered_sel, offered, accepted_sel, accepted;
} feature_regs[2] = { { 0x00, 0x04, 0x08, 0x0c }, { 0x14, 0x10, 0x24, 0x20 } };

uint64_t driver_offered(struct driver *d)
{
	uint64_t features = 0;

	for (unsigned half = 0; half < 2; half++) {
		rig_write(d->r, d->regs + feature_regs[d->mmio].offered_sel, 4, half);
		features |= rig_read(d->r, d->regs + feature_regs[d->mmio].offered, 4) << 32 * half;
	}
	return features;
}

void driver_accept(struct driver *d, uint64_t features)
{
	for (unsigned half = 0; half < 2; half++) {
		rig_write(d->r, d->regs + feature_regs[d->mmio].accepted_sel, 4, half);
		rig_write(d->r, d->regs + feature_regs[d->mmio].accepted, 4,
			  (uint32_t)(features >> 32 * half));
	}
}

void driver_negotiate(struct driver *d, uint64_t mask)
{
	driver_reset(d);
	driver_set_status(d, VIRTIO_S_ACKNOWLEDGE);
	driver_set_status(d, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	driver_accept(d, driver_offered(d) & mask);
	driver_set_status(d, driver_status(d) | VIRTIO_S_FEATURES_OK);
	assert_int_equal(driver_status(d), VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER |
						   VIRTIO_S_FEATURES_OK);
}

void queue_select(struct driver *d, unsigned n)
{
	if (d->mmio)
		rig_write(d->r, d->regs + 0x30, 4, n);
	else
		rig_write(d->r, d->regs + 0x16, 2, n);
}

uint16_t queue_max(struct driver *d, unsigned n)
{
	queue_select(d, n);
	return (uint16_t)(d->mmio ? rig_read(d->r, d->regs + 0x34, 4)
				  : rig_read(d->r, d->regs + 0x18, 2));
}

void queue_program(struct driver *d, unsigned n)
{
	const struct dqueue *q = &d->queues[n];
	const gpa_t address[3] = { q->desc, q->avail, q->used };

	queue_select(d, n);
	if (d->mmio)
		rig_write(d->r, d->regs + 0x38, 4, q->size);
	else
		rig_write(d->r, d->regs + 0x18, 2, q->size);
	for (unsigned i = 0; i < 3; i++) {
		const gpa_t reg = d->regs + (d->mmio ? 0x80 + 0x10 * i : 0x20 + 8 * i);

		rig_write(d->r, reg, 4, (uint32_t)address[i]);
		rig_write(d->r, reg + 4, 4, address[i] >> 32);
	}
	if (d->mmio)
		rig_write(d->r, d->regs + 0x44, 4, 1);
	else
		rig_write(d->r, d->regs + 0x1c, 2, 1);
}

void queue_setup(struct driver *d, unsigned n, uint16_t size)
{
	assert_in_range(size, 1, queue_max(d, n));
	d->queues[n] = (struct dqueue){
		.size = size,
		/* Room for one more behind the table, which no device may look at. */
		.desc = rig_alloc(d->r, 16 * (size + 1), 16),
		.avail = rig_alloc(d->r, 6 + 2 * size, 2),
		.used = rig_alloc(d->r, 6 + 8 * size, 4),
	};
	queue_program(d, n);
}

void driver_start(struct driver *d, uint64_t mask, unsigned count, uint16_t size)
{
	driver_negotiate(d, mask);
	for (unsigned n = 0; n < count; n++)
		queue_setup(d, n, size);
	driver_set_status(d, driver_status(d) | VIRTIO_S_DRIVER_OK);
}

void table_desc(struct rig *r, gpa_t table, unsigned i, gpa_t addr, uint32_t len, uint16_t flags,
		uint16_t next)
{
	uint8_t raw[16], *at = rig_ram(r, table + 16 * i);

	st_le64(raw, addr);
	st_le32(raw + 8, len);
	st_le16(raw + 12, flags);
	st_le16(raw + 14, next);
	for (unsigned k = 0; k < sizeof(raw); k++)
		ram_st8(at + k, raw[k]);
}

void ring_desc(struct driver *d, unsigned n, unsigned i, gpa_t addr, uint32_t len, uint16_t flags,
	       uint16_t next)
{
	table_desc(d->r, d->queues[n].desc, i, addr, len, flags, next);
}

static void store_ordered(uint8_t *p, uint16_t value)
{
	__atomic_store_n((uint16_t *)(void *)p, value, __ATOMIC_SEQ_CST);
}

void ring_avail(struct driver *d, unsigned n, uint16_t head)
{
	struct dqueue *q = &d->queues[n];
	uint8_t *ring = rig_ram(d->r, q->avail);

	ram_st16(ring + 4 + 2 * (q->avail_idx % q->size), head);
	/* used_event: an interrupt for the very next used element */
	store_ordered(ring + 4 + 2 * q->size, q->last_used);
	q->avail_idx++;
	store_ordered(ring + 2, q->avail_idx);
}

void ring_kick(struct driver *d, unsigned n)
{
	if (d->mmio)
		rig_write(d->r, d->regs + 0x50, 4, n);
	else
		rig_write(d->r, d->notify + n * d->notify_multiplier, 2, n);
}

bool ring_has_used(struct driver *d, unsigned n)
{
	const uint8_t *ring = rig_ram(d->r, d->queues[n].used);

	return __atomic_load_n((const uint16_t *)(const void *)(ring + 2), __ATOMIC_SEQ_CST) !=
	       d->queues[n].last_used;
}

/* ---- waiting ------------------------------------------------------------------------------- */

/* Lowers the line: an interrupt after this is a new one. */
static void acknowledge(struct driver *d)
{
	if (d->sharer)
		rig_read(d->r, d->sharer->isr, 1);
	if (d->mmio)
		rig_write(d->r, d->regs + 0x64, 4, rig_read(d->r, d->regs + 0x60, 4));
	else
		rig_read(d->r, d->isr, 1);
}

void driver_wait(struct driver *d, bool (*cond)(void *arg), void *arg)
{
	struct rig *r = d->r;
	unsigned seen;

	for (;;) {
		seen = rig_events(r);
		acknowledge(d);
		if (cond(arg))
			return;
		pthread_mutex_lock(&r->lock);
		while (r->events == seen)
			pthread_cond_wait(&r->changed, &r->lock);
		pthread_mutex_unlock(&r->lock);
	}
}

struct used_wait {
	struct driver *d;
	unsigned n;
};

static bool has_used(void *arg)
{
	const struct used_wait *w = arg;

	return ring_has_used(w->d, w->n);
}

void ring_wait(struct driver *d, unsigned n, uint32_t *id, uint32_t *len)
{
	struct dqueue *q = &d->queues[n];
	struct used_wait w = { d, n };
	const uint8_t *entry;

	driver_wait(d, has_used, &w);
	entry = rig_ram(d->r, q->used) + 4 + 8 * (q->last_used % q->size);
	*id = ram_ld32(entry);
	*len = ram_ld32(entry + 4);
	q->last_used++;
	/* The next one shall interrupt too; ring_has_used() looks again afterwards. */
	store_ordered(rig_ram(d->r, q->avail) + 4 + 2 * q->size, q->last_used);
}

static bool is_broken(void *arg)
{
	return driver_status(arg) & VIRTIO_S_NEEDS_RESET;
}

void driver_wait_broken(struct driver *d)
{
	driver_wait(d, is_broken, d);
}

/* ---- whole flows ------------------------------------------------------------------------- */

void rng_works(struct driver *d)
{
	gpa_t buf;
	uint32_t id, len;
	unsigned zeroes = 0;

	driver_start(d, UINT64_MAX, 1, 8);
	buf = rig_alloc(d->r, 64, 8);
	ring_desc(d, 0, 5, buf, 24, D_WRITE | D_NEXT, 2);
	ring_desc(d, 0, 2, buf + 32, 32, D_WRITE, 0);
	ring_avail(d, 0, 5);
	ring_kick(d, 0);
	ring_wait(d, 0, &id, &len);
	assert_int_equal(id, 5);
	assert_int_equal(len, 56);
	assert_int_equal(ld_le64(rig_ram(d->r, buf + 24)), 0);
	for (unsigned i = 0; i < 64; i++)
		zeroes += !*rig_ram(d->r, buf + i);
	/* 8 that stay zero, and not many of 56 random ones */
	assert_in_range(zeroes, 8, 8 + 20);
	assert_false(driver_status(d) & VIRTIO_S_NEEDS_RESET);
}

void neighbour_works(struct driver *d)
{
	struct driver other;

	driver_open(&other, d->r, d->mmio ? MMIO_NEIGHBOUR : PCI_NEIGHBOUR);
	rng_works(&other);
	driver_reset(&other);
}
