/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-net's control commands (virtio 1.2 §5.1.6.5) and the receive filter that they set.
 * Knows no queue and no lock: the caller has copied the command out of guest memory.
 */
#ifndef DEV_VIRTIO_NET_CTRL_H
#define DEV_VIRTIO_NET_CTRL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum net_feature {
	NET_F_CSUM = 0,
	NET_F_GUEST_CSUM = 1,
	NET_F_CTRL_GUEST_OFFLOADS = 2,
	NET_F_MTU = 3,
	NET_F_MAC = 5,
	NET_F_GUEST_TSO4 = 7,
	NET_F_GUEST_TSO6 = 8,
	NET_F_HOST_TSO4 = 11,
	NET_F_HOST_TSO6 = 12,
	NET_F_HOST_ECN = 13,
	NET_F_MRG_RXBUF = 15,
	NET_F_STATUS = 16,
	NET_F_CTRL_VQ = 17,
	NET_F_CTRL_RX = 18,
	NET_F_CTRL_VLAN = 19,
	NET_F_CTRL_RX_EXTRA = 20,
	NET_F_CTRL_MAC_ADDR = 23,
};

enum {
	NET_CTRL_OK = 0,
	NET_CTRL_ERR = 1,
	NET_MAC_BYTES = 6,
	NET_MAC_TABLE = 64,		/* addresses of a kind told apart; more: all pass */
	NET_CTRL_HEAD = 2,		/* class and command */
	NET_CTRL_FIXED = 8,		/* data of the longest command that is no table */
};

struct mac_table {
	bool all;			/* more than fit: everything of this kind passes */
	unsigned count;
	uint8_t macs[NET_MAC_TABLE][NET_MAC_BYTES];
};

struct net_filter {
	uint8_t mac[NET_MAC_BYTES];
	bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
	bool check_vlan;		/* CTRL_VLAN was negotiated */
	struct mac_table uni, multi;
	uint8_t vlans[4096 / 8];
};

/* What a command changes beside the filter. */
struct net_ctrl_effect {
	bool mac_set;			/* filter.mac is new */
	bool offloads_set;
	uint64_t offloads;		/* feature bits of the GUEST_ offloads that stay on */
};

/* To the state after reset: everything passes. */
void net_filter_reset(struct net_filter *f, const uint8_t mac[NET_MAC_BYTES]);

/* Whether a frame whose first len bytes are head is for the guest; 18 bytes say all there is. */
bool net_filter_pass(const struct net_filter *f, const uint8_t *head, size_t len);

/* A command, copied out of guest memory but for its MAC tables. */
struct net_command {
	uint8_t class, cmd;
	uint8_t data[NET_CTRL_FIXED];	/* the first bytes behind them; zeros where len is less */
	uint64_t len;			/* of all bytes behind them */
	/* Copies data[off, off + len), which lies within the command; may differ from last time. */
	void (*read)(void *opaque, uint64_t off, void *buf, size_t len);
	void *opaque;
};

/*
 * Carries out c. NET_CTRL_OK; or NET_CTRL_ERR, and nothing has changed: unknown, not negotiated
 * (features), of the wrong length.
 */
uint8_t net_ctrl(struct net_filter *f, struct net_ctrl_effect *e, uint64_t features,
		 const struct net_command *c);

#endif
