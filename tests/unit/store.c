/* SPDX-License-Identifier: Apache-2.0 */
/* The store under several commands at once and kills at any moment; copies of images. */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "manage/image.h"
#include "manage/store.h"

static char home[] = "/tmp/hospes-store-XXXXXX";

static void open_store(struct store *s)
{
	struct err err = { "" };

	if (store_open(s, &err))
		fail_msg("%s", err.msg);
}

static void path_of(const struct store *s, char *buf, const char *name)
{
	assert_int_equal(store_path(s, buf, STORE_PATH_MAX, NULL, "vms/%s", name), 0);
}

static bool there(const struct store *s, const char *name)
{
	char path[STORE_PATH_MAX];

	path_of(s, path, name);
	return access(path, F_OK) == 0;
}

static void write_file(const char *folder, const char *name)
{
	char path[STORE_PATH_MAX + 32];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void names_are_taken_once(void **state)
{
	char one[STORE_PATH_MAX], two[STORE_PATH_MAX];
	struct err err = { "" };
	struct store s;

	open_store(&s);
	assert_int_equal(store_new_vm(&s, one, &err), 0);
	assert_int_equal(store_new_vm(&s, two, &err), 0);
	write_file(one, "config.json");
	assert_int_equal(store_commit_vm(&s, one, "a", &err), 0);
	assert_true(store_has_vm(&s, "a"));
	assert_int_equal(store_commit_vm(&s, two, "a", &err), -EEXIST);
	assert_non_null(strstr(err.msg, "'a' exists already"));
	assert_int_equal(store_discard(two, &err), 0);
	assert_int_equal(store_discard(two, &err), 0);
	assert_int_equal(store_keep_vm(&s, "a", &err), 0);
	assert_int_equal(store_remove_vm(&s, "a", &err), 0);
	assert_false(there(&s, "a"));
	assert_int_equal(store_remove_vm(&s, "a", &err), -ENOENT);
}

static void what_runs_is_not_removed(void **state)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char temp[STORE_PATH_MAX], path[STORE_PATH_MAX + 8];
	struct err err = { "" };
	struct store s;
	int fd;

	open_store(&s);
	assert_int_equal(store_new_vm(&s, temp, &err), 0);
	write_file(temp, "lock");
	assert_int_equal(store_commit_vm(&s, temp, "b", &err), 0);
	path_of(&s, path, "b/lock");
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	assert_int_equal(store_remove_vm(&s, "b", &err), -EBUSY);
	assert_true(there(&s, "b"));
	close(fd);
	assert_int_equal(store_remove_vm(&s, "b", &err), 0);
}

/* A maker in another process, which does `steps` steps and waits to be killed. */
static pid_t maker(const struct store *s, int steps, int told)
{
	pid_t pid = fork();

	if (pid == 0) {
		char temp[STORE_PATH_MAX];
		struct err err;
		int rc;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		rc = store_new_vm(s, temp, &err);
		if (!rc && steps > 1)
			write_file(temp, "config.json");
		if (!rc && steps > 1)
			rc = store_commit_vm(s, temp, "c", &err);
		if (!rc && steps > 2)
			rc = store_keep_vm(s, "c", &err);
		if (rc || write(told, "x", 1) != 1)
			_exit(1);
		pause();
	}
	return pid;
}

static unsigned count_vms(const struct store *s)
{
	char command[STORE_PATH_MAX + 64];
	unsigned n = 0;
	FILE *f;

	snprintf(command, sizeof(command), "ls -A '%s/vms' | grep -vc '^[.]lock$'", s->home);
	f = popen(command, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &n), 1);
	pclose(f);
	return n;
}

static void makers_that_are_killed_leave_nothing(void **state)
{
	struct err err;
	struct store s, again;

	open_store(&s);
	for (int steps = 1; steps <= 3; steps++) {
		int told[2];
		char byte;
		pid_t pid;

		assert_int_equal(pipe(told), 0);
		pid = maker(&s, steps, told[1]);
		assert_int_equal(read(told[0], &byte, 1), 1);
		open_store(&again);
		assert_int_equal(count_vms(&s), 1);	/* its maker lives */
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		open_store(&again);
		assert_int_equal(count_vms(&s), steps == 3);
		close(told[0]);
		close(told[1]);
	}
	assert_int_equal(store_remove_vm(&s, "c", &err), 0);
}

static void *discard(void *path)
{
	return (void *)(intptr_t)store_discard(path, NULL);
}

