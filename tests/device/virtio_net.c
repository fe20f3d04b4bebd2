/* SPDX-License-Identifier: Apache-2.0 */
/* The network card as a driver sees it, with the test in the place of hospes-net. */
#include "tests/device/harness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "dev/virtio/net.h"
#include "dev/virtio/net_ctrl.h"
#include "net/offload.h"
#include "net/user_wire.h"

enum { RX, TX, CTRL, QUEUES, SIZE = 64, BUF = 2048, HDR = 12 };

static const enum rig_place cards[] = { PCI_NET, MMIO_NET };
static const uint8_t own_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
static const uint64_t no_mrg = ~BIT(NET_F_MRG_RXBUF);

static int peer(struct driver *d)
{
	return d->r->peers[d->place][0];
}

static void start(struct driver *d, struct rig *r, enum rig_place place, uint64_t mask)
{
	driver_open(d, r, place);
	driver_start(d, mask, QUEUES, SIZE);
}

/* ---- towards the guest ------------------------------------------------------------------- */

/* Posts receive buffer i of len bytes; the caller kicks. */
static gpa_t post(struct driver *d, uint16_t i, uint32_t len)
{
	gpa_t buf = rig_alloc(d->r, len, 2);

	ring_desc(d, RX, i, buf, len, D_WRITE, 0);
	ring_avail(d, RX, i);
	return buf;
}

/* What descriptor i of the receive queue points to. */
static uint8_t *buffer_of(struct driver *d, unsigned i)
{
	return rig_ram(d->r, ld_le64(rig_ram(d->r, d->queues[RX].desc + 16 * i)));
}

/* The network sends a frame of len bytes to mac, its payload a pattern from seed; header h. */
static void net_sends(struct driver *d, const struct net_hdr *h, const uint8_t mac[6], size_t len,
		      uint8_t seed)
{
	uint8_t *msg = calloc(1, NET_HDR_BYTES + len);

	if (h)
		net_hdr_put(h, msg);
	for (size_t i = 14; i < len; i++)
		msg[NET_HDR_BYTES + i] = (uint8_t)(seed + i * 3 + (i >> 8));
	memcpy(msg + NET_HDR_BYTES, mac, 6);
	st_be16(msg + NET_HDR_BYTES + 12, 0x0800);
	assert_int_equal(send(peer(d), msg, NET_HDR_BYTES + len, 0), NET_HDR_BYTES + len);
	free(msg);
}

/* The next frame that arrives, out of its buffers; returns its length and fills in hdr. */
static size_t received(struct driver *d, uint8_t hdr[HDR], uint8_t *frame)
{
	size_t len = 0;
	unsigned count = 1;

	for (unsigned i = 0; i < count; i++) {
		uint32_t id, used;
		const uint8_t *buf;

		ring_wait(d, RX, &id, &used);
		buf = buffer_of(d, id);
		if (!i) {
			memcpy(hdr, buf, HDR);
			count = ld_le16(hdr + 10);
			assert_in_range(count, 1, SIZE);
			buf += HDR;
			used -= HDR;
		}
		memcpy(frame + len, buf, used);
		len += used;
	}
	return len;
}

static void expect_frame(struct driver *d, size_t len, uint8_t seed)
{
	uint8_t hdr[HDR], *frame = malloc(70000);

	assert_int_equal(received(d, hdr, frame), len);
	for (size_t i = 14; i < len; i++)
		assert_int_equal(frame[i], (uint8_t)(seed + i * 3 + (i >> 8)));
	free(frame);
}

static void receives(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(cards); i++) {
		struct rig *r = *state;
		struct driver d;

		start(&d, r, cards[i], UINT64_MAX);
		for (uint16_t n = 0; n < 8; n++)
			post(&d, n, BUF);
		ring_kick(&d, RX);
		net_sends(&d, NULL, own_mac, 60, 1);
		expect_frame(&d, 60, 1);
		net_sends(&d, NULL, own_mac, 1514, 2);
		expect_frame(&d, 1514, 2);
		/* without buffers frames wait, and come in order */
		for (uint8_t n = 0; n < 10; n++)
			net_sends(&d, NULL, own_mac, 100u + n, n);
		for (uint8_t n = 0; n < 6; n++)
			expect_frame(&d, 100u + n, n);
		rig_settle(r);
		assert_false(ring_has_used(&d, RX));
		for (uint16_t n = 0; n < 4; n++)
			post(&d, n, BUF);
		ring_kick(&d, RX);
		for (uint8_t n = 6; n < 10; n++)
			expect_frame(&d, 100u + n, n);
	}
}

