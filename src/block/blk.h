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
	BLK_DISCARD,		/* the range's content is of no interest; reads anything afterwards */
	BLK_WRITE_ZEROES,	/* reads as zeroes afterwards */
};

enum blk_req_flags {
	BLK_UNMAP = 1,		/* WRITE_ZEROES may free the space */
};

/* One request; the caller's, alive until done. Bytes; any alignment within the disk's size. */
struct blk_req {
	enum blk_op op;
	unsigned flags;
	uint64_t off, len;		/* READ and WRITE: len is the sum of iov */
	const struct iovec *iov;	/* the caller's, alive until done */
	unsigned niov;
	void (*done)(struct blk_req *req, int res);	/* 0 or -errno, all or nothing reported */
	struct blk_req *next;		/* the driver's from here on */
	struct loop_io io;
	struct iovec *rest;		/* iovec of what a short transfer left, or a bounce buffer's */
	void *bounce;
	uint64_t moved;
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
};

/*
 * Checks req against the disk (range, read-only) and hands it to the layer; what fails the
 * check completes with -EINVAL, -EROFS or -ENOSPC (write past the end).
 */
void blk_submit(struct blk *b, struct blk_req *req);

/* For layers: completes req on the loop's thread, outside of blk_submit(). */
void blk_complete(struct blk *b, struct blk_req *req, int res);

/* Closes the stack. Nothing is in flight; NULL is fine. */
void blk_close(struct blk *b);

#endif
