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

#define NEW_PREFIX ".new-"
#define OLD_PREFIX ".old-"

int store_find(struct store *s, struct err *err)
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
	/* Somebody else may be at it too: who stopped there would leave the rest. */
	return remove(path) && errno != ENOENT ? -1 : 0;
}

int store_discard(const char *path, struct err *err)
{
	if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
		return err_sys(err, -errno, "%s cannot be removed", path);
	return 0;
}

/* True when path can be locked: nobody has it. fd >= 0 then, until the caller closes it. */
static bool lock_file(const char *folder, const char *file, int *fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[STORE_PATH_MAX + 320];

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return errno == ENOENT;
	return fcntl(*fd, F_OFD_SETLK, &lock) == 0;
}

/* A folder with `making` in it whose maker and supervisor are gone: each held a lock. */
static void remove_if_abandoned(const char *path)
{
	int making = -1, running = -1;

	if (lock_file(path, "making", &making) && making >= 0 && lock_file(path, "lock", &running))
		store_discard(path, NULL);
	if (running >= 0)
		close(running);
	if (making >= 0)
		close(making);
	else
		/* Empty: killed before the file was made. A VM's folder never is. */
		rmdir(path);
}

/*
 * A folder that is begun is empty, then has a file that nobody holds: under a shared lock, so that
 * who looks for abandoned ones (under an exclusive one) sees neither. -errno or the descriptor.
 */
static int lock_store(const struct store *s, short type, bool wait, struct err *err)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };
	char path[STORE_PATH_MAX];
	int fd, rc = store_path(s, path, sizeof(path), err, "vms/.lock");

	if (rc)
		return rc;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) == 0)
		return fd;
	rc = err_sys(err, -errno, "%s cannot be locked", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static int remove_abandoned(const struct store *s, struct err *err)
{
	char path[STORE_PATH_MAX], full[STORE_PATH_MAX + 300];
	struct dirent *e;
	DIR *d;
	int lock, rc = store_path(s, path, sizeof(path), err, "vms");

	if (rc)
		return rc;
	d = opendir(path);
	if (!d)
		return err_sys(err, -errno, "%s", path);
	lock = lock_store(s, F_WRLCK, false, NULL);
	while (lock >= 0 && (e = readdir(d))) {
		snprintf(full, sizeof(full), "%s/%s", path, e->d_name);
		if (starts_with(e->d_name, OLD_PREFIX))
			store_discard(full, NULL);
		else if (e->d_name[0] != '.' || starts_with(e->d_name, NEW_PREFIX))
			remove_if_abandoned(full);
	}
	closedir(d);
	if (lock >= 0)
		close(lock);
	return 0;
}

int store_open(struct store *s, struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = store_find(s, err);

	if (!rc)
		rc = store_path(s, path, sizeof(path), err, "vms");
	if (!rc)
		rc = make_folders(path, err);
	if (!rc)
		rc = store_path(s, path, sizeof(path), err, "images");
	if (!rc)
		rc = make_folders(path, err);
	return rc ? rc : remove_abandoned(s, err);
}

bool store_has_vm(const struct store *s, const char *name)
{
	char path[STORE_PATH_MAX];

	return !store_path(s, path, sizeof(path), NULL, "vms/%s/config.json", name) &&
	       access(path, F_OK) == 0;
}

static int begin_vm(char *temp, struct err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char name[STORE_PATH_MAX + 16];
	int fd, rc;

	if (!mkdtemp(temp))
		return err_sys(err, -errno, "%s cannot be made", temp);
	snprintf(name, sizeof(name), "%s/making", temp);
	/* Stays open until this process ends: the lock says that the maker lives. */
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock)) {
		rc = err_sys(err, -errno, "%s cannot be locked", name);
		if (fd >= 0)
			close(fd);
		store_discard(temp, NULL);
		return rc;
	}
	return 0;
}

int store_new_vm(const struct store *s, char *temp, struct err *err)
{
	int lock, rc = store_path(s, temp, STORE_PATH_MAX, err, "vms/" NEW_PREFIX "XXXXXX");

	if (rc)
		return rc;
	lock = lock_store(s, F_RDLCK, true, err);
	if (lock < 0)
		return lock;
	rc = begin_vm(temp, err);
	close(lock);
	return rc;
}

int store_commit_vm(const struct store *s, const char *temp, const char *name, struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = store_path(s, path, sizeof(path), err, "vms/%s", name);

	if (rc)
		return rc;
	if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE))
		return errno == EEXIST
			? err_set(err, -EEXIST, "a VM named '%s' exists already: choose another name, or "
				  "start it with 'hospes run --name %s'", name, name)
			: err_sys(err, -errno, "%s cannot be renamed to %s", temp, path);
	return 0;
}

int store_keep_vm(const struct store *s, const char *name, struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = store_path(s, path, sizeof(path), err, "vms/%s/making", name);

	if (!rc && unlink(path))
		return err_sys(err, -errno, "%s cannot be removed", path);
	return rc;
}

int store_remove_vm(const struct store *s, const char *name, struct err *err)
{
	char path[STORE_PATH_MAX], old[STORE_PATH_MAX];
	int running = -1;
	int rc = store_path(s, path, sizeof(path), err, "vms/%s", name);

	if (!rc)
		rc = store_path(s, old, sizeof(old), err, "vms/" OLD_PREFIX "%s.%d", name, getpid());
	if (rc)
		return rc;
	if (!lock_file(path, "lock", &running))
		rc = err_set(err, -EBUSY, "VM '%s' runs; it cannot be removed", name);
	else if (rename(path, old))
		rc = err_sys(err, -errno, "%s cannot be removed", path);
	else
		rc = store_discard(old, err);
	if (running >= 0)
		close(running);
	return rc;
}
