/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/console_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static const char current[] = "console.log", older[] = "console.log.1";

static int start_new(struct console_log *l)
{
	if (renameat(l->dir, current, l->dir, older) && errno != ENOENT)
		return -errno;
	l->fd = openat(l->dir, current, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	l->size = 0;
	return l->fd < 0 ? -errno : 0;
}

int console_log_open(struct console_log *l, int dir, struct err *err)
{
	int rc;

	*l = (struct console_log){ .dir = dir, .fd = -1 };
	rc = start_new(l);
	return rc ? err_sys(err, rc, "%s cannot be created in the VM's folder", current) : 0;
}

void console_log_close(struct console_log *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void console_log_write(struct console_log *l, const uint8_t *buf, size_t len)
{
	int rc = 0;

	if (l->fd >= 0 && l->size + len > CONSOLE_LOG_BYTES) {
		console_log_close(l);
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
		log_warn("%s: %s; the console is no longer logged", current, strerror(-rc));
		console_log_close(l);
	}
}
