/* SPDX-License-Identifier: Apache-2.0 */
/* What raw.c and raw_direct.c share. Nobody else includes this. */
#ifndef BLOCK_RAW_IMPL_H
#define BLOCK_RAW_IMPL_H

#include "base/bits.h"
#include "block/blk.h"

struct raw {
	struct blk blk;
	int fd;
	bool direct;
	uint32_t off_align;		/* direct: of offsets and lengths; else 1 */
	uint32_t mem_align;		/* direct: of buffers; else 1 */
	uint32_t range_align;		/* of fallocate() */
	bool no_punch, no_zero_range;	/* tried, and the file system cannot */
	bool flush_failed;		/* the page cache may have dropped what it held */
	void *zeroes;			/* RAW_ZEROES bytes of them, one shared page of memory */

	/* direct: writes under way, and those that wait for them in order; see raw_direct.c */
	struct blk_req *writing;
	struct blk_req *waiting;
	bool restarting, restart_again;
};

enum { RAW_ZEROES = 1 << 20 };

/* blk_req.step: what the I/O under way is. */
enum raw_step {
	RAW_MOVE,		/* between the disk and the caller's memory, or zeroes */
	RAW_RANGE,		/* fallocate() */
	RAW_FLUSH,
	RAW_FILL,		/* reads a chunk into the bounce buffer */
	RAW_STORE,		/* writes it back */
};

static inline bool raw_writes(const struct blk_req *req)
{
	return req->op != BLK_READ && req->op != BLK_FLUSH;
}

/* Starts what req.step, .io and .part describe. */
void raw_io(struct raw *r, struct blk_req *req, enum raw_step step);

/* Starts req from its beginning. Within blk_submit() or not. */
void raw_start(struct raw *r, struct blk_req *req);

/* Ends req; not within blk_submit(). */
void raw_finish(struct raw *r, struct blk_req *req, int res);

/* Ends req; anywhere. */
void raw_finish_later(struct raw *r, struct blk_req *req, int res);

/* n more bytes are done: moves the position in the range and in iov. */
void raw_advance(struct blk_req *req, uint64_t n);

/* ---- raw_direct.c ---------------------------------------------------------------------- */

/* True when O_DIRECT takes req as it is. */
bool raw_direct_fits(const struct raw *r, const struct blk_req *req);

/* Carries out a READ, WRITE or WRITE_ZEROES through a bounce buffer. */
void raw_bounce_start(struct raw *r, struct blk_req *req);

/* n > 0 bytes of the chunk have been read or written. */
void raw_bounce_done(struct raw *r, struct blk_req *req, uint64_t n);

/* True: the write may start. False: it was queued and starts when what it waits for is over. */
bool raw_claim(struct raw *r, struct blk_req *req);

/* A claimed write has ended; raw_restart() then starts those that waited for it. */
void raw_unclaim(struct raw *r, struct blk_req *req);
void raw_restart(struct raw *r);

#endif
