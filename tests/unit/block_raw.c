/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "block/lock.h"
#include "block/raw.h"

enum { DEADLINE_S = 100 };

static struct loop *new_loop(unsigned flags)
{
	struct loop *loop;
	struct err err;

	alarm(DEADLINE_S);
	assert_int_equal(loop_new(&loop, flags, &err), 0);
	return loop;
}

static int scratch_file(const char *dir, uint64_t size, int flags)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/hospes-test-raw.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC | flags);
	if (fd < 0)
		return -errno;
	unlink(path);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static struct blk *open_raw(struct loop *loop, int fd, unsigned flags)
{
	struct blk *b;
	struct err err;
	int rc = blk_raw_open(&b, loop, fd, flags, "test.img", &err);

	if (rc)
		fail_msg("%s", err.msg);
	return b;
}

struct one {
	struct blk_req req;
	struct loop *loop;
	int res;
	bool done;
};

static void one_done(struct blk_req *req, int res)
{
	struct one *o = container_of(req, struct one, req);

	assert_false(o->done);
	o->done = true;
	o->res = res;
	loop_stop(o->loop);
}

/* Carries out one request of a flat buffer (NULL: none). */
static int run_one(struct blk *b, enum blk_op op, unsigned flags, uint64_t off, void *buf,
		   uint64_t len)
{
	struct iovec iov = { buf, len };
	struct one o = { .req = { .op = op, .flags = flags, .off = off, .len = len,
				  .iov = buf ? &iov : NULL, .niov = buf ? 1 : 0, .done = one_done },
			 .loop = b->loop };

	blk_submit(b, &o.req);
	assert_false(o.done);
	loop_run(b->loop);
	assert_true(o.done);
	assert_int_equal(b->in_flight, 0);
	return o.res;
}

/* ---- random requests against a model --------------------------------------------------- */

enum { LANES = 8, LANE_BYTES = 100 * 1000 + 3, DISK = 800 * 1024 + 512, MAX_IOV = 7, OPS = 4000 };

struct lane {
	struct blk_req req;
	struct iovec iov[MAX_IOV];
	struct mix *mix;
	uint64_t start, size;		/* the part of the disk that is its own */
	uint8_t *buf;
	bool checking;			/* reads back what a discard left */
};

struct mix {
	struct blk *blk;
	struct loop *loop;
	uint64_t seed;
	unsigned align, left, busy;
	uint8_t *model;
	struct lane lanes[LANES];
};

static uint64_t rnd(struct mix *m, uint64_t below)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 7;
	m->seed ^= m->seed << 17;
	return m->seed % below;
}

/* Cuts buf[0, len) into iovecs, some of them empty. */
static void cut(struct lane *l, uint64_t len)
{
	struct mix *m = l->mix;
	unsigned n = 0;
	uint64_t at = 0;

	while (n < MAX_IOV - 1 && rnd(m, 4)) {
		uint64_t part = align_down(rnd(m, len - at + 1), m->align);

		l->iov[n++] = (struct iovec){ l->buf + at, part };
		at += part;
	}
	l->iov[n++] = (struct iovec){ l->buf + at, len - at };
	l->req.iov = l->iov;
	l->req.niov = n;
}

static void lane_begin(struct lane *l)
{
	static const enum blk_op ops[] = {
		BLK_READ, BLK_READ, BLK_READ, BLK_WRITE, BLK_WRITE, BLK_WRITE, BLK_WRITE,
		BLK_FLUSH, BLK_DISCARD, BLK_WRITE_ZEROES,
	};
	struct mix *m = l->mix;
	uint64_t off, len;

	l->req.op = ops[rnd(m, ARRAY_LEN(ops))];
	l->req.flags = rnd(m, 2) ? BLK_UNMAP : 0;
	/* Often up to the lane's borders, where neighbours share a block. */
	off = rnd(m, 3) ? align_down(rnd(m, l->size), m->align) : 0;
	len = l->size - off;
	if (rnd(m, 3))
		len = align_down(rnd(m, len < 4000 || rnd(m, 2) ? len + 1 : 4000), m->align);
	l->req.off = l->start + off;
	l->req.len = len;
	l->req.niov = 0;
	if (l->req.op == BLK_READ || l->req.op == BLK_WRITE)
		cut(l, len);
	if (l->req.op == BLK_WRITE) {
		for (uint64_t i = 0; i < len; i++)
			l->buf[i] = (uint8_t)(1 + rnd(m, 255));
		memcpy(m->model + l->req.off, l->buf, len);
	} else if (l->req.op == BLK_WRITE_ZEROES) {
		memset(m->model + l->req.off, 0, len);
	}
	m->busy++;
	m->left--;
	blk_submit(m->blk, &l->req);
}