/* Two that remove the same folder: both say that it is gone, and it is. */
static void two_remove_one_folder(void **state)
{
	enum { FILES = 3000 };
	char folder[STORE_PATH_MAX], name[16];
	struct store s;

	open_store(&s);
	path_of(&s, folder, ".old-x");
	for (int round = 0; round < 3; round++) {
		pthread_t threads[2];
		void *rc;

		assert_int_equal(mkdir(folder, 0700), 0);
		for (int i = 0; i < FILES; i++) {
			snprintf(name, sizeof(name), "%d", i);
			write_file(folder, name);
		}
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, discard, folder), 0);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(pthread_join(threads[i], &rc), 0);
			assert_int_equal((intptr_t)rc, 0);
		}
		assert_false(there(&s, ".old-x"));
	}
}

/* ---- images ------------------------------------------------------------------------------- */

enum { PART = 256 * 1024, DISK = 16 * PART };

/* A disk with data at both ends and in the middle, and holes between. */
static void make_image(struct image *img, const char *path)
{
	static char data[PART];
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 2654435761u >> 11);
	assert_int_equal(ftruncate(fd, DISK), 0);
	for (off_t at = 0; at < DISK; at += 5 * PART)
		assert_int_equal(pwrite(fd, data, sizeof(data), at), sizeof(data));
	close(fd);
	*img = (struct image){ .arch = "riscv64", .size = DISK };
	snprintf(img->disk, sizeof(img->disk), "%s", path);
}

static void assert_same(const char *one, const char *two)
{
	char command[2 * STORE_PATH_MAX];
	struct stat st;

	snprintf(command, sizeof(command), "cmp '%s' '%s'", one, two);
	assert_int_equal(system(command), 0);
	assert_int_equal(stat(two, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Where holes are kept, four parts of sixteen are data. */
	assert_true(st.st_blocks * 512 < DISK / 2);
}

static uint64_t told;

static void hear(void *opaque, uint64_t done, uint64_t all)
{
	assert_int_equal(all, DISK);
	assert_true(done >= told);
	told = done;
}

static void copies(const char *image, const char *copy)
{
	struct err err = { "" };
	struct image img;

	make_image(&img, image);
	told = 0;
	if (image_copy(&img, copy, hear, NULL, &err))
		fail_msg("%s", err.msg);
	assert_same(image, copy);
	assert_int_equal(image_copy(&img, copy, NULL, NULL, &err), -EEXIST);
	unlink(copy);
	unlink(image);
}

static void images_are_copied(void **state)
{
	char image[64], copy[64];

	snprintf(image, sizeof(image), "%s/image", home);
	snprintf(copy, sizeof(copy), "%s/copy", home);
	copies(image, copy);
}

static void images_are_copied_between_file_systems(void **state)
{
	char image[64], copy[64];
	struct stat here, memory;

	if (stat(home, &here) || stat("/dev/shm", &memory) || here.st_dev == memory.st_dev ||
	    access("/dev/shm", W_OK))
		skip();
	snprintf(image, sizeof(image), "%s/image", home);
	snprintf(copy, sizeof(copy), "/dev/shm/hospes-copy-%d", (int)getpid());
	copies(image, copy);
}

static void copies_that_fail_leave_nothing(void **state)
{
	struct rlimit old, small;
	struct err err = { "" };
	char image[64], copy[64];
	struct image img;

	snprintf(image, sizeof(image), "%s/image", home);
	snprintf(copy, sizeof(copy), "%s/copy", home);
	make_image(&img, image);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ PART, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(image_copy(&img, copy, NULL, NULL, &err), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_non_null(strstr(err.msg, copy));
	assert_int_equal(access(copy, F_OK), -1);
	unlink(image);
	assert_int_equal(image_copy(&img, copy, NULL, NULL, &err), -ENOENT);
	assert_int_equal(access(copy, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_taken_once),
		cmocka_unit_test(what_runs_is_not_removed),
		cmocka_unit_test(makers_that_are_killed_leave_nothing),
		cmocka_unit_test(two_remove_one_folder),
		cmocka_unit_test(images_are_copied),
		cmocka_unit_test(images_are_copied_between_file_systems),
		cmocka_unit_test(copies_that_fail_leave_nothing),
	};
	int rc;

	if (!mkdtemp(home) || setenv("HOSPES_HOME", home, 1))
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	store_discard(home, NULL);
	return rc;
}
