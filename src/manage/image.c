/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/image.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "config/vmconfig.h"

static const struct {
	const char *arch, *file;
} firmware[] = {
	{ "riscv64", "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin" },
};

const char *image_firmware(const char *arch)
{
	for (size_t i = 0; i < ARRAY_LEN(firmware); i++)
		if (!strcmp(firmware[i].arch, arch))
			return firmware[i].file;
	return NULL;
}

/* NULL with the sentence that names the file and the reason. */
static json_t *load(const char *path, struct err *err)
{
	json_error_t bad;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &bad);

	if (!root && bad.line < 1)
		err_set(err, -EINVAL, "%s", bad.text);
	else if (!root)
		err_set(err, -EINVAL, "%s: line %d: %s", path, bad.line, bad.text);
	return root;
}

/* "sha256:HEX" into img->digest. */
static bool take_digest(struct image *img, const char *digest)
{
	if (strncmp(digest, "sha256:", 7) || strlen(digest + 7) != 64 ||
	    strspn(digest + 7, "0123456789abcdef") != 64)
		return false;
	memcpy(img->digest, digest + 7, 65);
	return true;
}

static int read_description(struct image *img, const char *path, struct err *err)
{
	const char *arch, *format, *boot, *digest;
	json_t *root = load(path, err);
	int rc = 0;

	if (!root)
		return -EINVAL;
	arch = json_string_value(json_object_get(root, "arch"));
	format = json_string_value(json_object_get(root, "format"));
	boot = json_string_value(json_object_get(root, "boot"));
	digest = json_string_value(json_object_get(root, "digest"));
	if (!arch || !format || !boot || strcmp(format, "raw") || strcmp(boot, "firmware") ||
	    !image_firmware(arch))
		rc = err_set(err, -EINVAL,
			     "%s: 'arch', 'format' or 'boot' is missing or not known to this "
			     "version; build the image again",
			     path);
	else if (digest && !take_digest(img, digest))
		rc = err_set(err, -EINVAL, "%s: 'digest' is none; add the image again", path);
	else
		snprintf(img->arch, sizeof(img->arch), "%s", arch);
	json_decref(root);
	return rc;
}

/* The disk of img->digest must be as it was when it was added. */
static int check_record(const struct image *img, const struct store *s, const struct stat *st,
			struct err *err)
{
	char path[STORE_PATH_MAX];
	json_int_t size, mtime;
	json_t *meta;
	int rc = store_path(s, path, sizeof(path), err, "images/sha256-%s/meta.json", img->digest);

	if (rc)
		return rc;
	meta = load(path, err);
	if (!meta)
		return -EINVAL;
	size = json_integer_value(json_object_get(meta, "size"));
	mtime = json_integer_value(json_object_get(meta, "mtime_ns"));
	json_decref(meta);
	if (size != st->st_size ||
	    mtime != (json_int_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec)
		return err_set(err, -EUCLEAN,
			       "%s was changed since it was added; 'hospes image rm' its "
			       "names, and add it again",
			       img->disk);
	return 0;
}

int image_find(struct image *img, const struct store *s, const char *name, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct stat st;
	int rc;

	memset(img, 0, sizeof(*img));
	if (!vmconfig_name_ok(name))
		return err_set(err, -EINVAL, "'%.80s' cannot name an image", name);
	rc = store_path(s, path, sizeof(path), err, "images/%s.json", name);
	if (!rc && access(path, F_OK) == 0)
		rc = read_description(img, path, err);
	if (!rc && img->digest[0])
		rc = store_path(s, img->disk, sizeof(img->disk), err, "images/sha256-%s/disk.raw",
				img->digest);
	else if (!rc)
		rc = store_path(s, img->disk, sizeof(img->disk), err, "images/%s.raw", name);
	if (rc)
		return rc;
	if (access(path, F_OK) || stat(img->disk, &st))
		return err_set(err, -ENOENT,
			       "there is no image '%s' in %s/images; the image 'debian' is "
			       "built by tools/build-image",
			       name, s->home);
	if (st.st_size == 0 || st.st_size % 512)
		return err_set(err, -EINVAL, "%s: %lld bytes are no disk image; build it again",
			       img->disk, (long long)st.st_size);
	img->size = (uint64_t)st.st_size;
	return img->digest[0] ? check_record(img, s, &st, err) : 0;
}

struct copy {
	int from, to;
	uint64_t size;
	void (*progress)(void *opaque, uint64_t done, uint64_t all);
	void *opaque;
	uint8_t *buf;			/* COPY_BUF bytes; NULL: not needed so far */
};

enum { COPY_BUF = 1 << 20 };

/* len bytes at off, or fewer, by way of our own memory. */
static ssize_t copy_through(const struct copy *c, off_t off, size_t len)
{
	ssize_t n = pread(c->from, c->buf, len < COPY_BUF ? len : COPY_BUF, off), put = 0;

	for (ssize_t done = 0; done < n; done += put) {
		put = pwrite(c->to, c->buf + done, (size_t)(n - done), off + done);
		if (put < 0 && errno == EINTR)
			put = 0;
		if (put < 0)
			return -1;
	}
	return n;
}

/* len bytes at off, or fewer: 0: the image has become shorter; -1 with errno. */
static ssize_t copy_some(struct copy *c, off_t off, size_t len)
{
	off_t in = off, out = off;
	ssize_t n = -1;

	if (!c->buf) {
		n = copy_file_range(c->from, &in, c->to, &out, len, 0);
		/* Between file systems, and with some, it does not work. */
		if (n < 0 &&
		    (errno == EXDEV || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS))
			c->buf = malloc(COPY_BUF);
	}
	return c->buf ? copy_through(c, off, len) : n;
}

static int copy_range(struct copy *c, off_t at, off_t end)
{
	while (at < end) {
		size_t part = (size_t)(end - at) < 8 * MIB ? (size_t)(end - at) : 8 * MIB;
		ssize_t n = copy_some(c, at, part);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		if (c->progress)
			c->progress(c->opaque, (uint64_t)at, c->size);
	}
	return 0;
}

static int copy_data(struct copy *c)
{
	off_t data, hole = 0;
	int rc = ftruncate(c->to, (off_t)c->size) ? -errno : 0;

	if (rc || ioctl(c->to, FICLONE, c->from) == 0)
		return rc;
	while (!rc && hole < (off_t)c->size) {
		data = lseek(c->from, hole, SEEK_DATA);
		if (data < 0)
			return errno == ENXIO ? 0 : -errno;
		hole = lseek(c->from, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		rc = copy_range(c, data, hole);
	}
	return rc;
}

int image_copy(const struct image *img, const char *path,
	       void (*progress)(void *opaque, uint64_t done, uint64_t all), void *opaque,
	       struct err *err)
{
	struct copy c = { .from = open(img->disk, O_RDONLY | O_CLOEXEC), .size = img->size,
			  .progress = progress, .opaque = opaque };
	int rc;

	if (c.from < 0)
		return err_sys(err, -errno, "%s", img->disk);
	c.to = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (c.to < 0) {
		rc = err_sys(err, -errno, "%s", path);
		close(c.from);
		return rc;
	}
	rc = copy_data(&c);
	free(c.buf);
	if (close(c.to) && !rc)
		rc = -errno;
	close(c.from);
	if (rc) {
		unlink(path);
		return err_sys(err, rc, "%s cannot be copied to %s", img->disk, path);
	}
	return 0;
}
