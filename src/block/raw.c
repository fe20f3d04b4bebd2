/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request is carried out in steps (blk_req.step), each one I/O of the loop: a transfer goes
 * on from where a short one ended; a range of zeroes falls back from freeing to zeroing to
 * writing, as far as the file system cannot do better. Nothing is copied and nothing
 * allocated, but for direct I/O that is not aligned (raw_direct.c).
 */
#include "block/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/raw_impl.h"

enum {
	SECTOR = 512,
	FILE_BLOCK = 4096,		/* what file systems allocate and free by */
	MAX_TRIES = 1000,		/* of an I/O that says "again" */
};

/* ---- steps ----------------------------------------------------------------------------- */

static void io_done(struct loop_io *io, int res);

void raw_io(struct raw *r, struct blk_req *req, enum raw_step step)
{
	req->step = step;
	req->io.fd = r->fd;
	req->io.done = io_done;
	loop_io_submit(r->blk.loop, &req->io);
}

void raw_advance(struct blk_req *req, uint64_t n)
{
	req->moved += n;
	if (req->op == BLK_WRITE_ZEROES)
		return;
	while (n) {
		size_t here = req->iov[req->at].iov_len - req->at_off;

		if (n < here) {
			req->at_off += n;
			return;
		}
		n -= here;
		req->at++;
		req->at_off = 0;
	}
}

/* Transfers from the position on, as much as one I/O takes. */
static void move(struct raw *r, struct blk_req *req)
{
	struct loop_io *io = &req->io;

	io->op = req->op == BLK_READ ? LOOP_READV : LOOP_WRITEV;
	io->off = req->off + req->moved;
	io->iov = &req->part;
	io->niov = 1;
	if (req->op == BLK_WRITE_ZEROES) {
		uint64_t left = req->len - req->moved;

		req->part = (struct iovec){ r->zeroes, left < RAW_ZEROES ? left : RAW_ZEROES };
	} else if (req->at_off) {
		/* The rest of the iovec a short transfer ended in; the others as they stand. */
		req->part = req->iov[req->at];
		req->part.iov_base = (uint8_t *)req->part.iov_base + req->at_off;
		req->part.iov_len -= req->at_off;
	} else {
		while (!req->iov[req->at].iov_len)
			req->at++;
		io->iov = req->iov + req->at;
		io->niov = req->niov - req->at;
		if (io->niov > IOV_MAX)
			io->niov = IOV_MAX;
	}
	raw_io(r, req, RAW_MOVE);
}

static void transfer(struct raw *r, struct blk_req *req)
{
	if (r->direct && !raw_direct_fits(r, req))
		raw_bounce_start(r, req);
	else
		move(r, req);
}

static void range_io(struct raw *r, struct blk_req *req, int mode, uint64_t off, uint64_t len)
{
	req->io.op = LOOP_FALLOCATE;
	req->io.mode = mode | FALLOC_FL_KEEP_SIZE;
	req->io.off = off;
	req->io.len = len;
	raw_io(r, req, RAW_RANGE);
}

/* Frees the whole blocks of the range: what lies around them need not change. */
static void discard(struct raw *r, struct blk_req *req)
{
	uint32_t block = r->blk.info.discard_granularity;
	uint64_t start = align_up(req->off, block), end = align_down(req->off + req->len, block);

	if (r->no_punch || start >= end)
		raw_finish_later(r, req, 0);
	else
		range_io(r, req, FALLOC_FL_PUNCH_HOLE, start, end - start);
}

static void write_zeroes(struct raw *r, struct blk_req *req)
{
	if ((req->off | req->len) & (r->range_align - 1))
		transfer(r, req);
	else if (req->flags & BLK_UNMAP && !r->no_punch)
		range_io(r, req, FALLOC_FL_PUNCH_HOLE, req->off, req->len);
	else if (!r->no_zero_range)
		range_io(r, req, FALLOC_FL_ZERO_RANGE, req->off, req->len);
	else
		transfer(r, req);
}

