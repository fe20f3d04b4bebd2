/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "block/lock.h"

/*
 * How long a lock is waited for: a monitor that was killed holds its own until the kernel has
 * taken its memory apart.
 */
enum { LOCK_PATIENCE_MS = 1000 };

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

static int compare_ints(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void vm_files_close_others(const struct vm_files *f)
{
	int keep[sizeof(*f) / sizeof(int)], next = STDERR_FILENO + 1;

	memcpy(keep, f, sizeof(keep));
	qsort(keep, ARRAY_LEN(keep), sizeof(*keep), compare_ints);
	for (size_t i = 0; i < ARRAY_LEN(keep); i++) {
		if (keep[i] > next)
			close_range((unsigned)next, (unsigned)keep[i] - 1, 0);
		if (keep[i] >= next)
			next = keep[i] + 1;
	}
	close_range((unsigned)next, UINT_MAX, 0);
}

static int open_one(int *fd, const char *path, int flags, const char *what, struct err *err)
{
	int got;

	if (!path)
		return 0;
	/* Not blocking: a FIFO in a file's place must not hang the start. */
	*fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0 && errno == EINVAL && flags & O_DIRECT)
		return err_set(err, -EINVAL, "%s: its file system has no direct I/O; leave ',direct' away",
			       path);
	if (*fd < 0)
		return err_sys(err, -errno, "%s: the %s cannot be opened", path, what);
	/* io_uring takes the flag at its word: I/O that would wait fails on some file systems. */
	got = fcntl(*fd, F_GETFL);
	if (got < 0 || fcntl(*fd, F_SETFL, got & ~O_NONBLOCK))
		return err_sys(err, -errno, "%s", path);
	return 0;
}

/*
 * Waits for the lock in a child: it belongs to the open file, which is the same there. So the wait
 * can be given up without signals to ourselves.
 */
static void await_lock(int fd, bool exclusive)
{
	struct flock lock = { .l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };
	struct pollfd ended = { .events = POLLIN };
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			fcntl(fd, F_OFD_SETLKW, &lock);
		_exit(EXIT_SUCCESS);
	}
	if (pid < 0)
		return;
	ended.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ended.fd >= 0) {
		poll(&ended, 1, LOCK_PATIENCE_MS);
		close(ended.fd);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int lock(int fd, bool exclusive, const char *path, struct err *err)
{
	int rc = blk_lock(fd, exclusive, path, err);

	if (rc != -EBUSY)
		return rc;
	await_lock(fd, exclusive);
	return blk_lock(fd, exclusive, path, err);
}

static int open_disk(int *fd, const struct vmconfig_disk *d, struct err *err)
{
	int flags = (d->readonly ? O_RDONLY : O_RDWR) | (d->direct ? O_DIRECT : 0);
	int rc = open_one(fd, d->file, flags, "disk", err);

	return rc ? rc : lock(*fd, !d->readonly, d->file, err);
}

static int open_pflash(struct vm_files *f, const struct vmconfig *c, unsigned i, struct err *err)
{
	int rc = open_one(&f->pflash[i], c->pflash[i], i ? O_RDWR : O_RDONLY, "flash image", err);

	if (rc || !i || !c->pflash[i])
		return rc;
	return lock(f->pflash[i], true, c->pflash[i], err);
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
