/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"

/* User ids of root's monitors: above those that systemd and containers hand out. */
enum { UID_BASE = 0x70000000, UID_MASK = 0x0fffffff };

/* What a rule compares is an int, whatever its register's upper half holds. */
#define INT_MASK UINT32_MAX
#define ALLOW(name) { .nr = SYS_##name }
#define ALLOW_IF(name, arg, value) \
	{ .nr = SYS_##name, .args = { { SANDBOX_MASKED, arg, (uint32_t)(value), INT_MASK } } }
#define ALLOW_WITH(name, arg, bits) \
	{ .nr = SYS_##name, .args = { { SANDBOX_MASKED, arg, bits, bits } } }
#define ALLOW_WITHOUT(name, arg, bits) \
	{ .nr = SYS_##name, .args = { { SANDBOX_MASKED, arg, 0, bits } } }

/* Stands for the process' own id, which compile() fills in: abort() signals its own thread. */
enum { OWN_PID = -1 };

/*
 * What the sanitizers' run-time libraries ask for: where the stack of a thread that begins lies,
 * and a thread of their own that looks around now and then.
 */
#ifdef HOSPES_SANITIZED
#define SANITIZERS \
	ALLOW(nanosleep), ALLOW(gettimeofday), ALLOW(sched_getaffinity), \
	{ .nr = SYS_prlimit64, .args = { { SANDBOX_MASKED, 0, 0, INT_MASK }, \
					 { SANDBOX_EQ, 2, 0, 0 } } },
#else
#define SANITIZERS
#endif

/*
 * Any thread: memory from the C library (never executable), locks, time, the log and eventfds
 * (write), its own end.
 */
#define EVERY_THREAD \
	SANITIZERS ALLOW(futex), ALLOW(clock_gettime), ALLOW(sched_yield), ALLOW(write), \
	ALLOW_WITHOUT(mmap, 2, PROT_EXEC), ALLOW_WITHOUT(mprotect, 2, PROT_EXEC), ALLOW(munmap), \
	ALLOW(mremap), ALLOW(madvise), ALLOW(brk), ALLOW(exit), ALLOW(exit_group), \
	ALLOW(rt_sigreturn), ALLOW(rt_sigprocmask), ALLOW(rt_sigaction), ALLOW(sigaltstack), \
	ALLOW(gettid), ALLOW(getpid), ALLOW_IF(tgkill, 0, OWN_PID), ALLOW(restart_syscall)

/* The disks, as base/loop.h does without a ring. */
#define DISK_IO ALLOW(preadv), ALLOW(pwritev), ALLOW(fdatasync), ALLOW(fallocate)

/* Events, the I/O ring, and sockets that are open already: base/loop.h, base/chan.h, net/user.h. */
#define SOCKET_IO \
	ALLOW(epoll_wait), ALLOW(epoll_pwait), ALLOW(epoll_pwait2), ALLOW(epoll_ctl), \
	ALLOW(io_uring_enter), ALLOW(read), ALLOW(recvfrom), ALLOW(sendto), ALLOW(sendmsg), \
	ALLOW(recvmmsg), ALLOW(close)

/* What loading the guest's images takes, at the start and at each reset. */
#define LOADING \
	ALLOW(pread64), ALLOW(lseek), ALLOW(newfstatat), ALLOW(fstat), ALLOW(getrandom)

/* All of the below, and what builds the VM: its descriptors, threads and their filters. */
static const struct sandbox_rule process_rules[] = {
	EVERY_THREAD, DISK_IO, SOCKET_IO, LOADING, ALLOW(poll), ALLOW(statx),
	ALLOW_IF(ioctl, 1, BLKGETSIZE64), ALLOW_IF(ioctl, 1, BLKSSZGET), ALLOW_IF(ioctl, 1, BLKPBSZGET),
	ALLOW_IF(fcntl, 1, F_GETFL), ALLOW_IF(fcntl, 1, F_SETFL),
	ALLOW(epoll_create1), ALLOW(eventfd2), ALLOW(io_uring_setup), ALLOW(io_uring_register),
	ALLOW(getsockopt),
	{ .nr = SYS_setsockopt, .args = { { SANDBOX_MASKED, 1, SOL_SOCKET, INT_MASK },
					  { SANDBOX_MASKED, 2, SO_SNDBUF, INT_MASK } } },
	/* Threads, no processes; clone3 hides its flags in memory. */
	ALLOW_WITH(clone, 0, CLONE_VM | CLONE_THREAD), { .nr = SYS_clone3, .action = SANDBOX_NOSYS },
	ALLOW(set_robust_list), ALLOW(rseq), ALLOW_IF(prctl, 0, PR_SET_NAME),
	ALLOW_IF(seccomp, 0, SECCOMP_SET_MODE_FILTER),
};

static const struct sandbox_rule vcpu_rules[] = { EVERY_THREAD };

static const struct sandbox_rule io_rules[] = { EVERY_THREAD, DISK_IO };

/* getrandom: the guest's source of entropy. */
static const struct sandbox_rule loop_rules[] = { EVERY_THREAD, SOCKET_IO, ALLOW(getrandom) };

/* Resets the VM, and ends it: waits for what is in flight and for the console's last bytes. */
static const struct sandbox_rule control_rules[] = {
	EVERY_THREAD, SOCKET_IO, LOADING, ALLOW(poll),
};

static const struct {
	const struct sandbox_rule *rules;
	size_t n;
} thread_rules[] = {
	[CONFINE_VCPU] = { vcpu_rules, ARRAY_LEN(vcpu_rules) },
	[CONFINE_LOOP] = { loop_rules, ARRAY_LEN(loop_rules) },
	[CONFINE_IO] = { io_rules, ARRAY_LEN(io_rules) },
	[CONFINE_CONTROL] = { control_rules, ARRAY_LEN(control_rules) },
};
_Static_assert(ARRAY_LEN(thread_rules) == CONFINE_KINDS, "one rule set a kind");

/* The filter of rules, for this process. */
static int compile(struct sandbox_filter *f, const struct sandbox_rule *rules, size_t n,
		   struct err *err)
{
	struct sandbox_rule own[ARRAY_LEN(process_rules)];

	memcpy(own, rules, n * sizeof(*rules));
	for (size_t i = 0; i < n; i++)
		if (own[i].nr == SYS_tgkill)
			own[i].args[0].value = (uint32_t)getpid();
	return sandbox_compile(f, own, n, SANDBOX_DENY, err);
}

/* FNV-1a over the text: which id does not matter, only that processes seldom share one. */
static uint32_t hash(uint32_t sum, const char *text)
{
	while (*text)
		sum = (sum ^ (uint8_t)*text++) * 16777619u;
	return sum;
}

/* True when map, a file like /proc/self/uid_map, has the id; one that cannot be read has all. */
static bool has_id(const char *map, uid_t id)
{
	unsigned first, outside, count;
	FILE *f = fopen(map, "re");
	bool found = !f;

	while (!found && fscanf(f, "%u %u %u", &first, &outside, &count) == 3)
		found = id - first < count;
	if (f)
		fclose(f);
	return found;
}

uid_t confine_uid(const char *uuid, const char *role)
{
	uid_t uid = UID_BASE + (hash(hash(2166136261u, uuid), role) & UID_MASK);

	return geteuid() == 0 && has_id("/proc/self/uid_map", uid) && has_id("/proc/self/gid_map", uid)
		? uid : 0;
}

int confine_process(struct confine *c, const char *uuid, struct err *err)
{
	uid_t uid = confine_uid(uuid, "monitor");
	struct sandbox_filter process = { 0 };
	int rc = 0;

	memset(c, 0, sizeof(*c));
	if (uid)
		rc = sandbox_drop_ids(uid, uid, err);
	if (!rc)
		rc = sandbox_drop_caps(err);
	if (!rc)
		rc = sandbox_no_new_privs(err);
	/* Behind the change of identity, which would clear it; a supervisor that has gone already is
	   noticed by the end of its link. */
	if (!rc && prctl(PR_SET_PDEATHSIG, SIGKILL))
		rc = err_sys(err, -errno, "the monitor cannot be tied to its supervisor");
	if (!rc) {
		rc = sandbox_landlock(NULL, 0, SANDBOX_NO_TCP | SANDBOX_SCOPED, err);
		if (rc == -EOPNOTSUPP) {
			log_info("this kernel has no Landlock; the system call filters stand alone");
			rc = 0;
		}
	}
	for (unsigned k = 0; !rc && k < CONFINE_KINDS; k++)
		rc = compile(&c->filters[k], thread_rules[k].rules, thread_rules[k].n, err);
	if (!rc)
		rc = compile(&process, process_rules, ARRAY_LEN(process_rules), err);
	if (!rc)
		rc = sandbox_install(&process, err);
	sandbox_filter_fini(&process);
	if (rc)
		confine_fini(c);
	return rc;
}

void confine_thread(const struct confine *c, enum confine_kind kind)
{
	struct err err;

	if (sandbox_install(&c->filters[kind], &err)) {
		log_error("%s", err.msg);
		_exit(EXIT_FAILURE);
	}
}

void confine_fini(struct confine *c)
{
	for (unsigned k = 0; k < CONFINE_KINDS; k++)
		sandbox_filter_fini(&c->filters[k]);
}