static void lane_done(struct blk_req *req, int res)
{
	struct lane *l = container_of(req, struct lane, req);
	struct mix *m = l->mix;

	assert_int_equal(res, 0);
	if (req->op == BLK_READ && !l->checking)
		assert_memory_equal(l->buf, m->model + req->off, req->len);
	if (l->checking) {
		for (uint64_t i = 0; i < req->len; i++) {
			assert_true(!l->buf[i] || l->buf[i] == m->model[req->off + i]);
			m->model[req->off + i] = l->buf[i];
		}
		l->checking = false;
	} else if (req->op == BLK_DISCARD) {
		l->checking = true;
		req->op = BLK_READ;
		cut(l, req->len);
		blk_submit(m->blk, req);
		return;
	}
	m->busy--;
	if (m->left)
		lane_begin(l);
	else if (!m->busy)
		loop_stop(m->loop);
}

/* Every lane keeps one request in flight; neighbours share the blocks at their borders. */
static void mix(unsigned loop_flags, int fd, unsigned raw_flags, unsigned align)
{
	struct loop *loop = new_loop(loop_flags);
	struct mix *m = calloc(1, sizeof(*m));
	uint8_t *back = malloc(DISK);
	struct blk *b;

	assert_true(fd >= 0);
	b = open_raw(loop, fd, raw_flags);
	*m = (struct mix){ .blk = b, .loop = loop, .seed = 88172645463325252u + align + loop_flags,
			   .align = align, .left = OPS, .model = calloc(1, DISK) };
	for (unsigned i = 0; i < LANES; i++) {
		uint64_t start = align_down(i * LANE_BYTES, align);

		uint64_t end = align_down((i + 1) * LANE_BYTES, align);

		m->lanes[i] = (struct lane){ .mix = m, .start = start, .size = end - start,
					     .req.done = lane_done };
		m->lanes[i].buf = aligned_alloc(4096, align_up(LANE_BYTES, 4096));
	}
	for (unsigned i = 0; i < LANES; i++)
		lane_begin(&m->lanes[i]);
	loop_run(loop);
	assert_int_equal(b->in_flight, 0);
	assert_int_equal(run_one(b, BLK_FLUSH, 0, 0, NULL, 0), 0);
	assert_int_equal(run_one(b, BLK_READ, 0, 0, back, DISK), 0);
	assert_memory_equal(back, m->model, DISK);

	blk_close(b);
	for (unsigned i = 0; i < LANES; i++)
		free(m->lanes[i].buf);
	free(m->model);
	free(back);
	free(m);
	loop_free(loop);
}

static void random_requests(void **state)
{
	mix(0, scratch_file("/tmp", DISK, 0), 0, 1);
	mix(0, scratch_file("/tmp", DISK, 0), 0, 512);
	mix(LOOP_NO_URING, scratch_file("/tmp", DISK, 0), 0, 1);
}

/* /var/tmp is a real file system more often than /tmp is. */
static int direct_file(uint64_t size)
{
	return scratch_file("/var/tmp", size, O_DIRECT);
}

static void random_requests_direct(void **state)
{
	int fd = direct_file(DISK);

	if (fd == -EINVAL)
		skip();		/* a file system without direct I/O */
	mix(0, fd, BLK_RAW_DIRECT, 1);
	mix(0, direct_file(DISK), BLK_RAW_DIRECT, 512);
	mix(LOOP_NO_URING, direct_file(DISK), BLK_RAW_DIRECT, 1);
}

/* ---- single properties ----------------------------------------------------------------- */

static void ranges_are_checked(void **state)
{
	struct loop *loop = new_loop(0);
	int fd = scratch_file("/tmp", 8192, 0);
	struct blk *b = open_raw(loop, fd, 0);
	uint8_t buf[1024] = { 1 };
	struct stat st;
	struct one lie = { .req = { .op = BLK_WRITE, .len = 512, .done = one_done,
				    .iov = &(struct iovec){ buf, 1024 }, .niov = 1 },
			   .loop = loop };

	assert_int_equal(b->info.size, 8192);
	assert_int_equal(run_one(b, BLK_READ, 0, 8192 - 1023, buf, 1024), -EINVAL);
	assert_int_equal(run_one(b, BLK_READ, 0, UINT64_MAX - 511, buf, 1024), -EINVAL);
	assert_int_equal(run_one(b, BLK_WRITE, 0, 8192, buf, 512), -ENOSPC);
	assert_int_equal(run_one(b, BLK_WRITE, 0, UINT64_MAX, buf, 1), -ENOSPC);
	assert_int_equal(run_one(b, BLK_WRITE_ZEROES, 0, 4096, NULL, 4097), -ENOSPC);
	assert_int_equal(run_one(b, BLK_DISCARD, 0, 0, NULL, 8193), -EINVAL);
	assert_int_equal(run_one(b, BLK_DISCARD, 0, 1, NULL, UINT64_MAX), -EINVAL);
	assert_int_equal(run_one(b, BLK_READ, 0, 8192, buf, 0), 0);
	assert_int_equal(run_one(b, BLK_WRITE, 0, 8192 - 1024, buf, 1024), 0);
	/* iovecs that add up to more than the range */
	blk_submit(b, &lie.req);
	loop_run(loop);
	assert_int_equal(lie.res, -EINVAL);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 8192);
	blk_close(b);
	loop_free(loop);
}

