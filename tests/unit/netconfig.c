/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/netconfig.h"

static const char id[] = "8f14e45f-ceea-467f-a8b1-0d9a6c7f2b11";

static int setup(void **state)
{
	char *folder = strdup("/tmp/hospes-netconfig-XXXXXX");

	*state = folder;
	return folder && mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/network.json", (char *)*state);
	unlink(path);
	rmdir(*state);
	free(*state);
	return 0;
}

static void write_text(const char *folder, const char *text)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof(path), "%s/network.json", folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_round_trip(void **state)
{
	struct netconfig n = { .subnet = "192.168.200.0/24", .nat = true }, back;
	char path[100];
	struct stat st;
	struct err err;

	strcpy(n.id, id);
	assert_int_equal(netconfig_save(&n, *state, &err), 0);
	assert_int_equal(netconfig_load(&back, *state, &err), 0);
	assert_string_equal(back.id, id);
	assert_string_equal(back.subnet, n.subnet);
	assert_true(back.nat);
	snprintf(path, sizeof(path), "%s/network.json", (char *)*state);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"", "[]", "{}", "{\"schema\": 1}",
		"{\"schema\": 2, \"id\": \"8f14e45f-ceea-467f-a8b1-0d9a6c7f2b11\","
		" \"subnet\": \"10.1.1.0/24\", \"nat\": false}",
		"{\"schema\": 1, \"id\": \"../../etc\", \"subnet\": \"10.1.1.0/24\", \"nat\": false}",
		"{\"schema\": 1, \"id\": \"8f14e45f-ceea-467f-a8b1-0d9a6c7f2b11\","
		" \"subnet\": \"10.1.1.0\", \"nat\": false}",
		"{\"schema\": 1, \"id\": \"8f14e45f-ceea-467f-a8b1-0d9a6c7f2b11\","
		" \"subnet\": \"--nat/24\", \"nat\": false}",
		"{\"schema\": 1, \"id\": \"8f14e45f-ceea-467f-a8b1-0d9a6c7f2b11\","
		" \"subnet\": \"10.1.1.0/24\", \"nat\": 1}",
		"{\"schema\": 1, \"id\": \"8f14e45f-ceea-467f-a8b1-0d9a6c7f2b11\","
		" \"subnet\": \"10.1.1.0/24\", \"nat\": false, \"more\": 1}",
		"{\"schema\": 1, \"id\": \"8f14e45f-ceea-467f-a8b1-0d9a6c7f2b11\","
		" \"subnet\": \"10.111.111.111111.0/24\", \"nat\": false}",
	};
	struct netconfig n;
	struct err err;

	assert_int_equal(netconfig_load(&n, *state, &err), -ENOENT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		write_text(*state, bad[i]);
		assert_int_equal(netconfig_load(&n, *state, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "network.json"));
	}
	n = (struct netconfig){ .id = "x", .subnet = "10.1.1.0/24" };
	assert_int_equal(netconfig_save(&n, *state, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