static void merges_buffers(void **state)
{
	const struct net_hdr large = {
		.flags = NET_HDR_NEEDS_CSUM, .gso_type = NET_GSO_TCPV4, .hdr_len = 54,
		.gso_size = 1460, .csum_start = 34, .csum_offset = 16,
	};
	uint8_t hdr[HDR], want[NET_HDR_BYTES], *frame = malloc(70000);
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(cards); i++) {
		start(&d, *state, cards[i], UINT64_MAX);
		/* too few for the frame: none is used until there are enough */
		for (uint16_t n = 0; n < 14; n++)
			post(&d, n, BUF);
		ring_kick(&d, RX);
		net_sends(&d, &large, own_mac, 30000, 5);
		rig_settle(d.r);
		assert_false(ring_has_used(&d, RX));
		post(&d, 14, BUF);
		ring_kick(&d, RX);
		assert_int_equal(received(&d, hdr, frame), 30000);
		net_hdr_put(&large, want);
		assert_memory_equal(hdr, want, NET_HDR_BYTES);
		assert_int_equal(ld_le16(hdr + 10), 15);
		for (size_t k = 14; k < 30000; k++)
			assert_int_equal(frame[k], (uint8_t)(5 + k * 3 + (k >> 8)));
		/* chains of any cut, the header over several of their descriptors */
		ring_desc(&d, RX, 20, rig_alloc(d.r, 5, 1), 5, D_WRITE | D_NEXT, 21);
		ring_desc(&d, RX, 21, rig_alloc(d.r, 6, 1), 6, D_WRITE | D_NEXT, 22);
		ring_desc(&d, RX, 22, rig_alloc(d.r, 100, 1), 100, D_WRITE, 0);
		ring_avail(&d, RX, 20);
		post(&d, 23, 1);
		post(&d, 24, BUF);
		ring_kick(&d, RX);
		net_sends(&d, NULL, own_mac, 200, 6);
		for (unsigned n = 0; n < 3; n++) {
			uint32_t id, used;

			ring_wait(&d, RX, &id, &used);
			assert_int_equal(id, n ? 22 + n : 20);
			assert_int_equal(used, n == 0 ? 111 : n == 1 ? 1 : 100);
		}
		/* num_buffers: its low byte is the last of descriptor 21, the high one follows */
		assert_int_equal(buffer_of(&d, 21)[5], 3);
		assert_int_equal(buffer_of(&d, 22)[0], 0);
	}
	free(frame);
}

/* A frame that all the buffers the queue can hold are too few for does not block the next. */
static void queue_too_small(void **state)
{
	const struct net_hdr large = {
		.flags = NET_HDR_NEEDS_CSUM, .gso_type = NET_GSO_TCPV4, .hdr_len = 54,
		.gso_size = 1460, .csum_start = 34, .csum_offset = 16,
	};
	struct driver d;

	for (unsigned i = 0; i < ARRAY_LEN(cards); i++) {
		driver_open(&d, *state, cards[i]);
		driver_start(&d, UINT64_MAX, QUEUES, 4);
		for (uint16_t n = 0; n < 4; n++)
			post(&d, n, BUF);
		ring_kick(&d, RX);
		net_sends(&d, &large, own_mac, 30000, 5);
		net_sends(&d, NULL, own_mac, 60, 6);
		expect_frame(&d, 60, 6);
	}
}

static void without_merging(void **state)
{
	uint8_t hdr[HDR], frame[BUF];
	struct driver d;

	start(&d, *state, PCI_NET, no_mrg);
	post(&d, 0, 600);
	post(&d, 1, BUF);
	ring_kick(&d, RX);
	/* a frame that the next buffer cannot hold is lost, not the buffer */
	net_sends(&d, NULL, own_mac, 1000, 1);
	net_sends(&d, NULL, own_mac, 500, 2);
	assert_int_equal(received(&d, hdr, frame), 500);
	assert_int_equal(ld_le16(hdr + 10), 1);
	net_sends(&d, NULL, own_mac, 1000, 3);
	expect_frame(&d, 1000, 3);
	/* a driver from before virtio 1.0: ten bytes of header */
	start(&d, *state, MMIO_NET, no_mrg & ~BIT(VIRTIO_F_VERSION_1));
	post(&d, 0, BUF);
	ring_kick(&d, RX);
	net_sends(&d, NULL, own_mac, 300, 4);
	{
		uint32_t id, used;

		ring_wait(&d, RX, &id, &used);
		assert_int_equal(used, 310);
	}
}

