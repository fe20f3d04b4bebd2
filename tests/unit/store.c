/* SPDX-License-Identifier: Apache-2.0 */
/* The store: names, ids, what runs, many commands at once, its older form, places it refuses. */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "manage/store.h"
#include "tests/unit/store_rig.h"

static char home[] = "/tmp/hospes-store-XXXXXX";

static int fresh(void **state)
{
	return store_discard(home, NULL) || mkdir(home, 0700);
}

static struct store_vm create(struct store *s, const char *name)
{
	struct err err = { "" };
	struct store_vm vm;

	if (rig_create(s, name, true, &vm, &err))
		fail_msg("%s", err.msg);
	return vm;
}

static void names_and_ids(void **state)
{
	struct store_vm a, b, found;
	struct err err = { "" };
	char text[64];
	struct store s;

	rig_open(&s);
	a = create(&s, "a");
	assert_int_equal(rig_create(&s, "a", true, &b, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "'a' exists already"));
	assert_int_equal(rig_check(&s), 1);
	b = create(&s, "b");
	assert_int_equal(store_find_vm(&s, "a", &found, &err), 0);
	assert_string_equal(found.id, a.id);
	assert_string_equal(found.name, "a");
	assert_int_equal(found.created_ns, a.created_ns);
	store_short_id(text, b.id);
	assert_int_equal(strlen(text), STORE_SHORT_ID);
	assert_int_equal(store_find_vm(&s, text, &found, &err), 0);
	assert_string_equal(found.id, b.id);
	assert_int_equal(store_find_vm(&s, b.id, &found, &err), 0);
	assert_string_equal(found.id, b.id);
	text[3] = '\0';
	assert_int_equal(store_find_vm(&s, text, &found, &err), -ENOENT);
	assert_int_equal(store_find_vm(&s, "", &found, &err), -ENOENT);
	assert_int_equal(store_find_name(&s, b.id, &found, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "there is no VM"));
	/* A name that looks like another one's id is a name. */
	store_short_id(text, b.id);
	assert_int_equal(store_rename_vm(&s, &a, text, &err), 0);
	assert_int_equal(store_find_vm(&s, text, &found, &err), 0);
	assert_string_equal(found.id, a.id);
	store_close(&s);
}

static void several_ids(void **state)
{
	struct err err = { "" };
	struct store_vm found;
	struct store s;

	rig_open(&s);
	for (int i = 0; i < 2; i++) {
		char id[STORE_ID_MAX + 1], name[8];

		snprintf(id, sizeof(id), "abcdef0%d-0000-4000-8000-000000000000", i);
		snprintf(name, sizeof(name), "vm%d", i);
		assert_int_equal(db_run(&s.db, NULL, &err, "INSERT INTO vms (id, name, created_ns, state, image) "
					"VALUES (?, ?, 0, 'ready', '')", "ss", id, name), 0);
	}
	assert_int_equal(store_find_vm(&s, "abcdef0", &found, &err), -ENOTUNIQ);
	assert_non_null(strstr(err.msg, "several VMs begin with 'abcdef0'"));
	assert_int_equal(store_find_vm(&s, "ABCDEF01-00", &found, &err), 0);
	assert_string_equal(found.name, "vm1");
	assert_int_equal(store_find_vm(&s, "bcde", &found, &err), -ENOENT);
	/* Rows whose folders are lost can be removed. */
	assert_int_equal(store_remove_vm(&s, found.id, &err), 0);
	assert_int_equal(store_find_vm(&s, "vm1", &found, &err), -ENOENT);
	store_close(&s);
}

static int set_cpus(void *opaque, struct vmconfig *c, struct err *err)
{
	c->cpus = *(unsigned *)opaque;
	return 0;
}

