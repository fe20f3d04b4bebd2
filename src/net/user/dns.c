/* SPDX-License-Identifier: Apache-2.0 */
#include "net/user/dns.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/offload.h"
#include "net/user/guard.h"

enum { DNS_PORT = 53, FILE_MAX = 16384 };

/* fec0::3 */
static const uint8_t own6[16] = { 0xfe, 0xc0, [15] = 3 };

/* ---- who the resolver is ----------------------------------------------------------------- */

static bool set_server(struct dns *d, const char *addr, uint16_t port)
{
	struct in6_addr a6;
	struct in_addr a4;

	if (inet_pton(AF_INET, addr, &a4) == 1) {
		if (!d->have4)
			d->server4 = (struct sockaddr_in){ .sin_family = AF_INET,
							   .sin_port = htons(port),
							   .sin_addr = a4 };
		d->have4 = true;
		return true;
	}
	if (inet_pton(AF_INET6, addr, &a6) == 1) {
		if (!d->have6)
			d->server6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
							    .sin6_port = htons(port),
							    .sin6_addr = a6 };
		d->have6 = true;
		return true;
	}
	return false;
}

/* "nameserver ADDR" lines of text; addresses with a scope are of no use behind NAT. */
static void parse_lines(struct dns *d, char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *words = NULL, *key = strtok_r(line, " \t\r", &words);
		char *addr = key ? strtok_r(NULL, " \t\r", &words) : NULL;

		if (addr && !strcmp(key, "nameserver"))
			set_server(d, addr, DNS_PORT);
	}
}