/* ---- from the guest ---------------------------------------------------------------------- */

/* Offers a packet of len bytes (header included) as chain i, in pieces of piece bytes. */
static void offer(struct driver *d, uint16_t i, const uint8_t *packet, uint32_t len, uint32_t piece)
{
	gpa_t buf = rig_alloc(d->r, len, 1);
	uint16_t at = i;

	memcpy(rig_ram(d->r, buf), packet, len);
	for (uint32_t done = 0; done < len; done += piece, at++) {
		uint32_t n = len - done < piece ? len - done : piece;
		bool more = done + n < len;

		ring_desc(d, TX, at, buf + done, n, more ? D_NEXT : 0, (uint16_t)(at + 1));
	}
	ring_avail(d, TX, i);
}

static void make_packet(uint8_t *packet, const struct net_hdr *h, size_t frame, uint8_t seed)
{
	memset(packet, 0, HDR);
	if (h)
		net_hdr_put(h, packet);
	for (size_t i = 0; i < frame; i++)
		packet[HDR + i] = (uint8_t)(seed + i * 5 + (i >> 8));
}

static void expect_sent(struct driver *d, const uint8_t *packet, size_t frame)
{
	uint8_t *got = malloc(WIRE_MAX);

	do {	/* the device has told what its driver takes, too */
		assert_true(recv(peer(d), got, WIRE_MAX, 0) > 0);
	} while (got[0] == WIRE_CONTROL);
	assert_memory_equal(got, packet, NET_HDR_BYTES);
	assert_memory_equal(got + NET_HDR_BYTES, packet + HDR, frame);
	free(got);
}

static void sends(void **state)
{
	const struct net_hdr large = {
		.flags = NET_HDR_NEEDS_CSUM, .gso_type = NET_GSO_TCPV4 | NET_GSO_ECN, .hdr_len = 54,
		.gso_size = 1460, .csum_start = 34, .csum_offset = 16,
	};
	static const uint32_t pieces[] = { 70000, 12, 1, 5, 13, 11 };
	uint8_t *packet = malloc(70000);
	struct driver d;
	uint32_t id, used;

	for (unsigned i = 0; i < ARRAY_LEN(cards); i++) {
		start(&d, *state, cards[i], UINT64_MAX);
		for (unsigned k = 0; k < ARRAY_LEN(pieces); k++) {
			make_packet(packet, NULL, 40, (uint8_t)k);
			offer(&d, 0, packet, HDR + 40, pieces[k]);
			ring_kick(&d, TX);
			expect_sent(&d, packet, 40);
			ring_wait(&d, TX, &id, &used);
			assert_int_equal(used, 0);
		}
		make_packet(packet, &large, 60000, 9);
		offer(&d, 0, packet, HDR + 60000, 4096);
		ring_kick(&d, TX);
		expect_sent(&d, packet, 60000);
		ring_wait(&d, TX, &id, &used);
	}
	free(packet);
}

