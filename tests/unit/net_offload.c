/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/offload.h"

enum { ROOM = 70000 };

/* The plainest checksum there is: 16 bits at a time, high byte first. */
static uint16_t plain_sum(const uint8_t *buf, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++) {
		sum += i & 1 ? buf[i] : (uint32_t)buf[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

/* True when the TCP or UDP packet of frame has a right checksum, by the plain sum. */
static bool l4_right(const uint8_t *frame, bool ipv6, size_t l4, size_t end)
{
	const uint8_t *ip = frame + NET_ETH_BYTES;
	uint32_t sum = plain_sum(ip + (ipv6 ? 8 : 12), ipv6 ? 32 : 8, 0);

	sum += (uint32_t)(end - l4) + ip[ipv6 ? 6 : 9];
	return plain_sum(frame + l4, end - l4, (sum & 0xffff) + (sum >> 16)) == 0xffff;
}

/* An Ethernet frame with IP and TCP headers and n bytes of payload; checksums partial. */
static size_t tcp_frame(uint8_t *f, bool ipv6, size_t n, uint8_t flags, struct net_hdr *h)
{
	size_t l4 = NET_ETH_BYTES + (ipv6 ? 40 : 20), len = l4 + 32 + n;
	uint8_t *ip = f + NET_ETH_BYTES;
	struct net_pkt p;

	memset(f, 0, l4 + 32);
	memset(f, 0x52, 12);
	st_be16(f + 12, ipv6 ? NET_ETH_IPV6 : NET_ETH_IPV4);
	if (ipv6) {
		ip[0] = 0x60;
		st_be16(ip + 4, (uint16_t)(len - l4));
		ip[6] = NET_IP_TCP;
		ip[7] = 64;
		for (int i = 8; i < 40; i++)
			ip[i] = (uint8_t)(i * 37);
	} else {
		ip[0] = 0x45;
		st_be16(ip + 2, (uint16_t)(len - NET_ETH_BYTES));
		st_be16(ip + 4, 0xfffe);
		ip[8] = 64;
		ip[9] = NET_IP_TCP;
		st_be32(ip + 12, 0x0a00020f);
		st_be32(ip + 16, 0x0a000202);
		st_be16(ip + 10, (uint16_t)~plain_sum(ip, 20, 0));
	}
	st_be16(f + l4, 4711);
	st_be16(f + l4 + 2, 80);
	st_be32(f + l4 + 4, 0xfffffff0);
	f[l4 + 12] = 8 << 4;
	f[l4 + 13] = flags;
	memset(f + l4 + 20, 1, 12);
	for (size_t i = 0; i < n; i++)
		f[l4 + 32 + i] = (uint8_t)(i * 131 + (i >> 8));
	assert_true(net_pkt_parse(&p, f, len));
	st_be16(f + l4 + 16, net_csum_pseudo(&p, f));
	*h = (struct net_hdr){
		.flags = NET_HDR_NEEDS_CSUM,
		.gso_type = ipv6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4,
		.gso_size = 1448,
		.csum_start = (uint16_t)l4,
		.csum_offset = 16,
	};
	return len;
}

static void sums(void **state)
{
	uint8_t buf[80];

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 89 + 7);
	for (size_t at = 0; at < 9; at++)
		for (size_t len = 0; at + len <= sizeof(buf); len++)
			assert_int_equal(net_csum(buf + at, len, 0xabcd),
					 plain_sum(buf + at, len, 0xabcd));
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(net_csum(buf, sizeof(buf), 0xffff), 0xffff);
	assert_int_equal(net_csum(buf, 0, 0), 0);
}

static void sum_updates(void **state)
{
	uint8_t buf[20] = { 1, 2, 3, 4, 5, 6, 7, 8 }, old[4];

	st_be16(buf + 10, (uint16_t)~plain_sum(buf, 10, 0));
	memcpy(old, buf + 4, 4);
	for (uint32_t v = 0; v < 0xfff00000; v += 0x000fedcb) {
		st_be32(buf + 4, v);
		net_csum_update(buf + 10, old, buf + 4, 4);
		memcpy(old, buf + 4, 4);
		assert_int_equal(plain_sum(buf, 12, 0), 0xffff);
	}
}

static void headers(void **state)
{
	const uint8_t bytes[NET_HDR_BYTES] = { 1, 0x81, 0x36, 0, 0xa8, 5, 0x22, 0, 0x10, 0 };
	uint8_t again[NET_HDR_BYTES];
	struct net_hdr h;

	net_hdr_get(&h, bytes);
	assert_int_equal(h.flags, 1);
	assert_int_equal(h.gso_type, NET_GSO_TCPV4 | NET_GSO_ECN);
	assert_int_equal(h.hdr_len, 54);
	assert_int_equal(h.gso_size, 1448);
	assert_int_equal(h.csum_start, 34);
	assert_int_equal(h.csum_offset, 16);
	net_hdr_put(&h, again);
	assert_memory_equal(bytes, again, NET_HDR_BYTES);
}

static void finish(void **state)
{
	uint8_t *f = malloc(ROOM);
	struct net_hdr h;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		for (size_t n = 0; n < 5; n++) {
			size_t len = tcp_frame(f, ipv6, n, 0, &h);

			assert_int_equal(net_csum_finish(&h, f, len), 0);
			assert_true(l4_right(f, ipv6, h.csum_start, len));
			/* places outside of the frame, or over the Ethernet header */
			h.csum_offset = (uint16_t)(len - h.csum_start - 1);
			assert_int_equal(net_csum_finish(&h, f, len), -EINVAL);
			h.csum_offset--;
			assert_int_equal(net_csum_finish(&h, f, len), 0);
			h.csum_start = 13;
			assert_int_equal(net_csum_finish(&h, f, len), -EINVAL);
			h.csum_start = h.csum_offset = 0xffff;
			assert_int_equal(net_csum_finish(&h, f, len), -EINVAL);
			h.flags = NET_HDR_DATA_VALID;
			assert_int_equal(net_csum_finish(&h, f, len), 0);
		}
	}
	/* a sum of zero is sent as 0xffff, so that UDP does not read it as "none" */
	memset(f, 0, 64);
	h = (struct net_hdr){ .flags = NET_HDR_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6 };
	f[34] = f[35] = 0xff;
	assert_int_equal(net_csum_finish(&h, f, 64), 0);
	assert_int_equal(ld_be16(f + 40), 0xffff);
	free(f);
}

