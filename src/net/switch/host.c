/* SPDX-License-Identifier: Apache-2.0 */
#include "net/switch/host.h"

#include <string.h>

enum {
	ARP_REQUEST = 1,
	ICMP_ECHO = 8,
	ICMP_BYTES = 8,
	DNS_PORT = 53,
	DHCP_SERVER = 67,
	DHCP_CLIENT = 68,
	PAYLOAD_MAX = HOST_FRAME_MAX - PACKET_UDP_AT,
};

static const uint8_t all_macs[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* The form that libslirp gives its hosts: a prefix and the address. */
static void mac_of(uint8_t mac[6], uint32_t addr)
{
	mac[0] = 0x52;
	mac[1] = 0x55;
	st_be32(mac + 2, addr);
}

void host_init(struct host *h, const struct lan *lan, const struct names *names)
{
	*h = (struct host){ .lan = lan, .names = *names };
	mac_of(h->mac, lan_addr(lan, LAN_SELF));
	mac_of(h->router_mac, lan_addr(lan, LAN_ROUTER));
}

static struct packet_end self(const struct host *h, uint16_t port)
{
	struct packet_end e = { .addr = lan_addr(h->lan, LAN_SELF), .port = port };

	memcpy(e.mac, h->mac, 6);
	return e;
}

static bool is_udp4(struct net_pkt *p, const uint8_t *frame, size_t len)
{
	return net_pkt_parse(p, frame, len) && !p->ipv6 && !p->fragment && p->proto == NET_IP_UDP;
}

bool host_is_dhcp(const uint8_t *frame, size_t len)
{
	struct net_pkt p;

	return is_udp4(&p, frame, len) && ld_be16(frame + p.l4 + 2) == DHCP_SERVER;
}

/* ---- protocols --------------------------------------------------------------------------- */

static enum host_to arp_input(struct host *h, const uint8_t *frame, size_t size, size_t *len)
{
	const uint8_t *arp = frame + NET_ETH_BYTES;
	uint32_t wanted = lan_addr(h->lan, LAN_SELF);

	if (size < PACKET_ARP_BYTES || ld_be16(arp + 6) != ARP_REQUEST ||
	    ld_be32(arp + 24) != wanted)
		return HOST_NOTHING;
	*len = packet_arp_reply(h->buf, frame, h->mac, wanted);
	return HOST_BACK;
}

static enum host_to dhcp_input(struct host *h, const struct dhcp_client *c, const struct net_pkt *p,
			       const uint8_t *frame, size_t *len)
{
	struct packet_end from = self(h, DHCP_SERVER), to = { .port = DHCP_CLIENT };
	size_t n = dhcp_answer(h->lan, c, frame + p->payload, p->end - p->payload,
			       h->buf + PACKET_UDP_AT, &to.addr);

	if (!n)
		return HOST_NOTHING;
	memcpy(to.mac, to.addr == c->addr ? c->mac : all_macs, 6);
	*len = packet_udp(h->buf, &from, &to, n);
	return HOST_BACK;
}

/* Passes a question on, under a port that says whose it is. */
static enum host_to relay_question(struct host *h, const struct packet_end *asker,
				   const uint8_t *msg, size_t size, size_t *len)
{
	struct packet_end from = self(h, (uint16_t)(HOST_RELAY_PORT + h->next));
	struct packet_end to = { .addr = lan_addr(h->lan, LAN_RESOLVER), .port = DNS_PORT };

	if (size > PAYLOAD_MAX)
		return HOST_NOTHING;
	h->asked[h->next] = *asker;
	h->next = (h->next + 1) % HOST_RELAYS;
	memcpy(to.mac, h->router_mac, 6);
	memcpy(h->buf + PACKET_UDP_AT, msg, size);
	*len = packet_udp(h->buf, &from, &to, size);
	return HOST_ROUTER;
}

static enum host_to dns_input(struct host *h, const struct net_pkt *p, const uint8_t *frame,
			      size_t *len)
{
	struct packet_end from = self(h, DNS_PORT), asker = {
		.addr = ld_be32(frame + p->l3 + 12), .port = ld_be16(frame + p->l4),
	};
	const uint8_t *msg = frame + p->payload;
	size_t size = p->end - p->payload;
	int n = names_answer(&h->names, msg, size, h->buf + PACKET_UDP_AT);

	memcpy(asker.mac, frame + 6, 6);
	if (n == NAMES_OUTSIDE)
		return relay_question(h, &asker, msg, size, len);
	if (!n)
		return HOST_NOTHING;
	*len = packet_udp(h->buf, &from, &asker, (size_t)n);
	return HOST_BACK;
}

/* What the resolver says goes to whoever asked, once. */
static enum host_to relay_answer(struct host *h, const struct net_pkt *p, const uint8_t *frame,
				 size_t *len)
{
	unsigned slot = (unsigned)ld_be16(frame + p->l4 + 2) - HOST_RELAY_PORT;
	size_t size = p->end - p->payload;
	struct packet_end from = self(h, DNS_PORT);

	if (slot >= HOST_RELAYS || !h->asked[slot].addr || size > PAYLOAD_MAX ||
	    ld_be16(frame + p->l4) != DNS_PORT ||
	    ld_be32(frame + p->l3 + 12) != lan_addr(h->lan, LAN_RESOLVER))
		return HOST_NOTHING;
	memcpy(h->buf + PACKET_UDP_AT, frame + p->payload, size);
	*len = packet_udp(h->buf, &from, &h->asked[slot], size);
	h->asked[slot].addr = 0;
	return HOST_ELSEWHERE;
}

static enum host_to echo_input(struct host *h, const struct net_pkt *p, const uint8_t *frame,
			       size_t *len)
{
	if (p->end - p->l4 < ICMP_BYTES || frame[p->l4] != ICMP_ECHO || p->end > sizeof(h->buf))
		return HOST_NOTHING;
	memcpy(h->buf, frame, p->end);
	packet_echo(h->buf, h->mac, p->l3, p->l4, p->end);
	*len = p->end;
	return HOST_BACK;
}

enum host_to host_input(struct host *h, const struct dhcp_client *from, const uint8_t *frame,
			size_t size, size_t *len)
{
	struct net_pkt p;

	if (ld_be16(frame + 12) == NET_ETH_ARP)
		return arp_input(h, frame, size, len);
	if (from && is_udp4(&p, frame, size) && ld_be16(frame + p.l4 + 2) == DHCP_SERVER)
		return dhcp_input(h, from, &p, frame, len);
	if (!net_pkt_parse(&p, frame, size) || p.ipv6 || p.fragment ||
	    ld_be32(frame + p.l3 + 16) != lan_addr(h->lan, LAN_SELF))
		return HOST_NOTHING;
	if (p.proto == NET_IP_ICMP)
		return echo_input(h, &p, frame, len);
	if (p.proto != NET_IP_UDP)
		return HOST_NOTHING;
	if (!from)
		return relay_answer(h, &p, frame, len);
	return ld_be16(frame + p.l4 + 2) == DNS_PORT ? dns_input(h, &p, frame, len) : HOST_NOTHING;
}
