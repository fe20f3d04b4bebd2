/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout of a command, little-endian: u8 class; u8 command; then
 *
 *	RX			u8 on
 *	MAC_TABLE_SET		twice: u32 entries; u8 mac[entries][6]	(unicast, multicast)
 *	MAC_ADDR_SET		u8 mac[6]
 *	VLAN_ADD, VLAN_DEL	u16 vlan
 *	GUEST_OFFLOADS_SET	u64 feature bits
 */
#include "dev/virtio/net_ctrl.h"

#include <string.h>

#include "base/bits.h"
#include "base/overflow.h"

enum { CLASS_RX = 0, CLASS_MAC = 1, CLASS_VLAN = 2, CLASS_OFFLOADS = 5 };
enum { RX_PROMISC, RX_ALLMULTI, RX_ALLUNI, RX_NOMULTI, RX_NOUNI, RX_NOBCAST };
enum { MAC_TABLE_SET, MAC_ADDR_SET };
enum { VLAN_ADD, VLAN_DEL };
enum { OFFLOADS_SET };
enum { ETH_VLAN = 0x8100, VLANS = 4096 };

/* ---- filter ------------------------------------------------------------------------------ */

void net_filter_reset(struct net_filter *f, const uint8_t mac[NET_MAC_BYTES])
{
	*f = (struct net_filter){ .promisc = true };
	memcpy(f->mac, mac, NET_MAC_BYTES);
}

static bool in_table(const struct mac_table *t, const uint8_t *mac)
{
	if (t->all)
		return true;
	for (unsigned i = 0; i < t->count; i++)
		if (!memcmp(t->macs[i], mac, NET_MAC_BYTES))
			return true;
	return false;
}

bool net_filter_pass(const struct net_filter *f, const uint8_t *head, size_t len)
{
	static const uint8_t broadcast[NET_MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (f->promisc)
		return true;
	if (len < NET_MAC_BYTES)
		return false;
	if (f->check_vlan && len >= 16 && (head[12] << 8 | head[13]) == ETH_VLAN) {
		unsigned vlan = (unsigned)(head[14] << 8 | head[15]) % VLANS;

		if (!(f->vlans[vlan / 8] >> vlan % 8 & 1))
			return false;
	}
	if (!memcmp(head, broadcast, NET_MAC_BYTES))
		return !f->nobcast;
	if (head[0] & 1)
		return !f->nomulti && (f->allmulti || in_table(&f->multi, head));
	return !f->nouni && (f->alluni || !memcmp(head, f->mac, NET_MAC_BYTES) ||
			     in_table(&f->uni, head));
}

/* ---- commands ---------------------------------------------------------------------------- */

static bool has(uint64_t features, unsigned bit)
{
	return features >> bit & 1;
}

static uint8_t rx_mode(struct net_filter *f, uint64_t features, const struct net_command *c)
{
	bool *const modes[] = {
		[RX_PROMISC] = &f->promisc, [RX_ALLMULTI] = &f->allmulti,
		[RX_ALLUNI] = &f->alluni, [RX_NOMULTI] = &f->nomulti,
		[RX_NOUNI] = &f->nouni, [RX_NOBCAST] = &f->nobcast,
	};

	if (c->cmd >= ARRAY_LEN(modes) || c->len != 1 ||
	    !has(features, c->cmd <= RX_ALLMULTI ? NET_F_CTRL_RX : NET_F_CTRL_RX_EXTRA))
		return NET_CTRL_ERR;
	*modes[c->cmd] = c->data[0] != 0;
	return NET_CTRL_OK;
}

/* The table at *off of the command, which moves behind it; false when it is cut. */
static bool load_table(struct mac_table *t, const struct net_command *c, uint64_t *off)
{
	uint8_t raw[4];
	uint64_t bytes;

	if (!range_within(*off, sizeof(raw), c->len))
		return false;
	c->read(c->opaque, *off, raw, sizeof(raw));
	*off += sizeof(raw);
	bytes = (uint64_t)ld_le32(raw) * NET_MAC_BYTES;
	if (!range_within(*off, bytes, c->len))
		return false;
	*t = (struct mac_table){ .all = bytes > sizeof(t->macs) };
	if (!t->all) {
		t->count = ld_le32(raw);
		c->read(c->opaque, *off, t->macs, bytes);
	}
	*off += bytes;
	return true;
}

static uint8_t set_tables(struct net_filter *f, uint64_t features, const struct net_command *c)
{
	struct mac_table uni, multi;
	uint64_t off = 0;

	if (!has(features, NET_F_CTRL_RX) || !load_table(&uni, c, &off) ||
	    !load_table(&multi, c, &off) || off != c->len)
		return NET_CTRL_ERR;
	f->uni = uni;
	f->multi = multi;
	return NET_CTRL_OK;
}

static uint8_t set_mac(struct net_filter *f, struct net_ctrl_effect *e, uint64_t features,
		       const struct net_command *c)
{
	if (!has(features, NET_F_CTRL_MAC_ADDR) || c->len != NET_MAC_BYTES)
		return NET_CTRL_ERR;
	memcpy(f->mac, c->data, NET_MAC_BYTES);
	e->mac_set = true;
	return NET_CTRL_OK;
}

static uint8_t set_vlan(struct net_filter *f, uint64_t features, const struct net_command *c)
{
	uint16_t vlan = c->len == 2 ? ld_le16(c->data) : VLANS;
	uint8_t bit = (uint8_t)(1u << vlan % 8);

	if (!has(features, NET_F_CTRL_VLAN) || vlan >= VLANS || c->cmd > VLAN_DEL)
		return NET_CTRL_ERR;
	if (c->cmd == VLAN_ADD)
		f->vlans[vlan / 8] |= bit;
	else
		f->vlans[vlan / 8] &= (uint8_t)~bit;
	return NET_CTRL_OK;
}

static uint8_t set_offloads(struct net_ctrl_effect *e, uint64_t features,
			    const struct net_command *c)
{
	const uint64_t known = BIT(NET_F_GUEST_CSUM) | BIT(NET_F_GUEST_TSO4) |
			       BIT(NET_F_GUEST_TSO6);
	uint64_t wanted = c->len == 8 ? ld_le64(c->data) : 0;

	if (!has(features, NET_F_CTRL_GUEST_OFFLOADS) || c->cmd != OFFLOADS_SET || c->len != 8 ||
	    wanted & ~(known & features))
		return NET_CTRL_ERR;
	e->offloads_set = true;
	e->offloads = wanted;
	return NET_CTRL_OK;
}

uint8_t net_ctrl(struct net_filter *f, struct net_ctrl_effect *e, uint64_t features,
		 const struct net_command *c)
{
	*e = (struct net_ctrl_effect){ 0 };
	switch (c->class) {
	case CLASS_RX:
		return rx_mode(f, features, c);
	case CLASS_MAC:
		if (c->cmd == MAC_TABLE_SET)
			return set_tables(f, features, c);
		return c->cmd == MAC_ADDR_SET ? set_mac(f, e, features, c) : NET_CTRL_ERR;
	case CLASS_VLAN:
		return set_vlan(f, features, c);
	case CLASS_OFFLOADS:
		return set_offloads(e, features, c);
	default:
		return NET_CTRL_ERR;
	}
}
