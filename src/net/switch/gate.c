/* SPDX-License-Identifier: Apache-2.0 */
#include "net/switch/gate.h"

#include <string.h>

#include "net/offload.h"
#include "net/switch/lan.h"

enum {
	ARP_BYTES = 28,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	IPV4_OFFSET = 0x1fff,
	UDP_BYTES = 8,
	DHCP_SERVER = 67,
	DHCP6_SERVER = 547,
	ICMP6 = 58,
	ICMP6_ROUTER_ADVERTISEMENT = 134,
	ICMP6_NEIGHBOUR_SOLICITATION = 135,
	ICMP6_NEIGHBOUR_ADVERTISEMENT = 136,
	ICMP6_REDIRECT = 137,
	ND_BYTES = 24,			/* of a solicitation or advertisement before its options */
	ND_SOURCE_MAC = 1,
	ND_TARGET_MAC = 2,
};

static const uint8_t zero[16];

/* ARP for IPv4 over Ethernet (RFC 826); *told is the sender's IPv4 address. */
static bool arp_of(const uint8_t *frame, size_t len, const uint8_t *mac, uint32_t *told)
{
	static const uint8_t kind[6] = { 0, 1, 8, 0, 6, 4 };
	const uint8_t *arp = frame + NET_ETH_BYTES;
	uint16_t op;

	if (len < NET_ETH_BYTES + ARP_BYTES || memcmp(arp, kind, sizeof(kind)))
		return false;
	op = ld_be16(arp + 6);
	*told = ld_be32(arp + 14);
	return (op == ARP_REPLY || op == ARP_REQUEST) && !memcmp(arp + 8, mac, 6) &&
	       (*told || op == ARP_REQUEST);
}

/*
 * Whether an IPv4 or IPv6 packet may be one of a server's: *port is UDP's source port, 0 of other
 * packets. False: a first fragment too short to tell.
 */
static bool udp_source(const struct net_pkt *p, const uint8_t *frame, size_t offset, uint16_t *port)
{
	*port = 0;
	if (p->proto != NET_IP_UDP || offset)
		return true;
	if (p->end - p->l4 < UDP_BYTES)
		return false;
	*port = ld_be16(frame + p->l4);
	return true;
}

static bool ipv4_ok(const struct gate *g, const struct net_pkt *p, const uint8_t *frame)
{
	const uint8_t *ip = frame + p->l3;
	uint32_t from = ld_be32(ip + 12);
	uint16_t port;

	if (!udp_source(p, frame, ld_be16(ip + 6) & IPV4_OFFSET, &port) || port == DHCP_SERVER)
		return false;
	if (from == g->addr)
		return true;
	return !from && !p->fragment && p->proto == NET_IP_UDP &&
	       ld_be16(frame + p->l4 + 2) == DHCP_SERVER;
}

/* ---- IPv6 -------------------------------------------------------------------------------- */

/* True when addr is this port's, or nobody's and becomes this port's. */
static bool owns(const struct gate *g, const uint8_t *addr)
{
	unsigned mine = 0, empty = GATE_ADDRS6_ALL;

	if (addr[0] != 0xfe || (addr[1] & 0xc0) != 0x80)
		return false;
	for (unsigned i = 0; i < GATE_ADDRS6_ALL; i++) {
		if (!g->all->known[i].owner) {
			empty = empty < i ? empty : i;
			continue;
		}
		mine += g->all->known[i].owner == g->owner;
		if (!memcmp(g->all->known[i].addr, addr, 16))
			return g->all->known[i].owner == g->owner;
	}
	if (mine == GATE_ADDRS6 || empty == GATE_ADDRS6_ALL)
		return false;
	memcpy(g->all->known[empty].addr, addr, 16);
	g->all->known[empty].owner = g->owner;
	return true;
}

