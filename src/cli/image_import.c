/* SPDX-License-Identifier: Apache-2.0 */
/* hospes image import: a file becomes an image. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/image_add.h"
#include "manage/draft.h"
#include "manage/transfer.h"

/* Descriptor of a regular file, or -errno. */
static int open_file(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_sys(err, -errno, "%s", path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return err_set(err, -EINVAL, "%s is no file: give a raw disk, or one compressed with zstd",
		       path);
}

int image_import(const struct image_args *a)
{
	struct store store = { 0 };
	struct err err;
	const char *arch;
	int fd = -1, rc = image_arch(a, &arch, &err);

	if (rc)
		return command_fail(CLI_USAGE, "%s", err.msg);
	rc = store_open(&store, &err);
	if (!rc && !a->force)
		rc = image_name_free(&store, a->second, &err);
	if (!rc)
		rc = fd = open_file(a->first, &err);
	if (rc >= 0)
		rc = image_add_file(a, &store, fd, transfer_is_compressed(a->first), a->first,
				    a->second, arch, &err);
	if (fd >= 0)
		close(fd);
	store_close(&store);
	return rc ? command_fail(CLI_FAILED, "%s", err.msg) : CLI_OK;
}
