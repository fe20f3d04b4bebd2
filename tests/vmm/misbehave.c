/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A monitor that is told to misbehave: the real one, with a guest that idles, whose every
 * kind of thread tries what its sandbox must not let it do. It runs twice, the second time on a
 * host without io_uring, where threads do the file I/O. TAP; one test a kind of thread and run.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "vmm/link.h"
#include "vmm/monitor.h"

/* wfi; j . - 4 */
static const uint32_t idle_guest[] = { 0x10500073, 0xffdff06f };

static const char *const kind_names[CONFINE_KINDS] = {
	[CONFINE_VCPU] = "vcpu", [CONFINE_LOOP] = "loop", [CONFINE_IO] = "I/O",
	[CONFINE_CONTROL] = "control",
};

enum {
	VCPU = 1 << CONFINE_VCPU, LOOP = 1 << CONFINE_LOOP, IO = 1 << CONFINE_IO,
	CONTROL = 1 << CONFINE_CONTROL, ALL = VCPU | LOOP | IO | CONTROL,
};

/* Shared with the monitor: what each kind of thread got away with. */
struct report {
	_Atomic bool begun[CONFINE_KINDS], done[CONFINE_KINDS];
	char broke[CONFINE_KINDS][1024];
	pid_t parent;
	char victim[64];
};

static struct report *report;

struct attempt {
	const char *name;
	long (*try)(void);	/* below 0: refused */
	unsigned kinds;		/* of threads that have no business with it */
};

static long try_open(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static long try_old_open(void)
{
	return syscall(SYS_open, "/etc/passwd", O_RDONLY);
}

static long try_open_disk(void)
{
	return syscall(SYS_openat, AT_FDCWD, report->victim, O_RDWR);
}

static long try_create(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/tmp/hospes-misbehaved", O_CREAT | O_WRONLY, 0600);
}

static long try_openat2(void)
{
	struct { uint64_t flags, mode, resolve; } how = { 0 };

	return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof(how));
}

static long try_unlink(void)
{
	return syscall(SYS_unlink, report->victim);
}

static long try_exec(void)
{
	static char name[] = "/bin/true";
	char *const argv[] = { name, NULL };

	return syscall(SYS_execve, name, argv, NULL);
}

static long try_fork(void)
{
	long pid = syscall(SYS_fork);

	if (pid == 0)
		_exit(0);
	return pid;
}

static long try_clone(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return pid;
}

static long try_tcp(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long try_udp6(void)
{
	return syscall(SYS_socket, AF_INET6, SOCK_DGRAM, 0);
}

static long try_unix(void)
{
	return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long try_netlink(void)
{
	return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0);
}

static long try_kill(void)
{
	return syscall(SYS_kill, report->parent, 0);
}

static long try_ptrace(void)
{
	return syscall(SYS_ptrace, PTRACE_ATTACH, report->parent, NULL, NULL);
}

static long try_peek(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { report->victim, 1 };

	return syscall(SYS_process_vm_readv, report->parent, &here, 1, &there, 1, 0);
}

static long try_ring(void)
{
	struct io_uring_params p = { 0 };

	return syscall(SYS_io_uring_setup, 1, &p);
}

static long try_memfd(void)
{
	return syscall(SYS_memfd_create, "x", 0);
}

static long try_userns(void)
{
	return syscall(SYS_unshare, CLONE_NEWUSER);
}

static long try_root(void)
{
	return geteuid() == 0 ? -1 : syscall(SYS_setuid, 0);
}

static long try_chmod(void)
{
	return syscall(SYS_fchmodat, AT_FDCWD, report->victim, 0777);
}

static long try_tgkill(void)
{
	return syscall(SYS_tgkill, report->parent, report->parent, 0);
}

static long try_own_signals(void)
{
	return syscall(SYS_fcntl, STDIN_FILENO, F_SETOWN, report->parent);
}

static long try_pidfd(void)
{
	return syscall(SYS_pidfd_open, report->parent, 0);
}

static long try_limits(void)
{
	struct rlimit now;

	return syscall(SYS_prlimit64, report->parent, RLIMIT_NOFILE, NULL, &now);
}

static long try_affinity(void)
{
	unsigned long mask = ~0ul;

	return syscall(SYS_sched_setaffinity, report->parent, sizeof(mask), &mask);
}

static long try_ioctl(void)
{
	return syscall(SYS_ioctl, STDIN_FILENO, FIOCLEX);
}

static long try_dumpable(void)
{
	return syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long try_orphan(void)
{
	return syscall(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0);
}

static long try_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static long try_make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long rc = p == MAP_FAILED ? 0 : mprotect(p, 4096, PROT_READ | PROT_EXEC);

	munmap(p, 4096);
	return rc;
}

/* Flags that no kernel takes, so that nothing is started: the error tells who refused. */
static long try_thread(void)
{
	return syscall(SYS_clone, CLONE_THREAD | CLONE_VM, NULL, NULL, NULL, NULL) < 0 &&
	       errno == EPERM ? -1 : 0;
}

static long try_stat(void)
{
	struct stat st;

	return syscall(SYS_stat, "/etc/passwd", &st);
}

static long try_newfstatat(void)
{
	struct stat st;

	return syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &st, 0);
}

