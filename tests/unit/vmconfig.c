/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config/vmconfig.h"

static char path[] = "/tmp/hospes-vmconfig-XXXXXX";

static void write_text(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static struct vmconfig example(void)
{
	struct vmconfig c = {
		.name = strdup("web"), .uuid = strdup("8f14e45f-ceea-467f-a8b1-0d9a6c7f2b11"),
		.machine = strdup("virt-1"), .arch = strdup("riscv64"), .engine = strdup("interp"),
		.cpus = 2, .memory = UINT64_C(5) << 30, .append = strdup("console=\"ttyS0\""),
		.disk_count = 1, .net_count = 1,
	};

	c.disks[0] = (struct vmconfig_disk){ strdup("/a/b c.raw"), strdup("raw"), strdup("pci"),
					     strdup("S1"), false, true, 4 };
	c.nets[0] = (struct vmconfig_net){ .backend = strdup("user"), .mac = strdup("52:54:00:aB:34:56"),
					   .slot = 3, .forward = { strdup("8080:80") },
					   .forward_count = 1 };
	c.pflash[0] = strdup("/code.fd");
	return c;
}

static void round_trip(void **state)
{
	struct vmconfig a = example(), b;
	struct err err;

	assert_int_equal(vmconfig_save(&a, path, &err), 0);
	assert_int_equal(vmconfig_load(&b, path, &err), 0);
	assert_string_equal(b.name, "web");
	assert_string_equal(b.append, "console=\"ttyS0\"");
	assert_null(b.kernel);
	assert_true(b.memory == a.memory);
	assert_string_equal(b.disks[0].file, "/a/b c.raw");
	assert_true(b.disks[0].direct && !b.disks[0].readonly && b.disks[0].slot == 4);
	assert_string_equal(b.nets[0].forward[0], "8080:80");
	assert_string_equal(b.pflash[0], "/code.fd");
	vmconfig_fini(&b);
	vmconfig_fini(&a);
	vmconfig_fini(&a);
}

static void refused(const char *text, const char *sentence)
{
	struct vmconfig c;
	struct err err = { "" };

	write_text(text);
	assert_true(vmconfig_load(&c, path, &err) < 0);
	if (!strstr(err.msg, sentence))
		fail_msg("'%s' is not in '%s'", sentence, err.msg);
}

static void bad_files(void **state)
{
	refused("", "line 1");
	refused("[]", "schema");
	refused("{\"schema\": 2}", "another version");
	refused("{\"schema\": 1}", "'name' is missing");
	refused("{\"schema\": 1, \"name\": 3}", "'name' has the wrong type");
	refused("{\"schema\": 1, \"schema\": 1}", "duplicate");
	refused("{\"schema\":1,\"name\":\"a\",\"uuid\":\"u\",\"machine\":\"m\",\"arch\":\"r\","
		"\"engine\":\"e\",\"cpus\":-1}", "'cpus'");
	refused("{\"schema\":1,\"name\":\"a\",\"uuid\":\"u\",\"machine\":\"m\",\"arch\":\"r\","
		"\"engine\":\"e\",\"cpus\":1,\"memory\":33554432,\"pflash\":[],\"disks\":[],"
		"\"nets\":[],\"memry\":1}", "'memry' is not known");
	refused("{\"schema\":1,\"name\":\"a\",\"uuid\":\"u\",\"machine\":\"m\",\"arch\":\"r\","
		"\"engine\":\"e\",\"cpus\":1,\"memory\":33554433,\"pflash\":[],\"disks\":[],"
		"\"nets\":[]}", "whole MiB");
}

static void checks(void **state)
{
	struct vmconfig c = example();
	struct err err;
	uint8_t mac[6];

	assert_int_equal(vmconfig_check(&c, &err), 0);
	c.cpus = 9;
	assert_int_equal(vmconfig_check(&c, &err), -EINVAL);
	c.cpus = 8;
	c.disks[0].slot = 0;
	assert_int_equal(vmconfig_check(&c, &err), -EINVAL);
	c.disks[0].slot = 1;
	c.nets[0].mac[1] = '3';
	assert_int_equal(vmconfig_check(&c, &err), -EINVAL);
	c.nets[0].mac[1] = '2';
	assert_int_equal(vmconfig_check(&c, &err), 0);
	c.uuid[0] = 'g';
	assert_int_equal(vmconfig_check(&c, &err), -EINVAL);
	c.uuid[0] = 'A';
	c.uuid[35] = '\0';
	assert_int_equal(vmconfig_check(&c, &err), -EINVAL);
	c.uuid[35] = '0';
	c.disks[0].file[0] = '.';
	assert_int_equal(vmconfig_check(&c, &err), -EINVAL);
	c.disks[0].file[0] = '/';
	c.pflash[0][0] = '.';
	assert_int_equal(vmconfig_check(&c, &err), -EINVAL);
	c.pflash[0][0] = '/';
	assert_int_equal(vmconfig_check(&c, &err), 0);
	vmconfig_fini(&c);
	assert_false(vmconfig_name_ok(""));
	assert_false(vmconfig_name_ok("../x"));
	assert_false(vmconfig_name_ok("-rf"));
	assert_false(vmconfig_name_ok("a b"));
	assert_true(vmconfig_name_ok("Web_1.test-2"));
	assert_false(vmconfig_parse_mac("52:54:00:12:34:5", mac));
	assert_false(vmconfig_parse_mac("52:54:00:12:34:5g", mac));
	assert_true(vmconfig_parse_mac("52:54:00:12:34:5f", mac));
	assert_int_equal(mac[5], 0x5f);
}

/* A file name need not be text; a setting that cannot be written down must not get lost. */
static void no_text(void **state)
{
	struct vmconfig c = example();
	struct err err = { "" };

	c.kernel = strdup("/k\xff");
	write_text("as it was");
	assert_int_equal(vmconfig_save(&c, path, &err), -EILSEQ);
	assert_non_null(strstr(err.msg, "'kernel': \"/k\xff\" is not UTF-8"));
	c.kernel[2] = '\0';
	c.disks[0].file[1] = '\xc0';
	assert_int_equal(vmconfig_save(&c, path, &err), -EILSEQ);
	assert_non_null(strstr(err.msg, "'file'"));
	c.disks[0].file[1] = 'a';
	c.nets[0].forward[0][0] = '\x80';
	assert_int_equal(vmconfig_save(&c, path, &err), -EILSEQ);
	c.nets[0].forward[0][0] = '8';
	assert_int_equal(vmconfig_save(&c, path, &err), 0);
	vmconfig_fini(&c);
}

/* A file that cannot be written or read: the reason is named, and nothing half stays. */
static void files_that_fail(void **state)
{
	struct vmconfig c = example(), back;
	struct rlimit old, small = { 16, 16 };
	struct err err = { "" };
	char temp[64];

	assert_int_equal(vmconfig_load(&back, "/nowhere/config.json", &err), -EINVAL);
	assert_non_null(strstr(err.msg, "/nowhere/config.json: No such file"));
	assert_null(strstr(err.msg, "line"));
	assert_int_equal(vmconfig_save(&c, "/nowhere/config.json", &err), -ENOENT);
	assert_int_equal(vmconfig_save(&c, path, &err), 0);
	c.cpus = 7;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(vmconfig_save(&c, path, &err), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	snprintf(temp, sizeof(temp), "%s.new", path);
	assert_int_equal(access(temp, F_OK), -1);
	assert_int_equal(vmconfig_load(&back, path, &err), 0);
	assert_int_equal(back.cpus, 2);
	vmconfig_fini(&back);
	vmconfig_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(checks),
		cmocka_unit_test(no_text),
		cmocka_unit_test(files_that_fail),
	};
	int rc;

	close(mkstemp(path));
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return rc;
}
