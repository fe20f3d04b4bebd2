/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/bounded_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static int start_new(struct bounded_log *l)
{
	char older[64];

	snprintf(older, sizeof(older), "%s.1", l->name);
	if (renameat(l->dir, l->name, l->dir, older) && errno != ENOENT)
		return -errno;
	l->fd = openat(l->dir, l->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	l->size = 0;
	return l->fd < 0 ? -errno : 0;
}

static int go_on(struct bounded_log *l)
{
	struct stat st;

	l->fd = openat(l->dir, l->name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->fd < 0 || fstat(l->fd, &st))
		return -errno;
	l->size = (uint64_t)st.st_size;
	return 0;
}

int bounded_log_open(struct bounded_log *l, int dir, const char *name, uint64_t bound, bool renew,
		     struct err *err)
{
	int rc;

	*l = (struct bounded_log){ .name = name, .dir = dir, .fd = -1, .bound = bound };
	rc = renew ? start_new(l) : go_on(l);
	return rc ? err_sys(err, rc, "%s cannot be created in the VM's folder", name) : 0;
}

void bounded_log_close(struct bounded_log *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void bounded_log_write(struct bounded_log *l, const uint8_t *buf, size_t len)
{
	int rc = 0;

	if (l->fd >= 0 && l->size + len > l->bound) {
		bounded_log_close(l);
		rc = start_new(l);
	}
	while (!rc && l->fd >= 0 && len) {
		ssize_t n = write(l->fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = -errno;
			break;
		}
		buf += n;
		len -= (size_t)n;
		l->size += (uint64_t)n;
	}
	if (rc) {
		bounded_log_close(l);
		log_warn("%s: %s; it is written no more", l->name, strerror(-rc));
	}
}
