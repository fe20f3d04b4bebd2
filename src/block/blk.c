/* SPDX-License-Identifier: Apache-2.0 */
#include "block/blk.h"

#include <assert.h>
#include <errno.h>

#include "base/bits.h"
#include "base/overflow.h"

static void tell_later(struct loop_task *task);

void blk_init(struct blk *b, const struct blk_ops *ops, struct loop *loop)
{
	b->ops = ops;
	b->loop = loop;
	b->in_flight = 0;
	b->later = NULL;
	b->later_end = &b->later;
	b->task = (struct loop_task){ .fn = tell_later };
}

/* True when iov adds up to len: the layers trust it. */
static bool iov_is_len(const struct blk_req *req)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < req->niov; i++) {
		if (!checked_add(sum, req->iov[i].iov_len, &sum))
			return false;
	}
	return sum == req->len;
}

static int check(const struct blk *b, const struct blk_req *req)
{
	bool writes = req->op != BLK_READ && req->op != BLK_FLUSH;

	if (req->op == BLK_FLUSH)
		return 0;
	if (writes && b->info.read_only)
		return -EROFS;
	if (!range_within(req->off, req->len, b->info.size))
		return writes && req->op != BLK_DISCARD ? -ENOSPC : -EINVAL;
	if ((req->op == BLK_READ || req->op == BLK_WRITE) && !iov_is_len(req))
		return -EINVAL;
	return 0;
}

void blk_submit(struct blk *b, struct blk_req *req)
{
	int rc = check(b, req);

	b->in_flight++;
	req->blk = b;
	if (rc || (!req->len && req->op != BLK_FLUSH))
		blk_complete_later(b, req, rc);
	else
		b->ops->submit(b, req);
}

void blk_complete(struct blk *b, struct blk_req *req, int res)
{
	b->in_flight--;
	req->done(req, res);
}

void blk_complete_later(struct blk *b, struct blk_req *req, int res)
{
	req->io.res = res;
	req->next = NULL;
	*b->later_end = req;
	b->later_end = &req->next;
	loop_post(b->loop, &b->task);
}

static void tell_later(struct loop_task *task)
{
	struct blk *b = container_of(task, struct blk, task);
	struct blk_req *req = b->later;

	b->later = NULL;
	b->later_end = &b->later;
	while (req) {
		struct blk_req *next = req->next;

		blk_complete(b, req, req->io.res);
		req = next;
	}
}

void blk_close(struct blk *b)
{
	if (!b)
		return;
	assert(!b->in_flight);
	loop_task_cancel(b->loop, &b->task);
	b->ops->close(b);
}
