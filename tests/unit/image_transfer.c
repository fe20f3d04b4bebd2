/* SPDX-License-Identifier: Apache-2.0 */
/* Disks between files, plain and compressed, and their digests. */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manage/digest.h"
#include "manage/transfer.h"

static int memory_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void digests_are_sha256(void **state)
{
	/* FIPS 180-4's own example, "abc". */
	static const char abc[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	char hex[DIGEST_HEX + 1], upper[DIGEST_HEX + 8];
	struct digest d;

	assert_int_equal(digest_init(&d, NULL), 0);
	assert_int_equal(digest_add(&d, "a", 1), 0);
	assert_int_equal(digest_add(&d, "bc", 2), 0);
	assert_int_equal(digest_end(&d, hex), 0);
	digest_fini(&d);
	assert_string_equal(hex, abc);
	snprintf(upper, sizeof(upper), "sha256:%s", abc);
	upper[7] = 'B';
	assert_true(digest_parse(upper, hex));
	assert_string_equal(hex, abc);
	upper[70] = 'g';
	assert_false(digest_parse(upper, hex));
	assert_false(digest_parse("", hex));
	assert_false(digest_parse(abc + 1, hex));
}

static struct transfer run(int from, int to, bool decompress, bool compress, int expected)
{
	struct transfer t = {.from = from,
			     .to = to,
			     .from_name = "from",
			     .to_name = "to",
			     .max = 1 << 24,
			     .decompress = decompress,
			     .compress = compress};
	struct err err = { "" };
	int rc = transfer_run(&t, &err);

	if (rc != expected)
		fail_msg("%d, not %d: %s", rc, expected, err.msg);
	return t;
}

/* Data, zeros across several blocks, an odd length with zeros at the end. */
static off_t make_disk(int fd)
{
	static char data[100000];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 2654435761u >> 13);
	assert_int_equal(pwrite(fd, data, sizeof(data), 0), sizeof(data));
	assert_int_equal(pwrite(fd, data, sizeof(data), 3000001), sizeof(data));
	assert_int_equal(ftruncate(fd, 5000003), 0);
	return 5000003;
}

static void disks_come_back(void **state)
{
	int disk = memory_file("disk"), packed = memory_file("packed"), back = memory_file("back");
	off_t size = make_disk(disk);
	struct transfer out = run(disk, packed, false, true, 0),
			in = run(packed, back, true, false, 0);
	struct stat st;
	char *a = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, disk, 0);
	char *b = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, back, 0);

	assert_int_equal(fstat(back, &st), 0);
	assert_int_equal(st.st_size, size);
	assert_true(st.st_blocks * 512 < 300000);
	assert_memory_equal(a, b, size);
	assert_int_equal(in.size, size);
	assert_string_equal(in.disk_digest, out.disk_digest);
	assert_string_equal(in.file_digest, in.disk_digest);
	assert_string_not_equal(out.file_digest, out.disk_digest);
	munmap(a, (size_t)size);
	munmap(b, (size_t)size);
	close(disk);
	close(packed);
	close(back);
}

static void what_is_damaged_is_refused(void **state)
{
	int disk = memory_file("disk"), packed = memory_file("packed"), back = memory_file("back");
	struct stat st;
	char byte;

	make_disk(disk);
	run(disk, back, true, false, -EBADMSG);
	run(disk, packed, false, true, 0);
	assert_int_equal(fstat(packed, &st), 0);
	assert_int_equal(pread(packed, &byte, 1, st.st_size - 2), 1);
	byte = (char)~byte;
	assert_int_equal(pwrite(packed, &byte, 1, st.st_size - 2), 1);
	run(packed, back, true, false, -EBADMSG);
	for (off_t cut = st.st_size - 1; cut > 0; cut -= st.st_size / 7) {
		assert_int_equal(ftruncate(packed, cut), 0);
		run(packed, back, true, false, -EBADMSG);
	}
	close(disk);
	close(packed);
	close(back);
}

static void sizes_are_bounded(void **state)
{
	int disk = memory_file("disk"), packed = memory_file("packed"), back = memory_file("back");
	struct transfer big = { .from = disk, .to = packed, .from_name = "from", .to_name = "to",
				.max = UINT64_MAX, .compress = true };

	/* A few kilobytes that become 64 MiB. */
	assert_int_equal(ftruncate(disk, 64 << 20), 0);
	assert_int_equal(transfer_run(&big, NULL), 0);
	run(packed, back, true, false, -EFBIG);
	close(disk);
	close(packed);
	close(back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_sha256),
		cmocka_unit_test(disks_come_back),
		cmocka_unit_test(what_is_damaged_is_refused),
		cmocka_unit_test(sizes_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
