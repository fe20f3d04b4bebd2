/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "manage/draft.h"
#include "manage/store_old.h"
#include "manage/store_own.h"

/* Each applied once, in order; what was released is never changed, only added to. */
static const char *const migrations[] = {
	"CREATE TABLE vms ("
	"	id TEXT PRIMARY KEY,"
	"	name TEXT NOT NULL UNIQUE,"
	"	created_ns INTEGER NOT NULL,"
	"	state TEXT NOT NULL CHECK (state IN ('making', 'ready', 'removing')),"
	"	image TEXT NOT NULL,"
	"	restart TEXT NOT NULL DEFAULT 'no' CHECK (restart IN ('no', 'on-failure', 'always')),"
	"	autostart INTEGER NOT NULL DEFAULT 0 CHECK (autostart IN (0, 1)),"
	"	auto_remove INTEGER NOT NULL DEFAULT 0 CHECK (auto_remove IN (0, 1))"
	") STRICT;",
};

/* File systems whose locks or shared memory cannot be trusted; see statfs(2). */
static const struct {
	uint64_t type;
	const char *name;
} network_fs[] = {
	{ NFS_SUPER_MAGIC, "NFS" }, { SMB_SUPER_MAGIC, "SMB" }, { CIFS_SUPER_MAGIC, "CIFS" },
	{ SMB2_SUPER_MAGIC, "SMB" }, { V9FS_MAGIC, "9P" }, { FUSE_SUPER_MAGIC, "FUSE" },
	{ CEPH_SUPER_MAGIC, "Ceph" }, { AFS_SUPER_MAGIC, "AFS" }, { AFS_FS_MAGIC, "AFS" },
	{ CODA_SUPER_MAGIC, "Coda" },
};

const char *store_network_fs(uint64_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(network_fs); i++)
		/* The kernel's type is signed, and so are copies of it with 32 bits. */
		if ((uint32_t)network_fs[i].type == (uint32_t)type)
			return network_fs[i].name;
	return NULL;
}

/* ---- places ------------------------------------------------------------------------------ */

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

/* ---- locks ------------------------------------------------------------------------------- */

static int lock_path(const char *path, int flags, short type, bool wait)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600), rc;

	if (fd < 0)
		return -errno;
	do {
		rc = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) ? errno : 0;
	} while (rc == EINTR);
	if (rc)
		close(fd);
	return rc ? (rc == EACCES ? -EAGAIN : -rc) : fd;
}

int store_lock(const struct store *s, short type, struct err *err)
{
	char path[STORE_PATH_MAX];
	int fd, rc = store_path(s, path, sizeof(path), err, "vms/.lock");

	if (rc)
		return rc;
	fd = lock_path(path, O_CREAT, type, true);
	return fd < 0 ? err_sys(err, fd, "%s cannot be locked", path) : fd;
}

int store_lock_vm(const struct store *s, const char *id, const char *file, int flags)
{
	char path[STORE_PATH_MAX];
	int rc = store_path(s, path, sizeof(path), NULL, "vms/%s/%s", id, file);

	return rc ? rc : lock_path(path, flags, F_WRLCK, false);
}

bool store_vm_runs(const struct store *s, const char *id)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[STORE_PATH_MAX];
	bool runs;
	int fd;

	if (store_path(s, path, sizeof(path), NULL, "vms/%s/lock", id))
		return false;
	/* Only asked: taken for a moment, it could be missed by who starts the VM in that moment. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	runs = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return runs;
}

/* ---- repair ------------------------------------------------------------------------------ */

int store_finish_removal(struct store *s, const char *id, struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = store_path(s, path, sizeof(path), err, "vms/%s", id);

	if (!rc)
		rc = store_discard(path, err);
	if (!rc)
		rc = db_run(&s->db, NULL, err, "DELETE FROM vms WHERE id = ? AND state = 'removing'", "s", id);
	return rc;
}

int store_begin_removal(struct store *s, const char *id, const char *state, struct err *err)
{
	int changed = 0;
	int rc = db_run(&s->db, &changed, err, "UPDATE vms SET state = 'removing', name = '.' || id "
			"WHERE id = ? AND state = ?", "ss", id, state);

	if (!rc && !changed)
		return err_set(err, -ENOENT, "that VM is gone; another command has removed it");
	return rc;
}

static bool has_run(const struct store *s, const char *id)
{
	char path[STORE_PATH_MAX];

	return !store_path(s, path, sizeof(path), NULL, "vms/%s/console.log", id) &&
	       access(path, F_OK) == 0;
}

/*
 * Whether a VM that is half made, or ready and temporary, is nobody's. Both locks are held while the row
 * says so, so that nobody starts it in between. The caller closes what is not negative.
 */
static bool is_abandoned(const struct store *s, const char *id, bool ready, int *making, int *running)
{
	*running = -1;
	*making = store_lock_vm(s, id, "making", 0);
	if (*making == -EAGAIN || (*making < 0 && *making != -ENOENT))
		return false;
	/* Without that file it was left to itself: half made it is nothing, ready it waits for its run. */
	if (*making < 0 && ready && !has_run(s, id))
		return false;
	*running = store_lock_vm(s, id, "lock", 0);
	return *running >= 0 || *running == -ENOENT;
}

