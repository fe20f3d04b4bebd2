/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/checks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/io_uring.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/sandbox.h"
#include "cli/vmprocess.h"
#include "manage/image.h"
#include "manage/store.h"

/* ---- findings ------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 3, 4)))
found(struct finding *f, enum check_status status, const char *fmt, ...)
{
	va_list ap;

	f->status = status;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

static void __attribute__((format(printf, 2, 3))) remedy(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->remedy, sizeof(f->remedy), fmt, ap);
	va_end(ap);
}

/* The first line of a file, without its newline; false when it cannot be read. */
static bool first_line(const char *path, char *buf, int size)
{
	FILE *f = fopen(path, "re");
	bool got = f && fgets(buf, size, f);

	if (f)
		fclose(f);
	if (got)
		buf[strcspn(buf, "\n")] = '\0';
	return got;
}

/* ---- the machine and its kernel --------------------------------------------------------------- */

static void check_kernel(struct finding *f)
{
	struct utsname u;
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	uname(&u);
	if (fd >= 0)
		close(fd);
	if (fd < 0) {
		found(f, CHECK_MISSING, "Linux %s on %s refuses pidfd_open", u.release, u.machine);
		remedy(f, "use Linux 5.3 or later; in a container, allow this system call");
	} else {
		found(f, CHECK_OK, "Linux %s on %s", u.release, u.machine);
	}
}

static void check_cpus(struct finding *f)
{
	cpu_set_t set;
	int usable = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	found(f, CHECK_OK, "%d usable by this process; each virtual CPU is a thread", usable);
}

static void check_memory(struct finding *f)
{
	FILE *info = fopen("/proc/meminfo", "re");
	unsigned long long total = 0, available = 0;
	char line[128];

	while (info && fgets(line, sizeof(line), info)) {
		sscanf(line, "MemTotal: %llu", &total);
		sscanf(line, "MemAvailable: %llu", &available);
	}
	if (info)
		fclose(info);
	found(f, available >= 1024 * KIB ? CHECK_OK : CHECK_NOTE, "%llu MiB, %llu MiB of them available",
	      total / 1024, available / 1024);
	if (f->status == CHECK_NOTE)
		remedy(f, "a VM gets 1 GiB unless told otherwise: give --memory less");
}

static void check_kvm(struct finding *f)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	found(f, CHECK_OK, "%s; guests run on the software engine 'interp', which does without",
	      fd >= 0 ? "/dev/kvm is there" : errno == ENOENT ? "this host has no /dev/kvm"
	      : "/dev/kvm is there, but not for this user");
}

static void check_seccomp(struct finding *f)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) {
		found(f, CHECK_OK, "filters of system calls confine monitor and network process");
		return;
	}
	found(f, CHECK_MISSING, "this kernel has no filters of system calls (%s)", strerror(errno));
	remedy(f, "use a kernel with CONFIG_SECCOMP_FILTER, as Debian's are");
}

static void check_landlock(struct finding *f)
{
	int abi = sandbox_landlock_abi();

	if (abi >= 4) {
		found(f, CHECK_OK, "version %d: no files and no TCP for the monitor, besides seccomp", abi);
	} else if (abi >= 1) {
		found(f, CHECK_OK, "version %d: no files for the monitor, besides seccomp", abi);
	} else {
		found(f, CHECK_NOTE, "not in this kernel; seccomp confines the monitor alone");
		remedy(f, "boot with landlock in the kernel's list lsm=..., on Linux 5.13 or later");
	}
}

static void check_io_uring(struct finding *f)
{
	struct io_uring_params p = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 1, &p);

	if (fd >= 0) {
		close(fd);
		found(f, CHECK_OK, "disk I/O uses it");
		return;
	}
	found(f, CHECK_NOTE, "refused (%s); disk I/O uses a few threads instead", strerror(errno));
	remedy(f, "sysctl kernel.io_uring_disabled=0; in a container, allow its system calls");
}

static void check_huge_pages(struct finding *f)
{
	char line[128];

	if (first_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof(line)) &&
	    !strstr(line, "[never]")) {
		found(f, CHECK_OK, "guests of 16 MiB and more get them (%s)", line);
		return;
	}
	found(f, CHECK_NOTE, "off; guests run somewhat slower");
	remedy(f, "as root: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
}

/* In a child, as it cannot be undone. */
static void check_user_namespaces(struct finding *f)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) ? 1 : 0);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0) {
		found(f, CHECK_OK, "%s", geteuid() == 0 ? "root builds images without asking for any"
						      : "this user may have them, and so build images");
		return;
	}
	found(f, CHECK_NOTE, "refused; only root can build images (VMs need none)");
	remedy(f, "sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces=10000");
}

/* ---- what is installed ---------------------------------------------------------------------------- */

static void check_program(struct finding *f, const char *name)
{
	char path[PATH_MAX];
	struct err err;

	if (vmprocess_program(path, sizeof(path), name, &err))
		found(f, CHECK_MISSING, "%s", err.msg);
	else
		found(f, CHECK_OK, "%s", path);
}

