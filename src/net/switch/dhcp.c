/* SPDX-License-Identifier: Apache-2.0 */
#include "net/switch/dhcp.h"

#include <string.h>

#include "net/offload.h"

/* Offsets in a message (RFC 2131 §2). */
enum {
	OP = 0, HTYPE = 1, HLEN = 2, XID = 4, FLAGS = 10, CIADDR = 12, YIADDR = 16, CHADDR = 28,
	COOKIE = 236, OPTIONS = 240,
	REPLY_MIN = 300,		/* BOOTP's size: some clients take nothing shorter */
};

enum { BOOT_REQUEST = 1, BOOT_REPLY = 2, ETHERNET = 1, BROADCAST = 0x8000 };

enum {
	DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5, NAK = 6, INFORM = 8,
};

enum {
	OPT_PAD = 0, OPT_MASK = 1, OPT_ROUTER = 3, OPT_DNS = 6, OPT_HOST = 12, OPT_DOMAIN = 15,
	OPT_BROADCAST = 28, OPT_WANTED = 50, OPT_TIME = 51, OPT_KIND = 53, OPT_SERVER = 54,
	OPT_END = 255,
};

static const uint8_t cookie[4] = { 99, 130, 83, 99 };

struct request {
	uint8_t kind;
	uint32_t wanted, server;	/* 0: not said */
	uint32_t ciaddr;
};

static bool parse(struct request *r, const struct dhcp_client *c, const uint8_t *msg, size_t len)
{
	size_t at = OPTIONS;

	*r = (struct request){ 0 };
	if (len < OPTIONS || msg[OP] != BOOT_REQUEST || msg[HTYPE] != ETHERNET || msg[HLEN] != 6 ||
	    memcmp(msg + CHADDR, c->mac, 6) || memcmp(msg + COOKIE, cookie, sizeof(cookie)))
		return false;
	r->ciaddr = ld_be32(msg + CIADDR);
	while (at < len && msg[at] != OPT_END) {
		const uint8_t *value = msg + at + 2;
		size_t size;

		if (msg[at] == OPT_PAD) {
			at++;
			continue;
		}
		if (len - at < 2 || msg[at + 1] > len - at - 2)
			return false;
		size = msg[at + 1];
		if (msg[at] == OPT_KIND && size == 1)
			r->kind = *value;
		else if (msg[at] == OPT_WANTED && size == 4)
			r->wanted = ld_be32(value);
		else if (msg[at] == OPT_SERVER && size == 4)
			r->server = ld_be32(value);
		at += 2 + size;
	}
	return r->kind;
}

/* The kind of the answer, 0: none. */
static uint8_t decide(const struct lan *l, const struct dhcp_client *c, const struct request *r)
{
	uint32_t wanted = r->wanted ? r->wanted : r->ciaddr;

	if (r->server && r->server != lan_addr(l, LAN_SELF))
		return 0;
	if (r->kind == DISCOVER)
		return OFFER;
	if (r->kind == REQUEST)
		return wanted == c->addr ? ACK : NAK;
	return r->kind == INFORM && r->ciaddr == c->addr ? ACK : 0;
}

static uint8_t *put(uint8_t *to, uint8_t option, const void *value, size_t size)
{
	to[0] = option;
	to[1] = (uint8_t)size;
	memcpy(to + 2, value, size);
	return to + 2 + size;
}

static uint8_t *put32(uint8_t *to, uint8_t option, uint32_t value)
{
	uint8_t v[4];

	st_be32(v, value);
	return put(to, option, v, sizeof(v));
}

/* What an address comes with. */
static uint8_t *put_settings(uint8_t *to, const struct lan *l, const struct dhcp_client *c)
{
	static const char domain[] = "internal";

	to = put32(to, OPT_MASK, 0xffffff00);
	to = put32(to, OPT_BROADCAST, lan_addr(l, 255));
	if (l->nat)
		to = put32(to, OPT_ROUTER, lan_addr(l, LAN_ROUTER));
	to = put32(to, OPT_DNS, lan_addr(l, LAN_SELF));
	to = put(to, OPT_HOST, c->name, strlen(c->name));
	return put(to, OPT_DOMAIN, domain, sizeof(domain) - 1);
}

size_t dhcp_answer(const struct lan *l, const struct dhcp_client *c, const uint8_t *msg, size_t len,
		   uint8_t out[static DHCP_REPLY_MAX], uint32_t *to)
{
	struct request r;
	uint8_t kind, *at = out + OPTIONS;

	if (!parse(&r, c, msg, len))
		return 0;
	kind = decide(l, c, &r);
	if (!kind)
		return 0;
	memset(out, 0, DHCP_REPLY_MAX);
	out[OP] = BOOT_REPLY;
	out[HTYPE] = ETHERNET;
	out[HLEN] = 6;
	memcpy(out + XID, msg + XID, 4);
	memcpy(out + FLAGS, msg + FLAGS, 2);
	memcpy(out + CHADDR, c->mac, 6);
	memcpy(out + COOKIE, cookie, sizeof(cookie));
	at = put(at, OPT_KIND, &kind, 1);
	at = put32(at, OPT_SERVER, lan_addr(l, LAN_SELF));
	if (kind != NAK) {
		st_be32(out + CIADDR, r.kind == REQUEST || r.kind == INFORM ? r.ciaddr : 0);
		if (r.kind != INFORM) {
			st_be32(out + YIADDR, c->addr);
			at = put32(at, OPT_TIME, DHCP_LEASE_S);
		}
		at = put_settings(at, l, c);
	}
	*at++ = OPT_END;
	*to = kind == NAK || (!r.ciaddr && ld_be16(msg + FLAGS) & BROADCAST) ? 0xffffffff : c->addr;
	return at - out < REPLY_MIN ? REPLY_MIN : (size_t)(at - out);
}
