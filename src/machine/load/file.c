/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/load/file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/overflow.h"

int load_file_open(struct load_file *f, int fd, const char *name, struct err *err)
{
	struct stat st;
	off_t end;

	if (fstat(fd, &st))
		return err_sys(err, -errno, "%s: cannot be read", name);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, -EINVAL, "%s: is no regular file; name the file itself", name);
	end = S_ISREG(st.st_mode) ? st.st_size : lseek(fd, 0, SEEK_END);
	if (end < 0)
		return err_sys(err, -errno, "%s: its size cannot be read", name);
	if (end == 0)
		return err_set(err, -EINVAL, "%s: is empty; download or build it again", name);
	*f = (struct load_file){ .fd = fd, .name = name, .size = (uint64_t)end };
	return 0;
}

int load_file_read(const struct load_file *f, uint64_t off, void *buf, uint64_t len,
		   struct err *err)
{
	uint8_t *at = buf;

	if (!range_within(off, len, INT64_MAX))
		return err_set(err, -ENODATA, "%s: is cut short or damaged; get it again", f->name);
	while (len) {
		ssize_t n = pread(f->fd, at, len < (1u << 30) ? len : 1u << 30, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, -errno, "%s: cannot be read", f->name);
		if (n == 0)
			return err_set(err, -ENODATA, "%s: is cut short (%" PRIu64
				       " bytes missing); get it again", f->name, len);
		at += n;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

uint8_t *load_span(const struct gmem *mem, gpa_t gpa, uint64_t *len)
{
	const struct gmem_region *r = gmem_find(mem, gpa);
	uint64_t off;

	if (!r)
		return NULL;
	off = gpa - r->base;
	if (*len > r->size - off)
		*len = r->size - off;
	return r->host + off;
}

static int no_memory(const struct load_file *f, gpa_t gpa, uint64_t len, struct err *err)
{
	return err_set(err, -ENOSPC, "%s: does not fit: its %" PRIu64 " KiB at %#" PRIx64
		       " are not all in the VM's memory; give the VM more memory (-m)",
		       f->name, (len + 1023) >> 10, gpa);
}

int load_check_range(const struct load_file *f, const struct gmem *mem, gpa_t gpa, uint64_t len,
		     struct err *err)
{
	gpa_t at = gpa;
	uint64_t left = len, end;

	if (!checked_add(gpa, len, &end))
		return no_memory(f, gpa, len, err);
	while (left) {
		uint64_t n = left;

		if (!load_span(mem, at, &n))
			return no_memory(f, gpa, len, err);
		at += n;
		left -= n;
	}
	return 0;
}

int load_file_to_guest(const struct load_file *f, uint64_t off, const struct gmem *mem, gpa_t gpa,
		       uint64_t len, struct err *err)
{
	int rc = load_check_range(f, mem, gpa, len, err);

	while (!rc && len) {
		uint64_t n = len;
		uint8_t *host = load_span(mem, gpa, &n);

		rc = load_file_read(f, off, host, n, err);
		off += n;
		gpa += n;
		len -= n;
	}
	return rc;
}

int load_zero(const struct load_file *f, const struct gmem *mem, gpa_t gpa, uint64_t len,
	      struct err *err)
{
	int rc = load_check_range(f, mem, gpa, len, err);

	while (!rc && len) {
		uint64_t n = len;
		uint8_t *host = load_span(mem, gpa, &n);

		memset(host, 0, n);
		gpa += n;
		len -= n;
	}
	return rc;
}
