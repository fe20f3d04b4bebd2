/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <errno.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(char *text, const void *data, size_t len)
{
	const uint8_t *from = data;

	for (; len; from += 3) {
		const size_t n = len < 3 ? len : 3;
		const uint32_t bits = (uint32_t)from[0] << 16 |
				      (n > 1 ? (uint32_t)from[1] << 8 : 0) | (n > 2 ? from[2] : 0);

		*text++ = alphabet[bits >> 18];
		*text++ = alphabet[bits >> 12 & 63];
		*text++ = n > 1 ? alphabet[bits >> 6 & 63] : '=';
		*text++ = n > 2 ? alphabet[bits & 63] : '=';
		len -= n;
	}
	*text = 0;
}

/* 0 to 63, or -1. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(void *data, size_t *len, const char *text, size_t chars)
{
	uint8_t *to = data;
	size_t pad = 0;

	if (chars % 4)
		return -EINVAL;
	while (pad < 2 && pad < chars && text[chars - 1 - pad] == '=')
		pad++;
	for (size_t at = 0; at < chars; at += 4) {
		const size_t n = 3 - (at + 4 == chars ? pad : 0);	/* bytes in this group */
		uint32_t bits = 0;

		for (size_t i = 0; i < 4; i++) {
			const int v = i <= n ? value_of(text[at + i]) : 0;

			if (v < 0)
				return -EINVAL;
			bits = bits << 6 | (uint32_t)v;
		}
		if (bits & ((1u << 8 * (3 - n)) - 1))
			return -EINVAL;	/* bits that no byte has */
		for (size_t i = 0; i < n; i++)
			*to++ = (uint8_t)(bits >> (16 - 8 * i));
	}
	*len = (size_t)(to - (uint8_t *)data);
	return 0;
}
