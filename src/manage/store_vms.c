/* SPDX-License-Identifier: Apache-2.0 */
/* The VMs of a store: their rows and folders. Declared in store.h. */
#include "manage/store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "manage/store_own.h"

#define COLUMNS "id, name, image, created_ns, restart, autostart, auto_remove"

static const char *const restart_names[] = {
	[STORE_RESTART_NO] = "no",
	[STORE_RESTART_ON_FAILURE] = "on-failure",
	[STORE_RESTART_ALWAYS] = "always",
};
_Static_assert(ARRAY_LEN(restart_names) == STORE_RESTART_ALWAYS + 1, "every policy has its word");

/* ---- words ------------------------------------------------------------------------------- */

const char *store_restart_name(enum store_restart restart)
{
	return restart_names[restart];
}

bool store_parse_restart(const char *text, enum store_restart *restart)
{
	for (size_t i = 0; i < ARRAY_LEN(restart_names); i++)
		if (!strcmp(text, restart_names[i])) {
			*restart = (enum store_restart)i;
			return true;
		}
	return false;
}

void store_short_id(char text[STORE_SHORT_ID + 1], const char *id)
{
	size_t n = 0;

	for (; *id && n < STORE_SHORT_ID; id++)
		if (*id != '-')
			text[n++] = *id;
	text[n] = '\0';
}

/* ---- looking up --------------------------------------------------------------------------- */

static void take_text(char *to, size_t size, sqlite3_stmt *query, int column)
{
	const char *text = (const char *)sqlite3_column_text(query, column);

	snprintf(to, size, "%s", text ? text : "");
}

/* A row of COLUMNS. */
static void take_row(struct store_vm *vm, sqlite3_stmt *query)
{
	const char *restart = (const char *)sqlite3_column_text(query, 4);

	memset(vm, 0, sizeof(*vm));
	take_text(vm->id, sizeof(vm->id), query, 0);
	take_text(vm->name, sizeof(vm->name), query, 1);
	take_text(vm->image, sizeof(vm->image), query, 2);
	vm->created_ns = sqlite3_column_int64(query, 3);
	if (restart)
		store_parse_restart(restart, &vm->restart);
	vm->autostart = sqlite3_column_int(query, 5);
	vm->auto_remove = sqlite3_column_int(query, 6);
}

/* How many rows there are for text, 2 for several; the first is *vm. Or -errno. */
static int lookup(struct store *s, const char *sql, const char *text, struct store_vm *vm, struct err *err)
{
	sqlite3_stmt *query;
	int found = 0, rc = db_prepare(&s->db, &query, err, sql, "s", text);

	if (rc)
		return rc;
	while (found < 2 && (rc = db_step(&s->db, query, err)) == 1)
		if (found++ == 0)
			take_row(vm, query);
	sqlite3_finalize(query);
	return rc < 0 ? rc : found;
}

static int lookup_name(struct store *s, const char *name, struct store_vm *vm, struct err *err)
{
	return lookup(s, "SELECT " COLUMNS " FROM vms WHERE name = ? AND state = 'ready'", name, vm, err);
}

int store_find_name(struct store *s, const char *name, struct store_vm *vm, struct err *err)
{
	int rc = lookup_name(s, name, vm, err);

	return rc < 0 ? rc : rc ? 0 : err_set(err, -ENOENT, "there is no VM '%.80s'; 'hospes ps -a' lists "
					      "them", name);
}

/* ref as the beginning of an id without its dashes; false: it cannot be one. */
static bool to_prefix(char prefix[STORE_ID_MAX + 1], const char *ref)
{
	size_t n = 0;

	for (; *ref; ref++) {
		if (*ref == '-')
			continue;
		if (n == STORE_ID_MAX - 4 || !isxdigit((unsigned char)*ref))
			return false;
		prefix[n++] = (char)tolower((unsigned char)*ref);
	}
	prefix[n] = '\0';
	return n >= STORE_PREFIX_MIN;
}

int store_find_vm(struct store *s, const char *ref, struct store_vm *vm, struct err *err)
{
	char prefix[STORE_ID_MAX + 1];
	int rc = lookup_name(s, ref, vm, err);

	if (!rc && to_prefix(prefix, ref))
		rc = lookup(s, "SELECT " COLUMNS " FROM vms WHERE state = 'ready' AND "
			    "instr(replace(id, '-', ''), ?) = 1", prefix, vm, err);
	if (rc < 0)
		return rc;
	if (rc > 1)
		return err_set(err, -ENOTUNIQ, "the ids of several VMs begin with '%.80s'; give more of it, "
			       "or the name", ref);
	return rc ? 0 : err_set(err, -ENOENT, "there is no VM '%.80s'; 'hospes ps -a' lists them", ref);
}

