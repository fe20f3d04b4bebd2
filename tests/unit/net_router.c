/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of hospes-net around libslirp, frame by frame; tests/net runs them together. */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/offload.h"
#include "net/user/dns.h"
#include "net/user/guard.h"
#include "net/user/outq.h"
#include "net/user/peers.h"
#include "net/user/reasm.h"
#include "net/user_wire.h"

enum { GUEST = GUARD_GUEST, ROOM = 70000 };

/* An IPv4 frame with right checksums: size bytes behind the IP header, which l4 begins. */
static size_t ipv4(uint8_t *f, uint32_t src, uint32_t dst, uint8_t proto, const uint8_t *l4,
		   size_t size)
{
	size_t csum = proto == NET_IP_TCP ? 16 : 6;
	uint8_t *ip = f + 14;
	struct net_pkt p;

	memset(f, 0, 34);
	st_be16(f + 12, NET_ETH_IPV4);
	memcpy(f + 34, l4, size);
	ip[0] = 0x45;
	st_be16(ip + 2, (uint16_t)(20 + size));
	st_be16(ip + 4, 99);
	ip[8] = 64;
	ip[9] = proto;
	st_be32(ip + 12, src);
	st_be32(ip + 16, dst);
	st_be16(ip + 10, (uint16_t)~net_csum(ip, 20, 0));
	if (proto == NET_IP_TCP || proto == NET_IP_UDP) {
		st_be16(f + 34 + csum, 0);
		assert_true(net_pkt_parse(&p, f, 34 + size));
		st_be16(f + 34 + csum, (uint16_t)~net_csum(f + 34, size, net_csum_pseudo(&p, f)));
	}
	return 34 + size;
}

static size_t udp(uint8_t *f, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	uint8_t l4[20] = { 0 };

	st_be16(l4, sport);
	st_be16(l4 + 2, dport);
	st_be16(l4 + 4, sizeof(l4));
	return ipv4(f, src, dst, NET_IP_UDP, l4, sizeof(l4));
}

/* Both checksums of the frame are right. */
static bool sums_right(const uint8_t *f, size_t len)
{
	struct net_pkt p;

	assert_true(net_pkt_parse(&p, f, len));
	return (p.ipv6 || net_csum(f + p.l3, p.l4 - p.l3, 0) == 0xffff) &&
	       net_csum(f + p.l4, p.end - p.l4, net_csum_pseudo(&p, f)) == 0xffff;
}

/* ---- guard ------------------------------------------------------------------------------- */

static bool passes(uint32_t src, uint32_t dst, uint16_t dport)
{
	static struct guard g;
	uint8_t f[200];
	size_t len = udp(f, src, 1000, dst, dport);

	return guard_input(&g, f, len) && sums_right(f, len);
}

static void guard_addresses(void **state)
{
	assert_true(passes(GUEST, 0xc0000202, 80));
	assert_true(passes(GUEST, GUARD_GATEWAY, 80));
	assert_true(passes(GUEST, GUARD_DNS, 53));
	assert_true(passes(0, 0xffffffff, 67));
	assert_false(passes(GUEST, 0x7f000001, 80));
	assert_false(passes(GUEST, 0x7fffffff, 80));
	assert_false(passes(0x7f000001, 0xc0000202, 80));
	assert_false(passes(GUEST, 0, 80));
	assert_false(passes(GUEST, 0x00ffffff, 80));
	assert_false(passes(GUEST, GUARD_DNS, 80));
	assert_false(passes(GUEST, GUARD_NET + 99, 80));
	assert_false(passes(GUEST, GUARD_GATEWAY, 69));
	assert_false(passes(GUEST, 0xffffffff, 69));
	assert_true(passes(GUEST, 0xc0000202, 69));
}

static bool passes6(const uint8_t to[16])
{
	static struct guard g;
	uint8_t f[14 + 40 + 8] = { 0 };

	st_be16(f + 12, NET_ETH_IPV6);
	f[14] = 0x60;
	st_be16(f + 18, 8);
	f[20] = NET_IP_UDP;
	f[22] = 0xfe;
	memcpy(f + 38, to, 16);
	st_be16(f + 58, 8);
	return guard_input(&g, f, sizeof(f));
}

