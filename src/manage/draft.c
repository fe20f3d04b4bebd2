/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/draft.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/vmconfig.h"

#define NEW_PREFIX ".new-"
#define PULL_PREFIX ".pull-"
#define DISK_PREFIX "sha256-"

enum { KEEP_DOWNLOADS_S = 7 * 24 * 3600 };

/* ---- locks ----------------------------------------------------------------------------------- */

static int lock_file(const char *path, int flags, short type, bool wait)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600), rc;

	if (fd < 0)
		return -errno;
	while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock)) {
		if (errno == EINTR)
			continue;
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static int lock_drafts(const struct store *s, short type, bool wait, struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = store_path(s, path, sizeof(path), err, "images/.drafts");

	if (rc)
		return rc;
	rc = lock_file(path, O_CREAT, type, wait);
	return rc < 0 ? err_sys(err, rc, "%s cannot be locked", path) : rc;
}

/* ---- what was left --------------------------------------------------------------------------- */

static void sweep_draft(const char *folder)
{
	char making[STORE_PATH_MAX + 320];
	int fd;

	snprintf(making, sizeof(making), "%s/making", folder);
	fd = lock_file(making, 0, F_WRLCK, false);
	if (fd >= 0 || fd == -ENOENT)
		store_discard(folder, NULL);
	if (fd >= 0)
		close(fd);
}

static void sweep_download(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st) || time(NULL) - st.st_mtime < KEEP_DOWNLOADS_S)
		return;
	fd = lock_file(path, 0, F_WRLCK, false);
	if (fd >= 0) {
		unlink(path);
		close(fd);
	}
}

/* True when a name refers to the folder sha256-HEX; also where that cannot be told. */
static bool is_named(const char *images, const char *hex)
{
	char path[STORE_PATH_MAX + 300];
	struct dirent *e;
	bool found = false;
	DIR *d = opendir(images);

	if (!d)
		return true;
	while (!found && (e = readdir(d))) {
		size_t n = strlen(e->d_name);
		const char *digest;
		json_t *root;

		if (n < 6 || strcmp(e->d_name + n - 5, ".json") || e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", images, e->d_name);
		root = json_load_file(path, 0, NULL);
		digest = json_string_value(json_object_get(root, "digest"));
		found = !root || (digest && !strcmp(digest + strcspn(digest, ":") + 1, hex));
		json_decref(root);
	}
	closedir(d);
	return found;
}

/* A disk that got its digest's name, but maybe no name of its own any more. */
static void sweep_disk(const char *images, const char *folder, const char *hex)
{
	char making[STORE_PATH_MAX + 320];
	int fd;

	snprintf(making, sizeof(making), "%s/making", folder);
	fd = lock_file(making, 0, F_WRLCK, false);
	if (fd < 0)
		return;
	if (is_named(images, hex))
		unlink(making);
	else
		store_discard(folder, NULL);
	close(fd);
}

void image_sweep(const struct store *s)
{
	char path[STORE_PATH_MAX], full[STORE_PATH_MAX + 300];
	int lock = lock_drafts(s, F_WRLCK, false, NULL);
	struct dirent *e;
	DIR *d;

	if (lock < 0)
		return;
	d = store_path(s, path, sizeof(path), NULL, "images") ? NULL : opendir(path);
	while (d && (e = readdir(d))) {
		snprintf(full, sizeof(full), "%s/%s", path, e->d_name);
		if (!strncmp(e->d_name, NEW_PREFIX, strlen(NEW_PREFIX)))
			sweep_draft(full);
		else if (!strncmp(e->d_name, PULL_PREFIX, strlen(PULL_PREFIX)))
			sweep_download(full);
		else if (!strncmp(e->d_name, DISK_PREFIX, strlen(DISK_PREFIX)))
			sweep_disk(path, full, e->d_name + strlen(DISK_PREFIX));
	}
	if (d)
		closedir(d);
	close(lock);
}

/* ---- drafts ---------------------------------------------------------------------------------- */

static int begin_locked(struct image_draft *d, struct err *err)
{
	char making[DRAFT_PATH_MAX];

	if (!mkdtemp(d->folder))
		return err_sys(err, -errno, "%s cannot be made", d->folder);
	snprintf(making, sizeof(making), "%s/making", d->folder);
	snprintf(d->disk, sizeof(d->disk), "%s/disk.raw", d->folder);
	d->lock = lock_file(making, O_CREAT | O_EXCL, F_WRLCK, false);
	if (d->lock < 0) {
		int rc = err_sys(err, d->lock, "%s cannot be locked", making);

		store_discard(d->folder, NULL);
		return rc;
	}
	return 0;
}

int image_begin(struct image_draft *d, const struct store *s, struct err *err)
{
	int lock, rc;

	memset(d, 0, sizeof(*d));
	lock = lock_drafts(s, F_RDLCK, true, err);
	if (lock < 0)
		return lock;
	rc = store_path(s, d->folder, sizeof(d->folder), err, "images/" NEW_PREFIX "XXXXXX");
	if (!rc)
		rc = begin_locked(d, err);
	if (rc)
		d->folder[0] = '\0';
	close(lock);
	return rc;
}

void image_abandon(struct image_draft *d)
{
	if (!d->folder[0])
		return;
	store_discard(d->folder, NULL);
	close(d->lock);
	d->folder[0] = '\0';
}

/* ---- into the store -------------------------------------------------------------------------- */

int image_name_free(const struct store *s, const char *name, struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc;

	if (!vmconfig_name_ok(name))
		return err_set(
			err, -EINVAL,
			"'%.80s' cannot name an image: a name has 1 to 63 letters, "
			"digits, dots, dashes and underscores and begins with a letter or digit",
			name);
	rc = store_path(s, path, sizeof(path), err, "images/%s.json", name);
	if (!rc && access(path, F_OK) == 0)
		rc = err_set(err, -EEXIST,
			     "there is an image '%s' already; choose another name, or replace "
			     "it with --force",
			     name);
	return rc;
}

/* Writes what is at fd or in the folder to the disk. */
static int sync_path(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags), rc;

	if (fd < 0)
		return -errno;
	rc = fsync(fd) ? -errno : 0;
	close(fd);
	return rc;
}