static void parsing(void **state)
{
	uint8_t f[200];
	struct net_hdr h;
	struct net_pkt p;
	size_t len = tcp_frame(f, false, 60, 0, &h);

	/* no length is accepted that cuts the packet, and none is read past */
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1);

		memcpy(exact, f, cut);
		assert_false(net_pkt_parse(&p, exact, cut));
		free(exact);
	}
	assert_true(net_pkt_parse(&p, f, len + 6));
	assert_int_equal(p.end, len);
	assert_int_equal(p.l4, 34);
	assert_int_equal(p.payload, 66);
	f[14] = 0x44;
	assert_false(net_pkt_parse(&p, f, len));
	f[14] = 0x45;
	f[46] = 4 << 4;
	assert_false(net_pkt_parse(&p, f, len));
	f[46] = 15 << 4;
	assert_true(net_pkt_parse(&p, f, len));
	st_be16(f + 20, 0x2000);
	assert_true(net_pkt_parse(&p, f, len));
	assert_true(p.fragment);
	assert_int_equal(p.payload, p.l4);
	st_be16(f + 12, NET_ETH_ARP);
	assert_false(net_pkt_parse(&p, f, len));

	/* behind a VLAN tag */
	len = tcp_frame(f, false, 60, 0, &h);
	memmove(f + 16, f + 12, len - 12);
	st_be16(f + 12, 0x8100);
	assert_true(net_pkt_parse(&p, f, len + 4));
	assert_int_equal(p.l4, 38);
}

static void ipv6_extensions(void **state)
{
	uint8_t f[400];
	struct net_hdr h;
	struct net_pkt p;
	size_t len = tcp_frame(f, true, 60, 0, &h);
	uint8_t *ip = f + 14;

	memmove(ip + 56, ip + 40, len - 54);
	memset(ip + 40, 0, 16);
	ip[6] = 0;			/* hop-by-hop of 16 bytes, then TCP */
	ip[40] = NET_IP_TCP;
	ip[41] = 1;
	st_be16(ip + 4, (uint16_t)(len - 54 + 16));
	assert_true(net_pkt_parse(&p, f, len + 16));
	assert_int_equal(p.l4, 14 + 56);
	assert_int_equal(p.proto, NET_IP_TCP);
	ip[41] = 200;
	assert_false(net_pkt_parse(&p, f, len + 16));
	ip[40] = ip[41] = 0;		/* extensions without end */
	memset(ip + 40, 0, 76);
	assert_false(net_pkt_parse(&p, f, len + 16));
	ip[6] = 44;			/* a fragment */
	ip[40] = NET_IP_TCP;
	ip[43] = 1;
	assert_true(net_pkt_parse(&p, f, len + 16));
	assert_true(p.fragment);
}

