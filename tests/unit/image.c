/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of images. */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "manage/image.h"
#include "manage/store.h"

static char home[] = "/tmp/hospes-image-XXXXXX";

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
		cmocka_unit_test(images_are_copied),
		cmocka_unit_test(images_are_copied_between_file_systems),
		cmocka_unit_test(copies_that_fail_leave_nothing),
	};
	int rc;

	if (!mkdtemp(home))
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	store_discard(home, NULL);
	return rc;
}