static void flush(struct raw *r, struct blk_req *req)
{
	if (r->flush_failed) {
		raw_finish_later(r, req, -EIO);
		return;
	}
	req->io.op = LOOP_FDATASYNC;
	raw_io(r, req, RAW_FLUSH);
}

void raw_start(struct raw *r, struct blk_req *req)
{
	switch (req->op) {
	case BLK_READ:
	case BLK_WRITE:
		transfer(r, req);
		break;
	case BLK_FLUSH:
		flush(r, req);
		break;
	case BLK_DISCARD:
		discard(r, req);
		break;
	case BLK_WRITE_ZEROES:
		write_zeroes(r, req);
		break;
	}
}

static void raw_submit(struct blk *b, struct blk_req *req)
{
	struct raw *r = container_of(b, struct raw, blk);

	req->moved = 0;
	req->at = 0;
	req->at_off = 0;
	req->tries = 0;
	req->bounce = NULL;
	if (!r->direct || !raw_writes(req) || raw_claim(r, req))
		raw_start(r, req);
}

/* What the request held is free before its owner hears of the end, and may reuse it. */
static void release(struct raw *r, struct blk_req *req)
{
	free(req->bounce);
	req->bounce = NULL;
	if (r->direct && raw_writes(req)) {
		raw_unclaim(r, req);
		raw_restart(r);
	}
}

void raw_finish(struct raw *r, struct blk_req *req, int res)
{
	release(r, req);
	blk_complete(&r->blk, req, res);
}

void raw_finish_later(struct raw *r, struct blk_req *req, int res)
{
	release(r, req);
	blk_complete_later(&r->blk, req, res);
}

/* ---- results --------------------------------------------------------------------------- */

static bool unsupported(int res)
{
	return res == -EOPNOTSUPP || res == -ENOSYS || res == -ENODEV;
}

static void range_done(struct raw *r, struct blk_req *req, int res)
{
	if (!unsupported(res)) {
		raw_finish(r, req, res);
		return;
	}
	if (req->io.mode & FALLOC_FL_PUNCH_HOLE)
		r->no_punch = true;
	else
		r->no_zero_range = true;
	if (req->op == BLK_DISCARD)
		raw_finish(r, req, 0);
	else
		write_zeroes(r, req);
}

static void flush_done(struct raw *r, struct blk_req *req, int res)
{
	/*
	 * After an error the kernel may count the pages it could not write as clean: a later
	 * fdatasync() that succeeds would acknowledge writes that are lost.
	 */
	if (res < 0 && !r->direct)
		r->flush_failed = true;
	raw_finish(r, req, res);
}

static void io_done(struct loop_io *io, int res)
{
	struct blk_req *req = container_of(io, struct blk_req, io);
	struct raw *r = container_of(req->blk, struct raw, blk);

	if ((res == -EINTR || res == -EAGAIN) && ++req->tries < MAX_TRIES) {
		loop_io_submit(r->blk.loop, io);
		return;
	}
	req->tries = 0;
	if (req->step == RAW_RANGE) {
		range_done(r, req, res);
	} else if (req->step == RAW_FLUSH) {
		flush_done(r, req, res);
	} else if (res <= 0) {
		/* 0: somebody made the file shorter */
		raw_finish(r, req, res ? res : -EIO);
	} else if (req->step != RAW_MOVE) {
		raw_bounce_done(r, req, (uint64_t)res);
	} else {
		raw_advance(req, (uint64_t)res);
		if (req->moved == req->len)
			raw_finish(r, req, 0);
		else
			move(r, req);
	}
}

/* ---- life ------------------------------------------------------------------------------ */

static void raw_close(struct blk *b)
{
	struct raw *r = container_of(b, struct raw, blk);

	munmap(r->zeroes, RAW_ZEROES);
	close(r->fd);
	free(r);
}

static const struct blk_ops raw_ops = {
	.name = "raw",
	.submit = raw_submit,
	.close = raw_close,
};