/* Splits and checks each segment and that together they are the frame. */
static void split_one(bool ipv6, size_t n, uint16_t gso)
{
	uint8_t *f = malloc(ROOM), *out = malloc(ROOM), *copy = malloc(ROOM);
	uint8_t flags = NET_TCP_FIN | NET_TCP_PSH | NET_TCP_CWR | 16;
	struct net_split s;
	struct net_hdr h;
	size_t len = tcp_frame(f, ipv6, n, flags, &h), at = 0, got, count = 0;
	size_t l4 = h.csum_start;

	h.gso_size = gso;
	h.gso_type |= NET_GSO_ECN;
	memcpy(copy, f, len);
	assert_int_equal(net_split_begin(&s, &h, f, len), 0);
	while ((got = net_split_next(&s, out, ROOM))) {
		const uint8_t *ip = out + 14;
		size_t payload = got - l4 - 32;
		bool last = at + payload == n;
		struct net_pkt p;

		assert_true(last ? payload <= gso : payload == gso);
		assert_true(net_pkt_parse(&p, out, got));
		assert_int_equal(p.end, got);
		assert_true(l4_right(out, ipv6, l4, got));
		if (!ipv6) {
			assert_int_equal(plain_sum(ip, 20, 0), 0xffff);
			assert_int_equal(ld_be16(ip + 4), (0xfffe + count) & 0xffff);
		}
		assert_int_equal(ld_be32(out + l4 + 4), (uint32_t)(0xfffffff0 + at));
		assert_int_equal(out[l4 + 13],
				 (flags & ~(last ? 0 : 9) & ~(count ? NET_TCP_CWR : 0)) & 0xff);
		assert_memory_equal(out + l4 + 32, copy + l4 + 32 + at, payload);
		at += payload;
		count++;
	}
	assert_int_equal(at, n);
	assert_int_equal(count, n ? (n + gso - 1) / gso : 1);
	assert_memory_equal(f, copy, len);
	free(f);
	free(out);
	free(copy);
}

static void splitting(void **state)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		split_one(ipv6, 0, 1448);
		split_one(ipv6, 1, 1448);
		split_one(ipv6, 1448, 1448);
		split_one(ipv6, 1449, 1448);
		split_one(ipv6, 65000, 1448);
		split_one(ipv6, 64999, NET_GSO_MIN);
		split_one(ipv6, 5000, 0xffff);
	}
}

static void split_refused(void **state)
{
	uint8_t f[4000];
	struct net_hdr h;
	struct net_split s;
	size_t len = tcp_frame(f, false, 3000, 0, &h);

	h.gso_size = NET_GSO_MIN - 1;
	assert_int_equal(net_split_begin(&s, &h, f, len), -EINVAL);
	h.gso_size = 1000;
	h.gso_type = NET_GSO_TCPV6;
	assert_int_equal(net_split_begin(&s, &h, f, len), -EINVAL);
	h.gso_type = NET_GSO_UDP;
	assert_int_equal(net_split_begin(&s, &h, f, len), -EINVAL);
	h.gso_type = NET_GSO_TCPV4;
	assert_int_equal(net_split_begin(&s, &h, f, len - 1), -EINVAL);
	f[23] = NET_IP_UDP;
	assert_int_equal(net_split_begin(&s, &h, f, len), -EINVAL);
	f[23] = NET_IP_TCP;
	assert_int_equal(net_split_begin(&s, &h, f, len), 0);
	assert_int_equal(net_split_next(&s, f + 100, 1065), 0);	/* too little room */
}