int store_list_vms(struct store *s, int (*each)(void *opaque, const struct store_vm *vm,
						struct err *err),
		   void *opaque, struct err *err)
{
	struct store_vm vm;
	sqlite3_stmt *query;
	int rc = db_prepare(&s->db, &query, err, "SELECT " COLUMNS " FROM vms WHERE state = 'ready' "
			    "ORDER BY created_ns, id", "");

	if (rc)
		return rc;
	while ((rc = db_step(&s->db, query, err)) == 1) {
		take_row(&vm, query);
		rc = each(opaque, &vm, err);
		if (rc)
			break;
	}
	sqlite3_finalize(query);
	return rc;
}

/* ---- making ------------------------------------------------------------------------------- */

static int name_taken(const char *name, struct err *err)
{
	return err_set(err, -EEXIST, "a VM named '%s' exists already: choose another name, start it with "
		       "'hospes run --name %s', or remove it with 'hospes rm %s'", name, name, name);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int insert_row(struct store *s, const struct store_vm *vm, struct err *err)
{
	int rc = db_run(&s->db, NULL, err, "INSERT INTO vms (id, name, image, created_ns, restart, autostart, "
			"auto_remove, state) VALUES (?, ?, ?, ?, ?, ?, ?, 'making')", "sssisii", vm->id,
			vm->name, vm->image, vm->created_ns, store_restart_name(vm->restart),
			(int64_t)vm->autostart, (int64_t)vm->auto_remove);

	return rc == -EEXIST ? name_taken(vm->name, err) : rc;
}

/* The folder, with the file that says that its maker lives. */
static int make_folder(struct store *s, const char *id, int *held, struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = store_path(s, path, sizeof(path), err, "vms/%s", id);

	if (rc)
		return rc;
	if (mkdir(path, 0700))
		return err_sys(err, -errno, "%s cannot be made", path);
	*held = store_lock_vm(s, id, "making", O_CREAT | O_EXCL);
	return *held < 0 ? err_sys(err, *held, "%s/making cannot be made", path) : 0;
}

int store_begin_vm(struct store *s, struct store_vm *vm, int *held, struct err *err)
{
	int lock = store_lock(s, F_RDLCK, err), rc;

	*held = -1;
	if (lock < 0)
		return lock;
	vm->created_ns = now_ns();
	rc = insert_row(s, vm, err);
	if (!rc) {
		rc = make_folder(s, vm->id, held, err);
		if (rc && !store_begin_removal(s, vm->id, "making", NULL))
			store_finish_removal(s, vm->id, NULL);
	}
	close(lock);
	return rc;
}

/* What a folder lists survives a power cut from here on. */
static int sync_folder(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) ? err_sys(err, -errno, "%s cannot be written", path) : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

/* With the store's lock shared: a repair sees the VM either half made and held, or ready and kept. */
static int make_ready(struct store *s, const char *id, bool keep, struct err *err)
{
	char path[STORE_PATH_MAX];
	int changed = 0, rc;

	rc = db_run(&s->db, &changed, err, "UPDATE vms SET state = 'ready' WHERE id = ? AND "
		    "state = 'making'", "s", id);
	if (!rc && !changed)
		return err_set(err, -ENOENT, "the VM was removed while it was made");
	if (!rc && keep)
		rc = store_path(s, path, sizeof(path), err, "vms/%s/making", id);
	if (!rc && keep && unlink(path))
		rc = err_sys(err, -errno, "%s cannot be removed", path);
	return rc;
}

int store_commit_vm(struct store *s, const char *id, bool keep, struct err *err)
{
	char path[STORE_PATH_MAX];
	int lock, rc = store_path(s, path, sizeof(path), err, "vms/%s", id);

	if (!rc)
		rc = sync_folder(path, err);
	if (!rc)
		rc = store_path(s, path, sizeof(path), err, "vms");
	if (!rc)
		rc = sync_folder(path, err);
	if (rc)
		return rc;
	lock = store_lock(s, F_RDLCK, err);
	if (lock < 0)
		return lock;
	rc = make_ready(s, id, keep, err);
	close(lock);
	return rc;
}

/* ---- removing and changing ------------------------------------------------------------------ */

/* Keeps a VM from being started, by taking the lock of its supervisor. The descriptor or -errno. */
static int keep_still(struct store *s, const char *id, const char *what, struct err *err)
{
	int fd = store_lock_vm(s, id, "lock", O_CREAT);

	if (fd == -EAGAIN)
		return err_set(err, -EBUSY, "the VM runs; %s", what);
	return fd < 0 ? err_sys(err, fd, "%s/vms/%s/lock cannot be locked", s->home, id) : fd;
}

int store_remove_vm(struct store *s, const char *id, struct err *err)
{
	int rc, lock = keep_still(s, id, "stop it before it is removed", err);

	/* A row whose folder is lost can still be removed. */
	if (lock < 0 && lock != -ENOENT)
		return lock;
	rc = store_begin_removal(s, id, "ready", err);
	if (!rc)
		rc = store_finish_removal(s, id, err);
	if (lock >= 0)
		close(lock);
	return rc;
}

int store_abandon_vm(struct store *s, const char *id, struct err *err)
{
	int rc = store_begin_removal(s, id, "making", err);

	if (rc == -ENOENT)
		rc = store_begin_removal(s, id, "ready", err);
	return rc ? rc : store_finish_removal(s, id, err);
}

static int config_path(const struct store *s, const char *id, char *path, struct err *err)
{
	return store_path(s, path, STORE_PATH_MAX, err, "vms/%s/config.json", id);
}

/* A kill may have parted the two; the database's word counts. */
static int take_name(struct vmconfig *c, const char *name, struct err *err)
{
	char *copy;

	if (!strcmp(c->name, name))
		return 0;
	copy = strdup(name);
	if (!copy)
		return err_set(err, -ENOMEM, "out of memory");
	free(c->name);
	c->name = copy;
	return 0;
}

int store_load_config(struct store *s, const struct store_vm *vm, struct vmconfig *c, struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = config_path(s, vm->id, path, err);

	memset(c, 0, sizeof(*c));
	if (!rc)
		rc = vmconfig_load(c, path, err);
	if (!rc)
		rc = take_name(c, vm->name, err);
	if (rc)
		vmconfig_fini(c);
	return rc;
}

/* The configuration as edit (may be NULL) leaves it, under that name. */
static int save_config(struct store *s, const struct store_vm *vm, const char *name,
		       int (*edit)(void *opaque, struct vmconfig *c, struct err *err), void *opaque,
		       struct err *err)
{
	char path[STORE_PATH_MAX];
	struct vmconfig c;
	int rc = config_path(s, vm->id, path, err);

	if (rc)
		return rc;
	rc = vmconfig_load(&c, path, err);
	if (rc)
		return rc;
	rc = take_name(&c, name, err);
	if (!rc && edit)
		rc = edit(opaque, &c, err);
	if (!rc)
		rc = vmconfig_save(&c, path, err);
	vmconfig_fini(&c);
	return rc;
}

int store_edit_config(struct store *s, const struct store_vm *vm,
		      int (*edit)(void *opaque, struct vmconfig *c, struct err *err), void *opaque,
		      struct err *err)
{
	int rc, lock = keep_still(s, vm->id, "stop it before its hardware is changed", err);

	if (lock < 0)
		return lock;
	rc = save_config(s, vm, vm->name, edit, opaque, err);
	close(lock);
	return rc;
}

int store_rename_vm(struct store *s, const struct store_vm *vm, const char *name, struct err *err)
{
	int changed = 0, rc = db_begin(&s->db, err);

	if (rc)
		return rc;
	rc = db_run(&s->db, &changed, err, "UPDATE vms SET name = ? WHERE id = ? AND state = 'ready'", "ss",
		    name, vm->id);
	if (rc == -EEXIST)
		name_taken(name, err);
	else if (!rc && !changed)
		rc = err_set(err, -ENOENT, "that VM is gone; another command has removed it");
	/* Within the transaction: two who rename it do not mix. */
	if (!rc)
		rc = save_config(s, vm, name, NULL, NULL, err);
	if (!rc)
		rc = db_commit(&s->db, err);
	if (rc)
		db_rollback(&s->db);
	return rc;
}

int store_set_policy(struct store *s, const struct store_vm *vm, struct err *err)
{
	int changed = 0, rc = db_run(&s->db, &changed, err, "UPDATE vms SET restart = ?, autostart = ?, "
				     "auto_remove = ? WHERE id = ? AND state = 'ready'", "siis",
				     store_restart_name(vm->restart), (int64_t)vm->autostart,
				     (int64_t)vm->auto_remove, vm->id);

	if (!rc && !changed)
		return err_set(err, -ENOENT, "that VM is gone; another command has removed it");
	return rc;
}
