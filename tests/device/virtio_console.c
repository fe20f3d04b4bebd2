/* SPDX-License-Identifier: Apache-2.0 */
/* The console's ports as a guest's driver and a peer on the host see them, on both transports. */
#include "tests/device/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/chan.h"

enum {
	RX0 = 0, TX0 = 1, CONTROL_RX = 2, CONTROL_TX = 3, RX1 = 4, TX1 = 5, QUEUES = 6,
	SIZE = 16,
	READY = 0, ADD = 1, PORT_READY = 3, CONSOLE = 4, OPEN = 6, NAME = 7,
	F_MULTIPORT = 1,
};

static const char agent_name[] = "org.qemu.guest_agent.0";
static const enum rig_place consoles[] = { PCI_CONSOLE, MMIO_CONSOLE };

/* Makes a buffer available as descriptor and chain i; the caller kicks. */
static gpa_t post(struct driver *d, unsigned n, uint16_t i, uint32_t len, uint16_t flags)
{
	const gpa_t buf = rig_alloc(d->r, len, 8);

	ring_desc(d, n, i, buf, len, flags, 0);
	ring_avail(d, n, i);
	return buf;
}

/* Sends bytes through queue n and waits until they are taken. */
static void send_bytes(struct driver *d, unsigned n, const void *bytes, uint32_t len)
{
	uint32_t id, used;

	memcpy(rig_ram(d->r, post(d, n, 0, len, 0)), bytes, len);
	ring_kick(d, n);
	ring_wait(d, n, &id, &used);
}

static void send_control(struct driver *d, uint32_t port, uint16_t event, uint16_t value)
{
	uint8_t message[8];

	st_le32(message, port);
	st_le16(message + 4, event);
	st_le16(message + 6, value);
	send_bytes(d, CONTROL_TX, message, sizeof(message));
}

/* The next message from the device must be this one; its buffer is posted again. */
static void expect_control(struct driver *d, uint32_t port, uint16_t event, uint16_t value,
			   const char *text)
{
	const uint8_t *message;
	uint32_t id, len;

	ring_wait(d, CONTROL_RX, &id, &len);
	message = rig_ram(d->r, ld_le64(rig_ram(d->r, d->queues[CONTROL_RX].desc + 16 * id)));
	assert_int_equal(ld_le32(message), port);
	assert_int_equal(ld_le16(message + 4), event);
	assert_int_equal(ld_le16(message + 6), value);
	assert_int_equal(len, 8 + strlen(text));
	assert_memory_equal(message + 8, text, strlen(text));
	ring_avail(d, CONTROL_RX, (uint16_t)id);
	ring_kick(d, CONTROL_RX);
}

/* From reset to both ports known to the driver. */
static void start(struct driver *d, struct rig *r, enum rig_place place)
{
	driver_open(d, r, place);
	driver_start(d, UINT64_MAX, QUEUES, SIZE);
	assert_int_equal(rig_read(r, d->config + 4, 4), 2);
	for (uint16_t i = 0; i < SIZE; i++)
		post(d, CONTROL_RX, i, 128, D_WRITE);
	ring_kick(d, CONTROL_RX);
	rig_settle(r);
	assert_false(ring_has_used(d, CONTROL_RX));
	send_control(d, 0, READY, 1);
	expect_control(d, 0, ADD, 1, "");
	expect_control(d, 1, ADD, 1, "");
	send_control(d, 0, PORT_READY, 1);
	expect_control(d, 0, CONSOLE, 1, "");
	expect_control(d, 0, OPEN, 1, "");
	send_control(d, 1, PORT_READY, 1);
	expect_control(d, 1, OPEN, 1, "");
	expect_control(d, 1, NAME, 1, agent_name);
}

static void expect_bytes(int fd, const char *text)
{
	char buf[64];
	size_t done = 0;

	while (done < strlen(text)) {
		const ssize_t n = read(fd, buf + done, strlen(text) - done);

		assert_true(n > 0);
		done += (size_t)n;
	}
	assert_memory_equal(buf, text, strlen(text));
}

static void expect_input(struct driver *d, unsigned n, const char *text)
{
	uint32_t id, len;

	ring_wait(d, n, &id, &len);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(rig_ram(d->r, ld_le64(rig_ram(d->r, d->queues[n].desc + 16 * id))),
			    text, len);
}

