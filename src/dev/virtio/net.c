/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout (virtio 1.2 §5.1.4, §5.1.6), little-endian:
 *
 *	configuration	u8 mac[6]; u16 status, max_virtqueue_pairs, mtu
 *	packet		u8 flags, gso_type; u16 hdr_len, gso_size, csum_start, csum_offset;
 *			u16 num_buffers (not with a driver from before virtio 1.0 that has not
 *			accepted MRG_RXBUF); the frame
 *	command		out: u8 class, command; data		in: u8 ack
 *
 * Receiving: the backend offers a frame; it is written into as many chains as it takes (one
 * without MRG_RXBUF), which are handed back together once num_buffers is known. When they run
 * out midway, all are put back and the backend keeps the frame until the driver adds some.
 *
 * Transmitting: a frame goes to the backend straight from the driver's buffers, behind a header
 * of ours, since the backend must get the one that was checked. A full backend: the chain is put
 * back, and taken again when the backend says so.
 *
 * The driver's mistakes: a chain without room for header or acknowledgement breaks the device; a
 * frame that is too short, too long, or whose header asks for what was not agreed is dropped.
 */
#include "dev/virtio/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/overflow.h"
#include "dev/virtio/net_ctrl.h"

enum { RX, TX, CTRL, QUEUES };

enum {
	QUEUE_SIZE = 256,
	CONFIG_BYTES = 12,
	ETH_BYTES = 14,
	FRAMES_AT_A_TIME = 64,
	COMMANDS_AT_A_TIME = 16,
	STATUS_LINK_UP = 1,
	LEGACY_HDR_BYTES = NET_HDR_BYTES,
	HDR_BYTES = NET_HDR_BYTES + 2,
};

struct net_dev {
	struct virtio v;
	struct net *net;
	uint8_t own_mac[NET_MAC_BYTES];		/* what a reset restores */
	uint8_t config[CONFIG_BYTES];		/* [lock] */
	size_t hdr_bytes;			/* of each packet; set by start */
	bool mergeable;
	struct net_filter filter;
	struct log_limit log;
	struct virtq_chain chain;		/* the one being looked at */
	uint8_t tx_hdr[NET_HDR_BYTES];
	struct iovec tx_iov[1 + VIRTQ_MAX_IOV];
	struct {
		uint16_t head;
		uint32_t written;
	} used[QUEUE_SIZE];			/* chains of the frame being received */
};

static struct net_dev *dev_of(struct virtio *v)
{
	return container_of(v, struct net_dev, v);
}

/* ---- receiving --------------------------------------------------------------------------- */

/* Copies bytes [skip, skip + len) of src to byte at of dst; dst has room. */
static void copy_out(const struct virtq_chain *dst, uint64_t at, const struct iovec *src,
		     unsigned niov, uint64_t skip, uint64_t len)
{
	for (; niov && len; src++, niov--) {
		uint64_t part = src->iov_len;

		if (skip >= part) {
			skip -= part;
			continue;
		}
		part -= skip;
		if (part > len)
			part = len;
		iov_write(dst->iov + dst->out_count, dst->in_count, at,
			  (const uint8_t *)src->iov_base + skip, part);
		at += part;
		len -= part;
		skip = 0;
	}
}

/* Where byte at of the chain's in part is. */
static uint8_t *place_of(const struct virtq_chain *c, uint64_t at)
{
	const struct iovec *iov = c->iov + c->out_count;

	for (; at >= iov->iov_len; iov++)
		at -= iov->iov_len;
	return (uint8_t *)iov->iov_base + at;
}

enum taken { TAKEN, NO_ROOM, TOO_SMALL, BROKEN };

/* Pops the n'th chain of a frame into d->chain and checks it. */
static enum taken next_chain(struct net_dev *d, unsigned n)
{
	const char *why;
	int rc = virtq_pop(&d->v.queues[RX], &d->chain, &why);

	if (!rc)
		return NO_ROOM;
	if (rc > 0 && d->chain.out_count) {
		why = "a receive buffer has a part to read";
		rc = -1;
	}
	if (rc > 0 && d->chain.in_bytes < (n ? 1 : d->hdr_bytes)) {
		why = "a receive buffer is smaller than the header";
		rc = -1;
	}
	if (rc > 0)
		return TAKEN;
	virtio_break(&d->v, RX, why);
	return BROKEN;
}

static void put_back(struct net_dev *d, unsigned n)
{
	while (n--)
		virtq_unpop(&d->v.queues[RX]);
}

