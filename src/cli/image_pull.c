/* SPDX-License-Identifier: Apache-2.0 */
/* hospes image pull: an image comes from a server. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/image_add.h"
#include "cli/progress.h"
#include "manage/catalogue.h"
#include "manage/draft.h"
#include "manage/pull.h"
#include "manage/transfer.h"

/* What to download, from where, and what to call it. */
static int choose(const struct image_args *a, struct catalogue_entry *e, const char **name,
		  struct err *err)
{
	const char *arch;
	int rc = image_arch(a, &arch, err);

	if (rc)
		return rc;
	*name = a->second ? a->second : a->first;
	if (!strstr(a->first, "://")) {
		if (a->sha256 || a->arch)
			return err_set(err, -EINVAL,
				       "--%s goes with a URL: a catalogue has its own",
				       a->sha256 ? "sha256" : "arch");
		return catalogue_find(e, a->first, HOSPES_CATALOGUE, err);
	}
	if (!a->second)
		return err_set(err, -EINVAL,
			       "the image needs a name: hospes image pull URL NAME --sha256 HEX");
	if (!a->sha256)
		return err_set(
			err, -EINVAL,
			"a URL needs --sha256 HEX: the sum of the file, from where you trust it");
	if (!digest_parse(a->sha256, e->sha256))
		return err_set(err, -EINVAL, "--sha256 %.80s: a SHA-256 has 64 hexadecimal digits",
			       a->sha256);
	if (snprintf(e->url, sizeof(e->url), "%s", a->first) >= (int)sizeof(e->url))
		return err_set(err, -EINVAL, "the URL is too long");
	snprintf(e->arch, sizeof(e->arch), "%s", arch);
	e->size = 0;
	return 0;
}

/* The file the download goes to, named by what it will be, locked: two at once would mix. -errno or
 * fd. */
static int open_partial(const struct store *s, const char *sha256, char path[STORE_PATH_MAX],
			struct err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat here, there;
	int fd, rc = store_path(s, path, STORE_PATH_MAX, err, "images/.pull-%s", sha256);

	if (rc)
		return rc;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, -errno, "%s", path);
	/* One that was just completed, and removed, is not the one that the name means now. */
	if (fcntl(fd, F_OFD_SETLK, &lock) || fstat(fd, &here) || stat(path, &there) ||
	    here.st_ino != there.st_ino) {
		close(fd);
		return err_set(err, -EBUSY,
			       "that file is being downloaded by another command; wait for it");
	}
	return fd;
}

static int pull(const struct image_args *a, const struct store *s, const struct catalogue_entry *e,
		const char *name, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct progress bar;
	struct stat st;
	struct pull p = { .url = e->url, .sha256 = e->sha256, .size = e->size, .max = IMAGE_MAX,
			  .progress = progress_show, .opaque = &bar };
	int fd = open_partial(s, e->sha256, path, err), rc;

	if (fd < 0)
		return fd;
	progress_begin(&bar, "downloading", name, a->quiet);
	rc = pull_file(&p, fd, err);
	progress_end(&bar);
	if (!rc)
		rc = image_add_file(a, s, fd, transfer_is_compressed(e->url), e->url, name, e->arch,
				    err);
	/* What is there already shortens the next attempt; nothing is not worth a file. */
	if (!rc || (fstat(fd, &st) == 0 && st.st_size == 0))
		unlink(path);
	close(fd);
	return rc;
}

int image_pull(const struct image_args *a)
{
	struct store store = { 0 };
	struct catalogue_entry e;
	const char *name;
	struct err err;
	int rc = choose(a, &e, &name, &err);

	if (rc == -EINVAL)
		return command_fail(CLI_USAGE, "%s", err.msg);
	if (!rc)
		rc = store_open(&store, &err);
	if (!rc && !a->force)
		rc = image_name_free(&store, name, &err);
	if (!rc)
		rc = pull(a, &store, &e, name, &err);
	store_close(&store);
	return rc ? command_fail(CLI_FAILED, "%s", err.msg) : CLI_OK;
}