/* root, which it takes, into a new file at path. */
static int write_json(json_t *root, const char *path, struct err *err)
{
	int rc;

	if (!root)
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	rc = json_dump_file(root, path, JSON_INDENT(2)) ? -EIO : sync_path(path, 0);
	json_decref(root);
	if (!rc && chmod(path, 0644))
		rc = -errno;
	return rc ? err_sys(err, rc, "%s cannot be written", path) : 0;
}

static int write_meta(const struct image_draft *d, const char *digest,
		      const struct image_about *about, struct err *err)
{
	char path[DRAFT_PATH_MAX];
	struct timespec now;
	struct stat st;

	if (chmod(d->disk, 0444) || stat(d->disk, &st))
		return err_sys(err, -errno, "%s", d->disk);
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(path, sizeof(path), "%s/meta.json", d->folder);
	return write_json(json_pack("{s:s+, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:I}", "digest",
				    "sha256:", digest, "size", (json_int_t)st.st_size, "mtime_ns",
				    (json_int_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
				    "arch", about->arch, "format", "raw", "boot", "firmware",
				    "source", about->source, "found", about->found, "created_ns",
				    (json_int_t)now.tv_sec * 1000000000 + now.tv_nsec),
			  path, err);
}

/*
 * Gives the draft's folder the name of its digest, or finds that the store has it. Its `making`
 * stays, locked, until a name refers to the disk.
 */
static int add_disk(struct image_draft *d, const char *path, struct err *err)
{
	if (renameat2(AT_FDCWD, d->folder, AT_FDCWD, path, RENAME_NOREPLACE)) {
		if (errno == EEXIST)
			return 0;
		return err_sys(err, -errno, "%s cannot be put into the store as %s", d->folder,
			       path);
	}
	snprintf(d->folder, sizeof(d->folder), "%s", path);
	return 0;
}

static int add_name(const struct store *s, const char *name, const char *digest,
		    const struct image_about *about, bool replace, struct err *err)
{
	char path[STORE_PATH_MAX], folder[STORE_PATH_MAX], old[STORE_PATH_MAX];
	struct image_draft d;
	char temp[DRAFT_PATH_MAX];
	int rc = store_path(s, path, sizeof(path), err, "images/%s.json", name);

	if (!rc)
		rc = store_path(s, old, sizeof(old), err, "images/%s.raw", name);
	if (!rc)
		rc = store_path(s, folder, sizeof(folder), err, "images");
	if (!rc)
		rc = image_begin(&d, s, err);
	if (rc)
		return rc;
	snprintf(temp, sizeof(temp), "%s/name.json", d.folder);
	rc = write_json(json_pack("{s:s, s:s, s:s, s:s, s:s+}", "name", name, "arch", about->arch,
				  "format", "raw", "boot", "firmware", "digest", "sha256:", digest),
			temp, err);
	if (!rc && renameat2(AT_FDCWD, temp, AT_FDCWD, path, replace ? 0 : RENAME_NOREPLACE))
		rc = errno == EEXIST ? image_name_free(s, name, err)
			: err_sys(err, -errno, "%s cannot be written", path);
	/* An image of the older form, which had that name: its disk is nobody's now. */
	if (!rc)
		unlink(old);
	if (!rc)
		rc = sync_path(folder, O_DIRECTORY);
	image_abandon(&d);
	return rc;
}

int image_add(struct image_draft *d, const struct store *s, const char *name, const char *digest,
	      const struct image_about *about, bool replace, struct err *err)
{
	char path[STORE_PATH_MAX], making[DRAFT_PATH_MAX];
	int rc = replace && vmconfig_name_ok(name) ? 0 : image_name_free(s, name, err), lock = -1;

	if (!rc)
		rc = store_path(s, path, sizeof(path), err, "images/" DISK_PREFIX "%s", digest);
	if (!rc)
		rc = write_meta(d, digest, about, err);
	if (!rc && (sync_path(d->disk, 0) || sync_path(d->folder, O_DIRECTORY)))
		rc = err_sys(err, -EIO, "%s cannot be written", d->disk);
	if (!rc)
		rc = lock = lock_drafts(s, F_RDLCK, true, err);
	if (rc >= 0)
		rc = add_disk(d, path, err);
	if (!rc)
		rc = add_name(s, name, digest, about, replace, err);
	if (!rc && !strcmp(d->folder, path)) {
		snprintf(making, sizeof(making), "%s/making", path);
		unlink(making);
		close(d->lock);
		d->folder[0] = '\0';
	}
	if (lock >= 0)
		close(lock);
	/* A disk under its digest is only the sweeper's to remove: another name may refer to it. */
	if (!strcmp(d->folder, path)) {
		close(d->lock);
		d->folder[0] = '\0';
		image_sweep(s);
	}
	image_abandon(d);
	return rc;
}

/* ---- out of the store ------------------------------------------------------------------------ */

static int refuse_user(void *opaque, const struct store_vm *vm, struct err *err)
{
	const char *name = opaque;

	return strcmp(vm->image, name) ? 0
				       : err_set(err, -EBUSY,
						 "VM '%s' was made of image '%s'; remove the VM "
						 "first, or the image "
						 "alone with --force",
						 vm->name, name);
}

/* An empty `making`: the disk goes with its last name. */
static int mark_disk(const struct store *s, const char *digest, struct err *err)
{
	char path[STORE_PATH_MAX];
	int fd, rc = store_path(s, path, sizeof(path), err, "images/" DISK_PREFIX "%s/making",
				digest);

	if (rc)
		return rc;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "%s cannot be made", path);
	close(fd);
	return 0;
}