static void renamed_and_changed(void **state)
{
	struct err err = { "" };
	struct store_vm a, b, found;
	struct vmconfig c;
	struct store s;
	unsigned cpus = 3;

	rig_open(&s);
	a = create(&s, "a");
	b = create(&s, "b");
	assert_int_equal(store_rename_vm(&s, &a, "b", &err), -EEXIST);
	assert_non_null(strstr(err.msg, "'b' exists already"));
	assert_int_equal(store_load_config(&s, &a, &c, &err), 0);
	assert_string_equal(c.name, "a");
	vmconfig_fini(&c);
	assert_int_equal(store_rename_vm(&s, &a, "c", &err), 0);
	assert_int_equal(store_find_vm(&s, "c", &a, &err), 0);
	assert_int_equal(store_edit_config(&s, &a, set_cpus, &cpus, &err), 0);
	assert_int_equal(store_load_config(&s, &a, &c, &err), 0);
	assert_string_equal(c.name, "c");
	assert_int_equal(c.cpus, 3);
	vmconfig_fini(&c);
	cpus = 99;
	assert_int_equal(store_edit_config(&s, &a, set_cpus, &cpus, &err), -EINVAL);
	assert_int_equal(store_load_config(&s, &a, &c, &err), 0);
	assert_int_equal(c.cpus, 3);
	vmconfig_fini(&c);
	b.restart = STORE_RESTART_ON_FAILURE;
	b.autostart = true;
	assert_int_equal(store_set_policy(&s, &b, &err), 0);
	assert_int_equal(store_find_vm(&s, "b", &found, &err), 0);
	assert_int_equal(found.restart, STORE_RESTART_ON_FAILURE);
	assert_true(found.autostart);
	assert_int_equal(store_remove_vm(&s, b.id, &err), 0);
	assert_int_equal(store_set_policy(&s, &b, &err), -ENOENT);
	assert_int_equal(store_rename_vm(&s, &b, "d", &err), -ENOENT);
	assert_int_equal(store_remove_vm(&s, b.id, &err), -ENOENT);
	store_close(&s);
}

/* What a supervisor does; the descriptor that holds the VM. */
static int start(const struct store *s, const char *id)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[STORE_PATH_MAX];
	int fd;

	assert_int_equal(store_path(s, path, sizeof(path), NULL, "vms/%s/lock", id), 0);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	assert_int_equal(store_path(s, path, sizeof(path), NULL, "vms/%s/console.log", id), 0);
	close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	return fd;
}

static void what_runs_stays(void **state)
{
	struct err err = { "" };
	struct store_vm a;
	struct store s;
	unsigned cpus = 2;
	int fd;

	rig_open(&s);
	a = create(&s, "a");
	assert_false(store_vm_runs(&s, a.id));
	fd = start(&s, a.id);
	assert_true(store_vm_runs(&s, a.id));
	assert_int_equal(store_remove_vm(&s, a.id, &err), -EBUSY);
	assert_int_equal(store_edit_config(&s, &a, set_cpus, &cpus, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "runs"));
	assert_int_equal(rig_check(&s), 1);
	close(fd);
	assert_false(store_vm_runs(&s, a.id));
	assert_int_equal(store_remove_vm(&s, a.id, &err), 0);
	assert_int_equal(rig_check(&s), 0);
	store_close(&s);
}

/* Opens the store as the next command would; the number of VMs. */
static unsigned next_command(void)
{
	struct store s;
	unsigned n;

	rig_open(&s);
	n = rig_check(&s);
	store_close(&s);
	return n;
}

static void temporary_vms_go(void **state)
{
	struct err err = { "" };
	struct store_vm vm;
	struct store s;
	int fd;

	rig_open(&s);
	/* Its maker is gone before it was started. */
	assert_int_equal(rig_create(&s, "a", false, &vm, &err), 0);
	assert_int_equal(next_command(), 0);
	/* Its maker is gone, its supervisor is not. */
	assert_int_equal(rig_create(&s, "b", false, &vm, &err), 0);
	fd = start(&s, vm.id);
	assert_int_equal(next_command(), 1);
	close(fd);
	assert_int_equal(next_command(), 0);
	/* One that waits for its first run, which then is its last. */
	vm = create(&s, "c");
	vm.auto_remove = true;
	assert_int_equal(store_set_policy(&s, &vm, &err), 0);
	assert_int_equal(next_command(), 1);
	fd = start(&s, vm.id);
	assert_int_equal(next_command(), 1);
	close(fd);
	assert_int_equal(next_command(), 0);
	store_close(&s);
}

