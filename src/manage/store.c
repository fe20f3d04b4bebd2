/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMP_PREFIX ".new-"

static int find_home(struct store *s, struct err *err)
{
	const char *own = getenv("HOSPES_HOME"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	int n;

	if (own && *own)
		n = snprintf(s->home, sizeof(s->home), "%s", own);
	else if (geteuid() == 0)
		n = snprintf(s->home, sizeof(s->home), "/var/lib/hospes");
	else if (data && data[0] == '/')
		n = snprintf(s->home, sizeof(s->home), "%s/hospes", data);
	else if (home && home[0] == '/')
		n = snprintf(s->home, sizeof(s->home), "%s/.local/share/hospes", home);
	else
		return err_set(err, -ENOENT, "no place for the store: set HOSPES_HOME or HOME");
	if (n >= (int)sizeof(s->home) - 256)
		return err_set(err, -ENAMETOOLONG, "the path of the store is too long; set HOSPES_HOME");
	if (s->home[0] != '/')
		return err_set(err, -EINVAL, "HOSPES_HOME is '%s'; it must be an absolute path", s->home);
	return 0;
}

/* mkdir -p */
static int make_folders(const char *path, struct err *err)
{
	char part[STORE_PATH_MAX + 64];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(part, 0700) && errno != EEXIST)
			return err_sys(err, -errno, "%s cannot be made (HOSPES_HOME names another store)",
				       part);
		if (!slash)
			return 0;
		*slash = '/';
	}
}

int store_path(const struct store *s, char *buf, size_t size, struct err *err, const char *fmt, ...)
{
	va_list ap;
	int used = snprintf(buf, size, "%s/", s->home), n;

	if (used < 0 || (size_t)used >= size)
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", s->home);
	va_start(ap, fmt);
	n = vsnprintf(buf + used, size - (size_t)used, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= size - (size_t)used)
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", buf);
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int store_discard(const char *path, struct err *err)
{
	if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
		return err_sys(err, -errno, "%s cannot be removed", path);
	return 0;
}

/* A half-made folder whose maker is gone: the maker holds a lock on it (store_new_vm). */
static void remove_if_abandoned(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char name[STORE_PATH_MAX + 320];
	struct err err;
	int fd;

	snprintf(name, sizeof(name), "%s/making", path);
	fd = open(name, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock) == 0)
		store_discard(path, &err);
	if (fd >= 0)
		close(fd);
	else if (errno == ENOENT)
		rmdir(path);
}

static int remove_half_made(const struct store *s, struct err *err)
{
	char path[STORE_PATH_MAX], full[STORE_PATH_MAX + 300];
	struct dirent *e;
	DIR *d;
	int rc = store_path(s, path, sizeof(path), err, "vms");

	if (rc)
		return rc;
	d = opendir(path);
	if (!d)
		return err_sys(err, -errno, "%s", path);
	while ((e = readdir(d)))
		if (!strncmp(e->d_name, TEMP_PREFIX, strlen(TEMP_PREFIX))) {
			snprintf(full, sizeof(full), "%s/%s", path, e->d_name);
			remove_if_abandoned(full);
		}
	closedir(d);
	return 0;
}

int store_open(struct store *s, struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = find_home(s, err);

	if (!rc)
		rc = store_path(s, path, sizeof(path), err, "vms");
	if (!rc)
		rc = make_folders(path, err);
	if (!rc)
		rc = store_path(s, path, sizeof(path), err, "images");
	if (!rc)
		rc = make_folders(path, err);
	return rc ? rc : remove_half_made(s, err);
}

bool store_has_vm(const struct store *s, const char *name)
{
	char path[STORE_PATH_MAX];

	return !store_path(s, path, sizeof(path), NULL, "vms/%s/config.json", name) &&
	       access(path, F_OK) == 0;
}

int store_new_vm(const struct store *s, char *temp, struct err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char name[STORE_PATH_MAX + 16];
	int fd, rc = store_path(s, temp, STORE_PATH_MAX, err, "vms/" TEMP_PREFIX "XXXXXX");

	if (rc)
		return rc;
	if (!mkdtemp(temp))
		return err_sys(err, -errno, "%s cannot be made", temp);
	snprintf(name, sizeof(name), "%s/making", temp);
	/* Stays open until this process ends: the lock says that the maker lives. */
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock)) {
		rc = err_sys(err, -errno, "%s cannot be locked", name);
		store_discard(temp, NULL);
		return rc;
	}
	return 0;
}

int store_commit_vm(const struct store *s, const char *temp, const char *name, struct err *err)
{
	char path[STORE_PATH_MAX], making[STORE_PATH_MAX + 16];
	int rc = store_path(s, path, sizeof(path), err, "vms/%s", name);

	if (rc)
		return rc;
	snprintf(making, sizeof(making), "%s/making", temp);
	if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE))
		return errno == EEXIST
			? err_set(err, -EEXIST, "a VM named '%s' exists already: choose another name, or "
				  "start it with 'hospes run --name %s'", name, name)
			: err_sys(err, -errno, "%s cannot be renamed to %s", temp, path);
	snprintf(making, sizeof(making), "%s/making", path);
	unlink(making);
	return 0;
}