static void fragments(void **state)
{
	uint8_t *f = malloc(ROOM), *out = malloc(ROOM), *whole = malloc(ROOM);

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct net_hdr h;
		struct net_split s;
		size_t len = tcp_frame(f, ipv6, 30001, 0, &h), got, count = 0, total = 0;
		size_t l4 = h.csum_start;
		bool more = true;

		assert_int_equal(net_frag_begin(&s, 0x12345678, 1500, f, len), 0);
		while ((got = net_frag_next(&s, out, 1514))) {
			const uint8_t *ip = out + 14;
			size_t data = ipv6 ? l4 + 8 : l4, offset;
			unsigned field;

			assert_true(got <= 1514);
			assert_true(more);
			if (ipv6) {
				field = ld_be16(out + l4 + 2);
				offset = field & ~7u;
				more = field & 1;
				assert_int_equal(ip[6], 44);
				assert_int_equal(out[l4], NET_IP_TCP);
				assert_int_equal(ld_be32(out + l4 + 4), 0x12345678);
				assert_int_equal(ld_be16(ip + 4), got - 54);
			} else {
				field = ld_be16(ip + 6);
				offset = (size_t)(field & 0x1fff) * 8;
				more = field & 0x2000;
				assert_int_equal(plain_sum(ip, 20, 0), 0xffff);
				assert_int_equal(ld_be16(ip + 2), got - 14);
			}
			assert_int_equal(offset, total);
			memcpy(whole + offset, out + data, got - data);
			total += got - data;
			count++;
		}
		assert_false(more);
		assert_int_equal(total, len - l4);
		assert_true(count >= 20);
		assert_memory_equal(whole, f + l4, total);
		assert_int_equal(net_frag_begin(&s, 0, ipv6 ? 55 : 27, f, len), -EINVAL);
		assert_int_equal(net_frag_begin(&s, 0, ipv6 ? 56 : 28, f, len), 0);
	}
	free(f);
	free(out);
	free(whole);
}

static void fragments_of_fragments(void **state)
{
	uint8_t f[4000], out[1514];
	struct net_hdr h;
	struct net_split s;
	size_t len = tcp_frame(f, false, 2964, 0, &h);	/* 2996 bytes behind the IP header */

	st_be16(f + 20, 0x2000 | 100);
	assert_int_equal(net_frag_begin(&s, 0, 1500, f, len), 0);
	assert_int_equal(net_frag_next(&s, out, sizeof(out)), 14 + 20 + 1480);
	assert_int_equal(ld_be16(out + 20), 0x2000 | 100);
	assert_int_equal(net_frag_next(&s, out, sizeof(out)), 14 + 20 + 1480);
	assert_int_equal(ld_be16(out + 20), 0x2000 | (100 + 185));
	assert_int_equal(net_frag_next(&s, out, sizeof(out)), 14 + 20 + 36);
	assert_int_equal(ld_be16(out + 20), 0x2000 | (100 + 370));	/* not the last of all */
	assert_int_equal(net_frag_next(&s, out, sizeof(out)), 0);

	/* ends at 65535, and past what an offset can say */
	st_be16(f + 20, 0x2000 | (65535 - 2984) / 8);
	assert_int_equal(net_frag_begin(&s, 0, 1500, f, len), -EINVAL);
	st_be16(f + 20, 0x2000 | (65535 - 2996) / 8);
	assert_int_equal(net_frag_begin(&s, 0, 1500, f, len), 0);
}

static void marking(void **state)
{
	uint8_t *f = malloc(ROOM), *copy = malloc(ROOM);

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct net_hdr h, marked;
		size_t len = tcp_frame(f, ipv6, 20000, 0, &h);

		memcpy(copy, f, len);
		assert_int_equal(net_csum_finish(&h, f, len), 0);
		assert_true(net_gso_mark(&marked, f, len, 1448));
		h.hdr_len = (uint16_t)(h.csum_start + 32);
		assert_memory_equal(&h, &marked, sizeof(h));
		assert_memory_equal(f, copy, len);
		f[ipv6 ? 20 : 23] = NET_IP_UDP;
		assert_false(net_gso_mark(&marked, f, len, 1448));
	}
	free(f);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums),
		cmocka_unit_test(sum_updates),
		cmocka_unit_test(headers),
		cmocka_unit_test(finish),
		cmocka_unit_test(parsing),
		cmocka_unit_test(ipv6_extensions),
		cmocka_unit_test(splitting),
		cmocka_unit_test(split_refused),
		cmocka_unit_test(fragments),
		cmocka_unit_test(fragments_of_fragments),
		cmocka_unit_test(marking),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