static long try_read(void)
{
	return syscall(SYS_read, STDIN_FILENO, NULL, 0);
}

static long try_pread(void)
{
	return syscall(SYS_pread64, STDIN_FILENO, NULL, 0, 0) < 0 && errno == EPERM ? -1 : 0;
}

static long try_pwritev(void)
{
	return syscall(SYS_pwritev, STDIN_FILENO, NULL, 0, 0, 0) < 0 && errno == EPERM ? -1 : 0;
}

static long try_send(void)
{
	return syscall(SYS_sendto, -1, NULL, 0, 0, NULL, 0) < 0 && errno == EPERM ? -1 : 0;
}

static long try_enter_ring(void)
{
	return syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0) < 0 && errno == EPERM ? -1 : 0;
}

static const struct attempt attempts[] = {
	{ "openat", try_open, ALL }, { "open", try_old_open, ALL },
	{ "open the disk again", try_open_disk, ALL }, { "create", try_create, ALL },
	{ "openat2", try_openat2, ALL }, { "unlink", try_unlink, ALL }, { "execve", try_exec, ALL },
	{ "fork", try_fork, ALL }, { "clone", try_clone, ALL }, { "tcp", try_tcp, ALL },
	{ "udp6", try_udp6, ALL }, { "unix socket", try_unix, ALL }, { "netlink", try_netlink, ALL },
	{ "kill", try_kill, ALL }, { "ptrace", try_ptrace, ALL }, { "process_vm_readv", try_peek, ALL },
	{ "io_uring_setup", try_ring, ALL }, { "memfd_create", try_memfd, ALL },
	{ "unshare", try_userns, ALL }, { "setuid", try_root, ALL }, { "chmod", try_chmod, ALL },
	{ "tgkill", try_tgkill, ALL }, { "F_SETOWN", try_own_signals, ALL },
	{ "pidfd_open", try_pidfd, ALL }, { "prlimit", try_limits, ALL },
	{ "sched_setaffinity", try_affinity, ALL }, { "ioctl", try_ioctl, ALL },
	{ "PR_SET_DUMPABLE", try_dumpable, ALL }, { "PR_SET_PDEATHSIG", try_orphan, ALL },
	{ "mmap of code", try_code, ALL }, { "mprotect to code", try_make_code, ALL },
	{ "a thread", try_thread, ALL }, { "stat", try_stat, ALL },
	{ "newfstatat", try_newfstatat, VCPU | LOOP | IO }, { "read", try_read, VCPU | IO },
	{ "pread64", try_pread, VCPU | LOOP | IO }, { "pwritev", try_pwritev, VCPU | LOOP | CONTROL },
	{ "sendto", try_send, VCPU | IO }, { "io_uring_enter", try_enter_ring, VCPU | IO },
};

static void misbehave(enum confine_kind kind)
{
	char *out = report->broke[kind];
	size_t used = 0;

	/* The pool has several threads, all alike. */
	if (atomic_exchange(&report->begun[kind], true))
		return;
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
		if (attempts[i].kinds >> kind & 1 && attempts[i].try() >= 0)
			used += (size_t)snprintf(out + used, sizeof(report->broke[0]) - used, " %s",
						 attempts[i].name);
	atomic_store(&report->done[kind], true);
}

/* Blank, exactly big enough, already deleted: the guest's firmware and its disk. */
static int temp_file(char *path, const void *data, size_t len)
{
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	return fd;
}