static void drops_what_was_not_agreed(void **state)
{
	const struct net_hdr bad[] = {
		{ .flags = NET_HDR_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16 },
		{ .gso_type = NET_GSO_TCPV4, .gso_size = 1460 },
		{ .flags = NET_HDR_NEEDS_CSUM, .gso_type = NET_GSO_TCPV4, .gso_size = 1460 },
		{ .gso_type = 0x7f },
	};
	const struct net_hdr bad_even_then[] = {
		{ .flags = NET_HDR_NEEDS_CSUM, .csum_start = 99, .csum_offset = 0 },
		{ .flags = NET_HDR_NEEDS_CSUM, .csum_start = 0xffff, .csum_offset = 0xffff },
		{ .gso_type = NET_GSO_TCPV4, .gso_size = 1460 },
		{ .flags = NET_HDR_NEEDS_CSUM, .gso_type = NET_GSO_TCPV4 },
		{ .flags = NET_HDR_NEEDS_CSUM, .gso_type = NET_GSO_UDP, .gso_size = 99 },
		{ .flags = NET_HDR_NEEDS_CSUM, .gso_type = NET_GSO_ECN, .gso_size = 99 },
	};
	uint8_t *packet = malloc(70000);
	struct driver d;
	uint32_t id, used;

	for (unsigned with = 0; with < 2; with++) {
		const struct net_hdr *list = with ? bad_even_then : bad;

		start(&d, *state, PCI_NET, with ? UINT64_MAX : BIT(VIRTIO_F_VERSION_1));
		for (unsigned i = 0; i < (with ? ARRAY_LEN(bad_even_then) : ARRAY_LEN(bad)); i++) {
			make_packet(packet, &list[i], 100, 7);
			offer(&d, 0, packet, HDR + 100, 70000);
			ring_kick(&d, TX);
			ring_wait(&d, TX, &id, &used);
		}
		/* too short, too long */
		offer(&d, 0, packet, HDR + 13, 70000);
		ring_kick(&d, TX);
		ring_wait(&d, TX, &id, &used);
		make_packet(packet, NULL, NET_MAX_FRAME + 1, 7);
		offer(&d, 0, packet, HDR + NET_MAX_FRAME + 1, 8192);
		ring_kick(&d, TX);
		ring_wait(&d, TX, &id, &used);
		/* of all that nothing arrived */
		make_packet(packet, NULL, 60, 8);
		offer(&d, 0, packet, HDR + 60, 70000);
		ring_kick(&d, TX);
		ring_wait(&d, TX, &id, &used);
		expect_sent(&d, packet, 60);
	}
	free(packet);
}

static bool tx_used(void *arg)
{
	return ring_has_used(arg, TX);
}

/* The network stops reading: nothing is lost, and all goes on when it reads again. */
static void full_backend(void **state)
{
	enum { FRAME = 60000 };
	uint8_t *packet = malloc(70000);
	unsigned offered = 0, taken = 0;
	struct driver d;
	uint32_t id, used;

	start(&d, *state, PCI_NET, UINT64_MAX);
	make_packet(packet, NULL, FRAME, 0);
	for (; offered < SIZE; offered++) {
		offer(&d, (uint16_t)offered, packet, HDR + FRAME, 70000);
		*rig_ram(d.r, ld_le64(rig_ram(d.r, d.queues[TX].desc + 16 * offered)) + HDR) =
			(uint8_t)offered;
	}
	ring_kick(&d, TX);
	driver_wait(&d, tx_used, &d);
	rig_settle(d.r);
	for (unsigned i = 0; i < SIZE; i++) {
		packet[HDR] = (uint8_t)i;
		expect_sent(&d, packet, FRAME);
	}
	for (; taken < SIZE; taken++) {
		ring_wait(&d, TX, &id, &used);
		assert_int_equal(id, taken);
	}
	free(packet);
}

/* ---- commands ---------------------------------------------------------------------------- */

static uint8_t command(struct driver *d, uint8_t class, uint8_t cmd, const void *data, uint32_t len)
{
	gpa_t buf = rig_alloc(d->r, 2 + len + 1, 1);
	uint8_t *at = rig_ram(d->r, buf);
	uint32_t id, used;

	at[0] = class;
	at[1] = cmd;
	memcpy(at + 2, data, len);
	at[2 + len] = 0xee;
	ring_desc(d, CTRL, 0, buf, 2, D_NEXT, len ? 1 : 2);
	ring_desc(d, CTRL, 1, buf + 2, len, D_NEXT, 2);
	ring_desc(d, CTRL, 2, buf + 2 + len, 1, D_WRITE, 0);
	ring_avail(d, CTRL, 0);
	ring_kick(d, CTRL);
	ring_wait(d, CTRL, &id, &used);
	assert_int_equal(used, 1);
	return at[2 + len];
}

static uint8_t rx_mode(struct driver *d, uint8_t cmd, uint8_t on)
{
	return command(d, 0, cmd, &on, 1);
}

/* Whether a frame to mac reaches the guest: one to own_mac behind it tells. */
static bool reaches(struct driver *d, const uint8_t mac[6])
{
	uint8_t hdr[HDR], frame[BUF];
	bool reached;

	post(d, 0, BUF);
	ring_kick(d, RX);
	net_sends(d, NULL, mac, 80, 1);
	net_sends(d, NULL, own_mac, 90, 2);
	reached = received(d, hdr, frame) == 80;
	if (reached) {
		post(d, 0, BUF);
		ring_kick(d, RX);
		assert_int_equal(received(d, hdr, frame), 90);
	}
	return reached;
}

