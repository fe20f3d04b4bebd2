/* SPDX-License-Identifier: Apache-2.0 */
#include "net/switch/lan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

int lan_parse(uint32_t *net, const char *text, struct err *err)
{
	const char *slash = strchr(text, '/');
	char buf[INET_ADDRSTRLEN];
	struct in_addr a;
	uint32_t n;

	if (!slash || (size_t)(slash - text) >= sizeof(buf) || strcmp(slash, "/24"))
		goto bad;
	memcpy(buf, text, (size_t)(slash - text));
	buf[slash - text] = '\0';
	if (inet_pton(AF_INET, buf, &a) != 1)
		goto bad;
	n = ntohl(a.s_addr);
	if (n & 0xff || (n >> 24 != 10 && n >> 20 != 0xac1 && n >> 16 != 0xc0a8))
		goto bad;
	*net = n;
	return 0;
bad:
	return err_set(err, -EINVAL, "subnet \"%.40s\": give a private one of 256 addresses, like "
		       "10.88.1.0/24 or 192.168.7.0/24", text);
}

static bool is_nobody(const uint8_t mac[static 6])
{
	static const uint8_t zero[6];

	return !memcmp(mac, zero, 6);
}

static void parse_record(uint8_t mac[static 6], const char *record)
{
	unsigned v[6];
	int used = 0;
	char text[LAN_RECORD_BYTES];

	memcpy(text, record, LAN_RECORD_BYTES - 1);
	text[LAN_RECORD_BYTES - 1] = '\0';
	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
		   &used) != 6 || used != LAN_RECORD_BYTES - 1 || v[0] & 1)
		return;
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)v[i];
}

void lan_init(struct lan *l, uint32_t net, bool nat, int file)
{
	char table[LAN_HOSTS * LAN_RECORD_BYTES];
	ssize_t got = file < 0 ? 0 : pread(file, table, sizeof(table), 0);

	*l = (struct lan){ .net = net, .nat = nat, .file = file };
	for (unsigned i = LAN_FIRST; i <= LAN_LAST; i++)
		if (got >= (ssize_t)(i + 1) * LAN_RECORD_BYTES)
			parse_record(l->mac[i], table + i * LAN_RECORD_BYTES);
}

/* A table that cannot be written is as good as none: addresses may change with the next start. */
static void save(const struct lan *l, unsigned host)
{
	static const char blank[] = "                 \n";
	char text[LAN_RECORD_BYTES + 1];
	const uint8_t *m = l->mac[host];

	if (l->file < 0)
		return;
	for (off_t at = lseek(l->file, 0, SEEK_END) / LAN_RECORD_BYTES; at < (off_t)host; at++)
		if (pwrite(l->file, blank, LAN_RECORD_BYTES, at * LAN_RECORD_BYTES) < 0)
			break;
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x\n", m[0], m[1], m[2], m[3],
		 m[4], m[5]);
	if (pwrite(l->file, text, LAN_RECORD_BYTES, (off_t)host * LAN_RECORD_BYTES) < 0)
		log_warn("the table of addresses cannot be written (error %d)", errno);
}

/* FNV-1a: where the search begins, so that even without a table addresses seldom change. */
static unsigned first_choice(const uint8_t mac[static 6])
{
	uint32_t sum = 2166136261u;

	for (unsigned i = 0; i < 6; i++)
		sum = (sum ^ mac[i]) * 16777619u;
	return sum % (LAN_LAST - LAN_FIRST + 1);
}

int lan_assign(struct lan *l, const uint8_t mac[static 6], const bool taken[static LAN_HOSTS])
{
	enum { COUNT = LAN_LAST - LAN_FIRST + 1 };
	unsigned first = first_choice(mac);

	for (unsigned i = LAN_FIRST; i <= LAN_LAST; i++)
		if (!memcmp(l->mac[i], mac, 6))
			return (int)i;
	/* Nobody's first, then one whose owner is away. */
	for (unsigned k = 0; k < 2 * COUNT; k++) {
		unsigned host = LAN_FIRST + (first + k) % COUNT;

		if (taken[host] || (k < COUNT && !is_nobody(l->mac[host])))
			continue;
		memcpy(l->mac[host], mac, 6);
		save(l, host);
		return (int)host;
	}
	return -1;
}
