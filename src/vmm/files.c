/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "block/lock.h"

/* struct vm_files is descriptors only: walked as an array where all are treated alike. */
_Static_assert(sizeof(struct vm_files) % sizeof(int) == 0, "vm_files holds ints only");

void vm_files_init(struct vm_files *f)
{
	memset(f, 0xff, sizeof(*f));
}

void vm_files_close(struct vm_files *f)
{
	int *fds = (int *)f;

	for (size_t i = 0; i < sizeof(*f) / sizeof(int); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	vm_files_init(f);
}

static int open_one(int *fd, const char *path, int flags, const char *what, struct err *err)
{
	if (!path)
		return 0;
	/* Not blocking: a FIFO in a file's place must not hang the start. */
	*fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0)
		return err_sys(err, -errno, "%s: the %s cannot be opened", path, what);
	return 0;
}

static int open_disk(int *fd, const struct vmconfig_disk *d, struct err *err)
{
	int flags = (d->readonly ? O_RDONLY : O_RDWR) | (d->direct ? O_DIRECT : 0);
	int rc = open_one(fd, d->file, flags, "disk", err);

	return rc ? rc : blk_lock(*fd, !d->readonly, d->file, err);
}

static int open_pflash(struct vm_files *f, const struct vmconfig *c, unsigned i, struct err *err)
{
	int rc = open_one(&f->pflash[i], c->pflash[i], i ? O_RDWR : O_RDONLY, "flash image", err);

	if (rc || !i || !c->pflash[i])
		return rc;
	return blk_lock(f->pflash[i], true, c->pflash[i], err);
}

static int open_all(struct vm_files *f, const struct vmconfig *c, struct err *err)
{
	int rc = open_one(&f->kernel, c->kernel, O_RDONLY, "kernel", err);

	if (!rc)
		rc = open_one(&f->initrd, c->initrd, O_RDONLY, "initrd", err);
	if (!rc)
		rc = open_one(&f->firmware, c->firmware, O_RDONLY, "firmware", err);
	for (unsigned i = 0; !rc && i < VMCONFIG_MAX_PFLASH; i++)
		rc = open_pflash(f, c, i, err);
	for (unsigned i = 0; !rc && i < c->disk_count; i++)
		rc = open_disk(&f->disks[i], &c->disks[i], err);
	return rc;
}

int vm_files_open(struct vm_files *f, const struct vmconfig *c, struct err *err)
{
	int rc;

	vm_files_init(f);
	rc = open_all(f, c, err);
	if (rc)
		vm_files_close(f);
	return rc;
}