/* ---- many at once --------------------------------------------------------------------------- */

enum { PROCESSES = 8, ROUNDS = 50 };

static void work(int number)
{
	struct err err = { "" };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < ROUNDS; i++) {
		char name[32];
		struct store_vm vm;
		struct store s;
		int rc;

		snprintf(name, sizeof(name), "vm-%d-%d", number, i);
		rc = store_open(&s, &err);
		if (!rc)
			rc = rig_create(&s, name, true, &vm, &err);
		if (!rc)
			rc = store_find_vm(&s, name, &vm, &err);
		/* All try to have this one name. */
		if (!rc && i % 8 == 0 && store_rename_vm(&s, &vm, "wanted", NULL) == 0)
			rc = store_find_vm(&s, "wanted", &vm, &err);
		if (!rc && i % 5)
			rc = store_remove_vm(&s, vm.id, &err);
		store_close(&s);
		if (rc) {
			fprintf(stderr, "# process %d: %s\n", number, err.msg);
			_exit(1);
		}
	}
	_exit(0);
}

static void many_commands_at_once(void **state)
{
	pid_t pids[PROCESSES];

	/* On an empty folder: they make the store at once, too. */
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			work(i);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(next_command(), PROCESSES * ROUNDS / 5);
}

static void *discard(void *path)
{
	return (void *)(intptr_t)store_discard(path, NULL);
}

/* Two that remove the same folder: both say that it is gone, and it is. */
static void two_remove_one_folder(void **state)
{
	enum { FILES = 2000 };
	char folder[STORE_PATH_MAX], name[STORE_PATH_MAX + 16];
	struct store s;

	rig_open(&s);
	assert_int_equal(store_path(&s, folder, sizeof(folder), NULL, "vms/x"), 0);
	for (int round = 0; round < 3; round++) {
		pthread_t threads[2];
		void *rc;

		assert_int_equal(mkdir(folder, 0700), 0);
		for (int i = 0; i < FILES; i++) {
			snprintf(name, sizeof(name), "%s/%d", folder, i);
			assert_int_equal(mknod(name, S_IFREG | 0600, 0), 0);
		}
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, discard, folder), 0);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(pthread_join(threads[i], &rc), 0);
			assert_int_equal((intptr_t)rc, 0);
		}
		assert_int_equal(access(folder, F_OK), -1);
	}
	store_close(&s);
}

/* ---- other forms ------------------------------------------------------------------------------ */

static void newer_ones_are_refused(void **state)
{
	struct err err = { "" };
	struct store s;

	rig_open(&s);
	create(&s, "a");
	assert_int_equal(sqlite3_exec(s.db.sql, "PRAGMA user_version = 1000", NULL, NULL, NULL), SQLITE_OK);
	store_close(&s);
	assert_int_equal(store_open(&s, &err), -EPROTO);
	assert_non_null(strstr(err.msg, "was written by a newer hospes (form 1000; this one knows"));
	store_close(&s);
}

static void network_file_systems_are_refused(void **state)
{
	static const uint64_t no[] = { NFS_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, V9FS_MAGIC,
				       FUSE_SUPER_MAGIC };
	static const uint64_t yes[] = { EXT4_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC, XFS_SUPER_MAGIC,
					OVERLAYFS_SUPER_MAGIC };

	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		assert_non_null(store_network_fs(no[i]));
		assert_non_null(store_network_fs((uint64_t)(int32_t)no[i]));
	}
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_null(store_network_fs(yes[i]));
}

static void old_path(char *path, const char *name, const char *file)
{
	snprintf(path, STORE_PATH_MAX, "%s/vms/%s%s%s", home, name, *file ? "/" : "", file);
}

