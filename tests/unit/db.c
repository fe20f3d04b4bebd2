/* SPDX-License-Identifier: Apache-2.0 */
/* The database: migrations from every version, values, errors as sentences. */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manage/db.h"

static char folder[] = "/tmp/hospes-db-XXXXXX";
static char path[64];

static const char *const steps[] = {
	"CREATE TABLE t (a TEXT UNIQUE)",
	"ALTER TABLE t ADD COLUMN b INTEGER NOT NULL DEFAULT 7",
	"UPDATE t SET b = b + 1; CREATE TABLE u (x INTEGER)",
};

static int fresh(void **state)
{
	char name[80];

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, (const char *[]){ "", "-wal", "-shm" }[i]);
		unlink(name);
	}
	return 0;
}

static void open_db(struct db *db, int expected)
{
	struct err err = { "" };
	int version = -1;

	if (db_open(db, path, &version, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(version, expected);
}

static int64_t number(struct db *db, const char *sql)
{
	struct err err = { "" };
	sqlite3_stmt *query;
	int64_t n;

	if (db_prepare(db, &query, &err, sql, "") || db_step(db, query, &err) != 1)
		fail_msg("%s", err.msg);
	n = sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	return n;
}

static int count_call(void *opaque, struct err *err)
{
	++*(int *)opaque;
	return 0;
}

/* A database of each version ends up the same, with what was in it. */
static void migrations_from_every_version(void **state)
{
	for (int from = 0; from <= 3; from++) {
		int filled = 0;
		struct db db;
		struct err err;

		fresh(NULL);
		open_db(&db, 0);
		if (from) {
			assert_int_equal(db_migrate(&db, steps, from, NULL, NULL, &err), 0);
			assert_int_equal(db_run(&db, NULL, &err, "INSERT INTO t (a) VALUES (?)", "s", "kept"), 0);
		}
		db_close(&db);
		open_db(&db, from);
		assert_int_equal(db_migrate(&db, steps, 3, count_call, &filled, &err), 0);
		assert_int_equal(filled, from == 0);
		db_close(&db);
		open_db(&db, 3);
		assert_int_equal(number(&db, "SELECT count(*) FROM t"), from > 0);
		if (from)
			assert_int_equal(number(&db, "SELECT b FROM t"), from == 3 ? 7 : 8);
		assert_int_equal(number(&db, "SELECT count(*) FROM u"), 0);
		db_close(&db);
	}
}

static int refuse(void *opaque, struct err *err)
{
	return err_set(err, -EBUSY, "not now");
}

static void a_migration_that_fails_changes_nothing(void **state)
{
	static const char *const broken[] = { "CREATE TABLE t (a)", "CREATE NONSENSE" };
	struct err err = { "" };
	struct db db;

	open_db(&db, 0);
	assert_int_equal(db_migrate(&db, broken, 2, NULL, NULL, &err), -EIO);
	assert_non_null(strstr(err.msg, path));
	assert_non_null(strstr(err.msg, "NONSENSE"));
	assert_int_equal(db_migrate(&db, steps, 3, refuse, NULL, &err), -EBUSY);
	assert_string_equal(err.msg, "not now");
	db_close(&db);
	open_db(&db, 0);
	assert_int_equal(number(&db, "SELECT count(*) FROM sqlite_master"), 0);
	db_close(&db);
}

static void values_and_transactions(void **state)
{
	struct err err = { "" };
	struct stat st;
	struct db db;
	int changed;

	open_db(&db, 0);
	assert_int_equal(db_migrate(&db, steps, 3, NULL, NULL, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(db_run(&db, NULL, &err, "INSERT INTO t VALUES (?, ?)", "si", "x",
				INT64_C(0x123456789abcdef)), 0);
	assert_int_equal(number(&db, "SELECT b FROM t"), INT64_C(0x123456789abcdef));
	assert_int_equal(db_run(&db, NULL, &err, "INSERT INTO t (a) VALUES (?)", "s", "x"), -EEXIST);
	assert_int_equal(db_run(&db, NULL, &err, "INSERT INTO t VALUES ('y', NULL)", ""), -EINVAL);
	assert_int_equal(db_run(&db, NULL, &err, "INSERT INTO t (a) VALUES (?)", "s", (char *)NULL), 0);
	assert_int_equal(db_begin(&db, &err), 0);
	assert_int_equal(db_run(&db, &changed, &err, "DELETE FROM t", ""), 0);
	assert_int_equal(changed, 2);
	db_rollback(&db);
	db_rollback(&db);
	assert_int_equal(number(&db, "SELECT count(*) FROM t"), 2);
	assert_int_equal(db_begin(&db, &err), 0);
	assert_int_equal(db_run(&db, NULL, &err, "DELETE FROM t", ""), 0);
	assert_int_equal(db_commit(&db, &err), 0);
	assert_int_equal(number(&db, "SELECT count(*) FROM t"), 0);
	assert_int_equal(number(&db, "PRAGMA synchronous"), 2);
	assert_int_equal(number(&db, "PRAGMA foreign_keys"), 1);
	db_close(&db);
	db_close(&db);
}

static void what_is_no_database(void **state)
{
	struct err err = { "" };
	struct db db;
	int version, fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	for (int i = 0; i < 400; i++)
		assert_int_equal(write(fd, "no database", 11), 11);
	close(fd);
	assert_int_equal(db_open(&db, path, &version, &err), -EUCLEAN);
	assert_non_null(strstr(err.msg, "is damaged or no database of hospes"));
	assert_int_equal(db_open(&db, "/nonexistent/store.db", &version, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/store.db cannot be made"));
	assert_int_equal(db_open(&db, folder, &version, &err), -EACCES);
	assert_non_null(strstr(err.msg, "cannot be written"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(migrations_from_every_version, fresh),
		cmocka_unit_test_setup(a_migration_that_fails_changes_nothing, fresh),
		cmocka_unit_test_setup(values_and_transactions, fresh),
		cmocka_unit_test_setup(what_is_no_database, fresh),
	};
	int rc;

	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/store.db", folder);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	fresh(NULL);
	rmdir(folder);
	return rc;
}
