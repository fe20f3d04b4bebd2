/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/probe.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/overflow.h"
#include "base/sandbox.h"

enum {
	SECTOR = 512,
	MBR_ENTRIES = 4,
	GPT_ENTRIES_MAX = 128,
	GPT_ENTRY_MIN = 128,
	GPT_ENTRY_MAX = 4096,
	CPU_SECONDS = 20,
};

struct look {
	struct probe *p;
	const char *path;
	int fd;
	uint64_t size;
	size_t used;			/* of p->text */
};

static uint32_t le32(const uint8_t *b)
{
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static uint64_t le64(const uint8_t *b)
{
	return le32(b) | (uint64_t)le32(b + 4) << 32;
}

/* Adds a phrase; what does not fit is cut. */
static void __attribute__((format(printf, 2, 3))) say(struct look *l, const char *fmt, ...)
{
	size_t room = sizeof(l->p->text) - l->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->p->text + l->used, room, fmt, ap);
	va_end(ap);
	l->used += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

static bool read_at(const struct look *l, uint64_t at, void *buf, size_t len)
{
	return range_within(at, len, l->size) && pread(l->fd, buf, len, (off_t)at) == (ssize_t)len;
}

/* ---- ext2, ext3, ext4 ------------------------------------------------------------------------ */

struct kernel_search {
	char name[64];
};

static int look_at_name(struct ext2_dir_entry *e, int offset, int block_size, char *buf,
			void *opaque)
{
	static const char *const prefixes[] = { "vmlinuz", "vmlinux", "Image", "bzImage" };
	struct kernel_search *k = opaque;
	size_t len = (size_t)ext2fs_dirent_name_len(e);

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (len >= n && len < sizeof(k->name) && !memcmp(e->name, prefixes[i], n)) {
			memcpy(k->name, e->name, len);
			k->name[len] = '\0';
			return DIRENT_ABORT;
		}
	}
	return 0;
}

static bool has_file(ext2_filsys fs, const char *path, ext2_ino_t *ino)
{
	return ext2fs_namei(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, ino) == 0;
}

static void look_into(struct look *l, ext2_filsys fs)
{
	static const char *const menus[] = {"/boot/extlinux/extlinux.conf",
					    "/extlinux/extlinux.conf", "/extlinux.conf",
					    "/boot/extlinux.conf"};
	static const char *const folders[] = { "/boot", "/" };
	struct kernel_search k = { "" };
	ext2_ino_t ino;

	for (size_t i = 0; i < ARRAY_LEN(menus); i++)
		if (has_file(fs, menus[i], &ino)) {
			say(l, " with %s", menus[i]);
			l->p->loader = true;
			break;
		}
	for (size_t i = 0; i < ARRAY_LEN(folders) && !k.name[0]; i++)
		if (has_file(fs, folders[i], &ino) &&
		    !ext2fs_dir_iterate(fs, ino, 0, NULL, look_at_name, &k) && k.name[0]) {
			say(l, "%s kernel %s%s%s", strstr(l->p->text, " with ") ? " and" : " with",
			    folders[i], i == 0 ? "/" : "", k.name);
			l->p->kernel = true;
		}
}

static bool look_for_ext(struct look *l, uint64_t at)
{
	char options[40];
	uint8_t super[1024];
	ext2_filsys fs = NULL;

	if (!checked_add(at, 1024, &at) || !read_at(l, at, super, sizeof(super)) ||
	    super[56] != 0x53 || super[57] != 0xef)
		return false;
	snprintf(options, sizeof(options), "offset=%llu", (unsigned long long)(at - 1024));
	if (ext2fs_open2(l->path, options, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs)) {
		say(l, "a damaged ext file system");
		return true;
	}
	say(l, "%s", ext2fs_has_feature_extents(fs->super) ? "ext4" : "ext2 or ext3");
	look_into(l, fs);
	ext2fs_close_free(&fs);
	return true;
}

/* ---- partitions ------------------------------------------------------------------------------ */

static void look_at_part(struct look *l, unsigned number, uint64_t at, bool efi)
{
	uint8_t boot[SECTOR];

	say(l, "; partition %u: ", number);
	if (look_for_ext(l, at)) {
		/* It has said what it is. */
	} else if (read_at(l, at, boot, sizeof(boot)) && boot[510] == 0x55 && boot[511] == 0xaa &&
		   (!memcmp(boot + 54, "FAT", 3) || !memcmp(boot + 82, "FAT", 3))) {
		say(l, "FAT");
		if (efi) {
			say(l, " (EFI system partition)");
			l->p->efi = l->p->loader = true;
		}
	} else {
		say(l, "no file system that is known here");
	}
}

static bool look_for_gpt(struct look *l)
{
	static const uint8_t esp[16] = { 0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
					 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b };
	static const uint8_t unused[16];
	uint8_t header[SECTOR], entry[GPT_ENTRY_MIN];
	uint64_t table, at, start;
	uint32_t count, size;

	if (!read_at(l, SECTOR, header, sizeof(header)) || memcmp(header, "EFI PART", 8))
		return false;
	say(l, "GPT");
	count = le32(header + 80);
	size = le32(header + 84);
	if (count > GPT_ENTRIES_MAX || size < GPT_ENTRY_MIN || size > GPT_ENTRY_MAX ||
	    !checked_mul(le64(header + 72), SECTOR, &table)) {
		say(l, " (damaged)");
		return true;
	}
	for (uint32_t i = 0; i < count; i++)
		if (checked_add(table, (uint64_t)i * size, &at) &&
		    read_at(l, at, entry, sizeof(entry)) && memcmp(entry, unused, 16) &&
		    checked_mul(le64(entry + 32), SECTOR, &start))
			look_at_part(l, i + 1, start, !memcmp(entry, esp, 16));
	return true;
}

