/* SPDX-License-Identifier: Apache-2.0 */
#include "net/switch/confine.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "base/sandbox.h"

#define ONLY_IF(call, arg, equals) { .nr = call, .args = { { SANDBOX_EQ, arg, equals, 0 } } }
#define ONLY_WITHOUT(call, arg, bits) { .nr = call, .args = { { SANDBOX_MASKED, arg, 0, bits } } }

static const struct sandbox_rule rules[] = {
	/* the listener and the ports */
	{ .nr = SYS_accept4 },
	ONLY_IF(SYS_getsockopt, 1, SOL_SOCKET),
	ONLY_IF(SYS_setsockopt, 1, SOL_SOCKET),
	{ .nr = SYS_recvfrom },
	{ .nr = SYS_recvmmsg },
	{ .nr = SYS_sendto },
	{ .nr = SYS_sendmmsg },
	{ .nr = SYS_close },
	/* the table of addresses, and whether the end has come */
	{ .nr = SYS_pwrite64 },
	{ .nr = SYS_lseek },
	{ .nr = SYS_flock },
	/* the loop (base/loop.h), the log */
	{ .nr = SYS_epoll_wait },
	{ .nr = SYS_epoll_pwait },
	{ .nr = SYS_epoll_pwait2 },
	{ .nr = SYS_epoll_ctl },
	{ .nr = SYS_read },
	{ .nr = SYS_write },
	{ .nr = SYS_clock_gettime },
	/* memory, the end */
	{ .nr = SYS_brk },
	{ .nr = SYS_munmap },
	{ .nr = SYS_mremap },
	{ .nr = SYS_madvise },
	ONLY_WITHOUT(SYS_mmap, 2, PROT_EXEC),
	ONLY_WITHOUT(SYS_mprotect, 2, PROT_EXEC),
	{ .nr = SYS_futex },
	{ .nr = SYS_rt_sigprocmask },
	{ .nr = SYS_sigaltstack },	/* AddressSanitizer, before _exit() */
	{ .nr = SYS_rt_sigreturn },
	{ .nr = SYS_restart_syscall },
	{ .nr = SYS_getpid },
	{ .nr = SYS_gettid },
	{ .nr = SYS_exit },
	{ .nr = SYS_exit_group },
	/* nothing honest in here ever tries these */
	{ .nr = SYS_execve, .action = SANDBOX_KILL },
	{ .nr = SYS_execveat, .action = SANDBOX_KILL },
	{ .nr = SYS_fork, .action = SANDBOX_KILL },
	{ .nr = SYS_vfork, .action = SANDBOX_KILL },
	{ .nr = SYS_clone, .action = SANDBOX_KILL },
	{ .nr = SYS_clone3, .action = SANDBOX_KILL },
	{ .nr = SYS_ptrace, .action = SANDBOX_KILL },
};

int switch_confine(uid_t uid, pid_t parent, struct err *err)
{
	int rc = 0;

	if (uid)
		rc = sandbox_drop_ids(uid, (gid_t)uid, err);
	if (!rc)
		rc = sandbox_drop_caps(err);
	if (!rc)
		rc = sandbox_no_new_privs(err);
	/* Behind the change of identity, which would clear it. */
	if (!rc && prctl(PR_SET_PDEATHSIG, SIGKILL))
		rc = err_sys(err, -errno, "the switch cannot be tied to its parent");
	if (!rc && getppid() != parent)
		rc = err_set(err, -ESRCH, "whoever started the switch has gone");
	if (rc)
		return rc;
	rc = sandbox_landlock(NULL, 0, SANDBOX_NO_TCP | SANDBOX_SCOPED, err);
	if (rc && rc != -EOPNOTSUPP)
		return rc;
	if (rc)
		log_info("this kernel has no Landlock; the system call filter stands alone");
	return sandbox_seccomp(rules, ARRAY_LEN(rules), SANDBOX_DENY, err);
}
