/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What network cards do for their drivers, in software: checksums, TCP segmentation, and IP
 * fragmentation. Pure functions over byte buffers; every field of a frame may lie, and none
 * is trusted beyond the frame's length. Any thread; nothing allocates.
 */
#ifndef NET_OFFLOAD_H
#define NET_OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/net.h"

enum { NET_ETH_BYTES = 14, NET_ETH_IPV4 = 0x0800, NET_ETH_ARP = 0x0806, NET_ETH_IPV6 = 0x86dd };
enum { NET_IP_ICMP = 1, NET_IP_TCP = 6, NET_IP_UDP = 17 };
enum { NET_TCP_FIN = 1, NET_TCP_SYN = 2, NET_TCP_PSH = 8, NET_TCP_URG = 32, NET_TCP_CWR = 128 };

/* The least payload of a segment that net_split_begin() accepts; bounds what one frame becomes. */
enum { NET_GSO_MIN = 32 };

/* A virtio-net header (virtio 1.2 §5.1.6), decoded. */
struct net_hdr {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
};

void net_hdr_get(struct net_hdr *h, const uint8_t buf[static NET_HDR_BYTES]);
void net_hdr_put(const struct net_hdr *h, uint8_t buf[static NET_HDR_BYTES]);

/* ---- values in network order ------------------------------------------------------------- */

static inline uint16_t ld_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t ld_be32(const uint8_t *p)
{
	return (uint32_t)ld_be16(p) << 16 | ld_be16(p + 2);
}

static inline void st_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void st_be32(uint8_t *p, uint32_t v)
{
	st_be16(p, (uint16_t)(v >> 16));
	st_be16(p + 2, (uint16_t)v);
}

/* ---- where things are in a frame --------------------------------------------------------- */

/* Offsets from the frame's start. */
struct net_pkt {
	bool ipv6;
	bool fragment;		/* part of a larger packet: payload is not parsed */
	uint8_t proto;		/* NET_IP_...; of IPv6 the first header that is no extension */
	size_t l3;		/* IP header: NET_ETH_BYTES, or 4 more behind a VLAN tag */
	size_t l4;		/* what follows the IP header and its options or extensions */
	size_t payload;		/* behind the TCP or UDP header; else l4 */
	size_t end;		/* of the IP packet, at most the frame's length */
};

/*
 * Parses an IPv4 or IPv6 frame: headers complete, lengths within the frame, and for TCP and
 * UDP outside of fragments their header too. False: anything else.
 */
bool net_pkt_parse(struct net_pkt *p, const uint8_t *frame, size_t len);

/* ---- checksums (RFC 1071, 1624) ---------------------------------------------------------- */

/* The folded one's complement sum of len bytes and of sum, not inverted, as st_be16() stores it. */
uint16_t net_csum(const uint8_t *buf, size_t len, uint16_t sum);

/* The sum of the pseudo header of p's TCP or UDP packet (RFC 9293 §3.1, RFC 8200 §8.1). */
uint16_t net_csum_pseudo(const struct net_pkt *p, const uint8_t *frame);

/* In the checksum at csum, accounts for len (even) bytes at old that became new. */
void net_csum_update(uint8_t *csum, const uint8_t *old, const uint8_t *new, size_t len);

/*
 * Does what NEEDS_CSUM asks for: completes the checksum in frame. 0, also when the flag is not
 * set; -EINVAL when csum_start or csum_offset points outside of the frame's payload.
 */
int net_csum_finish(const struct net_hdr *h, uint8_t *frame, size_t len);

/* ---- segmentation (TSO) and fragmentation ------------------------------------------------ */

/* Cuts one large frame into small ones; frame stays the caller's and unchanged meanwhile. */
struct net_split {
	const uint8_t *frame;
	struct net_pkt pkt;
	size_t at;		/* payload handed out so far */
	size_t piece;		/* payload of a full piece */
	uint16_t index;
	uint16_t frag;		/* IPv4: flags and offset of the frame itself */
	uint32_t ident;		/* of IPv6 fragments */
};

/*
 * frame is a TCP segment that h (gso_type, gso_size) says to cut: -EINVAL unless it is one,
 * complete, of the type named, with gso_size at least NET_GSO_MIN.
 */
int net_split_begin(struct net_split *s, const struct net_hdr *h, const uint8_t *frame, size_t len);

/*
 * Writes the next segment into out (room bytes), with complete checksums: its length, or 0
 * after the last. FIN and PSH go to the last, CWR to the first (RFC 3168 §6.1.2).
 * room is at least s->pkt.payload + s->piece; less writes nothing and returns 0.
 */
size_t net_split_next(struct net_split *s, uint8_t *out, size_t room);

/*
 * Cuts an IP packet larger than mtu into fragments (RFC 791 §3.2, RFC 8200 §4.5: ident). IPv4
 * packets may be fragments already. -EINVAL: no IP, not even one 8-byte unit fits, or a
 * fragment that ends past 64 KiB.
 */
int net_frag_begin(struct net_split *s, uint32_t ident, size_t mtu, const uint8_t *frame,
		   size_t len);

/* As net_split_next(), for fragments; room is at least the MTU and the Ethernet header. */
size_t net_frag_next(struct net_split *s, uint8_t *out, size_t room);

/*
 * The other way about: frame is a TCP packet with a complete checksum that goes to a taker of
 * large segments. Fills in h and makes the checksum partial. False, and no change, when it is none.
 */
bool net_gso_mark(struct net_hdr *h, uint8_t *frame, size_t len, uint16_t gso_size);

#endif
