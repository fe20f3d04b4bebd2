/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as a guest that means harm: a sequence of register accesses, ring contents and
 * doorbells against every device, with a host side that reads, writes, pauses and resets.
 * Whatever it did, the machine must stop, reset, and serve a correct driver afterwards.
 */
#include "tests/device/harness.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bits.h"
#include "base/log.h"
#include "dev/virtio/input.h"
#include "tests/device/slow.h"

enum { SIZE = 8, MAX_STEPS = 400, ARENA_BYTES = 64 * 1024 };

struct machine {
	struct rig *r;
	struct fuzz_input in;
	struct driver drivers[RIG_PLACES];
	gpa_t arena;			/* RAM for buffers and indirect tables */
};

static const enum rig_place places[] = {
	PCI_RNG, PCI_INPUT, PCI_CONSOLE, PCI_NEIGHBOUR, PCI_SHARER, PCI_SLOW, PCI_BLK, PCI_NET,
	MMIO_RNG, MMIO_INPUT, MMIO_CONSOLE, MMIO_NEIGHBOUR, MMIO_BLK, MMIO_NET, MMIO_EMPTY,
};

/* ---- choices ------------------------------------------------------------------------------- */

static uint64_t take(struct machine *m, unsigned bytes)
{
	return fuzz_take(&m->in, bytes);
}

static struct driver *pick_driver(struct machine *m)
{
	return &m->drivers[places[take(m, 1) % ARRAY_LEN(places)]];
}

static unsigned pick_queue(struct machine *m)
{
	return (unsigned)take(m, 1) % DRIVER_QUEUES;
}

static gpa_t pick_address(struct machine *m)
{
	const uint64_t choice = take(m, 1);
	const gpa_t special[] = {
		0, ROM_BASE, MMIO_BASE, ECAM_BASE, MEM32_BASE, MEM64_BASE, RAM_BASE - 1, RAM_BASE,
		RAM_BASE + RAM_BYTES - 8, RAM_BASE + RAM_BYTES, UINT64_MAX, UINT64_MAX - 15,
		BIT(56), BIT(63), m->drivers[PCI_RNG].regs, m->drivers[PCI_BLK].queues[0].used,
	};

	if (choice < 192)
		return m->arena + take(m, 2) % ARENA_BYTES;
	if (choice < 240)
		return special[choice % ARRAY_LEN(special)];
	return take(m, 8);
}

static uint32_t pick_length(struct machine *m)
{
	static const uint32_t special[] = {
		0, 1, 7, 8, 16, 17, 512, 4096, 65536, 1 << 24, UINT32_MAX, UINT32_MAX & ~15U, 528, 32,
		48, 1024,
	};
	const uint64_t choice = take(m, 1);

	return choice < 224 ? special[choice % ARRAY_LEN(special)] : (uint32_t)take(m, 4);
}

static uint64_t pick_value(struct machine *m)
{
	const uint64_t choice = take(m, 1);

	if (choice < 128)
		return choice;
	return choice < 144 ? UINT64_MAX : take(m, choice < 200 ? 2 : 8);
}