static int forget_name(const struct store *s, const char *name, struct err *err)
{
	char path[STORE_PATH_MAX], old[STORE_PATH_MAX];
	const char *digest;
	json_t *root;
	int rc = store_path(s, path, sizeof(path), err, "images/%s.json", name);

	if (!rc)
		rc = store_path(s, old, sizeof(old), err, "images/%s.raw", name);
	if (rc)
		return rc;
	root = json_load_file(path, 0, NULL);
	digest = json_string_value(json_object_get(root, "digest"));
	if (digest)
		rc = mark_disk(s, digest + strcspn(digest, ":") + 1, err);
	json_decref(root);
	if (rc)
		return rc;
	if (unlink(path))
		return errno == ENOENT ? err_set(err, -ENOENT, "there is no image '%s'", name)
			: err_sys(err, -errno, "%s cannot be removed", path);
	if (unlink(old) && errno != ENOENT)
		return err_sys(err, -errno, "%s cannot be removed", old);
	return 0;
}

int image_remove(struct store *s, const char *name, bool force, struct err *err)
{
	char path[STORE_PATH_MAX];
	int lock, rc;

	if (!vmconfig_name_ok(name))
		return err_set(err, -EINVAL, "'%.80s' cannot name an image", name);
	rc = store_path(s, path, sizeof(path), err, "images/%s.json", name);
	if (!rc && access(path, F_OK))
		rc = err_set(err, -ENOENT, "there is no image '%s'; 'hospes image ls' lists them",
			     name);
	if (!rc && !force)
		rc = store_list_vms(s, refuse_user, (void *)name, err);
	if (rc)
		return rc;
	lock = lock_drafts(s, F_WRLCK, true, err);
	if (lock < 0)
		return lock;
	rc = forget_name(s, name, err);
	close(lock);
	image_sweep(s);
	return rc;
}