static void check_supervisor(struct finding *f)
{
	check_program(f, "hospes-vm");
}

static void check_network(struct finding *f)
{
	check_program(f, "hospes-net");
}

static void check_firmware(struct finding *f)
{
	const char *file = image_firmware("riscv64");

	if (access(file, R_OK) == 0) {
		found(f, CHECK_OK, "%s", file);
		return;
	}
	found(f, CHECK_MISSING, "no %s: images cannot boot", file);
	remedy(f, "apt install u-boot-qemu");
}

static bool in_path(const char *program)
{
	static const char *const folders[] = { "/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin", "/sbin" };
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static void check_image_tools(struct finding *f)
{
	static const char *const tools[] = { "apt-get", "dpkg", "mke2fs", "sfdisk", "unshare",
					     "qemu-riscv64-static" };
	size_t used = 0;
	char lacking[128] = "";

	for (size_t i = 0; i < ARRAY_LEN(tools); i++)
		if (!in_path(tools[i]))
			used += (size_t)snprintf(lacking + used, sizeof(lacking) - used, " %s", tools[i]);
	if (!used) {
		found(f, CHECK_OK, "the programs that tools/build-image starts are there");
		return;
	}
	found(f, CHECK_NOTE, "not there:%s (running VMs needs none of them)", lacking);
	remedy(f, "tools/setup image");
}

/* ---- the store --------------------------------------------------------------------------------------- */

static const char *file_system(const char *path)
{
	static const struct {
		long magic;
		const char *name;
	} known[] = {
		{ EXT4_SUPER_MAGIC, "ext4" }, { XFS_SUPER_MAGIC, "XFS" }, { BTRFS_SUPER_MAGIC, "Btrfs" },
		{ TMPFS_MAGIC, "tmpfs" }, { NFS_SUPER_MAGIC, "NFS" }, { OVERLAYFS_SUPER_MAGIC, "overlayfs" },
		{ F2FS_SUPER_MAGIC, "F2FS" }, { 0x2fc12fc1, "ZFS" },
	};
	struct statfs s;

	if (statfs(path, &s))
		return "an unknown file system";
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].magic == (long)s.f_type)
			return known[i].name;
	return "another file system";
}

/* Cuts path down to what exists of it. */
static void existing_part(char *path)
{
	while (access(path, F_OK) && errno == ENOENT) {
		char *slash = strrchr(path, '/');

		if (!slash || slash == path) {
			strcpy(path, "/");
			return;
		}
		*slash = '\0';
	}
}

static void check_store(struct finding *f)
{
	char part[STORE_PATH_MAX];
	struct statvfs v = { 0 };
	struct store store;
	struct err err;
	unsigned long long free_mib;

	if (store_find(&store, &err)) {
		found(f, CHECK_MISSING, "%.200s", err.msg);
		return;
	}
	strcpy(part, store.home);
	existing_part(part);
	if (access(part, W_OK | X_OK)) {
		found(f, CHECK_MISSING, "%.160s: %s", part, strerror(errno));
		remedy(f, "let HOSPES_HOME name a folder that you may write to");
		return;
	}
	statvfs(part, &v);
	free_mib = (unsigned long long)v.f_bavail * v.f_frsize / MIB;
	found(f, free_mib >= 2048 ? CHECK_OK : CHECK_NOTE, "%.120s%s on %s, %llu MiB free", store.home,
	      strcmp(part, store.home) ? " (to be made)" : "", file_system(part), free_mib);
	if (f->status == CHECK_NOTE)
		remedy(f, "free some space, or let HOSPES_HOME name a folder elsewhere");
}

static int is_image(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && !strcmp(e->d_name + n - 5, ".json") && e->d_name[0] != '.';
}

static void check_images(struct finding *f)
{
	char path[STORE_PATH_MAX], list[200] = "";
	struct dirent **e = NULL;
	struct store store;
	size_t used = 0;
	int n = 0;

	if (!store_find(&store, NULL) && !store_path(&store, path, sizeof(path), NULL, "images"))
		n = scandir(path, &e, is_image, alphasort);
	for (int i = 0; i < n; i++) {
		int name = (int)strlen(e[i]->d_name) - 5;

		if (used + (size_t)name + 3 < sizeof(list))
			used += (size_t)sprintf(list + used, "%s%.*s", used ? ", " : "", name, e[i]->d_name);
		free(e[i]);
	}
	free(e);
	found(f, n > 0 ? CHECK_OK : CHECK_NOTE, "%s", n > 0 ? list : "none in the store");
	if (n <= 0)
		remedy(f, "tools/build-image builds one called debian");
}

/* ---- the table -------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(struct finding *f);
} checks[] = {
#define CHECK(function, shown) { shown, check_##function },
#include "cli/checks.def"
#undef CHECK
};

unsigned checks_count(void)
{
	return ARRAY_LEN(checks);
}

const char *checks_name(unsigned n)
{
	return checks[n].name;
}

void checks_run(unsigned n, struct finding *f)
{
	memset(f, 0, sizeof(*f));
	checks[n].run(f);
}