/* Writes header and frame (len bytes behind the backend's header) into chains. */
static enum taken fill_chains(struct net_dev *d, const struct iovec *iov, unsigned niov,
			      uint64_t len)
{
	uint8_t *num_buffers[2] = { NULL, NULL };
	uint64_t done = 0;
	unsigned n = 0;

	do {
		uint64_t skip = n ? 0 : d->hdr_bytes, part;
		/* One that a whole queue of such buffers does not hold would wait for ever. */
		enum taken rc = n < d->v.queues[RX].size ? next_chain(d, n) : TOO_SMALL;

		if (rc != TAKEN) {
			if (rc != BROKEN)
				put_back(d, n);
			return rc;
		}
		part = d->chain.in_bytes - skip;
		if (part > len - done)
			part = len - done;
		if (!n) {
			copy_out(&d->chain, 0, iov, niov, 0, NET_HDR_BYTES);
			for (unsigned i = 0; d->hdr_bytes == HDR_BYTES && i < 2; i++)
				num_buffers[i] = place_of(&d->chain, NET_HDR_BYTES + i);
		}
		copy_out(&d->chain, skip, iov, niov, NET_HDR_BYTES + done, part);
		done += part;
		d->used[n].head = d->chain.head;
		d->used[n++].written = (uint32_t)(skip + part);
		if (done < len && !d->mergeable) {
			put_back(d, n);
			return TOO_SMALL;
		}
	} while (done < len);
	if (num_buffers[0]) {
		ram_st8(num_buffers[0], (uint8_t)n);
		ram_st8(num_buffers[1], (uint8_t)(n >> 8));
	}
	for (unsigned i = 0; i < n; i++)
		virtq_push(&d->v.queues[RX], d->used[i].head, d->used[i].written);
	return TAKEN;
}

static bool net_rx(void *opaque, const struct iovec *iov, unsigned niov)
{
	struct net_dev *d = opaque;
	uint8_t head[ETH_BYTES + 4];
	uint64_t len = 0, got;
	enum taken rc;

	if (!d->v.queues[RX].ready)
		return true;			/* nobody there: as on a real cable */
	if (d->v.paused)
		return false;
	for (unsigned i = 0; i < niov; i++)
		len += iov[i].iov_len;
	got = iov_read(iov, niov, NET_HDR_BYTES, head, sizeof(head));
	if (len < NET_HDR_BYTES + ETH_BYTES || !net_filter_pass(&d->filter, head, got))
		return true;
	rc = fill_chains(d, iov, niov, len - NET_HDR_BYTES);
	if (rc == TAKEN)
		virtio_push_done(&d->v, RX);
	else if (rc == TOO_SMALL)
		log_limited(&d->log, "%s: a frame of %llu bytes does not fit the driver's buffers",
			    d->v.name, (unsigned long long)(len - NET_HDR_BYTES));
	return rc != NO_ROOM;
}

/* ---- transmitting ------------------------------------------------------------------------ */

/* Whether a driver may send this header with a frame of len bytes (§5.1.6.2.1). */
static bool header_agreed(const struct net_dev *d, const struct virtio *v, const uint8_t *hdr,
			  uint64_t len)
{
	unsigned type = hdr[1] & ~(unsigned)NET_GSO_ECN;
	bool partial = hdr[0] & NET_HDR_NEEDS_CSUM;

	if (partial && (!virtio_has(v, NET_F_CSUM) ||
			!range_within((uint64_t)ld_le16(hdr + 6) + ld_le16(hdr + 8), 2, len)))
		return false;
	if (hdr[1] == NET_GSO_NONE)
		return true;
	if (!partial || !ld_le16(hdr + 4) ||
	    (hdr[1] & NET_GSO_ECN && !virtio_has(v, NET_F_HOST_ECN)))
		return false;
	return (type == NET_GSO_TCPV4 && virtio_has(v, NET_F_HOST_TSO4)) ||
	       (type == NET_GSO_TCPV6 && virtio_has(v, NET_F_HOST_TSO6));
}

/* Sends the frame in d->chain: 0, also when it is dropped; -EAGAIN. */
static int send_frame(struct net_dev *d)
{
	const struct virtq_chain *c = &d->chain;
	uint64_t len = c->out_bytes - d->hdr_bytes, skip = d->hdr_bytes;
	unsigned n = 1;

	iov_read(c->iov, c->out_count, 0, d->tx_hdr, NET_HDR_BYTES);
	if (len < ETH_BYTES || len > NET_MAX_FRAME || !header_agreed(d, &d->v, d->tx_hdr, len)) {
		log_limited(&d->log, "%s: a frame of %llu bytes was dropped: it is no frame, or "
			    "asks for what was not agreed", d->v.name, (unsigned long long)len);
		return 0;
	}
	d->tx_hdr[0] &= NET_HDR_NEEDS_CSUM;
	d->tx_iov[0] = (struct iovec){ d->tx_hdr, NET_HDR_BYTES };
	for (unsigned i = 0; i < c->out_count; i++) {
		const struct iovec *iov = &c->iov[i];

		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		d->tx_iov[n++] = (struct iovec){ (uint8_t *)iov->iov_base + skip,
						 iov->iov_len - skip };
		skip = 0;
	}
	return net_tx(d->net, d->tx_iov, n);
}

