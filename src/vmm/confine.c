/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/confine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"

/* User ids of root's monitors: above those that systemd and containers hand out. */
enum { UID_BASE = 0x70000000, UID_MASK = 0x0fffffff };

#define ALLOW(name) { .nr = SYS_##name, .action = SANDBOX_ALLOW }

/* Any thread: memory from the C library, locks, time, its own end. */
#define EVERY_THREAD \
	ALLOW(futex), ALLOW(clock_gettime), ALLOW(clock_nanosleep), ALLOW(sched_yield), \
	ALLOW(mmap), ALLOW(munmap), ALLOW(mprotect), ALLOW(mremap), ALLOW(madvise), ALLOW(brk), \
	ALLOW(write), ALLOW(read), ALLOW(close), ALLOW(exit), ALLOW(exit_group), \
	ALLOW(rt_sigreturn), ALLOW(rt_sigprocmask), ALLOW(rt_sigaction), ALLOW(sigaltstack), \
	ALLOW(gettid), ALLOW(getpid), ALLOW(tgkill), ALLOW(restart_syscall), ALLOW(getrandom), \
	ALLOW(membarrier), ALLOW(rseq)

/* base/loop.h and base/chan.h: events, sockets that are open already, file I/O. */
#define LOOP_IO \
	ALLOW(epoll_wait), ALLOW(epoll_pwait), ALLOW(epoll_pwait2), ALLOW(epoll_ctl), \
	ALLOW(io_uring_enter), ALLOW(readv), ALLOW(writev), ALLOW(preadv), ALLOW(pwritev), \
	ALLOW(preadv2), ALLOW(pwritev2), ALLOW(pread64), ALLOW(pwrite64), ALLOW(fdatasync), \
	ALLOW(fsync), ALLOW(fallocate), ALLOW(fstat), ALLOW(lseek), ALLOW(recvfrom), ALLOW(sendto), \
	ALLOW(recvmsg), ALLOW(sendmsg), ALLOW(recvmmsg), ALLOW(sendmmsg), ALLOW(shutdown), \
	ALLOW(fcntl), ALLOW(msync)

/* Also what loads the guest and starts the threads needs. */
static const struct sandbox_rule process_rules[] = {
	EVERY_THREAD, LOOP_IO,
	ALLOW(clone), ALLOW(clone3), ALLOW(set_robust_list), ALLOW(set_tid_address), ALLOW(prctl),
	ALLOW(seccomp), ALLOW(epoll_create1), ALLOW(eventfd2), ALLOW(io_uring_setup),
	ALLOW(io_uring_register), ALLOW(newfstatat), ALLOW(statx), ALLOW(getsockopt), ALLOW(ioctl), ALLOW(prlimit64),
	ALLOW(sched_getaffinity), ALLOW(sched_setaffinity), ALLOW(sysinfo), ALLOW(uname),
	ALLOW(geteuid), ALLOW(getuid), ALLOW(readlink), ALLOW(poll),
};

static const struct sandbox_rule vcpu_rules[] = {
	EVERY_THREAD, ALLOW(writev), ALLOW(sendto), ALLOW(sendmsg),
};

static const struct sandbox_rule loop_rules[] = { EVERY_THREAD, LOOP_IO };

/* Ends the VM too: drains what is in flight (poll: chan_free()), closes the ring. */
static const struct sandbox_rule control_rules[] = { EVERY_THREAD, LOOP_IO, ALLOW(poll) };

static const struct {
	const struct sandbox_rule *rules;
	size_t n;
} thread_rules[] = {
	[CONFINE_VCPU] = { vcpu_rules, ARRAY_LEN(vcpu_rules) },
	[CONFINE_LOOP] = { loop_rules, ARRAY_LEN(loop_rules) },
	[CONFINE_CONTROL] = { control_rules, ARRAY_LEN(control_rules) },
};
_Static_assert(ARRAY_LEN(thread_rules) == CONFINE_KINDS, "one rule set a kind");

/* FNV-1a over the text: which id does not matter, only that processes seldom share one. */
static uint32_t hash(uint32_t sum, const char *text)
{
	while (*text)
		sum = (sum ^ (uint8_t)*text++) * 16777619u;
	return sum;
}

uid_t confine_uid(const char *uuid, const char *role)
{
	return UID_BASE + (hash(hash(2166136261u, uuid), role) & UID_MASK);
}

int confine_process(struct confine *c, const char *uuid, struct err *err)
{
	uid_t uid = confine_uid(uuid, "monitor");
	int rc = 0;

	memset(c, 0, sizeof(*c));
	if (geteuid() == 0)
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
		rc = sandbox_compile(&c->filters[k], thread_rules[k].rules, thread_rules[k].n,
				     SANDBOX_DENY, err);
	if (!rc)
		rc = sandbox_seccomp(process_rules, ARRAY_LEN(process_rules), SANDBOX_DENY, err);
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