static const uint8_t other[6] = { 0x52, 0x54, 0, 9, 9, 9 };
static const uint8_t group[6] = { 0x33, 0x33, 0, 0, 0, 1 };
static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static void filters(void **state)
{
	uint8_t tables[4 + 6 + 4 + 6] = { 1 };
	struct driver d;

	start(&d, *state, PCI_NET, UINT64_MAX);
	assert_true(reaches(&d, other));		/* after reset everything passes */
	assert_int_equal(rx_mode(&d, 0, 0), NET_CTRL_OK);
	assert_false(reaches(&d, other));
	assert_false(reaches(&d, group));
	assert_true(reaches(&d, broadcast));
	assert_int_equal(rx_mode(&d, 1, 1), NET_CTRL_OK);
	assert_true(reaches(&d, group));
	assert_int_equal(rx_mode(&d, 1, 0), NET_CTRL_OK);
	assert_int_equal(rx_mode(&d, 2, 1), NET_CTRL_OK);
	assert_true(reaches(&d, other));
	assert_int_equal(rx_mode(&d, 2, 0), NET_CTRL_OK);
	assert_int_equal(rx_mode(&d, 5, 1), NET_CTRL_OK);
	assert_false(reaches(&d, broadcast));
	assert_int_equal(rx_mode(&d, 5, 0), NET_CTRL_OK);
	/* both tables */
	memcpy(tables + 4, other, 6);
	tables[10] = 1;
	memcpy(tables + 14, group, 6);
	assert_int_equal(command(&d, 1, 0, tables, sizeof(tables)), NET_CTRL_OK);
	assert_true(reaches(&d, other));
	assert_true(reaches(&d, group));
	assert_int_equal(rx_mode(&d, 3, 1), NET_CTRL_OK);
	assert_false(reaches(&d, group));
	/* a reset forgets all of it */
	start(&d, *state, PCI_NET, UINT64_MAX);
	assert_true(reaches(&d, group));
}

static void table_of_many(void **state)
{
	enum { MANY = 200 };
	uint8_t *tables = calloc(1, 4 + 6 * MANY + 4);
	struct driver d;

	start(&d, *state, MMIO_NET, UINT64_MAX);
	assert_int_equal(rx_mode(&d, 0, 0), NET_CTRL_OK);
	st_le32(tables, MANY);
	assert_int_equal(command(&d, 1, 0, tables, 4 + 6 * MANY + 4), NET_CTRL_OK);
	assert_true(reaches(&d, other));		/* too many: all of the kind */
	assert_false(reaches(&d, group));
	st_le32(tables, 0);
	assert_int_equal(command(&d, 1, 0, tables, 8), NET_CTRL_OK);
	assert_false(reaches(&d, other));
	free(tables);
}

static void vlans(void **state)
{
	const uint8_t seven[2] = { 7, 0 }, huge[2] = { 0, 0x10 };
	uint8_t msg[NET_HDR_BYTES + 64] = { 0 }, hdr[HDR], frame[BUF];
	struct driver d;

	start(&d, *state, PCI_NET, UINT64_MAX);
	assert_int_equal(rx_mode(&d, 0, 0), NET_CTRL_OK);
	memcpy(msg + NET_HDR_BYTES, own_mac, 6);
	st_be16(msg + NET_HDR_BYTES + 12, 0x8100);
	st_be16(msg + NET_HDR_BYTES + 14, 0xe007);	/* VLAN 7, priority 7 */
	for (uint16_t i = 0; i < 2; i++)
		post(&d, i, BUF);
	ring_kick(&d, RX);
	assert_int_equal(send(peer(&d), msg, sizeof(msg), 0), sizeof(msg));
	net_sends(&d, NULL, own_mac, 90, 2);
	assert_int_equal(received(&d, hdr, frame), 90);
	assert_int_equal(command(&d, 2, 0, seven, 2), NET_CTRL_OK);
	assert_int_equal(send(peer(&d), msg, sizeof(msg), 0), sizeof(msg));
	assert_int_equal(received(&d, hdr, frame), 64);
	assert_int_equal(command(&d, 2, 1, seven, 2), NET_CTRL_OK);
	assert_int_equal(command(&d, 2, 0, huge, 2), NET_CTRL_ERR);
	assert_int_equal(command(&d, 2, 2, seven, 2), NET_CTRL_ERR);
}

