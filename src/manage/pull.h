/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Downloads whose SHA-256 is known before: over HTTP, HTTPS, or from a file: URL.
 *
 * The file grows while its digest is made. A connection that breaks is taken up again where it
 * broke (RFC 9110 §14.2, ranges), also by a later call on the same file; a server without ranges
 * sends all of it again. Redirects are followed, five of them, to HTTP and HTTPS only, and from
 * HTTPS only to HTTPS. A server that says nothing for a minute counts as broken.
 */
#ifndef MANAGE_PULL_H
#define MANAGE_PULL_H

#include <stdint.h>

#include "base/err.h"

struct pull {
	const char *url;
	const char *sha256;		/* lower-case hexadecimal */
	uint64_t size;			/* bytes there must be; 0: not known */
	uint64_t max;			/* bytes; more is refused */
	/* May be NULL. Hears of bytes there are and will be; the latter is 0 where nobody knows. */
	void (*progress)(void *opaque, uint64_t done, uint64_t all);
	void *opaque;
};

/*
 * Downloads into the file fd (read and write), which may have the beginning already. -EBADMSG:
 * digest or size are not those expected, and the file is empty again; -EPROTONOSUPPORT: another
 * protocol; after other errors the file has what came, and another call goes on. One thread at a
 * time in a process.
 */
int pull_file(const struct pull *p, int fd, struct err *err);

#endif
