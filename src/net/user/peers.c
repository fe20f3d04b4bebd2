/* SPDX-License-Identifier: Apache-2.0 */
#include "net/user/peers.h"

#include <string.h>

#include "net/offload.h"
#include "net/user/guard.h"

enum { SRC = 12, DST = 16, UDP_CSUM = 6, LOOPBACK = 0x7f000001 };

void peers_forward(struct peers *t, uint16_t guest_port)
{
	t->forwarded[guest_port / 8] |= (uint8_t)(1u << guest_port % 8);
}

static bool is_forwarded(const struct peers *t, uint16_t port)
{
	return t->forwarded[port / 8] >> port % 8 & 1;
}

static unsigned slot(uint16_t port, uint16_t guest_port)
{
	return (port * 31u + guest_port * 7u) % PEERS;
}

/* An IPv4 UDP packet; *udp is its header. */
static bool is_udp(struct net_pkt *p, uint8_t *frame, size_t len, uint8_t **udp)
{
	if (!net_pkt_parse(p, frame, len) || p->ipv6 || p->fragment || p->proto != NET_IP_UDP)
		return false;
	*udp = frame + p->l4;
	return true;
}

static void set_address(const struct net_pkt *p, uint8_t *frame, size_t at, uint32_t addr)
{
	uint8_t *ip = frame + p->l3, *csum = frame + p->l4 + UDP_CSUM, new[4];

	st_be32(new, addr);
	net_csum_update(ip + 10, ip + at, new, 4);
	if (ld_be16(csum)) {
		net_csum_update(csum, ip + at, new, 4);
		if (!ld_be16(csum))
			st_be16(csum, 0xffff);
	}
	memcpy(ip + at, new, 4);
}

void peers_input(const struct peers *t, uint8_t *frame, size_t len)
{
	struct net_pkt p;
	uint16_t port, guest_port;
	uint8_t *udp;
	unsigned i;

	if (!is_udp(&p, frame, len, &udp))
		return;
	guest_port = ld_be16(udp);
	port = ld_be16(udp + 2);
	if (!is_forwarded(t, guest_port) || ld_be32(frame + p.l3 + DST) != GUARD_GATEWAY ||
	    ld_be32(frame + p.l3 + SRC) != GUARD_GUEST)
		return;
	i = slot(port, guest_port);
	if (t->seen[i].addr && t->seen[i].port == port && t->seen[i].guest_port == guest_port)
		set_address(&p, frame, DST, t->seen[i].addr);
}

void peers_output(struct peers *t, uint8_t *frame, size_t len)
{
	uint16_t port, guest_port;
	struct net_pkt p;
	uint32_t from;
	uint8_t *udp;
	unsigned i;

	if (!is_udp(&p, frame, len, &udp))
		return;
	port = ld_be16(udp);
	guest_port = ld_be16(udp + 2);
	from = ld_be32(frame + p.l3 + SRC);
	if (!is_forwarded(t, guest_port) || (from >> 24 != 127 && from != GUARD_GATEWAY))
		return;
	i = slot(port, guest_port);
	t->seen[i].addr = from == GUARD_GATEWAY ? LOOPBACK : from;
	t->seen[i].port = port;
	t->seen[i].guest_port = guest_port;
	set_address(&p, frame, SRC, GUARD_GATEWAY);
}