static void own_address(void **state)
{
	struct driver d;

	start(&d, *state, PCI_NET, UINT64_MAX);
	assert_int_equal(rig_read(d.r, d.config, 1), 0x52);
	assert_int_equal(rig_read(d.r, d.config + 5, 1), 0x56);
	assert_int_equal(rig_read(d.r, d.config + 6, 2), 1);
	assert_int_equal(rig_read(d.r, d.config + 10, 2), 1500);
	assert_int_equal(command(&d, 1, 1, other, 6), NET_CTRL_OK);
	assert_int_equal(rig_read(d.r, d.config + 3, 1), 9);
	driver_reset(&d);
	assert_int_equal(rig_read(d.r, d.config + 3, 1), 0x12);
}

static void commands_refused(void **state)
{
	uint8_t junk[64];
	struct driver d;

	memset(junk, 0xff, sizeof(junk));
	start(&d, *state, PCI_NET, UINT64_MAX);
	for (unsigned class = 0; class < 8; class++)
		for (unsigned cmd = 0; cmd < 8; cmd++)
			for (uint32_t len = 7; len < 64; len += 19)
				assert_int_equal(command(&d, (uint8_t)class, (uint8_t)cmd, junk,
							 len), NET_CTRL_ERR);
	assert_int_equal(command(&d, 0, 0, junk, 0), NET_CTRL_ERR);
	assert_int_equal(command(&d, 1, 0, junk, 3), NET_CTRL_ERR);
	assert_int_equal(command(&d, 5, 0, junk, 8), NET_CTRL_ERR);
	assert_true(reaches(&d, other));		/* and nothing has changed */
	/* without their features */
	start(&d, *state, PCI_NET, BIT(VIRTIO_F_VERSION_1) | BIT(NET_F_CTRL_VQ));
	assert_int_equal(rx_mode(&d, 0, 0), NET_CTRL_ERR);
	assert_int_equal(command(&d, 1, 1, other, 6), NET_CTRL_ERR);
	assert_int_equal(command(&d, 2, 0, (uint8_t [2]){ 1 }, 2), NET_CTRL_ERR);
	assert_int_equal(command(&d, 5, 0, (uint8_t [8]){ 0 }, 8), NET_CTRL_ERR);
}

/* What the driver takes reaches the network process, at the start and when it changes. */
static void offloads(void **state)
{
	uint8_t none[8] = { 0 }, some[8] = { BIT(NET_F_GUEST_CSUM) }, msg[64];
	static const uint32_t want[] = { NET_CSUM | NET_TSO4 | NET_TSO6, 0, NET_CSUM, 0 };
	struct driver d;

	start(&d, *state, PCI_NET, UINT64_MAX);
	assert_int_equal(command(&d, 5, 0, none, 8), NET_CTRL_OK);
	assert_int_equal(command(&d, 5, 0, some, 8), NET_CTRL_OK);
	driver_reset(&d);
	/* driver_start() begins with a reset that finds nothing to do */
	for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(recv(peer(&d), msg, sizeof(msg), 0), WIRE_CONTROL_BYTES);
		assert_int_equal(ld_le32(msg + 4), want[i]);
	}
}

/* ---- mistakes, and the end --------------------------------------------------------------- */

static void broken_then_well(struct driver *d, unsigned queue)
{
	struct driver neighbour;

	ring_kick(d, queue);
	if (queue == RX)
		net_sends(d, NULL, own_mac, 100, 1);
	driver_wait_broken(d);
	driver_open(&neighbour, d->r, PCI_NEIGHBOUR);
	rng_works(&neighbour);
	driver_reset(&neighbour);
	/* the same card serves a better driver */
	start(d, d->r, d->place, UINT64_MAX);
	post(d, 0, BUF);
	ring_kick(d, RX);
	net_sends(d, NULL, own_mac, 100, 7);
	expect_frame(d, 100, 7);
}

