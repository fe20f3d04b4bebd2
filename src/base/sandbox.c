/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int sandbox_drop_ids(uid_t uid, gid_t gid, struct err *err)
{
	uid_t ids[3];

	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return err_sys(err, -errno, "cannot become user %u, group %u (this needs root)",
			       (unsigned)uid, (unsigned)gid);
	if (getresuid(&ids[0], &ids[1], &ids[2]) < 0 || ids[0] != uid || ids[1] != uid ||
	    ids[2] != uid || (uid != 0 && setuid(0) == 0))
		return err_set(err, -EPERM, "the kernel did not make us user %u for good",
			       (unsigned)uid);
	return 0;
}

int sandbox_drop_caps(struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	/* Ambient capabilities go with the permitted ones. */
	if (syscall(SYS_capset, &head, none) < 0)
		return err_sys(err, -errno, "cannot give up capabilities");
	return 0;
}

int sandbox_no_new_privs(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, -errno, "cannot give up gaining privileges");
	return 0;
}

/* ---- Landlock ---------------------------------------------------------------------------- */

/*
 * The kernel's structure with the fields of version 6. Build machines may have older headers;
 * older kernels take the longer structure as long as what they do not know is 0.
 */
struct ruleset_attr {
	uint64_t handled_access_fs;	/* since version 1 */
	uint64_t handled_access_net;	/* since version 4 */
	uint64_t scoped;		/* since version 6 */
};

enum {
	NET_BIND_TCP = 1,
	NET_CONNECT_TCP = 2,
	SCOPE_ABSTRACT_UNIX = 1,
	SCOPE_SIGNAL = 2,
};

int sandbox_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

/* Every right over files that version abi of Landlock governs. */
static uint64_t fs_rights(int abi)
{
	unsigned count = 13;		/* version 1: EXECUTE to MAKE_SYM */

	if (abi >= 2)
		count++;		/* REFER */
	if (abi >= 3)
		count++;		/* TRUNCATE */
	if (abi >= 5)
		count++;		/* IOCTL_DEV */
	return (UINT64_C(1) << count) - 1;
}

static int allow_reading(int ruleset, const char *path, struct err *err)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE };
	int rc = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "%s", path);
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		rc = err_sys(err, -errno, "%s: cannot add it to the Landlock rules", path);
	close(rule.parent_fd);
	return rc;
}

int sandbox_landlock(const char *const *readable, size_t n, unsigned flags, struct err *err)
{
	int abi = sandbox_landlock_abi();
	struct ruleset_attr attr = { .handled_access_fs = fs_rights(abi) };
	int fd, rc = 0;

	if (!abi)
		return err_set(err, -EOPNOTSUPP, "this kernel has no Landlock");
	if (abi >= 4 && flags & SANDBOX_NO_TCP)
		attr.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= 6 && flags & SANDBOX_SCOPED)
		attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return err_sys(err, -errno, "cannot make a Landlock ruleset");
	for (size_t i = 0; i < n && !rc; i++)
		rc = allow_reading(fd, readable[i], err);
	if (!rc && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		rc = err_sys(err, -errno, "cannot enforce Landlock rules");
	close(fd);
	return rc;
}

/* ---- seccomp ----------------------------------------------------------------------------- */

static uint32_t scmp_action(enum sandbox_action action)
{
	switch (action) {
	case SANDBOX_ALLOW:
		return SCMP_ACT_ALLOW;
	case SANDBOX_DENY:
		return SCMP_ACT_ERRNO(EPERM);
	case SANDBOX_NOSYS:
		return SCMP_ACT_ERRNO(ENOSYS);
	case SANDBOX_KILL:
		break;
	}
	return SCMP_ACT_KILL_PROCESS;
}

static int add_rule(scmp_filter_ctx ctx, const struct sandbox_rule *rule)
{
	struct scmp_arg_cmp cmp[SANDBOX_RULE_ARGS];
	unsigned n = 0;

	for (; n < SANDBOX_RULE_ARGS && rule->args[n].cmp != SANDBOX_ANY; n++) {
		const struct sandbox_arg *arg = &rule->args[n];
		bool eq = arg->cmp == SANDBOX_EQ;

		cmp[n] = (struct scmp_arg_cmp){
			.arg = arg->index,
			.op = eq ? SCMP_CMP_EQ : SCMP_CMP_MASKED_EQ,
			.datum_a = eq ? arg->value : arg->mask,
			.datum_b = eq ? 0 : arg->value,
		};
	}
	return seccomp_rule_add_exact_array(ctx, scmp_action(rule->action), rule->nr, n, cmp);
}

/* The program that ctx stands for, by way of a memory file: the library only writes to files. */
static int export_code(scmp_filter_ctx ctx, struct sandbox_filter *out)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat st;
	int rc;

	if (fd < 0)
		return -errno;
	rc = seccomp_export_bpf(ctx, fd);
	if (!rc && fstat(fd, &st) < 0)
		rc = -errno;
	if (rc)
		goto out;
	rc = -EINVAL;
	if (st.st_size <= 0 || (size_t)st.st_size > BPF_MAXINSNS * sizeof(*out->code))
		goto out;
	rc = -ENOMEM;
	out->code = malloc((size_t)st.st_size);
	if (!out->code)
		goto out;
	out->len = (uint16_t)((size_t)st.st_size / sizeof(*out->code));
	rc = pread(fd, out->code, (size_t)st.st_size, 0) == st.st_size ? 0 : -EIO;
	if (rc)
		sandbox_filter_fini(out);
out:
	close(fd);
	return rc;
}

int sandbox_compile(struct sandbox_filter *out, const struct sandbox_rule *rules, size_t n,
		    enum sandbox_action otherwise, struct err *err)
{
	scmp_filter_ctx ctx = seccomp_init(scmp_action(otherwise));
	int rc = 0;

	*out = (struct sandbox_filter){ 0 };
	if (!ctx)
		return err_set(err, -ENOMEM, "no memory for a system call filter");
	seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; i < n; i++) {
		rc = add_rule(ctx, &rules[i]);
		if (rc) {
			err_sys(err, rc, "system call filter: rule %zu (call %d)", i, rules[i].nr);
			goto out;
		}
	}
	rc = export_code(ctx, out);
	if (rc)
		err_sys(err, rc, "cannot compile a system call filter");
out:
	seccomp_release(ctx);
	return rc;
}

int sandbox_install(const struct sandbox_filter *f, struct err *err)
{
	struct sock_fprog prog = { .len = f->len, .filter = f->code };

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_sys(err, -errno, "cannot install a system call filter (seccomp)");
	return 0;
}

void sandbox_filter_fini(struct sandbox_filter *f)
{
	free(f->code);
	*f = (struct sandbox_filter){ 0 };
}

int sandbox_seccomp(const struct sandbox_rule *rules, size_t n, enum sandbox_action otherwise,
		    struct err *err)
{
	struct sandbox_filter f;
	int rc = sandbox_compile(&f, rules, n, otherwise, err);

	if (!rc)
		rc = sandbox_install(&f, err);
	sandbox_filter_fini(&f);
	return rc;
}
