/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/vmprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"

static const char *const reasons[] = {
	[VM_POWEROFF] = "poweroff", [VM_FAILED] = "failed", [VM_CRASHED] = "crashed",
	[VM_STOPPED] = "stopped", [VM_KILLED] = "killed", [VM_ERROR] = "error",
};
_Static_assert(ARRAY_LEN(reasons) == VM_ERROR + 1, "every reason has its word");

/* In the build folder all programs lie side by side; installed, only `hospes` is for people. */
static const char *const places[] = { "", HOSPES_LIBEXEC "/" };

int vmprocess_program(char *buf, size_t size, const char *name, struct err *err)
{
	char own[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own));
	char *slash;

	if (n < 0 || n == sizeof(own))
		return err_sys(err, n < 0 ? -errno : -ENAMETOOLONG, "/proc/self/exe");
	own[n] = '\0';
	slash = strrchr(own, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (snprintf(buf, size, "%s/%s%s", own, places[i], name) >= (int)size)
			return err_set(err, -ENAMETOOLONG, "%s: the path is too long", own);
		if (access(buf, X_OK) == 0)
			return 0;
	}
	return err_set(err, -ENOENT, "there is no %s beside this program in %s, nor in %s/" HOSPES_LIBEXEC
		       "; build or install hospes again", name, own, own);
}

/* The child: nothing of this process' signal handling, and the two sockets, go along. */
static __attribute__((noreturn)) void become(const char *program, const char *dir, int console,
					     int control)
{
	char console_text[16], control_text[16];
	char *argv[] = { (char *)"hospes-vm", (char *)"--dir", (char *)dir, (char *)"--console-fd",
			 console_text, (char *)"--control-fd", control_text, NULL };
	sigset_t none;

	snprintf(console_text, sizeof(console_text), "%d", console);
	snprintf(control_text, sizeof(control_text), "%d", control);
	fcntl(console, F_SETFD, 0);
	fcntl(control, F_SETFD, 0);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(program, argv);
	dprintf(STDERR_FILENO, "hospes: %s cannot be started: %s\n",
		program, strerror(errno));
	_exit(EXIT_FAILURE);
}

static int make_pairs(int console[2], int control[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, console))
		return err_sys(err, -errno, "socketpair");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control)) {
		close(console[0]);
		close(console[1]);
		return err_sys(err, -errno, "socketpair");
	}
	return 0;
}

int vmprocess_start(struct vmprocess *p, const char *dir, struct err *err)
{
	char program[PATH_MAX];
	int console[2], control[2], rc;

	*p = (struct vmprocess){ .pidfd = -1, .console = -1, .control = -1 };
	rc = vmprocess_program(program, sizeof(program), "hospes-vm", err);
	if (!rc)
		rc = make_pairs(console, control, err);
	if (rc)
		return rc;
	p->pid = fork();
	if (p->pid == 0)
		become(program, dir, console[1], control[1]);
	rc = errno;
	close(console[1]);
	close(control[1]);
	p->console = console[0];
	p->control = control[0];
	if (p->pid < 0)
		return err_sys(err, -rc, "a process for the VM cannot be started");
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (p->pidfd < 0)
		return err_sys(err, -errno, "pidfd_open (Linux 5.3 or later is needed)");
	return 0;
}

/* ---- events ----------------------------------------------------------------------------- */

static void take_event(struct vmprocess *p, const char *text, size_t len)
{
	json_t *root = json_loadb(text, len, 0, NULL);
	const char *event = json_string_value(json_object_get(root, "event"));
	const char *reason = json_string_value(json_object_get(root, "reason"));

	if (event && !strcmp(event, "started"))
		p->started = true;
	for (size_t i = VM_POWEROFF; event && !strcmp(event, "ended") && reason && i < ARRAY_LEN(reasons); i++)
		if (!strcmp(reason, reasons[i])) {
			p->reason = (enum vm_reason)i;
			p->code = (int)json_integer_value(json_object_get(root, "code"));
		}
	json_decref(root);
}

bool vmprocess_read_events(struct vmprocess *p)
{
	ssize_t n = recv(p->control, p->line + p->line_len, sizeof(p->line) - p->line_len, MSG_DONTWAIT);
	char *newline;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		close(p->control);
		p->control = -1;
		return false;
	}
	p->line_len += (size_t)n;
	while ((newline = memchr(p->line, '\n', p->line_len))) {
		size_t used = (size_t)(newline - p->line) + 1;

		take_event(p, p->line, used - 1);
		memmove(p->line, p->line + used, p->line_len - used);
		p->line_len -= used;
	}
	/* No event is that long. */
	if (p->line_len == sizeof(p->line))
		p->line_len = 0;
	return true;
}

/* ---- orders ------------------------------------------------------------------------------- */

static void order(struct vmprocess *p, const char *line)
{
	/* A supervisor that takes no more is at its end: nothing to be done about it. */
	if (p->control >= 0)
		(void)!send(p->control, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void vmprocess_power_button(struct vmprocess *p)
{
	order(p, "{\"do\":\"power-button\"}\n");
}

void vmprocess_shut_down(struct vmprocess *p)
{
	/* Its own child, not waited for yet: the pid is nobody else's. */
	if (p->pid > 0)
		kill(p->pid, SIGTERM);
}

void vmprocess_stop(struct vmprocess *p)
{
	order(p, "{\"do\":\"stop\",\"timeout\":0}\n");
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int vmprocess_end(struct vmprocess *p)
{
	int status = 0;

	close_fd(&p->console);
	close_fd(&p->control);
	close_fd(&p->pidfd);
	while (p->pid > 0 && waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
	return status;
}
