/* SPDX-License-Identifier: Apache-2.0 */
#include "net/switch/packet.h"

#include <string.h>

#include "net/offload.h"

enum { IP_BYTES = 20, UDP_BYTES = 8, TTL = 64, ARP_REPLY = 2 };

static void put_eth(uint8_t *out, const uint8_t *to, const uint8_t *from, uint16_t type)
{
	memcpy(out, to, 6);
	memcpy(out + 6, from, 6);
	st_be16(out + 12, type);
}

size_t packet_udp(uint8_t *out, const struct packet_end *from, const struct packet_end *to,
		  size_t size)
{
	uint8_t *ip = out + NET_ETH_BYTES, *udp = ip + IP_BYTES;
	struct net_pkt p;
	uint16_t csum;

	put_eth(out, to->mac, from->mac, NET_ETH_IPV4);
	memset(ip, 0, IP_BYTES);
	ip[0] = 0x45;
	st_be16(ip + 2, (uint16_t)(IP_BYTES + UDP_BYTES + size));
	ip[8] = TTL;
	ip[9] = NET_IP_UDP;
	st_be32(ip + 12, from->addr);
	st_be32(ip + 16, to->addr);
	st_be16(ip + 10, (uint16_t)~net_csum(ip, IP_BYTES, 0));
	st_be16(udp, from->port);
	st_be16(udp + 2, to->port);
	st_be16(udp + 4, (uint16_t)(UDP_BYTES + size));
	st_be16(udp + 6, 0);
	p = (struct net_pkt){
		.proto = NET_IP_UDP,
		.l3 = NET_ETH_BYTES,
		.l4 = NET_ETH_BYTES + IP_BYTES,
		.end = PACKET_UDP_AT + size,
	};
	csum = (uint16_t)~net_csum(udp, UDP_BYTES + size, net_csum_pseudo(&p, out));
	st_be16(udp + 6, csum ? csum : 0xffff);
	return PACKET_UDP_AT + size;
}

size_t packet_arp_reply(uint8_t out[static PACKET_ARP_BYTES], const uint8_t *request,
			const uint8_t mac[static 6], uint32_t addr)
{
	static const uint8_t kind[8] = { 0, 1, 8, 0, 6, 4, 0, ARP_REPLY };
	const uint8_t *asked = request + NET_ETH_BYTES;
	uint8_t *arp = out + NET_ETH_BYTES;

	put_eth(out, asked + 8, mac, NET_ETH_ARP);
	memcpy(arp, kind, sizeof(kind));
	memcpy(arp + 8, mac, 6);
	st_be32(arp + 14, addr);
	memcpy(arp + 18, asked + 8, 10);
	return PACKET_ARP_BYTES;
}

void packet_echo(uint8_t *frame, const uint8_t mac[static 6], size_t l3, size_t l4, size_t end)
{
	uint8_t addr[4], *ip = frame + l3, *icmp = frame + l4;

	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, mac, 6);
	memcpy(addr, ip + 12, 4);
	memcpy(ip + 12, ip + 16, 4);
	memcpy(ip + 16, addr, 4);
	ip[8] = TTL;
	st_be16(ip + 10, 0);
	st_be16(ip + 10, (uint16_t)~net_csum(ip, l4 - l3, 0));
	icmp[0] = 0;
	st_be16(icmp + 2, 0);
	st_be16(icmp + 2, (uint16_t)~net_csum(icmp, end - l4, 0));
}
