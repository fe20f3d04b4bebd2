/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Direct I/O for requests that are not aligned as the host wants it: they go through an
 * aligned buffer, chunk by chunk. A write whose ends lie within a block ("ragged") reads the
 * blocks first, so no other write may touch these blocks meanwhile: writes are claimed
 * before they start, and one that would share a block with a ragged one waits.
 */
#include "block/raw_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "base/overflow.h"

enum { BOUNCE_BYTES = 256 * 1024, BOUNCE_ALIGN = 4096 };

static uint64_t first_block(const struct raw *r, const struct blk_req *req)
{
	return align_down(req->off, r->off_align);
}

/* The end of the last block; the disk's size is a multiple of blocks, so it does not wrap. */
static uint64_t end_block(const struct raw *r, const struct blk_req *req)
{
	return align_up(req->off + req->len, r->off_align);
}

static bool ragged(const struct raw *r, const struct blk_req *req)
{
	return (req->off | req->len) & (r->off_align - 1);
}

bool raw_direct_fits(const struct raw *r, const struct blk_req *req)
{
	if (ragged(r, req))
		return false;
	for (unsigned i = 0; req->op != BLK_WRITE_ZEROES && i < req->niov; i++) {
		if ((uintptr_t)req->iov[i].iov_base & (r->mem_align - 1) ||
		    req->iov[i].iov_len & (r->off_align - 1))
			return false;
	}
	return true;
}

/* ---- bounced requests ------------------------------------------------------------------ */

/* The chunk that holds the next byte to move. */
static uint64_t chunk_start(const struct raw *r, const struct blk_req *req)
{
	return align_down(req->off + req->moved, r->off_align);
}

static uint64_t chunk_end(const struct raw *r, const struct blk_req *req)
{
	uint64_t start = chunk_start(r, req), end = end_block(r, req);

	return end - start > BOUNCE_BYTES ? start + BOUNCE_BYTES : end;
}

/* How many of the chunk's bytes belong to the request. */
static uint64_t chunk_bytes(const struct raw *r, const struct blk_req *req)
{
	uint64_t end = chunk_end(r, req), want = req->off + req->len;

	return (end < want ? end : want) - (req->off + req->moved);
}

static void chunk_io(struct raw *r, struct blk_req *req, enum raw_step step)
{
	uint64_t start = chunk_start(r, req);

	req->part = (struct iovec){ req->bounce, chunk_end(r, req) - start };
	req->io.op = step == RAW_FILL ? LOOP_READV : LOOP_WRITEV;
	req->io.iov = &req->part;
	req->io.niov = 1;
	req->io.off = start;
	raw_io(r, req, step);
}

/* Copies the request's part of the chunk between the buffer and iov. */
static void chunk_copy(const struct raw *r, const struct blk_req *req)
{
	uint8_t *buf = (uint8_t *)req->bounce + (req->off + req->moved - chunk_start(r, req));
	uint64_t left = chunk_bytes(r, req);
	size_t skip = req->at_off;

	if (req->op == BLK_WRITE_ZEROES) {
		memset(buf, 0, left);
		return;
	}
	for (unsigned i = req->at; left; i++) {
		uint8_t *p = (uint8_t *)req->iov[i].iov_base + skip;
		size_t n = req->iov[i].iov_len - skip;

		if (n > left)
			n = left;
		if (req->op == BLK_READ)
			memcpy(p, buf, n);
		else
			memcpy(buf, p, n);
		buf += n;
		left -= n;
		skip = 0;
	}
}

static void chunk_begin(struct raw *r, struct blk_req *req)
{
	bool whole = chunk_bytes(r, req) == chunk_end(r, req) - chunk_start(r, req);

	if (req->op == BLK_READ || !whole) {
		chunk_io(r, req, RAW_FILL);
		return;
	}
	chunk_copy(r, req);
	chunk_io(r, req, RAW_STORE);
}

void raw_bounce_start(struct raw *r, struct blk_req *req)
{
	uint64_t span = end_block(r, req) - first_block(r, req);

	req->bounce = aligned_alloc(BOUNCE_ALIGN, span < BOUNCE_BYTES ? align_up(span, BOUNCE_ALIGN)
								      : BOUNCE_BYTES);
	if (!req->bounce)
		raw_finish_later(r, req, -ENOMEM);
	else
		chunk_begin(r, req);
}

void raw_bounce_done(struct raw *r, struct blk_req *req, uint64_t n)
{
	req->part.iov_base = (uint8_t *)req->part.iov_base + n;
	req->part.iov_len -= n;
	req->io.off += n;
	if (req->part.iov_len) {
		raw_io(r, req, req->step);
		return;
	}
	if (req->step == RAW_FILL) {
		chunk_copy(r, req);
		if (req->op != BLK_READ) {
			chunk_io(r, req, RAW_STORE);
			return;
		}
	}
	raw_advance(req, chunk_bytes(r, req));
	if (req->moved == req->len)
		raw_finish(r, req, 0);
	else
		chunk_begin(r, req);
}

/* ---- claims ---------------------------------------------------------------------------- */

static bool must_wait(const struct raw *r, const struct blk_req *req, const struct blk_req *other)
{
	uint64_t a = first_block(r, req), b = first_block(r, other);

	return (ragged(r, req) || ragged(r, other)) &&
	       ranges_overlap(a, end_block(r, req) - a, b, end_block(r, other) - b);
}

/* Whether req must wait for one in the list before end (NULL: any). */
static bool blocked_by(const struct raw *r, const struct blk_req *req, const struct blk_req *list,
		       const struct blk_req *end)
{
	for (; list && list != end; list = list->next) {
		if (must_wait(r, req, list))
			return true;
	}
	return false;
}

bool raw_claim(struct raw *r, struct blk_req *req)
{
	struct blk_req **link = &r->waiting;

	if (!blocked_by(r, req, r->writing, NULL) && !blocked_by(r, req, r->waiting, NULL)) {
		req->next = r->writing;
		r->writing = req;
		return true;
	}
	while (*link)
		link = &(*link)->next;
	req->next = NULL;
	*link = req;
	return false;
}

void raw_unclaim(struct raw *r, struct blk_req *req)
{
	struct blk_req **link = &r->writing;

	while (*link != req)
		link = &(*link)->next;
	*link = req->next;
}

static void restart_waiting(struct raw *r)
{
	struct blk_req **link = &r->waiting, *req;

	while ((req = *link)) {
		if (blocked_by(r, req, r->writing, NULL) || blocked_by(r, req, r->waiting, req)) {
			link = &req->next;
			continue;
		}
		*link = req->next;
		req->next = r->writing;
		r->writing = req;
		raw_start(r, req);
	}
}

void raw_restart(struct raw *r)
{
	/* One that ends as soon as it starts comes here again: the list is walked once more. */
	r->restart_again = true;
	if (r->restarting)
		return;
	r->restarting = true;
	while (r->restart_again) {
		r->restart_again = false;
		restart_waiting(r);
	}
	r->restarting = false;
}