static void read_only_stays_as_it_is(void **state)
{
	struct loop *loop = new_loop(0);
	struct blk *b = open_raw(loop, scratch_file("/tmp", 4096, 0), BLK_RAW_READ_ONLY);
	uint8_t buf[512] = { 1 };

	assert_int_equal(b->info.discard_granularity, 0);
	assert_int_equal(run_one(b, BLK_WRITE, 0, 0, buf, 512), -EROFS);
	assert_int_equal(run_one(b, BLK_DISCARD, 0, 0, NULL, 4096), -EROFS);
	assert_int_equal(run_one(b, BLK_WRITE_ZEROES, 0, 0, NULL, 4096), -EROFS);
	assert_int_equal(run_one(b, BLK_FLUSH, 0, 0, NULL, 0), 0);
	assert_int_equal(run_one(b, BLK_READ, 0, 0, buf, 512), 0);
	assert_int_equal(buf[0], 0);
	blk_close(b);
	loop_free(loop);
}

static void discard_frees_space(void **state)
{
	struct loop *loop = new_loop(0);
	int fd = scratch_file("/tmp", MIB, 0);
	struct blk *b = open_raw(loop, fd, 0);
	uint8_t *buf = malloc(MIB);
	struct stat full, st;

	memset(buf, 0xa5, MIB);
	assert_int_equal(run_one(b, BLK_WRITE, 0, 0, buf, MIB), 0);
	assert_int_equal(run_one(b, BLK_FLUSH, 0, 0, NULL, 0), 0);
	assert_int_equal(fstat(fd, &full), 0);
	/* What lies in a block with others' data stays. */
	assert_int_equal(run_one(b, BLK_DISCARD, 0, 1, NULL, 4096 + 10), 0);
	assert_int_equal(run_one(b, BLK_READ, 0, 0, buf, 8192), 0);
	assert_int_equal(buf[0], 0xa5);
	assert_int_equal(buf[8191], 0xa5);
	assert_int_equal(run_one(b, BLK_DISCARD, 0, 4096, NULL, MIB - 4096), 0);
	assert_int_equal(fstat(fd, &st), 0);
	if (full.st_blocks)
		assert_true(st.st_blocks < full.st_blocks);
	assert_int_equal(st.st_size, MIB);

	/* Zeroes that keep the space, and zeroes that free it. */
	memset(buf, 0xa5, MIB);
	assert_int_equal(run_one(b, BLK_WRITE, 0, 0, buf, MIB), 0);
	assert_int_equal(run_one(b, BLK_WRITE_ZEROES, 0, 3, NULL, 70000), 0);
	assert_int_equal(run_one(b, BLK_WRITE_ZEROES, BLK_UNMAP, 524288 + 5, NULL, 70000), 0);
	assert_int_equal(run_one(b, BLK_READ, 0, 0, buf, MIB), 0);
	for (size_t i = 0; i < MIB; i++) {
		bool zero = (i >= 3 && i < 70003) || (i >= 524293 && i < 594293);

		assert_int_equal(buf[i], zero ? 0 : 0xa5);
	}
	free(buf);
	blk_close(b);
	loop_free(loop);
}