static bool read_file(struct dns *d, const char *path)
{
	char text[FILE_MAX + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = fstat(fd, &d->seen) < 0 ? -1 : read(fd, text, FILE_MAX);
	close(fd);
	if (n < 0)
		return false;
	text[n] = '\0';
	d->have4 = d->have6 = false;
	parse_lines(d, text);
	return true;
}

static int64_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

void dns_from_file(struct dns *d, const char *path, bool follow)
{
	read_file(d, path);
	if (!d->have4 && !d->have6)
		set_server(d, "127.0.0.1", DNS_PORT);
	d->path = follow ? path : NULL;
	d->checked_s = now_s();
}

/* At most once a second: has the file changed? One that cannot be read any more changes nothing. */
static void refresh(struct dns *d)
{
	int64_t now = d->path ? now_s() : 0;
	struct stat st;

	if (!d->path || now == d->checked_s)
		return;
	d->checked_s = now;
	if (stat(d->path, &st) < 0)
		return;
	if (st.st_ino != d->seen.st_ino || st.st_dev != d->seen.st_dev ||
	    st.st_size != d->seen.st_size || st.st_mtim.tv_sec != d->seen.st_mtim.tv_sec ||
	    st.st_mtim.tv_nsec != d->seen.st_mtim.tv_nsec)
		dns_from_file(d, d->path, true);
}

int dns_from_option(struct dns *d, const char *text, struct err *err)
{
	char addr[64];
	const char *from = text, *end = text + strlen(text), *port = NULL;
	unsigned long number = DNS_PORT;
	char *rest;

	if (*text == '[') {
		from = text + 1;
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			goto bad;
		port = end[1] ? end + 2 : NULL;
	} else if (strchr(text, ':') && strchr(text, ':') == strrchr(text, ':')) {
		end = strchr(text, ':');
		port = end + 1;
	}
	if (port) {
		number = strtoul(port, &rest, 10);
		if (!isdigit((unsigned char)*port) || *rest || number < 1 || number > 65535)
			goto bad;
	}
	if ((size_t)(end - from) >= sizeof(addr))
		goto bad;
	memcpy(addr, from, (size_t)(end - from));
	addr[end - from] = '\0';
	if (set_server(d, addr, (uint16_t)number))
		return 0;
bad:
	return err_set(err, -EINVAL,
		       "name server \"%s\": give an IP address, or one with a port as in "
		       "9.9.9.9:53", text);
}

/* ---- rewriting --------------------------------------------------------------------------- */

/* The row of asked for the packet's protocol and family, -1 when it is none that carries DNS. */
static int asked_row(const struct net_pkt *p)
{
	if (p->fragment || (p->proto != NET_IP_UDP && p->proto != NET_IP_TCP))
		return -1;
	return (p->ipv6 ? 2 : 0) + (p->proto == NET_IP_TCP);
}

/* An address of the IP header and a port of the TCP or UDP header become others. */
static void rewrite(const struct net_pkt *p, uint8_t *frame, size_t addr_at, size_t port_at,
		    const void *addr, const void *port)
{
	size_t addr_len = p->ipv6 ? 16 : 4;
	uint8_t *csum = frame + p->l4 + (p->proto == NET_IP_TCP ? 16 : 6);
	bool summed = p->proto == NET_IP_TCP || ld_be16(csum);

	if (!p->ipv6)
		net_csum_update(frame + p->l3 + 10, frame + addr_at, addr, addr_len);
	if (summed) {
		net_csum_update(csum, frame + addr_at, addr, addr_len);
		net_csum_update(csum, frame + port_at, port, 2);
		if (p->proto == NET_IP_UDP && !ld_be16(csum))
			st_be16(csum, 0xffff);
	}
	memcpy(frame + addr_at, addr, addr_len);
	memcpy(frame + port_at, port, 2);
}

/* Address and port (network order) of the resolver for p's family; false: there is none. */
static bool resolver(const struct dns *d, const struct net_pkt *p, const void **addr,
		     const void **port)
{
	*addr = p->ipv6 ? (const void *)&d->server6.sin6_addr : &d->server4.sin_addr;
	*port = p->ipv6 ? &d->server6.sin6_port : &d->server4.sin_port;
	return p->ipv6 ? d->have6 : d->have4;
}

static const void *own_address(const struct dns *d, const struct net_pkt *p, uint8_t buf[4])
{
	st_be32(buf, d->own4 ? d->own4 : GUARD_DNS);
	return p->ipv6 ? own6 : buf;
}

bool dns_input(struct dns *d, uint8_t *frame, size_t len)
{
	const void *addr, *port;
	uint8_t buf[4], *bits, bit;
	size_t to, alen;
	struct net_pkt p;
	unsigned guest;

	if (!net_pkt_parse(&p, frame, len) || asked_row(&p) < 0)
		return true;
	to = p.l3 + (p.ipv6 ? 24 : 16);
	alen = p.ipv6 ? 16 : 4;
	guest = ld_be16(frame + p.l4);
	bits = &d->asked[asked_row(&p)][guest / 8];
	bit = (uint8_t)(1u << guest % 8);
	if (ld_be16(frame + p.l4 + 2) == DNS_PORT &&
	    !memcmp(frame + to, own_address(d, &p, buf), alen)) {
		refresh(d);
		if (!resolver(d, &p, &addr, &port))
			return false;
		*bits |= bit;
		rewrite(&p, frame, to, p.l4 + 2, addr, port);
	} else if (resolver(d, &p, &addr, &port) && !memcmp(frame + to, addr, alen) &&
		   !memcmp(frame + p.l4 + 2, port, 2)) {
		*bits &= (uint8_t)~bit;
	}
	return true;
}

void dns_output(const struct dns *d, uint8_t *frame, size_t len)
{
	static const uint8_t own_port[2] = { 0, DNS_PORT };
	const void *addr, *port;
	struct net_pkt p;
	uint8_t buf[4];
	unsigned guest;
	size_t from;

	if (!net_pkt_parse(&p, frame, len) || asked_row(&p) < 0 || !resolver(d, &p, &addr, &port))
		return;
	from = p.l3 + (p.ipv6 ? 8 : 12);
	guest = ld_be16(frame + p.l4 + 2);
	if (d->asked[asked_row(&p)][guest / 8] >> guest % 8 & 1 &&
	    !memcmp(frame + p.l4, port, 2) && !memcmp(frame + from, addr, p.ipv6 ? 16 : 4))
		rewrite(&p, frame, from, p.l4, own_address(d, &p, buf), own_port);
}