static void guard_addresses6(void **state)
{
	assert_true(passes6((uint8_t [16]){ 0xfe, 0xc0, [15] = 2 }));
	assert_true(passes6((uint8_t [16]){ 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }));
	assert_true(passes6((uint8_t [16]){ 0x00, 0x64, 0xff, 0x9b, [12] = 192, 0, 2, 1 }));
	assert_false(passes6((uint8_t [16]){ 0 }));
	assert_false(passes6((uint8_t [16]){ [15] = 1 }));
	assert_false(passes6((uint8_t [16]){ [10] = 0xff, 0xff, 127, 0, 0, 1 }));
	assert_false(passes6((uint8_t [16]){ [12] = 127, 0, 0, 1 }));
}

static void guard_other_protocols(void **state)
{
	static struct guard g;
	uint8_t f[100] = { 0 };

	for (unsigned type = 0; type < 0x10000; type += 0x33) {
		if (type == NET_ETH_ARP)
			continue;
		st_be16(f + 12, (uint16_t)type);
		assert_false(guard_input(&g, f, sizeof(f)));
	}
	st_be16(f + 12, NET_ETH_ARP);
	assert_true(guard_input(&g, f, 42));
	assert_false(guard_input(&g, f, 41));
	assert_false(guard_input(&g, f, 13));
}

/* A SYN whose MSS option begins at any alignment, with the urgent flag. */
static void guard_mss(void **state)
{
	struct guard *g = calloc(1, sizeof(*g));

	for (size_t nops = 0; nops < 5; nops++) {
		uint8_t l4[40] = { [12] = 7 << 4, [13] = NET_TCP_SYN | NET_TCP_URG, [19] = 9 };
		uint8_t f[200];
		size_t len;

		st_be16(l4, (uint16_t)(7000 + nops));
		memset(l4 + 20, 1, nops);
		l4[20 + nops] = 2;
		l4[21 + nops] = 4;
		st_be16(l4 + 22 + nops, 1234);
		len = ipv4(f, GUEST, 0xc0000202, NET_IP_TCP, l4, sizeof(l4));
		assert_true(guard_input(g, f, len));
		assert_true(sums_right(f, len));
		assert_int_equal(f[34 + 13], NET_TCP_SYN);
		assert_int_equal(ld_be16(f + 34 + 18), 0);
		assert_int_equal(g->mss[7000 + nops], 1234);
		assert_int_equal(ld_be16(f + 34 + 22 + nops), GUARD_MSS);
	}
	/* options that lie about their length: nothing beyond the header is touched */
	for (unsigned size = 0; size < 256; size++) {
		uint8_t l4[40] = { [12] = 6 << 4, [13] = NET_TCP_SYN }, f[200], copy[200];
		size_t len;

		l4[20] = 2;
		l4[21] = (uint8_t)size;
		len = ipv4(f, GUEST, 0xc0000202, NET_IP_TCP, l4, sizeof(l4));
		memcpy(copy, f, len);
		assert_true(guard_input(g, f, len));
		if (size != 4)
			assert_memory_equal(f, copy, len);
	}
	free(g);
}

/* ---- name server ------------------------------------------------------------------------- */

static void dns_rewrites(void **state)
{
	struct dns *d = calloc(1, sizeof(*d));
	uint8_t f[200], copy[200];
	size_t len;

	assert_int_equal(dns_from_option(d, "192.0.2.53:5353", NULL), 0);
	len = udp(f, GUEST, 4000, GUARD_DNS, 53);
	assert_true(dns_input(d, f, len));
	assert_int_equal(ld_be32(f + 30), 0xc0000235);
	assert_int_equal(ld_be16(f + 36), 5353);
	assert_true(sums_right(f, len));
	len = udp(f, 0xc0000235, 5353, GUEST, 4000);
	dns_output(d, f, len);
	assert_int_equal(ld_be32(f + 26), GUARD_DNS);
	assert_int_equal(ld_be16(f + 34), 53);
	assert_true(sums_right(f, len));
	/* an answer on another port of the guest is none of ours */
	len = udp(f, 0xc0000235, 5353, GUEST, 4001);
	memcpy(copy, f, len);
	dns_output(d, f, len);
	assert_memory_equal(f, copy, len);
	/* nor, from now on, on this one: the guest has spoken with the resolver itself */
	len = udp(f, GUEST, 4000, 0xc0000235, 5353);
	memcpy(copy, f, len);
	assert_true(dns_input(d, f, len));
	assert_memory_equal(f, copy, len);
	len = udp(f, 0xc0000235, 5353, GUEST, 4000);
	dns_output(d, f, len);
	assert_int_equal(ld_be32(f + 26), 0xc0000235);
	free(d);
}

