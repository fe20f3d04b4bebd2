/* SPDX-License-Identifier: Apache-2.0 */
#include "base/usock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64 };

/* mkdir() and open(); the folder may be there already. */
static int open_folder(int at, const char *path, const char *name, int *fd, struct err *err)
{
	if (mkdirat(at, name, 0700) && errno != EEXIST)
		return err_sys(err, -errno, "%s cannot be made", path);
	*fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *fd < 0 ? err_sys(err, -errno, "%s cannot be used as a folder for sockets", path) : 0;
}

static bool is_ours(const struct stat *st)
{
	return st->st_uid == geteuid() || st->st_uid == 0;
}

/* The folder above: nobody else can exchange what is in it. */
static int check_upper(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(err, -errno, "%s", path);
	if (!is_ours(&st) || (st.st_mode & 022 && !(st.st_mode & S_ISVTX)))
		return err_set(err, -EPERM, "%s: the folder for sockets belongs to somebody else, or others "
			       "may write to it; remove it, or set XDG_RUNTIME_DIR", path);
	return 0;
}

static int check_own(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(err, -errno, "%s", path);
	if (!is_ours(&st) || st.st_mode & 077)
		return err_set(err, -EPERM, "%s: the folder for sockets belongs to somebody else, or others "
			       "may look into it; remove it", path);
	return 0;
}

int usock_make_folder(const char *path, int *fd, struct err *err)
{
	char upper[4096];
	const char *slash = strrchr(path, '/');
	int above, rc;

	if (path[0] != '/' || !slash[1] || slash - path >= (ptrdiff_t)sizeof(upper))
		return err_set(err, -EINVAL, "%s: a folder for sockets has an absolute path", path);
	snprintf(upper, sizeof(upper), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	rc = open_folder(AT_FDCWD, upper, upper, &above, err);
	if (rc)
		return rc;
	rc = check_upper(above, upper, err);
	if (!rc)
		rc = open_folder(above, path, slash + 1, fd, err);
	close(above);
	if (rc)
		return rc;
	rc = check_own(*fd, path, err);
	if (rc) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

/* The address of name in the folder behind fd. False: it is too long. */
static bool address(struct sockaddr_un *a, int folder, const char *name)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/%s", folder, name) <
	       (int)sizeof(a->sun_path);
}

int usock_listen(int folder, const char *name, int *fd, struct err *err)
{
	struct sockaddr_un a;
	mode_t mask;
	int rc;

	if (!address(&a, folder, name))
		return err_set(err, -ENAMETOOLONG, "%s: the name of the socket is too long", name);
	if (unlinkat(folder, name, 0) && errno != ENOENT)
		return err_sys(err, -errno, "%s, left in the folder for sockets, cannot be removed", name);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return err_sys(err, -errno, "socket");
	mask = umask(0177);
	rc = bind(*fd, (const struct sockaddr *)&a, sizeof(a)) || listen(*fd, BACKLOG) ? -errno : 0;
	umask(mask);
	if (rc) {
		close(*fd);
		*fd = -1;
		return err_sys(err, rc, "%s cannot be made in the folder for sockets", name);
	}
	return 0;
}

/* The process that made the other end is this user's, or root's. */
static bool peer_is_ours(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	       (who.uid == geteuid() || who.uid == 0);
}

int usock_accept(int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			return -errno;
		if (peer_is_ours(fd))
			return fd;
		close(fd);
	}
}

int usock_connect(const char *path, const char *name, int *fd, struct err *err)
{
	struct sockaddr_un a;
	int rc = 0, folder = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (folder < 0)
		return err_sys(err, -errno, "%s", path);
	*fd = -1;
	if (!address(&a, folder, name))
		rc = err_set(err, -ENAMETOOLONG, "%s: the name of the socket is too long", name);
	if (!rc)
		rc = check_own(folder, path, err);
	if (!rc && (*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		rc = err_sys(err, -errno, "socket");
	if (!rc && connect(*fd, (const struct sockaddr *)&a, sizeof(a)))
		rc = err_sys(err, -errno, "%s/%s", path, name);
	if (!rc && !peer_is_ours(*fd))
		rc = err_set(err, -EPERM, "%s/%s is served by a process of another user", path, name);
	close(folder);
	if (rc && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

int usock_runtime(char *buf, const char *id, struct err *err)
{
	const char *own = getenv("XDG_RUNTIME_DIR");
	int n;

	if (geteuid() == 0)
		n = snprintf(buf, USOCK_RUNTIME, "/run/hospes/%s", id);
	else if (own && own[0] == '/')
		n = snprintf(buf, USOCK_RUNTIME, "%s/hospes/%s", own, id);
	else
		n = snprintf(buf, USOCK_RUNTIME, "/tmp/hospes-%u/%s", (unsigned)geteuid(), id);
	return n < USOCK_RUNTIME ? 0
		: err_set(err, -ENAMETOOLONG, "XDG_RUNTIME_DIR is too long: %.80s...", own);
}