static void ports_carry_bytes(void **state)
{
	struct rig *r = *state;
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(consoles); i++) {
		const int *peers = r->peers[consoles[i]];

		start(&d, r, consoles[i]);
		send_bytes(&d, TX1, "{\"return\": {}}", 14);
		expect_bytes(peers[PORT_AGENT], "{\"return\": {}}");
		send_bytes(&d, TX0, "login: ", 7);
		expect_bytes(peers[PORT_CONSOLE], "login: ");

		/* Input waits until the guest has opened the port and posted buffers. */
		assert_int_equal(write(peers[PORT_AGENT], "ping", 4), 4);
		post(&d, RX1, 3, 64, D_WRITE);
		ring_kick(&d, RX1);
		rig_settle(r);
		assert_false(ring_has_used(&d, RX1));
		send_control(&d, 1, OPEN, 1);
		expect_input(&d, RX1, "ping");
		send_control(&d, 0, OPEN, 1);
		assert_int_equal(write(peers[PORT_CONSOLE], "root\n", 5), 5);
		post(&d, RX0, 0, 2, D_WRITE);
		post(&d, RX0, 1, 64, D_WRITE);
		ring_kick(&d, RX0);
		expect_input(&d, RX0, "ro");
		expect_input(&d, RX0, "ot\n");

		/* The guest closes the port: the next bytes stay where they are. */
		send_control(&d, 1, OPEN, 0);
		post(&d, RX1, 4, 64, D_WRITE);
		ring_kick(&d, RX1);
		assert_int_equal(write(peers[PORT_AGENT], "more", 4), 4);
		rig_settle(r);
		assert_false(ring_has_used(&d, RX1));
		send_control(&d, 1, OPEN, 1);
		expect_input(&d, RX1, "more");
	}
}

static void peer_that_leaves_is_told(void **state)
{
	struct rig *r = *state;
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(consoles); i++) {
		start(&d, r, consoles[i]);
		send_control(&d, 1, OPEN, 1);
		post(&d, RX1, 0, 64, D_WRITE);
		ring_kick(&d, RX1);
		close(r->peers[consoles[i]][PORT_AGENT]);
		r->peers[consoles[i]][PORT_AGENT] = -1;
		expect_control(&d, 1, OPEN, 0, "");
		/* What the guest writes now goes nowhere, and does not wait. */
		send_bytes(&d, TX1, "anyone?", 7);
		send_bytes(&d, TX0, "still here", 10);
		expect_bytes(r->peers[consoles[i]][PORT_CONSOLE], "still here");
	}
}

static void without_multiport(void **state)
{
	struct rig *r = *state;
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(consoles); i++) {
		driver_open(&d, r, consoles[i]);
		driver_start(&d, ~BIT(F_MULTIPORT), 2, SIZE);
		send_bytes(&d, TX0, "hello", 5);
		expect_bytes(r->peers[consoles[i]][PORT_CONSOLE], "hello");
		assert_int_equal(write(r->peers[consoles[i]][PORT_CONSOLE], "world", 5), 5);
		post(&d, RX0, 0, 64, D_WRITE);
		ring_kick(&d, RX0);
		expect_input(&d, RX0, "world");
	}
}

static void drain(int fd, uint8_t *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		const ssize_t n = read(fd, buf + done, len - done);

		assert_true(n > 0);
		done += (size_t)n;
	}
}

/* Nobody reads: the guest's buffers come back only as far as there is room; nothing is lost. */
static void output_waits_for_the_peer(void **state)
{
	enum { CHUNKS = 12 };
	const uint32_t chunk = CHAN_OUT_BYTES / 4;
	struct rig *r = *state;
	uint8_t *got = malloc((size_t)CHUNKS * chunk);
	struct driver d;
	uint32_t id, len;

	for (unsigned i = 0; i < ARRAY_LEN(consoles); i++) {
		r->next_free = RAM_BASE;
		start(&d, r, consoles[i]);
		for (uint16_t k = 0; k < CHUNKS; k++) {
			uint8_t *buf = rig_ram(r, post(&d, TX1, k, chunk, 0));

			for (uint32_t at = 0; at < chunk; at++)
				buf[at] = (uint8_t)(at * 31 + k);
		}
		ring_kick(&d, TX1);
		rig_settle(r);
		/* The last one cannot have been taken. */
		assert_true(ram_ld16(rig_ram(r, d.queues[TX1].used) + 2) < CHUNKS);
		drain(r->peers[consoles[i]][PORT_AGENT], got, (size_t)CHUNKS * chunk);
		for (uint16_t k = 0; k < CHUNKS; k++)
			ring_wait(&d, TX1, &id, &len);
		for (size_t at = 0; at < (size_t)CHUNKS * chunk; at++)
			if (got[at] != (uint8_t)(at % chunk * 31 + at / chunk))
				fail_msg("byte %zu is wrong", at);
		driver_reset(&d);
	}
	free(got);
}

/* The peer writes much and the guest posts little by little: all arrives, in order. */
static void input_waits_for_the_guest(void **state)
{
	struct rig *r = *state;
	uint8_t text[8192];
	struct driver d;
	size_t at = 0;
	uint32_t id, len;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + i / 256);
	start(&d, r, PCI_CONSOLE);
	send_control(&d, 1, OPEN, 1);
	assert_int_equal(write(r->peers[PCI_CONSOLE][PORT_AGENT], text, sizeof(text)),
			 sizeof(text));
	while (at < sizeof(text)) {
		const gpa_t buf = post(&d, RX1, 0, 100, D_WRITE);

		ring_kick(&d, RX1);
		ring_wait(&d, RX1, &id, &len);
		assert_in_range(len, 1, 100);
		assert_memory_equal(rig_ram(r, buf), text + at, len);
		at += len;
	}
}