/* More iovecs than one system call takes. */
static void many_small_pieces(void **state)
{
	enum { N = 2500, PIECE = 16 };
	struct loop *loop = new_loop(0);
	struct blk *b = open_raw(loop, scratch_file("/tmp", 65536, 0), 0);
	uint8_t *buf = malloc(N * PIECE), *back = calloc(N, PIECE);
	struct iovec *iov = malloc(N * sizeof(*iov));
	struct one o = { .req = { .op = BLK_WRITE, .off = 512, .len = N * PIECE, .iov = iov,
				  .niov = N, .done = one_done }, .loop = loop };

	for (size_t i = 0; i < N; i++) {
		memset(buf + i * PIECE, (int)(i * 7), PIECE);
		iov[i] = (struct iovec){ buf + i * PIECE, PIECE };
	}
	blk_submit(b, &o.req);
	loop_run(loop);
	assert_int_equal(o.res, 0);
	assert_int_equal(run_one(b, BLK_READ, 0, 512, back, N * PIECE), 0);
	assert_memory_equal(back, buf, N * PIECE);
	free(iov);
	free(back);
	free(buf);
	blk_close(b);
	loop_free(loop);
}

/* Somebody cuts the file while the disk is open: an error, not an endless read. */
static void a_shortened_file_is_an_error(void **state)
{
	struct loop *loop = new_loop(0);
	int fd = scratch_file("/tmp", 65536, 0);
	struct blk *b = open_raw(loop, fd, 0);
	uint8_t buf[8192];

	assert_int_equal(ftruncate(fd, 10000), 0);
	assert_int_equal(run_one(b, BLK_READ, 0, 0, buf, 8192), 0);
	assert_int_equal(run_one(b, BLK_READ, 0, 8192, buf, 8192), -EIO);
	assert_int_equal(run_one(b, BLK_READ, 0, 32768, buf, 8192), -EIO);
	blk_close(b);
	loop_free(loop);
}

