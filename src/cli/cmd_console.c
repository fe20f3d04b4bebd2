/* SPDX-License-Identifier: Apache-2.0 */
/* hospes console: a running virtual machine's console on this terminal. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "cli/target.h"

enum { DETACH_KEY = 0x1d /* Ctrl-] */ };

struct session {
	int console, signals;
	bool terminal, input;		/* standard input is one; it has not ended */
	bool detached;
};

static const struct opt console_opts[] = {
	{ 0 },
};

/* All of buf to fd, waiting where it must: -errno. */
static int put(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

/* False: the session has ended. */
static bool type(struct session *s)
{
	char buf[1024], *key = NULL;
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0) {
		s->input = false;
		return true;
	}
	if (s->terminal && (key = memchr(buf, DETACH_KEY, (size_t)n)))
		s->detached = true;
	put(s->console, buf, key ? (size_t)(key - buf) : (size_t)n);
	return !s->detached;
}

static bool show(struct session *s)
{
	char buf[16384];
	ssize_t n = recv(s->console, buf, sizeof(buf), 0);

	if (n < 0 && errno == EINTR)
		return true;
	return n > 0 && put(STDOUT_FILENO, buf, (size_t)n) == 0;
}

static int serve(struct session *s, struct err *err)
{
	struct pollfd fds[] = { { .fd = s->console, .events = POLLIN },
				{ .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = s->signals, .events = POLLIN } };

	for (;;) {
		fds[1].fd = s->input ? STDIN_FILENO : -1;
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return err_sys(err, -errno, "poll");
		if (fds[2].revents)
			return 0;
		if (fds[1].revents && !type(s))
			return 0;
		if (fds[0].revents && !show(s))
			return 0;
	}
}

/* A signal ends the session like Ctrl-] does, with the terminal in its own mode. */
static int take_signals(struct session *s, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return s->signals < 0 ? err_sys(err, -errno, "signalfd") : 0;
}

static int console_one(const struct target *t, void *args, struct err *err)
{
	struct session s = { .console = -1, .input = true };
	struct termios saved, raw;
	int rc = take_signals(&s, err);

	if (!rc && !vmctl_is_running(t->dir))
		rc = err_set(err, -ESRCH, "VM '%s' does not run; 'hospes start %s' starts it", t->vm.name,
			     t->vm.name);
	if (!rc)
		rc = vmctl_console(t->runtime, &s.console, err);
	if (rc)
		return rc;
	s.terminal = tcgetattr(STDIN_FILENO, &saved) == 0;
	if (s.terminal) {
		fprintf(stderr, "hospes: the console of %s; Ctrl-] leaves it\n", t->vm.name);
		raw = saved;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	rc = serve(&s, err);
	if (s.terminal)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	if (s.detached)
		fprintf(stderr, "\nhospes: %s runs on; 'hospes console %s' comes back to it\n", t->vm.name,
			t->vm.name);
	close(s.console);
	close(s.signals);
	return rc;
}

static int console_run(const struct command *self, int argc, char **argv)
{
	return target_each(self, argc, argv, NULL, 1, console_one);
}

static const char *const console_text[] = {
	"Connects this terminal with the serial console of a virtual machine that runs. The last 64 KiB that it "
	"has written appear first. Every key goes to the guest but Ctrl-], which leaves the console; the VM "
	"runs on. Others may be connected at the same time.",
	NULL
};

const struct command command_console = {
	.name = "console",
	.summary = "connect to the console of a virtual machine",
	.operands = "VM",
	.about = console_text,
	.opts = console_opts,
	.run = console_run,
};
