/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of any content through everything of ours that parses them: checksums, segmentation,
 * fragmentation, hospes-net's filters and rewriting, the network card's commands. Each frame
 * lies in a block of exactly its size, so that AddressSanitizer sees a byte too far.
 */
#include <stdlib.h>
#include <string.h>

#include "dev/virtio/net_ctrl.h"
#include "net/offload.h"
#include "net/user/dns.h"
#include "net/user/guard.h"
#include "net/user/peers.h"
#include "net/user/reasm.h"
#include "tests/fuzz/fuzz.h"

enum { ROOM = 70000, MTU = 1500, MAX_FRAMES = 64 };

struct parts {
	struct guard guard;
	struct dns dns;
	struct peers peers;
	struct reasm reasm;
	struct net_filter filter;
	uint8_t out[ROOM];
};

/* A frame of its own block; its Ethernet and IP headers are made plausible where mode says so. */
static uint8_t *take_frame(struct fuzz_input *in, size_t *len)
{
	unsigned mode = (unsigned)fuzz_take(in, 1);
	uint8_t *f;

	*len = fuzz_take(in, mode & 1 ? 2 : 1);
	f = malloc(*len ? *len : 1);
	for (size_t i = 0; i < *len; i++)
		f[i] = (uint8_t)fuzz_take(in, 1);
	if (*len >= 60 && mode & 2) {
		static const uint8_t protos[] = { 6, 17, 1, 58, 0, 44, 43, 60 };
		uint8_t proto = protos[mode >> 4 & 7];

		st_be16(f + 12, mode & 4 ? NET_ETH_IPV6 : NET_ETH_IPV4);
		f[14] = mode & 4 ? 0x60 : 0x45;
		st_be16(f + (mode & 4 ? 18 : 16), (uint16_t)(*len - (mode & 4 ? 54 : 14)));
		f[mode & 4 ? 20 : 23] = proto;
		if (mode & 8 && !(mode & 4))
			st_be16(f + 20, 0);
	}
	return f;
}

/* What libslirp would get: never a way to the host's loopback that we know of. */
static void check_passed(const uint8_t *f, size_t len)
{
	struct net_pkt p;

	if (ld_be16(f + 12) == NET_ETH_ARP)
		return;
	if (!net_pkt_parse(&p, f, len) || p.fragment)
		abort();
	if (p.ipv6 ? !f[38] && !f[39] : f[30] == 127 || !f[30])
		abort();
}

static void to_router(struct parts *s, struct fuzz_input *in)
{
	struct net_hdr h;
	uint8_t raw[NET_HDR_BYTES], *f, *whole;
	size_t len;

	for (unsigned i = 0; i < NET_HDR_BYTES; i++)
		raw[i] = (uint8_t)fuzz_take(in, 1);
	net_hdr_get(&h, raw);
	f = take_frame(in, &len);
	if (!net_csum_finish(&h, f, len)) {
		whole = reasm_input(&s->reasm, f, &len);
		if (whole && guard_input(&s->guard, whole, len)) {
			check_passed(whole, len);
			if (dns_input(&s->dns, whole, len))
				peers_input(&s->peers, whole, len);
		}
	}
	free(f);
}

static void cut(struct parts *s, struct net_split *split,
		size_t (*next)(struct net_split *, uint8_t *, size_t), size_t limit)
{
	size_t n, pieces = 0;

	while ((n = next(split, s->out, sizeof(s->out)))) {
		struct net_pkt p;

		if (n > limit || ++pieces > 65536 / 8 + 1 || !net_pkt_parse(&p, s->out, n) ||
		    p.end != n)
			abort();
	}
	if (!pieces)
		abort();
}

static void to_guest(struct parts *s, struct fuzz_input *in)
{
	uint16_t size = (uint16_t)fuzz_take(in, 2);
	struct net_split split;
	struct net_hdr h = { 0 };
	size_t len;
	uint8_t *f = take_frame(in, &len);

	dns_output(&s->dns, f, len);
	peers_output(&s->peers, f, len);
	h.gso_size = size;
	h.gso_type = len > 14 && f[14] >> 4 == 6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4;
	if (!net_split_begin(&split, &h, f, len))
		cut(s, &split, net_split_next, split.pkt.payload + size);
	if (!net_frag_begin(&split, 1, size % MTU, f, len))
		cut(s, &split, net_frag_next, NET_ETH_BYTES + 4 + size % MTU);
	if (net_gso_mark(&h, f, len, size) && net_csum_finish(&h, f, len))
		abort();
	net_filter_pass(&s->filter, f, len);
	free(f);
}

/* Guest memory: it may hold something else each time it is read. */
static void read_command(void *opaque, uint64_t off, void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)fuzz_take(opaque, 1);
}

static void to_card(struct parts *s, struct fuzz_input *in)
{
	struct net_command c = { .read = read_command, .opaque = in };
	struct net_ctrl_effect effect;

	c.class = (uint8_t)fuzz_take(in, 1) % 6;
	c.cmd = (uint8_t)fuzz_take(in, 1) % 8;
	c.len = fuzz_take(in, 2);
	for (unsigned i = 0; i < sizeof(c.data); i++)
		c.data[i] = (uint8_t)fuzz_take(in, 1);
	if (net_ctrl(&s->filter, &effect, ~fuzz_take(in, 1), &c) > NET_CTRL_ERR ||
	    s->filter.uni.count > NET_MAC_TABLE || s->filter.multi.count > NET_MAC_TABLE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
	struct parts *s = calloc(1, sizeof(*s));
	struct fuzz_input in = { data, size, 0 };

	if (!s)
		return 0;
	dns_from_option(&s->dns, "127.0.0.53", NULL);
	dns_from_option(&s->dns, "[2001:db8::53]:5353", NULL);
	peers_forward(&s->peers, 0x1111);
	net_filter_reset(&s->filter, mac);
	for (unsigned i = 0; i < MAX_FRAMES && fuzz_more(&in); i++) {
		switch (fuzz_take(&in, 1) % 4) {
		case 0:
		case 1:
			to_router(s, &in);
			break;
		case 2:
			to_guest(s, &in);
			break;
		default:
			to_card(s, &in);
			break;
		}
	}
	free(s);
	return 0;
}