/* A register's address: the device's structures, its configuration space, or anywhere. */
static gpa_t pick_register(struct machine *m, const struct driver *d)
{
	const uint64_t choice = take(m, 1) % 16;
	const gpa_t bases[] = { d->regs, d->notify, d->isr, d->config, d->msix };

	if (d->mmio)
		return choice < 14 ? d->regs + take(m, 1) * 4 : d->regs + take(m, 2) % 0x1000;
	if (choice < 6)
		return d->regs + take(m, 1) % 64;
	if (choice < 11)
		return bases[choice - 6] + take(m, 1);
	if (choice < 14)
		return pci_fn(d->place) + take(m, 1);
	return choice == 14 ? ECAM_BASE + take(m, 4) % (1 << 28) : pick_address(m);
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void guest_write(struct machine *m, gpa_t gpa, unsigned size, uint64_t value)
{
	bus_write(&m->r->vm.bus, gpa, size, value);
}

static void step_access(struct machine *m, bool write)
{
	const struct driver *d = pick_driver(m);
	const gpa_t reg = pick_register(m, d);
	const unsigned size = 1U << take(m, 1) % 4;
	uint64_t value;

	if (write)
		guest_write(m, reg, size, pick_value(m));
	else
		bus_read(&m->r->vm.bus, reg, size, &value);
}

static void set_desc(struct machine *m, gpa_t table, unsigned i)
{
	const gpa_t address = pick_address(m);
	const uint32_t len = pick_length(m);
	const uint64_t flags = take(m, 1);

	table_desc(m->r, table, i, address, len,
		   (uint16_t)(flags < 240 ? flags % 8 : take(m, 2)),
		   (uint16_t)(flags < 200 ? take(m, 1) % SIZE : take(m, 2)));
}

static void step_desc(struct machine *m)
{
	const struct driver *d = pick_driver(m);
	const unsigned n = pick_queue(m);

	set_desc(m, d->queues[n].desc, (unsigned)take(m, 1) % SIZE);
}

static void step_table(struct machine *m)
{
	set_desc(m, m->arena + take(m, 1) * 16, 0);
}

static void step_avail(struct machine *m)
{
	struct driver *d = pick_driver(m);
	const unsigned n = pick_queue(m);
	const uint64_t head = take(m, 1);

	if (head >= 224)
		d->queues[n].avail_idx += (uint16_t)take(m, 2);
	ring_avail(d, n, (uint16_t)(head < 250 ? head % SIZE : take(m, 2)));
}

static void step_kick(struct machine *m)
{
	const struct driver *d = pick_driver(m);
	const unsigned n = pick_queue(m);

	guest_write(m, d->mmio ? d->regs + 0x50 : d->notify + 4 * n, 4, n);
}

/* The way of a correct driver, as far as the device lets it; queues may lie anywhere. */
static void step_begin(struct machine *m)
{
	struct driver *d = pick_driver(m);
	const uint64_t mask = ~take(m, 1) | take(m, 1) << 28;
	const unsigned status = d->mmio ? 0x70 : 0x14, width = d->mmio ? 4 : 1;

	if (d->place == MMIO_EMPTY)
		return;
	guest_write(m, d->regs + status, width, 0);
	guest_write(m, d->regs + status, width, 3);
	for (unsigned half = 0; half < 2; half++) {
		uint64_t offered = 0;

		guest_write(m, d->regs + (d->mmio ? 0x14 : 0), 4, half);
		bus_read(&m->r->vm.bus, d->regs + (d->mmio ? 0x10 : 4), 4, &offered);
		guest_write(m, d->regs + (d->mmio ? 0x24 : 8), 4, half);
		guest_write(m, d->regs + (d->mmio ? 0x20 : 12), 4,
			    offered & (uint32_t)(mask >> 32 * half));
	}
	guest_write(m, d->regs + status, width, 11);
	for (unsigned n = 0; n < DRIVER_QUEUES; n++) {
		struct dqueue *q = &d->queues[n];
		const uint64_t odd = take(m, 1);
		const gpa_t address[] = { odd == 1 ? pick_address(m) : q->desc,
					  odd == 2 ? pick_address(m) : q->avail,
					  odd == 3 ? pick_address(m) : q->used };

		memset(rig_ram(d->r, q->avail), 0, 4);
		q->avail_idx = q->last_used = 0;
		guest_write(m, d->regs + (d->mmio ? 0x30 : 0x16), d->mmio ? 4 : 2, n);
		guest_write(m, d->regs + (d->mmio ? 0x38 : 0x18), d->mmio ? 4 : 2,
			    odd == 4 ? take(m, 2) : SIZE);
		for (unsigned i = 0; i < 3; i++) {
			const gpa_t reg = d->regs + (d->mmio ? 0x80 + 0x10 * i : 0x20 + 8 * i);

			guest_write(m, reg, 4, (uint32_t)address[i]);
			guest_write(m, reg + 4, 4, address[i] >> 32);
		}
		guest_write(m, d->regs + (d->mmio ? 0x44 : 0x1c), d->mmio ? 4 : 2, 1);
	}
	guest_write(m, d->regs + status, width, 15);
}

static void step_memory(struct machine *m)
{
	uint8_t *at = rig_ram(m->r, m->arena + take(m, 2) % (ARENA_BYTES - 16));
	const unsigned n = (unsigned)take(m, 1) % 16;

	for (unsigned i = 0; i < n; i++)
		ram_st8(at + i, (uint8_t)take(m, 1));
}

static void press(void *arg)
{
	struct machine *m = arg;

	virtio_input_press_power(m->r->devices[PCI_INPUT]);
	virtio_input_press_power(m->r->devices[MMIO_INPUT]);
}

/* What the host side does: the power button, bytes for the ports and from them, frames. */
static void step_host(struct machine *m)
{
	static uint8_t bytes[4096];
	static const enum rig_place with_peers[] = { PCI_CONSOLE, MMIO_CONSOLE, PCI_NET, MMIO_NET };
	const uint64_t what = take(m, 1);
	const int fd = m->r->peers[with_peers[what & 3]][what >> 2 & (what & 2 ? 0 : 1)];

	for (unsigned i = 0; what & 2 && i < 24; i++)	/* a frame's header, and the addresses */
		bytes[i] = (uint8_t)take(m, 1);
	if (what >= 192)
		loop_call(m->r->vm.loop, press, m);
	else if (what >= 96)
		send(fd, bytes, take(m, 2) % sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (what >= 4)
		recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	else
		shutdown(fd, SHUT_RDWR);
}

/* Requests of the slow device would keep a safepoint waiting. */
static void complete_slow(struct machine *m)
{
	rig_settle(m->r);
	while (slow_in_flight(m->r->devices[PCI_SLOW]))
		slow_complete(m->r->devices[PCI_SLOW]);
}

static void open_all(struct machine *m)
{
	for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
		struct driver *d = &m->drivers[places[i]];
		struct dqueue queues[DRIVER_QUEUES];

		memcpy(queues, d->queues, sizeof(queues));
		driver_open(d, m->r, places[i]);
		memcpy(d->queues, queues, sizeof(queues));
	}
}

static void reset_machine(struct machine *m)
{
	struct err err;

	complete_slow(m);
	vm_pause(&m->r->vm);
	assert_int_equal(vm_reset(&m->r->vm, &err), 0);
	open_all(m);
}

static void step_control(struct machine *m)
{
	const uint64_t what = take(m, 1);

	if (what < 128) {
		rig_settle(m->r);
	} else if (what < 192) {
		if (slow_in_flight(m->r->devices[PCI_SLOW]))
			slow_complete(m->r->devices[PCI_SLOW]);
	} else if (what < 240) {
		complete_slow(m);
		vm_pause(&m->r->vm);
		vm_resume(&m->r->vm);
	} else {
		reset_machine(m);
	}
}

static void step(struct machine *m)
{
	switch (take(m, 1) % 16) {
	case 0: case 1: case 2:
		step_access(m, true);
		break;
	case 3:
		step_access(m, false);
		break;
	case 4: case 5: case 6:
		step_desc(m);
		break;
	case 7:
		step_table(m);
		break;
	case 8: case 9:
		step_avail(m);
		break;
	case 10: case 11:
		step_kick(m);
		break;
	case 12:
		step_begin(m);
		break;
	case 13:
		step_memory(m);
		break;
	case 14:
		step_host(m);
		break;
	default:
		step_control(m);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine m = { .r = rig_new(), .in = { data, size, 0 } };

	log_setup(2, "fuzz_virtio", LOG_ERROR);
	m.arena = rig_alloc(m.r, ARENA_BYTES, 4096);
	for (unsigned i = 0; i < ARRAY_LEN(places); i++)
		for (unsigned n = 0; n < DRIVER_QUEUES; n++)
			m.drivers[places[i]].queues[n] = (struct dqueue){
				.size = SIZE,
				.desc = rig_alloc(m.r, 16 * SIZE, 16),
				.avail = rig_alloc(m.r, 6 + 2 * SIZE, 2),
				.used = rig_alloc(m.r, 6 + 8 * SIZE, 4),
			};
	open_all(&m);
	for (unsigned i = 0; i < MAX_STEPS && fuzz_more(&m.in); i++)
		step(&m);
	reset_machine(&m);
	rng_works(&m.drivers[PCI_RNG]);
	rng_works(&m.drivers[MMIO_RNG]);
	neighbour_works(&m.drivers[PCI_RNG]);
	assert_int_equal(driver_status(&m.drivers[PCI_BLK]), 0);
	rig_free(m.r);
	return 0;
}
