/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- errors ----------------------------------------------------------------------------- */

static int db_error(const struct db *db, int code, struct err *err)
{
	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return err_set(err, -ENOMEM, "out of memory");
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, -EBUSY, "%s: another command has held the store for %d seconds; end "
			       "the one that hangs", db->path, DB_WAIT_S);
	case SQLITE_FULL:
		return err_sys(err, -ENOSPC, "%s cannot be written", db->path);
	case SQLITE_IOERR:
		/* Of the call that failed; memory-mapped parts and locks leave none. */
		if (sqlite3_system_errno(db->sql))
			return err_sys(err, -sqlite3_system_errno(db->sql), "%s cannot be read or written",
				       db->path);
		return err_set(err, -EIO, "%s cannot be read or written: %s", db->path,
			       sqlite3_errmsg(db->sql));
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(err, -EUCLEAN, "%s is damaged or no database of hospes (%s); put a copy of "
			       "it in its place", db->path, sqlite3_errmsg(db->sql));
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_CANTOPEN:
		return err_set(err, -EACCES, "%s cannot be written (%s); HOSPES_HOME names another store",
			       db->path, sqlite3_errmsg(db->sql));
	case SQLITE_CONSTRAINT:
		return err_set(err, code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY
			       ? -EEXIST : -EINVAL, "%s: %s", db->path, sqlite3_errmsg(db->sql));
	default:
		return err_set(err, -EIO, "%s: %s", db->path, sqlite3_errmsg(db->sql));
	}
}

/* ---- statements --------------------------------------------------------------------------- */

static int bind_all(struct db *db, sqlite3_stmt *query, struct err *err, const char *types, va_list ap)
{
	int rc = SQLITE_OK;

	for (int i = 1; rc == SQLITE_OK && types[i - 1]; i++) {
		if (types[i - 1] == 's') {
			rc = sqlite3_bind_text(query, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		} else {
			assert(types[i - 1] == 'i');
			rc = sqlite3_bind_int64(query, i, va_arg(ap, int64_t));
		}
	}
	return rc == SQLITE_OK ? 0 : db_error(db, rc, err);
}

static int prepare(struct db *db, sqlite3_stmt **query, struct err *err, const char *sql,
		   const char *types, va_list ap)
{
	int rc = sqlite3_prepare_v2(db->sql, sql, -1, query, NULL);

	if (rc != SQLITE_OK)
		return db_error(db, rc, err);
	rc = bind_all(db, *query, err, types, ap);
	if (rc) {
		sqlite3_finalize(*query);
		*query = NULL;
	}
	return rc;
}

int db_prepare(struct db *db, sqlite3_stmt **query, struct err *err, const char *sql,
	       const char *types, ...)
{
	va_list ap;
	int rc;

	va_start(ap, types);
	rc = prepare(db, query, err, sql, types, ap);
	va_end(ap);
	return rc;
}

int db_step(struct db *db, sqlite3_stmt *query, struct err *err)
{
	int rc = sqlite3_step(query);

	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_error(db, rc, err);
}

int db_run(struct db *db, int *changed, struct err *err, const char *sql, const char *types, ...)
{
	sqlite3_stmt *query = NULL;
	va_list ap;
	int rc;

	va_start(ap, types);
	rc = prepare(db, &query, err, sql, types, ap);
	va_end(ap);
	if (rc)
		return rc;
	rc = db_step(db, query, err);
	assert(rc != 1);
	if (!rc && changed)
		*changed = sqlite3_changes(db->sql);
	sqlite3_finalize(query);
	return rc;
}

/* Statements without parameters, several at once. */
static int exec(struct db *db, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(db->sql, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_error(db, rc, err);
}

int db_begin(struct db *db, struct err *err)
{
	return exec(db, "BEGIN IMMEDIATE", err);
}

int db_commit(struct db *db, struct err *err)
{
	return exec(db, "COMMIT", err);
}

void db_rollback(struct db *db)
{
	if (!sqlite3_get_autocommit(db->sql))
		sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- opening ------------------------------------------------------------------------------ */

static int read_version(struct db *db, int *version, struct err *err)
{
	sqlite3_stmt *query;
	int rc = db_prepare(db, &query, err, "PRAGMA user_version", "");

	if (rc)
		return rc;
	rc = db_step(db, query, err);
	if (rc == 1)
		*version = sqlite3_column_int(query, 0);
	sqlite3_finalize(query);
	return rc < 0 ? rc : 0;
}

/*
 * SQLite would make it as the umask says, and its log with the same mode. One that is there is not
 * opened: closing any descriptor of a file drops the locks that this process has on it.
 */
static int make_file(const char *path, struct err *err)
{
	int fd;

	if (access(path, F_OK) == 0)
		return 0;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? 0 : err_sys(err, -errno, "%s cannot be made (HOSPES_HOME names "
						     "another store)", path);
	close(fd);
	return 0;
}

int db_open(struct db *db, const char *path, int *version, struct err *err)
{
	int rc;

	db->sql = NULL;
	if (snprintf(db->path, sizeof(db->path), "%s", path) >= (int)sizeof(db->path))
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", path);
	rc = make_file(path, err);
	if (rc)
		return rc;
	rc = sqlite3_open_v2(path, &db->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	rc = rc == SQLITE_OK ? 0 : db->sql ? db_error(db, rc, err) : err_set(err, -ENOMEM, "out of memory");
	if (!rc) {
		sqlite3_busy_timeout(db->sql, DB_WAIT_S * 1000);
		sqlite3_extended_result_codes(db->sql, 1);
		rc = exec(db, "PRAGMA foreign_keys=ON; PRAGMA synchronous=FULL", err);
	}
	if (!rc)
		rc = read_version(db, version, err);
	if (rc)
		db_close(db);
	return rc;
}

void db_close(struct db *db)
{
	if (db->sql)
		sqlite3_close_v2(db->sql);
	db->sql = NULL;
}

int db_migrate(struct db *db, const char *const *migrations, int count,
	       int (*fill)(void *opaque, struct err *err), void *opaque, struct err *err)
{
	char text[64];
	bool empty = false;
	int version, rc = exec(db, "PRAGMA journal_mode=WAL", err);

	if (!rc)
		rc = db_begin(db, err);
	if (!rc)
		rc = read_version(db, &version, err);
	for (empty = !rc && version == 0; !rc && version < count; version++)
		rc = exec(db, migrations[version], err);
	if (!rc && empty && fill)
		rc = fill(opaque, err);
	snprintf(text, sizeof(text), "PRAGMA user_version=%d", count);
	if (!rc)
		rc = exec(db, text, err);
	if (!rc)
		rc = db_commit(db, err);
	if (rc)
		db_rollback(db);
	return rc;
}
