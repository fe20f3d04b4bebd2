/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/bits.h"

enum { CHUNK = 1 << 20, BLOCK = 4096, LEVEL = 3 };

struct run {
	struct transfer *t;
	struct digest disk, file;
	ZSTD_DStream *in;
	ZSTD_CStream *out;
	uint8_t *raw, *other;		/* CHUNK bytes each */
	uint64_t read, all;		/* of from */
	off_t written;			/* of to */
	bool frame_open;		/* compressed data that is not complete */
};

bool transfer_is_compressed(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && !strcmp(name + n - 4, ".zst");
}

static bool is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && !memcmp(p, p + 1, len - 1));
}

static int write_all(int fd, const uint8_t *p, size_t len, off_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Puts len bytes at the end of what was written; blocks of zeros become holes of a plain file. */
static int put(struct run *r, const uint8_t *p, size_t len, struct err *err)
{
	int rc = digest_add(&r->file, p, len);

	if (r->t->discard)
		len = 0;
	while (!rc && len) {
		size_t part = len;

		if (!r->t->compress) {
			part = (size_t)(BLOCK - r->written % BLOCK);
			part = part < len ? part : len;
		}
		if (r->t->compress || !is_zero(p, part))
			rc = write_all(r->t->to, p, part, r->written);
		p += part;
		len -= part;
		r->written += (off_t)part;
	}
	return rc ? err_sys(err, rc, "%s cannot be written", r->t->to_name) : 0;
}

static int compress(struct run *r, const uint8_t *p, size_t len, ZSTD_EndDirective end,
		    struct err *err)
{
	ZSTD_inBuffer in = { p, len, 0 };
	size_t left;
	int rc = 0;

	do {
		ZSTD_outBuffer out = { r->other, CHUNK, 0 };

		left = ZSTD_compressStream2(r->out, &out, &in, end);
		if (ZSTD_isError(left))
			return err_set(err, -EIO, "%s: %s", r->t->to_name, ZSTD_getErrorName(left));
		rc = put(r, r->other, out.pos, err);
	} while (!rc && (end == ZSTD_e_end ? left != 0 : in.pos < in.size));
	return rc;
}

/* len bytes of the disk itself. */
static int take(struct run *r, const uint8_t *p, size_t len, struct err *err)
{
	int rc;

	r->t->size += len;
	if (r->t->size > r->t->max)
		return err_set(err, -EFBIG,
			       "%s: the disk is larger than %llu GiB, more than an image may have",
			       r->t->from_name, (unsigned long long)(r->t->max / GIB));
	rc = digest_add(&r->disk, p, len);
	if (rc)
		return err_sys(err, rc, "%s", r->t->from_name);
	return r->t->compress ? compress(r, p, len, ZSTD_e_continue, err) : put(r, p, len, err);
}

static int decompress(struct run *r, size_t len, struct err *err)
{
	ZSTD_inBuffer in = { r->raw, len, 0 };
	ZSTD_outBuffer out;
	size_t hint;
	int rc = 0;

	do {
		out = (ZSTD_outBuffer){ r->other, CHUNK, 0 };
		hint = ZSTD_decompressStream(r->in, &out, &in);
		if (ZSTD_isError(hint))
			return err_set(err, -EBADMSG, "%s is no zstd file, or is damaged (%s)",
				       r->t->from_name, ZSTD_getErrorName(hint));
		r->frame_open = hint != 0;
		rc = take(r, r->other, out.pos, err);
	} while (!rc && (in.pos < in.size || out.pos == out.size));
	return rc;
}

static int transfer_all(struct run *r, struct err *err)
{
	struct transfer *t = r->t;
	int rc = 0;

	while (!rc) {
		ssize_t n = pread(t->from, r->raw, CHUNK, (off_t)r->read);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, -errno, "%s cannot be read", t->from_name);
		if (n == 0)
			break;
		r->read += (uint64_t)n;
		rc = t->decompress ? decompress(r, (size_t)n, err)
				   : take(r, r->raw, (size_t)n, err);
		if (t->progress)
			t->progress(t->opaque, r->read, r->read > r->all ? r->read : r->all);
	}
	if (!rc && r->frame_open)
		return err_set(err, -EBADMSG, "%s is cut off: its compressed data does not end",
			       t->from_name);
	if (!rc && t->compress)
		rc = compress(r, NULL, 0, ZSTD_e_end, err);
	/* Zeros at the end were left out: the length brings them back. */
	if (!rc && !t->discard && ftruncate(t->to, r->written))
		rc = err_sys(err, -errno, "%s cannot be written", t->to_name);
	return rc;
}

static int prepare(struct run *r, struct err *err)
{
	struct stat st;
	int rc;

	if (fstat(r->t->from, &st))
		return err_sys(err, -errno, "%s", r->t->from_name);
	r->all = (uint64_t)st.st_size;
	rc = digest_init(&r->disk, err);
	if (!rc)
		rc = digest_init(&r->file, err);
	if (rc)
		return rc;
	r->raw = malloc(CHUNK);
	r->other = malloc(CHUNK);
	r->in = r->t->decompress ? ZSTD_createDStream() : NULL;
	r->out = r->t->compress ? ZSTD_createCStream() : NULL;
	if (!r->raw || !r->other || (r->t->decompress && !r->in) || (r->t->compress && !r->out) ||
	    (r->out &&
	     (ZSTD_isError(ZSTD_CCtx_setParameter(r->out, ZSTD_c_checksumFlag, 1)) ||
	      ZSTD_isError(ZSTD_CCtx_setParameter(r->out, ZSTD_c_compressionLevel, LEVEL)))))
		return err_set(err, -ENOMEM, "%s: out of memory", r->t->from_name);
	return 0;
}

int transfer_run(struct transfer *t, struct err *err)
{
	struct run r = { .t = t };
	int rc = prepare(&r, err);

	t->size = 0;
	if (!rc)
		rc = transfer_all(&r, err);
	if (!rc && (digest_end(&r.disk, t->disk_digest) || digest_end(&r.file, t->file_digest)))
		rc = err_set(err, -EIO, "OpenSSL cannot make the digest of %s", t->from_name);
	digest_fini(&r.disk);
	digest_fini(&r.file);
	ZSTD_freeDStream(r.in);
	ZSTD_freeCStream(r.out);
	free(r.raw);
	free(r.other);
	return rc;
}
