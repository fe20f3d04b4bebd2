/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network backends with no VM in sight: whole Ethernet frames in and out.
 *
 * A struct net belongs to one loop and is used only on its thread. Every frame has the
 * virtio-net header in front (struct virtio_net_hdr_mrg_rxbuf's first 10 bytes, virtio 1.2
 * §5.1.6, little-endian), which says whether its checksum is partial and whether it is a
 * large segment. A client sends only what the backend's caps allow; a backend delivers only
 * what the client has accepted with net_set_offloads().
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/loop.h"

enum {
	NET_HDR_BYTES = 10,
	NET_MAX_FRAME = 65536 + 64,	/* the largest frame either way, without the header */
};

/* The header's fields (virtio 1.2 §5.1.6); struct net_hdr in net/offload.h holds them decoded. */
enum {
	NET_HDR_NEEDS_CSUM = 1,		/* flags: sum from csum_start on; goes to csum_offset */
	NET_HDR_DATA_VALID = 2,		/* flags: the checksum is known to be right */
	NET_GSO_NONE = 0,
	NET_GSO_TCPV4 = 1,
	NET_GSO_UDP = 3,
	NET_GSO_TCPV6 = 4,
	NET_GSO_ECN = 0x80,		/* with TCPV4 or TCPV6: the segment has CWR */
};

/* What may be in a header besides zeros. */
enum net_offloads {
	NET_CSUM = 1,			/* NEEDS_CSUM; towards a client also DATA_VALID */
	NET_TSO4 = 2,			/* large TCP segments over IPv4; needs NET_CSUM */
	NET_TSO6 = 4,			/* and over IPv6 */
};

struct net;

/* The frame's taker (a network card). */
struct net_client {
	/* One frame, header first. False: no room now; net_rx_ready() will be called. */
	bool (*rx)(void *opaque, const struct iovec *iov, unsigned niov);
	/* The backend takes frames again after net_tx() had refused one. */
	void (*tx_ready)(void *opaque);
	/* The cable came or went. May be NULL. */
	void (*link)(void *opaque, bool up);
};

struct net_ops {
	const char *name;			/* "user" */
	/* One frame, header first, copied before it returns. 0, or -EAGAIN: try after tx_ready. */
	int (*tx)(struct net *n, const struct iovec *iov, unsigned niov);
	void (*rx_ready)(struct net *n);	/* the client has room again */
	void (*offloads_changed)(struct net *n);	/* n->offloads is new; may be NULL */
	void (*close)(struct net *n);		/* frees n */
};

struct net {
	const struct net_ops *ops;
	struct loop *loop;
	const struct net_client *client;	/* NULL: frames are dropped */
	void *client_opaque;
	unsigned caps;				/* enum net_offloads: taken by tx, possible in rx */
	uint16_t mtu;				/* of the network behind it: IP packets */
	bool up;				/* the cable is in */
	unsigned offloads;			/* of caps: what the client accepts in rx */
};

/* The frames' taker; before the loop runs or on its thread. NULL client: frames are dropped. */
static inline void net_attach(struct net *n, const struct net_client *client, void *opaque)
{
	n->client = client;
	n->client_opaque = opaque;
}

static inline int net_tx(struct net *n, const struct iovec *iov, unsigned niov)
{
	return n->ops->tx(n, iov, niov);
}

static inline void net_rx_ready(struct net *n)
{
	n->ops->rx_ready(n);
}

/* What rx may deliver from now on, of n->caps; a frame already on its way keeps its form. */
static inline void net_set_offloads(struct net *n, unsigned offloads)
{
	n->offloads = offloads & n->caps;
	if (n->ops->offloads_changed)
		n->ops->offloads_changed(n);
}

static inline void net_close(struct net *n)
{
	if (n)
		n->ops->close(n);
}

#endif
