/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gzip member (RFC 1952) inside a file, read as a stream. The caller bounds how much it
 * takes; memory use is fixed.
 */
#ifndef MACHINE_LOAD_GUNZIP_H
#define MACHINE_LOAD_GUNZIP_H

#include <stdint.h>
#include <zlib.h>

#include "machine/load/file.h"

struct gunzip {
	const struct load_file *file;
	uint64_t off, left;	/* compressed bytes not read yet */
	bool open, ended;
	z_stream z;
	uint8_t in[32 * 1024];
};

/* Begins at [off, off + len) of file, which must outlive g. -ENOMEM. */
int gunzip_open(struct gunzip *g, const struct load_file *file, uint64_t off, uint64_t len,
		struct err *err);

/*
 * The next bytes, up to len; *got < len only at the end of the data, whose checksum was
 * right then. -EBADMSG: damaged; -ENODATA: cut short; pread(2)'s errors.
 */
int gunzip_read(struct gunzip *g, void *buf, uint64_t len, uint64_t *got, struct err *err);

/* Accepts a zeroed object. */
void gunzip_close(struct gunzip *g);

#endif