/* Neighbour discovery (RFC 4861 §4.3, §4.4): what it tells about the sender is true. */
static bool neighbour_ok(const struct gate *g, const uint8_t *icmp, size_t len)
{
	if (len < ND_BYTES)
		return false;
	if (icmp[0] == ICMP6_NEIGHBOUR_ADVERTISEMENT && !owns(g, icmp + 8))
		return false;
	for (size_t at = ND_BYTES, size; at < len; at += size) {
		size = len - at < 2 ? 0 : (size_t)icmp[at + 1] * 8;
		if (!size || size > len - at)
			return false;
		if ((icmp[at] == ND_SOURCE_MAC || icmp[at] == ND_TARGET_MAC) &&
		    memcmp(icmp + at + 2, g->mac, 6))
			return false;
	}
	return true;
}

static bool icmp6_ok(const struct gate *g, const struct net_pkt *p, const uint8_t *frame)
{
	const uint8_t *icmp = frame + p->l4;

	if (p->fragment || p->end - p->l4 < 8)
		return false;
	switch (icmp[0]) {
	case ICMP6_ROUTER_ADVERTISEMENT:
	case ICMP6_REDIRECT:
		return false;
	case ICMP6_NEIGHBOUR_SOLICITATION:
	case ICMP6_NEIGHBOUR_ADVERTISEMENT:
		return neighbour_ok(g, icmp, p->end - p->l4);
	default:
		return true;
	}
}

static bool ipv6_ok(const struct gate *g, const struct net_pkt *p, const uint8_t *frame)
{
	const uint8_t *from = frame + p->l3 + 8;
	uint16_t port;

	/* The fragment header, if there is one, is the last before l4 (RFC 8200 §4.5). */
	if (!udp_source(p, frame, p->fragment ? ld_be16(frame + p->l4 - 6) >> 3 : 0, &port) ||
	    port == DHCP6_SERVER)
		return false;
	if (!memcmp(from, zero, 16))
		return p->proto == ICMP6 && icmp6_ok(g, p, frame);
	if (p->proto != NET_IP_TCP && p->proto != NET_IP_UDP && p->proto != ICMP6)
		return false;
	return owns(g, from) && (p->proto != ICMP6 || icmp6_ok(g, p, frame));
}

/* ---- frames ------------------------------------------------------------------------------ */

bool gate_input(const struct gate *g, const uint8_t *frame, size_t len)
{
	struct net_pkt p;
	uint32_t told;

	if (len < NET_ETH_BYTES || memcmp(frame + 6, g->mac, 6))
		return false;
	if (ld_be16(frame + 12) == NET_ETH_ARP)
		return arp_of(frame, len, g->mac, &told) && (!told || told == g->addr);
	if (!net_pkt_parse(&p, frame, len) || p.l3 != NET_ETH_BYTES)
		return false;
	return p.ipv6 ? ipv6_ok(g, &p, frame) : ipv4_ok(g, &p, frame);
}

void gate_close(const struct gate *g)
{
	for (unsigned i = 0; g->all && i < GATE_ADDRS6_ALL; i++)
		if (g->all->known[i].owner == g->owner)
			g->all->known[i].owner = 0;
}

bool gate_router(uint32_t net, const uint8_t mac[static 6], const uint8_t *frame, size_t len)
{
	uint32_t from, resolver = net | LAN_RESOLVER;
	const uint8_t *arp = frame + NET_ETH_BYTES;
	struct net_pkt p;
	uint16_t port;

	/* Each of its addresses has a MAC address of its own, which differs in the last byte. */
	if (len < NET_ETH_BYTES || memcmp(frame + 6, mac, 5) ||
	    (frame[11] != LAN_ROUTER && frame[11] != LAN_RESOLVER))
		return false;
	if (ld_be16(frame + 12) == NET_ETH_ARP)
		return len >= NET_ETH_BYTES + ARP_BYTES && !memcmp(arp + 8, mac, 5) &&
		       (arp[13] == LAN_ROUTER || arp[13] == LAN_RESOLVER) &&
		       ld_be32(arp + 14) == (net | arp[13]);
	if (!net_pkt_parse(&p, frame, len) || p.l3 != NET_ETH_BYTES || p.ipv6)
		return false;
	from = ld_be32(frame + p.l3 + 12);
	if (!udp_source(&p, frame, ld_be16(frame + p.l3 + 6) & IPV4_OFFSET, &port) ||
	    port == DHCP_SERVER)
		return false;
	return from >> 8 != net >> 8 || from == (net | LAN_ROUTER) || from == resolver;
}
