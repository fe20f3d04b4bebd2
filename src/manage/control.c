/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/usock.h"

enum { PROTOCOL = 1 };

_Static_assert((int)VMCTL_PATH == USOCK_RUNTIME, "a VM's folder is as long as any");

int vmctl_folder(char *buf, const char *id, struct err *err)
{
	return usock_runtime(buf, id, err);
}

/* ---- lines -------------------------------------------------------------------------------------- */

json_t *vmctl_pending(struct vmctl *c)
{
	char *newline = memchr(c->in, '\n', c->len);
	size_t used = newline ? (size_t)(newline - c->in) + 1 : 0;
	json_t *object;

	if (!used)
		return NULL;
	object = json_loadb(c->in, used - 1, 0, NULL);
	memmove(c->in, c->in + used, c->len - used);
	c->len -= used;
	/* What is no JSON is no object that anybody waits for. */
	return object ? object : json_object();
}

int vmctl_next(struct vmctl *c, json_t **object, struct err *err)
{
	while (!(*object = vmctl_pending(c))) {
		ssize_t n;

		if (c->len == sizeof(c->in))
			return err_set(err, -EPROTO, "the VM's supervisor sends lines without an end");
		n = recv(c->fd, c->in + c->len, sizeof(c->in) - c->len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ECONNRESET)
			return err_sys(err, -errno, "the VM's control socket");
		if (n <= 0)
			return err_set(err, -EPIPE, "the VM's supervisor has gone");
		c->len += (size_t)n;
	}
	return 0;
}

static int send_line(struct vmctl *c, const char *text, size_t len, struct err *err)
{
	while (len) {
		ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return err_set(err, -EPIPE, "the VM's supervisor has gone");
		if (n < 0)
			return err_sys(err, -errno, "the VM's control socket");
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

int vmctl_send(struct vmctl *c, const char *what, json_t *members, struct err *err)
{
	json_t *request = json_pack("{s:I, s:s}", "seq", ++c->seq, "do", what);
	char *text;
	size_t len;
	int rc;

	if (members)
		json_object_update(request, members);
	json_decref(members);
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	len = strlen(text);
	/* In the place of its NUL. */
	text[len] = '\n';
	rc = send_line(c, text, len + 1, err);
	free(text);
	return rc;
}

/* An answer's meaning; object is taken. */
static int conclude(json_t *object, json_t **reply, struct err *err)
{
	const char *error = json_string_value(json_object_get(object, "error"));
	int rc = error ? err_set(err, -EREMOTEIO, "%s", error) : 0;

	if (reply)
		*reply = rc ? NULL : object;
	if (rc || !reply)
		json_decref(object);
	return rc;
}

int vmctl_call(struct vmctl *c, const char *what, json_t *members, json_t **reply, struct err *err)
{
	json_t *object;
	int rc = vmctl_send(c, what, members, err);

	while (!rc && !(rc = vmctl_next(c, &object, err))) {
		if (json_integer_value(json_object_get(object, "seq")) == c->seq)
			return conclude(object, reply, err);
		if (c->event && json_object_get(object, "event"))
			c->event(c->opaque, object);
		json_decref(object);
	}
	return rc;
}

int vmctl_agent(struct vmctl *c, struct err *err)
{
	return vmctl_call(c, "agent", NULL, NULL, err);
}

/* ---- connections -------------------------------------------------------------------------------- */

static int greet(struct vmctl *c, struct err *err)
{
	json_t *hello;
	const char *version;
	int rc = vmctl_next(c, &hello, err);

	if (rc)
		return rc;
	version = json_string_value(json_object_get(hello, "hospes"));
	if (json_integer_value(json_object_get(hello, "protocol")) != PROTOCOL)
		rc = err_set(err, -EPROTO, "the VM runs under hospes %.40s, whose control protocol this version "
			     "does not speak; use that one, or stop the VM with a signal", version ? version : "?");
	json_decref(hello);
	return rc;
}

int vmctl_connect(struct vmctl *c, const char *folder, struct err *err)
{
	int rc;

	c->fd = -1;
	c->seq = 0;
	c->event = NULL;
	c->len = 0;
	rc = usock_connect(folder, "control.sock", &c->fd, err);
	if (!rc)
		rc = greet(c, err);
	if (rc)
		vmctl_close(c);
	return rc;
}

void vmctl_close(struct vmctl *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

int vmctl_console(const char *folder, int *fd, struct err *err)
{
	return usock_connect(folder, "console.sock", fd, err);
}

/* ---- the end ------------------------------------------------------------------------------------- */

int vmctl_read_end(struct vmctl_end *e, const char *dir, struct err *err)
{
	char path[4096];
	const char *reason, *text;
	json_error_t why;
	json_t *root;

	if (snprintf(path, sizeof(path), "%s/exit.json", dir) >= (int)sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", dir);
	if (access(path, F_OK))
		return err_sys(err, -errno, "%s", path);
	root = json_load_file(path, 0, &why);
	reason = json_string_value(json_object_get(root, "reason"));
	text = json_string_value(json_object_get(root, "text"));
	if (!reason || !text) {
		json_decref(root);
		return err_set(err, -EINVAL, "%s is damaged", path);
	}
	snprintf(e->reason, sizeof(e->reason), "%s", reason);
	snprintf(e->text, sizeof(e->text), "%s", text);
	e->code = (int)json_integer_value(json_object_get(root, "code"));
	e->started = json_integer_value(json_object_get(root, "started"));
	e->ended = json_integer_value(json_object_get(root, "ended"));
	json_decref(root);
	return 0;
}

/* The file whose lock says that a supervisor lives; -1: there is none, so none does. */
static int open_lock(const char *dir)
{
	char path[4096];

	return snprintf(path, sizeof(path), "%s/lock", dir) < (int)sizeof(path)
		? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

bool vmctl_is_running(const char *dir)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = open_lock(dir);
	bool running = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;

	if (fd >= 0)
		close(fd);
	return running;
}

int vmctl_wait_unlocked(const char *dir, struct err *err)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int rc, fd = open_lock(dir);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "%s/lock", dir);
	do {
		rc = fcntl(fd, F_OFD_SETLKW, &lock) ? -errno : 0;
	} while (rc == -EINTR);
	close(fd);
	return rc ? err_sys(err, rc, "%s/lock", dir) : 0;
}
