/* SPDX-License-Identifier: Apache-2.0 */
#include "net/switch/wire.h"

#include <string.h>

static const uint8_t magic[4] = { 'H', 'S', 'W', '1' };

static bool name_ok(const char *name, size_t len)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (len < 1 || len > HELLO_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!name[i] || !strchr(allowed, name[i]))
			return false;
	return true;
}

static bool mac_ok(const uint8_t mac[static 6])
{
	static const uint8_t zero[6];

	return !(mac[0] & 1) && memcmp(mac, zero, 6);
}

bool hello_parse(struct hello *h, const uint8_t *msg, size_t len)
{
	size_t n = len - HELLO_NAME_AT;

	if (len <= HELLO_NAME_AT || len > HELLO_MAX || memcmp(msg, magic, sizeof(magic)))
		return false;
	if (!mac_ok(msg + 4) || !name_ok((const char *)msg + HELLO_NAME_AT, n))
		return false;
	memcpy(h->mac, msg + 4, 6);
	memcpy(h->name, msg + HELLO_NAME_AT, n);
	h->name[n] = '\0';
	return true;
}

size_t hello_make(uint8_t msg[static HELLO_MAX], const uint8_t mac[static 6], const char *name)
{
	size_t n = strlen(name);

	if (!name_ok(name, n) || !mac_ok(mac))
		return 0;
	memcpy(msg, magic, sizeof(magic));
	memcpy(msg + 4, mac, 6);
	memcpy(msg + HELLO_NAME_AT, name, n);
	return HELLO_NAME_AT + n;
}
