/* SPDX-License-Identifier: Apache-2.0 */
/* The rarer ways: constructors that refuse, full rings, configuration changes, copies. */
#include "tests/device/harness.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "dev/virtio/console.h"
#include "dev/virtio/input.h"
#include "dev/virtio/mmio.h"
#include "dev/virtio/pci_transport.h"
#include "dev/virtio/rng.h"

/* ---- constructors --------------------------------------------------------------------------- */

static struct chan *half_pair(struct rig *r, int *peer)
{
	struct chan *c;
	struct err err;
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(chan_new(&c, r->vm.loop, s[0], &err), 0);
	*peer = s[1];
	return c;
}

/* The channels are gone with the failed constructor: their peers read the end. */
static void refuse_console(struct rig *r)
{
	struct virtio_console_cfg cfg = {
		.ports[0].name = "a-port-name-of-64-bytes-is-one-more-than-fits-with-the-final-nul",
		.port_count = 1,
	};
	struct virtio *v;
	struct err err;
	int peers[2];
	char byte;

	assert_int_equal(strlen(cfg.ports[0].name), 64);
	cfg.console = half_pair(r, &peers[0]);
	cfg.ports[0].chan = half_pair(r, &peers[1]);
	assert_int_equal(virtio_console_new(&v, &r->vm, "console", &cfg, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "too long"));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(read(peers[i], &byte, 1), 0);
		close(peers[i]);
	}
}

static struct virtio *refusals(struct rig *r, void *arg)
{
	const struct pci_host_cfg host = { .ecam = ECAM_BASE + 4096 };
	struct pci_host *h;
	struct virtio *v;
	struct err err;

	assert_int_equal(pci_host_new(&h, &r->vm, &host, &err), -EEXIST);
	assert_int_equal(virtio_rng_new(&v, &r->vm, "late", &err), 0);
	assert_int_equal(virtio_pci_new(&r->vm, r->host, 0, v, &err), -EINVAL);
	assert_string_equal(err.msg, "late: PCI slot 0 is out of range (1 to 31)");
	assert_int_equal(virtio_pci_new(&r->vm, r->host, 32, v, &err), -EINVAL);
	assert_int_equal(virtio_pci_new(&r->vm, r->host, PCI_INPUT, v, &err), -EEXIST);
	assert_string_equal(err.msg, "late: PCI slot 2 is taken by power-pci; choose another");
	assert_int_equal(virtio_mmio_new(&r->vm, MMIO_BASE + 4, (struct irq_line){ 0 }, v, &err),
			 -EEXIST);
	refuse_console(r);
	return v;
}

static void constructors_refuse(void **state)
{
	struct rig *r = rig_new_with(refusals, NULL);
	struct driver d;

	driver_open(&d, r, PCI_TESTED);
	rng_works(&d);
	driver_open(&d, r, MMIO_RNG);
	rng_works(&d);
	rig_free(r);
}

/* ---- rings that are full -------------------------------------------------------------------- */

/* Fills queue n with requests of one out buffer each and waits for all of them. */
static void fill_and_wait(struct driver *d, unsigned n, const void *bytes, uint32_t len)
{
	const uint16_t size = d->queues[n].size;
	const gpa_t buf = rig_alloc(d->r, len, 8);
	uint32_t id, used;

	memcpy(rig_ram(d->r, buf), bytes, len);
	for (uint16_t i = 0; i < size; i++) {
		ring_desc(d, n, i, buf, len, 0, 0);
		ring_avail(d, n, i);
	}
	ring_kick(d, n);
	for (uint16_t i = 0; i < size; i++) {
		ring_wait(d, n, &id, &used);
		assert_int_equal(id, i);
		assert_int_equal(used, 0);
	}
}

static void full_rings(void **state)
{
	static const uint8_t device_ready[8] = { [6] = 1 };
	struct rig *r = *state;
	struct driver d;
	char text[128];

	driver_open(&d, r, PCI_INPUT);
	driver_start(&d, UINT64_MAX, 2, 64);
	fill_and_wait(&d, 1, "LED", 3);
	driver_open(&d, r, PCI_CONSOLE);
	driver_start(&d, UINT64_MAX, 6, 128);
	fill_and_wait(&d, 3, device_ready, sizeof(device_ready));
	fill_and_wait(&d, 5, "x", 1);
	for (size_t got = 0; got < 128;) {
		const ssize_t n = read(r->peers[PCI_CONSOLE][PORT_AGENT], text, sizeof(text));

		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(text[i], 'x');
		got += (size_t)n;
	}
}

