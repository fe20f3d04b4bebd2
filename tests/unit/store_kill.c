/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store under SIGKILL: each action is done by a child that is killed at its n-th system call, for every n
 * until it gets through (but for calls that only look at something). Whatever is left, the next command puts in order: the action has happened or it
 * has not.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <linux/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "manage/store.h"
#include "tests/unit/store_rig.h"

static char home[] = "/tmp/hospes-kill-XXXXXX";

/* What a command does, in its own process: 0 or not. */
typedef int action(struct store *s, struct err *err);

static void child(action *act)
{
	struct err err = { "" };
	struct store s;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(2);
	raise(SIGSTOP);
	rc = store_open(&s, &err);
	if (!rc)
		rc = act(&s, &err);
	store_close(&s);
	if (rc)
		fprintf(stderr, "# %s\n", err.msg);
	_exit(rc != 0);
}

/* Calls that change nothing that outlives a process: before and after them is the same. */
static bool only_looks(uint64_t call)
{
	static const uint64_t calls[] = {
		SYS_read, SYS_pread64, SYS_lseek, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_brk, SYS_fstat,
		SYS_newfstatat, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_statfs, SYS_getpid,
		SYS_geteuid, SYS_getdents64, SYS_getrandom, SYS_fstatfs, SYS_futex, SYS_close,
		SYS_rt_sigaction, SYS_rt_sigprocmask,
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i] == call)
			return true;
	return false;
}

/* Lets the child run until it is about to make such a call; false when it has ended instead. */
static bool next_call(pid_t pid)
{
	struct ptrace_syscall_info info;
	int status;

	do {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		assert_true(WIFSTOPPED(status));
		assert_true(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0);
	} while (info.op != PTRACE_SYSCALL_INFO_ENTRY || only_looks(info.entry.nr));
	return true;
}

/* True when the action was killed; false when it got through before its n-th call. */
static bool kill_at(action *act, unsigned n)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		child(act);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSTOPPED(status))
		skip();
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	for (unsigned i = 0; i < n; i++)
		if (!next_call(pid))
			return false;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return true;
}

/*
 * Kills act everywhere. before prepares an empty folder; happened looks at the store that the next command
 * opened, and says whether the action had taken effect.
 */
static void kill_everywhere(action *act, void (*before)(void), bool (*happened)(struct store *s))
{
	unsigned undone = 0, done = 0;
	bool killed;

	do {
		struct store s;

		assert_int_equal(store_discard(home, NULL), 0);
		assert_int_equal(mkdir(home, 0700), 0);
		if (before)
			before();
		killed = kill_at(act, undone + done + 1);
		rig_open(&s);
		rig_check(&s);
		if (happened(&s))
			done++;
		else
			undone++;
		store_close(&s);
	} while (killed);
	print_message("# killed at %u places: undone %u times, done %u times\n", undone + done - 1, undone,
		      done - 1);
	assert_true(undone + done > 30 && done > 1);
}

static int create(struct store *s, struct err *err)
{
	struct store_vm vm;

	return rig_create(s, "a", true, &vm, err);
}

static bool has(struct store *s, const char *name)
{
	struct vmconfig c;
	struct store_vm vm;
	struct err err;

	if (store_find_vm(s, name, &vm, &err))
		return false;
	assert_int_equal(store_load_config(s, &vm, &c, &err), 0);
	assert_string_equal(c.name, name);
	vmconfig_fini(&c);
	return true;
}

static bool has_a(struct store *s)
{
	bool there = has(s, "a");

	assert_int_equal(rig_check(s), there);
	return there;
}

static void have_a(void)
{
	struct err err = { "" };
	struct store s;

	rig_open(&s);
	if (create(&s, &err))
		fail_msg("%s", err.msg);
	store_close(&s);
}

static int remove_a(struct store *s, struct err *err)
{
	struct store_vm vm;
	int rc = store_find_vm(s, "a", &vm, err);

	return rc ? rc : store_remove_vm(s, vm.id, err);
}

static bool has_no_a(struct store *s)
{
	return !has_a(s);
}

static int rename_a(struct store *s, struct err *err)
{
	struct store_vm vm;
	int rc = store_find_vm(s, "a", &vm, err);

	return rc ? rc : store_rename_vm(s, &vm, "b", err);
}

static bool has_b(struct store *s)
{
	bool there = has(s, "b");

	assert_int_equal(rig_check(s), 1);
	assert_true(there != has(s, "a"));
	return there;
}

/* The older form of the store: a folder with the VM's name, and no database. */
static void have_old(void)
{
	char from[128], to[64], file[STORE_PATH_MAX];
	struct store_vm vm;
	struct err err;
	struct store s;

	have_a();
	rig_open(&s);
	assert_int_equal(store_find_vm(&s, "a", &vm, &err), 0);
	store_close(&s);
	snprintf(from, sizeof(from), "%s/vms/%s", home, vm.id);
	snprintf(to, sizeof(to), "%s/vms/a", home);
	assert_int_equal(rename(from, to), 0);
	for (int i = 0; i < 3; i++) {
		snprintf(file, sizeof(file), "%s/store.db%s", home, (const char *[]){ "", "-wal", "-shm" }[i]);
		assert_true(unlink(file) == 0 || errno == ENOENT);
	}
}

static int take_over(struct store *s, struct err *err)
{
	return 0;
}

static bool is_taken_over(struct store *s)
{
	/* Whatever was missing, the next command has done it. */
	assert_true(has_a(s));
	return true;
}

static void killed_creating(void **state)
{
	kill_everywhere(create, NULL, has_a);
}

static void killed_removing(void **state)
{
	kill_everywhere(remove_a, have_a, has_no_a);
}

static void killed_renaming(void **state)
{
	kill_everywhere(rename_a, have_a, has_b);
}

static void killed_taking_over(void **state)
{
	kill_everywhere(take_over, have_old, is_taken_over);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_creating),
		cmocka_unit_test(killed_removing),
		cmocka_unit_test(killed_renaming),
		cmocka_unit_test(killed_taking_over),
	};
	int rc;

	if (!mkdtemp(home) || setenv("HOSPES_HOME", home, 1))
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	store_discard(home, NULL);
	return rc;
}
