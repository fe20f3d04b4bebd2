/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the guest's IPv4 fragments together before libslirp, whose own reassembly (4.7) a
 * hostile guest can crash. Fragments of one packet count only in order, as every system sends
 * them and as one cable keeps them; a packet with anything out of order is lost.
 */
#ifndef NET_USER_REASM_H
#define NET_USER_REASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/net.h"

enum { REASM_SLOTS = 4 };

struct reasm {
	struct reasm_slot {
		size_t len;		/* of the frame so far; 0: unused */
		size_t l4;		/* where the payload begins */
		uint8_t key[11];	/* identification, protocol, both addresses */
		uint8_t frame[NET_MAX_FRAME];
	} slots[REASM_SLOTS];
	unsigned next;			/* the slot that a new packet takes */
};

/*
 * frame is passed on as it is unless it is a fragment. The last fragment of a packet gives
 * back the whole (valid until the next call); NULL: kept, or dropped.
 */
uint8_t *reasm_input(struct reasm *r, uint8_t *frame, size_t *len);

#endif