static void dns_file(void **state)
{
	static const char text[] = "; a comment\n\nsearch a b\n  nameserver\t2001:db8::53  \n"
				   "nameserver 192.0.2.1\r\nnameserver 192.0.2.2\n"
				   "nameserver fe80::1%eth0\n";
	char path[] = "/tmp/hospes-resolv-XXXXXX";
	struct dns *d = calloc(1, sizeof(*d));
	int fd = mkstemp(path);
	uint8_t f[200];

	assert_true(fd >= 0 && write(fd, text, sizeof(text) - 1) == sizeof(text) - 1);
	dns_from_file(d, path, false);
	assert_true(d->have4 && d->have6);
	assert_int_equal(ntohl(d->server4.sin_addr.s_addr), 0xc0000201);
	assert_int_equal(d->server6.sin6_addr.s6_addr[15], 0x53);
	assert_int_equal(ftruncate(fd, 0), 0);
	dns_from_file(d, path, false);
	assert_true(d->have4 && !d->have6);
	assert_int_equal(ntohl(d->server4.sin_addr.s_addr), 0x7f000001);
	/* a resolver of the other family only: questions of this one have nowhere to go */
	*d = (struct dns){ 0 };
	assert_int_equal(dns_from_option(d, "[2001:db8::1]:53", NULL), 0);
	assert_false(dns_input(d, f, udp(f, GUEST, 4000, GUARD_DNS, 53)));
	close(fd);
	unlink(path);
	free(d);
}

/* ---- answers to forwarded datagrams ------------------------------------------------------ */

static void peers_find_back(void **state)
{
	struct peers *t = calloc(1, sizeof(*t));
	uint8_t f[200];
	size_t len;

	peers_forward(t, 53);
	/* from 127.0.0.9, which the guest does not get to see */
	len = udp(f, 0x7f000009, 1111, GUEST, 53);
	peers_output(t, f, len);
	assert_int_equal(ld_be32(f + 26), GUARD_GATEWAY);
	assert_true(sums_right(f, len));
	len = udp(f, GUEST, 53, GUARD_GATEWAY, 1111);
	peers_input(t, f, len);
	assert_int_equal(ld_be32(f + 30), 0x7f000009);
	assert_true(sums_right(f, len));
	/* another port, another guest port, another source: no way to the loopback */
	len = udp(f, GUEST, 53, GUARD_GATEWAY, 1112);
	peers_input(t, f, len);
	assert_int_equal(ld_be32(f + 30), GUARD_GATEWAY);
	len = udp(f, GUEST, 54, GUARD_GATEWAY, 1111);
	peers_input(t, f, len);
	assert_int_equal(ld_be32(f + 30), GUARD_GATEWAY);
	len = udp(f, GUEST + 1, 53, GUARD_GATEWAY, 1111);
	peers_input(t, f, len);
	assert_int_equal(ld_be32(f + 30), GUARD_GATEWAY);
	/* datagrams for ports that are not forwarded (DHCP's answers) are not remembered */
	len = udp(f, GUARD_GATEWAY, 67, GUEST, 68);
	peers_output(t, f, len);
	len = udp(f, GUEST, 68, GUARD_GATEWAY, 67);
	peers_input(t, f, len);
	assert_int_equal(ld_be32(f + 30), GUARD_GATEWAY);
	free(t);
}

/* ---- reassembly -------------------------------------------------------------------------- */

/* Fragment from byte `from` (of 8) of a packet, identified by ident. */
static size_t fragment(uint8_t *f, uint16_t ident, size_t from, const uint8_t *data, size_t n,
		       bool more)
{
	uint8_t *ip = f + 14;
	size_t len = ipv4(f, GUEST, 0xc0000202, 250, data + from, n);

	st_be16(ip + 4, ident);
	st_be16(ip + 6, (uint16_t)(from / 8 | (more ? 0x2000 : 0)));
	return len;
}