/* A VM as it was before there was a database. */
static void make_old(const char *name, unsigned number)
{
	char folder[STORE_PATH_MAX], file[STORE_PATH_MAX], id[STORE_ID_MAX + 1];
	struct vmconfig c = {
		.name = (char *)name, .uuid = id, .machine = (char *)"virt-1", .arch = (char *)"riscv64",
		.engine = (char *)"interp", .cpus = 2, .memory = 64 << 20, .disk_count = 2,
	};
	struct err err = { "" };

	snprintf(id, sizeof(id), "00000000-0000-4000-8000-00000000%04x", number);
	snprintf(folder, sizeof(folder), "%s/vms", home);
	mkdir(folder, 0700);
	old_path(folder, name, "");
	assert_int_equal(mkdir(folder, 0700), 0);
	old_path(file, name, "disk0.raw");
	assert_int_equal(mknod(file, S_IFREG | 0600, 0), 0);
	c.disks[0] = (struct vmconfig_disk){ .file = file, .format = (char *)"raw", .bus = (char *)"pci",
					     .serial = (char *)"disk0", .slot = 8 };
	c.disks[1] = c.disks[0];
	c.disks[1].file = (char *)"/elsewhere/disk.raw";
	c.disks[1].slot = 9;
	strcat(folder, "/config.json");
	if (vmconfig_save(&c, folder, &err))
		fail_msg("%s", err.msg);
}

static void make_empty(const char *name, const char *file)
{
	char path[STORE_PATH_MAX];

	old_path(path, name, "");
	mkdir(path, 0700);
	old_path(path, name, file);
	assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
}

static void older_ones_are_taken_over(void **state)
{
	char path[STORE_PATH_MAX];
	struct err err = { "" };
	struct store_vm vm;
	struct vmconfig c;
	struct store s;

	make_old("one", 1);
	make_old("two", 2);
	make_empty(".new-abc", "making");
	make_empty(".old-x.1", "disk0.raw");
	make_empty("left", "making");
	rig_open(&s);
	assert_int_equal(rig_check(&s), 2);
	assert_int_equal(store_find_vm(&s, "two", &vm, &err), 0);
	assert_string_equal(vm.id, "00000000-0000-4000-8000-000000000002");
	assert_int_equal(store_load_config(&s, &vm, &c, &err), 0);
	assert_int_equal(store_path(&s, path, sizeof(path), NULL, "vms/%s/disk0.raw", vm.id), 0);
	assert_string_equal(c.disks[0].file, path);
	assert_int_equal(access(path, F_OK), 0);
	assert_string_equal(c.disks[1].file, "/elsewhere/disk.raw");
	vmconfig_fini(&c);
	store_close(&s);
}

static void older_ones_that_run_are_left_alone(void **state)
{
	struct store s = { .home = "" };
	struct err err = { "" };
	int fd;

	make_old("one", 1);
	make_old("two", 2);
	snprintf(s.home, sizeof(s.home), "%s", home);
	fd = start(&s, "two");
	assert_int_equal(store_open(&s, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "vms/two is in use by an older hospes"));
	close(fd);
	/* One folder had its new name already, perhaps. */
	assert_int_equal(next_command(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(names_and_ids, fresh),
		cmocka_unit_test_setup(several_ids, fresh),
		cmocka_unit_test_setup(renamed_and_changed, fresh),
		cmocka_unit_test_setup(what_runs_stays, fresh),
		cmocka_unit_test_setup(temporary_vms_go, fresh),
		cmocka_unit_test_setup(many_commands_at_once, fresh),
		cmocka_unit_test_setup(two_remove_one_folder, fresh),
		cmocka_unit_test_setup(newer_ones_are_refused, fresh),
		cmocka_unit_test_setup(network_file_systems_are_refused, fresh),
		cmocka_unit_test_setup(older_ones_are_taken_over, fresh),
		cmocka_unit_test_setup(older_ones_that_run_are_left_alone, fresh),
	};
	int rc;

	if (!mkdtemp(home) || setenv("HOSPES_HOME", home, 1))
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	store_discard(home, NULL);
	return rc;
}
