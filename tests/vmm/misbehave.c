/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A monitor that is told to misbehave: the real one, with a guest that idles, whose every
 * kind of thread tries what its sandbox must not let it do. TAP; one test a kind of thread.
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
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "vmm/link.h"
#include "vmm/monitor.h"

/* wfi; j . - 4 */
static const uint32_t idle_guest[] = { 0x10500073, 0xffdff06f };

enum { KINDS = 3 };

static const char *const kind_names[KINDS] = { "vcpu", "loop", "control" };

/* Shared with the monitor: what each kind of thread got away with. */
struct report {
	_Atomic bool done[KINDS];
	char broke[KINDS][1024];
	pid_t parent;
	char victim[64];
};

static struct report *report;

struct attempt {
	const char *name;
	long (*try)(void);
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

static const struct attempt attempts[] = {
	{ "openat", try_open }, { "open", try_old_open }, { "open the disk again", try_open_disk },
	{ "create", try_create }, { "openat2", try_openat2 }, { "unlink", try_unlink },
	{ "execve", try_exec }, { "fork", try_fork }, { "clone", try_clone }, { "tcp", try_tcp },
	{ "udp6", try_udp6 }, { "unix socket", try_unix }, { "netlink", try_netlink },
	{ "kill", try_kill }, { "ptrace", try_ptrace }, { "process_vm_readv", try_peek },
	{ "io_uring_setup", try_ring }, { "memfd_create", try_memfd }, { "unshare", try_userns },
	{ "setuid", try_root }, { "chmod", try_chmod },
};

static void misbehave(int cpu)
{
	int kind = cpu >= 0 ? 0 : cpu == -1 ? 1 : 2;
	char *out = report->broke[kind];
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
		if (attempts[i].try() >= 0)
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

int main(void)
{
	struct vmconfig config;
	struct vm_files files;
	int link[2], console[2], status, failed = 0;
	uint32_t last;
	pid_t pid;

	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, link) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, console))
		return EXIT_FAILURE;
	report->parent = getpid();
	describe(&config, &files);
	files.link = link[1];
	files.console = console[1];
	pid = fork();
	if (pid == 0) {
		close(link[0]);
		exit(monitor_run(&config, &files, misbehave));
	}
	vm_files_close(&files);
	last = last_word(link[0]);
	waitpid(pid, &status, 0);

	printf("1..%d\n", KINDS + 1);
	for (int k = 0; k < KINDS; k++) {
		bool ok = atomic_load(&report->done[k]) && !report->broke[k][0];

		failed += !ok;
		printf("%s %d - %s thread%s%s\n", ok ? "ok" : "not ok", k + 1, kind_names[k],
		       ok ? " is refused everything" : " got away with:", report->broke[k]);
	}
	if (last != LINK_STOPPED || !WIFEXITED(status) || WEXITSTATUS(status)) {
		failed++;
		printf("not ok %d - the monitor went on to a clean end (last %u, status %#x)\n", KINDS + 1,
		       last, status);
	} else {
		printf("ok %d - the monitor went on to a clean end\n", KINDS + 1);
	}
	unlink(report->victim);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