static bool look_for_mbr(struct look *l)
{
	uint8_t mbr[SECTOR];
	bool found = false;

	if (!read_at(l, 0, mbr, sizeof(mbr)) || mbr[510] != 0x55 || mbr[511] != 0xaa)
		return false;
	for (unsigned i = 0; i < MBR_ENTRIES; i++) {
		const uint8_t *e = mbr + 446 + 16 * i;

		/* A FAT boot sector ends alike: it has code or text where flags would be. */
		if ((e[0] & 0x7f) || !e[4] || !le32(e + 8))
			continue;
		if (!found)
			say(l, "MBR");
		found = true;
		look_at_part(l, i + 1, (uint64_t)le32(e + 8) * SECTOR, e[4] == 0xef);
	}
	return found;
}

static void look_at_disk(struct look *l)
{
	l->p->table = look_for_gpt(l) || look_for_mbr(l);
	if (!l->p->table && !look_for_ext(l, 0))
		say(l, "neither partitions nor an ext file system");
}

/* ---- in a process of its own ----------------------------------------------------------------- */

static int confine(const char *path)
{
	static const struct sandbox_rule rules[] = {
		{.nr = SYS_execve, .action = SANDBOX_KILL},
		{.nr = SYS_execveat, .action = SANDBOX_KILL},
		{.nr = SYS_socket, .action = SANDBOX_KILL},
		{.nr = SYS_socketpair, .action = SANDBOX_KILL},
		{.nr = SYS_connect, .action = SANDBOX_KILL},
		{.nr = SYS_ptrace, .action = SANDBOX_KILL},
		{.nr = SYS_kill, .action = SANDBOX_KILL},
		{.nr = SYS_tkill, .action = SANDBOX_KILL},
		{.nr = SYS_tgkill, .action = SANDBOX_KILL},
		{.nr = SYS_clone, .action = SANDBOX_KILL},
		{.nr = SYS_clone3, .action = SANDBOX_KILL},
		{.nr = SYS_fork, .action = SANDBOX_KILL},
		{.nr = SYS_vfork, .action = SANDBOX_KILL},
		{.nr = SYS_unlink, .action = SANDBOX_KILL},
		{.nr = SYS_unlinkat, .action = SANDBOX_KILL},
		{.nr = SYS_rename, .action = SANDBOX_KILL},
		{.nr = SYS_renameat2, .action = SANDBOX_KILL},
		{.nr = SYS_chmod, .action = SANDBOX_KILL},
		{.nr = SYS_fchmod, .action = SANDBOX_KILL},
		{.nr = SYS_truncate, .action = SANDBOX_KILL},
	};
	const struct rlimit cpu = { CPU_SECONDS, CPU_SECONDS }, core = { 0, 0 };
	int rc = setrlimit(RLIMIT_CPU, &cpu) || setrlimit(RLIMIT_CORE, &core) ? -errno : 0;

	if (!rc)
		rc = sandbox_drop_caps(NULL);
	if (!rc)
		rc = sandbox_no_new_privs(NULL);
	if (!rc) {
		rc = sandbox_landlock(&path, 1, SANDBOX_NO_TCP | SANDBOX_SCOPED, NULL);
		if (rc == -EOPNOTSUPP)
			rc = 0;
	}
	return rc ? rc : sandbox_seccomp(rules, ARRAY_LEN(rules), SANDBOX_ALLOW, NULL);
}

static void __attribute__((noreturn)) child(const char *path, int out)
{
	struct probe p = { 0 };
	struct look l = { .p = &p, .path = path };
	struct stat st;

	/* Nothing that our parent has open, such as the store's database, comes along. */
	if (dup2(out, 0) < 0 || close_range(1, ~0U, 0))
		_exit(2);
	l.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (l.fd < 0 || fstat(l.fd, &st) || confine(path))
		_exit(2);
	l.size = (uint64_t)st.st_size;
	look_at_disk(&l);
	_exit(write(0, &p, sizeof(p)) == sizeof(p) ? 0 : 2);
}

int probe_disk(struct probe *p, const char *path, struct err *err)
{
	size_t got = 0;
	int pipe_fd[2], status;
	ssize_t n;
	pid_t pid;

	memset(p, 0, sizeof(*p));
	if (pipe2(pipe_fd, O_CLOEXEC))
		return err_sys(err, -errno, "%s", path);
	pid = fork();
	if (pid == 0)
		child(path, pipe_fd[1]);
	close(pipe_fd[1]);
	while (pid > 0 && got < sizeof(*p)) {
		n = read(pipe_fd[0], (char *)p + got, sizeof(*p) - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	close(pipe_fd[0]);
	if (pid < 0)
		return err_sys(err, -errno, "%s", path);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status || got != sizeof(*p))
		return err_set(err, -EIO,
			       "%s: what is on it cannot be told: reading its file systems failed "
			       "(a disk that is known to boot can be imported with --unchecked)",
			       path);
	/* Text of a process that met the disk: it goes to terminals. */
	p->text[sizeof(p->text) - 1] = '\0';
	for (char *c = p->text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return 0;
}
