/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name server of a private network (RFC 1035): the names of the VMs on it, with and without
 * ".internal" behind, and back from their addresses. What is asked about the world outside
 * belongs to the resolver behind the router, if there is one. UDP only: no answer is so long that
 * it would have to be cut. Any thread; allocates nothing.
 */
#ifndef NET_SWITCH_NAMES_H
#define NET_SWITCH_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NAMES_TTL_S = 5,
	NAMES_ANSWERS = 8,		/* addresses of one name: VMs with several cards */
	NAMES_QUESTION_MAX = 12 + 257 + 4,
	NAMES_REPLY_MAX = NAMES_QUESTION_MAX + NAMES_ANSWERS * 16 + 12 + 80,
	NAMES_OUTSIDE = -1,
};

/* Where names come from. */
struct names {
	/* The addresses (host order) of a name in any case: how many, at most NAMES_ANSWERS. */
	unsigned (*addresses)(void *opaque, const char *name, uint32_t *addr);
	/* The name of addr, which lies in net; NULL: nobody has it. */
	const char *(*name)(void *opaque, uint32_t addr);
	void *opaque;
	uint32_t net;			/* /24, host order */
	bool outside;			/* there is a resolver for other names */
};

/*
 * The answer to a question of len bytes (UDP's payload) into out: its length; 0: there is none
 * to such a message; NAMES_OUTSIDE: it is the resolver's to answer.
 */
int names_answer(const struct names *n, const uint8_t *msg, size_t len,
		 uint8_t out[static NAMES_REPLY_MAX]);

#endif
