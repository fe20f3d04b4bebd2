/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum {
	POWER_KEY = 0x1d,	/* Ctrl-] */
	CHUNK = 4096,		/* what a writable pipe takes */
	SAY_MS = 1000,		/* how long a message waits for a busy terminal */
};

/* Bytes on their way in one direction. */
struct pending {
	uint8_t buf[CHUNK];
	size_t off, len;	/* buf[off..len) waits */
};

struct attach {
	struct vmprocess *vm;
	int signals;
	int out_fd, err_fd;	/* standard output and error, see writer() */
	struct termios saved;
	bool terminal;		/* standard input is one, and was in the foreground at the start */
	bool raw;		/* saved is to be restored */
	bool in_open;		/* standard input is read */
	bool out_open;		/* standard output is written, not just swallowed */
	bool asked;		/* the power button was pressed */
	bool stopping;		/* the order to stop was given */
	struct pending in, out;
};

enum slot { CONSOLE, CONTROL, SIGNALS, INPUT, OUTPUT, PROCESS, SLOTS };

/* ---- the terminal ----------------------------------------------------------------------- */

/*
 * A descriptor to write to fd with. A terminal that poll() calls writable may still block a
 * write, and its mode is shared with others: so one of our own that does not block. Where it
 * cannot be had (the terminal is another user's), fd has to do.
 */
static int writer(int fd)
{
	char path[32];
	int own = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (isatty(fd))
		own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return own < 0 ? fd : own;
}

static void close_writer(int fd, int standard)
{
	if (fd != standard)
		close(fd);
}

/* The message is lost when nobody takes it: whoever stalls does not hold up the VM's end. */
static void say(const struct attach *a, const char *text)
{
	struct pollfd room = { .fd = a->err_fd, .events = POLLOUT };
	char line[CHUNK];
	/* On a line of its own, whatever the guest has written; the cursor may stand anywhere. */
	int len = snprintf(line, sizeof(line), "%shospes: %s\n",
			   isatty(STDERR_FILENO) ? "\r\n" : "", text);

	for (int done = 0; done < len && poll(&room, 1, SAY_MS) > 0;) {
		ssize_t n = write(a->err_fd, line + done, (size_t)(len - done));

		if (n <= 0)
			return;
		done += (int)n;
	}
}

/* No job control, or it says that the terminal is ours. */
static bool in_foreground(void)
{
	pid_t group = tcgetpgrp(STDIN_FILENO);

	return group < 0 || group == getpgrp();
}

/* Keys as they are pressed; a->saved is the terminal's own mode. */
static void set_raw(struct attach *a)
{
	struct termios t = a->saved;

	cfmakeraw(&t);
	/* Lines that hospes writes itself end as everywhere else. */
	t.c_oflag |= OPOST | ONLCR;
	a->raw = tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
}

static void take_terminal(struct attach *a)
{
	if (!isatty(STDIN_FILENO))
		return;
	/* In the background, reading would stop this process. */
	a->terminal = a->in_open = in_foreground();
	if (a->terminal && tcgetattr(STDIN_FILENO, &a->saved) == 0)
		set_raw(a);
}

/* At once: output that still waits looks the same in both modes, and may wait for ever. */
static void leave_raw(struct attach *a)
{
	if (a->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &a->saved);
	a->raw = false;
}

/* ---- orders ------------------------------------------------------------------------------- */

static void stop(struct attach *a)
{
	a->asked = a->stopping = true;
	vmprocess_stop(a->vm);
}

/* Somebody wants the VM to end: kindly at first. */
static void ask(struct attach *a, void (*order)(struct vmprocess *), const char *what_next)
{
	if (a->asked) {
		if (!a->stopping)
			say(a, "stopping the VM");
		stop(a);
		return;
	}
	a->asked = true;
	order(a->vm);
	say(a, what_next);
}

static void on_signal(struct attach *a)
{
	struct signalfd_siginfo info;

	if (read(a->signals, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGCONT:
		/* A shell gave the terminal its own mode while this process was stopped. */
		if (a->raw && in_foreground())
			set_raw(a);
		break;
	case SIGINT:
		ask(a, vmprocess_power_button,
		    "power button pressed; another Ctrl-C stops the VM at once");
		break;
	default:
		/* Perhaps nobody is there to send a second one. */
		ask(a, vmprocess_shut_down, "power button pressed; another signal stops the VM at once, "
		    "as does a minute without its power-off");
	}
}

/* ---- the console's two directions ------------------------------------------------------------ */

static void take_input(struct attach *a)
{
	struct pending *p = &a->in;
	ssize_t n = read(STDIN_FILENO, p->buf, sizeof(p->buf));
	size_t kept = 0;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		a->in_open = false;
		return;
	}
	for (size_t i = 0; i < (size_t)n; i++)
		if (a->terminal && p->buf[i] == POWER_KEY)
			ask(a, vmprocess_power_button,
			    "power button pressed; another Ctrl-] stops the VM at once");
		else
			p->buf[kept++] = p->buf[i];
	p->off = 0;
	p->len = kept;
}

