/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/store_old.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Half-made and half-removed folders had such names. */
#define NEW_PREFIX ".new-"
#define OLD_PREFIX ".old-"

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* True when somebody holds folder/file. */
static bool is_held(const char *folder, const char *file)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[STORE_PATH_MAX + 320];
	bool held;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	held = fcntl(fd, F_OFD_GETLK, &lock) || lock.l_type != F_UNLCK;
	close(fd);
	return held;
}

/* Disks that lie in the VM's folder move with it. */
static int move_paths(struct vmconfig *c, const char *from, const char *to, struct err *err)
{
	size_t len = strlen(from);

	for (unsigned i = 0; i < c->disk_count; i++) {
		char *file = c->disks[i].file, *moved;

		if (strncmp(file, from, len) || file[len] != '/')
			continue;
		if (asprintf(&moved, "%s%s", to, file + len) < 0)
			return err_set(err, -ENOMEM, "out of memory");
		free(file);
		c->disks[i].file = moved;
	}
	return 0;
}

static int rename_folder(struct store *s, const char *folder, struct err *err)
{
	char config[STORE_PATH_MAX + 320], to[STORE_PATH_MAX];
	struct vmconfig c;
	int rc;

	snprintf(config, sizeof(config), "%s/config.json", folder);
	if (access(config, F_OK))
		return 0;	/* no VM, and not ours */
	rc = vmconfig_load(&c, config, err);
	if (rc)
		return rc;
	rc = store_path(s, to, sizeof(to), err, "vms/%s", c.uuid);
	if (!rc && strcmp(folder, to)) {
		rc = move_paths(&c, folder, to, err);
		/* The configuration first: a folder under its new name is done with. */
		if (!rc)
			rc = vmconfig_save(&c, config, err);
		if (!rc && renameat2(AT_FDCWD, folder, AT_FDCWD, to, RENAME_NOREPLACE))
			rc = errno == EEXIST
				? err_set(err, -EEXIST, "%s and %s have the same uuid; move one of them away",
					  folder, to)
				: err_sys(err, -errno, "%s cannot be renamed to %s", folder, to);
	}
	vmconfig_fini(&c);
	return rc;
}

static int handle_folder(struct store *s, const char *folder, const char *name, struct err *err)
{
	char making[STORE_PATH_MAX + 320];

	if (is_held(folder, "lock") || is_held(folder, "making"))
		return err_set(err, -EBUSY, "%s is in use by an older hospes; stop that VM, and this version "
			       "takes the store over", folder);
	snprintf(making, sizeof(making), "%s/making", folder);
	/* Nobody's any more: half made, half removed, or temporary. */
	if (starts_with(name, OLD_PREFIX) || starts_with(name, NEW_PREFIX) || access(making, F_OK) == 0)
		return store_discard(folder, err);
	/* Empty: killed before anything was in it. A VM's folder never is. */
	if (rmdir(folder) == 0)
		return 0;
	return rename_folder(s, folder, err);
}

static int fill_row(struct store *s, const char *folder, struct err *err)
{
	char config[STORE_PATH_MAX + 320];
	struct vmconfig c;
	struct stat st;
	int64_t created;
	int rc;

	snprintf(config, sizeof(config), "%s/config.json", folder);
	if (access(config, F_OK))
		return 0;	/* no VM, and not ours */
	rc = vmconfig_load(&c, config, err);
	if (rc)
		return rc;
	created = stat(config, &st) ? 0 : st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	rc = db_run(&s->db, NULL, err, "INSERT INTO vms (id, name, created_ns, state, image) "
		    "VALUES (?, ?, ?, 'ready', '')", "ssi", c.uuid, c.name, created);
	if (rc == -EEXIST)
		err_set(err, rc, "two VMs in %s/vms are called '%s'; move one of their folders away", s->home,
			c.name);
	vmconfig_fini(&c);
	return rc;
}

static int each_folder(struct store *s, bool fill, struct err *err)
{
	char vms[STORE_PATH_MAX], folder[STORE_PATH_MAX + 300];
	struct dirent *e;
	DIR *d;
	int rc = store_path(s, vms, sizeof(vms), err, "vms");

	if (rc)
		return rc;
	d = opendir(vms);
	if (!d)
		return err_sys(err, -errno, "%s", vms);
	while (!rc && (e = readdir(d))) {
		if (e->d_name[0] == '.' && !starts_with(e->d_name, OLD_PREFIX) &&
		    !starts_with(e->d_name, NEW_PREFIX))
			continue;
		snprintf(folder, sizeof(folder), "%s/%s", vms, e->d_name);
		rc = fill ? fill_row(s, folder, err) : handle_folder(s, folder, e->d_name, err);
	}
	closedir(d);
	return rc;
}

int store_old_take_over(struct store *s, struct err *err)
{
	int rc = each_folder(s, false, err);

	return rc ? rc : each_folder(s, true, err);
}
