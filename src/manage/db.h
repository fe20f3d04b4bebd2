/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An SQLite database of our own: opened, brought up to date, asked.
 *
 * Write-ahead log, synchronous=FULL: what db_commit() acknowledged survives a power cut, and a kill at
 * any moment leaves the last commit. Writers take their turn at BEGIN IMMEDIATE and wait for each other
 * up to DB_WAIT_S; nobody reads first and writes later, so nobody has to begin anew.
 *
 * PRAGMA user_version is the number of migrations that were applied; each runs once, in order, all of
 * them in one transaction. One connection serves one thread, and does not go through fork().
 */
#ifndef MANAGE_DB_H
#define MANAGE_DB_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/err.h"

enum { DB_PATH_MAX = 3072, DB_WAIT_S = 30 };

struct db {
	sqlite3 *sql;
	char path[DB_PATH_MAX];
};

/*
 * Opens path, which is made where it is missing (0600). *version: its migrations so far. -EUCLEAN: it is
 * no database or damaged; other errors as the file system gives them. x_close() accepts a zeroed object.
 */
int db_open(struct db *db, const char *path, int *version, struct err *err);
void db_close(struct db *db);

/*
 * Applies those of the count migrations (SQL text each) that the database lacks. fill, if there is one,
 * runs after them, inside the transaction, where the database was empty. One caller at a time: the others are kept out by a lock.
 */
int db_migrate(struct db *db, const char *const *migrations, int count,
	       int (*fill)(void *opaque, struct err *err), void *opaque, struct err *err);

/* A transaction that writes. db_rollback() after an error, and where nothing is to be undone too. */
int db_begin(struct db *db, struct err *err);
int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);

/*
 * A statement with its parameters bound in order: types has one letter each, 's' const char * (NULL is
 * NULL; it must live as long as the statement) and 'i' int64_t. The caller ends it with
 * sqlite3_finalize().
 */
int db_prepare(struct db *db, sqlite3_stmt **query, struct err *err, const char *sql,
	       const char *types, ...);

/* The next row: 1 when there is one, 0 after the last, or -errno. -EEXIST: something unique is taken. */
int db_step(struct db *db, sqlite3_stmt *query, struct err *err);

/* A statement that gives no rows; parameters as above. *changed (may be NULL): rows it touched. */
int db_run(struct db *db, int *changed, struct err *err, const char *sql, const char *types, ...);

#endif
