/* SPDX-License-Identifier: Apache-2.0 */
#include "net/switch/names.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "net/offload.h"

enum { HEADER = 12, NAME_BYTES = 255, LABEL_MAX = 63, OWN_NAME_MAX = 64 };
enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_ANY = 255, CLASS_IN = 1, CLASS_ANY = 255 };
enum { OK = 0, FORMAT_ERROR = 1, NO_SUCH_NAME = 3, NOT_IMPLEMENTED = 4, REFUSED = 5 };

/* Bits of the header's second word (RFC 1035 §4.1.1). */
enum { QR = 0x8000, OPCODE = 0x7800, AA = 0x0400, RD = 0x0100, RA = 0x0080 };

struct question {
	char name[NAME_BYTES + 1];	/* with dots, none at the end */
	uint16_t type, class;
	size_t end;			/* where it ends in the message */
};

/* Labels are copied byte by byte; one with a dot or zero in it is no name of ours or anyone's. */
static bool parse_name(struct question *q, const uint8_t *msg, size_t len)
{
	size_t at = HEADER, n = 0;

	while (at < len && msg[at]) {
		size_t label = msg[at];

		if (label > LABEL_MAX || label > len - at - 1 || n + label + 1 > NAME_BYTES)
			return false;
		if (memchr(msg + at + 1, '.', label) || memchr(msg + at + 1, 0, label))
			return false;
		if (n)
			q->name[n++] = '.';
		memcpy(q->name + n, msg + at + 1, label);
		n += label;
		at += label + 1;
	}
	q->name[n] = '\0';
	if (at >= len || len - at - 1 < 4)
		return false;
	q->type = ld_be16(msg + at + 1);
	q->class = ld_be16(msg + at + 3);
	q->end = at + 5;
	return true;
}

/* Cuts suffix (with its dot) off the end of name; false when it has another. */
static bool strip(char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);

	if (n <= k || strcasecmp(name + n - k, suffix))
		return false;
	name[n - k] = '\0';
	return true;
}

/* "d.c.b.a" to an address. */
static bool parse_reverse(const char *text, uint32_t *addr)
{
	unsigned v[4];
	int used = 0;

	if (strspn(text, "0123456789.") != strlen(text) || strlen(text) > 15 ||
	    sscanf(text, "%3u.%3u.%3u.%3u%n", &v[3], &v[2], &v[1], &v[0], &used) != 4 ||
	    text[used] || v[0] > 255 || v[1] > 255 || v[2] > 255 || v[3] > 255)
		return false;
	*addr = v[0] << 24 | v[1] << 16 | v[2] << 8 | v[3];
	return true;
}

/* An answer's fixed part: the question's name, type, class, time to live, and size of its data. */
static uint8_t *put_record(uint8_t *to, uint16_t type, size_t size)
{
	st_be16(to, 0xc000 | HEADER);
	st_be16(to + 2, type);
	st_be16(to + 4, CLASS_IN);
	st_be32(to + 6, NAMES_TTL_S);
	st_be16(to + 10, (uint16_t)size);
	return to + 12;
}

/* NAME.internal as labels; NAME may have dots in it. */
static size_t put_name(uint8_t *to, const char *name)
{
	char text[OWN_NAME_MAX + sizeof(".internal")];
	size_t n = 0;

	snprintf(text, sizeof(text), "%.*s.internal", OWN_NAME_MAX, name);
	for (const char *from = text, *dot; *from; from = *dot ? dot + 1 : dot) {
		dot = strchrnul(from, '.');
		if (dot == from)
			continue;
		to[n++] = (uint8_t)(dot - from);
		memcpy(to + n, from, (size_t)(dot - from));
		n += (size_t)(dot - from);
	}
	to[n++] = 0;
	return n;
}

/* ---- answers: how many are put, *code says the rest; NAMES_OUTSIDE ------------------------- */

static int answer_reverse(const struct names *n, const struct question *q, const char *text,
			  uint8_t **to, int *code)
{
	uint8_t data[OWN_NAME_MAX + 16];
	const char *name;
	uint32_t addr;
	size_t size;

	if (!parse_reverse(text, &addr) || addr >> 8 != n->net >> 8)
		return NAMES_OUTSIDE;
	name = n->name(n->opaque, addr);
	if (!name) {
		*code = NO_SUCH_NAME;
		return 0;
	}
	if (q->type != TYPE_PTR && q->type != TYPE_ANY)
		return 0;
	size = put_name(data, name);
	*to = put_record(*to, TYPE_PTR, size);
	memcpy(*to, data, size);
	*to += size;
	return 1;
}

static int answer_forward(const struct names *n, const struct question *q, char *name, uint8_t **to,
			  int *code)
{
	bool ours = strip(name, ".internal") || !strchr(name, '.');
	uint32_t addr[NAMES_ANSWERS];
	unsigned count = *name ? n->addresses(n->opaque, name, addr) : 0;

	if (!count && (!ours || !*name))
		return NAMES_OUTSIDE;
	if (!count)
		*code = NO_SUCH_NAME;
	if (q->type != TYPE_A && q->type != TYPE_ANY)
		return 0;
	for (unsigned i = 0; i < count; i++) {
		*to = put_record(*to, TYPE_A, 4);
		st_be32(*to, addr[i]);
		*to += 4;
	}
	return (int)count;
}

static int answer(const struct names *n, struct question *q, uint8_t **to, int *code)
{
	int count;

	if (q->class != CLASS_IN && q->class != CLASS_ANY)
		count = NAMES_OUTSIDE;
	else if (strip(q->name, ".in-addr.arpa"))
		count = answer_reverse(n, q, q->name, to, code);
	else
		count = answer_forward(n, q, q->name, to, code);
	if (count != NAMES_OUTSIDE || n->outside)
		return count;
	*code = REFUSED;
	return 0;
}

int names_answer(const struct names *n, const uint8_t *msg, size_t len,
		 uint8_t out[static NAMES_REPLY_MAX])
{
	uint8_t *to = out + HEADER;
	int count = 0, code = OK;
	struct question q = { .end = HEADER };
	uint16_t flags;

	if (len < HEADER || ld_be16(msg + 2) & QR)
		return 0;
	flags = ld_be16(msg + 2);
	memset(out, 0, HEADER);
	if (flags & OPCODE) {
		code = NOT_IMPLEMENTED;
	} else if (ld_be16(msg + 4) != 1 || !parse_name(&q, msg, len)) {
		code = FORMAT_ERROR;
	} else {
		memcpy(to, msg + HEADER, q.end - HEADER);
		to += q.end - HEADER;
		st_be16(out + 4, 1);
		count = answer(n, &q, &to, &code);
		if (count == NAMES_OUTSIDE)
			return count;
	}
	memcpy(out, msg, 2);
	st_be16(out + 2, (uint16_t)(QR | AA | RA | (flags & (OPCODE | RD)) | code));
	st_be16(out + 6, (uint16_t)count);
	return (int)(to - out);
}