static void describe(struct vmconfig *c, struct vm_files *f)
{
	char firmware[] = "/tmp/hospes-idle-XXXXXX", disk[] = "/tmp/hospes-disk-XXXXXX";
	static const char blank[4096];

	*c = (struct vmconfig){
		.name = strdup("bad"), .uuid = strdup("8f14e45f-ceea-467f-a8b1-0d9a6c7f2b11"),
		.machine = strdup("virt-1"), .arch = strdup("riscv64"), .engine = strdup("interp"),
		.cpus = 1, .memory = 64 * MIB, .firmware = strdup("idle"), .disk_count = 1,
	};
	vm_files_init(f);
	f->firmware = temp_file(firmware, idle_guest, sizeof(idle_guest));
	unlink(firmware);
	f->disks[0] = temp_file(disk, blank, sizeof(blank));
	snprintf(report->victim, sizeof(report->victim), "%s", disk);
	c->disks[0] = (struct vmconfig_disk){ .file = strdup(disk), .format = strdup("raw"),
					      .bus = strdup("pci"), .serial = strdup("d"), .slot = 20 };
}

/* The monitor's last word, or 0 when it went without one within a minute. */
static uint32_t last_word(int link)
{
	struct pollfd p = { .fd = link, .events = POLLIN };
	struct link_msg msg = { 0, 0 }, stop = { LINK_STOP, 0 };
	uint32_t last = 0;

	while (poll(&p, 1, 60000) > 0 && recv(link, &msg, sizeof(msg), 0) == sizeof(msg)) {
		last = msg.kind;
		if (msg.kind == LINK_STARTED && send(link, &stop, sizeof(stop), MSG_NOSIGNAL) < 0)
			perror("send");
	}
	return last;
}

/* As in a container whose runtime refuses io_uring. */
static void forbid_ring(void)
{
	static const struct sandbox_rule rule = { .nr = SYS_io_uring_setup, .action = SANDBOX_DENY };
	struct err err;

	if (sandbox_no_new_privs(&err) || sandbox_seccomp(&rule, 1, SANDBOX_ALLOW, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		_exit(EXIT_FAILURE);
	}
}

static uint32_t run_monitor(bool ring, int *status)
{
	struct vmconfig config;
	struct vm_files files;
	int link[2], console[2];
	uint32_t last;
	pid_t pid;

	memset(report, 0, sizeof(*report));
	report->parent = getpid();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, link) || socketpair(AF_UNIX, SOCK_STREAM, 0, console)) {
		perror("socketpair");
		exit(EXIT_FAILURE);
	}
	describe(&config, &files);
	files.link = link[1];
	files.console = console[1];
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(link[0]);
		if (!ring)
			forbid_ring();
		_exit(monitor_run(&config, &files, misbehave));
	}
	vm_files_close(&files);
	vmconfig_fini(&config);
	last = last_word(link[0]);
	waitpid(pid, status, 0);
	close(link[0]);
	close(console[0]);
	unlink(report->victim);
	return last;
}

enum { RUNS = 2 };

int main(void)
{
	static const char *const runs[RUNS] = { "with io_uring", "without io_uring" };
	int failed = 0, n = 0;

	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		return EXIT_FAILURE;
	printf("1..%d\n", RUNS * (CONFINE_KINDS + 1));
	for (int run = 0; run < RUNS; run++) {
		int status;
		uint32_t last = run_monitor(run == 0, &status);

		for (int k = 0; k < CONFINE_KINDS; k++) {
			/* A host with a ring has no threads for I/O. */
			bool must = k != CONFINE_IO || run == 1;
			bool ok = (atomic_load(&report->done[k]) || !must) && !report->broke[k][0];

			failed += !ok;
			printf("%s %d - %s, %s thread%s%s\n", ok ? "ok" : "not ok", ++n, runs[run],
			       kind_names[k], ok ? " is refused everything" : " got away with:",
			       report->broke[k]);
		}
		if (last != LINK_STOPPED || !WIFEXITED(status) || WEXITSTATUS(status)) {
			failed++;
			printf("not ok %d - %s, the monitor went on to a clean end (last %u, status %#x)\n",
			       ++n, runs[run], last, status);
		} else {
			printf("ok %d - %s, the monitor went on to a clean end\n", ++n, runs[run]);
		}
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
