/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks with no VM in sight: asynchronous requests with a completion, stackable.
 *
 * A struct blk belongs to one loop; everything here is called on that loop's thread, or
 * before it runs. blk_submit() never completes a request within the call. Requests to
 * overlapping ranges may be carried out in any order: who cares waits for the first. A
 * completed flush makes every write completed before it was submitted durable.
 */
#ifndef BLOCK_BLK_H
#define BLOCK_BLK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/loop.h"

struct blk;

enum blk_op {
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,
	BLK_DISCARD,		/* the range's content is not needed; reads anything then */
	BLK_WRITE_ZEROES,	/* reads as zeroes afterwards */
};

enum blk_req_flags {
	BLK_UNMAP = 1,		/* WRITE_ZEROES may free the space */
};

/*
 * One request; the caller's, who zeroes it first; alive until done. Bytes; any alignment within
 * the disk's size.
 */
struct blk_req {
	enum blk_op op;
	unsigned flags;
	uint64_t off, len;		/* READ and WRITE: len is the sum of iov */
	const struct iovec *iov;	/* the caller's, alive until done */
	unsigned niov;
	void (*done)(struct blk_req *req, int res);	/* 0 or -errno, all or nothing reported */
	/* the driver's from here on */
	struct blk *blk;
	struct blk_req *next;
	struct loop_io io;
	uint64_t moved;			/* bytes done so far */
	unsigned at;			/* where that is: in iov[at], at_off bytes from its start */
	size_t at_off;
	struct iovec part;		/* what is moved now, when not iov[at..] as it stands */
	unsigned tries;			/* in a row without progress */
	void *bounce;			/* aligned copy of part of the range, for direct I/O */
	unsigned step;			/* of the driver's procedure */
};

struct blk_info {
	uint64_t size;			/* bytes */
	uint32_t block_size;		/* preferred alignment of requests: 512 or 4096 */
	uint32_t discard_granularity;	/* bytes; 0: discard does nothing useful */
	bool read_only;
};

/* A layer: what a format or protocol implements. */
struct blk_ops {
	const char *name;		/* "raw" */
	void (*submit)(struct blk *b, struct blk_req *req);
	void (*close)(struct blk *b);	/* nothing is in flight; frees b */
};

struct blk {
	const struct blk_ops *ops;
	struct loop *loop;
	struct blk_info info;
	unsigned in_flight;
	struct blk_req *later, **later_end;	/* completed within blk_submit(); for task */
	struct loop_task task;
};

/* For layers: sets up what is common; info is filled in by then. */
void blk_init(struct blk *b, const struct blk_ops *ops, struct loop *loop);

/*
 * Checks req against the disk (range, read-only) and hands it to the layer; what fails the
 * check completes with -EINVAL, -EROFS or -ENOSPC (write past the end). What the guest's
 * disk runs out of space for completes with -ENOSPC, -EDQUOT or -EFBIG.
 */
void blk_submit(struct blk *b, struct blk_req *req);

/* For layers: completes req on the loop's thread, outside of blk_submit(). req may be gone then. */
void blk_complete(struct blk *b, struct blk_req *req, int res);

/* For layers: completes req in the loop's next turn; for use within blk_submit(). */
void blk_complete_later(struct blk *b, struct blk_req *req, int res);

/* Closes the stack. Nothing is in flight; NULL is fine. */
void blk_close(struct blk *b);

#endif
