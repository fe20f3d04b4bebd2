/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/overflow.h"

static void err_sentences(void **state)
{
	struct err err;
	char big[1000];

	assert_int_equal(err_set(&err, -EINVAL, "disk %s: bad", "a"), -EINVAL);
	assert_string_equal(err.msg, "disk a: bad");
	assert_int_equal(err_sys(&err, -ENOENT, "a.img"), -ENOENT);
	assert_string_equal(err.msg, "a.img: No such file or directory");
	assert_int_equal(err_prefix(&err, -ENOENT, "vm web"), -ENOENT);
	assert_string_equal(err.msg, "vm web: a.img: No such file or directory");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_set(&err, -1, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	err_sys(&err, -ENOENT, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_non_null(strstr(err.msg, "xxx: No such file or directory"));
	err_prefix(&err, -1, big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_int_equal(err_set(NULL, -EIO, "x"), -EIO);
}

static void ranges(void **state)
{
	uint32_t sum;

	assert_true(range_within(0, 10, 10));
	assert_true(range_within(10, 0, 10));
	assert_false(range_within(1, 10, 10));
	assert_false(range_within(UINT64_MAX, 2, 10));
	assert_true(ranges_overlap(0, 10, 9, 1));
	assert_false(ranges_overlap(0, 10, 10, 1));
	assert_true(ranges_overlap(UINT64_MAX - 1, 100, UINT64_MAX, 1));
	assert_false(checked_add(UINT32_MAX, 1u, &sum));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_sentences),
		cmocka_unit_test(ranges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
