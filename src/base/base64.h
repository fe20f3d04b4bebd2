/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 with padding (RFC 4648 §4). The decoder takes the one spelling of each byte string and
 * nothing else: no white space, no padding inside, no stray bits. Libraries at hand skip what
 * they do not know, which is no way to read what a guest sends.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Characters of len bytes, without a terminating zero; len is at most SIZE_MAX / 2. */
static inline size_t base64_chars(size_t len)
{
	return len / 3 * 4 + (len % 3 ? 4 : 0);
}

/* Bytes that chars characters decode to at most. */
static inline size_t base64_bytes(size_t chars)
{
	return chars / 4 * 3;
}

/* Writes base64_chars(len) characters and a terminating zero to text. */
void base64_encode(char *text, const void *data, size_t len);

/*
 * Decodes chars characters into data, which has room for base64_bytes(chars), and stores the
 * number of bytes at *len. -EINVAL where text is not base64; data's content is then undefined.
 */
int base64_decode(void *data, size_t *len, const char *text, size_t chars);

#endif