static void mistakes(void **state)
{
	struct rig *r = *state;
	uint8_t packet[HDR] = { 0 };
	struct driver d;

	start(&d, r, PCI_NET, UINT64_MAX);
	offer(&d, 0, packet, HDR - 1, 70000);		/* a packet without a whole header */
	broken_then_well(&d, TX);

	start(&d, r, PCI_NET, UINT64_MAX);
	ring_desc(&d, TX, 0, rig_alloc(r, 100, 1), 100, D_WRITE, 0);	/* nothing to send in it */
	ring_avail(&d, TX, 0);
	broken_then_well(&d, TX);

	start(&d, r, PCI_NET, UINT64_MAX);
	post(&d, 0, HDR - 1);
	broken_then_well(&d, RX);

	start(&d, r, PCI_NET, UINT64_MAX);
	ring_desc(&d, RX, 0, rig_alloc(r, BUF, 1), BUF, 0, 0);		/* not to be written */
	ring_avail(&d, RX, 0);
	broken_then_well(&d, RX);

	start(&d, r, PCI_NET, UINT64_MAX);
	ring_desc(&d, RX, 0, RAM_BASE + RAM_BYTES - 10, 100, D_WRITE, 0);
	ring_avail(&d, RX, 0);
	broken_then_well(&d, RX);

	start(&d, r, PCI_NET, UINT64_MAX);
	ring_desc(&d, CTRL, 0, rig_alloc(r, 8, 1), 8, 0, 0);		/* no acknowledgement */
	ring_avail(&d, CTRL, 0);
	broken_then_well(&d, CTRL);

	start(&d, r, PCI_NET, UINT64_MAX);
	post(&d, 0, BUF);				/* a good one, then a bad one */
	ring_desc(&d, RX, 1, 0, 100, D_WRITE, 0);
	ring_avail(&d, RX, 1);
	ring_kick(&d, RX);
	net_sends(&d, NULL, own_mac, 1500, 1);
	expect_frame(&d, 1500, 1);
	broken_then_well(&d, RX);
}

/* Frames of before a reset, kept for want of buffers, are not for the next driver. */
static void reset_forgets_frames(void **state)
{
	struct driver d;

	start(&d, *state, PCI_NET, UINT64_MAX);
	for (uint8_t i = 0; i < 5; i++)
		net_sends(&d, NULL, own_mac, 100, i);
	rig_settle(d.r);
	driver_reset(&d);
	rig_settle(d.r);
	start(&d, *state, PCI_NET, UINT64_MAX);
	post(&d, 0, BUF);
	ring_kick(&d, RX);
	net_sends(&d, NULL, own_mac, 200, 9);
	expect_frame(&d, 200, 9);
}

static bool link_is_down(void *arg)
{
	struct driver *d = arg;

	return rig_read(d->r, d->config + 6, 2) == 0;
}

static void cable_goes(void **state)
{
	uint8_t packet[HDR + 100] = { 0 };
	struct driver d;
	uint32_t id, used;

	start(&d, *state, PCI_NET, UINT64_MAX);
	assert_int_equal(rig_read(d.r, d.config + 6, 2), 1);
	shutdown(peer(&d), SHUT_RDWR);
	driver_wait(&d, link_is_down, &d);
	/* the driver goes on, into the void */
	offer(&d, 0, packet, sizeof(packet), 70000);
	ring_kick(&d, TX);
	ring_wait(&d, TX, &id, &used);
	assert_false(driver_status(&d) & VIRTIO_S_NEEDS_RESET);
}

static void bad_mac(void **state)
{
	struct rig *r = *state;
	struct net net = { .mtu = 1500 };
	struct virtio *v = NULL;
	struct err err;

	assert_int_equal(virtio_net_new(&v, &r->vm, &net, group, "net9", &err), -EINVAL);
	assert_non_null(strstr(err.msg, "net9: 33:33:00:00:00:01"));
	assert_int_equal(virtio_net_new(&v, &r->vm, &net, (uint8_t [6]){ 0 }, "net9", &err),
			 -EINVAL);
	assert_null(v);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(receives),
		CASE(merges_buffers),
		CASE(queue_too_small),
		CASE(without_merging),
		CASE(sends),
		CASE(drops_what_was_not_agreed),
		CASE(full_backend),
		CASE(filters),
		CASE(table_of_many),
		CASE(vlans),
		CASE(own_address),
		CASE(commands_refused),
		CASE(offloads),
		CASE(mistakes),
		CASE(reset_forgets_frames),
		CASE(cable_goes),
		CASE(bad_mac),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
