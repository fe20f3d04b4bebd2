/* SPDX-License-Identifier: Apache-2.0 */
#include "net/user/reasm.h"

#include <string.h>

#include "net/offload.h"

enum { MF = 0x2000, OFFSET = 0x1fff, IP_MAX = 65535 };

static void make_key(uint8_t key[static 11], const uint8_t *ip)
{
	memcpy(key, ip + 4, 2);
	key[2] = ip[9];
	memcpy(key + 3, ip + 12, 8);
}

/* The whole packet's header takes the place of the first fragment's. */
static void finish_header(struct reasm_slot *s)
{
	uint8_t *ip = s->frame + NET_ETH_BYTES;

	st_be16(ip + 2, (uint16_t)(s->len - NET_ETH_BYTES));
	st_be16(ip + 6, 0);
	st_be16(ip + 10, 0);
	st_be16(ip + 10, (uint16_t)~net_csum(ip, s->l4 - NET_ETH_BYTES, 0));
}

static struct reasm_slot *find(struct reasm *r, const uint8_t key[static 11])
{
	for (unsigned i = 0; i < REASM_SLOTS; i++)
		if (r->slots[i].len && !memcmp(r->slots[i].key, key, 11))
			return &r->slots[i];
	return NULL;
}

uint8_t *reasm_input(struct reasm *r, uint8_t *frame, size_t *len)
{
	const uint8_t *ip = frame + NET_ETH_BYTES;
	struct reasm_slot *s;
	struct net_pkt p;
	size_t offset, size;
	uint8_t key[11];
	unsigned field;

	if (!net_pkt_parse(&p, frame, *len) || !p.fragment || p.ipv6 || p.l3 != NET_ETH_BYTES)
		return frame;
	field = ld_be16(ip + 6);
	offset = (field & OFFSET) * (size_t)8;
	size = p.end - p.l4;
	make_key(key, ip);
	s = find(r, key);
	if (!offset) {
		if (!s) {
			s = &r->slots[r->next];
			r->next = (r->next + 1) % REASM_SLOTS;
		}
		memcpy(s->key, key, sizeof(key));
		memcpy(s->frame, frame, p.l4);
		s->l4 = s->len = p.l4;
	}
	if (!s)
		return NULL;
	if (offset != s->len - s->l4 || !size || s->len + size > NET_ETH_BYTES + IP_MAX) {
		s->len = 0;
		return NULL;
	}
	memcpy(s->frame + s->len, frame + p.l4, size);
	s->len += size;
	if (field & MF)
		return NULL;
	finish_header(s);
	*len = s->len;
	s->len = 0;
	return s->frame;
}