static void give_input(struct attach *a)
{
	struct pending *p = &a->in;
	ssize_t n = send(a->vm->console, p->buf + p->off, p->len - p->off, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0)
		p->off += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		p->off = p->len;
}

/* What still waits has been given up. */
static void take_output(struct attach *a)
{
	struct pending *p = &a->out;
	ssize_t n = recv(a->vm->console, p->buf, sizeof(p->buf), MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close(a->vm->console);
		a->vm->console = -1;
		return;
	}
	p->off = 0;
	p->len = (size_t)n;
}

static void lose_output(struct attach *a, int error)
{
	char text[128];

	a->out_open = false;
	/* A terminal that is gone sends SIGHUP as well, which is the milder way to end. */
	if (error == EIO)
		return;
	if (error == EPIPE) {
		say(a, "nobody reads standard output any more; stopping the VM");
		stop(a);
		return;
	}
	snprintf(text, sizeof(text), "standard output cannot be written (%s); the rest is dropped",
		 strerror(error));
	say(a, text);
}

static void give_output(struct attach *a)
{
	struct pending *p = &a->out;
	ssize_t n = write(a->out_fd, p->buf + p->off, p->len - p->off);

	if (n >= 0)
		p->off += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		lose_output(a, errno);
}

/* ---- the loop ---------------------------------------------------------------------------------- */

static bool waits(const struct pending *p)
{
	return p->off < p->len;
}

/* Output waits for its reader; one that has stalled does not hold up a VM that is stopped. */
static bool held_up(const struct attach *a)
{
	return waits(&a->out) && a->out_open && !a->stopping;
}

static void fill(const struct attach *a, struct pollfd fds[SLOTS])
{
	bool in = waits(&a->in), held = held_up(a);

	/* A hang-up is reported even when nothing is asked for: not while it has to wait. */
	fds[CONSOLE] = (struct pollfd){ in || !held ? a->vm->console : -1,
					(short)((held ? 0 : POLLIN) | (in ? POLLOUT : 0)), 0 };
	fds[CONTROL] = (struct pollfd){ a->vm->control, POLLIN, 0 };
	fds[SIGNALS] = (struct pollfd){ a->signals, POLLIN, 0 };
	fds[INPUT] = (struct pollfd){ a->in_open && !in ? STDIN_FILENO : -1, POLLIN, 0 };
	/* Always there: a reader that goes away is news. */
	fds[OUTPUT] = (struct pollfd){ a->out_open ? a->out_fd : -1,
				       waits(&a->out) ? POLLOUT : 0, 0 };
	fds[PROCESS] = (struct pollfd){ a->vm->pidfd, POLLIN, 0 };
}

/* What came back from poll(). False: the supervisor is gone and all it said is passed on. */
static bool serve(struct attach *a, const struct pollfd fds[SLOTS])
{
	/* Was looked at, and had nothing to say. */
	bool silent = fds[CONSOLE].events & POLLIN && !fds[CONSOLE].revents;

	if (fds[SIGNALS].revents)
		on_signal(a);
	if (fds[INPUT].revents)
		take_input(a);
	if (fds[CONSOLE].revents & (POLLOUT | POLLHUP | POLLERR) && waits(&a->in))
		give_input(a);
	if (fds[OUTPUT].revents & POLLOUT && waits(&a->out))
		give_output(a);
	else if (fds[OUTPUT].revents & (POLLERR | POLLHUP))
		lose_output(a, isatty(STDOUT_FILENO) ? EIO : EPIPE);
	if (fds[CONSOLE].revents & (POLLIN | POLLHUP | POLLERR) && !held_up(a))
		take_output(a);
	if (fds[CONTROL].revents)
		vmprocess_read_events(a->vm);
	/* Its end of the console may live on in a process that it leaves behind. */
	return !fds[PROCESS].revents || fds[CONTROL].revents || held_up(a) ||
	       (a->vm->console >= 0 && !silent);
}

int attach_signals(int *fd, struct err *err)
{
	static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCONT };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		sigaddset(&set, wanted[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	*fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *fd < 0 ? err_sys(err, -errno, "signalfd") : 0;
}

int attach_run(struct vmprocess *vm, int signals, struct err *err)
{
	struct attach a = {
		.vm = vm, .signals = signals, .in_open = true, .out_open = true,
		.out_fd = writer(STDOUT_FILENO), .err_fd = writer(STDERR_FILENO),
	};
	struct pollfd fds[SLOTS];
	bool going = true;
	int rc = 0;

	take_terminal(&a);
	while (going && !rc) {
		fill(&a, fds);
		if (poll(fds, SLOTS, -1) >= 0)
			going = serve(&a, fds);
		else if (errno != EINTR)
			rc = err_sys(err, -errno, "poll");
	}
	leave_raw(&a);
	close_writer(a.out_fd, STDOUT_FILENO);
	close_writer(a.err_fd, STDERR_FILENO);
	return rc;
}
