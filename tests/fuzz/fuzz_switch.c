/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hospes-switch's parsers: hellos, headers, the gate, DHCP, questions for names. A frame that the
 * gate lets pass has the sender's MAC address, and an IPv4 one its address; an answer of the
 * switch's own host has checksums that are right. Each input lies in a block of exactly its size.
 */
#include <stdlib.h>
#include <string.h>

#include "net/switch/host.h"
#include "tests/fuzz/fuzz.h"

enum { NET = 0x0a580100, ADDR = NET | 17, MAX_MESSAGES = 64 };

static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

struct parts {
	struct lan lan;
	struct host host;
	struct gate6 gate6;
	struct gate gate;
	struct port port;
};

static unsigned addresses_of(void *opaque, const char *name, uint32_t *addr)
{
	if (strlen(name) > 255)
		abort();
	for (unsigned i = 0; i < NAMES_ANSWERS; i++)
		addr[i] = ADDR + i;
	return name[0] == 'w' ? NAMES_ANSWERS : 0;
}

static const char *name_of(void *opaque, uint32_t addr)
{
	static const char longest[] = "a123456789.123456789.123456789.123456789.123456789.123456789.12";

	if (addr >> 8 != NET >> 8)
		abort();
	return addr & 1 ? longest : NULL;
}

static uint8_t *take_block(struct fuzz_input *in, size_t *len, size_t more)
{
	uint8_t *b;

	*len = fuzz_take(in, more ? 2 : 1) % 2048 + more;
	b = malloc(*len ? *len : 1);
	for (size_t i = more; i < *len; i++)
		b[i] = (uint8_t)fuzz_take(in, 1);
	return b;
}

/* A message with a frame, made plausible in parts where mode says so. */
static uint8_t *take_frame(struct fuzz_input *in, size_t *len)
{
	static const uint8_t kind[6] = { 0, 1, 8, 0, 6, 4 };
	unsigned mode = (unsigned)fuzz_take(in, 1);
	uint8_t *msg = take_block(in, len, NET_HDR_BYTES), *f = msg + NET_HDR_BYTES;

	memset(msg, 0, NET_HDR_BYTES);
	for (unsigned i = 0; mode & 1 && i < NET_HDR_BYTES; i++)
		msg[i] = (uint8_t)fuzz_take(in, 1);
	if (*len < NET_HDR_BYTES + 60 || !(mode & 2))
		return msg;
	memcpy(f + 6, mac, 6);
	if ((mode & 12) == 4) {
		st_be16(f + 12, NET_ETH_ARP);
		memcpy(f + 14, kind, sizeof(kind));
		memcpy(f + 22, mac, 6);
		return msg;
	}
	st_be16(f + 12, mode & 8 ? NET_ETH_IPV6 : NET_ETH_IPV4);
	f[14] = mode & 8 ? 0x60 : 0x45;
	st_be16(f + (mode & 8 ? 18 : 16), (uint16_t)(*len - NET_HDR_BYTES - (mode & 8 ? 54 : 14)));
	if (mode & 16)
		f[mode & 8 ? 20 : 23] = mode & 32 ? NET_IP_UDP : mode & 8 ? 58 : NET_IP_ICMP;
	if (mode & 64 && !(mode & 8)) {
		st_be16(f + 20, 0);
		st_be32(f + 26, ADDR);
		st_be32(f + 30, NET | LAN_SELF);
		st_be16(f + 36, mode & 128 ? 53 : 67);
	}
	return msg;
}

static void check_answer(const struct parts *s, size_t len)
{
	const uint8_t *f = s->host.buf;
	struct net_pkt p;

	if (len > sizeof(s->host.buf) || memcmp(f + 6, s->host.mac, 6))
		abort();
	if (ld_be16(f + 12) == NET_ETH_ARP)
		return;
	if (!net_pkt_parse(&p, f, len) || p.end != len ||
	    net_csum(f + p.l3, p.l4 - p.l3, 0) != 0xffff)
		abort();
	if (p.proto == NET_IP_UDP &&
	    net_csum(f + p.l4, p.end - p.l4, net_csum_pseudo(&p, f)) != 0xffff)
		abort();
}

static void frame_in(struct parts *s, struct fuzz_input *in)
{
	struct dhcp_client c = { .addr = ADDR, .name = "web" };
	struct frame f = { .len = 0 };
	struct net_pkt p;
	size_t len, answer = 0;
	uint8_t *msg = take_frame(in, &len);
	bool router = fuzz_take(in, 1) & 1;

	memcpy(c.mac, mac, 6);
	if (frame_take(&f, msg, len)) {
		if (gate_router(NET, s->host.router_mac, f.data, f.len) &&
		    memcmp(f.data + 6, s->host.router_mac, 5))
			abort();
		if (gate_input(&s->gate, f.data, f.len)) {
			if (memcmp(f.data + 6, mac, 6))
				abort();
			if (net_pkt_parse(&p, f.data, f.len) && !p.ipv6 &&
			    ld_be32(f.data + 26) != ADDR && ld_be32(f.data + 26))
				abort();
			port_queue(&s->port, &f);
			s->port.offloads ^= NET_CSUM | NET_TSO4 | NET_TSO6;
			if (host_input(&s->host, router ? NULL : &c, f.data, f.len, &answer))
				check_answer(s, answer);
		}
	}
	free(msg);
}

static void payload_in(struct parts *s, struct fuzz_input *in)
{
	struct dhcp_client c = { .addr = ADDR, .name = "web" };
	uint8_t dhcp[DHCP_REPLY_MAX], names[NAMES_REPLY_MAX];
	unsigned mode = (unsigned)fuzz_take(in, 1);
	struct hello h;
	uint32_t to;
	size_t len;
	uint8_t *msg = take_block(in, &len, 0);

	memcpy(c.mac, mac, 6);
	if (mode & 1 && len > 240) {
		static const uint8_t cookie[4] = { 99, 130, 83, 99 };

		memcpy(msg, (const uint8_t[]){ 1, 1, 6 }, 3);
		memcpy(msg + 28, mac, 6);
		memcpy(msg + 236, cookie, 4);
	} else if (mode & 2 && len > 12) {
		memcpy(msg + 2, (const uint8_t[]){ 1, 0, 0, 1 }, 4);
	}
	if (dhcp_answer(&s->lan, &c, msg, len, dhcp, &to) > sizeof(dhcp))
		abort();
	if (names_answer(&s->host.names, msg, len, names) > (int)sizeof(names))
		abort();
	if (hello_parse(&h, msg, len) && (strlen(h.name) != len - HELLO_NAME_AT || h.mac[0] & 1))
		abort();
	free(msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct names names = { .addresses = addresses_of, .name = name_of, .net = NET };
	struct fuzz_input in = { data, size, 0 };
	struct parts *s = calloc(1, sizeof(*s));

	if (!s || outq_init(&s->port.out, PORT_QUEUE_BYTES)) {
		free(s);
		return 0;
	}
	names.outside = fuzz_take(&in, 1) & 1;
	lan_init(&s->lan, NET, names.outside, -1);
	host_init(&s->host, &s->lan, &names);
	s->gate = (struct gate){ .all = &s->gate6, .owner = 1, .addr = ADDR };
	memcpy(s->gate.mac, mac, 6);
	for (unsigned i = 0; i < MAX_MESSAGES && fuzz_more(&in); i++) {
		if (fuzz_take(&in, 1) & 1)
			frame_in(s, &in);
		else
			payload_in(s, &in);
	}
	outq_fini(&s->port.out);
	free(s);
	return 0;
}
