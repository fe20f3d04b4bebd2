/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4) of data that comes in pieces. One thread uses an object. */
#ifndef MANAGE_DIGEST_H
#define MANAGE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { DIGEST_HEX = 64 };

struct digest {
	void *ctx;
};

/* Begins; the caller ends it with digest_fini(), which accepts a zeroed object. */
int digest_init(struct digest *d, struct err *err);
void digest_fini(struct digest *d);

/* -EIO: the library failed. */
int digest_add(struct digest *d, const void *data, size_t len);

/* The digest of all that was added, as lower-case hexadecimal digits; nothing can be added after
 * it. */
int digest_end(struct digest *d, char hex[DIGEST_HEX + 1]);

/* Copies a digest given by a person ("sha256:" before it and upper case are fine) into hex; false:
 * it is none. */
bool digest_parse(const char *text, char hex[DIGEST_HEX + 1]);

#endif
