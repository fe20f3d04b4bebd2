/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks between files: plain or zstd-compressed (RFC 8878), their digests taken on the way, blocks
 * of zeros left out as holes of what is written.
 */
#ifndef MANAGE_TRANSFER_H
#define MANAGE_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "manage/digest.h"

struct transfer {
	int from, to;			/* the caller's; read and written from their beginning */
	const char *from_name, *to_name;	/* for sentences */
	bool decompress;		/* from is zstd */
	bool compress;			/* to becomes zstd */
	bool discard;			/* nothing is written: only digests are made */
	uint64_t max;			/* bytes: more than that is refused */
	/* May be NULL. Hears of bytes read and to be read. */
	void (*progress)(void *opaque, uint64_t done, uint64_t all);
	void *opaque;
	/* results */
	uint64_t size;			/* of the disk, uncompressed */
	char disk_digest[DIGEST_HEX + 1];	/* of the disk, uncompressed */
	char file_digest[DIGEST_HEX + 1];	/* of what was written */
};

/*
 * Carries t out, on the calling thread. -EFBIG: it is larger than max; -EBADMSG: the compressed
 * data is damaged or cut off. What was written so far stays: the caller discards it.
 */
int transfer_run(struct transfer *t, struct err *err);

/* True for names of compressed files: they end in ".zst". */
bool transfer_is_compressed(const char *name);

#endif