static void transmit(struct net_dev *d)
{
	struct virtq *q = &d->v.queues[TX];
	const char *why;
	int rc = 1;

	for (unsigned i = 0; i < FRAMES_AT_A_TIME; i++) {
		rc = virtq_pop(q, &d->chain, &why);
		if (rc <= 0)
			break;
		if (d->chain.out_bytes < d->hdr_bytes) {
			why = "a packet is shorter than its header";
			rc = -1;
			break;
		}
		if (send_frame(d) == -EAGAIN) {
			virtq_unpop(q);
			rc = 0;			/* net_tx_ready() goes on */
			break;
		}
		virtq_push(q, d->chain.head, 0);
	}
	virtio_push_done(&d->v, TX);
	if (rc < 0)
		virtio_break(&d->v, TX, why);
	else if (rc > 0)
		virtio_again(&d->v, TX);
}

static void net_tx_ready(void *opaque)
{
	struct net_dev *d = opaque;

	virtio_again(&d->v, TX);
}

/* ---- commands ---------------------------------------------------------------------------- */

static void read_command(void *opaque, uint64_t off, void *buf, size_t len)
{
	const struct virtq_chain *c = opaque;

	iov_read(c->iov, c->out_count, NET_CTRL_HEAD + off, buf, len);
}

/* Tells the backend what the driver takes; bits of the GUEST_ features. */
static void accept_offloads(struct net_dev *d, uint64_t bits)
{
	unsigned mask = bits >> NET_F_GUEST_CSUM & 1 ? NET_CSUM : 0;

	if (mask && bits >> NET_F_GUEST_TSO4 & 1)
		mask |= NET_TSO4;
	if (mask && bits >> NET_F_GUEST_TSO6 & 1)
		mask |= NET_TSO6;
	net_set_offloads(d->net, mask);
}

/* Carries out the command in d->chain; returns its acknowledgement. */
static uint8_t run_command(struct net_dev *d)
{
	const struct virtq_chain *c = &d->chain;
	struct net_command cmd = { .read = read_command, .opaque = &d->chain };
	uint8_t head[NET_CTRL_HEAD + NET_CTRL_FIXED] = { 0 };
	struct net_ctrl_effect effect;
	uint8_t ack;

	if (c->out_bytes < NET_CTRL_HEAD)
		return NET_CTRL_ERR;
	iov_read(c->iov, c->out_count, 0, head, sizeof(head));
	cmd.class = head[0];
	cmd.cmd = head[1];
	memcpy(cmd.data, head + NET_CTRL_HEAD, NET_CTRL_FIXED);
	cmd.len = c->out_bytes - NET_CTRL_HEAD;
	ack = net_ctrl(&d->filter, &effect, d->v.features, &cmd);
	if (effect.mac_set) {
		pthread_mutex_lock(&d->v.lock);
		memcpy(d->config, d->filter.mac, NET_MAC_BYTES);
		pthread_mutex_unlock(&d->v.lock);
	}
	if (effect.offloads_set)
		accept_offloads(d, effect.offloads);
	return ack;
}

static void obey(struct net_dev *d)
{
	struct virtq *q = &d->v.queues[CTRL];
	const char *why;
	int rc = 1;

	if (!virtio_has(&d->v, NET_F_CTRL_VQ))
		return;
	for (unsigned i = 0; i < COMMANDS_AT_A_TIME; i++) {
		uint8_t ack;

		rc = virtq_pop(q, &d->chain, &why);
		if (rc <= 0)
			break;
		if (!d->chain.in_bytes) {
			why = "a command has no place for its acknowledgement";
			rc = -1;
			break;
		}
		ack = run_command(d);
		iov_write(d->chain.iov + d->chain.out_count, d->chain.in_count, 0, &ack, 1);
		virtq_push(q, d->chain.head, 1);
	}
	virtio_push_done(&d->v, CTRL);
	if (rc < 0)
		virtio_break(&d->v, CTRL, why);
	else if (rc > 0)
		virtio_again(&d->v, CTRL);
}

/* ---- the device -------------------------------------------------------------------------- */

static void net_notify(struct virtio *v, unsigned n)
{
	struct net_dev *d = dev_of(v);

	switch (n) {
	case RX:
		net_rx_ready(d->net);
		break;
	case TX:
		transmit(d);
		break;
	default:
		obey(d);
		break;
	}
}