/* ---- the power key -------------------------------------------------------------------------- */

static void press(void *v)
{
	virtio_input_press_power(v);
}

static void event_buffer_too_small(void **state)
{
	struct rig *r = *state;
	struct driver d;

	driver_open(&d, r, PCI_INPUT);
	driver_start(&d, UINT64_MAX, 2, 8);
	ring_desc(&d, 0, 0, rig_alloc(r, 8, 8), 7, D_WRITE, 0);
	ring_avail(&d, 0, 0);
	ring_kick(&d, 0);
	loop_call(r->vm.loop, press, r->devices[PCI_INPUT]);
	driver_wait_broken(&d);
	neighbour_works(&d);
	/* A press that stuck in the broken device is not sent to the next driver. */
	driver_start(&d, UINT64_MAX, 2, 8);
	ring_desc(&d, 0, 0, rig_alloc(r, 8, 8), 8, D_WRITE, 0);
	ring_avail(&d, 0, 0);
	ring_kick(&d, 0);
	rig_settle(r);
	assert_false(ring_has_used(&d, 0));
	loop_call(r->vm.loop, press, r->devices[PCI_INPUT]);
	rig_settle(r);
	assert_true(ring_has_used(&d, 0));
}

/* ---- configuration changes ------------------------------------------------------------------ */

static void change(void *v)
{
	virtio_config_changed(v);
}

static unsigned generation_of(struct driver *d)
{
	return (unsigned)(d->mmio ? rig_read(d->r, d->regs + 0xfc, 4)
				  : rig_read(d->r, d->regs + 0x15, 1));
}

static void configuration_changes(void **state)
{
	static const enum rig_place places[] = { PCI_RNG, MMIO_RNG };
	struct rig *r = *state;
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
		struct virtio *v = r->devices[places[i]];
		unsigned generation, events;

		driver_open(&d, r, places[i]);
		driver_reset(&d);
		events = rig_events(r);
		loop_call(r->vm.loop, change, v);
		assert_int_equal(rig_events(r), events);	/* nobody listens yet */
		driver_start(&d, UINT64_MAX, 1, 8);
		generation = generation_of(&d);
		loop_call(r->vm.loop, change, v);
		assert_int_equal(rig_events(r), events + 1);
		assert_int_equal(d.mmio ? rig_read(r, d.regs + 0x60, 4) : rig_read(r, d.isr, 1), 2);
		assert_int_equal(generation_of(&d), generation + 1);
		driver_reset(&d);
	}
}

/* ---- copies between a flat buffer and pieces ------------------------------------------------ */

static void pieces(void **state)
{
	static const char text[] = "abcdefgh";
	char a[3] = "abc", b[1] = "d", c[4] = "efgh", flat[9] = "--------";
	const struct iovec iov[] = { { a, 3 }, { b, 1 }, { c, 4 } };

	for (unsigned skip = 0; skip <= 9; skip++)
		for (unsigned len = 0; len <= 9; len++) {
			const unsigned left = skip < 8 ? 8 - skip : 0;
			const unsigned expected = len < left ? len : left;

			memset(flat, '-', 8);
			assert_int_equal(iov_read(iov, 3, skip, flat, len), expected);
			assert_memory_equal(flat, &text[skip], expected);
			assert_memory_equal(flat + expected, "--------", 8 - expected);
		}
	assert_int_equal(iov_write(iov, 3, 2, "CDE", 3), 3);
	assert_memory_equal(a, "abC", 3);
	assert_memory_equal(b, "D", 1);
	assert_memory_equal(c, "Efgh", 4);
	assert_int_equal(iov_write(iov, 3, 7, "HIJ", 3), 1);
	assert_memory_equal(c, "EfgH", 4);
	assert_int_equal(iov_write(iov, 0, 0, "x", 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(constructors_refuse),
		cmocka_unit_test_setup_teardown(full_rings, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(event_buffer_too_small, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(configuration_changes, rig_setup, rig_teardown),
		cmocka_unit_test(pieces),
	};

	return cmocka_run_group_tests_name("virtio_edges", tests, NULL, NULL);
}