static void reassembles(void **state)
{
	struct reasm *r = calloc(1, sizeof(*r));
	uint8_t *f = malloc(ROOM), *data = malloc(65536), *got = NULL;
	size_t len = 0, total = 65515;

	for (size_t i = 0; i < 65536; i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8));
	/* two packets interleaved, the largest there are */
	for (size_t at = 0; at < total; at += 1480) {
		size_t n = total - at < 1480 ? total - at : 1480;

		len = fragment(f, 1, at, data, n, at + n < total);
		got = reasm_input(r, f, &len);
		assert_true(at + n < total ? !got : got != NULL);
		if (got)
			break;
		len = fragment(f, 2, at, data, n, at + n < total);
		assert_null(reasm_input(r, f, &len));
	}
	assert_int_equal(len, 34 + total);
	assert_memory_equal(got + 34, data, total);
	assert_int_equal(net_csum(got + 14, 20, 0), 0xffff);
	assert_int_equal(ld_be16(got + 20), 0);
	/* out of order, a hole, more than a packet holds, nothing in it */
	len = fragment(f, 3, 1480, data, 1480, false);
	assert_null(reasm_input(r, f, &len));
	len = fragment(f, 4, 0, data, 1480, true);
	assert_null(reasm_input(r, f, &len));
	len = fragment(f, 4, 2960, data, 1480, false);
	assert_null(reasm_input(r, f, &len));
	len = fragment(f, 4, 1480, data, 1480, false);
	assert_null(reasm_input(r, f, &len));
	len = fragment(f, 5, 0, data, 64000, true);
	assert_null(reasm_input(r, f, &len));
	len = fragment(f, 5, 64000, data, 1520, false);
	assert_null(reasm_input(r, f, &len));
	len = fragment(f, 6, 0, data, 0, true);
	assert_null(reasm_input(r, f, &len));
	/* what is no fragment passes as it is */
	len = fragment(f, 7, 0, data, 100, false);
	assert_ptr_equal(reasm_input(r, f, &len), f);
	free(r);
	free(f);
	free(data);
}

/* ---- the queue to the monitor ------------------------------------------------------------ */

static size_t queued_size(uint32_t number)
{
	return WIRE_MIN + number * 7919 % 65000;
}

/* Reads what is there: each message the next in order and of its size. */
static void take(int fd, uint8_t *buf, uint32_t *got)
{
	ssize_t n;

	while ((n = recv(fd, buf, ROOM, MSG_DONTWAIT)) > 0) {
		uint32_t number;

		memcpy(&number, buf, 4);
		assert_int_equal(number, *got);
		assert_int_equal(n, queued_size(number));
		++*got;
	}
}

static void queue_keeps_order(void **state)
{
	struct outq q;
	uint32_t put = 0, got = 0;
	uint8_t *buf = malloc(ROOM);
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	assert_int_equal(outq_init(&q, OUTQ_BYTES), 0);
	/* fill it to the brim, let out what the socket takes, read some of that, and again */
	for (int round = 0; round < 40; round++) {
		uint8_t *p;

		while ((p = outq_reserve(&q, queued_size(put)))) {
			memcpy(p, &put, 4);
			outq_commit(&q, queued_size(put++));
		}
		for (int i = 0; i < 10 && outq_flush(&q, fds[0]); i++)
			take(fds[1], buf, &got);
	}
	while (outq_flush(&q, fds[0]) == -EAGAIN)
		take(fds[1], buf, &got);
	take(fds[1], buf, &got);
	assert_int_equal(got, put);
	assert_true(put > 300);
	assert_int_equal(q.lost, 40);
	close(fds[1]);
	memset(outq_reserve(&q, 100), 0, 100);
	outq_commit(&q, 100);
	assert_true(outq_flush(&q, fds[0]) < 0);
	close(fds[0]);
	outq_fini(&q);
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guard_addresses),
		cmocka_unit_test(guard_addresses6),
		cmocka_unit_test(guard_other_protocols),
		cmocka_unit_test(guard_mss),
		cmocka_unit_test(dns_rewrites),
		cmocka_unit_test(dns_file),
		cmocka_unit_test(peers_find_back),
		cmocka_unit_test(reassembles),
		cmocka_unit_test(queue_keeps_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