static int device_geometry(struct raw *r, const char *name, struct err *err)
{
	unsigned physical = 0;
	int logical = 0;

	if (ioctl(r->fd, BLKGETSIZE64, &r->blk.info.size) || ioctl(r->fd, BLKSSZGET, &logical) ||
	    ioctl(r->fd, BLKPBSZGET, &physical))
		return err_sys(err, -errno, "%s: cannot ask the device for its size", name);
	r->range_align = (uint32_t)logical;
	r->blk.info.block_size = physical > SECTOR ? FILE_BLOCK : SECTOR;
	return 0;
}

/* Size, alignment of ranges, and what the kernel tells of direct I/O. */
static int geometry(struct raw *r, const char *name, struct err *err)
{
	struct blk_info *info = &r->blk.info;
	struct statx st;

	if (statx(r->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_DIOALIGN, &st))
		return err_sys(err, -errno, "%s", name);
	r->range_align = 1;
	r->off_align = r->mem_align = 1;
	if (S_ISBLK(st.stx_mode)) {
		int rc = device_geometry(r, name, err);

		if (rc)
			return rc;
	} else if (S_ISREG(st.stx_mode)) {
		info->size = st.stx_size;
		info->block_size = FILE_BLOCK;
	} else {
		return err_set(err, -EINVAL, "%s: neither a regular file nor a block device", name);
	}
	if (r->direct) {
		bool told = st.stx_mask & STATX_DIOALIGN && st.stx_dio_offset_align;

		r->off_align = told ? st.stx_dio_offset_align : FILE_BLOCK;
		r->mem_align = told ? st.stx_dio_mem_align : FILE_BLOCK;
	}
	return 0;
}

static int check_geometry(const struct raw *r, const char *name, struct err *err)
{
	uint64_t size = r->blk.info.size;

	if (!size)
		return err_set(err, -EINVAL, "%s: is empty; give it a size first (truncate -s 8G)",
			       name);
	if (size % SECTOR)
		return err_set(err, -EINVAL,
			       "%s: its size of %llu bytes is not a multiple of 512; if it is a "
			       "raw disk, round it up (truncate -s %%512)",
			       name, (unsigned long long)size);
	if (size > INT64_MAX)
		return err_set(err, -EFBIG, "%s: is too large", name);
	if (!is_pow2(r->off_align) || !is_pow2(r->mem_align) || r->off_align > FILE_BLOCK ||
	    r->mem_align > FILE_BLOCK)
		return err_set(err, -ENOTSUP, "%s: direct I/O needs blocks of %u bytes here; "
			       "use the page cache", name, r->off_align);
	if (size % r->off_align)
		return err_set(err, -EINVAL,
			       "%s: its size of %llu bytes is not a multiple of the %u that direct "
			       "I/O needs here; use the page cache or round it up "
			       "(truncate -s %%%u)",
			       name, (unsigned long long)size, r->off_align, r->off_align);
	return 0;
}

int blk_raw_open(struct blk **out, struct loop *loop, int fd, unsigned flags, const char *name,
		 struct err *err)
{
	int mode = fcntl(fd, F_GETFL), rc;
	struct raw *r;

	if (mode < 0)
		return err_sys(err, -errno, "%s", name);
	if (!(flags & BLK_RAW_READ_ONLY) && (mode & O_ACCMODE) != O_RDWR)
		return err_set(err, -EROFS, "%s: is not open for writing; make it writable or "
			       "attach it read-only (ro)", name);
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(err, -ENOMEM, "%s: out of memory", name);
	r->fd = fd;
	r->direct = flags & BLK_RAW_DIRECT;
	rc = geometry(r, name, err);
	if (!rc)
		rc = check_geometry(r, name, err);
	if (rc)
		goto fail;
	r->zeroes = mmap(NULL, RAW_ZEROES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->zeroes == MAP_FAILED) {
		rc = err_sys(err, -errno, "%s", name);
		goto fail;
	}
	r->blk.info.read_only = flags & BLK_RAW_READ_ONLY;
	if (!r->blk.info.read_only)
		r->blk.info.discard_granularity = FILE_BLOCK;
	if (r->blk.info.block_size < r->off_align)
		r->blk.info.block_size = r->off_align;
	blk_init(&r->blk, &raw_ops, loop);
	*out = &r->blk;
	return 0;

fail:
	free(r);
	return rc;
}
