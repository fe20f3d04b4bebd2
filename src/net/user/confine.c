/* SPDX-License-Identifier: Apache-2.0 */
#include "net/user/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/sandbox.h"

enum { SOCK_TYPE = 0xf };	/* the part of socket(2)'s type that is no flag */

#define SOCKET(family, type, protocol)                                                             \
	{ .nr = SYS_socket,                                                                        \
	  .args = { { SANDBOX_EQ, 0, family, 0 },                                                  \
		    { SANDBOX_MASKED, 1, type, SOCK_TYPE },                                        \
		    { SANDBOX_EQ, 2, protocol, 0 } } }
#define OPTION(level, name)                                                                        \
	{ .nr = SYS_setsockopt, .args = { { SANDBOX_EQ, 1, level, 0 }, { SANDBOX_EQ, 2, name, 0 } } }
#define ONLY_IF(call, arg, equals) { .nr = call, .args = { { SANDBOX_EQ, arg, equals, 0 } } }
#define ONLY_WITHOUT(call, arg, bits) { .nr = call, .args = { { SANDBOX_MASKED, arg, 0, bits } } }

static const struct sandbox_rule rules[] = {
	/* libslirp's sockets; those that listen for forwarded ports are bound before */
	SOCKET(AF_INET, SOCK_STREAM, 0),
	SOCKET(AF_INET, SOCK_DGRAM, 0),
	SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
	SOCKET(AF_INET6, SOCK_STREAM, 0),
	SOCKET(AF_INET6, SOCK_DGRAM, 0),
	SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6),
	{ .nr = SYS_connect },
	{ .nr = SYS_accept },
	{ .nr = SYS_accept4 },
	{ .nr = SYS_shutdown },
	{ .nr = SYS_getsockname },
	{ .nr = SYS_getpeername },
	{ .nr = SYS_getsockopt },
	OPTION(SOL_SOCKET, SO_REUSEADDR),
	OPTION(SOL_SOCKET, SO_OOBINLINE),
	OPTION(IPPROTO_TCP, TCP_NODELAY),
	OPTION(IPPROTO_IP, IP_TTL),
	OPTION(IPPROTO_IP, IP_RECVERR),
	OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
	OPTION(IPPROTO_IPV6, IPV6_RECVERR),
	OPTION(IPPROTO_IPV6, IPV6_V6ONLY),
	ONLY_IF(SYS_fcntl, 1, F_GETFL),
	ONLY_IF(SYS_fcntl, 1, F_SETFL),
	ONLY_IF(SYS_fcntl, 1, F_GETFD),
	ONLY_IF(SYS_fcntl, 1, F_SETFD),
	ONLY_IF(SYS_ioctl, 1, FIONREAD),
	/* data, and the pair to the monitor */
	{ .nr = SYS_read },
	{ .nr = SYS_write },
	{ .nr = SYS_recvfrom },
	{ .nr = SYS_recvmsg },
	{ .nr = SYS_recvmmsg },
	{ .nr = SYS_sendto },
	{ .nr = SYS_sendmsg },
	{ .nr = SYS_sendmmsg },
	{ .nr = SYS_close },
	{ .nr = SYS_poll },
	{ .nr = SYS_ppoll },
	/* time, memory, the end */
	{ .nr = SYS_clock_gettime },
	{ .nr = SYS_gettimeofday },
	{ .nr = SYS_getrandom },
	{ .nr = SYS_brk },
	{ .nr = SYS_munmap },
	{ .nr = SYS_mremap },
	{ .nr = SYS_madvise },
	ONLY_WITHOUT(SYS_mmap, 2, PROT_EXEC),
	ONLY_WITHOUT(SYS_mprotect, 2, PROT_EXEC),
	{ .nr = SYS_futex },
	{ .nr = SYS_rt_sigprocmask },
	{ .nr = SYS_sigaltstack },	/* AddressSanitizer, before _exit() and its like */
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
	{ .nr = SYS_process_vm_readv, .action = SANDBOX_KILL },
	{ .nr = SYS_process_vm_writev, .action = SANDBOX_KILL },
	/* the last FILE_RULES: reading resolv.conf, where Landlock keeps it to that */
	{ .nr = SYS_newfstatat },
	{ .nr = SYS_fstat },
	{ .nr = SYS_lseek },
	ONLY_WITHOUT(SYS_openat, 2, O_ACCMODE | O_CREAT | O_TRUNC),
};

enum { FILE_RULES = 4 };

/*
 * What must be readable for path to be readable: the file that it leads to, or where that is
 * a link into a directory of its own (systemd-resolved, NetworkManager: the file is replaced
 * there when it changes), this directory. buf gets it.
 */
static const char *resolved(const char *path, char buf[static PATH_MAX])
{
	char *slash;

	if (!realpath(path, buf))
		return NULL;
	slash = strrchr(buf, '/');
	if (!strncmp(buf, "/run/", 5) && slash > buf + 4)
		*slash = '\0';
	return buf;
}

int confine(uid_t uid, const char *resolv_conf, bool *readable, struct err *err)
{
	char buf[PATH_MAX];
	const char *file = resolv_conf ? resolved(resolv_conf, buf) : NULL;
	int rc = 0;

	if (uid)
		rc = sandbox_drop_ids(uid, (gid_t)uid, err);
	if (!rc)
		rc = sandbox_drop_caps(err);
	if (!rc)
		rc = sandbox_no_new_privs(err);
	if (rc)
		return rc;
	rc = sandbox_landlock(&file, file ? 1 : 0, SANDBOX_SCOPED, err);
	if (rc && rc != -EOPNOTSUPP)
		return rc;
	*readable = file && !rc;
	return sandbox_seccomp(rules, ARRAY_LEN(rules) - (*readable ? 0 : FILE_RULES), SANDBOX_DENY,
			       err);
}