/* What arrives during a pause waits in its channel and comes without a new doorbell. */
static void input_during_a_pause(void **state)
{
	struct rig *r = *state;
	struct driver d;

	start(&d, r, PCI_CONSOLE);
	send_control(&d, 1, OPEN, 1);
	post(&d, RX1, 0, 64, D_WRITE);
	ring_kick(&d, RX1);
	rig_settle(r);
	vm_pause(&r->vm);
	assert_int_equal(write(r->peers[PCI_CONSOLE][PORT_AGENT], "late", 4), 4);
	rig_settle(r);
	assert_false(ring_has_used(&d, RX1));
	vm_resume(&r->vm);
	expect_input(&d, RX1, "late");
}

/* A driver that posts no control buffers hears each thing once when it does. */
static void events_wait_for_buffers(void **state)
{
	struct rig *r = *state;
	struct driver d;

	driver_open(&d, r, PCI_CONSOLE);
	driver_start(&d, UINT64_MAX, QUEUES, SIZE);
	for (unsigned i = 0; i < 100; i++) {
		send_control(&d, 0, READY, 1);
		send_control(&d, 1, PORT_READY, 1);
	}
	rig_settle(r);
	for (uint16_t i = 0; i < SIZE; i++)
		post(&d, CONTROL_RX, i, 128, D_WRITE);
	ring_kick(&d, CONTROL_RX);
	expect_control(&d, 0, ADD, 1, "");
	expect_control(&d, 1, ADD, 1, "");
	expect_control(&d, 1, OPEN, 1, "");
	expect_control(&d, 1, NAME, 1, agent_name);
	rig_settle(r);
	assert_false(ring_has_used(&d, CONTROL_RX));
}

/* Nonsense on the control queue is taken and has no effect. */
static void control_nonsense(void **state)
{
	static const uint8_t empty[3];
	struct rig *r = *state;
	struct driver d;

	start(&d, r, PCI_CONSOLE);
	send_bytes(&d, CONTROL_TX, empty, sizeof(empty));
	for (unsigned event = 0; event < 12; event++) {
		send_control(&d, 2, (uint16_t)event, 1);
		send_control(&d, UINT32_MAX, (uint16_t)(event * 5461), UINT16_MAX);
	}
	/* One READY among them: both ports are announced once more, and nothing else. */
	expect_control(&d, 0, ADD, 1, "");
	expect_control(&d, 1, ADD, 1, "");
	rig_settle(r);
	while (ring_has_used(&d, CONTROL_RX)) {
		expect_control(&d, 0, ADD, 1, "");
		expect_control(&d, 1, ADD, 1, "");
	}
	send_bytes(&d, TX1, "fine", 4);
	expect_bytes(r->peers[PCI_CONSOLE][PORT_AGENT], "fine");
}

/* Buffers that hold no control message, and receive buffers that cannot be written. */
static void unusable_buffers(void **state)
{
	struct rig *r = *state;
	struct driver d;

	driver_open(&d, r, PCI_CONSOLE);
	driver_start(&d, UINT64_MAX, QUEUES, SIZE);
	post(&d, CONTROL_RX, 0, 7, D_WRITE);
	ring_kick(&d, CONTROL_RX);
	post(&d, CONTROL_TX, 0, 8, 0);
	st_le16(rig_ram(r, ld_le64(rig_ram(r, d.queues[CONTROL_TX].desc))) + 6, 1);
	ring_kick(&d, CONTROL_TX);
	driver_wait_broken(&d);

	start(&d, r, PCI_CONSOLE);
	send_control(&d, 1, OPEN, 1);
	assert_int_equal(write(r->peers[PCI_CONSOLE][PORT_AGENT], "stuck", 5), 5);
	post(&d, RX1, 0, 16, 0);
	ring_kick(&d, RX1);
	driver_wait_broken(&d);

	/* The bytes are not lost: the next driver gets them. */
	start(&d, r, PCI_CONSOLE);
	send_control(&d, 1, OPEN, 1);
	post(&d, RX1, 0, 16, D_WRITE);
	ring_kick(&d, RX1);
	expect_input(&d, RX1, "stuck");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ports_carry_bytes, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(peer_that_leaves_is_told, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(without_multiport, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(output_waits_for_the_peer, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(input_waits_for_the_guest, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(input_during_a_pause, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(events_wait_for_buffers, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(control_nonsense, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(unusable_buffers, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests_name("virtio_console", tests, NULL, NULL);
}
