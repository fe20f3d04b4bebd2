/* SPDX-License-Identifier: Apache-2.0 */
/* Raw disks: regular files and block devices, through the loop's asynchronous file I/O. */
#ifndef BLOCK_RAW_H
#define BLOCK_RAW_H

#include "block/blk.h"

enum blk_raw_flags {
	BLK_RAW_READ_ONLY = 1,
	BLK_RAW_DIRECT = 2,	/* fd was opened with O_DIRECT: unaligned requests are bounced */
};

/*
 * A disk of the whole file behind fd, which it takes over (closed by blk_close(); on error
 * it stays the caller's). name is used in sentences. A file whose size is not a multiple
 * of 512 is an error, as are an empty one and other kinds of files. DISCARD punches holes,
 * FLUSH is fdatasync.
 */
int blk_raw_open(struct blk **out, struct loop *loop, int fd, unsigned flags, const char *name,
		 struct err *err);

#endif
