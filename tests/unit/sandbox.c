/* SPDX-License-Identifier: Apache-2.0 */
/* Each case closes a sandbox in a child process and sees there what still works. */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/sandbox.h"

/* In a child: the exit status says which expectation failed (1 on). */
#define EXPECT(n, cond) do { if (!(cond)) _exit(n); } while (0)

static int in_child(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		const struct rlimit none = { 0 };

		setrlimit(RLIMIT_CORE, &none);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static const struct sandbox_rule rules[] = {
	{ .nr = SYS_exit_group },
	{ .nr = SYS_sigaltstack },	/* AddressSanitizer, before _exit() */
	{ .nr = SYS_getpid },
	{ .nr = SYS_close },
	{ .nr = SYS_seccomp },
	{ .nr = SYS_socket, .args = { { SANDBOX_EQ, 0, AF_INET, 0 },
				      { SANDBOX_MASKED, 1, SOCK_DGRAM, 0xf } } },
	{ .nr = SYS_execve, .action = SANDBOX_KILL },
};

static void filtered(void)
{
	struct sandbox_filter f;
	int fd;

	EXPECT(1, !sandbox_no_new_privs(NULL));
	EXPECT(2, !sandbox_compile(&f, rules, ARRAY_LEN(rules), SANDBOX_DENY, NULL));
	EXPECT(3, f.len > 0);
	EXPECT(4, !sandbox_install(&f, NULL));
	EXPECT(5, syscall(SYS_getpid) > 0);
	EXPECT(6, syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY) < 0 && errno == EPERM);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	EXPECT(7, fd >= 0);
	EXPECT(8, socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
	EXPECT(9, socket(AF_UNIX, SOCK_DGRAM, 0) < 0 && errno == EPERM);
	EXPECT(10, fork() < 0);
	EXPECT(11, !sandbox_install(&f, NULL));
}

static void executing(void)
{
	char *const argv[] = { (char []){ "true" }, NULL };

	EXPECT(1, !sandbox_no_new_privs(NULL));
	EXPECT(2, !sandbox_seccomp(rules, ARRAY_LEN(rules), SANDBOX_DENY, NULL));
	execve("/bin/true", argv, NULL);
	_exit(3);
}

static void seccomp_filters(void **state)
{
	int status = in_child(filtered);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	status = in_child(executing);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void bad_rules(void **state)
{
	static const struct sandbox_rule bad[] = {
		{ .nr = SYS_getpid },
		{ .nr = SYS_read, .args = { { SANDBOX_EQ, 7, 0, 0 } } },
	};
	struct sandbox_filter f;
	struct err err;

	assert_true(sandbox_compile(&f, bad, 2, SANDBOX_DENY, &err) < 0);
	assert_non_null(strstr(err.msg, "rule 1"));
	assert_null(f.code);
	sandbox_filter_fini(&f);
}

static char allowed_path[] = "/tmp/hospes-sandbox-XXXXXX";

static void walled(void)
{
	const char *const paths[] = { allowed_path, "/nonexistent/file" };
	char new_path[64];
	int fd;

	snprintf(new_path, sizeof(new_path), "%s.new", allowed_path);
	EXPECT(1, !sandbox_no_new_privs(NULL));
	EXPECT(2, !sandbox_landlock(paths, ARRAY_LEN(paths), SANDBOX_NO_TCP | SANDBOX_SCOPED,
				    NULL));
	fd = open(allowed_path, O_RDONLY);
	EXPECT(3, fd >= 0);
	EXPECT(4, open(allowed_path, O_WRONLY) < 0 && errno == EACCES);
	EXPECT(5, open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	EXPECT(6, open(new_path, O_CREAT | O_WRONLY, 0600) < 0 && errno == EACCES);
	EXPECT(7, unlink(allowed_path) < 0 && errno == EACCES);
	EXPECT(8, prctl(PR_GET_DUMPABLE) == 0);
}

static void landlock_walls(void **state)
{
	int fd, status;

	if (!sandbox_landlock_abi())
		skip();
	fd = mkstemp(allowed_path);
	assert_true(fd >= 0);
	close(fd);
	status = in_child(walled);
	unlink(allowed_path);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void dropped(void)
{
	uid_t r, e, s;

	EXPECT(1, !sandbox_drop_ids(12345, 23456, NULL));
	EXPECT(2, !getresuid(&r, &e, &s) && r == 12345 && e == 12345 && s == 12345);
	EXPECT(3, getgid() == 23456 && getgroups(0, NULL) == 0);
	EXPECT(4, setuid(0) < 0);
	EXPECT(5, !sandbox_drop_caps(NULL));
}

static void not_root(void)
{
	struct err err;

	if (getuid() == 0)
		EXPECT(1, !sandbox_drop_ids(12345, 12345, NULL));
	EXPECT(2, sandbox_drop_ids(0, 0, &err) == -EPERM);
	EXPECT(3, strstr(err.msg, "user 0"));
}

static void capless(void)
{
	EXPECT(1, !sandbox_drop_caps(NULL));
	/* not the library's, which asks the same of threads that a sanitizer may have */
	EXPECT(2, syscall(SYS_setgroups, 0, NULL) < 0 && errno == EPERM);
}

static void privileges_gone(void **state)
{
	assert_int_equal(in_child(not_root), 0);
	assert_int_equal(in_child(capless), 0);
}

static void identity_dropped(void **state)
{
	if (getuid() != 0)
		skip();		/* only root has an identity to drop */
	assert_int_equal(in_child(dropped), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seccomp_filters),
		cmocka_unit_test(bad_rules),
		cmocka_unit_test(landlock_walls),
		cmocka_unit_test(privileges_gone),
		cmocka_unit_test(identity_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