static void net_start(struct virtio *v)
{
	struct net_dev *d = dev_of(v);

	d->mergeable = virtio_has(v, NET_F_MRG_RXBUF);
	d->hdr_bytes = d->mergeable || virtio_has(v, VIRTIO_F_VERSION_1) ? HDR_BYTES
									 : LEGACY_HDR_BYTES;
	d->filter.check_vlan = virtio_has(v, NET_F_CTRL_VLAN);
	accept_offloads(d, v->features);
}

static void net_reset(struct virtio *v)
{
	struct net_dev *d = dev_of(v);

	net_filter_reset(&d->filter, d->own_mac);
	pthread_mutex_lock(&v->lock);
	memcpy(d->config, d->own_mac, NET_MAC_BYTES);
	pthread_mutex_unlock(&v->lock);
	net_set_offloads(d->net, 0);
	net_rx_ready(d->net);		/* what it has kept for this driver is not for the next */
	virtio_reset_done(v);
}

static void net_get_config(struct virtio *v, uint32_t off, void *buf, uint32_t len)
{
	memcpy(buf, dev_of(v)->config + off, len);
}

static void set_link(struct net_dev *d, bool up)
{
	pthread_mutex_lock(&d->v.lock);
	st_le16(d->config + 6, up ? STATUS_LINK_UP : 0);
	pthread_mutex_unlock(&d->v.lock);
}

static void net_link(void *opaque, bool up)
{
	struct net_dev *d = opaque;

	set_link(d, up);
	virtio_config_changed(&d->v);
}

static void net_fini(struct virtio *v)
{
	struct net_dev *d = dev_of(v);

	net_close(d->net);
	free(d);
}

static const struct net_client net_client = {
	.rx = net_rx,
	.tx_ready = net_tx_ready,
	.link = net_link,
};

static const struct virtio_ops net_ops = {
	.name = "virtio-net",
	.id = VIRTIO_ID_NET,
	.features = BIT(NET_F_MTU) | BIT(NET_F_MAC) | BIT(NET_F_MRG_RXBUF) | BIT(NET_F_STATUS) |
		    BIT(NET_F_CTRL_VQ) | BIT(NET_F_CTRL_RX) | BIT(NET_F_CTRL_VLAN) |
		    BIT(NET_F_CTRL_RX_EXTRA) | BIT(NET_F_CTRL_MAC_ADDR),
	.config_size = CONFIG_BYTES,
	.get_config = net_get_config,
	.start = net_start,
	.notify = net_notify,
	.reset = net_reset,
	.fini = net_fini,
};

/* The features that a backend with caps makes possible. */
static uint64_t features_of(unsigned caps)
{
	uint64_t f = 0;

	if (!(caps & NET_CSUM))
		return 0;
	f |= BIT(NET_F_CSUM) | BIT(NET_F_GUEST_CSUM) | BIT(NET_F_CTRL_GUEST_OFFLOADS);
	if (caps & NET_TSO4)
		f |= BIT(NET_F_HOST_TSO4) | BIT(NET_F_GUEST_TSO4) | BIT(NET_F_HOST_ECN);
	if (caps & NET_TSO6)
		f |= BIT(NET_F_HOST_TSO6) | BIT(NET_F_GUEST_TSO6) | BIT(NET_F_HOST_ECN);
	return f;
}

int virtio_net_new(struct virtio **out, struct vm *vm, struct net *net, const uint8_t mac[6],
		   const char *name, struct err *err)
{
	static const uint8_t zero[NET_MAC_BYTES];
	struct net_dev *d;

	if (mac[0] & 1 || !memcmp(mac, zero, NET_MAC_BYTES))
		return err_set(err, -EINVAL,
			       "%s: %02x:%02x:%02x:%02x:%02x:%02x is no address of a single "
			       "network card: its first byte must be even, as in 52:54:00:12:34:56",
			       name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	d = calloc(1, sizeof(*d));
	if (!d)
		return err_sys(err, -ENOMEM, "%s", name);
	d->net = net;
	memcpy(d->own_mac, mac, NET_MAC_BYTES);
	memcpy(d->config, mac, NET_MAC_BYTES);
	st_le16(d->config + 8, 1);
	st_le16(d->config + 10, net->mtu);
	net_filter_reset(&d->filter, mac);
	virtio_init(&d->v, vm, &net_ops, name, QUEUES, QUEUE_SIZE);
	d->v.features_offered |= features_of(net->caps);
	set_link(d, net->up);
	net_attach(net, &net_client, d);
	*out = &d->v;
	return 0;
}
