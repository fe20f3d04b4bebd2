/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's name server, 10.0.2.3 and fec0::3: what is sent there on port 53, UDP or TCP,
 * goes to the host's own resolver by rewriting addresses on the way in and out of libslirp.
 *
 * The way back needs to know whether an answer from the resolver belongs to a question that
 * was put to us or to one that the guest put to the resolver's address itself. One bit per
 * protocol and guest port remembers which of the two the guest did last.
 */
#ifndef NET_USER_DNS_H
#define NET_USER_DNS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

struct dns {
	uint32_t own4;			/* our address where it is another than GUARD_DNS; else 0 */
	bool have4, have6;
	struct sockaddr_in server4;	/* the resolver, if have4 */
	struct sockaddr_in6 server6;	/* likewise; no scope */
	const char *path;		/* read again when it changes; NULL: the servers stay */
	int64_t checked_s;		/* when it was looked at last, CLOCK_MONOTONIC */
	struct stat seen;
	uint8_t asked[4][65536 / 8];	/* UDP, TCP over IPv4, then over IPv6; by guest port */
};

/*
 * The resolvers of a resolv.conf: the first of each family. A file that is not there or names
 * none leaves 127.0.0.1, as resolv.conf(5) says. follow: look again when the file changes, as
 * long as the sandbox lets it be read; path lives as long as d then.
 */
void dns_from_file(struct dns *d, const char *path, bool follow);

/* ADDR or ADDR:PORT or [ADDR6]:PORT. -EINVAL with a sentence. */
int dns_from_option(struct dns *d, const char *text, struct err *err);

/*
 * A guest's frame that guard_input() let pass: sends questions for us to the resolver. False:
 * to be dropped, because there is no resolver of that family.
 */
bool dns_input(struct dns *d, uint8_t *frame, size_t len);

/* A frame for the guest: answers to such questions come from us again. */
void dns_output(const struct dns *d, uint8_t *frame, size_t len);

#endif
