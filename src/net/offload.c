/* SPDX-License-Identifier: Apache-2.0 */
#include "net/offload.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "base/overflow.h"

enum {
	ETH_VLAN = 0x8100,
	VLAN_BYTES = 4,
	IPV4_BYTES = 20,
	IPV4_MF = 0x2000,		/* more fragments follow */
	IPV4_OFFSET = 0x1fff,		/* in units of 8 bytes */
	IPV6_BYTES = 40,
	IPV6_FRAG_BYTES = 8,
	IPV6_FRAG = 44,			/* next-header value of the fragment header */
	TCP_BYTES = 20,
	TCP_CSUM = 16,			/* offset of the checksum */
	UDP_BYTES = 8,
	UDP_CSUM = 6,
	MAX_EXTENSIONS = 8,		/* IPv6 extension headers worth walking */
};

void net_hdr_get(struct net_hdr *h, const uint8_t buf[static NET_HDR_BYTES])
{
	h->flags = buf[0];
	h->gso_type = buf[1];
	h->hdr_len = ld_le16(buf + 2);
	h->gso_size = ld_le16(buf + 4);
	h->csum_start = ld_le16(buf + 6);
	h->csum_offset = ld_le16(buf + 8);
}

void net_hdr_put(const struct net_hdr *h, uint8_t buf[static NET_HDR_BYTES])
{
	buf[0] = h->flags;
	buf[1] = h->gso_type;
	st_le16(buf + 2, h->hdr_len);
	st_le16(buf + 4, h->gso_size);
	st_le16(buf + 6, h->csum_start);
	st_le16(buf + 8, h->csum_offset);
}

/* ---- parsing ----------------------------------------------------------------------------- */

static bool parse_ipv4(struct net_pkt *p, const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + p->l3;
	size_t header, total;

	if (len - p->l3 < IPV4_BYTES || ip[0] >> 4 != 4)
		return false;
	header = (size_t)(ip[0] & 15) * 4;
	total = ld_be16(ip + 2);
	if (header < IPV4_BYTES || total < header || total > len - p->l3)
		return false;
	p->fragment = ld_be16(ip + 6) & (IPV4_MF | IPV4_OFFSET);
	p->proto = ip[9];
	p->l4 = p->l3 + header;
	p->end = p->l3 + total;
	return true;
}

/* Walks the extension headers that only carry options; leaves p->l4 and p->proto behind them. */
static bool skip_extensions(struct net_pkt *p, const uint8_t *frame)
{
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		const uint8_t *ext = frame + p->l4;
		size_t size = 8;

		if (p->proto != 0 && p->proto != 43 && p->proto != IPV6_FRAG && p->proto != 60)
			return true;
		if (p->end - p->l4 < 8)
			return false;
		if (p->proto == IPV6_FRAG)
			p->fragment |= (ld_be16(ext + 2) & ~6u) != 0;
		else
			size += (size_t)ext[1] * 8;
		if (size > p->end - p->l4)
			return false;
		p->proto = ext[0];
		p->l4 += size;
		if (p->fragment)
			return true;
	}
	return false;
}

static bool parse_ipv6(struct net_pkt *p, const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + p->l3;
	size_t size;

	if (len - p->l3 < IPV6_BYTES || ip[0] >> 4 != 6)
		return false;
	size = ld_be16(ip + 4);
	if (size > len - p->l3 - IPV6_BYTES)
		return false;
	p->ipv6 = true;
	p->proto = ip[6];
	p->l4 = p->l3 + IPV6_BYTES;
	p->end = p->l4 + size;
	return skip_extensions(p, frame);
}

bool net_pkt_parse(struct net_pkt *p, const uint8_t *frame, size_t len)
{
	size_t header = 0;
	uint16_t type;

	*p = (struct net_pkt){ .l3 = NET_ETH_BYTES };
	if (len < NET_ETH_BYTES + VLAN_BYTES)
		return false;
	type = ld_be16(frame + 12);
	if (type == ETH_VLAN) {
		type = ld_be16(frame + 16);
		p->l3 += VLAN_BYTES;
	}
	if (type == NET_ETH_IPV4 ? !parse_ipv4(p, frame, len)
				 : type != NET_ETH_IPV6 || !parse_ipv6(p, frame, len))
		return false;
	if (!p->fragment && p->proto == NET_IP_TCP) {
		if (p->end - p->l4 < TCP_BYTES)
			return false;
		header = (size_t)(frame[p->l4 + 12] >> 4) * 4;
		if (header < TCP_BYTES)
			return false;
	} else if (!p->fragment && p->proto == NET_IP_UDP) {
		header = UDP_BYTES;
	}
	if (header > p->end - p->l4)
		return false;
	p->payload = p->l4 + header;
	return true;
}

