/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record never wraps: one that does not fit before the ring's end is preceded by a skip
 * (length SKIP) that covers the rest. head == tail means empty or full; used tells which.
 */
#include "net/user/outq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bits.h"

enum { ALIGN = 8, BATCH = 64 };
#define SKIP SIZE_MAX

static size_t record_bytes(size_t len)
{
	return sizeof(size_t) + align_up(len, ALIGN);
}

int outq_init(struct outq *q, size_t size)
{
	*q = (struct outq){ .buf = malloc(size), .size = size };
	return q->buf ? 0 : -ENOMEM;
}

void outq_fini(struct outq *q)
{
	free(q->buf);
	*q = (struct outq){ 0 };
}

static void put_length(struct outq *q, size_t at, size_t len)
{
	memcpy(q->buf + at, &len, sizeof(len));
}

static size_t get_length(const struct outq *q, size_t at)
{
	size_t len;

	memcpy(&len, q->buf + at, sizeof(len));
	return len;
}

uint8_t *outq_reserve(struct outq *q, size_t len)
{
	size_t need = record_bytes(len), to_end = q->size - q->tail;
	size_t skip = need > to_end ? to_end : 0;

	if (q->used + skip + need > q->size) {
		q->lost++;
		return NULL;
	}
	if (skip) {
		put_length(q, q->tail, SKIP);
		q->used += skip;
		q->tail = 0;
	}
	return q->buf + q->tail + sizeof(size_t);
}

void outq_commit(struct outq *q, size_t len)
{
	size_t size = record_bytes(len);

	put_length(q, q->tail, len);
	q->used += size;
	q->tail = (q->tail + size) % q->size;
}

/* Steps over a skip at head; returns whether there is a record. */
static bool at_record(struct outq *q, size_t *head, size_t *used)
{
	if (*used && get_length(q, *head) == SKIP) {
		*used -= q->size - *head;
		*head = 0;
	}
	return *used;
}

/* Takes the first n records off. */
static void drop(struct outq *q, unsigned n)
{
	while (n-- && at_record(q, &q->head, &q->used)) {
		size_t size = record_bytes(get_length(q, q->head));

		q->used -= size;
		q->head = (q->head + size) % q->size;
	}
}

int outq_flush(struct outq *q, int fd)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];

	while (q->used) {
		size_t head = q->head, used = q->used;
		unsigned n = 0;
		int sent;

		for (; n < BATCH && at_record(q, &head, &used); n++) {
			size_t len = get_length(q, head), size = record_bytes(len);

			iov[n] = (struct iovec){ q->buf + head + sizeof(size_t), len };
			msgs[n] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[n],
								 .msg_iovlen = 1 } };
			used -= size;
			head = (head + size) % q->size;
		}
		if (!n) {
			q->head = q->tail;
			q->used = 0;
			break;
		}
		sent = sendmmsg(fd, msgs, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == ENOBUFS ? -EAGAIN : -errno;
		drop(q, (unsigned)sent);
	}
	return 0;
}
