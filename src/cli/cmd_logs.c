/* SPDX-License-Identifier: Apache-2.0 */
/* hospes logs: what a virtual machine has written to its console. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/target.h"

struct logs_args {
	bool follow;
};

static const struct opt logs_opts[] = {
	{ "follow", 'f', NULL, "Go on with what the guest writes, until the VM has ended.", opts_set_flag,
	  offsetof(struct logs_args, follow), 0 },
	{ 0 },
};

struct log {
	char path[STORE_PATH_MAX + 16];
	int fd;				/* -1: there is none so far */
};

/* Prints what has been added. */
static int print_rest(struct log *l, struct err *err)
{
	char buf[16384];
	ssize_t n;

	if (l->fd < 0)
		l->fd = open(l->path, O_RDONLY | O_CLOEXEC);
	while (l->fd >= 0 && (n = read(l->fd, buf, sizeof(buf))) > 0)
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
			return err_sys(err, -errno, "standard output cannot be written");
	return fflush(stdout) ? err_sys(err, -errno, "standard output cannot be written") : 0;
}

/* True when a new file has taken the log's place. */
static bool is_renewed(const struct log *l)
{
	struct stat ours, now;

	return l->fd >= 0 && stat(l->path, &now) == 0 && fstat(l->fd, &ours) == 0 &&
	       (now.st_ino != ours.st_ino || now.st_dev != ours.st_dev);
}

static int print_news(struct log *l, struct err *err)
{
	int rc = print_rest(l, err);

	while (!rc && is_renewed(l)) {
		/* What was written between the first look and the change. */
		rc = print_rest(l, err);
		close(l->fd);
		l->fd = -1;
		if (!rc)
			rc = print_rest(l, err);
	}
	return rc;
}

/* Until c, a connection to the VM, ends. */
static int follow(struct log *l, const struct target *t, struct vmctl *c, struct err *err)
{
	struct pollfd fds[] = { { .fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .events = POLLIN },
				{ .fd = c->fd, .events = POLLIN } };
	char events[4096];
	bool ended = false;
	int rc = 0;

	if (fds[0].fd < 0 || inotify_add_watch(fds[0].fd, t->dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		rc = err_sys(err, -errno, "%s cannot be watched", t->dir);
	while (!rc) {
		rc = print_news(l, err);
		if (rc || ended)
			break;
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			rc = err_sys(err, -errno, "poll");
		while (read(fds[0].fd, events, sizeof(events)) > 0)
			;
		/* Nothing was subscribed to: only its end makes it readable. */
		ended = fds[1].revents;
	}
	if (fds[0].fd >= 0)
		close(fds[0].fd);
	return rc;
}

static int logs_one(const struct target *t, void *opaque, struct err *err)
{
	const struct logs_args *args = opaque;
	struct log l = { .fd = -1 };
	struct vmctl c = { .fd = -1 };
	int rc;

	snprintf(l.path, sizeof(l.path), "%s/console.log", t->dir);
	if (args->follow && target_connect(t, &c, err) == 0)
		rc = follow(&l, t, &c, err);
	else
		rc = print_rest(&l, err);
	if (!rc && l.fd < 0)
		rc = err_set(err, -ENOENT, "VM '%s' has never run", t->vm.name);
	vmctl_close(&c);
	if (l.fd >= 0)
		close(l.fd);
	return rc;
}

static int logs_run(const struct command *self, int argc, char **argv)
{
	struct logs_args args = { 0 };

	return target_each(self, argc, argv, &args, 1, logs_one);
}

static const char *const logs_text[] = {
	"Prints what a virtual machine has written to its serial console since its last start, or the latest "
	"4 MiB of it at most.",
	NULL
};

const struct command command_logs = {
	.name = "logs",
	.summary = "print what a virtual machine wrote to its console",
	.operands = "VM",
	.about = logs_text,
	.opts = logs_opts,
	.run = logs_run,
};