/* A limit on the file's size stops a write in the middle; what was acknowledged stays. */
static void a_write_over_the_limit_fails(void **state)
{
	struct rlimit old, low;
	uint8_t *buf = malloc(65536), *back = malloc(65536);
	void (*old_handler)(int) = signal(SIGXFSZ, SIG_IGN);

	memset(buf, 0x77, 65536);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (unsigned flags = 0; flags <= LOOP_NO_URING; flags++) {
		struct loop *loop = new_loop(flags);
		struct blk *b = open_raw(loop, scratch_file("/tmp", MIB, 0), 0);

		low = (struct rlimit){ .rlim_cur = 65536 + 1000, .rlim_max = old.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
		assert_int_equal(run_one(b, BLK_WRITE, 0, 0, buf, 65536), 0);
		assert_int_equal(run_one(b, BLK_WRITE, 0, 65536, buf, 65536), -EFBIG);
		assert_int_equal(run_one(b, BLK_WRITE, 0, MIB / 2, buf, 65536), -EFBIG);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(run_one(b, BLK_FLUSH, 0, 0, NULL, 0), 0);
		assert_int_equal(run_one(b, BLK_READ, 0, 0, back, 65536), 0);
		assert_memory_equal(back, buf, 65536);
		assert_int_equal(run_one(b, BLK_WRITE, 0, MIB / 2, buf, 65536), 0);
		blk_close(b);
		loop_free(loop);
	}
	signal(SIGXFSZ, old_handler);
	free(back);
	free(buf);
}

static bool write_proc(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Root in a user namespace of our own. */
static bool become_root(void)
{
	const unsigned uid = geteuid(), gid = getegid();
	char map[32];

	if (!uid)
		return true;
	if (unshare(CLONE_NEWUSER) || !write_proc("/proc/self/setgroups", "deny"))
		return false;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (!write_proc("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof(map), "0 %u 1", gid);
	return write_proc("/proc/self/gid_map", map);
}

/* A file system of 256 KiB of our own, mounted over dir in a namespace; false: not allowed. */
static bool small_file_system(const char *dir)
{
	if (!become_root() || unshare(CLONE_NEWNS))
		return false;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	return !mount("tmpfs", dir, "tmpfs", 0, "size=256k");
}

static void a_full_host_disk_is_reported(void **state)
{
	char dir[] = "/tmp/hospes-test-full.XXXXXX";
	uint8_t *buf = malloc(65536), *back = malloc(65536);

	assert_non_null(mkdtemp(dir));
	if (!small_file_system(dir)) {
		rmdir(dir);
		free(back);
		free(buf);
		skip();
	}
	memset(buf, 0x33, 65536);
	for (unsigned flags = 0; flags <= LOOP_NO_URING; flags++) {
		struct loop *loop = new_loop(flags);
		struct blk *b = open_raw(loop, scratch_file(dir, MIB, 0), 0);
		int rc = 0;

		for (uint64_t off = 0; off < MIB && !rc; off += 65536) {
			rc = run_one(b, BLK_WRITE, 0, off, buf, 65536);
			assert_true(off || !rc);
		}
		assert_int_equal(rc, -ENOSPC);
		assert_int_equal(run_one(b, BLK_FLUSH, 0, 0, NULL, 0), 0);
		assert_int_equal(run_one(b, BLK_READ, 0, 0, back, 65536), 0);
		assert_memory_equal(back, buf, 65536);
		/* No FALLOC_FL_ZERO_RANGE on tmpfs: written. Then space again, and it goes on. */
		assert_int_equal(run_one(b, BLK_WRITE_ZEROES, 0, 4096, NULL, 8192), 0);
		assert_int_equal(run_one(b, BLK_READ, 0, 0, back, 65536), 0);
		for (size_t i = 0; i < 65536; i++)
			assert_int_equal(back[i], i >= 4096 && i < 12288 ? 0 : 0x33);
		assert_int_equal(run_one(b, BLK_DISCARD, 0, 0, NULL, 131072), 0);
		assert_int_equal(run_one(b, BLK_WRITE, 0, MIB / 2, buf, 65536), 0);
		blk_close(b);
		loop_free(loop);
	}
	umount(dir);
	rmdir(dir);
	free(back);
	free(buf);
}

static void expect_refusal(struct loop *loop, int fd, unsigned flags, int code, const char *what)
{
	struct blk *b = NULL;
	struct err err = { "" };

	assert_int_equal(blk_raw_open(&b, loop, fd, flags, "a.img", &err), code);
	assert_null(b);
	if (!strstr(err.msg, what))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, what);
	assert_memory_equal(err.msg, "a.img: ", 7);
	close(fd);
}

static void bad_images_are_refused(void **state)
{
	struct loop *loop = new_loop(0);
	int p[2];

	expect_refusal(loop, scratch_file("/tmp", 0, 0), 0, -EINVAL, "is empty");
	expect_refusal(loop, scratch_file("/tmp", 1000, 0), 0, -EINVAL, "multiple of 512");
	expect_refusal(loop, open("/dev/null", O_RDWR | O_CLOEXEC), 0, -EINVAL, "neither");
	expect_refusal(loop, open("/tmp", O_RDONLY | O_CLOEXEC), BLK_RAW_READ_ONLY, -EINVAL,
		       "neither");
	expect_refusal(loop, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), 0, -EROFS, "read-only");
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	expect_refusal(loop, p[0], BLK_RAW_READ_ONLY, -EINVAL, "neither");
	close(p[1]);
	expect_refusal(loop, -1, 0, -EBADF, "Bad file descriptor");
	loop_free(loop);
	blk_close(NULL);
}

static void a_disk_is_locked_once(void **state)
{
	char path[] = "/tmp/hospes-test-lock.XXXXXX";
	int a = mkostemp(path, O_CLOEXEC), b = open(path, O_RDWR | O_CLOEXEC);
	int c = open(path, O_RDONLY | O_CLOEXEC), d = open(path, O_RDONLY | O_CLOEXEC);
	int a2 = dup(a);
	struct err err;

	assert_int_equal(blk_lock(a, true, "disk.img", &err), 0);
	assert_int_equal(blk_lock(b, true, "disk.img", &err), -EBUSY);
	assert_string_equal(err.msg, "disk.img: in use by another VM; stop it or use a copy");
	assert_int_equal(blk_lock(c, false, "disk.img", &err), -EBUSY);
	assert_int_equal(blk_lock(a2, true, "disk.img", &err), 0);	/* the same description */
	close(a);
	assert_int_equal(blk_lock(b, true, "disk.img", &err), -EBUSY);	/* a2 holds it still */
	close(a2);
	assert_int_equal(blk_lock(c, false, "disk.img", &err), 0);
	assert_int_equal(blk_lock(d, false, "disk.img", &err), 0);
	assert_int_equal(blk_lock(b, true, "disk.img", &err), -EBUSY);
	close(c);
	close(d);
	assert_int_equal(blk_lock(b, true, "disk.img", &err), 0);
	close(b);
	assert_int_equal(blk_lock(-1, true, "disk.img", &err), -EBADF);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* first: a process that had threads or rings may enter no user namespace */
		cmocka_unit_test(a_full_host_disk_is_reported),
		cmocka_unit_test(random_requests),
		cmocka_unit_test(random_requests_direct),
		cmocka_unit_test(ranges_are_checked),
		cmocka_unit_test(read_only_stays_as_it_is),
		cmocka_unit_test(discard_frees_space),
		cmocka_unit_test(many_small_pieces),
		cmocka_unit_test(a_shortened_file_is_an_error),
		cmocka_unit_test(a_write_over_the_limit_fails),
		cmocka_unit_test(bad_images_are_refused),
		cmocka_unit_test(a_disk_is_locked_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