static int give_up(struct store *s, const char *id, bool ready, struct err *err)
{
	int making, running, rc = 0;

	/* Its maker may have finished since the row was read: then it is in another state by now. */
	if (is_abandoned(s, id, ready, &making, &running))
		rc = store_begin_removal(s, id, ready ? "ready" : "making", err);
	if (making >= 0)
		close(making);
	if (running >= 0)
		close(running);
	return rc == -ENOENT ? 0 : rc;
}

/* Calls act for each row that the condition gives, with its id and whether it is ready. */
static int for_rows(struct store *s, const char *sql, int (*act)(struct store *, const char *, bool,
								struct err *),
		    struct err *err)
{
	char (*ids)[STORE_ID_MAX + 2] = NULL, (*more)[STORE_ID_MAX + 2];
	size_t n = 0, room = 0;
	sqlite3_stmt *query;
	int rc = db_prepare(&s->db, &query, err, sql, "");

	if (rc)
		return rc;
	/* All are read before the first is acted on: no statement is open when another one writes. */
	while ((rc = db_step(&s->db, query, err)) == 1) {
		if (n == room) {
			room = room ? 2 * room : 16;
			more = realloc(ids, room * sizeof(*ids));
			if (!more) {
				rc = err_set(err, -ENOMEM, "out of memory");
				break;
			}
			ids = more;
		}
		snprintf(ids[n++], sizeof(*ids), "%c%s", sqlite3_column_int(query, 1) ? '+' : '-',
			 (const char *)sqlite3_column_text(query, 0));
	}
	sqlite3_finalize(query);
	for (size_t i = 0; !rc && i < n; i++)
		rc = act(s, ids[i] + 1, ids[i][0] == '+', err);
	free(ids);
	return rc;
}

static int finish_one(struct store *s, const char *id, bool ready, struct err *err)
{
	return store_finish_removal(s, id, err);
}

static int lost_one(struct store *s, const char *id, bool ready, struct err *err)
{
	return 1;
}

/* Finishes what was interrupted, and removes what nobody owns. */
static int repair(struct store *s, struct err *err)
{
	static const char unsure[] = "SELECT id, state = 'ready' FROM vms WHERE state = 'making' OR "
				     "(state = 'ready' AND auto_remove)";
	int rc = for_rows(s, unsure, lost_one, err);

	if (rc == 1) {
		int lock = store_lock(s, F_WRLCK, err);

		if (lock < 0)
			return lock;
		rc = for_rows(s, unsure, give_up, err);
		close(lock);
	}
	return rc ? rc : for_rows(s, "SELECT id, 0 FROM vms WHERE state = 'removing'", finish_one, err);
}

/* ---- opening ------------------------------------------------------------------------------ */

static int check_place(const struct store *s, struct err *err)
{
	struct statfs fs;
	const char *name;

	if (statfs(s->home, &fs))
		return err_sys(err, -errno, "%s", s->home);
	name = store_network_fs((uint64_t)fs.f_type);
	if (name)
		return err_set(err, -EREMOTEIO, "%s lies on a network file system (%s), where VMs could be "
			       "started twice and the store be damaged; set HOSPES_HOME to a folder on a local "
			       "disk", s->home, name);
	return 0;
}

static int make_place(struct store *s, struct err *err)
{
	static const char *const folders[] = { "vms", "images" };
	char path[STORE_PATH_MAX];
	int rc = make_folders(s->home, err);

	if (!rc)
		rc = check_place(s, err);
	for (size_t i = 0; !rc && i < ARRAY_LEN(folders); i++) {
		rc = store_path(s, path, sizeof(path), err, "%s", folders[i]);
		if (!rc)
			rc = make_folders(path, err);
	}
	return rc;
}

static int take_over(void *opaque, struct err *err)
{
	return store_old_take_over(opaque, err);
}

static int bring_up_to_date(struct store *s, struct err *err)
{
	int rc, lock = store_lock(s, F_WRLCK, err);

	if (lock < 0)
		return lock;
	rc = db_migrate(&s->db, migrations, ARRAY_LEN(migrations), take_over, s, err);
	close(lock);
	return rc;
}

int store_open(struct store *s, struct err *err)
{
	char path[STORE_PATH_MAX];
	int version = 0, rc;

	s->db.sql = NULL;
	rc = store_find(s, err);
	if (!rc)
		rc = make_place(s, err);
	if (!rc)
		rc = store_path(s, path, sizeof(path), err, "store.db");
	if (!rc)
		rc = db_open(&s->db, path, &version, err);
	if (rc)
		return rc;
	if (version > (int)ARRAY_LEN(migrations))
		rc = err_set(err, -EPROTO, "%s was written by a newer hospes (form %d; this one knows %d): use "
			     "that version, or set HOSPES_HOME to another folder", path, version,
			     (int)ARRAY_LEN(migrations));
	else if (version < (int)ARRAY_LEN(migrations))
		rc = bring_up_to_date(s, err);
	if (!rc)
		rc = repair(s, err);
	if (!rc)
		image_sweep(s);
	if (rc)
		store_close(s);
	return rc;
}

void store_close(struct store *s)
{
	db_close(&s->db);
}
