/* SPDX-License-Identifier: Apache-2.0 */
#include "net/user/guard.h"

#include <string.h>

#include "net/offload.h"

enum {
	ARP_BYTES = 28,
	DNS_PORT = 53,
	TFTP_PORT = 69,
	TCP_CSUM_AT = 16,
	TCP_OPTIONS_AT = 20,
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
};

/* The destination port of an unfragmented TCP or UDP packet, else 0. */
static uint16_t port_of(const struct net_pkt *p, const uint8_t *frame)
{
	return p->payload > p->l4 ? ld_be16(frame + p->l4 + 2) : 0;
}

static bool ipv4_allowed(uint32_t net, const struct net_pkt *p, const uint8_t *frame)
{
	const uint8_t *ip = frame + p->l3;
	uint32_t to = ld_be32(ip + 16);
	bool own = to >> 8 == net >> 8;
	bool router = (own && ((uint8_t)to == (uint8_t)GUARD_GATEWAY ||
			       (uint8_t)to == (uint8_t)GUARD_BROADCAST)) || to == 0xffffffff;

	if (ip[16] == 127 || ip[16] == 0 || ip[12] == 127)
		return false;
	/* Of the guest's own network only the router is there, and the name server's one port. */
	if (own && (uint8_t)to == (uint8_t)GUARD_DNS)
		return p->proto == NET_IP_ICMP || port_of(p, frame) == DNS_PORT;
	if (own && !router)
		return false;
	return !(router && p->proto == NET_IP_UDP && port_of(p, frame) == TFTP_PORT);
}

static bool ipv6_allowed(const struct net_pkt *p, const uint8_t *frame)
{
	const uint8_t *ip = frame + p->l3;

	/* A source of :: is how a guest asks whether its address is free (RFC 4862 §5.4.2). */
	if (!ip[24] && !ip[25])
		return false;
	return !(p->proto == NET_IP_UDP && port_of(p, frame) == TFTP_PORT);
}

/* Overwrites len (even) bytes at an even offset of the TCP header. */
static void tcp_edit(uint8_t *tcp, size_t at, const uint8_t *new, size_t len)
{
	net_csum_update(tcp + TCP_CSUM_AT, tcp + at, new, len);
	memcpy(tcp + at, new, len);
}

static void clear_urgent(uint8_t *tcp)
{
	static const uint8_t zero[2];
	const uint8_t word[2] = { tcp[12], (uint8_t)(tcp[13] & ~NET_TCP_URG) };

	if (!(tcp[13] & NET_TCP_URG))
		return;
	tcp_edit(tcp, 12, word, 2);
	tcp_edit(tcp, 18, zero, 2);
}

/* Puts GUARD_MSS in place of the value of a SYN's MSS option; returns that, 0 without one. */
static uint16_t raise_mss(uint8_t *tcp, size_t header)
{
	size_t at = TCP_OPTIONS_AT;

	while (at < header && tcp[at] != OPT_END) {
		size_t size = tcp[at] == OPT_NOP ? 1 : at + 1 < header ? tcp[at + 1] : 0;

		if (!size || (size < 2 && tcp[at] != OPT_NOP) || size > header - at)
			return 0;
		if (tcp[at] == OPT_MSS && size == 4) {
			uint16_t mss = ld_be16(tcp + at + 2);
			/* Summed as the even-aligned words that it lies in. */
			size_t from = (at + 2) & ~(size_t)1, len = at & 1 ? 4 : 2;
			uint8_t new[4];

			memcpy(new, tcp + from, len);
			st_be16(new + (at & 1), GUARD_MSS);
			tcp_edit(tcp, from, new, len);
			return mss;
		}
		at += size;
	}
	return 0;
}

bool guard_input(struct guard *g, uint8_t *frame, size_t len)
{
	struct net_pkt p;
	uint8_t *tcp;

	if (len < NET_ETH_BYTES)
		return false;
	if (ld_be16(frame + 12) == NET_ETH_ARP)
		return len >= NET_ETH_BYTES + ARP_BYTES;
	/* VLAN tags end up at l3 != NET_ETH_BYTES: there is no VLAN here. */
	if (!net_pkt_parse(&p, frame, len) || p.fragment || p.l3 != NET_ETH_BYTES)
		return false;
	if (p.ipv6 ? !ipv6_allowed(&p, frame) : !ipv4_allowed(g->net ? g->net : GUARD_NET, &p, frame))
		return false;
	if (p.proto != NET_IP_TCP)
		return true;
	tcp = frame + p.l4;
	clear_urgent(tcp);
	if (tcp[13] & NET_TCP_SYN)
		g->mss[ld_be16(tcp)] = raise_mss(tcp, p.payload - p.l4);
	return true;
}
