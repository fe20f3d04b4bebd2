/* SPDX-License-Identifier: Apache-2.0 */
/* hospes image export, verify: an image's disk is read. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/image_add.h"
#include "cli/progress.h"
#include "manage/image.h"
#include "manage/transfer.h"

/*
 * The image into the open file `to`. What was read must have the image's digest: a disk that rots
 * is not handed on.
 */
static int transfer(const struct image_args *a, const struct image *img, const char *doing,
		    struct transfer *t, struct err *err)
{
	struct progress bar;
	int rc;

	progress_begin(&bar, doing, a->first, a->quiet);
	t->from = open(img->disk, O_RDONLY | O_CLOEXEC);
	t->from_name = img->disk;
	t->max = UINT64_MAX;
	t->progress = progress_show;
	t->opaque = &bar;
	if (t->from < 0)
		return err_sys(err, -errno, "%s", img->disk);
	rc = transfer_run(t, err);
	progress_end(&bar);
	close(t->from);
	if (!rc && img->digest[0] && strcmp(img->digest, t->disk_digest))
		rc = err_set(err, -EUCLEAN,
			     "%s is damaged: its SHA-256 is %s; 'hospes image rm' its "
			     "names, and add it again",
			     img->disk, t->disk_digest);
	return rc;
}

/* Under another name first, so that FILE is whole or not there. */
static int export_to(const struct image_args *a, const struct image *img, struct err *err)
{
	struct transfer t = { .to_name = a->second, .compress = transfer_is_compressed(a->second) };
	char temp[PATH_MAX];
	int rc;

	if (snprintf(temp, sizeof(temp), "%s.XXXXXX", a->second) >= (int)sizeof(temp))
		return err_set(err, -ENAMETOOLONG, "%.80s...: the path is too long", a->second);
	t.to = mkostemp(temp, O_CLOEXEC);
	if (t.to < 0)
		return err_sys(err, -errno, "%s cannot be made", a->second);
	rc = transfer(a, img, "exporting", &t, err);
	if (!rc && (fchmod(t.to, 0644) || fsync(t.to)))
		rc = err_sys(err, -errno, "%s cannot be written", a->second);
	if (!rc && renameat2(AT_FDCWD, temp, AT_FDCWD, a->second, a->force ? 0 : RENAME_NOREPLACE))
		rc = errno == EEXIST
			     ? err_set(err, -EEXIST, "%s is there already; --force replaces it",
				       a->second)
			     : err_sys(err, -errno, "%s cannot be made", a->second);
	if (rc)
		unlink(temp);
	close(t.to);
	if (!rc && !a->quiet)
		printf("%s  %s\n", t.file_digest, a->second);
	return rc;
}

int image_export(const struct image_args *a)
{
	struct store store = { 0 };
	struct image img;
	struct err err;
	int rc = store_open(&store, &err);

	if (!rc && !a->force && access(a->second, F_OK) == 0)
		rc = err_set(&err, -EEXIST, "%s is there already; --force replaces it", a->second);
	if (!rc)
		rc = image_find(&img, &store, a->first, &err);
	if (!rc)
		rc = export_to(a, &img, &err);
	store_close(&store);
	return rc ? command_fail(CLI_FAILED, "%s", err.msg) : CLI_OK;
}

int image_verify(const struct image_args *a)
{
	struct transfer t = { .to = -1, .to_name = "/dev/null", .discard = true };
	struct store store = { 0 };
	struct image img;
	struct err err;
	int rc = store_open(&store, &err);

	if (!rc)
		rc = image_find(&img, &store, a->first, &err);
	if (!rc && !img.digest[0])
		rc = err_set(&err, -ENODATA,
			     "image '%s' has no digest to compare with: it is of an older form",
			     a->first);
	if (!rc)
		rc = transfer(a, &img, "reading", &t, &err);
	store_close(&store);
	if (rc)
		return command_fail(CLI_FAILED, "%s", err.msg);
	if (!a->quiet)
		printf("%s: sha256:%s is right\n", a->first, img.digest);
	return CLI_OK;
}