/* ---- checksums --------------------------------------------------------------------------- */

static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

uint16_t net_csum(const uint8_t *buf, size_t len, uint16_t start)
{
	uint64_t sum = htobe16(start), word = 0;
	uint32_t half;

	/* The sum does not care for byte order (RFC 1071 §2(B)): add in the host's, swap once. */
	for (; len >= 8; buf += 8, len -= 8) {
		memcpy(&word, buf, 8);
		sum += word;
		sum += sum < word;
	}
	if (len >= 4) {
		memcpy(&half, buf, 4);
		sum += half;
		sum += sum < half;
		buf += 4;
		len -= 4;
	}
	word = 0;
	memcpy(&word, buf, len);	/* at most 3 bytes, zeros behind them */
	sum += word;
	sum += sum < word;
	return be16toh(fold(sum));
}

uint16_t net_csum_pseudo(const struct net_pkt *p, const uint8_t *frame)
{
	const uint8_t *ip = frame + p->l3;
	uint8_t tail[4];

	st_be16(tail, p->proto);
	st_be16(tail + 2, (uint16_t)(p->end - p->l4));
	return net_csum(p->ipv6 ? ip + 8 : ip + 12, p->ipv6 ? 32 : 8, net_csum(tail, 4, 0));
}

void net_csum_update(uint8_t *csum, const uint8_t *old, const uint8_t *new, size_t len)
{
	/* RFC 1624 [Eqn. 3]: HC' = ~(~HC + ~m + m') */
	uint64_t sum = (uint16_t)~ld_be16(csum);

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint64_t)(uint16_t)~ld_be16(old + i) + ld_be16(new + i);
	st_be16(csum, (uint16_t)~fold(sum));
}

int net_csum_finish(const struct net_hdr *h, uint8_t *frame, size_t len)
{
	size_t at = (size_t)h->csum_start + h->csum_offset;
	uint16_t csum;

	if (!(h->flags & NET_HDR_NEEDS_CSUM))
		return 0;
	if (h->csum_start < NET_ETH_BYTES || !range_within(at, 2, len))
		return -EINVAL;
	csum = (uint16_t)~net_csum(frame + h->csum_start, len - h->csum_start, 0);
	/* UDP's 0 says "no checksum" (RFC 768); 0xffff means the same to every other protocol. */
	st_be16(frame + at, csum ? csum : 0xffff);
	return 0;
}

/* Puts the complete checksum into a TCP header whose IP header is final. */
static void tcp_csum(const struct net_pkt *p, uint8_t *frame)
{
	uint8_t *csum = frame + p->l4 + TCP_CSUM;

	st_be16(csum, 0);
	st_be16(csum, (uint16_t)~net_csum(frame + p->l4, p->end - p->l4,
					  net_csum_pseudo(p, frame)));
}

static void ipv4_csum(const struct net_pkt *p, uint8_t *frame)
{
	uint8_t *ip = frame + p->l3;

	st_be16(ip + 10, 0);
	st_be16(ip + 10, (uint16_t)~net_csum(ip, p->l4 - p->l3, 0));
}

/* ---- segmentation ------------------------------------------------------------------------ */

int net_split_begin(struct net_split *s, const struct net_hdr *h, const uint8_t *frame, size_t len)
{
	unsigned type = h->gso_type & ~(unsigned)NET_GSO_ECN;

	*s = (struct net_split){ .frame = frame, .piece = h->gso_size };
	if (!net_pkt_parse(&s->pkt, frame, len) || s->pkt.fragment || s->pkt.proto != NET_IP_TCP)
		return -EINVAL;
	if (type != (s->pkt.ipv6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4) || s->piece < NET_GSO_MIN)
		return -EINVAL;
	return 0;
}

