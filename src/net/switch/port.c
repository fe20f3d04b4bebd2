/* SPDX-License-Identifier: Apache-2.0 */
#include "net/switch/port.h"

#include <errno.h>
#include <string.h>

#include "net/user_wire.h"

static const uint8_t plain[NET_HDR_BYTES];

/* A large TCP segment: its header is made anew from what the frame says. */
static bool take_large(struct frame *f)
{
	const struct net_pkt *p = &f->split.pkt;

	if (!(f->h.flags & NET_HDR_NEEDS_CSUM) || f->h.gso_size > PORT_MTU ||
	    net_split_begin(&f->split, &f->h, f->data, f->len))
		return false;
	if (p->payload + f->h.gso_size > NET_ETH_BYTES + PORT_MTU)
		return false;
	f->h.flags = NET_HDR_NEEDS_CSUM;
	f->h.hdr_len = (uint16_t)p->payload;
	f->h.csum_start = (uint16_t)p->l4;
	f->h.csum_offset = 16;
	return true;
}

bool frame_take(struct frame *f, uint8_t *msg, size_t len)
{
	if (len < WIRE_MIN || len > WIRE_MAX)
		return false;
	net_hdr_get(&f->h, msg);
	f->data = msg + NET_HDR_BYTES;
	f->len = len - NET_HDR_BYTES;
	if (f->h.flags & ~(NET_HDR_NEEDS_CSUM | NET_HDR_DATA_VALID))
		return false;
	if (f->h.gso_type != NET_GSO_NONE)
		return take_large(f);
	if (f->len > NET_ETH_BYTES + PORT_MTU)
		return false;
	if (!(f->h.flags & NET_HDR_NEEDS_CSUM)) {
		/* Whether a checksum is right, the one who gets the frame sees for itself. */
		f->h = (struct net_hdr){ 0 };
		return true;
	}
	f->h.flags = NET_HDR_NEEDS_CSUM;
	f->h.hdr_len = f->h.gso_size = 0;
	return f->h.csum_start >= NET_ETH_BYTES &&
	       (size_t)f->h.csum_start + f->h.csum_offset + 2 <= f->len;
}

static void queue_pieces(struct port *p, struct net_split s)
{
	size_t room = NET_ETH_BYTES + PORT_MTU, len;
	uint8_t *msg;

	while ((msg = outq_reserve(&p->out, NET_HDR_BYTES + room)) &&
	       (len = net_split_next(&s, msg + NET_HDR_BYTES, room))) {
		memcpy(msg, plain, NET_HDR_BYTES);
		outq_commit(&p->out, NET_HDR_BYTES + len);
	}
}

void port_queue(struct port *p, const struct frame *f)
{
	unsigned need = f->split.pkt.ipv6 ? NET_CSUM | NET_TSO6 : NET_CSUM | NET_TSO4;
	uint64_t lost = p->out.lost;
	uint8_t *msg;

	/* Congestion marks (ECN) are for pieces only: no card here has that offload. */
	if (f->h.gso_type != NET_GSO_NONE &&
	    ((p->offloads & need) != need || f->h.gso_type & NET_GSO_ECN)) {
		queue_pieces(p, f->split);
	} else {
		msg = outq_reserve(&p->out, NET_HDR_BYTES + f->len);
		if (msg) {
			net_hdr_put(&f->h, msg);
			memcpy(msg + NET_HDR_BYTES, f->data, f->len);
			if (f->h.flags && !(p->offloads & NET_CSUM) &&
			    !net_csum_finish(&f->h, msg + NET_HDR_BYTES, f->len))
				memcpy(msg, plain, NET_HDR_BYTES);
			outq_commit(&p->out, NET_HDR_BYTES + f->len);
		}
	}
	if (p->out.lost != lost)
		log_limited(&p->log, "'%s' does not take its frames: some are lost", p->name);
}

void port_flush(struct port *p)
{
	int rc = outq_flush(&p->out, p->watch.fd);

	/* Another error is the end of the connection, of which the loop tells. */
	p->blocked = rc == -EAGAIN;
}
