/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "tests/unit/store_rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

void rig_open(struct store *s)
{
	struct err err = { "" };

	if (store_open(s, &err))
		fail_msg("%s", err.msg);
}

static void make_id(char id[STORE_ID_MAX + 1])
{
	uint16_t v[8];

	if (getrandom(v, sizeof(v), 0) != sizeof(v))
		abort();
	snprintf(id, STORE_ID_MAX + 1, "%04x%04x-%04x-%04x-%04x-%04x%04x%04x", v[0], v[1], v[2], v[3], v[4],
		 v[5], v[6], v[7]);
}

static int fill(struct store *s, const struct store_vm *vm, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct vmconfig c = {
		.name = (char *)vm->name, .uuid = (char *)vm->id, .machine = (char *)"virt-1",
		.arch = (char *)"riscv64", .engine = (char *)"interp", .cpus = 1, .memory = 64 << 20,
		.firmware = (char *)"/dev/null",
	};
	int fd, rc = store_path(s, path, sizeof(path), err, "vms/%s/disk0.raw", vm->id);

	if (rc)
		return rc;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, -errno, "%s", path);
	close(fd);
	rc = store_path(s, path, sizeof(path), err, "vms/%s/config.json", vm->id);
	return rc ? rc : vmconfig_save(&c, path, err);
}

int rig_create(struct store *s, const char *name, bool keep, struct store_vm *vm, struct err *err)
{
	int held, rc;

	memset(vm, 0, sizeof(*vm));
	make_id(vm->id);
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	vm->auto_remove = !keep;
	rc = store_begin_vm(s, vm, &held, err);
	if (rc)
		return rc;
	rc = fill(s, vm, err);
	if (!rc)
		rc = store_commit_vm(s, vm->id, keep, err);
	if (rc)
		store_abandon_vm(s, vm->id, NULL);
	close(held);
	return rc;
}

unsigned rig_check(struct store *s)
{
	char path[STORE_PATH_MAX];
	sqlite3_stmt *query;
	unsigned rows = 0, folders = 0;
	struct err err = { "" };
	struct dirent *e;
	DIR *d;

	assert_int_equal(db_prepare(&s->db, &query, &err, "SELECT id, state FROM vms", ""), 0);
	for (; db_step(&s->db, query, &err) == 1; rows++) {
		assert_string_equal((const char *)sqlite3_column_text(query, 1), "ready");
		assert_int_equal(store_path(s, path, sizeof(path), NULL, "vms/%s/config.json",
					    (const char *)sqlite3_column_text(query, 0)), 0);
		assert_int_equal(access(path, F_OK), 0);
	}
	sqlite3_finalize(query);
	assert_int_equal(store_path(s, path, sizeof(path), NULL, "vms"), 0);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)))
		folders += e->d_name[0] != '.';
	closedir(d);
	assert_int_equal(rows, folders);
	return rows;
}