size_t net_split_next(struct net_split *s, uint8_t *out, size_t room)
{
	struct net_pkt p = s->pkt;
	size_t left = p.end - p.payload - s->at;
	size_t n = left < s->piece ? left : s->piece;
	uint8_t *ip = out + p.l3, *tcp = out + p.l4;

	if ((!left && s->index) || room < p.payload + n)
		return 0;
	memcpy(out, s->frame, p.payload);
	memcpy(out + p.payload, s->frame + p.payload + s->at, n);
	p.end = p.payload + n;
	st_be32(tcp + 4, ld_be32(tcp + 4) + (uint32_t)s->at);
	if (n < left)
		tcp[13] &= (uint8_t)~(NET_TCP_FIN | NET_TCP_PSH);
	if (s->index)
		tcp[13] &= (uint8_t)~NET_TCP_CWR;
	if (p.ipv6) {
		st_be16(ip + 4, (uint16_t)(p.end - p.l3 - IPV6_BYTES));
	} else {
		st_be16(ip + 2, (uint16_t)(p.end - p.l3));
		st_be16(ip + 4, (uint16_t)(ld_be16(ip + 4) + s->index));
		ipv4_csum(&p, out);
	}
	tcp_csum(&p, out);
	s->at += n;
	s->index++;
	return p.end;
}

/* ---- fragmentation ----------------------------------------------------------------------- */

int net_frag_begin(struct net_split *s, uint32_t ident, size_t mtu, const uint8_t *frame,
		   size_t len)
{
	size_t headers;

	*s = (struct net_split){ .frame = frame, .ident = ident };
	if (!net_pkt_parse(&s->pkt, frame, len))
		return -EINVAL;
	if (s->pkt.ipv6) {
		/* Behind the base header: what follows counts as the fragmentable part. */
		s->pkt.proto = frame[s->pkt.l3 + 6];
		s->pkt.l4 = s->pkt.l3 + IPV6_BYTES;
		if (s->pkt.fragment || s->pkt.proto == IPV6_FRAG)
			return -EINVAL;
	} else {
		s->frag = ld_be16(frame + s->pkt.l3 + 6);
		/* A fragment that ends past what an offset can say belongs to no packet. */
		if ((s->frag & IPV4_OFFSET) * 8u + (s->pkt.end - s->pkt.l4) > UINT16_MAX)
			return -EINVAL;
	}
	headers = s->pkt.l4 - s->pkt.l3 + (s->pkt.ipv6 ? IPV6_FRAG_BYTES : 0);
	if (mtu < headers + 8)
		return -EINVAL;
	s->piece = (mtu - headers) & ~(size_t)7;
	return 0;
}

size_t net_frag_next(struct net_split *s, uint8_t *out, size_t room)
{
	struct net_pkt p = s->pkt;
	size_t left = p.end - p.l4 - s->at, header = p.l4 + (p.ipv6 ? IPV6_FRAG_BYTES : 0);
	size_t n = left < s->piece ? left : s->piece;
	uint8_t *ip = out + p.l3;
	bool more = n < left;

	if ((!left && s->index) || room < header + n)
		return 0;
	memcpy(out, s->frame, p.l4);
	memcpy(out + header, s->frame + p.l4 + s->at, n);
	if (p.ipv6) {
		uint8_t *ext = out + p.l4;

		st_be16(ip + 4, (uint16_t)(IPV6_FRAG_BYTES + n));
		ip[6] = IPV6_FRAG;
		ext[0] = p.proto;
		ext[1] = 0;
		st_be16(ext + 2, (uint16_t)(s->at | more));
		st_be32(ext + 4, s->ident);
	} else {
		size_t offset = (size_t)(s->frag & IPV4_OFFSET) + s->at / 8;

		st_be16(ip + 2, (uint16_t)(p.l4 - p.l3 + n));
		st_be16(ip + 6, (uint16_t)((offset & IPV4_OFFSET) |
					   (more ? IPV4_MF : s->frag & IPV4_MF)));
		ipv4_csum(&p, out);
	}
	s->at += n;
	s->index++;
	return header + n;
}

bool net_gso_mark(struct net_hdr *h, uint8_t *frame, size_t len, uint16_t gso_size)
{
	struct net_pkt p;

	if (!net_pkt_parse(&p, frame, len) || p.fragment || p.proto != NET_IP_TCP)
		return false;
	*h = (struct net_hdr){
		.flags = NET_HDR_NEEDS_CSUM,
		.gso_type = p.ipv6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4,
		.hdr_len = (uint16_t)p.payload,
		.gso_size = gso_size,
		.csum_start = (uint16_t)p.l4,
		.csum_offset = TCP_CSUM,
	};
	st_be16(frame + p.l4 + TCP_CSUM, net_csum_pseudo(&p, frame));
	return true;
}
