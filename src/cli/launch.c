/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "cli/vmprocess.h"

static const char *const policies[] = {
	[STORE_RESTART_NO] = "no", [STORE_RESTART_ON_FAILURE] = "on-failure",
	[STORE_RESTART_ALWAYS] = "always",
};

/* The child. hospes-vm makes a session of its own; its errors come by way of ready. */
static __attribute__((noreturn)) void become(const char *program, const struct target *t, int ready)
{
	char ready_text[16];
	char *argv[] = { (char *)"hospes-vm", (char *)"--dir", (char *)t->dir, (char *)"--runtime",
			 (char *)t->runtime, (char *)"--restart", (char *)policies[t->vm.restart],
			 (char *)"--ready-fd", ready_text, NULL };
	int null = open("/dev/null", O_RDWR);

	snprintf(ready_text, sizeof(ready_text), "%d", ready);
	fcntl(ready, F_SETFD, 0);
	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	/* A folder of the caller's could not be unmounted. */
	if (chdir("/") == 0)
		execv(program, argv);
	dprintf(ready, "%s cannot be started: %s\n", program, strerror(errno));
	_exit(EXIT_FAILURE);
}

/* Reads the one line that comes, without its newline. */
static void read_line(int fd, char *line, size_t size)
{
	size_t len = 0;

	while (len < size - 1 && !memchr(line, '\n', len)) {
		ssize_t n = read(fd, line + len, size - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

static int await_ready(const struct target *t, int fd, pid_t pid, struct err *err)
{
	char line[sizeof(err->msg)];

	read_line(fd, line, sizeof(line));
	if (!strcmp(line, "ready"))
		return 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return err_set(err, -ECHILD, "%s: %s", t->vm.name,
		       *line ? line : "hospes-vm ended before the guest ran; supervisor.log may say why");
}

int launch_vm(const struct target *t, struct err *err)
{
	char program[PATH_MAX];
	int ready[2], rc;
	pid_t pid;

	if (vmctl_is_running(t->dir))
		return err_set(err, -EBUSY, "VM '%s' runs already", t->vm.name);
	rc = vmprocess_program(program, sizeof(program), "hospes-vm", err);
	if (rc)
		return rc;
	if (pipe2(ready, O_CLOEXEC))
		return err_sys(err, -errno, "pipe");
	pid = fork();
	if (pid == 0)
		become(program, t, ready[1]);
	rc = pid < 0 ? err_sys(err, -errno, "a process for the VM cannot be started") : 0;
	close(ready[1]);
	if (!rc)
		rc = await_ready(t, ready[0], pid, err);
	close(ready[0]);
	return rc;
}
